/* SPDX-License-Identifier: MIT */
/*
 * memory_op: how much there is, and giving some of it up for a while.
 *
 * A frame that was given up has no entry in the machine-to-physical table; it
 * may be taken back.  A domain never has more than it started with.  Each frame
 * is given up or taken under the domain's lock.
 */
#include "pv.h"

#include <errno.h>
#include <sys/mman.h>

#include <evc/abi/numbers.h>

/* Bits above these say where a call that Xen interrupted goes on. */
#define COMMAND 63u

static bool is_own(const struct evc_pv_frames *frames, uint64_t mfn)
{
    return mfn >= EVC_PV_FIRST_MFN && mfn < frames->end &&
           __atomic_load_n(&frames->m2p[mfn], __ATOMIC_RELAXED) !=
               EVC_PV_NO_PFN;
}

static void set_pfn(struct evc_pv_frames *frames, uint64_t mfn, uint64_t pfn)
{
    __atomic_store_n(&frames->m2p[mfn], pfn, __ATOMIC_RELAXED);
}

/* ---- less and more ------------------------------------------------------------------ */

/* What is given up reads as zero if it comes back. */
static int give_up(struct evc_pv_frames *frames, uint64_t mfn)
{
    if (!is_own(frames, mfn))
        return -EINVAL;
    set_pfn(frames, mfn, EVC_PV_NO_PFN);
    frames->given_up++;
    madvise(evc_pv_frame(frames, mfn), EVC_PV_PAGE, MADV_REMOVE);
    return 0;
}

static int take_back(struct evc_pv_frames *frames, uint64_t pfn, uint64_t *out)
{
    if (frames->given_up == 0)
        return -ENOMEM;
    for (uint64_t mfn = EVC_PV_FIRST_MFN; mfn < frames->end; mfn++)
        if (!is_own(frames, mfn)) {
            set_pfn(frames, mfn, pfn == EVC_PV_NO_PFN ? 0 : pfn);
            frames->given_up--;
            *out = mfn;
            return 0;
        }
    return -ENOMEM;
}

static int decrease_one(struct evc_pv_vcpu *vcpu, uint64_t at)
{
    uint64_t mfn;

    if (evc_pv_copy_from(vcpu, &mfn, at, sizeof(mfn)) < 0)
        return -EFAULT;
    return give_up(&vcpu->domain->frames, mfn);
}

/* populate_physmap says for which of its pages; increase does not. */
static int increase_one(struct evc_pv_vcpu *vcpu, uint64_t at, bool named)
{
    uint64_t pfn = EVC_PV_NO_PFN, mfn;
    int r;

    if (named && evc_pv_copy_from(vcpu, &pfn, at, sizeof(pfn)) < 0)
        return -EFAULT;
    r = take_back(&vcpu->domain->frames, pfn, &mfn);
    if (r == 0 && at != 0)
        r = evc_pv_copy_to(vcpu, at, &mfn, sizeof(mfn));
    return r;
}

/* Return: how many extents were done. */
static int64_t change(struct evc_pv_vcpu *vcpu, uint32_t command, uint64_t arg)
{
    struct evc_pv_reservation raw;
    uint64_t done = 0;
    int r = evc_pv_copy_from(vcpu, &raw, arg, sizeof(raw));

    if (r < 0)
        return r;
    if (raw.domid != DOMID_SELF)
        return -EPERM;
    if (raw.extent_order != 0)
        return 0; /* nothing that large is to be had */
    while (r == 0 && done < raw.nr_extents && !evc_pv_has_ended(vcpu->domain)) {
        uint64_t at = raw.extent_start + done * 8;

        pthread_mutex_lock(&vcpu->domain->lock);
        r = command == EVC_XENMEM_DECREASE_RESERVATION
                ? decrease_one(vcpu, at)
                : increase_one(vcpu, at,
                               command == EVC_XENMEM_POPULATE_PHYSMAP);
        pthread_mutex_unlock(&vcpu->domain->lock);
        if (r == 0)
            done++;
    }
    return (int64_t)done;
}

/* ---- asking ------------------------------------------------------------------------------ */

static int64_t memory_map(struct evc_pv_vcpu *vcpu, uint64_t arg)
{
    struct evc_pv_memory_map map;
    struct evc_pv_e820 all = {
        .size = vcpu->domain->frames.nr_pages << EVC_PV_PAGE_SHIFT,
        .type = 1,
    };

    if (evc_pv_copy_from(vcpu, &map, arg, sizeof(map)) < 0)
        return -EFAULT;
    if (map.nr_entries == 0)
        return -EINVAL;
    map.nr_entries = 1;
    if (evc_pv_copy_to(vcpu, map.buffer, &all, sizeof(all)) < 0)
        return -EFAULT;
    return evc_pv_copy_to(vcpu, arg, &map, sizeof(map));
}

static int64_t machphys(struct evc_pv_vcpu *vcpu, uint64_t arg)
{
    struct evc_pv_machphys where = {
        .v_start = EVC_PV_M2P_START,
        .v_end = EVC_PV_M2P_END,
        .max_mfn = vcpu->domain->frames.end - 1,
    };

    return evc_pv_copy_to(vcpu, arg, &where, sizeof(where));
}

int64_t evc_pv_memory_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    const struct evc_pv_frames *frames = &vcpu->domain->frames;
    uint32_t command = (uint32_t)args[0] & COMMAND;

    switch (command) {
    case EVC_XENMEM_INCREASE_RESERVATION:
    case EVC_XENMEM_DECREASE_RESERVATION:
    case EVC_XENMEM_POPULATE_PHYSMAP:
        return change(vcpu, command, args[1]);
    case EVC_XENMEM_MAXIMUM_RAM_PAGE:
        return (int64_t)(frames->end - 1);
    case EVC_XENMEM_CURRENT_RESERVATION:
        return (int64_t)(frames->nr_pages - frames->given_up);
    case EVC_XENMEM_MAXIMUM_RESERVATION:
        return (int64_t)frames->nr_pages;
    case EVC_XENMEM_MAXIMUM_GPFN:
        return (int64_t)(frames->nr_pages - 1);
    case EVC_XENMEM_MEMORY_MAP:
        return memory_map(vcpu, args[1]);
    case EVC_XENMEM_MACHPHYS_MAPPING:
        return machphys(vcpu, args[1]);
    default:
        return -ENOSYS;
    }
}
