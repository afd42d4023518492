/* SPDX-License-Identifier: MIT */
/*
 * Page tables: mmu_update, mmuext_op, update_va_mapping.
 *
 * Entries are stored as the guest gives them.  Nothing is validated beyond the
 * frame that is written: a guest is not kept from mapping its own tables
 * writable, because nothing here relies on it; every use of a table checks.
 *
 * Several vCPUs may write entries at once; each entry is one store.  An entry is
 * written first, the TLB is told then: see struct evc_pv_tlb.
 */
#include "pv.h"

#include <errno.h>
#include <string.h>

#include <evc/abi/numbers.h>

/* A count with this bit continues a call that Xen itself interrupted. */
#define PREEMPTED 0x80000000u

static void write_entry(uint64_t *at, uint64_t entry)
{
    __atomic_store_n(at, entry, __ATOMIC_RELAXED);
}

static void flush(struct evc_pv_vcpu *vcpu)
{
    vcpu->domain->tlb->flush(vcpu->domain->cpu);
}

static void flush_page(struct evc_pv_vcpu *vcpu, uint64_t va)
{
    vcpu->domain->tlb->flush_page(vcpu->domain->cpu, va);
}

static int report_done(struct evc_pv_vcpu *vcpu, uint64_t at, uint32_t done,
                       int r)
{
    if (at != 0 && evc_pv_copy_to(vcpu, at, &done, sizeof(done)) < 0)
        return r < 0 ? r : -EFAULT;
    return r;
}

static bool is_self(uint64_t domain)
{
    return (domain & UINT16_MAX) == DOMID_SELF;
}

/* ---- mmu_update --------------------------------------------------------------------- */

static int set_entry(struct evc_pv_vcpu *vcpu, uint64_t ptr, uint64_t val,
                     bool keep)
{
    uint8_t *page =
        evc_pv_frame(&vcpu->domain->frames, ptr >> EVC_PV_PAGE_SHIFT);
    uint64_t *at;

    if (!page || ptr % 8 != 0)
        return -EINVAL;
    at = (uint64_t *)(page + ptr % EVC_PV_PAGE);
    if (keep)
        val |= __atomic_load_n(at, __ATOMIC_RELAXED) &
               (EVC_PTE_ACCESSED | EVC_PTE_DIRTY);
    write_entry(at, val);
    return 0;
}

static int set_m2p(struct evc_pv_frames *frames, uint64_t ptr, uint64_t val)
{
    uint64_t mfn = ptr >> EVC_PV_PAGE_SHIFT;

    if (mfn < EVC_PV_FIRST_MFN || mfn >= frames->end)
        return -EINVAL;
    write_entry(&frames->m2p[mfn], val);
    return 0;
}

static int update_one(struct evc_pv_vcpu *vcpu,
                      const struct evc_pv_mmu_update *update)
{
    uint64_t ptr = update->ptr & ~(uint64_t)3;

    switch (update->ptr & 3) {
    case MMU_MACHPHYS_UPDATE:
        return set_m2p(&vcpu->domain->frames, ptr, update->val);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return set_entry(vcpu, ptr, update->val, true);
    default:
        return set_entry(vcpu, ptr, update->val, false);
    }
}

int64_t evc_pv_mmu_update(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    uint32_t count = (uint32_t)args[1] & ~PREEMPTED, done = 0;
    int r = is_self(args[3]) ? 0 : -EPERM;

    while (r == 0 && done < count && !evc_pv_has_ended(vcpu->domain)) {
        struct evc_pv_mmu_update update;

        r = evc_pv_copy_from(vcpu, &update, args[0] + done * sizeof(update),
                             sizeof(update));
        if (r == 0)
            r = update_one(vcpu, &update);
        if (r == 0)
            done++;
    }
    return report_done(vcpu, args[2], done, r);
}

/* ---- update_va_mapping ---------------------------------------------------------------- */

