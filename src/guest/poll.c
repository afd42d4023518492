/* SPDX-License-Identifier: MIT */
/*
 * Without interrupts: look at one port, and let the host wake us for it.
 */
#include "internal.h"

#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>

#define SCHEDOP_POLL 3 /* sched.h of the ABI chooses one layout; we serve two */

int evc_guest_take(struct evc_guest_vcpu *self, evc_port port)
{
    struct evc_guest *guest = self->guest;

    if (!evc_g_port_find(guest, port))
        return -XEN_EINVAL;
    if (evc_is_fifo(guest))
        return evc_g_fifo_take(guest, port);
    return evc_g_twolevel_take(guest, port);
}

static void store_address(void *at, unsigned bytes, const void *address)
{
    evc_abi_u64 value = (evc_abi_uptr)address;
    evc_abi_u8 *to = at;

    for (unsigned i = 0; i < bytes; i++)
        to[i] = (evc_abi_u8)(value >> 8 * i);
}

static int wait_narrow(struct evc_guest_vcpu *self, const evc_port *port,
                       evc_abi_u64 until)
{
    struct evc_abi_sched_poll_x86_32 arg;

    store_address(&arg.ports, 4, port);
    arg.nr_ports = 1;
    arg.timeout = until;
    return evc_g_hypercall(self, __HYPERVISOR_sched_op, SCHEDOP_POLL,
                           (evc_abi_uptr)&arg, 0);
}

static int wait_wide(struct evc_guest_vcpu *self, const evc_port *port,
                     evc_abi_u64 until)
{
    struct evc_abi_sched_poll_x86_64 arg;

    store_address(&arg.ports, 8, port);
    arg.nr_ports = 1;
    arg.timeout = until;
    return evc_g_hypercall(self, __HYPERVISOR_sched_op, SCHEDOP_POLL,
                           (evc_abi_uptr)&arg, 0);
}

int evc_guest_poll(struct evc_guest_vcpu *self, evc_port port,
                   evc_abi_u64 until)
{
    int r = evc_guest_take(self, port);

    if (r != 0)
        return r;
    r = self->guest->wide ? wait_wide(self, &port, until)
                          : wait_narrow(self, &port, until);
    return r < 0 ? r : evc_guest_take(self, port);
}
