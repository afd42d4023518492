/* SPDX-License-Identifier: MIT */
/*
 * FIFO, guest side: the most urgent queue's first event, unlinked and
 * acknowledged in one step, then its handler; then look at `ready` again.
 *
 * The head in the control block is read only after a ready bit was taken: the
 * host sets the bit for each head it stores, and without one the head may be
 * that of a list long gone, whose port now waits in another queue.
 *
 * Ordering table.  The partners are in delivery/; N, M and H are in
 * internal.h.
 *
 *   here                 there                if it were weaker
 *   -------------------  -------------------  ----------------------------------
 *   G2 take ready    ar  F2 store head   rel  guest follows the old list
 *                        F4 set ready     sc  guest looks at head too early
 *   G4 take link    acq  F3 link tail     sc  guest finds a port not yet marked
 *   G5 clear pending ar  F1 mark word     sc  merged event without its payload
 */
#include "run.h"

#include <evc/abi/event_channel.h>

#define PENDING ((evc_abi_u32)1 << EVTCHN_FIFO_PENDING)
#define MASKED  ((evc_abi_u32)1 << EVTCHN_FIFO_MASKED)
#define LINKED  ((evc_abi_u32)1 << EVTCHN_FIFO_LINKED)
#define BUSY    ((evc_abi_u32)1 << EVTCHN_FIFO_BUSY)
#define LINK    ((evc_abi_u32)EVTCHN_FIFO_LINK_MASK)

#define READY      0u /* of the control block, in words */
#define HEAD       2u
#define ALL_QUEUES ((1u << EVC_GUEST_QUEUES) - 1)

/* How often a step is tried again while the host keeps changing the word. */
#define TRIES 4

/* ---- one port ------------------------------------------------------------------ */

void evc_g_fifo_mask(struct evc_guest *guest, evc_port port)
{
    /* M2, pairs with M1; N3, pairs with N2 */
    (void)evc_g32_set_ar(&guest->events[port], MASKED);
}

int evc_g_fifo_take(struct evc_guest *guest, evc_port port)
{
    /* G5, pairs with F1 */
    return (evc_g32_clear_ar(&guest->events[port], PENDING) & PENDING) != 0;
}

void evc_g_fifo_give(struct evc_guest *guest, evc_port port)
{
    /* Relaxed: what its sender released is carried on. */
    (void)evc_g32_set_rlx(&guest->events[port], PENDING);
}

/* By ourselves only where there is nothing to queue. */
void evc_g_fifo_unmask(struct evc_guest_vcpu *self, evc_port port)
{
    evc_g32 *word = &self->guest->events[port];
    evc_abi_u32 old = evc_g32_load_rlx(word);

    for (int i = 0; i < TRIES && !(old & (PENDING | BUSY)); i++) {
        /* M2; who posts sees the word before this or after, no order needed */
        if (evc_g32_cas_ar(word, &old, old & ~MASKED))
            return;
    }
    evc_g_unmask_by_host(self, port);
}

/* ---- serving -------------------------------------------------------------------- */

/* What has become ready. */
static inline evc_abi_u32 collect(struct evc_guest_vcpu *self)
{
    /* G2, pairs with F4; releases G1 */
    return evc_g32_swap_ar(&self->control[READY], 0) & ALL_QUEUES;
}

static int collect_one(struct evc_guest_vcpu *self, unsigned queue)
{
    evc_abi_u32 bit = 1u << queue;

    if (!(self->ready & bit) && (evc_g32_load_rlx(&self->control[READY]) & bit))
        /* G2, pairs with F4 */
        self->ready |= evc_g32_clear_ar(&self->control[READY], bit) & bit;
    return (self->ready & bit) != 0;
}

static int is_ours(evc_abi_u32 word)
{
    return (word & (PENDING | MASKED)) == PENDING;
}

/* G4, pairs with F3; G5, pairs with F1; N2, pairs with N3 */
static inline int unlink_word(evc_g32 *word, evc_abi_u32 *old,
                              evc_abi_u32 taken)
{
    return evc_g32_cas_ar(word, old, *old & ~(LINKED | LINK | taken));
}

/*
 * Unlink the first event of a queue and, if it is to be handled, acknowledge it.
 * Returns the word as it was; without LINKED in it, nothing has been done.
 */
static evc_abi_u32 take_event(evc_g32 *word)
{
    evc_abi_u32 old = evc_g32_load_rlx(word);

    for (int i = 0; i < TRIES && (old & LINKED); i++) {
        if (unlink_word(word, &old, is_ours(old) ? PENDING : 0))
            return old;
    }
    if (!(old & LINKED))
        return old;
    old = evc_g32_clear_ar(word, LINKED | LINK);                      /* G4 */
    if (is_ours(old) && !(evc_g32_clear_ar(word, PENDING) & PENDING)) /* G5 */
        old &= ~PENDING;
    return old;
}

/* The next one, fetched while the handler runs; 0: there is none. */
static inline evc_port follow(const struct evc_guest *guest, evc_abi_u32 word)
{
    evc_port next = word & LINK;

    if (next == 0 || next >= guest->nr_ports)
        return 0;
    __builtin_prefetch(&guest->events[next], 1);
    __builtin_prefetch(&guest->ports[next], 1);
    return next;
}

