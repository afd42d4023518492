/* SPDX-License-Identifier: MIT */
/**
 * @file vcpu.h
 *
 * Where a vCPU's vcpu_info lies, and its timers: hypercall 24, whose arguments
 * are an operation, the vCPU and a struct.
 *
 * Every member is written by the guest; the host only reads.  A host that
 * serves more than one layout reads evc_abi_vcpu_set_singleshot_timer_* of
 * layouts.h; the other structs are the same for all.
 *
 * If Xen's own vcpu.h came first, its definitions stand.  The other order does
 * not compile.
 *
 * Source: vcpu.h.
 */
#ifndef EVC_ABI_VCPU_H
#define EVC_ABI_VCPU_H

#include "guest.h"
#include "types.h"

#if !defined(__XEN_PUBLIC_VCPU_H__)

/* All numbers; the structs of those without a comment are not in here. */
#define VCPUOP_initialise                     0
#define VCPUOP_up                             1 /* no argument */
#define VCPUOP_down                           2 /* no argument */
#define VCPUOP_is_up                          3 /* no argument; 1 or 0 */
#define VCPUOP_get_runstate_info              4
#define VCPUOP_register_runstate_memory_area  5
#define VCPUOP_set_periodic_timer             6  /* vcpu_set_periodic_timer */
#define VCPUOP_stop_periodic_timer            7  /* no argument */
#define VCPUOP_set_singleshot_timer           8  /* vcpu_set_singleshot_timer */
#define VCPUOP_stop_singleshot_timer          9  /* no argument */
#define VCPUOP_register_vcpu_info             10 /* vcpu_register_vcpu_info */
#define VCPUOP_send_nmi                       11 /* no argument */
#define VCPUOP_get_physid                     12
#define VCPUOP_register_vcpu_time_memory_area 13

/**
 * struct vcpu_set_periodic_timer - raise VIRQ_TIMER again and again
 * @period_ns: ns from one to the next
 */
struct vcpu_set_periodic_timer {
    evc_abi_guest_u64 period_ns;
};
typedef struct vcpu_set_periodic_timer vcpu_set_periodic_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_periodic_timer_t);

EVC_ABI_SIZE(struct vcpu_set_periodic_timer, 8);

/* vcpu_set_singleshot_timer.flags: a time that has passed is -ETIME. */
#define _VCPU_SSHOTTMR_future 0
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future)

/**
 * struct vcpu_set_singleshot_timer - raise VIRQ_TIMER once
 * @timeout_abs_ns: ns of system time, absolute
 * @flags:          VCPU_SSHOTTMR_*
 */
struct vcpu_set_singleshot_timer {
    evc_abi_guest_u64 timeout_abs_ns;
    evc_abi_u32 flags;
};
typedef struct vcpu_set_singleshot_timer vcpu_set_singleshot_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_singleshot_timer_t);

EVC_ABI_SIZE(struct vcpu_set_singleshot_timer,
             EVC_ABI_GUEST_NUMBER(SINGLESHOT_TIMER_SIZE));
EVC_ABI_AT(struct vcpu_set_singleshot_timer, flags,
           EVC_ABI_GUEST_NUMBER(SINGLESHOT_TIMER_FLAGS));

/**
 * struct vcpu_register_vcpu_info - move a vCPU's vcpu_info, once
 * @mfn:    the guest frame it shall lie in
 * @offset: bytes into that frame; must not cross its end
 * @rsvd:   not used
 */
struct vcpu_register_vcpu_info {
    evc_abi_guest_u64 mfn;
    evc_abi_u32 offset;
    evc_abi_u32 rsvd;
};
typedef struct vcpu_register_vcpu_info vcpu_register_vcpu_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_vcpu_info_t);

EVC_ABI_SIZE(struct vcpu_register_vcpu_info, 16);
EVC_ABI_AT(struct vcpu_register_vcpu_info, offset, 8);
EVC_ABI_AT(struct vcpu_register_vcpu_info, rsvd, 12);

#endif /* !__XEN_PUBLIC_VCPU_H__ */

#endif /* EVC_ABI_VCPU_H */
