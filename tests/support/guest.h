/* SPDX-License-Identifier: MIT */
/*
 * The guest's side: its hypercalls in short, its shared memory, its upcall.
 *
 * The shared words are accessed with atomics, so that threads can be guests.
 */
#ifndef EVC_TESTS_GUEST_H
#define EVC_TESTS_GUEST_H

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>

#include "world.h"

#define PENDING   (1u << 31)
#define MASKED    (1u << 30)
#define LINKED    (1u << 29)
#define BUSY      (1u << 28)
#define LINK_MASK 0x1ffffu

/* ---- operations: the port or 0, or a negative errno -------------------------- */

int alloc_unbound(struct guest *g, uint32_t dom, uint32_t remote);
int bind_interdomain(struct guest *g, uint32_t remote, uint32_t port);
int bind_virq(struct guest *g, uint32_t virq, uint32_t vcpu);
int bind_pirq(struct guest *g, uint32_t pirq, uint32_t flags);
int bind_ipi(struct guest *g, uint32_t vcpu);
int close_port(struct guest *g, uint32_t port);
int send_port(struct guest *g, uint32_t port);
int unmask_port(struct guest *g, uint32_t port);
int bind_vcpu(struct guest *g, uint32_t port, uint32_t vcpu);
int set_priority(struct guest *g, uint32_t port, uint32_t priority);
int reset(struct guest *g, uint32_t dom);
int status(struct guest *g, uint32_t dom, uint32_t port,
           struct evtchn_status *out);
/* Only the number of the state, or a negative errno. */
int state_of(struct guest *g, uint32_t port);

/* Two ends of one channel; both calls must work. */
struct channel {
    uint32_t a, b; /* the port in each guest */
};
struct channel join_guests(struct guest *a, struct guest *b);

/* ---- FIFO --------------------------------------------------------------------- */

int init_control(struct guest *g, uint64_t gfn, uint32_t offset, uint32_t vcpu);
int expand_array(struct guest *g, uint64_t gfn);
/* A control block for each of the first `vcpus` vCPUs. */
void enter_fifo(struct guest *g, unsigned vcpus);
/* The next page of event words. */
int grow(struct guest *g);
/* A two-level guest again, after reset. */
void forget_fifo(struct guest *g);

_Atomic uint32_t *event_word(struct guest *g, uint32_t port);
_Atomic uint32_t *ready_word(struct guest *g, unsigned vcpu);
_Atomic uint32_t *head_word(struct guest *g, unsigned vcpu, unsigned priority);

/* ---- shared memory, either ABI -------------------------------------------------- */

_Atomic uint8_t *upcall_pending(struct guest *g, unsigned vcpu);
_Atomic uint8_t *upcall_mask(struct guest *g, unsigned vcpu);
uint64_t selector(struct guest *g, unsigned vcpu);
uint32_t read32(struct guest *g, uint64_t at);
uint64_t read64(struct guest *g, uint64_t at);
void *at(struct guest *g, uint64_t address);

bool is_pending(struct guest *g, uint32_t port);
bool is_masked(struct guest *g, uint32_t port);
void mask(struct guest *g, uint32_t port);
void clear_mask(struct guest *g, uint32_t port);
void clear_pending(struct guest *g, uint32_t port);

/* ---- the upcall ------------------------------------------------------------------ */

typedef void handler(struct guest *g, uint32_t port, void *data);

/* As in the contract, section 8. The number of events handled. */
unsigned upcall(struct guest *g, unsigned vcpu, handler *handle, void *data);

struct taken {
    unsigned count;
    uint32_t port[16]; /* the first ones */
};
struct taken take(struct guest *g, unsigned vcpu);
/* One event of a FIFO queue: its port, or 0. */
uint32_t consume(struct guest *g, unsigned vcpu, unsigned priority);

/* ---- hypercalls with their arguments in the guest's memory ------------------------ */

int64_t hypercall(struct guest *g, unsigned vcpu, uint64_t nr, uint64_t a0,
                  uint64_t a1, uint64_t a2);
/* At SCRATCH, what was there before put away; the answer is left there. */
void put(struct guest *g, uint64_t address, const void *from, size_t size);
int64_t event_op(struct guest *g, uint32_t cmd, uint64_t argument);
int64_t block(struct guest *g, unsigned vcpu);
int64_t poll_ports(struct guest *g, unsigned vcpu, const uint32_t *ports,
                   uint32_t n, uint64_t timeout);

#endif /* EVC_TESTS_GUEST_H */
