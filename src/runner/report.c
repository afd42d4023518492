/* SPDX-License-Identifier: MIT */
/*
 * What is said in the end, on stderr: of a crash everything that may help whose
 * guest it was; with --trace, what the guest has asked for.
 */
#include "runner.h"

#include <inttypes.h>
#include <stdio.h>

#define HEX "0x%" PRIx64

/* ---- registers and memory ------------------------------------------------------------- */

static void show_regs(const struct evc_pv_regs *r)
{
    static const char format[] =
        "  %-6s %016" PRIx64 "  %-6s %016" PRIx64 "  %-6s %016" PRIx64 "\n";

    fprintf(stderr, format, "rip", r->rip, "rsp", r->rsp, "rflags", r->rflags);
    fprintf(stderr, format, "rax", r->rax, "rbx", r->rbx, "rcx", r->rcx);
    fprintf(stderr, format, "rdx", r->rdx, "rsi", r->rsi, "rdi", r->rdi);
    fprintf(stderr, format, "rbp", r->rbp, "r8", r->r8, "r9", r->r9);
    fprintf(stderr, format, "r10", r->r10, "r11", r->r11, "r12", r->r12);
    fprintf(stderr, format, "r13", r->r13, "r14", r->r14, "r15", r->r15);
}

static void show_code(const struct evc_pv_vcpu *vcpu, uint64_t rip)
{
    uint8_t bytes[16];
    size_t n = evc_pv_fetch(vcpu, bytes, rip, sizeof(bytes));

    fprintf(stderr, "code at rip:\n ");
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, n ? "\n" : " not mapped\n");
}

static void show_stack(const struct evc_pv_vcpu *vcpu, uint64_t rsp)
{
    uint64_t words[16];
    size_t n = evc_pv_fetch(vcpu, words, rsp, sizeof(words)) / 8;

    fprintf(stderr, "stack:%s\n", n ? "" : " not mapped");
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s%016" PRIx64 "%s", i % 4 ? " " : "  ", words[i],
                i % 4 == 3 || i + 1 == n ? "\n" : "");
}

/* ---- what it did last ---------------------------------------------------------------------- */

static void show_call(uint64_t nr)
{
    const char *name = evc_pv_call_name(nr);

    if (name)
        fprintf(stderr, "  %-22s", name);
    else
        fprintf(stderr, "  hypercall %-12" PRIu64, nr);
}

static void show_history(const struct evc_pv_vcpu *vcpu)
{
    uint64_t end = vcpu->nr_past;
    uint64_t at = end > EVC_PV_HISTORY ? end - EVC_PV_HISTORY : 0;

    fprintf(stderr, "last hypercalls, yields left out:%s\n",
            end ? "" : " none");
    for (; at < end; at++) {
        const struct evc_pv_past *past = &vcpu->past[at % EVC_PV_HISTORY];

        show_call(past->nr);
        fprintf(stderr,
                " (" HEX ", " HEX ", " HEX ") = %" PRId64 " at " HEX "\n",
                past->args[0], past->args[1], past->args[2], past->answer,
                past->rip);
    }
}

/* The console ring still has what went through it last (io/console.h). */
#define RING_OUT      1024u
#define RING_OUT_SIZE 2048u
#define RING_OUT_PROD 3084u
#define SAID_MAX      400u

static void show_console(const uint8_t *page)
{
    uint32_t end = *(const volatile uint32_t *)(page + RING_OUT_PROD);
    uint32_t n = end < SAID_MAX ? end : SAID_MAX;
    char last = '\n';

    fprintf(stderr, "what it said last:%s\n", n ? "" : " nothing");
    for (uint32_t i = end - n; i != end; i++) {
        char c = (char)page[RING_OUT + i % RING_OUT_SIZE];

        if (last == '\n')
            fputs("  | ", stderr);
        if (c == '\n' || (c >= ' ' && c <= '~'))
            fputc(c, stderr);
        else if (c != '\r')
            fprintf(stderr, "\\x%02x", (uint8_t)c);
        last = c == '\r' ? last : c;
    }
    if (last != '\n')
        fputc('\n', stderr);
}