/* Where the entry of `va` is, present or not. */
static uint64_t *last_entry(struct evc_pv_vcpu *vcpu, uint64_t va)
{
    uint64_t mfn = vcpu->domain->base;

    for (unsigned shift = 39;; shift -= 9) {
        uint64_t *table = evc_pv_frame(&vcpu->domain->frames, mfn), entry;

        if (!table)
            return NULL;
        table += (va >> shift) % EVC_PTE_ENTRIES;
        if (shift == EVC_PV_PAGE_SHIFT)
            return table;
        entry = __atomic_load_n(table, __ATOMIC_RELAXED);
        if (!(entry & EVC_PTE_PRESENT) || (entry & EVC_PTE_LARGE))
            return NULL;
        mfn = (entry & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT;
    }
}

/*
 * The processor is told in any case, whether the guest asks for a flush or not:
 * an entry that is present will soon be used.
 */
int64_t evc_pv_update_va_mapping(struct evc_pv_vcpu *vcpu,
                                 const uint64_t args[6])
{
    uint64_t va = args[0], val = args[1];
    uint64_t *entry = last_entry(vcpu, va);

    if (!entry)
        return -EINVAL;
    if ((val & EVC_PTE_PRESENT) &&
        !evc_pv_frame(&vcpu->domain->frames,
                      (val & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT))
        return -EINVAL;
    write_entry(entry, val);
    if ((args[2] & 3) == EVC_UVMF_TLB_FLUSH)
        flush(vcpu);
    vcpu->domain->tlb->renew(vcpu->domain->cpu, va);
    return 0;
}

/* ---- mmuext_op ---------------------------------------------------------------------------- */

static int clear_page(struct evc_pv_vcpu *vcpu, uint64_t mfn)
{
    void *page = evc_pv_frame(&vcpu->domain->frames, mfn);

    if (!page)
        return -EINVAL;
    memset(page, 0, EVC_PV_PAGE);
    return 0;
}

static int copy_page(struct evc_pv_vcpu *vcpu, uint64_t to, uint64_t from)
{
    void *target = evc_pv_frame(&vcpu->domain->frames, to);
    const void *source = evc_pv_frame(&vcpu->domain->frames, from);

    if (!target || !source)
        return -EINVAL;
    memmove(target, source, EVC_PV_PAGE);
    return 0;
}

static int ext_one(struct evc_pv_vcpu *vcpu, const struct evc_pv_mmuext_op *op)
{
    switch (op->cmd) {
    case EVC_MMUEXT_NEW_BASEPTR:
        return evc_pv_set_base(vcpu, op->arg1);
    case EVC_MMUEXT_TLB_FLUSH_LOCAL:
    case EVC_MMUEXT_TLB_FLUSH_MULTI:
    case EVC_MMUEXT_TLB_FLUSH_ALL:
        flush(vcpu);
        return 0;
    case EVC_MMUEXT_INVLPG_LOCAL:
    case EVC_MMUEXT_INVLPG_MULTI:
    case EVC_MMUEXT_INVLPG_ALL:
        flush_page(vcpu, op->arg1);
        return 0;
    case EVC_MMUEXT_CLEAR_PAGE:
        return clear_page(vcpu, op->arg1);
    case EVC_MMUEXT_COPY_PAGE:
        return copy_page(vcpu, op->arg1, op->arg2);
    case EVC_MMUEXT_UNPIN:
        return evc_pv_frame(&vcpu->domain->frames, op->arg1) ? 0 : -EINVAL;
    case EVC_MMUEXT_NEW_USER_BASEPTR: /* there is no user mode */
    case EVC_MMUEXT_SET_LDT:
    case EVC_MMUEXT_FLUSH_CACHE:
    case EVC_MMUEXT_FLUSH_CACHE_GLOBAL:
        return 0;
    default:
        if (op->cmd <= EVC_MMUEXT_PIN_L4)
            return evc_pv_frame(&vcpu->domain->frames, op->arg1) ? 0 : -EINVAL;
        return -ENOSYS;
    }
}

int64_t evc_pv_mmuext_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    uint32_t count = (uint32_t)args[1] & ~PREEMPTED, done = 0;
    int r = is_self(args[3]) ? 0 : -EPERM;

    while (r == 0 && done < count && !evc_pv_has_ended(vcpu->domain)) {
        struct evc_pv_mmuext_op op;

        r = evc_pv_copy_from(vcpu, &op, args[0] + done * sizeof(op),
                             sizeof(op));
        if (r == 0)
            r = ext_one(vcpu, &op);
        if (r == 0)
            done++;
    }
    return report_done(vcpu, args[2], done, r);
}
