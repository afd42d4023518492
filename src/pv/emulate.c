/* SPDX-License-Identifier: MIT */
/*
 * What a kernel may execute and a process may not, carried out as Xen does for
 * its guests: interrupts are the upcall mask, there are no ports, few MSRs.
 */
#include "pv.h"

#include <string.h>

#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* ---- control registers ----------------------------------------------------------------- */

#define CR0    UINT64_C(0x80050033) /* paging, protection, what goes with it */
#define CR0_TS UINT64_C(8)
#define CR4    UINT64_C(0x00000660) /* PAE, PGE off, OSFXSR, OSXMMEXCPT */

static uint64_t read_cr(const struct evc_pv_vcpu *vcpu, unsigned number)
{
    const struct evc_abi_vcpu_info_x86_64 *info =
        evc_vcpu_info(vcpu->domain->events, vcpu->id);

    switch (number) {
    case 0:
        return CR0 | (vcpu->ts ? CR0_TS : 0);
    case 2:
        return info->arch.cr2;
    case 3:
        return vcpu->domain->base << EVC_PV_PAGE_SHIFT;
    case 4:
        return CR4;
    default:
        return 0;
    }
}

/* What cannot be changed is not; cr3 is for the hypercall. */
static bool write_cr(struct evc_pv_vcpu *vcpu, unsigned number, uint64_t value)
{
    struct evc_abi_vcpu_info_x86_64 *info =
        evc_vcpu_info(vcpu->domain->events, vcpu->id);

    switch (number) {
    case 0:
        vcpu->ts = (value & CR0_TS) != 0;
        return true;
    case 2:
        info->arch.cr2 = value;
        return true;
    case 3:
        return evc_pv_set_base(vcpu, value >> EVC_PV_PAGE_SHIFT) == 0;
    case 4:
        return true;
    default:
        return false;
    }
}

/* ---- MSRs ---------------------------------------------------------------------------------- */

enum {
    MSR_EFER = 0xc0000080,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS_BASE = 0xc0000102,
};

#define EFER UINT64_C(0xd01) /* long mode, NX, SYSCALL */

static bool read_msr(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    uint64_t value;

    switch ((uint32_t)regs->rcx) {
    case MSR_EFER:
        value = EFER;
        break;
    case MSR_FS_BASE:
        value = vcpu->fs;
        break;
    case MSR_GS_BASE:
        value = vcpu->gs;
        break;
    case MSR_KERNEL_GS_BASE:
        value = vcpu->gs_user;
        break;
    default:
        return false;
    }
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
    return true;
}

static bool write_msr(struct evc_pv_vcpu *vcpu, const struct evc_pv_regs *regs)
{
    uint64_t value = regs->rdx << 32 | (uint32_t)regs->rax;

    if (value >= UINT64_C(1) << 47)
        return false;
    switch ((uint32_t)regs->rcx) {
    case MSR_EFER:
        return true;
    case MSR_FS_BASE:
        vcpu->fs = value;
        break;
    case MSR_GS_BASE:
        vcpu->gs = value;
        break;
    case MSR_KERNEL_GS_BASE:
        vcpu->gs_user = value;
        break;
    default:
        return false;
    }
    vcpu->segments_changed = true;
    return true;
}

/* ---- cpuid ------------------------------------------------------------------------------------ */

#define XEN_LEAVES 0x40000000u

/* The processor's own answer, for what Xen does not answer itself. */
static void native_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
#if defined(__x86_64__)
    __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
#else
    (void)leaf;
    (void)subleaf;
    memset(out, 0, 4 * sizeof(*out));
#endif
}

static void xen_cpuid(uint32_t leaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(*out));
    if (leaf == XEN_LEAVES) {
        out[0] = XEN_LEAVES + 2;
        memcpy(out + 1, "XenVMMXenVMM", 12);
    } else if (leaf == XEN_LEAVES + 1) {
        out[0] = 4 << 16 | 17;
    }
}

static void cpuid(struct evc_pv_regs *regs)
{
    uint32_t leaf = (uint32_t)regs->rax, out[4];

    if (leaf >= XEN_LEAVES && leaf < XEN_LEAVES + 0x100)
        xen_cpuid(leaf, out);
    else
        native_cpuid(leaf, (uint32_t)regs->rcx, out);
    if (leaf == 1) /* no global pages, MTRRs, machine checks, PSE; no x2APIC */
        out[3] &= ~(1u << 13 | 1u << 12 | 1u << 7 | 1u << 3 | 1u << 14);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
}

/* ---- privileged instructions -------------------------------------------------------------------- */

static void halt(struct evc_pv_vcpu *vcpu)
{
    const uint64_t args[6] = {SCHEDOP_block};

    evc_hypercall(vcpu->domain->events, vcpu->id, __HYPERVISOR_sched_op, args);
}

/* Nothing answers on any port: all bits are set. */
static void in_port(struct evc_pv_regs *regs, unsigned size)
{
    uint64_t ones = size == 4 ? UINT32_MAX : (UINT64_C(1) << 8 * size) - 1;

    regs->rax = size == 4 ? ones : regs->rax | ones;
}

