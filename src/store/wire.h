/* SPDX-License-Identifier: MIT */
/*
 * The store's protocol as it goes over a ring or a socket.
 *
 * A message is a header and up to EVC_XS_PAYLOAD bytes.  The reply carries the
 * request's type, or EVC_XS_ERROR with the error's name; its req_id and tx_id
 * are those of the request.
 *
 * Source: xen/include/public/io/xs_wire.h; tests/backend/abi.c compares.
 */
#ifndef EVC_STORE_WIRE_H
#define EVC_STORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

enum evc_xs_type {
    EVC_XS_CONTROL = 0,
    EVC_XS_DIRECTORY = 1,
    EVC_XS_READ = 2,
    EVC_XS_GET_PERMS = 3,
    EVC_XS_WATCH = 4,
    EVC_XS_UNWATCH = 5,
    EVC_XS_TRANSACTION_START = 6,
    EVC_XS_TRANSACTION_END = 7,
    EVC_XS_INTRODUCE = 8,
    EVC_XS_RELEASE = 9,
    EVC_XS_GET_DOMAIN_PATH = 10,
    EVC_XS_WRITE = 11,
    EVC_XS_MKDIR = 12,
    EVC_XS_RM = 13,
    EVC_XS_SET_PERMS = 14,
    EVC_XS_WATCH_EVENT = 15,
    EVC_XS_ERROR = 16,
    EVC_XS_IS_DOMAIN_INTRODUCED = 17,
    EVC_XS_RESUME = 18,
    EVC_XS_SET_TARGET = 19,
    EVC_XS_RESET_WATCHES = 21,
    EVC_XS_DIRECTORY_PART = 22,
};

struct evc_xs_header {
    uint32_t type;
    uint32_t req_id;
    uint32_t tx_id;
    uint32_t len;
};

#define EVC_XS_PAYLOAD  4096u /* more is a violation of the protocol */
#define EVC_XS_ABS_PATH 3072u
#define EVC_XS_REL_PATH 2048u

/* ---- the ring: one page ------------------------------------------------- */

#define EVC_XS_RING 1024u

struct evc_xs_ring {
    uint8_t req[EVC_XS_RING]; /* the guest writes */
    uint8_t rsp[EVC_XS_RING]; /* the store writes */
    evc_a32 req_cons;         /* the store */
    evc_a32 req_prod;         /* the guest */
    evc_a32 rsp_cons;         /* the guest */
    evc_a32 rsp_prod;         /* the store */
    evc_a32 features;         /* the store: EVC_XS_FEATURE_* */
    evc_a32 connection;       /* the guest sets, the store clears */
    evc_a32 error;            /* the store: EVC_XS_RING_* */
};

_Static_assert(offsetof(struct evc_xs_ring, req_cons) == 2048 &&
                   offsetof(struct evc_xs_ring, error) == 2072,
               "the ring's layout is the ABI's");

#define EVC_XS_FEATURE_RECONNECT 1u /* the guest may set `connection` */
#define EVC_XS_FEATURE_ERROR     2u /* there is an `error` */

#define EVC_XS_RECONNECT 1u /* in `connection`: start again, please */

#define EVC_XS_RING_BAD_INDEX 2u /* in `error` */
#define EVC_XS_RING_PROTOCOL  3u

#endif /* EVC_STORE_WIRE_H */
