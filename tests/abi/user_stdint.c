/* SPDX-License-Identifier: MIT */
/*
 * A guest and a host in C with <stdint.h>: nothing is defined beforehand.
 *
 * The guest half uses the plain names, the host half the layouts with a suffix;
 * both in one file, since a machine's own tests will do that.
 */
#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

int user_hypercall(unsigned number, unsigned op, void *argument);
int user_send(uint32_t port);
int user_open(uint16_t remote, uint32_t *port);
int user_wait(uint32_t *ports, uint32_t count, uint64_t until);
uint64_t user_selected(const struct shared_info *page);
const struct evc_abi_layout *user_layout(int is_64bit, int is_x86);
uint32_t user_word_i386(const struct evc_abi_shared_info_x86_32 *page,
                        unsigned port);

int user_send(uint32_t port)
{
    struct evtchn_send send = {port};

    return user_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

int user_open(uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound open = {DOMID_SELF, remote, 0};
    int err = user_hypercall(__HYPERVISOR_event_channel_op,
                             EVTCHNOP_alloc_unbound, &open);

    if (err == -XEN_ENOSPC)
        return err;
    *port = open.port;
    return 0;
}

int user_wait(uint32_t *ports, uint32_t count, uint64_t until)
{
    struct sched_poll poll;

    set_xen_guest_handle(poll.ports, ports);
    poll.nr_ports = count;
    poll.timeout = until;
    return user_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

uint64_t user_selected(const struct shared_info *page)
{
    const struct vcpu_info *vcpu = &page->vcpu_info[0];

    if (!vcpu->evtchn_upcall_pending)
        return 0;
    return vcpu->evtchn_pending_sel;
}

const struct evc_abi_layout *user_layout(int is_64bit, int is_x86)
{
    static const struct evc_abi_layout x86_64 = EVC_ABI_LAYOUT_INIT(X86_64);
    static const struct evc_abi_layout x86_32 = EVC_ABI_LAYOUT_INIT(X86_32);
    static const struct evc_abi_layout arm = EVC_ABI_LAYOUT_INIT(ARM);

    return !is_x86 ? &arm : is_64bit ? &x86_64 : &x86_32;
}

uint32_t user_word_i386(const struct evc_abi_shared_info_x86_32 *page,
                        unsigned port)
{
    return page->evtchn_pending[port / EVC_ABI_X86_32_WORD_BITS];
}
