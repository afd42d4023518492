/* SPDX-License-Identifier: MIT */
/*
 * Two guests on libevc-guest and libevc, in one process.
 *
 * A side is one guest: its domain in the engine, its memory below 4 GiB (so that
 * 32-bit layouts can be tried), and its dispatcher.  Its clock stands still
 * until it is told.  Hypercalls are counted, and can be refused.
 */
#ifndef EVC_TESTS_GUEST_SIDE_H
#define EVC_TESTS_GUEST_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>
#include <evc/guest.h>
#include <evc/guest/libevc.h>

#define SIDE_VCPUS 40u

struct side_config {
    uint32_t layout; /* enum evc_guest_layout; native: that of the machine */
    uint32_t abi;    /* enum evc_guest_abi */
    uint32_t vcpus;  /* 0: 2 */
    uint32_t ports;  /* 0: 8192 */
    uint32_t max_port;
    uint32_t pirqs;
    uint32_t storm_threshold, storm_delay_us, storm_cap_us;
    uint32_t refuse; /* bit n: EVTCHNOP n fails with -ENOSYS from the start */
};

struct side {
    struct evc_guest guest;
    struct evc_domain *dom;
    struct evc_guest_vcpu *vcpu;
    struct evc_guest_port *ports;
    uint8_t *shared, *events;
    struct evc_guest_hooks hooks;
    struct evc_guest_config config;
    uint32_t nr_vcpus;

    _Atomic uint64_t now; /* its clock */
    _Atomic unsigned kicks[SIDE_VCPUS];
    _Atomic unsigned calls[16]; /* of each EVTCHNOP */
    uint32_t refuse;
    void (*before)(struct side *side, uint32_t cmd); /* a hypercall */
};

/* The engine that all sides of a test share. */
struct evc_engine *side_engine(void);
void side_engine_destroy(void);

/* With ids 1, 2 ... in the order of creation. NULL: evc_guest_init() failed. */
struct side *side_create(struct side_config config);
void side_destroy(struct side *side);

/* Run evc_guest_init() again on the same memory. */
int side_init(struct side *side);

/* A handler that counts, and notes the order. */
struct seen {
    unsigned count;
    evc_port port[64];
    unsigned vcpu[64];
    int answer; /* what the handler returns */
    void (*then)(struct evc_guest_vcpu *self, evc_port port, void *arg);
    void *arg; /* of `then`, which the handler calls */
};
int note(struct evc_guest_vcpu *self, evc_port port, void *seen);

/* Bindings with `note` as their handler. */
struct evc_guest_binding noting(struct seen *seen, uint32_t vcpu);

/* A port of `side` and one of `peer`, connected; returns the former. */
struct link {
    evc_port here, there;
};
struct link side_connect(struct side *side, struct side *peer,
                         const struct evc_guest_binding *here,
                         const struct evc_guest_binding *there);

/* Dispatch until nothing is left. */
void side_run(struct side *side, uint32_t vcpu);

bool side_pending(struct side *side, evc_port port);
bool side_masked(struct side *side, evc_port port);
bool side_linked(struct side *side, evc_port port);

#endif /* EVC_TESTS_GUEST_SIDE_H */
