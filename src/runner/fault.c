/* SPDX-License-Identifier: MIT */
/*
 * What a fault of the guest means: a page that its tables map and the process
 * has not yet mapped, an instruction to be carried out for it, or a trap that
 * is its own.
 */
#include "runner.h"

#include <errno.h>
#include <string.h>

/* The processor's page fault code. */
#define CODE_PRESENT 1u
#define CODE_WRITE   2u
#define CODE_EXEC    16u

/* The same fault again and again, and nothing else: mapping it does not help. */
#define SAME_MAX 10000u

static bool is_progress(struct evc_run_cpu *cpu, uint64_t address)
{
    bool same = cpu->last_rip == cpu->regs.rip && cpu->last_address == address;

    cpu->same = same ? cpu->same + 1 : 0;
    cpu->last_rip = cpu->regs.rip;
    cpu->last_address = address;
    return cpu->same < SAME_MAX;
}

static void fill(struct evc_run_cpu *cpu, const struct evc_pv_page *page,
                 uint64_t address)
{
    struct evc_pv_domain *domain = cpu->vcpu->domain;
    int r = is_progress(cpu, address)
                ? evc_run_tlb_fill(&cpu->tlb, page, address)
                : -ELOOP;

    if (r < 0)
        evc_pv_crash(domain, "cannot map the page at 0x%llx: %s",
                     (unsigned long long)address, strerror(-r));
}

static bool allows(const struct evc_pv_page *page, uint64_t code)
{
    return (!(code & CODE_WRITE) || page->write) &&
           (!(code & CODE_EXEC) || page->exec);
}

static void page_fault(struct evc_run_cpu *cpu, uint64_t code, uint64_t address)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;
    struct evc_pv_page page;
    bool mapped = evc_pv_walk(vcpu, address, &page) == 0;

    if (mapped && address < EVC_RUN_HOST && allows(&page, code)) {
        fill(cpu, &page, address);
        return;
    }
    if (!(code & CODE_EXEC) && evc_pv_emulate_access(vcpu, &cpu->regs, address,
                                                     (code & CODE_WRITE) != 0))
        return;
    evc_pv_page_fault(vcpu, &cpu->regs, address,
                      (code & (CODE_WRITE | CODE_EXEC)) |
                          (mapped ? CODE_PRESENT : 0));
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
