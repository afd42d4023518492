/* SPDX-License-Identifier: MIT */
/**
 * @file arm64.h
 *
 * Hypercalls on aarch64: the number in x16, arguments in x0 to x4, `hvc #0xea1`.
 * Use evc_guest_arm64_hypercall as struct evc_guest_hooks.hypercall, or compile
 * the sources with -DEVC_GUEST_HOOKS='<evc/guest/arm64.h>'.
 *
 * Source: xen/include/public/arch-arm.h, the hypercall calling convention.
 */
#ifndef EVC_GUEST_ARM64_H
#define EVC_GUEST_ARM64_H

#include "../guest.h"

static inline int evc_guest_arm64_hypercall(void *data, evc_abi_u32 vcpu,
                                            evc_abi_u32 nr, evc_abi_uptr a,
                                            evc_abi_uptr b, evc_abi_uptr c)
{
    register evc_abi_uptr x0 __asm__("x0") = a;
    register evc_abi_uptr x1 __asm__("x1") = b;
    register evc_abi_uptr x2 __asm__("x2") = c;
    register evc_abi_uptr x16 __asm__("x16") = nr;

    (void)data;
    (void)vcpu;
    /* Xen clobbers the argument registers, and nothing else. */
    __asm__ __volatile__("hvc #0xea1"
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x16)
                         :
                         : "x3", "x4", "memory");
    return (int)x0;
}

#ifdef EVC_GUEST_HOOKS
#define evc_guest_hook_hypercall evc_guest_arm64_hypercall
#endif

#endif /* EVC_GUEST_ARM64_H */
