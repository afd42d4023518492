/* SPDX-License-Identifier: MIT */
/**
 * @file x86.h
 *
 * Hypercalls on x86: through the hypercall page, which a kernel has set up in
 * its start-up code (an MSR found by CPUID, or an ELF note), 32 bytes a call.
 *
 *     extern evc_abi_u8 hypercall_page[];
 *     ...
 *     evc_guest_hypercall_page = hypercall_page;
 *     config.hooks = &(struct evc_guest_hooks){
 *         .size = sizeof(struct evc_guest_hooks),
 *         .hypercall = evc_guest_x86_hypercall};
 *
 * For an inline call compile the sources with
 * -DEVC_GUEST_HOOKS='<evc/guest/x86.h>'.  One file of the program defines the
 * variable: const evc_abi_u8 *evc_guest_hypercall_page;
 *
 * Compile with -mno-red-zone, as kernels are: a call uses the stack.
 *
 * Source: xen/include/public/arch-x86/xen-x86_32.h and xen-x86_64.h, the
 * hypercall interface.
 */
#ifndef EVC_GUEST_X86_H
#define EVC_GUEST_X86_H

#include "../guest.h"

/* A kernel may define the name to its own page, declared before. */
#ifndef evc_guest_hypercall_page
extern const evc_abi_u8 *evc_guest_hypercall_page;
#endif

static inline int evc_guest_x86_hypercall(void *data, evc_abi_u32 vcpu,
                                          evc_abi_u32 nr, evc_abi_uptr a,
                                          evc_abi_uptr b, evc_abi_uptr c)
{
    const evc_abi_u8 *entry = evc_guest_hypercall_page + nr * 32;
    evc_abi_uptr r;

    (void)data;
    (void)vcpu;
    /* The registers that carry arguments may come back changed. */
#if defined(__x86_64__)
    __asm__ __volatile__("call *%[entry]"
                         : "=a"(r), "+D"(a), "+S"(b), "+d"(c)
                         : [entry] "r"(entry)
                         : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
#else
    __asm__ __volatile__("call *%[entry]"
                         : "=a"(r), "+b"(a), "+c"(b), "+d"(c)
                         : [entry] "rm"(entry)
                         : "memory", "cc");
#endif
    return (int)r;
}

#ifdef EVC_GUEST_HOOKS
#define evc_guest_hook_hypercall evc_guest_x86_hypercall
#endif

#endif /* EVC_GUEST_X86_H */
