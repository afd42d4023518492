/* SPDX-License-Identifier: MIT */
/*
 * src/pv/abi.h says the same as Xen's public headers.  It is enough that this
 * compiles.
 */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/elfnote.h>
#include <xen/memory.h>
#include <xen/vcpu.h>

#include "abi.h"

#define SIZE(ours, theirs) \
    _Static_assert(sizeof(struct ours) == sizeof(struct theirs), #ours)
#define PLACE(ours, a, theirs, b)                                          \
    _Static_assert(offsetof(struct ours, a) == offsetof(struct theirs, b), \
                   #ours "." #a)
#define NUMBER(ours, theirs) _Static_assert((ours) == (theirs), #ours)

SIZE(evc_pv_mmu_update, mmu_update);
PLACE(evc_pv_mmu_update, val, mmu_update, val);
SIZE(evc_pv_mmuext_op, mmuext_op);
PLACE(evc_pv_mmuext_op, arg1, mmuext_op, arg1);
PLACE(evc_pv_mmuext_op, arg2, mmuext_op, arg2);
SIZE(evc_pv_reservation, xen_memory_reservation);
PLACE(evc_pv_reservation, nr_extents, xen_memory_reservation, nr_extents);
PLACE(evc_pv_reservation, extent_order, xen_memory_reservation, extent_order);
PLACE(evc_pv_reservation, domid, xen_memory_reservation, domid);
SIZE(evc_pv_memory_map, xen_memory_map);
PLACE(evc_pv_memory_map, buffer, xen_memory_map, buffer);
SIZE(evc_pv_machphys, xen_machphys_mapping);
PLACE(evc_pv_machphys, max_mfn, xen_machphys_mapping, max_mfn);
SIZE(evc_pv_trap_info, trap_info);
PLACE(evc_pv_trap_info, flags, trap_info, flags);
PLACE(evc_pv_trap_info, address, trap_info, address);
SIZE(evc_pv_iret, iret_context);
PLACE(evc_pv_iret, flags, iret_context, flags);
PLACE(evc_pv_iret, rflags, iret_context, rflags);
SIZE(evc_pv_callback, callback_register);
PLACE(evc_pv_callback, address, callback_register, address);

SIZE(evc_pv_user_regs, cpu_user_regs);
PLACE(evc_pv_user_regs, rdi, cpu_user_regs, rdi);
PLACE(evc_pv_user_regs, rip, cpu_user_regs, rip);
PLACE(evc_pv_user_regs, cs, cpu_user_regs, cs);
PLACE(evc_pv_user_regs, rflags, cpu_user_regs, rflags);
PLACE(evc_pv_user_regs, rsp, cpu_user_regs, rsp);
PLACE(evc_pv_user_regs, gs, cpu_user_regs, gs);
SIZE(evc_pv_context, vcpu_guest_context);
PLACE(evc_pv_context, flags, vcpu_guest_context, flags);
PLACE(evc_pv_context, regs, vcpu_guest_context, user_regs);
PLACE(evc_pv_context, trap, vcpu_guest_context, trap_ctxt);
PLACE(evc_pv_context, control, vcpu_guest_context, ctrlreg);
PLACE(evc_pv_context, debug, vcpu_guest_context, debugreg);
PLACE(evc_pv_context, event_callback, vcpu_guest_context, event_callback_eip);
PLACE(evc_pv_context, fs, vcpu_guest_context, fs_base);
PLACE(evc_pv_context, gs_user, vcpu_guest_context, gs_base_user);
NUMBER(EVC_CONTEXT_IN_KERNEL, VGCF_IN_KERNEL);

NUMBER(EVC_PV_HOLE_START, HYPERVISOR_VIRT_START);
NUMBER(EVC_PV_HOLE_END, HYPERVISOR_VIRT_END);
NUMBER(EVC_PV_M2P_START, MACH2PHYS_VIRT_START);
NUMBER(EVC_PV_M2P_END, MACH2PHYS_VIRT_END);
NUMBER(EVC_MMUEXT_PIN_L1, MMUEXT_PIN_L1_TABLE);
NUMBER(EVC_MMUEXT_PIN_L4, MMUEXT_PIN_L4_TABLE);
NUMBER(EVC_MMUEXT_UNPIN, MMUEXT_UNPIN_TABLE);
NUMBER(EVC_MMUEXT_NEW_BASEPTR, MMUEXT_NEW_BASEPTR);
NUMBER(EVC_MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_TLB_FLUSH_LOCAL);
NUMBER(EVC_MMUEXT_INVLPG_LOCAL, MMUEXT_INVLPG_LOCAL);
NUMBER(EVC_MMUEXT_TLB_FLUSH_MULTI, MMUEXT_TLB_FLUSH_MULTI);
NUMBER(EVC_MMUEXT_INVLPG_MULTI, MMUEXT_INVLPG_MULTI);
NUMBER(EVC_MMUEXT_TLB_FLUSH_ALL, MMUEXT_TLB_FLUSH_ALL);
NUMBER(EVC_MMUEXT_INVLPG_ALL, MMUEXT_INVLPG_ALL);
NUMBER(EVC_MMUEXT_FLUSH_CACHE, MMUEXT_FLUSH_CACHE);
NUMBER(EVC_MMUEXT_SET_LDT, MMUEXT_SET_LDT);
NUMBER(EVC_MMUEXT_NEW_USER_BASEPTR, MMUEXT_NEW_USER_BASEPTR);
NUMBER(EVC_MMUEXT_CLEAR_PAGE, MMUEXT_CLEAR_PAGE);
NUMBER(EVC_MMUEXT_COPY_PAGE, MMUEXT_COPY_PAGE);
NUMBER(EVC_MMUEXT_FLUSH_CACHE_GLOBAL, MMUEXT_FLUSH_CACHE_GLOBAL);
NUMBER(EVC_UVMF_TLB_FLUSH, UVMF_TLB_FLUSH);
NUMBER(EVC_UVMF_INVLPG, UVMF_INVLPG);
NUMBER(EVC_XENMEM_INCREASE_RESERVATION, XENMEM_increase_reservation);
NUMBER(EVC_XENMEM_DECREASE_RESERVATION, XENMEM_decrease_reservation);
NUMBER(EVC_XENMEM_MAXIMUM_RAM_PAGE, XENMEM_maximum_ram_page);
NUMBER(EVC_XENMEM_CURRENT_RESERVATION, XENMEM_current_reservation);
NUMBER(EVC_XENMEM_MAXIMUM_RESERVATION, XENMEM_maximum_reservation);
NUMBER(EVC_XENMEM_POPULATE_PHYSMAP, XENMEM_populate_physmap);
NUMBER(EVC_XENMEM_MEMORY_MAP, XENMEM_memory_map);
NUMBER(EVC_XENMEM_MACHPHYS_MAPPING, XENMEM_machphys_mapping);
NUMBER(EVC_XENMEM_MAXIMUM_GPFN, XENMEM_maximum_gpfn);
NUMBER(EVC_TRAP_MASKS, 1 << 2); /* TI_GET_IF() */
NUMBER(EVC_IRET_IN_SYSCALL, VGCF_in_syscall);
NUMBER(EVC_CALLBACK_EVENT, CALLBACKTYPE_event);
NUMBER(EVC_CALLBACK_FAILSAFE, CALLBACKTYPE_failsafe);
NUMBER(EVC_CALLBACK_SYSCALL, CALLBACKTYPE_syscall);
NUMBER(EVC_CALLBACK_NMI, CALLBACKTYPE_nmi);
NUMBER(EVC_CALLBACK_SYSENTER, CALLBACKTYPE_sysenter);
NUMBER(EVC_CALLBACK_SYSCALL32, CALLBACKTYPE_syscall32);
NUMBER(EVC_SEGBASE_FS, SEGBASE_FS);
NUMBER(EVC_SEGBASE_GS_USER, SEGBASE_GS_USER);
NUMBER(EVC_SEGBASE_GS_KERNEL, SEGBASE_GS_KERNEL);
NUMBER(EVC_SEGBASE_GS_USER_SEL, SEGBASE_GS_USER_SEL);
NUMBER(EVC_NOTE_ENTRY, XEN_ELFNOTE_ENTRY);
NUMBER(EVC_NOTE_HYPERCALL_PAGE, XEN_ELFNOTE_HYPERCALL_PAGE);
NUMBER(EVC_NOTE_VIRT_BASE, XEN_ELFNOTE_VIRT_BASE);
NUMBER(EVC_NOTE_PADDR_OFFSET, XEN_ELFNOTE_PADDR_OFFSET);
NUMBER(EVC_NOTE_XEN_VERSION, XEN_ELFNOTE_XEN_VERSION);
NUMBER(EVC_NOTE_GUEST_OS, XEN_ELFNOTE_GUEST_OS);
NUMBER(EVC_NOTE_GUEST_VERSION, XEN_ELFNOTE_GUEST_VERSION);
NUMBER(EVC_NOTE_LOADER, XEN_ELFNOTE_LOADER);
NUMBER(EVC_NOTE_FEATURES, XEN_ELFNOTE_FEATURES);
NUMBER(EVC_NOTE_SUPPORTED_FEATURES, XEN_ELFNOTE_SUPPORTED_FEATURES);
NUMBER(EVC_NOTE_PHYS32_ENTRY, XEN_ELFNOTE_PHYS32_ENTRY);

int main(void)
{
    return 0;
}
