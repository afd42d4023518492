/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU starts with (VCPUOP_initialise), as Xen's arch-x86/xen.h has it;
 * and a trap table's entry.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdint.h>

struct trap_info {
    uint8_t vector, flags;
    uint16_t cs;
    uint64_t address;
};

struct context {
    uint8_t fpu[512];
    uint64_t flags;
    struct {
        uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
        uint64_t rax, rcx, rdx, rsi, rdi, error;
        uint64_t rip, cs, rflags, rsp, ss, es, ds, fs, gs;
    } regs;
    struct trap_info trap[256];
    uint64_t ldt[2], gdt[17], kernel_stack[2];
    uint64_t control[8], debug[8];
    uint64_t event_callback, failsafe_callback, syscall_callback;
    uint64_t vm_assist;
    uint64_t fs, gs_kernel, gs_user;
};

_Static_assert(sizeof(struct context) == 5168, "as Xen has it");

#endif /* CONTEXT_H */
