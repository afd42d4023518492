/* SPDX-License-Identifier: MIT */
/*
 * What a dispatcher does for each event, inline.
 *
 * Nearly every dispatch is of one event: it is told, and has nothing left over,
 * one word or queue is announced, one event is in it, the port is bound, and its
 * handler finds work.  That goes straight from evc_guest_dispatch() through the
 * ABI's evc_g_*_quick() to evc_run_only() below, and needs no stack but for the
 * handler's call.  Whatever else it turns out to be, at any point, goes on in
 * upcall.c (evc_g_dispatch_*()), with what has been found so far.
 */
#ifndef EVC_GUEST_RUN_H
#define EVC_GUEST_RUN_H

#include "internal.h"

/* ---- being busy ------------------------------------------------------------------ */

/*
 * The word `busy`, which only its vCPU writes: what that may be about to take,
 * whether it is in a dispatch, and above that how often this has changed.
 */
#define EVC_BUSY_KEY    0x3ffffu
#define EVC_BUSY_ACTIVE 0x40000u
#define EVC_BUSY_BITS   (EVC_BUSY_KEY | EVC_BUSY_ACTIVE)

/*
 * An upcall that interrupts a dispatch leaves its flag for that to see.  The
 * compiler's order is enough between a vCPU and its own upcall.
 */
#define EVC_SAME_VCPU_BARRIER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

static inline int evc_is_active(const struct evc_guest_vcpu *self)
{
    return (evc_g32_load_rlx(&self->busy) & EVC_BUSY_ACTIVE) != 0;
}

/* A dispatch begins; `busy` as it is. */
static EVC_INLINE void evc_enter(struct evc_guest_vcpu *self, evc_abi_u32 busy)
{
    /* N5 still: who reads this has missed what it carries on */
    evc_g32_store_rel(&self->busy, busy | EVC_BUSY_ACTIVE);
    EVC_SAME_VCPU_BARRIER();
}

/* Say what is about to be taken, until the next time; 0: nothing. */
static EVC_INLINE void evc_busy_with(struct evc_guest_vcpu *self,
                                     evc_abi_u32 key)
{
    evc_abi_u32 busy = evc_g32_load_rlx(&self->busy) | EVC_BUSY_BITS;

    /* N1, and N5 for what was before; pairs with N4 */
    evc_g32_store_rel(&self->busy, busy + 1 + EVC_BUSY_ACTIVE + key);
}

/* A dispatch ends. */
static EVC_INLINE void evc_leave(struct evc_guest_vcpu *self)
{
    evc_abi_u32 busy = evc_g32_load_rlx(&self->busy) | EVC_BUSY_BITS;

    EVC_SAME_VCPU_BARRIER();
    evc_g32_store_rel(&self->busy, busy + 1); /* N5, pairs with N4 */
    EVC_SAME_VCPU_BARRIER();
}

static EVC_INLINE int evc_is_told(const struct evc_guest_vcpu *self)
{
    return evc_g8_load_rlx(self->info);
}

/* ---- one handler ----------------------------------------------------------------- */

/* The port's state, and all that was written before it became that. */
static EVC_INLINE evc_abi_u32 evc_state_of(const struct evc_guest_port *p)
{
    return evc_g32_load_acq(&p->state); /* H2, pairs with H1 and N3 */
}

/* Does a port in this state run its handler on this vCPU? */
static EVC_INLINE int evc_runs_here(const struct evc_guest_vcpu *self,
                                    evc_abi_u32 state)
{
    return (state & (EVC_STATE_BOUND | EVC_STATE_REASONS | EVC_STATE_VCPUS)) ==
           self->runs;
}

static EVC_INLINE int evc_call(struct evc_guest_vcpu *self,
                               struct evc_guest_port *p, evc_port port)
{
    int result;

    self->current = port;
    result = p->handler(self, port, p->data);
    evc_gptr_store_rlx(&p->events, evc_gptr_load_rlx(&p->events) + 1);
    return result;
}

/* Call the handler of a port whose event has been taken, if it may run. */
static EVC_INLINE void evc_run(struct evc_guest_vcpu *self,
                               struct evc_guest_port *p, evc_port port)
{
    evc_abi_u32 state = evc_state_of(p);
    int result;

    if (!EVC_LIKELY(evc_runs_here(self, state))) {
        evc_g_put_back(self, port, state);
        return;
    }
    result = evc_call(self, p, port);
    if (!EVC_LIKELY(((evc_abi_u32)result | p->run | self->settles) == 0))
        evc_g_account(self, result);
}

/* The same, of the only event of a dispatch as it seems, and the end of that. */
static EVC_INLINE int evc_run_only(struct evc_guest_vcpu *self,
                                   struct evc_guest_port *p, evc_port port)
{
    evc_abi_u32 state = evc_state_of(p);
    int result;

    self->left--;
    if (!EVC_LIKELY(evc_runs_here(self, state)))
        return evc_g_dispatch_refused(self, port, state);
    result = evc_call(self, p, port);
    if (!EVC_LIKELY(((evc_abi_u32)result | p->run | self->todo) == 0))
        return evc_g_dispatch_on(self, result);
    evc_leave(self);
    return EVC_LIKELY(!evc_is_told(self)) ? 0 : evc_g_dispatch_again(self);
}

/* ---- how many -------------------------------------------------------------------- */

/* May a handler begin? */
static EVC_INLINE int evc_may_run(struct evc_guest_vcpu *self)
{
    return EVC_LIKELY(self->left != 0) || evc_g_may_still_run(self);
}

/* One event has been served: may another handler begin?  `left` in a register. */
static EVC_INLINE int evc_may_go_on(struct evc_guest_vcpu *self,
                                    evc_abi_u32 *left)
{
    if (EVC_LIKELY(--*left != 0))
        return 1;
    self->left = 0;
    (void)evc_g_may_still_run(self);
    *left = self->left;
    return *left != 0;
}

#endif /* EVC_GUEST_RUN_H */
