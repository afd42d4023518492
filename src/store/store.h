/* SPDX-License-Identifier: MIT */
/*
 * A store: the tree of names through which domains find their devices.
 *
 * It lives in memory and answers as xenstored does: relative paths, owners and
 * permissions, watches, transactions with conflicts, quotas for everyone but
 * domain 0.  One thread at a time.
 *
 *     bytes of a ring or socket --evc_store_input()--> connection
 *     bytes for it              <--evc_store_output()--
 *
 * The host itself needs no connection: evc_store_set(), evc_store_get(),
 * evc_store_listen() act as domain 0.
 */
#ifndef EVC_STORE_STORE_H
#define EVC_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* What one unprivileged domain may have. */
#define EVC_STORE_NODES        1000u
#define EVC_STORE_WATCHES      128u
#define EVC_STORE_TRANSACTIONS 10u
#define EVC_STORE_STEPS        1024u       /* in one transaction */
#define EVC_STORE_SIZE         2048u       /* of a node: its name and value */
#define EVC_STORE_PERMS        5u          /* of a node */
#define EVC_STORE_UNREAD       (1u << 20u) /* bytes of events not yet taken */

struct evc_store;
struct evc_store_conn;

int evc_store_create(struct evc_store **out);
/*
 * One whose tree is in a xenstored, at this socket of its: see remote.h.
 * Return: 0; a negative errno (of connect(); -EIO: it does not answer as one).
 */
int evc_store_create_remote(const char *path, struct evc_store **out);
/* With its connections and listeners. */
void evc_store_destroy(struct evc_store *store);

/* ---- domain 0's own view ------------------------------------------------- */

/*
 * Write a node and those above it that are missing.  `perms` is what
 * SET_PERMS takes, several separated by commas ("n0,r1"), for all nodes that
 * are new; NULL: as the one above.  Watches fire.
 * Return: 0; -EINVAL (path or perms); -ENOMEM.
 */
int evc_store_set(struct evc_store *store, const char *path, const char *value,
                  const char *perms);

/* The value, copied and ended by a zero, to be freed; or NULL. */
char *evc_store_get(struct evc_store *store, const char *path);

/* Remove a node and what is below. */
void evc_store_remove(struct evc_store *store, const char *path);

/*
 * `changed` is called after `path`, or what is below, may have changed, also
 * inside evc_store_set(): it must not call back into the store.
 */
struct evc_store_listener {
    void (*changed)(void *data);
    void *data;
    const char *path;
    struct evc_store_listener *next; /* the store's, from here on */
    uint32_t id;
};

void evc_store_listen(struct evc_store *store,
                      struct evc_store_listener *listener);

/* ---- a remote tree --------------------------------------------------------- */

/* Readable: evc_store_serve() is to be called; -1: the tree is here. */
int evc_store_fd(const struct evc_store *store);
/* So it is when `ready` was called, which must not call back into the store. */
void evc_store_on_events(struct evc_store *store, void (*ready)(void *data),
                         void *data);
/* Tell of what has changed there; false: there is no store any more. */
bool evc_store_serve(struct evc_store *store);
/*
 * Make the home of a domain that has none, /local/domain/ID, as its toolstack
 * would.  Return: the id; a negative errno.
 */
int evc_store_claim(struct evc_store *store);

/* ---- connections ---------------------------------------------------------- */

/*
 * `ready` is called when there is something for evc_store_output() that came by
 * itself, an event; it must not call back into the store.  Or NULL.
 */
int evc_store_connect(struct evc_store *store, uint16_t domain,
                      void (*ready)(void *data), void *data,
                      struct evc_store_conn **out);
void evc_store_disconnect(struct evc_store_conn *conn);

/* Forget its watches, transactions, and what is half read or not yet taken. */
void evc_store_reset(struct evc_store_conn *conn);

/*
 * Take bytes of requests, at most up to the end of one; none while there are
 * replies that nobody has taken.
 * Return: how many were taken; -EPROTO (a payload beyond the limit; what
 *         follows cannot be understood).
 */
int evc_store_input(struct evc_store_conn *conn, const void *bytes,
                    size_t size);

/* Bytes of replies and events, as many as there are and fit. */
size_t evc_store_output(struct evc_store_conn *conn, void *bytes, size_t room);

/* ---- a connection by a ring ------------------------------------------------ */

struct evc_store_ring {
    struct evc_xs_ring *page; /* shared with the guest */
    struct evc_store_conn *conn;
    uint32_t req_cons, rsp_prod; /* ours; the page has copies */
    bool broken;                 /* left alone for good */
};

/* A zeroed page and its connection; says what we can do, and counts from 0. */
void evc_store_ring_init(struct evc_store_ring *ring, void *page,
                         struct evc_store_conn *conn);

enum evc_store_ring_result {
    EVC_STORE_RING_MOVED = 1,  /* tell the guest */
    EVC_STORE_RING_MORE = 2,   /* call again: there is more to do */
    EVC_STORE_RING_BROKEN = 4, /* just now: indices or payload are wrong */
};

/* Move what can be moved, within bounds.  EVC_STORE_RING_* as bits. */
unsigned evc_store_ring_serve(struct evc_store_ring *ring);

#endif /* EVC_STORE_STORE_H */