static bool carry_out(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                      const struct evc_pv_instruction *in)
{
    switch (in->operation) {
    case EVC_OP_CLI:
    case EVC_OP_STI:
        evc_pv_mask(vcpu, in->operation == EVC_OP_CLI);
        return true;
    case EVC_OP_HLT:
        halt(vcpu);
        return true;
    case EVC_OP_IN:
        in_port(regs, in->size);
        return true;
    case EVC_OP_OUT:
    case EVC_OP_WBINVD:
        return true;
    case EVC_OP_CLTS:
        vcpu->ts = false;
        return true;
    case EVC_OP_READ_CR:
        *evc_pv_reg(regs, in->reg) = read_cr(vcpu, in->number);
        return true;
    case EVC_OP_WRITE_CR:
        return write_cr(vcpu, in->number, *evc_pv_reg(regs, in->reg));
    case EVC_OP_READ_DR:
        *evc_pv_reg(regs, in->reg) = vcpu->debug[in->number % 8];
        return true;
    case EVC_OP_WRITE_DR:
        vcpu->debug[in->number % 8] = *evc_pv_reg(regs, in->reg);
        return true;
    case EVC_OP_RDMSR:
        return read_msr(vcpu, regs);
    case EVC_OP_WRMSR:
        return write_msr(vcpu, regs);
    case EVC_OP_INVLPG:
        vcpu->domain->tlb->flush(vcpu->domain->cpu);
        return true;
    case EVC_OP_CPUID:
        cpuid(regs);
        return true;
    default:
        return false;
    }
}

static void decode_at(const struct evc_pv_vcpu *vcpu, uint64_t rip,
                      struct evc_pv_instruction *out)
{
    uint8_t bytes[15];

    evc_pv_decode(bytes, evc_pv_fetch(vcpu, bytes, rip, sizeof(bytes)), out);
}

bool evc_pv_emulate(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    struct evc_pv_instruction in;

    decode_at(vcpu, regs->rip, &in);
    if (!carry_out(vcpu, regs, &in))
        return false;
    regs->rip += in.length;
    vcpu->emulated++;
    return true;
}

/* ---- memory that is not what it seems --------------------------------------------------------- */

static void load(struct evc_pv_regs *regs, const struct evc_pv_instruction *in,
                 uint64_t value)
{
    uint64_t *reg = evc_pv_reg(regs, in->reg);

    if (in->size == 8)
        *reg = value;
    else if (in->size == 4)
        *reg = (uint32_t)value;
    else
        *reg = (*reg & ~UINT64_C(0xffff)) | (uint16_t)value;
}

static bool is_m2p(const struct evc_pv_frames *frames, uint64_t address)
{
    return address >= EVC_PV_M2P_START &&
           address - EVC_PV_M2P_START < frames->end * 8;
}

static bool read_m2p(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                     uint64_t address, const struct evc_pv_instruction *in)
{
    const struct evc_pv_frames *frames = &vcpu->domain->frames;
    uint64_t at = address - EVC_PV_M2P_START, value;

    if (in->operation != EVC_OP_LOAD || at % 8 + in->size > 8)
        return false;
    value = __atomic_load_n(&frames->m2p[at / 8], __ATOMIC_RELAXED);
    load(regs, in, value >> 8 * (at % 8));
    return true;
}

/* Whole entries only, as Xen's own emulation of writable page tables has it. */
static bool write_table(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                        uint64_t address, const struct evc_pv_instruction *in)
{
    struct evc_pv_page page;
    uint64_t *at, *reg = evc_pv_reg(regs, in->reg);

    if (in->size != 8 || address % 8 != 0 ||
        evc_pv_walk(vcpu->domain, address, &page) < 0 ||
        !evc_pv_is_table(vcpu->domain, page.mfn))
        return false;
    at = evc_pv_frame(&vcpu->domain->frames, page.mfn);
    at += address % EVC_PV_PAGE / 8;
    if (in->operation == EVC_OP_STORE)
        __atomic_store_n(at, *reg, __ATOMIC_SEQ_CST);
    else if (in->operation == EVC_OP_STORE_VALUE)
        __atomic_store_n(at, in->value, __ATOMIC_SEQ_CST);
    else if (in->operation == EVC_OP_EXCHANGE)
        *reg = __atomic_exchange_n(at, *reg, __ATOMIC_SEQ_CST);
    else
        return false;
    return true;
}

bool evc_pv_emulate_access(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                           uint64_t address, bool write)
{
    struct evc_pv_instruction in;
    bool done;

    if (!write && !is_m2p(&vcpu->domain->frames, address))
        return false;
    decode_at(vcpu, regs->rip, &in);
    done = write ? write_table(vcpu, regs, address, &in)
                 : read_m2p(vcpu, regs, address, &in);
    if (!done)
        return false;
    regs->rip += in.length;
    vcpu->emulated++;
    return true;
}
