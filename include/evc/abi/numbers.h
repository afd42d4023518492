/* SPDX-License-Identifier: MIT */
/**
 * @file numbers.h
 *
 * The numbers of Xen's xen.h that event channels need: domains, virtual
 * interrupts, hypercalls, flags.  Only macros, so that an assembler may include
 * this file, and no struct, so that a host may without choosing a layout.
 *
 * If Xen's own xen.h came first, its definitions stand.
 *
 * Source: xen.h, arch-x86/xen.h.
 */
#ifndef EVC_ABI_NUMBERS_H
#define EVC_ABI_NUMBERS_H

#if !defined(__XEN_PUBLIC_XEN_H__)

/* -- domains ----------------------------------------------------------------
 * Ordinary ones are 0 .. 0x7fef.  IO, XEN and COW only own pages.
 */
#if defined(__ASSEMBLER__)
#define EVC_ABI_UINT(x) x /* an assembler takes no suffix */
#else
#define EVC_ABI_UINT(x) x##U
#endif

#define DOMID_FIRST_RESERVED EVC_ABI_UINT(0x7FF0)
#define DOMID_SELF           EVC_ABI_UINT(0x7FF0) /* whoever asks */
#define DOMID_IO             EVC_ABI_UINT(0x7FF1) /* of device memory */
#define DOMID_XEN            EVC_ABI_UINT(0x7FF2) /* of the host's pages */
#define DOMID_COW            EVC_ABI_UINT(0x7FF3) /* of shared pages */
#define DOMID_INVALID        EVC_ABI_UINT(0x7FF4) /* nobody */
#define DOMID_IDLE           EVC_ABI_UINT(0x7FFF) /* the idle vCPUs */
#define DOMID_MASK           EVC_ABI_UINT(0x7FFF)

/* -- virtual interrupts -----------------------------------------------------
 * V: one per vCPU, fixed to it.  D: one per domain.  G: one domain in the whole
 * machine handles it, dom0 unless handed over.  D and G are bound on vCPU 0 and
 * may move.  5, 14 and 15 are not used.
 */
#define VIRQ_TIMER      0  /* V  a timer set by this vCPU ran out */
#define VIRQ_DEBUG      1  /* V  somebody wants to see your state */
#define VIRQ_CONSOLE    2  /* G  input on the emergency console */
#define VIRQ_DOM_EXC    3  /* G  a domain died or shut down */
#define VIRQ_TBUF       4  /* G  the trace buffer has records */
#define VIRQ_DEBUGGER   6  /* G  a domain stopped for its debugger */
#define VIRQ_XENOPROF   7  /* V  a profiling sample */
#define VIRQ_CON_RING   8  /* G  output in the host's console ring */
#define VIRQ_PCPU_STATE 9  /* G  a processor came or went */
#define VIRQ_MEM_EVENT  10 /* G  a watched page was touched */
#define VIRQ_ARGO       11 /* D  an Argo message */
#define VIRQ_ENOMEM     12 /* G  the host is low on memory */
#define VIRQ_XENPMU     13 /* V  a performance counter overflowed */
#define VIRQ_ARCH_0     16 /* G  to 23: the architecture's own */
#define VIRQ_ARCH_1     17
#define VIRQ_ARCH_2     18
#define VIRQ_ARCH_3     19
#define VIRQ_ARCH_4     20
#define VIRQ_ARCH_5     21
#define VIRQ_ARCH_6     22
#define VIRQ_ARCH_7     23
#define NR_VIRQS        24

/* -- hypercalls -------------------------------------------------------------
 * All numbers, since a multicall may carry any of them; the host side here
 * answers multicall, set_timer_op, the two event_channel_op, vcpu_op, sched_op.
 */
#define __HYPERVISOR_set_trap_table                0
#define __HYPERVISOR_mmu_update                    1
#define __HYPERVISOR_set_gdt                       2
#define __HYPERVISOR_stack_switch                  3
#define __HYPERVISOR_set_callbacks                 4
#define __HYPERVISOR_fpu_taskswitch                5
#define __HYPERVISOR_sched_op_compat               6
#define __HYPERVISOR_platform_op                   7
#define __HYPERVISOR_set_debugreg                  8
#define __HYPERVISOR_get_debugreg                  9
#define __HYPERVISOR_update_descriptor             10
#define __HYPERVISOR_memory_op                     12
#define __HYPERVISOR_multicall                     13
#define __HYPERVISOR_update_va_mapping             14
#define __HYPERVISOR_set_timer_op                  15
#define __HYPERVISOR_event_channel_op_compat       16 /* struct evtchn_op */
#define __HYPERVISOR_xen_version                   17
#define __HYPERVISOR_console_io                    18
#define __HYPERVISOR_physdev_op_compat             19
#define __HYPERVISOR_grant_table_op                20
#define __HYPERVISOR_vm_assist                     21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret                          23 /* x86 */
#define __HYPERVISOR_vcpu_op                       24
#define __HYPERVISOR_set_segment_base              25 /* x86-64 */
#define __HYPERVISOR_mmuext_op                     26
#define __HYPERVISOR_xsm_op                        27
#define __HYPERVISOR_nmi_op                        28
#define __HYPERVISOR_sched_op                      29
#define __HYPERVISOR_callback_op                   30
#define __HYPERVISOR_xenoprof_op                   31
#define __HYPERVISOR_event_channel_op              32
#define __HYPERVISOR_physdev_op                    33
#define __HYPERVISOR_hvm_op                        34
#define __HYPERVISOR_sysctl                        35
#define __HYPERVISOR_domctl                        36
#define __HYPERVISOR_kexec_op                      37
#define __HYPERVISOR_tmem_op                       38
#define __HYPERVISOR_argo_op                       39
#define __HYPERVISOR_xenpmu_op                     40
#define __HYPERVISOR_dm_op                         41
#define __HYPERVISOR_hypfs_op                      42
#define __HYPERVISOR_arch_0                        48 /* to 55 */
#define __HYPERVISOR_arch_1                        49
#define __HYPERVISOR_arch_2                        50
#define __HYPERVISOR_arch_3                        51
#define __HYPERVISOR_arch_4                        52
#define __HYPERVISOR_arch_5                        53
#define __HYPERVISOR_arch_6                        54
#define __HYPERVISOR_arch_7                        55

/* -- mmu_update: what to do, in the low two bits of ptr ------------------ */
#define MMU_NORMAL_PT_UPDATE       0 /* check, then write the entry */
#define MMU_MACHPHYS_UPDATE        1 /* write the machine-to-physical table */
#define MMU_PT_UPDATE_PRESERVE_AD  2 /* as 0, keep accessed and dirty */
#define MMU_PT_UPDATE_NO_TRANSLATE 3 /* as 0, val is a machine frame already */

/* -- vcpu_time_info.flags ------------------------------------------------ */
#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* vCPUs' clocks agree */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1) /* the guest was held for long */

/* -- start_info.flags ---------------------------------------------------- */
#define SIF_PRIVILEGED      (1 << 0)    /* may act on other domains */
#define SIF_INITDOMAIN      (1 << 1)    /* is dom0 */
#define SIF_MULTIBOOT_MOD   (1 << 2)    /* mod_start is a list of modules */
#define SIF_MOD_START_PFN   (1 << 3)    /* mod_start is a frame number */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)    /* tools know p2m_vaddr */
#define SIF_PM_MASK         (0xFF << 8) /* power management options */

#define MAX_GUEST_CMDLINE 1024 /* start_info.cmd_line, with its final zero */

#endif /* !__XEN_PUBLIC_XEN_H__ */

#endif /* EVC_ABI_NUMBERS_H */
