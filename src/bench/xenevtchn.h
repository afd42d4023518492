/* SPDX-License-Identifier: MIT */
/*
 * The drop-in libxenevtchn and a daemon of our own behind it.
 *
 * The library is loaded when it is wanted: the one beside this program, else the
 * one that the system has.
 */
#ifndef EVC_BENCH_XENEVTCHN_H
#define EVC_BENCH_XENEVTCHN_H

#include <stdint.h>

#include "machine.h"

struct xenevtchn_handle;

struct evc_xenevtchn {
    struct xenevtchn_handle *(*open)(void *logger, unsigned flags);
    int (*close)(struct xenevtchn_handle *handle);
    int (*fd)(struct xenevtchn_handle *handle);
    int (*notify)(struct xenevtchn_handle *handle, uint32_t port);
    int (*bind_unbound)(struct xenevtchn_handle *handle, uint32_t domid);
    int (*bind_interdomain)(struct xenevtchn_handle *handle, uint32_t domid,
                            uint32_t port);
    int (*unbind)(struct xenevtchn_handle *handle, uint32_t port);
    int (*pending)(struct xenevtchn_handle *handle);
    int (*unmask)(struct xenevtchn_handle *handle, uint32_t port);
};

/* The library's functions; or NULL, and *why. */
const struct evc_xenevtchn *evc_xenevtchn(const char **why);

/*
 * Start a daemon for this process, at a socket of its own; calls nest.  With a
 * machine, on the receiver's CPU as a receiver is; else wherever there is room,
 * with our priority.
 *
 * Return: 0; -errno (-ENOENT: there is no evcd beside this program).
 */
int evc_daemon_start(const struct evc_machine *machine);
void evc_daemon_stop(void);

#endif /* EVC_BENCH_XENEVTCHN_H */
