/* SPDX-License-Identifier: MIT */
/**
 * @file offsets.h
 *
 * Where things lie in the memory a host and a guest share, as plain numbers.
 *
 * There are three layouts and a host has to know all of them at once:
 *
 *   X86_64   a 64-bit x86 guest
 *   X86_32   a 32-bit x86 guest: words of 4 bytes, 64-bit members aligned to 4
 *   ARM      an ARM guest of either width, and every other machine Xen runs
 *            on: words of 8 bytes, one vCPU slot, no upcall mask
 *
 * EVC_ABI_<layout>_<struct>_<member> is an offset in bytes from the start of
 * the struct, EVC_ABI_<layout>_<struct>_SIZE the size of the struct; where the
 * three agree, there is one number without a layout.  Only macros, so that an
 * assembler may include this file; layout.inc asserts each against its struct.
 *
 * Source: xen.h, arch-x86/xen.h, arch-x86/xen-x86_32.h, arch-x86/xen-x86_64.h,
 *         arch-arm.h, sched.h and vcpu.h of Xen's public headers.
 */
#ifndef EVC_ABI_OFFSETS_H
#define EVC_ABI_OFFSETS_H

/* -- the same everywhere --------------------------------------------------- */

#define EVC_ABI_VCPU_INFO_UPCALL_PENDING 0
#define EVC_ABI_VCPU_INFO_UPCALL_MASK    1 /* where HAS_UPCALL_MASK is 1 */

#define EVC_ABI_VCPU_TIME_INFO_SIZE              32
#define EVC_ABI_VCPU_TIME_INFO_VERSION           0
#define EVC_ABI_VCPU_TIME_INFO_TSC_TIMESTAMP     8
#define EVC_ABI_VCPU_TIME_INFO_SYSTEM_TIME       16
#define EVC_ABI_VCPU_TIME_INFO_TSC_TO_SYSTEM_MUL 24
#define EVC_ABI_VCPU_TIME_INFO_TSC_SHIFT         28
#define EVC_ABI_VCPU_TIME_INFO_FLAGS             29

#define EVC_ABI_FIFO_CONTROL_BLOCK_SIZE  72
#define EVC_ABI_FIFO_CONTROL_BLOCK_READY 0
#define EVC_ABI_FIFO_CONTROL_BLOCK_HEAD  8

/* A domain's frames, as the ABI counts them, whatever the machine's pages. */
#define EVC_ABI_PAGE_SIZE           4096
#define EVC_ABI_FIFO_WORDS_PER_PAGE 1024
#define EVC_ABI_FIFO_MAX_PAGES      128

/* -- x86, 64 bits -------------------------------------------------------- */

#define EVC_ABI_X86_64_WORD_BYTES      8
#define EVC_ABI_X86_64_WORD_BITS       64
#define EVC_ABI_X86_64_TWOLEVEL_PORTS  4096
#define EVC_ABI_X86_64_VCPU_SLOTS      32 /* vcpu_info in the shared page */
#define EVC_ABI_X86_64_HAS_UPCALL_MASK 1

#define EVC_ABI_X86_64_VCPU_INFO_SIZE        64
#define EVC_ABI_X86_64_VCPU_INFO_PENDING_SEL 8
#define EVC_ABI_X86_64_VCPU_INFO_ARCH        16
#define EVC_ABI_X86_64_VCPU_INFO_TIME        32

#define EVC_ABI_X86_64_SHARED_INFO_SIZE       3136
#define EVC_ABI_X86_64_SHARED_INFO_VCPU_INFO  0
#define EVC_ABI_X86_64_SHARED_INFO_PENDING    2048
#define EVC_ABI_X86_64_SHARED_INFO_MASK       2560
#define EVC_ABI_X86_64_SHARED_INFO_WC_VERSION 3072
#define EVC_ABI_X86_64_SHARED_INFO_WC_SEC     3076
#define EVC_ABI_X86_64_SHARED_INFO_WC_NSEC    3080
#define EVC_ABI_X86_64_SHARED_INFO_WC_SEC_HI  3084
#define EVC_ABI_X86_64_SHARED_INFO_ARCH       3088

#define EVC_ABI_X86_64_START_INFO_SIZE          1168
#define EVC_ABI_X86_64_START_INFO_NR_PAGES      32
#define EVC_ABI_X86_64_START_INFO_SHARED_INFO   40
#define EVC_ABI_X86_64_START_INFO_FLAGS         48
#define EVC_ABI_X86_64_START_INFO_STORE_MFN     56
#define EVC_ABI_X86_64_START_INFO_STORE_EVTCHN  64
#define EVC_ABI_X86_64_START_INFO_CONSOLE       72
#define EVC_ABI_X86_64_START_INFO_PT_BASE       88
#define EVC_ABI_X86_64_START_INFO_NR_PT_FRAMES  96
#define EVC_ABI_X86_64_START_INFO_MFN_LIST      104
#define EVC_ABI_X86_64_START_INFO_MOD_START     112
#define EVC_ABI_X86_64_START_INFO_MOD_LEN       120
#define EVC_ABI_X86_64_START_INFO_CMD_LINE      128
#define EVC_ABI_X86_64_START_INFO_FIRST_P2M_PFN 1152
#define EVC_ABI_X86_64_START_INFO_NR_P2M_FRAMES 1160

#define EVC_ABI_X86_64_MULTICALL_ENTRY_SIZE   64
#define EVC_ABI_X86_64_MULTICALL_ENTRY_RESULT 8
#define EVC_ABI_X86_64_MULTICALL_ENTRY_ARGS   16

#define EVC_ABI_X86_64_SCHED_POLL_SIZE     24
#define EVC_ABI_X86_64_SCHED_POLL_NR_PORTS 8
#define EVC_ABI_X86_64_SCHED_POLL_TIMEOUT  16

