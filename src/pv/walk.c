/* SPDX-License-Identifier: MIT */
/*
 * The guest's addresses: its page tables walked in machine memory.
 *
 * The guest may change an entry at any time, and what an entry names may be
 * anything; so each is read once, and its frame looked up with its bounds.
 */
#include "pv.h"

#include <errno.h>
#include <string.h>

static bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static uint64_t read_entry(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static uint64_t *entry_of(const struct evc_pv_domain *domain, uint64_t mfn,
                          uint64_t va, unsigned shift)
{
    uint64_t *table = evc_pv_frame(&domain->frames, mfn);

    return table ? &table[(va >> shift) % EVC_PTE_ENTRIES] : NULL;
}

int evc_pv_walk(const struct evc_pv_domain *domain, uint64_t va,
                struct evc_pv_page *out)
{
    uint64_t mfn = domain->base, rights = EVC_PTE_WRITE, never = 0;

    if (!is_canonical(va))
        return -EFAULT;
    for (unsigned shift = 39; shift >= EVC_PV_PAGE_SHIFT; shift -= 9) {
        uint64_t *at = entry_of(domain, mfn, va, shift), entry;

        if (!at)
            return -EFAULT;
        entry = read_entry(at);
        if (!(entry & EVC_PTE_PRESENT) ||
            (shift > EVC_PV_PAGE_SHIFT && (entry & EVC_PTE_LARGE)))
            return -EFAULT;
        rights &= entry;
        never |= entry & EVC_PTE_NX;
        mfn = (entry & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT;
        out->pte = at;
    }
    if (!evc_pv_frame(&domain->frames, mfn))
        return -EFAULT;
    out->mfn = mfn;
    out->write = rights != 0;
    out->exec = never == 0;
    return 0;
}

/* ---- which frames are tables ---------------------------------------------------- */

/* A table that names itself would have this go on for long. */
#define LOOKS_MAX (1u << 20)

struct search {
    const struct evc_pv_frames *frames;
    uint64_t wanted;
    unsigned looks;
};

/* Below `mfn`, a table `level` steps above the last. */
static bool search_table(struct search *search, uint64_t mfn, unsigned level)
{
    const uint64_t *table = evc_pv_frame(search->frames, mfn);

    if (!table || mfn == search->wanted)
        return table != NULL;
    if (level == 0)
        return false;
    for (unsigned i = 0; i < EVC_PTE_ENTRIES; i++) {
        uint64_t entry = read_entry(&table[i]);

        if (search->looks++ >= LOOKS_MAX)
            return false;
        if ((entry & EVC_PTE_PRESENT) && !(entry & EVC_PTE_LARGE) &&
            search_table(search, (entry & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT,
                         level - 1))
            return true;
    }
    return false;
}

bool evc_pv_is_table(const struct evc_pv_domain *domain, uint64_t mfn)
{
    struct search search = {.frames = &domain->frames, .wanted = mfn};

    return search_table(&search, domain->base, 3);
}

/* ---- copying ------------------------------------------------------------------------ */

/*
 * libc's memcpy() uses vector registers, and so would a loop that the compiler
 * knows for one.  Most of what guests pass is small.
 */
#define SMALL 256u

static void copy(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    uint64_t word;

    if (size > SMALL) {
        memcpy(to, from, size);
        return;
    }
    for (; size >= 8; size -= 8, out += 8, in += 8) {
        memcpy(&word, in, 8);
        memcpy(out, &word, 8);
        __asm__ volatile("" ::: "memory");
    }
    for (; size > 0; size--) {
        *out++ = *in++;
        __asm__ volatile("" ::: "memory");
    }
}

/* Bytes from `va` to the end of its page, at most `size`. */
static size_t to_page_end(uint64_t va, size_t size)
{
    size_t left = EVC_PV_PAGE - va % EVC_PV_PAGE;

    return size < left ? size : left;
}

static uint8_t *host_address(const struct evc_pv_vcpu *vcpu, uint64_t va,
                             bool write)
{
    struct evc_pv_page page;
    uint8_t *at;

    if (evc_pv_walk(vcpu->domain, va, &page) < 0 || (write && !page.write))
        return NULL;
    at = evc_pv_frame(&vcpu->domain->frames, page.mfn);
    return at + va % EVC_PV_PAGE;
}

int evc_pv_copy_from(const struct evc_pv_vcpu *vcpu, void *to, uint64_t from,
                     size_t size)
{
    uint8_t *into = to;

    while (size > 0) {
        size_t n = to_page_end(from, size);
        const uint8_t *at = host_address(vcpu, from, false);

        if (!at)
            return -EFAULT;
        copy(into, at, n);
        into += n;
        from += n;
        size -= n;
    }
    return 0;
}

/* All or nothing: every page is looked at before the first is written. */
int evc_pv_copy_to(const struct evc_pv_vcpu *vcpu, uint64_t to,
                   const void *from, size_t size)
{
    const uint8_t *bytes = from;

    for (size_t n, done = 0; done < size; done += n) {
        n = to_page_end(to + done, size - done);
        if (!host_address(vcpu, to + done, true))
            return -EFAULT;
    }
    while (size > 0) {
        size_t n = to_page_end(to, size);
        uint8_t *at = host_address(vcpu, to, true);

        if (!at)
            return -EFAULT; /* its tables have just changed */
        copy(at, bytes, n);
        bytes += n;
        to += n;
        size -= n;
    }
    return 0;
}

size_t evc_pv_fetch(const struct evc_pv_vcpu *vcpu, void *to, uint64_t rip,
                    size_t size)
{
    size_t first = to_page_end(rip, size);

    if (evc_pv_copy_from(vcpu, to, rip, first) < 0)
        return 0;
    if (first < size && evc_pv_copy_from(vcpu, (uint8_t *)to + first,
                                         rip + first, size - first) == 0)
        return size;
    return first;
}
