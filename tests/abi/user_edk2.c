/* SPDX-License-Identifier: MIT */
/*
 * A driver in EDK2: no <stdint.h>, the types are EDK2's own.
 */
#include "edk2_base.h"

#define EVC_ABI_EDK2
#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

INTN EFIAPI XenHypercall2(IN UINTN Number, IN INTN Op, IN OUT VOID *Argument);
UINT32 EFIAPI XenEventChannelNotify(IN evtchn_port_t Port);
INTN EFIAPI XenEventChannelAllocate(IN domid_t Domain, OUT UINT32 *Port);
BOOLEAN EFIAPI XenEventPending(IN CONST shared_info_t *Page, IN UINT32 Port);

UINT32
EFIAPI
XenEventChannelNotify(IN evtchn_port_t Port)
{
    evtchn_send_t Send;

    Send.port = Port;
    return (UINT32)XenHypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send,
                                 &Send);
}

INTN EFIAPI XenEventChannelAllocate(IN domid_t Domain, OUT UINT32 *Port)
{
    evtchn_alloc_unbound_t Parameter;
    INTN Result;

    Parameter.dom = DOMID_SELF;
    Parameter.remote_dom = Domain;
    Result = XenHypercall2(__HYPERVISOR_event_channel_op,
                           EVTCHNOP_alloc_unbound, &Parameter);
    if (Result == -XEN_ENOSPC)
        return Result;
    *Port = Parameter.port;
    return 0;
}

BOOLEAN
EFIAPI
XenEventPending(IN CONST shared_info_t *Page, IN UINT32 Port)
{
    CONST UINT32 Bits = sizeof(xen_ulong_t) * 8;
    CONST xen_ulong_t Word = Page->evtchn_pending[Port / Bits];

    return (BOOLEAN)(Word >> Port % Bits & 1);
}
