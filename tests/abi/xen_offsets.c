/* SPDX-License-Identifier: MIT */
/*
 * Xen's own headers, compiled for the guest, have the numbers of offsets.h.
 *
 * test_xen.c runs on one machine and takes the other layouts from Xen's foreign
 * headers, which have only the structs in shared memory.  This file is compiled
 * for each machine in turn (compile-xen.sh), runs nowhere, and so reaches what
 * is in Xen's headers alone, such as sched_poll on i386.
 */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <stddef.h>
#include <stdint.h>

#include <evc/abi/offsets.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#if defined(__x86_64__)
#define N(x) EVC_ABI_X86_64_##x
#elif defined(__i386__)
#define N(x) EVC_ABI_X86_32_##x
#else
#define N(x) EVC_ABI_ARM_##x
#endif

#define SIZE(type, n) _Static_assert(sizeof(type) == (n), "size of " #type)
#define AT(type, member, n) \
    _Static_assert(offsetof(type, member) == (n), #member " in " #type)
#define IS(value, n) _Static_assert((value) == (n), #value)

IS(sizeof(xen_ulong_t), N(WORD_BYTES));
IS(sizeof(xen_ulong_t) * 8, N(WORD_BITS));
IS(EVTCHN_2L_NR_CHANNELS, N(TWOLEVEL_PORTS));
IS(XEN_LEGACY_MAX_VCPUS, N(VCPU_SLOTS));

SIZE(struct vcpu_time_info, EVC_ABI_VCPU_TIME_INFO_SIZE);
AT(struct vcpu_time_info, version, EVC_ABI_VCPU_TIME_INFO_VERSION);
AT(struct vcpu_time_info, tsc_timestamp, EVC_ABI_VCPU_TIME_INFO_TSC_TIMESTAMP);
AT(struct vcpu_time_info, system_time, EVC_ABI_VCPU_TIME_INFO_SYSTEM_TIME);
AT(struct vcpu_time_info, tsc_to_system_mul,
   EVC_ABI_VCPU_TIME_INFO_TSC_TO_SYSTEM_MUL);
AT(struct vcpu_time_info, tsc_shift, EVC_ABI_VCPU_TIME_INFO_TSC_SHIFT);
AT(struct vcpu_time_info, flags, EVC_ABI_VCPU_TIME_INFO_FLAGS);

SIZE(struct vcpu_info, N(VCPU_INFO_SIZE));
AT(struct vcpu_info, evtchn_upcall_pending, EVC_ABI_VCPU_INFO_UPCALL_PENDING);
AT(struct vcpu_info, evtchn_pending_sel, N(VCPU_INFO_PENDING_SEL));
AT(struct vcpu_info, time, N(VCPU_INFO_TIME));

SIZE(struct shared_info, N(SHARED_INFO_SIZE));
AT(struct shared_info, vcpu_info, N(SHARED_INFO_VCPU_INFO));
AT(struct shared_info, evtchn_pending, N(SHARED_INFO_PENDING));
AT(struct shared_info, evtchn_mask, N(SHARED_INFO_MASK));
AT(struct shared_info, wc_version, N(SHARED_INFO_WC_VERSION));
AT(struct shared_info, wc_sec, N(SHARED_INFO_WC_SEC));
AT(struct shared_info, wc_nsec, N(SHARED_INFO_WC_NSEC));
AT(struct shared_info, xen_wc_sec_hi, N(SHARED_INFO_WC_SEC_HI));

SIZE(struct multicall_entry, N(MULTICALL_ENTRY_SIZE));
AT(struct multicall_entry, op, 0);
AT(struct multicall_entry, result, N(MULTICALL_ENTRY_RESULT));
AT(struct multicall_entry, args, N(MULTICALL_ENTRY_ARGS));

SIZE(struct sched_poll, N(SCHED_POLL_SIZE));
AT(struct sched_poll, ports, 0);
AT(struct sched_poll, nr_ports, N(SCHED_POLL_NR_PORTS));
AT(struct sched_poll, timeout, N(SCHED_POLL_TIMEOUT));

SIZE(struct vcpu_set_singleshot_timer, N(SINGLESHOT_TIMER_SIZE));
AT(struct vcpu_set_singleshot_timer, flags, N(SINGLESHOT_TIMER_FLAGS));

SIZE(struct evtchn_fifo_control_block, EVC_ABI_FIFO_CONTROL_BLOCK_SIZE);
AT(struct evtchn_fifo_control_block, ready, EVC_ABI_FIFO_CONTROL_BLOCK_READY);
AT(struct evtchn_fifo_control_block, head, EVC_ABI_FIFO_CONTROL_BLOCK_HEAD);
IS(EVTCHN_FIFO_NR_CHANNELS,
   EVC_ABI_FIFO_WORDS_PER_PAGE *EVC_ABI_FIFO_MAX_PAGES);
IS(sizeof(event_word_t) * EVC_ABI_FIFO_WORDS_PER_PAGE, EVC_ABI_PAGE_SIZE);

/* What has one layout for all of them. */
SIZE(struct evtchn_alloc_unbound, 8);
SIZE(struct evtchn_bind_interdomain, 12);
SIZE(struct evtchn_bind_virq, 12);
SIZE(struct evtchn_bind_pirq, 12);
SIZE(struct evtchn_bind_ipi, 8);
SIZE(struct evtchn_status, 24);
SIZE(struct evtchn_bind_vcpu, 8);
SIZE(struct evtchn_reset, 2);
SIZE(struct evtchn_init_control, 24);
SIZE(struct evtchn_expand_array, 8);
SIZE(struct evtchn_set_priority, 8);
SIZE(struct evtchn_op, 28);
SIZE(struct mmu_update, 16);
SIZE(struct sched_shutdown, 4);
SIZE(struct sched_remote_shutdown, 8);
SIZE(struct vcpu_set_periodic_timer, 8);
SIZE(struct vcpu_register_vcpu_info, 16);

#if defined(__i386__) || defined(__x86_64__)
IS(XEN_HAVE_PV_UPCALL_MASK, N(HAS_UPCALL_MASK));
AT(struct vcpu_info, evtchn_upcall_mask, EVC_ABI_VCPU_INFO_UPCALL_MASK);
AT(struct vcpu_info, arch, N(VCPU_INFO_ARCH));
AT(struct shared_info, arch, N(SHARED_INFO_ARCH));

SIZE(struct start_info, N(START_INFO_SIZE));
AT(struct start_info, nr_pages, N(START_INFO_NR_PAGES));
AT(struct start_info, shared_info, N(START_INFO_SHARED_INFO));
AT(struct start_info, flags, N(START_INFO_FLAGS));
AT(struct start_info, store_mfn, N(START_INFO_STORE_MFN));
AT(struct start_info, store_evtchn, N(START_INFO_STORE_EVTCHN));
AT(struct start_info, console, N(START_INFO_CONSOLE));
AT(struct start_info, pt_base, N(START_INFO_PT_BASE));
AT(struct start_info, nr_pt_frames, N(START_INFO_NR_PT_FRAMES));
AT(struct start_info, mfn_list, N(START_INFO_MFN_LIST));
AT(struct start_info, mod_start, N(START_INFO_MOD_START));
AT(struct start_info, mod_len, N(START_INFO_MOD_LEN));
AT(struct start_info, cmd_line, N(START_INFO_CMD_LINE));
AT(struct start_info, first_p2m_pfn, N(START_INFO_FIRST_P2M_PFN));
AT(struct start_info, nr_p2m_frames, N(START_INFO_NR_P2M_FRAMES));
#else
AT(struct vcpu_info, pad0, EVC_ABI_VCPU_INFO_UPCALL_MASK);
#if defined(XEN_HAVE_PV_UPCALL_MASK)
IS(1, N(HAS_UPCALL_MASK));
#else
IS(0, N(HAS_UPCALL_MASK));
#endif
#endif
