/* SPDX-License-Identifier: MIT */
/*
 * A driver in EDK2's manner: no interrupts, no libc, EDK2's types.  It waits for
 * xenstored by polling one port.
 */
#include <Base.h>

#include <evc/guest.h>

#define PORTS 256

STATIC struct evc_guest mGuest;
STATIC struct evc_guest_vcpu mVcpu[1];
STATIC struct evc_guest_port mPorts[PORTS];

INT32
EFIAPI
XenHypercall(UINT32 Number, UINTN Arg1, UINTN Arg2, UINTN Arg3);

STATIC
int Hypercall(VOID *Data, UINT32 Vcpu, UINT32 Number, UINTN Arg1, UINTN Arg2,
              UINTN Arg3)
{
    (VOID) Data;
    (VOID) Vcpu;
    return XenHypercall(Number, Arg1, Arg2, Arg3);
}

STATIC CONST struct evc_guest_hooks mHooks = {sizeof(struct evc_guest_hooks),
                                              Hypercall, 0, 0, 0};

EFI_STATUS
EFIAPI
XenEventsStart(IN VOID *SharedInfo)
{
    struct evc_guest_config Config;

    Config.size = sizeof(Config);
    Config.layout = EVC_GUEST_LAYOUT_NATIVE;
    Config.abi = EVC_GUEST_ABI_TWOLEVEL;
    Config.reset = 0;
    Config.shared_info = SharedInfo;
    Config.vcpus = mVcpu;
    Config.nr_vcpus = 1;
    Config.nr_ports = PORTS;
    Config.ports = mPorts;
    Config.events = 0;
    Config.hooks = &mHooks;
    Config.data = 0;
    Config.storm_threshold = 0;
    Config.storm_delay_us = 0;
    Config.storm_cap_us = 0;
    return evc_guest_init(&mGuest, &Config) < 0 ? EFI_DEVICE_ERROR
                                                : EFI_SUCCESS;
}

EFI_STATUS
EFIAPI
XenEventsWait(IN UINT32 Port)
{
    struct evc_guest_vcpu *Self = evc_guest_self(&mGuest, 0);
    struct evc_guest_binding How;
    INT32 Result;

    How.handler = 0;
    How.data = 0;
    How.gone = 0;
    How.vcpu = 0;
    How.flags = 0;
    if (evc_guest_bind_port(Self, Port, &How) < 0)
        return EFI_DEVICE_ERROR;
    do
        Result = evc_guest_poll(Self, Port, 0);
    while (Result == 0);
    evc_guest_unbind(Self, Port);
    return Result < 0 ? EFI_DEVICE_ERROR : EFI_SUCCESS;
}
