/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that are answered while the guest's vector registers and FS base
 * are still in the processor: this file is compiled for general registers only,
 * and may call nothing outside of it.
 */
#include "runner.h"

#include <evc/abi/numbers.h>

#include "entry.h"

#define XEN_4_17 (4 << 16 | 17)

int evc_cpu_quick(struct evc_run_cpu *cpu);

/* Return: 1: answered, and nothing but rax has changed; 0: not here. */
int evc_cpu_quick(struct evc_run_cpu *cpu)
{
    struct evc_pv_regs *regs = &cpu->regs;

    if ((uint32_t)regs->rax != __HYPERVISOR_xen_version ||
        (uint32_t)regs->rdi != 0 || (regs->rflags & EVC_RUN_FLAGS_FULL) ||
        evc_pv_is_due(cpu->vcpu)) /* guests call to have their upcall */
        return 0;
    cpu->vcpu->calls[__HYPERVISOR_xen_version]++;
    regs->rax = XEN_4_17;
    return 1;
}
