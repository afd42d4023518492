/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that are answered while the guest's vector registers and FS base
 * are still in the processor: this file is compiled for general registers only,
 * and may call nothing outside of it.
 */
#include "runner.h"

#include <evc/abi/numbers.h>

#define XEN_4_17 (4 << 16 | 17)

int evc_cpu_quick(struct evc_pv_regs *regs);

/* Return: 1: answered, and nothing but rax has changed; 0: not here. */
int evc_cpu_quick(struct evc_pv_regs *regs)
{
    struct evc_pv_domain *domain = evc_run_cpu.vcpu->domain;

    if ((uint32_t)regs->rax != __HYPERVISOR_xen_version ||
        (uint32_t)regs->rdi != 0)
        return 0;
    domain->calls[__HYPERVISOR_xen_version]++;
    regs->rax = XEN_4_17;
    return 1;
}
