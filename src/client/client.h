/* SPDX-License-Identifier: MIT */
/*
 * A process that uses event channels through evcd.
 *
 * Binding and closing ask the daemon; sending, taking and unmasking happen in
 * shared memory (wire/share.h) and ask it only to wake somebody.  One connection
 * serves all handles of a process; a child made by fork, or a program that was
 * given a handle's descriptor, makes its own when it first needs it.
 *
 * Everything returns zero or more, or a negative errno value.  Any thread.
 */
#ifndef EVC_CLIENT_CLIENT_H
#define EVC_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "share.h"
#include "wire.h"

struct evc_client {
    int fd;              /* the handle's own end: readable: an event waits */
    uint64_t id;         /* by which the daemon knows it */
    uint64_t connection; /* through which it was last asked for */
    struct evc_home *home;
    uint8_t *regions; /* an address for each place, mapped when needed */
    evc_a32 *mapped;  /* which region is mapped there; process-local */
    evc_a32 spin;     /* ns for which waiting by spinning has paid */
    uint32_t waits;
};

/* ---- handles (handle.c) ------------------------------------------------- */

/* `cloexec`: of its descriptor. Starts a daemon if there is none. */
int evc_client_open(uint16_t domain, bool cloexec, struct evc_client **out);
/* Whose descriptor this is. -ENOTTY: no handle's. Keeps it, on success. */
int evc_client_adopt(int fd, struct evc_client **out);
/* Closes the descriptor; the ports go with its last copy. */
int evc_client_close(struct evc_client *client);
/* The region at a place, mapped; NULL: there is none. */
struct evc_region *evc_client_region(struct evc_client *client, uint32_t place,
                                     uint32_t id);

/* What asks the daemon: as the requests of wire.h. The port, or 0. */
int evc_client_bind_unbound(struct evc_client *client, uint32_t domain);
int evc_client_bind_interdomain(struct evc_client *client, uint32_t domain,
                                uint32_t port);
int evc_client_bind_virq(struct evc_client *client, uint32_t virq);
int evc_client_unbind(struct evc_client *client, uint32_t port);
int evc_client_restrict(struct evc_client *client, uint16_t domain);

/* ---- events (send.c, take.c) -------------------------------------------- */

int evc_client_notify(struct evc_client *client, uint32_t port);
/* The next event's port; waits as the descriptor's O_NONBLOCK says. */
int evc_client_pending(struct evc_client *client);
int evc_client_unmask(struct evc_client *client, uint32_t port);
/* What has arrived goes into the ring: before a port is closed. */
void evc_client_collect(struct evc_client *client);

/* ---- the connection (connect.c) ----------------------------------------- */

/* Ask about a handle (or none: NULL). */
int evc_client_call(struct evc_client *client, struct evc_wire_request *request,
                    struct evc_wire_reply *reply);
/* As that; `fd` gets the descriptor that came with the answer, or -1. */
int evc_client_call_fd(struct evc_client *client,
                       struct evc_wire_request *request,
                       struct evc_wire_reply *reply, int *fd);
/* Connect, starting a daemon if there is none and `start` allows it. */
int evc_client_connect(bool start);
/* Where the daemon's socket is. -ENAMETOOLONG. */
int evc_client_socket_path(char *to, size_t size);
/* Start one for this user and wait until it listens (spawn.c). */
int evc_client_spawn(const char *socket);

#endif /* EVC_CLIENT_CLIENT_H */
