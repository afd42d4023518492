/* SPDX-License-Identifier: MIT */
/*
 * Ports for scripts.
 *
 * A port is open as long as a process has its handle, and the commands of a script
 * are processes that end.  So each port that a script binds has a keeper: a process
 * in the background that does nothing but have the handle, lend it to other
 * processes of the same user (or root), and end when it is told to or when the
 * daemon ends.
 *
 * Everything returns zero or more, or a negative errno value.
 */
#ifndef EVC_KEEPER_KEEPER_H
#define EVC_KEEPER_KEEPER_H

#include <stdint.h>

#include "client.h"

struct evc_keeper_bind {
    enum {
        EVC_KEEPER_UNBOUND,     /* for domain `a` */
        EVC_KEEPER_INTERDOMAIN, /* to port `b` of domain `a` */
        EVC_KEEPER_VIRQ,        /* `a` */
    } kind;
    uint32_t a, b;
};

/*
 * A port of this domain, with a keeper.  The port, or why not; starts a daemon, if
 * there is none and one may be started.
 */
int evc_keeper_start(uint16_t domain, const struct evc_keeper_bind *bind);
/*
 * The handle of a kept port, whose descriptor does not block.  -ECONNREFUSED: no
 * keeper has it; -EPERM: one of another user has.
 */
int evc_keeper_borrow(uint16_t domain, uint32_t port, struct evc_client **out);
/* The port is closed when this returns. As evc_keeper_borrow(). */
int evc_keeper_end(uint16_t domain, uint32_t port);

#endif /* EVC_KEEPER_KEEPER_H */
