/* SPDX-License-Identifier: MIT */
/**
 * @file layouts.h
 *
 * All three layouts side by side, for a host, which meets guests of each.
 *
 * The structs are those of a guest with a suffix, their members have the names
 * everybody knows, and their text is in layout.inc:
 *
 *   evc_abi_vcpu_time_info_            x86_64   x86_32   arm
 *   evc_abi_vcpu_info_                 x86_64   x86_32   arm
 *   evc_abi_shared_info_               x86_64   x86_32   arm
 *   evc_abi_multicall_entry_           x86_64   x86_32   arm
 *   evc_abi_sched_poll_                x86_64   x86_32   arm
 *   evc_abi_vcpu_set_singleshot_timer_ x86_64   x86_32   arm
 *   evc_abi_arch_vcpu_info_            x86_64   x86_32
 *   evc_abi_arch_shared_info_          x86_64   x86_32
 *   evc_abi_start_info_                x86_64   x86_32
 *
 * Sizes and offsets are right on every machine, not only on the guest's own.
 * Only evc_ names are declared here, so that Xen's headers may be around.
 */
#ifndef EVC_ABI_LAYOUTS_H
#define EVC_ABI_LAYOUTS_H

#include "offsets.h"
#include "types.h"

#define EVC_ABI_LAYOUT_NAME(x)   evc_abi_##x##_x86_64
#define EVC_ABI_LAYOUT_NUMBER(x) EVC_ABI_X86_64_##x
#define EVC_ABI_LAYOUT_WORD      evc_abi_u64_align8
#define EVC_ABI_LAYOUT_U64       evc_abi_u64_align8
#define EVC_ABI_LAYOUT_X86       64
#define EVC_ABI_LAYOUT_CALLS     1
#include "layout.inc"

#define EVC_ABI_LAYOUT_NAME(x)   evc_abi_##x##_x86_32
#define EVC_ABI_LAYOUT_NUMBER(x) EVC_ABI_X86_32_##x
#define EVC_ABI_LAYOUT_WORD      evc_abi_u32
#define EVC_ABI_LAYOUT_U64       evc_abi_u64_align4
#define EVC_ABI_LAYOUT_X86       32
#define EVC_ABI_LAYOUT_CALLS     1
#include "layout.inc"

#define EVC_ABI_LAYOUT_NAME(x)   evc_abi_##x##_arm
#define EVC_ABI_LAYOUT_NUMBER(x) EVC_ABI_ARM_##x
#define EVC_ABI_LAYOUT_WORD      evc_abi_u64_align8
#define EVC_ABI_LAYOUT_U64       evc_abi_u64_align8
#define EVC_ABI_LAYOUT_X86       0
#define EVC_ABI_LAYOUT_CALLS     1
#include "layout.inc"

/**
 * struct evc_abi_layout - one layout as a table row
 *
 * For code that serves every kind of guest: `static const struct evc_abi_layout
 * x = EVC_ABI_LAYOUT_INIT(X86_64);`.  Bytes, unless said otherwise.
 */
struct evc_abi_layout {
    evc_abi_u16 word;            /* the guest's word: 4 or 8 */
    evc_abi_u16 twolevel_ports;  /* ports, port 0 included */
    evc_abi_u16 vcpu_slots;      /* vCPUs with a vcpu_info in shared_info */
    evc_abi_u16 has_upcall_mask; /* 1: vcpu_info has one */

    /* in vcpu_info; the flag and its mask are bytes 0 and 1 everywhere */
    evc_abi_u16 vcpu_info_size;
    evc_abi_u16 pending_sel;
    evc_abi_u16 time;

    /* in shared_info */
    evc_abi_u16 shared_info_size;
    evc_abi_u16 pending;
    evc_abi_u16 mask;
    evc_abi_u16 wc_version;
    evc_abi_u16 wc_sec;
    evc_abi_u16 wc_nsec;
    evc_abi_u16 wc_sec_hi;

    /* sizes of what operations read */
    evc_abi_u16 multicall_entry_size;
    evc_abi_u16 sched_poll_size;
    evc_abi_u16 singleshot_timer_size;
};

/* EVC_ABI_LAYOUT_INIT(): the row of X86_64, X86_32 or ARM. */
#define EVC_ABI_LAYOUT_INIT(layout)                                            \
    {                                                                          \
        EVC_ABI_##layout##_WORD_BYTES, EVC_ABI_##layout##_TWOLEVEL_PORTS,      \
            EVC_ABI_##layout##_VCPU_SLOTS, EVC_ABI_##layout##_HAS_UPCALL_MASK, \
            EVC_ABI_##layout##_VCPU_INFO_SIZE,                                 \
            EVC_ABI_##layout##_VCPU_INFO_PENDING_SEL,                          \
            EVC_ABI_##layout##_VCPU_INFO_TIME,                                 \
            EVC_ABI_##layout##_SHARED_INFO_SIZE,                               \
            EVC_ABI_##layout##_SHARED_INFO_PENDING,                            \
            EVC_ABI_##layout##_SHARED_INFO_MASK,                               \
            EVC_ABI_##layout##_SHARED_INFO_WC_VERSION,                         \
            EVC_ABI_##layout##_SHARED_INFO_WC_SEC,                             \
            EVC_ABI_##layout##_SHARED_INFO_WC_NSEC,                            \
            EVC_ABI_##layout##_SHARED_INFO_WC_SEC_HI,                          \
            EVC_ABI_##layout##_MULTICALL_ENTRY_SIZE,                           \
            EVC_ABI_##layout##_SCHED_POLL_SIZE,                                \
            EVC_ABI_##layout##_SINGLESHOT_TIMER_SIZE                           \
    }

#endif /* EVC_ABI_LAYOUTS_H */
