/* SPDX-License-Identifier: MIT */
/*
 * What a fault of the guest means: a page that its tables map and the process
 * has not yet mapped, an instruction to be carried out for it, or a trap that
 * is its own.
 */
#include "runner.h"

#include <errno.h>
#include <string.h>

/* The processor's page fault code; the rest of it is EVC_RUN_WRITE, _EXEC. */
#define CODE_PRESENT 1u

#define HOW (EVC_RUN_WRITE | EVC_RUN_EXEC)

/* The same fault again and again, and nothing else: mapping it does not help. */
#define SAME_MAX 10000u

/* Another vCPU may have flushed what was mapped; that is none of its faults. */
static bool is_progress(struct evc_run_cpu *cpu, uint64_t address)
{
    uint64_t flushes = __atomic_load_n(&cpu->tlb->flushes, __ATOMIC_RELAXED);
    bool same = cpu->last_rip == cpu->regs.rip &&
                cpu->last_address == address && cpu->last_flushes == flushes;

    cpu->same = same ? cpu->same + 1 : 0;
    cpu->last_rip = cpu->regs.rip;
    cpu->last_address = address;
    cpu->last_flushes = flushes;
    return cpu->same < SAME_MAX;
}

/* Return: 0; -EFAULT, -EACCES: it is the guest's. */
static int fill(struct evc_run_cpu *cpu, uint64_t code, uint64_t address)
{
    int r = evc_run_tlb_fill(cpu->tlb, address, code & HOW);

    if (r == 0 && !is_progress(cpu, address))
        r = -ELOOP;
    if (r == 0 || r == -EFAULT || r == -EACCES)
        return r;
    evc_pv_crash(cpu->vcpu, "cannot map the page at 0x%llx: %s",
                 (unsigned long long)address, strerror(-r));
    return 0;
}

static void page_fault(struct evc_run_cpu *cpu, uint64_t code, uint64_t address)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;
    int r = fill(cpu, code, address);

    if (r == 0)
        return;
    if (!(code & EVC_RUN_EXEC) &&
        evc_pv_emulate_access(vcpu, &cpu->regs, address,
                              (code & EVC_RUN_WRITE) != 0))
        return;
    evc_pv_page_fault(vcpu, &cpu->regs, address,
                      (code & HOW) | (r == -EACCES ? CODE_PRESENT : 0));
}

/* `int $0x80` and the like: an error code that names an entry of the IDT. */
static bool is_software_interrupt(uint64_t code)
{
    return (code & 7) == 2;
}

void evc_run_interrupt(struct evc_run_cpu *cpu, unsigned vector)
{
    bool has = cpu->vcpu->trap[vector].address != 0;

    if (!has)
        cpu->regs.rip -= 2; /* back to the instruction, which was not one */
    if (has)
        evc_pv_trap(cpu->vcpu, &cpu->regs, vector, 0);
    else
        evc_pv_trap(cpu->vcpu, &cpu->regs, EVC_TRAP_PROTECTION,
                    vector << 3 | 2);
}

/* rip is at the instruction, which is two bytes long. */
static void software_interrupt(struct evc_run_cpu *cpu, uint64_t code)
{
    cpu->regs.rip += 2;
    evc_run_interrupt(cpu, (unsigned)(code >> 3) % 256);
}

void evc_run_fault(struct evc_run_cpu *cpu, unsigned vector, uint64_t code,
                   uint64_t address)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;

    if (vector == EVC_TRAP_PAGE) {
        page_fault(cpu, code, address);
        return;
    }
    cpu->same = 0;
    if (vector == EVC_TRAP_PROTECTION && is_software_interrupt(code))
        software_interrupt(cpu, code);
    else if ((vector != EVC_TRAP_PROTECTION && vector != EVC_TRAP_UNDEFINED) ||
             !evc_pv_emulate(vcpu, &cpu->regs))
        evc_pv_trap(vcpu, &cpu->regs, vector, code);
}
