/* SPDX-License-Identifier: MIT */
/*
 * What a 64-bit paravirtual guest and its host agree on beyond event channels:
 * page tables, traps, start of day.  Numbers of hypercalls and start_info are
 * <evc/abi/>'s.
 *
 * Source: Xen's public headers xen.h, arch-x86/xen.h, arch-x86/xen-x86_64.h,
 * memory.h, callback.h, version.h, vcpu.h, elfnote.h; a test holds the two together.
 */
#ifndef EVC_PV_ABI_H
#define EVC_PV_ABI_H

#include <stddef.h>
#include <stdint.h>

#define EVC_PV_PAGE       4096u
#define EVC_PV_PAGE_SHIFT 12u

/* ---- page table entries --------------------------------------------------- */

#define EVC_PTE_PRESENT  UINT64_C(0x001)
#define EVC_PTE_WRITE    UINT64_C(0x002)
#define EVC_PTE_USER     UINT64_C(0x004)
#define EVC_PTE_ACCESSED UINT64_C(0x020)
#define EVC_PTE_DIRTY    UINT64_C(0x040)
#define EVC_PTE_LARGE    UINT64_C(0x080) /* in a table above the last */
#define EVC_PTE_NX       (UINT64_C(1) << 63)
#define EVC_PTE_FRAME    UINT64_C(0x000ffffffffff000)
#define EVC_PTE_ENTRIES  512u

/* ---- where the hypervisor lies for its guests ------------------------------- */

#define EVC_PV_HOLE_START UINT64_C(0xffff800000000000)
#define EVC_PV_HOLE_END   UINT64_C(0xffff880000000000)
#define EVC_PV_M2P_START  UINT64_C(0xffff800000000000)
#define EVC_PV_M2P_END    UINT64_C(0xffff804000000000)

/* ---- mmu_update, mmuext_op, update_va_mapping --------------------------------- */

struct evc_pv_mmu_update {
    uint64_t ptr;
    uint64_t val;
};

struct evc_pv_mmuext_op {
    uint32_t cmd;
    uint64_t arg1; /* mfn, linear_addr */
    uint64_t arg2; /* nr_ents, vcpumask, src_mfn */
};

enum evc_pv_mmuext {
    EVC_MMUEXT_PIN_L1 = 0,
    EVC_MMUEXT_PIN_L4 = 3,
    EVC_MMUEXT_UNPIN = 4,
    EVC_MMUEXT_NEW_BASEPTR = 5,
    EVC_MMUEXT_TLB_FLUSH_LOCAL = 6,
    EVC_MMUEXT_INVLPG_LOCAL = 7,
    EVC_MMUEXT_TLB_FLUSH_MULTI = 8,
    EVC_MMUEXT_INVLPG_MULTI = 9,
    EVC_MMUEXT_TLB_FLUSH_ALL = 10,
    EVC_MMUEXT_INVLPG_ALL = 11,
    EVC_MMUEXT_FLUSH_CACHE = 12,
    EVC_MMUEXT_SET_LDT = 13,
    EVC_MMUEXT_NEW_USER_BASEPTR = 15,
    EVC_MMUEXT_CLEAR_PAGE = 16,
    EVC_MMUEXT_COPY_PAGE = 17,
    EVC_MMUEXT_FLUSH_CACHE_GLOBAL = 18,
};

#define EVC_UVMF_TLB_FLUSH 1u
#define EVC_UVMF_INVLPG    2u

/* ---- memory_op ------------------------------------------------------------------ */

struct evc_pv_reservation {
    uint64_t extent_start; /* guest address of frame numbers */
    uint64_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    uint16_t domid;
};

struct evc_pv_memory_map {
    uint32_t nr_entries;
    uint64_t buffer; /* guest address */
};

struct evc_pv_e820 {
    uint64_t addr, size;
    uint32_t type; /* 1: memory */
} __attribute__((packed));

struct evc_pv_machphys {
    uint64_t v_start, v_end, max_mfn;
};

enum evc_pv_memory {
    EVC_XENMEM_INCREASE_RESERVATION = 0,
    EVC_XENMEM_DECREASE_RESERVATION = 1,
    EVC_XENMEM_MAXIMUM_RAM_PAGE = 2,
    EVC_XENMEM_CURRENT_RESERVATION = 3,
    EVC_XENMEM_MAXIMUM_RESERVATION = 4,
    EVC_XENMEM_POPULATE_PHYSMAP = 6,
    EVC_XENMEM_MEMORY_MAP = 9,
    EVC_XENMEM_MACHPHYS_MAPPING = 12,
    EVC_XENMEM_MAXIMUM_GPFN = 14,
};

/* ---- traps and callbacks ---------------------------------------------------------- */

struct evc_pv_trap_info {
    uint8_t vector;
    uint8_t flags; /* bit 2: mask events on entry */
    uint16_t cs;
    uint64_t address; /* 0 ends a table */
};

#define EVC_TRAP_MASKS 4u

struct evc_pv_iret {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

#define EVC_IRET_IN_SYSCALL 0x100u

struct evc_pv_callback {
    uint16_t type, flags;
    uint64_t address;
};

enum evc_pv_callback_type {
    EVC_CALLBACK_EVENT = 0,
    EVC_CALLBACK_FAILSAFE = 1,
    EVC_CALLBACK_SYSCALL = 2,
    EVC_CALLBACK_NMI = 4,
    EVC_CALLBACK_SYSENTER = 5,
    EVC_CALLBACK_SYSCALL32 = 7,
};

enum evc_pv_segment {
    EVC_SEGBASE_FS = 0,
    EVC_SEGBASE_GS_USER = 1,
    EVC_SEGBASE_GS_KERNEL = 2,
    EVC_SEGBASE_GS_USER_SEL = 3,
};

/* ---- what a vCPU starts with: VCPUOP_initialise ------------------------------------- */

struct evc_pv_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, entry_vector;
    uint64_t rip;
    uint16_t cs, pad0;
    uint8_t saved_upcall_mask, pad1[3];
    uint64_t rflags, rsp;
    uint64_t ss, es, ds, fs, gs; /* 16 bits of each */
};

struct evc_pv_context {
    uint8_t fpu[512];
    uint64_t flags;
    struct evc_pv_user_regs regs;
    struct evc_pv_trap_info trap[256]; /* by vector */
    uint64_t ldt_base, ldt_entries, gdt_frames[16], gdt_entries;
    uint64_t kernel_ss, kernel_sp;
    uint64_t control[8], debug[8];
    uint64_t event_callback, failsafe_callback, syscall_callback;
    uint64_t vm_assist;
    uint64_t fs, gs_kernel, gs_user;
};

#define EVC_CONTEXT_IN_KERNEL 4u

/* ---- notes of an image -------------------------------------------------------------- */

enum evc_pv_note {
    EVC_NOTE_ENTRY = 1,
    EVC_NOTE_HYPERCALL_PAGE = 2,
    EVC_NOTE_VIRT_BASE = 3,
    EVC_NOTE_PADDR_OFFSET = 4,
    EVC_NOTE_XEN_VERSION = 5,
    EVC_NOTE_GUEST_OS = 6,
    EVC_NOTE_GUEST_VERSION = 7,
    EVC_NOTE_LOADER = 8,
    EVC_NOTE_FEATURES = 10,
    EVC_NOTE_SUPPORTED_FEATURES = 17,
    EVC_NOTE_PHYS32_ENTRY = 18,
};

#endif /* EVC_PV_ABI_H */