/* One that is masked, being changed, or not on the queue at all. */
static EVC_COLD evc_port serve_unusual(struct evc_guest_vcpu *self,
                                       evc_port port)
{
    struct evc_guest *guest = self->guest;
    evc_abi_u32 word = take_event(&guest->events[port]);
    evc_port next = word & LINKED ? follow(guest, word) : 0;

    if ((word & LINKED) && is_ours(word))
        evc_run(self, &guest->ports[port], port);
    return next;
}

/* It has an event to be handled, and nothing else is the matter with it. */
static inline int is_usual(evc_abi_u32 word)
{
    return (word & (PENDING | MASKED | LINKED)) == (PENDING | LINKED);
}

/* The first event of a queue.  Returns the next one; 0: there is none. */
static EVC_INLINE evc_port serve_event(struct evc_guest_vcpu *self,
                                       const struct evc_guest *guest,
                                       evc_port port)
{
    evc_g32 *word = &guest->events[port];
    evc_abi_u32 old;
    evc_port next;

    evc_busy_with(self, port); /* N1, pairs with N4 */
    old = evc_g32_load_rlx(word);
    if (!EVC_LIKELY(is_usual(old) && unlink_word(word, &old, PENDING)))
        return serve_unusual(self, port);
    next = follow(guest, old);
    evc_run(self, &guest->ports[port], port);
    return next;
}

/* As the host has it. Relaxed: G2 has made it visible. */
static inline evc_port head_of(const struct evc_guest_vcpu *self,
                               unsigned queue)
{
    return evc_g32_load_rlx(&self->control[HEAD + queue]);
}

/* The first event of a queue, 0: none that we know of. */
static inline evc_port first_of(const struct evc_guest_vcpu *self,
                                unsigned queue)
{
    evc_port port = self->head[queue];

    if (port == 0)
        port = head_of(self, queue);
    return port < self->guest->nr_ports ? port : 0;
}

/* Until the queue is empty, or another one may have to come before it. */
static EVC_APART void serve_queue(struct evc_guest_vcpu *self, unsigned queue)
{
    const struct evc_guest *const guest = self->guest;
    evc_port port = first_of(self, queue);
    evc_abi_u32 left = self->left;

    /*
     * Port 0, which no queue has, is found not to be on this one.  What turns
     * out to be masked counts, too: a chain may be a long one.
     */
    do {
        port = serve_event(self, guest, port);
    } while (evc_may_go_on(self, &left) && port != 0 &&
             evc_g32_load_rlx(&self->control[READY]) == 0);
    self->left = left;
    self->head[queue] = port;
    if (port == 0)
        self->ready &= ~(1u << queue);
}

int evc_g_fifo_serve(struct evc_guest_vcpu *self, int told)
{
    for (;;) {
        if (told || evc_g32_load_rlx(&self->control[READY]) != 0)
            self->ready |= collect(self);
        if (self->ready == 0 || !evc_may_run(self))
            return self->ready != 0;
        serve_queue(self, EVC_LOWEST32(self->ready));
        told = 0;
    }
}

int evc_g_fifo_serve_one(struct evc_guest_vcpu *self, unsigned queue)
{
    while (collect_one(self, queue) && evc_may_run(self))
        serve_queue(self, queue);
    return (self->ready & 1u << queue) != 0;
}

/* ---- one event ------------------------------------------------------------------- */

/* More than one event, or none: for the others to serve. */
static EVC_COLD int serve_all_queues(struct evc_guest_vcpu *self,
                                     evc_abi_u32 ready)
{
    self->ready = ready;
    return evc_g_dispatch_all(self);
}

/* So is what stands behind the first. */
static void leave_rest(struct evc_guest_vcpu *self, unsigned queue,
                       evc_port next)
{
    self->head[queue] = next;
    self->ready = (evc_abi_u32)(next != 0) << queue;
    evc_to_do(self);
}

int evc_g_fifo_quick(struct evc_guest_vcpu *self)
{
    struct evc_guest *const guest = self->guest;
    evc_abi_u32 ready = collect(self), old;
    evc_port port;
    unsigned queue;
    evc_g32 *word;

    if (!EVC_LIKELY(ready != 0 && (ready & (ready - 1)) == 0))
        return serve_all_queues(self, ready);
    queue = EVC_LOWEST32(ready);
    port = head_of(self, queue);
    if (!EVC_LIKELY(port < guest->nr_ports))
        return serve_all_queues(self, ready);
    evc_busy_with(self, port); /* N1, pairs with N4 */
    word = &guest->events[port];
    old = evc_g32_load_rlx(word);
    if (!EVC_LIKELY(is_usual(old) && unlink_word(word, &old, PENDING)))
        return serve_all_queues(self, ready);
    if ((old & LINK) != 0)
        leave_rest(self, queue, follow(guest, old));
    return evc_run_only(self, &guest->ports[port], port);
}
