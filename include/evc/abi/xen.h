/* SPDX-License-Identifier: MIT */
/**
 * @file xen.h
 *
 * The shared memory as one guest sees it, under the plain names: struct
 * shared_info, vcpu_info, vcpu_time_info, start_info, multicall_entry and
 * mmu_update, and all of numbers.h.
 *
 * guest.h says which layout that is; the structs' text is in layout.inc.  A
 * host, which needs all layouts at once, includes layouts.h and numbers.h.
 *
 * If Xen's own xen.h came first, its definitions stand and nothing is declared
 * here.  The other order does not compile: Xen's has much that this one lacks,
 * so it cannot be made to step aside.
 *
 * Source: xen.h, arch-x86/xen.h, arch-arm.h.
 */
#ifndef EVC_ABI_XEN_H
#define EVC_ABI_XEN_H

#include "guest.h"
#include "numbers.h"
#include "types.h"

#if !defined(__XEN_PUBLIC_XEN_H__)

typedef evc_abi_guest_word xen_ulong_t;
typedef evc_abi_guest_word xen_pfn_t;

#define XEN_LEGACY_MAX_VCPUS EVC_ABI_GUEST_NUMBER(VCPU_SLOTS)

#if EVC_ABI_GUEST_X86
#define XEN_HAVE_PV_UPCALL_MASK 1 /* vcpu_info.evtchn_upcall_mask */
#define XEN_HAVE_PV_GUEST_ENTRY 1 /* struct start_info */
#endif

#define EVC_ABI_LAYOUT_NAME(x)   x
#define EVC_ABI_LAYOUT_NUMBER(x) EVC_ABI_GUEST_NUMBER(x)
#define EVC_ABI_LAYOUT_WORD      evc_abi_guest_word
#define EVC_ABI_LAYOUT_U64       evc_abi_guest_u64
#define EVC_ABI_LAYOUT_X86       EVC_ABI_GUEST_X86
#define EVC_ABI_LAYOUT_CALLS     0
#include "layout.inc"

typedef struct vcpu_time_info vcpu_time_info_t;
typedef struct vcpu_info vcpu_info_t;
typedef struct shared_info shared_info_t;
typedef struct multicall_entry multicall_entry_t;
DEFINE_XEN_GUEST_HANDLE(multicall_entry_t);

#if EVC_ABI_GUEST_X86
typedef struct arch_vcpu_info arch_vcpu_info_t;
typedef struct arch_shared_info arch_shared_info_t;
typedef struct start_info start_info_t;
#endif

/* The member of shared_info with the high half of wc_sec. */
#if EVC_ABI_GUEST_X86 == 32
#define xen_wc_sec_hi arch.wc_sec_hi
#else
#define xen_wc_sec_hi wc_sec_hi
#endif
EVC_ABI_AT(struct shared_info, xen_wc_sec_hi,
           EVC_ABI_GUEST_NUMBER(SHARED_INFO_WC_SEC_HI));

/**
 * struct mmu_update - one change to a paravirtual guest's page tables
 * @ptr: in: machine address of the entry; MMU_* in the low two bits
 * @val: in: what it shall be
 *
 * Here only because a multicall of a guest mixes these with its events.
 */
struct mmu_update {
    evc_abi_guest_u64 ptr;
    evc_abi_guest_u64 val;
};
typedef struct mmu_update mmu_update_t;
DEFINE_XEN_GUEST_HANDLE(mmu_update_t);

EVC_ABI_SIZE(struct mmu_update, 16);
EVC_ABI_AT(struct mmu_update, val, 8);

#endif /* !__XEN_PUBLIC_XEN_H__ */

#endif /* EVC_ABI_XEN_H */