/* ---- the others ----------------------------------------------------------------------------- */

static const char *state_of(const struct evc_pv_vcpu *vcpu)
{
    if (!vcpu->initialised)
        return "never started";
    return vcpu->up ? "up" : "down";
}

/* As they were when they stopped, soon after the crash. */
static void show_others(const struct evc_pv_domain *domain)
{
    for (uint32_t i = 0; i < domain->nr_vcpus; i++) {
        const struct evc_pv_regs *regs = &evc_run_cpus[i].regs;

        if (i == domain->who)
            continue;
        fprintf(stderr, "vCPU %" PRIu32 ": %s", i, state_of(&domain->vcpu[i]));
        if (domain->vcpu[i].initialised)
            fprintf(stderr, ", rip %016" PRIx64 ", rsp %016" PRIx64, regs->rip,
                    regs->rsp);
        fputc('\n', stderr);
    }
}

static void show_crash(const struct evc_pv_domain *domain)
{
    const char *why = domain->why[0] ? domain->why : "it said so";

    if (domain->nr_vcpus == 1)
        fprintf(stderr, "the guest crashed: %s\n", why);
    else
        fprintf(stderr, "the guest crashed on vCPU %" PRIu32 ": %s\n",
                domain->who, why);
}

void evc_run_report_crash(const struct evc_pv_domain *domain,
                          const uint8_t *console_page)
{
    const struct evc_pv_vcpu *vcpu = &domain->vcpu[domain->who];
    const struct evc_pv_regs *regs = &evc_run_cpus[domain->who].regs;

    show_crash(domain);
    show_regs(regs);
    fprintf(stderr,
            "  fs     %016" PRIx64 "  gs     %016" PRIx64 "  cr3    %016" PRIx64
            "\n",
            vcpu->fs, vcpu->gs, (uint64_t)domain->base << EVC_PV_PAGE_SHIFT);
    show_code(vcpu, regs->rip);
    show_stack(vcpu, regs->rsp);
    show_history(vcpu);
    show_others(domain);
    show_console(console_page);
}

/* ---- --trace ---------------------------------------------------------------------------------- */

struct sums {
    uint64_t calls[EVC_PV_CALLS], unknown[EVC_PV_CALLS], beyond;
    uint64_t upcalls, traps, emulated;
};

static void add(struct sums *sums, const struct evc_pv_vcpu *vcpu)
{
    for (unsigned nr = 0; nr < EVC_PV_CALLS; nr++) {
        sums->calls[nr] += vcpu->calls[nr];
        sums->unknown[nr] += vcpu->unknown[nr];
    }
    sums->beyond += vcpu->beyond;
    sums->upcalls += vcpu->upcalls;
    sums->traps += vcpu->traps;
    sums->emulated += vcpu->emulated;
}

void evc_run_report_trace(const struct evc_pv_domain *domain,
                          const struct evc_run_tlb *tlb)
{
    struct sums sums = {0};

    for (uint32_t i = 0; i < domain->nr_vcpus; i++)
        add(&sums, &domain->vcpu[i]);
    fprintf(stderr, "hypercalls:\n");
    for (uint64_t nr = 0; nr < EVC_PV_CALLS; nr++) {
        if (sums.calls[nr] == 0 && sums.unknown[nr] == 0)
            continue;
        show_call(nr);
        fprintf(stderr, " %10" PRIu64, sums.calls[nr]);
        if (sums.unknown[nr])
            fprintf(stderr, "  %" PRIu64 " not known here (ENOSYS)",
                    sums.unknown[nr]);
        fputc('\n', stderr);
    }
    if (sums.beyond)
        fprintf(stderr, "  numbers above 63       %10" PRIu64 "\n",
                sums.beyond);
    fprintf(stderr,
            "upcalls %" PRIu64 ", traps %" PRIu64 ", instructions carried out "
            "%" PRIu64 ", TLB fills %" PRIu64 ", flushes %" PRIu64 "\n",
            sums.upcalls, sums.traps, sums.emulated, tlb->fills, tlb->flushes);
}
