/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that are answered while the guest's vector registers and FS base
 * are still in the processor: this file and src/pv are compiled for general
 * registers only.  What is called from here calls nothing of libc's or libevc's
 * in turn; whatever might go wrong is left to the long way.
 */
#include "runner.h"

#include <immintrin.h>

#include <evc/abi/numbers.h>

#include "entry.h"

#define XEN_4_17 (4 << 16 | 17)
#define VERSION  0u
#define PAGESIZE 7u

/* Guests call the first to have the upcall that is due. */
static enum evc_run_quick version(struct evc_run_cpu *cpu)
{
    uint32_t command = (uint32_t)cpu->regs.rdi;

    if ((command != VERSION && command != PAGESIZE) || evc_pv_is_due(cpu->vcpu))
        return EVC_RUN_NOT_QUICK;
    cpu->vcpu->calls[__HYPERVISOR_xen_version]++;
    cpu->regs.rax = command == VERSION ? XEN_4_17 : EVC_PV_PAGE;
    return EVC_RUN_ANSWERED;
}

/* The end of an upcall.  If another one is due, that is as if a kick had come. */
static enum evc_run_quick iret(struct evc_run_cpu *cpu)
{
    if (evc_pv_try_iret(cpu->vcpu, &cpu->regs) < 0)
        return EVC_RUN_NOT_QUICK;
    cpu->vcpu->calls[__HYPERVISOR_iret]++;
    cpu->same = 0;
    cpu->full = 1;
    if (evc_pv_is_due(cpu->vcpu) || cpu->vcpu->nmi)
        cpu->pending = 1;
    return EVC_RUN_CHANGED;
}

/* What threads of a guest's are switched by, with no need for look_at_segments(). */
static enum evc_run_quick set_segment_base(struct evc_run_cpu *cpu)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;
    uint64_t base = cpu->regs.rsi;

    if (!evc_pv_is_base(base) || evc_pv_is_due(vcpu))
        return EVC_RUN_NOT_QUICK;
    if ((uint32_t)cpu->regs.rdi == EVC_SEGBASE_FS) {
        vcpu->fs = base;
        _writefsbase_u64(base);
    } else if ((uint32_t)cpu->regs.rdi == EVC_SEGBASE_GS_KERNEL) {
        vcpu->gs = cpu->guest_gs = base;
        _writegsbase_u64(base);
    } else {
        return EVC_RUN_NOT_QUICK;
    }
    vcpu->calls[__HYPERVISOR_set_segment_base]++;
    cpu->regs.rax = 0;
    return EVC_RUN_ANSWERED;
}

static enum evc_run_quick plain(struct evc_run_cpu *cpu)
{
    if (evc_pv_is_due(cpu->vcpu) || !evc_pv_plain_call(cpu->vcpu, &cpu->regs))
        return EVC_RUN_NOT_QUICK;
    cpu->same = 0;
    return EVC_RUN_ANSWERED;
}

enum evc_run_quick evc_cpu_quick(struct evc_run_cpu *cpu)
{
    if (cpu->regs.rflags & EVC_RUN_FLAGS_FULL)
        return EVC_RUN_NOT_QUICK;
    switch ((uint32_t)cpu->regs.rax) {
    case __HYPERVISOR_xen_version:
        return version(cpu);
    case __HYPERVISOR_iret:
        return iret(cpu);
    case __HYPERVISOR_set_segment_base:
        return set_segment_base(cpu);
    default:
        return plain(cpu);
    }
}
