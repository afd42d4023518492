/* SPDX-License-Identifier: MIT */
/*
 * The upcall: clear the flag, take what it announces, serve it, look again.
 *
 * The host walks upwards (event, selector or ready bit, flag), the guest
 * downwards.  The flag is cleared first: whatever is announced after that raises
 * it again.
 *
 * No read-modify-write is needed for it: the one that takes the selector or the
 * ready bits (G2, which is done even where there are none) releases the clear flag.
 * An event that is announced behind that reads what it has left, and so its flag
 * comes behind as well.
 *
 *   here                 there (delivery/)    if it were weaker
 *   -------------------  -------------------  ---------------------------------
 *   G1 clear upcall rlx  P3 set selector  sc  flag of an event is cleared that
 *      before G2    rel  F4 set ready     sc  has not been looked for: guest
 *                        P4 set upcall    sc  sleeps over it
 */
#include "internal.h"

/* The compiler's order is enough between a vCPU and its own upcall. */
#define SAME_VCPU_BARRIER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* ---- one handler ------------------------------------------------------------ */

void evc_g_account(struct evc_guest_vcpu *self, evc_port port, int result)
{
    struct evc_guest_port *p = &self->guest->ports[port];

    self->current = 0;
    if (result != EVC_GUEST_DONE) {
        evc_gptr_store_rlx(&p->spurious, evc_gptr_load_rlx(&p->spurious) + 1);
        evc_g_storm_spurious(self, port);
    } else {
        p->run = 0;
        p->level = 0;
    }
    if (self->settles)
        (void)evc_g_settle_all(self);
}

/*
 * If the reason not to call it is over by now, whoever ended it may have looked
 * before the event was back: it is ours to look again.
 */
void evc_g_put_back(struct evc_guest_vcpu *self, evc_port port,
                    evc_abi_u32 state)
{
    if ((state & (EVC_STATE_BOUND | EVC_STATE_CLOSING)) != EVC_STATE_BOUND)
        return;
    if (evc_is_fifo(self->guest))
        evc_g_fifo_give(self->guest, port);
    else
        evc_g_twolevel_give(self->guest, port);
    evc_g_mask_follow(self, port); /* M2, M3 */
}

/* ---- the dispatcher ------------------------------------------------------------ */

static int collect(struct evc_guest_vcpu *self)
{
    if (evc_is_fifo(self->guest))
        return evc_g_fifo_collect(self);
    return evc_g_twolevel_collect(self);
}

static void serve(struct evc_guest_vcpu *self)
{
    if (evc_is_fifo(self->guest))
        evc_g_fifo_serve(self);
    else
        evc_g_twolevel_serve(self);
    self->current = 0;
    evc_busy_end(self);
}

static int is_told(const struct evc_guest_vcpu *self)
{
    return self->info && evc_g8_load_rlx(self->info);
}

static int has_work(const struct evc_guest_vcpu *self)
{
    return self->selected != 0 || self->ready != 0;
}

/* True: there is work, but no handler may begin any more, or none could yet. */
static int pass(struct evc_guest_vcpu *self)
{
    int unsettled = 0;

    evc_g_storm_release(self);
    for (;;) {
        if (is_told(self)) {
            evc_g8_store_rlx(self->info, 0); /* G1, pairs with P4 */
            collect(self);
        }
        if (!has_work(self))
            unsettled = evc_g_settle_all(self); /* which may find some */
        if (!has_work(self))
            return unsettled;
        serve(self);
        if (has_work(self) && !evc_may_run(self))
            break;
    }
    (void)evc_g_settle_all(self);
    return 1;
}

int evc_guest_is_due(struct evc_guest_vcpu *self)
{
    return is_told(self) || has_work(self) || self->settles || self->holds;
}

/* Returns how many handlers may be called. */
static evc_abi_u32 begin(struct evc_guest_vcpu *self, evc_abi_u32 max,
                         evc_abi_u64 until)
{
    max = max ? max : ~(evc_abi_u32)0;
    self->left = max;
    self->until = self->guest->hooks->now ? until : 0;
    return max;
}

/* An upcall that comes in between leaves its flag for us to see. */
static void enter(struct evc_guest_vcpu *self)
{
    evc_g32_store_rlx(&self->active, 1);
    SAME_VCPU_BARRIER();
}

static void leave(struct evc_guest_vcpu *self)
{
    SAME_VCPU_BARRIER();
    evc_g32_store_rlx(&self->active, 0);
    SAME_VCPU_BARRIER();
}

static int end(struct evc_guest_vcpu *self, evc_abi_u32 max, int more)
{
    self->taken += max - self->left;
    if (more && self->info)
        evc_g8_store_rlx(self->info, 1); /* only we clear it */
    return more;
}

int evc_guest_dispatch(struct evc_guest_vcpu *self, evc_abi_u32 max,
                       evc_abi_u64 until)
{
    int more;

    if (!evc_guest_is_due(self) || evc_g32_load_rlx(&self->active))
        return 0;
    max = begin(self, max, until);
    do {
        enter(self);
        more = pass(self);
        leave(self);
    } while (!more && is_told(self));
    return end(self, max, more);
}

int evc_guest_dispatch_priority(struct evc_guest_vcpu *self,
                                evc_abi_u32 priority, evc_abi_u32 max)
{
    int more;

    if (!evc_is_fifo(self->guest))
        return -XEN_ENOSYS;
    if (priority >= EVC_GUEST_QUEUES)
        return -XEN_EINVAL;
    if (evc_g32_load_rlx(&self->active))
        return 0;
    max = begin(self, max, 0);
    enter(self);
    evc_g_storm_release(self);
    more = evc_g_fifo_serve_one(self, priority);
    self->current = 0;
    evc_busy_end(self);
    (void)evc_g_settle_all(self);
    leave(self);
    return end(self, max, more);
}
