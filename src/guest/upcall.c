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
#include "run.h"

/* ---- one handler ------------------------------------------------------------ */

void evc_g_account(struct evc_guest_vcpu *self, int result)
{
    evc_port port = self->current;
    struct evc_guest_port *p = &self->guest->ports[port];

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

static int has_work(const struct evc_guest_vcpu *self)
{
    return (self->selected | self->ready) != 0;
}

int evc_guest_is_due(struct evc_guest_vcpu *self)
{
    return evc_is_told(self) || self->todo;
}

static int serve(struct evc_guest_vcpu *self, int told)
{
    if (told)
        evc_g8_store_rlx(self->info, 0); /* G1, pairs with P4 */
    return evc_is_fifo(self->guest) ? evc_g_fifo_serve(self, told)
                                    : evc_g_twolevel_serve(self, told);
}

/* True: there is work, but no handler may begin any more, or none could yet. */
static int pass(struct evc_guest_vcpu *self, int told)
{
    for (;;) {
        int unsettled, more = serve(self, told);

        if (!more && !self->settles)
            return 0;
        evc_busy_with(self, 0);
        unsettled = evc_g_settle_all(self); /* which may find some work */
        if (!has_work(self))
            return unsettled;
        if (!evc_may_run(self))
            return 1;
        told = evc_is_told(self);
    }
}

static void leave(struct evc_guest_vcpu *self)
{
    self->todo = has_work(self) || self->settles || self->holds;
    evc_leave(self);
}

/* A dispatch that is on the stack, until there is no reason for it any more. */
static EVC_APART int dispatch(struct evc_guest_vcpu *self, int told)
{
    for (;;) {
        int more;

        if (self->holds != 0)
            evc_g_storm_release(self);
        more = pass(self, told);
        leave(self);
        if (more) {
            evc_g8_store_rlx(self->info, 1); /* only we clear it */
            return 1;
        }
        if (!evc_is_told(self))
            return 0;
        evc_enter(self, evc_g32_load_rlx(&self->busy));
        told = 1;
    }
}

int evc_g_dispatch_again(struct evc_guest_vcpu *self)
{
    evc_enter(self, evc_g32_load_rlx(&self->busy));
    return dispatch(self, 1);
}

int evc_g_dispatch_on(struct evc_guest_vcpu *self, int result)
{
    evc_g_account(self, result);
    return dispatch(self, 0);
}

int evc_g_dispatch_refused(struct evc_guest_vcpu *self, evc_port port,
                           evc_abi_u32 state)
{
    evc_g_put_back(self, port, state);
    return dispatch(self, 0);
}

static evc_abi_u32 limit(evc_abi_u32 max)
{
    return max ? max : ~(evc_abi_u32)0;
}

int evc_g_dispatch_all(struct evc_guest_vcpu *self)
{
    self->left = limit(self->left);
    return dispatch(self, 0);
}

/* With a time limit handlers are allowed one by one. */
int evc_g_may_still_run(struct evc_guest_vcpu *self)
{
    const struct evc_guest *guest = self->guest;

    if (self->rest == 0 || guest->hooks->now(guest->data) >= self->until)
        return 0;
    self->rest--;
    self->left = 1;
    return 1;
}

/* A dispatch with something else to do than to take what has just come. */
static EVC_APART int dispatch_slowly(struct evc_guest_vcpu *self,
                                     evc_abi_u32 max, evc_abi_u64 until)
{
    int more;

    if (!evc_guest_is_due(self) || evc_is_active(self))
        return 0;
    evc_enter(self, evc_g32_load_rlx(&self->busy));
    self->left = limit(max);
    if (until != 0 && self->guest->hooks->now) {
        self->until = until;
        self->rest = self->left;
        self->left = 0;
    }
    more = dispatch(self, evc_is_told(self));
    self->rest = 0;
    return more;
}

int evc_guest_dispatch(struct evc_guest_vcpu *self, evc_abi_u32 max,
                       evc_abi_u64 until)
{
    evc_abi_u32 busy = evc_g32_load_rlx(&self->busy);
    void *const info = self->info;

    if (!EVC_LIKELY(evc_g8_load_rlx(info) && !(busy & EVC_BUSY_ACTIVE) &&
                    (self->todo | until) == 0))
        return dispatch_slowly(self, max, until);
    evc_enter(self, busy);
    self->left = max;
    evc_g8_store_rlx(info, 0); /* G1, pairs with P4 */
    if (evc_is_fifo(self->guest))
        return evc_g_fifo_quick(self);
    return evc_g_twolevel_quick(self, info);
}

int evc_guest_dispatch_priority(struct evc_guest_vcpu *self,
                                evc_abi_u32 priority, evc_abi_u32 max)
{
    int more;

    if (!evc_is_fifo(self->guest))
        return -XEN_ENOSYS;
    if (priority >= EVC_GUEST_QUEUES)
        return -XEN_EINVAL;
    if (evc_is_active(self))
        return 0;
    evc_enter(self, evc_g32_load_rlx(&self->busy));
    self->left = limit(max);
    evc_g_storm_release(self);
    more = evc_g_fifo_serve_one(self, priority);
    evc_busy_with(self, 0);
    (void)evc_g_settle_all(self);
    leave(self);
    if (more)
        evc_g8_store_rlx(self->info, 1); /* only we clear it */
    return more;
}
