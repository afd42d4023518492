/* SPDX-License-Identifier: MIT */
/*
 * A guest without a processor: memory, a domain in libevc, and the front ends'
 * halves of the rings, driven by the test.
 *
 * Frames are numbered from FIRST on, so that an address or an index is never a
 * frame by accident; there is a page that nobody may touch on either side.
 */
#ifndef EVC_TESTS_FRONT_H
#define EVC_TESTS_FRONT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal.h"

#define FRAMES        128u
#define FIRST         5000u
#define STORE_FRAME   (FIRST + 1)
#define CONSOLE_FRAME (FIRST + 2)
#define RING_FRAME    (FIRST + 3)
#define DATA_FRAME    (FIRST + 16) /* and those behind it */
#define GUEST_ID      1u

struct front {
    uint8_t *memory;
    uint32_t allocated; /* frames for `alloc`, from the end */
    uint32_t alloc_limit;
    struct evc_engine *engine;
    struct evc_domain *domain;
    struct evc_backend_config config;
    struct evc_backend *backend;

    struct front *peer;    /* with a link */
    struct front_mapping { /* the last one of the peer's memory */
        uint64_t address, frame;
        bool write;
    } mapped;
    char log[2048]; /* lines */
    atomic_uint left;
    uint32_t disk_port;
    uint64_t next_id;

    /* the store's replies, and events that came before them */
    uint32_t tx;
    char reply[EVC_XS_PAYLOAD + 1];
    char events[4096];
};

extern const struct evc_backend_ops front_ops;

void front_init(struct front *f);
void front_init_as(struct front *f, evc_domid id);
/* With f->config as it is now; it must work. */
void front_start(struct front *f);
void front_finish(struct front *f);

void *front_page(struct front *f, uint64_t frame);
bool is_pending(struct front *f, evc_port port); /* and clear it */
/* Turn until `what` holds; a test that waits longer than any machine fails. */
#define WAIT_UNTIL(what)          \
    do {                          \
        unsigned turns_ = 0;      \
        while (!(what))           \
            front_turn(turns_++); \
    } while (0)
void front_turn(unsigned turns);

/* ---- the store ------------------------------------------------------------ */

/* Say `payload` ('|' is a zero); the reply as text, errors as "!ENOENT|". */
const char *ask(struct front *f, enum evc_xs_type type, const char *payload);
/* The value of a node, as domain 1 sees it. */
const char *node(struct front *f, const char *path);
void set_node(struct front *f, const char *path, const char *value);

/* ---- grants ----------------------------------------------------------------- */

struct evc_grant_entry *front_grant_entry(struct front *f, uint32_t ref);
void front_grant(struct front *f, uint32_t ref, uint64_t frame, uint32_t flags);
uint32_t front_grant_flags(struct front *f, uint32_t ref);

/* ---- a block front end --------------------------------------------------------- */

#define RING_REF 8u
#define DATA_REF 16u /* of DATA_FRAME; and so on */

struct block_segment {
    uint32_t ref;
    uint8_t first, last;
};

struct block_request {
    uint8_t op, nr_segments;
    uint64_t sector;
    struct block_segment segment[EVC_BLK_SEGMENTS];
};

/* Put a request into the ring of `frame`; its id. */
uint64_t block_put(struct front *f, const struct evc_blk_abi *abi,
                   const struct block_request *request);
/* The oldest answer not yet seen; false: none. */
bool block_take(struct front *f, const struct evc_blk_abi *abi, uint64_t *id,
                int *status);
void block_ring_init(struct front *f);

/* Connect to disk `number` through the store, as a driver does. */
void block_connect(struct front *f, const char *device, const char *protocol);
/* One request, done and answered. */
int block_do(struct front *f, const struct evc_blk_abi *abi,
             const struct block_request *request);

/* As cmocka's; 77 where there are no pseudo-terminals, which all of these need. */
#define FRONT_RUN(tests) \
    (has_terminals() ? cmocka_run_group_tests(tests, NULL, NULL) : 77)
bool has_terminals(void);

/* A file of `size` bytes that has gone from its folder; its path in /proc. */
int scratch_file(size_t size, char path[64]);

#endif /* EVC_TESTS_FRONT_H */
