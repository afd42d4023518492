/* SPDX-License-Identifier: MIT */
/**
 * @file guest.h
 *
 * Which of the three layouts the plain names have, and how a pointer lies in
 * memory shared with the host.
 *
 * The plain names (struct shared_info, xen_ulong_t, EVTCHN_2L_NR_CHANNELS ...)
 * take the layout of the machine that is compiled for, unless the program
 * defines one of
 *
 *   EVC_ABI_GUEST_X86_64    EVC_ABI_GUEST_X86_32    EVC_ABI_GUEST_ARM
 *
 * before.  Machines that are not x86 all have ARM's layout.
 *
 * A member that holds a guest's address is a guest handle.  The three macros
 * below work as in Xen's headers; a program that brings its own, and all three
 * of them, keeps its own.
 *
 *   DEFINE_XEN_GUEST_HANDLE(name);     once per type: declare its handle
 *   XEN_GUEST_HANDLE(name)             the type of such a member
 *   set_xen_guest_handle(hnd, val)     store a pointer, upper half zeroed
 *
 * Source: arch-x86/xen.h, arch-arm.h, xen.h.
 */
#ifndef EVC_ABI_GUEST_H
#define EVC_ABI_GUEST_H

#include "offsets.h"
#include "types.h"

#if !defined(EVC_ABI_GUEST_X86_64) && !defined(EVC_ABI_GUEST_X86_32) && \
    !defined(EVC_ABI_GUEST_ARM)
#if defined(__x86_64__) || defined(_M_X64)
#define EVC_ABI_GUEST_X86_64
#elif defined(__i386__) || defined(_M_IX86)
#define EVC_ABI_GUEST_X86_32
#else
#define EVC_ABI_GUEST_ARM
#endif
#endif

/*
 * EVC_ABI_GUEST_NUMBER(): the chosen layout's number from offsets.h.
 * EVC_ABI_GUEST_X86: its width, 0 where it is not x86.
 * evc_abi_guest_u64: a 64-bit member as that guest aligns it.
 */
#if defined(EVC_ABI_GUEST_X86_64)
#define EVC_ABI_GUEST_NUMBER(x) EVC_ABI_X86_64_##x
#define EVC_ABI_GUEST_X86       64
typedef evc_abi_u64_align8 evc_abi_guest_u64;
#elif defined(EVC_ABI_GUEST_X86_32)
#define EVC_ABI_GUEST_NUMBER(x) EVC_ABI_X86_32_##x
#define EVC_ABI_GUEST_X86       32
typedef evc_abi_u64_align4 evc_abi_guest_u64;
#else
#define EVC_ABI_GUEST_NUMBER(x) EVC_ABI_ARM_##x
#define EVC_ABI_GUEST_X86       0
typedef evc_abi_u64_align8 evc_abi_guest_u64;
#endif

/*
 * evc_abi_guest_word: on x86 an unsigned long, as every x86 guest expects who
 * passes &evtchn_pending[w] to its bit functions, wherever long has the size.
 */
#if EVC_ABI_GUEST_X86 == 64
#if defined(__SIZEOF_LONG__) && __SIZEOF_LONG__ == 8
typedef unsigned long evc_abi_guest_word;
#else
typedef evc_abi_u64_align8 evc_abi_guest_word;
#endif
#elif EVC_ABI_GUEST_X86 == 32
#if defined(__SIZEOF_LONG__) && __SIZEOF_LONG__ == 4
typedef unsigned long evc_abi_guest_word;
#else
typedef evc_abi_u32 evc_abi_guest_word;
#endif
#else
typedef evc_abi_u64_align8 evc_abi_guest_word;
#endif

EVC_ABI_ASSERT(sizeof(evc_abi_guest_word) == EVC_ABI_GUEST_NUMBER(WORD_BYTES),
               "size of the guest's word");

#if !defined(__XEN_PUBLIC_XEN_H__)
/* A domain's number; the reserved ones are DOMID_* in numbers.h. */
typedef evc_abi_u16 domid_t;
#endif

/*
 * A handle is as wide as the guest's word.  Where a pointer is wider than that
 * (a 32-bit layout compiled for a 64-bit machine, in a test for example), only
 * the number is there.
 */
#if !defined(DEFINE_XEN_GUEST_HANDLE) && !defined(XEN_GUEST_HANDLE)
#if EVC_ABI_GUEST_X86 == 32 && defined(__SIZEOF_POINTER__)
#if __SIZEOF_POINTER__ > 4
#define EVC_ABI_HANDLE_IS_NUMBER 1
#endif
#endif

/* Xen's names: its sched.h may come later and use the handle of a port. */
#if EVC_ABI_GUEST_X86
#define EVC_ABI_HANDLE_TAG(name) __guest_handle_##name
#else
#define EVC_ABI_HANDLE_TAG(name) __guest_handle_64_##name
#endif

#if defined(EVC_ABI_HANDLE_IS_NUMBER)
#define EVC_ABI_HANDLE_(name, type) \
    typedef union {                 \
        evc_abi_guest_word q;       \
    } EVC_ABI_HANDLE_TAG(name)
#define set_xen_guest_handle(hnd, val)                     \
    do {                                                   \
        (hnd).q = (evc_abi_guest_word)(evc_abi_uptr)(val); \
    } while (0)
#else
#define EVC_ABI_HANDLE_(name, type) \
    typedef union {                 \
        type *p;                    \
        evc_abi_guest_word q;       \
    } EVC_ABI_HANDLE_TAG(name)
#define set_xen_guest_handle(hnd, val) \
    do {                               \
        (hnd).q = 0;                   \
        (hnd).p = (val);               \
    } while (0)
#endif

#define DEFINE_XEN_GUEST_HANDLE(name) \
    EVC_ABI_HANDLE_(name, name);      \
    EVC_ABI_HANDLE_(const_##name, const name)
#define XEN_GUEST_HANDLE(name) EVC_ABI_HANDLE_TAG(name)
#endif

#endif /* EVC_ABI_GUEST_H */
