/* SPDX-License-Identifier: MIT */
/*
 * A world to test in: an engine, a few guests with flat memory, and a clock
 * that stands still until it is told.
 *
 * A guest's frame N is the N-th page of its memory, and a guest's address is an
 * offset in it.  Frame 0 is shared_info.  Memory lies between two pages that
 * nobody may touch.  What the engine asks of its embedder is written down in
 * struct guest and struct world; what it is answered can be set there.
 */
#ifndef EVC_TESTS_WORLD_H
#define EVC_TESTS_WORLD_H

#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#define PAGE       4096u
#define FRAMES     256u /* of a guest */
#define GUESTS     8u   /* of a world */
#define VCPUS_SEEN 64u  /* whose kicks are counted */
#define PIRQS      16u  /* of a guest */
#define NO_FRAME   0xffffffu

/* Where a test puts things; frames 1 to 15 are free. */
#define BLOCK_FRAME   16u  /* control blocks, 32 a page */
#define ARRAY_FRAME   64u  /* event words, up to 128 pages */
#define SCRATCH_FRAME 200u /* arguments */
#define SCRATCH       (SCRATCH_FRAME * PAGE)

enum access { READ_WRITE = 0, READ_ONLY, UNMAPPED };

struct world;

struct guest {
    struct world *world;
    struct evc_domain *dom;
    evc_domid id;
    struct evc_abi_layout abi;
    uint8_t *memory;
    uint8_t access[FRAMES]; /* enum access */

    /* FIFO, as the guest knows it (guest.c) */
    uint32_t block[VCPUS_SEEN];    /* address of its control block, 0: none */
    uint32_t head[VCPUS_SEEN][16]; /* where it stopped reading */
    uint32_t array[128], arrays;   /* frames of event words */

    /* What was asked of its embedder */
    _Atomic unsigned kicks[VCPUS_SEEN];
    _Atomic int mapped; /* pages that are mapped now */
    _Atomic unsigned shutdowns;
    uint32_t shutdown_reason;
    struct {
        unsigned binds, unbinds, eois, moves;
        uint32_t vcpu;
        bool bound, share;
    } pirq[PIRQS];

    /* What the embedder answers */
    int map_error;  /* of the next map, 0: none */
    int pirq_error; /* of every pirq_bind */
};

struct world {
    struct evc_engine *engine;
    struct guest guest[GUESTS];
    struct guest *d0, *d1, *d2; /* the first three */
    unsigned guests;

    _Atomic uint64_t now;       /* ns of system time */
    struct evc_time rate;       /* what the clock says about the TSC */
    _Atomic uint64_t deadline;  /* the last that evc_ops.timer was given */
    _Atomic unsigned deadlines; /* how often */
    _Atomic unsigned logs;
    char log[160]; /* the last line */
    int policy;    /* what evc_ops.policy answers, if in use */
    struct {
        enum evc_action action;
        evc_domid caller, target;
        uint32_t detail;
    } asked; /* what it was asked last */
    struct {
        uint32_t vcpu;
        uint64_t nr, arg;
        int64_t answer;
    } other; /* the last hypercall that was not the engine's */
};

struct world_config {
    enum evc_compat compat;
    bool real_clock; /* and the engine's own thread for timers */
    bool policy;     /* ask world.policy */
    bool insomnia;   /* whoever would sleep in the engine wakes at once */
};

/* An engine without domains. */
struct world *world_create(struct world_config config);
/* Frees it with all guests; true if no page was left mapped. */
bool world_destroy(struct world *world);

/* The callbacks that a world with this configuration hands to the engine. */
struct evc_ops world_ops(struct world_config config);

struct guest_config {
    evc_domid id;
    enum evc_layout layout;
    uint32_t vcpus;    /* 0: 4 */
    uint32_t max_port; /* 0: no limit */
    uint32_t flags;    /* EVC_DOMAIN_* */
};

struct evc_domain_config guest_domain_config(const struct guest *guest,
                                             struct guest_config config);
/* NULL: the engine would not. */
struct guest *guest_create(struct world *world, struct guest_config config);
void guest_destroy(struct guest *guest);

/*
 * For cmocka: a world with d0 (privileged), d1 and d2, of 64 bits and four
 * vCPUs each, whose upcall masks are open.  Teardown fails if a page is left.
 */
int world_setup(void **state);
int world_setup_xen_417(void **state);
int world_teardown(void **state);

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
#define TEST_417(f) \
    cmocka_unit_test_setup_teardown(f, world_setup_xen_417, world_teardown)
#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif /* EVC_TESTS_WORLD_H */
