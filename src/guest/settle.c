/* SPDX-License-Identifier: MIT */
/*
 * Closing a port and moving it to another vCPU, while its handler may run.
 *
 * Both first stop the handler from being begun: a reason in the state, the mask
 * bit, and a touch of the very word from which dispatchers take the event (N3).
 * A dispatcher that took an event before that touch has said so in its `busy`
 * (N1), which is what we then look at; one that takes it later sees the reason.
 *
 * Then all who are busy with the port are waited for; or, inside a handler,
 * where waiting could mean for each other, the port goes on this vCPU's list of
 * ports to settle, which it goes through after every handler.
 */
#include "run.h"

#include <evc/abi/event_channel.h>

static void relax(const struct evc_guest *guest)
{
    if (guest->hooks->relax)
        guest->hooks->relax(guest->data);
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* ---- who is in the handler ------------------------------------------------------- */

static evc_abi_u32 busy_of(const struct evc_guest_vcpu *vcpu)
{
    return evc_g32_load_acq(&vcpu->busy); /* N4, pairs with N1 and N5 */
}

static int runs_elsewhere(const struct evc_guest_vcpu *self, evc_port port)
{
    const struct evc_guest *guest = self->guest;
    evc_abi_u32 key = evc_busy_key(guest, port);

    for (evc_abi_u32 v = 0; v < guest->nr_vcpus; v++)
        if (v != self->index &&
            (busy_of(&guest->vcpus[v]) & EVC_BUSY_KEY) == key)
            return 1;
    return 0;
}

/* Waits for what is busy now: whoever begins later sees why not to. */
static void wait_elsewhere(const struct evc_guest_vcpu *self, evc_port port)
{
    const struct evc_guest *guest = self->guest;
    evc_abi_u32 key = evc_busy_key(guest, port);

    for (evc_abi_u32 v = 0; v < guest->nr_vcpus; v++) {
        evc_abi_u32 busy = busy_of(&guest->vcpus[v]);

        if (v == self->index || (busy & EVC_BUSY_KEY) != key)
            continue;
        while (busy_of(&guest->vcpus[v]) == busy)
            relax(guest);
    }
}

/* ---- beginning --------------------------------------------------------------------- */

/* Lock the record of a bound port, with a reason not to run it. */
static int lock(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 reason)
{
    struct evc_guest_port *p = &self->guest->ports[port];
    evc_abi_u32 state;

    if (port >= self->guest->nr_ports)
        return -XEN_EINVAL;
    state = evc_g32_load_rlx(&p->state);
    for (;;) {
        if ((state & (EVC_STATE_BOUND | EVC_STATE_CLOSING)) != EVC_STATE_BOUND)
            return -XEN_EINVAL;
        if (!(state & EVC_STATE_LOCKED)) {
            /* H2, pairs with H1: what its binder wrote */
            if (evc_g32_cas_ar(&p->state, &state,
                               state | EVC_STATE_LOCKED | reason))
                return 0;
            continue;
        }
        if (evc_is_active(self) || self->settles)
            return -XEN_EBUSY;
        relax(self->guest); /* until another vCPU has closed or moved it */
        state = evc_g32_load_rlx(&p->state);
    }
}

/* N3, pairs with N2: touch the word from which events of the port are taken. */
static void stop(struct evc_guest *guest, evc_port port)
{
    if (evc_is_fifo(guest)) {
        evc_g_fifo_mask(guest, port);
        return;
    }
    evc_g_twolevel_mask(guest, port);
    if (evc_g_twolevel_take(guest, port))
        evc_g_twolevel_give(guest, port);
}

/* ---- ending ------------------------------------------------------------------------- */

static void close_port(struct evc_guest_vcpu *self, evc_port port)
{
    struct evc_guest *guest = self->guest;
    struct evc_guest_port *p = &guest->ports[port];
    evc_guest_gone *gone = p->gone;
    void *data = p->data;
    struct evtchn_close arg;

    if (!evc_is_fifo(guest))
        evc_g_twolevel_disown(guest, port);
    /* Free before it is closed: the host may give its number to somebody. */
    /* H1, pairs with H2: who binds it next */
    (void)evc_g32_clear_rel(&p->state, ~EVC_STATE_LISTED);
    arg.port = port;
    (void)evc_g_op(self, EVTCHNOP_close, &arg);
    if (gone)
        gone(self, port, data);
}

static void change_vcpu(struct evc_guest *guest, evc_port port)
{
    struct evc_guest_port *p = &guest->ports[port];
    evc_abi_u32 state = evc_g32_load_rlx(&p->state), next;

    if (!evc_is_fifo(guest)) {
        evc_g_twolevel_leave(&guest->vcpus[evc_state_vcpu(state)], port);
        evc_g_twolevel_own(&guest->vcpus[p->target], port);
    }
    do {
        next = (state & 0xffffu) | (evc_abi_u32)p->target << EVC_STATE_VCPU;
    } while (!evc_g32_cas_rlx(&p->state, &state, next));
}

static int move_port(struct evc_guest_vcpu *self, evc_port port)
{
    struct evc_guest_port *p = &self->guest->ports[port];
    struct evtchn_bind_vcpu arg;
    int r;

    arg.port = port;
    arg.vcpu = p->target;
    r = evc_g_op(self, EVTCHNOP_bind_vcpu, &arg);
    if (r == 0)
        change_vcpu(self->guest, port);
    (void)evc_g_state_change(p, 0, EVC_STATE_LOCKED | EVC_STATE_MOVING);
    evc_g_mask_follow(self, port);
    return r;
}

static int finish(struct evc_guest_vcpu *self, evc_port port)
{
    evc_abi_u32 state = evc_g32_load_rlx(&self->guest->ports[port].state);

    if (!(state & EVC_STATE_CLOSING))
        return move_port(self, port);
    close_port(self, port);
    return 0;
}

/* ---- now or later --------------------------------------------------------------------- */

static void settle_later(struct evc_guest_vcpu *self, evc_port port)
{
    self->guest->ports[port].settles = self->settles;
    self->settles = port;
    evc_to_do(self);
}

int evc_g_settle_all(struct evc_guest_vcpu *self)
{
    evc_port port = self->settles, next;

    self->current = 0; /* not called from a handler */
    self->settles = 0;
    for (; port != 0; port = next) {
        next = self->guest->ports[port].settles;
        if (self->current == port || runs_elsewhere(self, port))
            settle_later(self, port);
        else
            (void)finish(self, port);
    }
    return self->settles != 0;
}

static int settle(struct evc_guest_vcpu *self, evc_port port)
{
    stop(self->guest, port);
    if (!evc_is_active(self)) {
        wait_elsewhere(self, port);
        return finish(self, port);
    }
    if (self->current != port && !runs_elsewhere(self, port))
        return finish(self, port);
    settle_later(self, port);
    return 1;
}

/* ---- the operations ---------------------------------------------------------------------- */

int evc_guest_unbind(struct evc_guest_vcpu *self, evc_port port)
{
    int r = lock(self, port, EVC_STATE_CLOSING);

    return r < 0 ? r : settle(self, port);
}

int evc_guest_move(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 vcpu)
{
    int r;

    if (vcpu >= self->guest->nr_vcpus)
        return -XEN_ENOENT;
    r = lock(self, port, EVC_STATE_MOVING);
    if (r < 0)
        return r;
    self->guest->ports[port].target = (evc_abi_u16)vcpu;
    return settle(self, port);
}

int evc_guest_quiesce(struct evc_guest_vcpu *self, evc_port port)
{
    const struct evc_guest_port *p = evc_g_port_find(self->guest, port);

    if (!p)
        return -XEN_EINVAL;
    if (evc_is_active(self))
        return -XEN_EBUSY;
    if (!evc_state_runs(evc_g32_load_rlx(&p->state))) {
        stop(self->guest, port);
        evc_g_mask_follow(self, port); /* it may have been unmasked meanwhile */
    }
    wait_elsewhere(self, port);
    return 0;
}
