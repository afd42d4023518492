/* SPDX-License-Identifier: MIT */
/*
 * Masking.  A port has reasons to be masked, kept in its state; the host's mask
 * bit follows.
 *
 * Several vCPUs may change reasons at once, and each then lets the bit follow:
 * write the bit by the state, look whether the state is still so (M3), else
 * again.  Whoever writes the bit last has looked last, so in the end the bit is
 * as the state.
 */
#include "internal.h"

#include <evc/abi/event_channel.h>

void evc_g_unmask_by_host(struct evc_guest_vcpu *self, evc_port port)
{
    struct evtchn_unmask arg;

    arg.port = port;
    (void)evc_g_op(self, EVTCHNOP_unmask, &arg);
}

static void write_bit(struct evc_guest_vcpu *self, evc_port port, int runs)
{
    struct evc_guest *guest = self->guest;

    if (evc_is_fifo(guest)) {
        if (runs)
            evc_g_fifo_unmask(self, port);
        else
            evc_g_fifo_mask(guest, port);
    } else if (runs) {
        evc_g_twolevel_unmask(self, port);
    } else {
        evc_g_twolevel_mask(guest, port);
    }
}

void evc_g_mask_follow(struct evc_guest_vcpu *self, evc_port port)
{
    const evc_g32 *state = &self->guest->ports[port].state;
    int runs = evc_state_runs(evc_g32_load_rlx(state)), was;

    /* Once more for each change another vCPU makes meanwhile. */
    do {
        was = runs;
        write_bit(self, port, runs);                    /* M2, pairs with M1 */
        runs = evc_state_runs(evc_g32_load_rlx(state)); /* M3, pairs with M1 */
    } while (runs != was);
}

static int change(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 set,
                  evc_abi_u32 clear)
{
    struct evc_guest_port *p = evc_g_port_find(self->guest, port);
    evc_abi_u32 old;

    if (!p || (evc_g32_load_rlx(&p->state) & EVC_STATE_POLLED))
        return -XEN_EINVAL;
    old = evc_g_state_change(p, set, clear); /* M1, pairs with M2 and M3 */
    if (!old)
        return -XEN_EINVAL;
    evc_g_mask_follow(self, port);
    return 0;
}

int evc_guest_mask(struct evc_guest_vcpu *self, evc_port port)
{
    return change(self, port, EVC_STATE_USER, 0);
}

int evc_guest_unmask(struct evc_guest_vcpu *self, evc_port port)
{
    return change(self, port, 0, EVC_STATE_USER);
}
