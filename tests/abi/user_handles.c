/* SPDX-License-Identifier: MIT */
/*
 * A kernel in NetBSD's style: guest handles, types from its own <sys/types.h>,
 * no <stdint.h>.  With OWN_HANDLES it brings the three macros itself, the way a
 * kernel does that had them for other interfaces already.
 */
typedef __INT8_TYPE__ int8_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __UINTPTR_TYPE__ uintptr_t;

#if defined(OWN_HANDLES)
#define DEFINE_XEN_GUEST_HANDLE(name)    \
    typedef struct {                     \
        union {                          \
            name *pointer;               \
            __UINT64_TYPE__ whole;       \
        } u __attribute__((aligned(8))); \
    } kernel_handle_##name
#define XEN_GUEST_HANDLE(name) kernel_handle_##name
#define set_xen_guest_handle(hnd, val) \
    do {                               \
        (hnd).u.whole = 0;             \
        (hnd).u.pointer = (val);       \
    } while (0)
#endif

#define EVC_ABI_NO_STDINT
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

/* A struct of the kernel's own, for a call these headers do not know. */
typedef struct kernel_request {
    uint64_t value;
} kernel_request_t;
DEFINE_XEN_GUEST_HANDLE(kernel_request_t);

struct kernel_call {
    XEN_GUEST_HANDLE(kernel_request_t) requests;
    uint32_t count;
};

long HYPERVISOR_sched_op(int op, void *argument);
long HYPERVISOR_multicall(multicall_entry_t *list, unsigned count);
long kernel_poll(evtchn_port_t *ports, unsigned count, uint64_t until);
void kernel_call_init(struct kernel_call *call, kernel_request_t *requests);
long kernel_send_both(evtchn_send_t *first, evtchn_send_t *second);

long kernel_poll(evtchn_port_t *ports, unsigned count, uint64_t until)
{
    sched_poll_t poll;

    set_xen_guest_handle(poll.ports, ports);
    poll.nr_ports = count;
    poll.timeout = until;
    return HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

void kernel_call_init(struct kernel_call *call, kernel_request_t *requests)
{
    set_xen_guest_handle(call->requests, requests);
    call->count = 1;
}

long kernel_send_both(evtchn_send_t *first, evtchn_send_t *second)
{
    multicall_entry_t list[2];

    list[0].op = __HYPERVISOR_event_channel_op;
    list[0].args[0] = EVTCHNOP_send;
    list[0].args[1] = (uintptr_t)first;
    list[1] = list[0];
    list[1].args[1] = (uintptr_t)second;
    return HYPERVISOR_multicall(list, 2);
}