#define EVC_ABI_X86_64_SINGLESHOT_TIMER_SIZE  16
#define EVC_ABI_X86_64_SINGLESHOT_TIMER_FLAGS 8

/* -- x86, 32 bits -------------------------------------------------------- */

#define EVC_ABI_X86_32_WORD_BYTES      4
#define EVC_ABI_X86_32_WORD_BITS       32
#define EVC_ABI_X86_32_TWOLEVEL_PORTS  1024
#define EVC_ABI_X86_32_VCPU_SLOTS      32
#define EVC_ABI_X86_32_HAS_UPCALL_MASK 1

#define EVC_ABI_X86_32_VCPU_INFO_SIZE        64
#define EVC_ABI_X86_32_VCPU_INFO_PENDING_SEL 4
#define EVC_ABI_X86_32_VCPU_INFO_ARCH        8
#define EVC_ABI_X86_32_VCPU_INFO_TIME        32

#define EVC_ABI_X86_32_SHARED_INFO_SIZE       2344
#define EVC_ABI_X86_32_SHARED_INFO_VCPU_INFO  0
#define EVC_ABI_X86_32_SHARED_INFO_PENDING    2048
#define EVC_ABI_X86_32_SHARED_INFO_MASK       2176
#define EVC_ABI_X86_32_SHARED_INFO_WC_VERSION 2304
#define EVC_ABI_X86_32_SHARED_INFO_WC_SEC     2308
#define EVC_ABI_X86_32_SHARED_INFO_WC_NSEC    2312
#define EVC_ABI_X86_32_SHARED_INFO_WC_SEC_HI  2340 /* last word of arch */
#define EVC_ABI_X86_32_SHARED_INFO_ARCH       2316

#define EVC_ABI_X86_32_START_INFO_SIZE          1112
#define EVC_ABI_X86_32_START_INFO_NR_PAGES      32
#define EVC_ABI_X86_32_START_INFO_SHARED_INFO   36
#define EVC_ABI_X86_32_START_INFO_FLAGS         40
#define EVC_ABI_X86_32_START_INFO_STORE_MFN     44
#define EVC_ABI_X86_32_START_INFO_STORE_EVTCHN  48
#define EVC_ABI_X86_32_START_INFO_CONSOLE       52
#define EVC_ABI_X86_32_START_INFO_PT_BASE       60
#define EVC_ABI_X86_32_START_INFO_NR_PT_FRAMES  64
#define EVC_ABI_X86_32_START_INFO_MFN_LIST      68
#define EVC_ABI_X86_32_START_INFO_MOD_START     72
#define EVC_ABI_X86_32_START_INFO_MOD_LEN       76
#define EVC_ABI_X86_32_START_INFO_CMD_LINE      80
#define EVC_ABI_X86_32_START_INFO_FIRST_P2M_PFN 1104
#define EVC_ABI_X86_32_START_INFO_NR_P2M_FRAMES 1108

#define EVC_ABI_X86_32_MULTICALL_ENTRY_SIZE   32
#define EVC_ABI_X86_32_MULTICALL_ENTRY_RESULT 4
#define EVC_ABI_X86_32_MULTICALL_ENTRY_ARGS   8

#define EVC_ABI_X86_32_SCHED_POLL_SIZE     16
#define EVC_ABI_X86_32_SCHED_POLL_NR_PORTS 4
#define EVC_ABI_X86_32_SCHED_POLL_TIMEOUT  8

#define EVC_ABI_X86_32_SINGLESHOT_TIMER_SIZE  12
#define EVC_ABI_X86_32_SINGLESHOT_TIMER_FLAGS 8

/* -- ARM, both widths ---------------------------------------------------- */

#define EVC_ABI_ARM_WORD_BYTES      8
#define EVC_ABI_ARM_WORD_BITS       64
#define EVC_ABI_ARM_TWOLEVEL_PORTS  4096
#define EVC_ABI_ARM_VCPU_SLOTS      1
#define EVC_ABI_ARM_HAS_UPCALL_MASK 0 /* a padding byte lies in its place */

#define EVC_ABI_ARM_VCPU_INFO_SIZE        48
#define EVC_ABI_ARM_VCPU_INFO_PENDING_SEL 8
#define EVC_ABI_ARM_VCPU_INFO_TIME        16

#define EVC_ABI_ARM_SHARED_INFO_SIZE       1088
#define EVC_ABI_ARM_SHARED_INFO_VCPU_INFO  0
#define EVC_ABI_ARM_SHARED_INFO_PENDING    48
#define EVC_ABI_ARM_SHARED_INFO_MASK       560
#define EVC_ABI_ARM_SHARED_INFO_WC_VERSION 1072
#define EVC_ABI_ARM_SHARED_INFO_WC_SEC     1076
#define EVC_ABI_ARM_SHARED_INFO_WC_NSEC    1080
#define EVC_ABI_ARM_SHARED_INFO_WC_SEC_HI  1084

#define EVC_ABI_ARM_MULTICALL_ENTRY_SIZE   64
#define EVC_ABI_ARM_MULTICALL_ENTRY_RESULT 8
#define EVC_ABI_ARM_MULTICALL_ENTRY_ARGS   16

#define EVC_ABI_ARM_SCHED_POLL_SIZE     24
#define EVC_ABI_ARM_SCHED_POLL_NR_PORTS 8
#define EVC_ABI_ARM_SCHED_POLL_TIMEOUT  16

#define EVC_ABI_ARM_SINGLESHOT_TIMER_SIZE  16
#define EVC_ABI_ARM_SINGLESHOT_TIMER_FLAGS 8

#endif /* EVC_ABI_OFFSETS_H */
