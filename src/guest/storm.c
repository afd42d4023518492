/* SPDX-License-Identifier: MIT */
/*
 * Holding a port back: masked now, unmasked by the clock.
 *
 * Time is counted in ticks of 65,536 ns, in 32 bits that wrap; no delay is
 * longer than an hour, so a difference always tells before from after.
 *
 * A held port is on a list of the vCPU that held it (`holds`), and its state
 * says LISTED until that vCPU takes it off.  Closing or moving the port leaves
 * it on the list, where it is found not to be held any more, or held anew.
 */
#include "run.h"

#define TICK_SHIFT 16
#define HOUR_TICKS ((evc_abi_u32)(3600000000000u >> TICK_SHIFT))

static evc_abi_u32 tick_now(const struct evc_guest *guest)
{
    return (evc_abi_u32)(guest->hooks->now(guest->data) >> TICK_SHIFT);
}

static int is_before(evc_abi_u32 a, evc_abi_u32 b)
{
    return (evc_abi_s32)(a - b) < 0;
}

/* ---- the list -------------------------------------------------------------------- */

static void list_port(struct evc_guest_vcpu *self, evc_port port,
                      evc_abi_u32 due)
{
    if (self->holds == 0 || is_before(due, self->tick))
        self->tick = due;
    self->guest->ports[port].holds = self->holds;
    self->holds = port;
    evc_to_do(self);
}

static void hold(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 ticks)
{
    struct evc_guest_port *p = &self->guest->ports[port];
    evc_abi_u32 due = tick_now(self->guest) + ticks, old;

    evc_g32_store_rlx(&p->due, due);
    evc_g32_store_rlx(&p->storms, evc_g32_load_rlx(&p->storms) + 1);
    old = evc_g_state_change(p, EVC_STATE_HELD | EVC_STATE_LISTED, 0);
    if (!(old & EVC_STATE_LISTED))
        list_port(self, port, due);
    evc_g_mask_follow(self, port);
}

/*
 * Take a port off the list, or, if it is not due yet, back on it.  The state is
 * changed only as it was looked at: it may be held anew at any moment.  With an
 * old `due` it is enabled too early, once, which does no harm.
 */
static void release(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 now)
{
    struct evc_guest_port *p = &self->guest->ports[port];
    evc_abi_u32 state = evc_g32_load_rlx(&p->state);

    do {
        evc_abi_u32 due = evc_g32_load_rlx(&p->due);

        if ((state & EVC_STATE_HELD) && is_before(now, due)) {
            list_port(self, port, due);
            return;
        }
    } while (!evc_g32_cas_ar(&p->state, &state,
                             state & ~(EVC_STATE_HELD | EVC_STATE_LISTED)));
    if (state & EVC_STATE_HELD)
        evc_g_mask_follow(self, port);
}

void evc_g_storm_release(struct evc_guest_vcpu *self)
{
    evc_port port = self->holds, next;
    evc_abi_u32 now;

    if (port == 0)
        return;
    now = tick_now(self->guest);
    if (is_before(now, self->tick))
        return;
    self->holds = 0;
    for (; port != 0; port = next) {
        next = self->guest->ports[port].holds;
        release(self, port, now);
    }
}

/* ---- when --------------------------------------------------------------------------- */

void evc_g_storm_spurious(struct evc_guest_vcpu *self, evc_port port)
{
    const struct evc_guest *guest = self->guest;
    struct evc_guest_port *p = &guest->ports[port];
    evc_abi_u64 delay;

    if (p->run < 255)
        p->run++;
    if (p->run < guest->storm_threshold || !guest->hooks->now)
        return;
    delay = (evc_abi_u64)guest->storm_delay << p->level;
    if (delay < guest->storm_cap)
        p->level++;
    else
        delay = guest->storm_cap;
    hold(self, port, (evc_abi_u32)delay);
}

int evc_guest_hold(struct evc_guest_vcpu *self, evc_port port, evc_abi_u64 ns)
{
    evc_abi_u64 ticks = (ns + ((1u << TICK_SHIFT) - 1)) >> TICK_SHIFT;

    if (!self->guest->hooks->now)
        return -XEN_ENOSYS;
    if (port == 0 || !evc_is_active(self) || self->current != port ||
        ticks > HOUR_TICKS)
        return -XEN_EINVAL;
    hold(self, port, (evc_abi_u32)ticks);
    return 0;
}

evc_abi_u64 evc_guest_next_due(struct evc_guest_vcpu *self)
{
    const struct evc_guest *guest = self->guest;
    evc_abi_u64 now;
    evc_abi_s32 ahead;

    if (self->holds == 0)
        return 0;
    now = guest->hooks->now(guest->data) >> TICK_SHIFT;
    ahead = (evc_abi_s32)(self->tick - (evc_abi_u32)now);
    return (ahead > 0 ? now + (evc_abi_u32)ahead : now) << TICK_SHIFT;
}
