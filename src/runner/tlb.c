/* SPDX-License-Identifier: MIT */
/*
 * The process' mappings are the guest's TLB: made when the guest touches a page
 * that its tables map, gone when it asks for a flush.  The tables themselves
 * stay as the guest wrote them; nothing shadows them.
 *
 * vCPUs share these mappings, so a flush is one for all of them, when it
 * returns.  Looking at the tables and mapping what they say is one step, under
 * the lock; so is a flush.  Whoever changes a table does it before the flush:
 * what was looked up before the change is mapped before the flush, too.
 *
 * The kernel allows a process some 65,000 mappings; long before that, all are
 * thrown away, and those in use come back by faults.
 */
#include "runner.h"

#include <errno.h>
#include <sys/mman.h>

#define MAPPINGS_MAX 30000u

static int protection(bool write, bool exec)
{
    return PROT_READ | (write ? PROT_WRITE : 0) | (exec ? PROT_EXEC : 0);
}

void evc_run_tlb_init(struct evc_run_tlb *tlb,
                      const struct evc_pv_domain *domain)
{
    pthread_mutex_init(&tlb->lock, NULL);
    tlb->domain = domain;
}

static void unmap_all(struct evc_run_tlb *tlb)
{
    munmap(NULL, EVC_RUN_HOST);
    tlb->mappings = 0;
    tlb->flushes++;
}

static void unmap(struct evc_run_tlb *tlb, uint64_t va)
{
    if (va >= EVC_RUN_HOST)
        return;
    munmap((void *)(va & ~(uint64_t)(EVC_PV_PAGE - 1)), EVC_PV_PAGE);
    tlb->mappings++; /* one may have become two */
}

static int map(struct evc_run_tlb *tlb, uint64_t va, uint64_t mfn,
               uint64_t pages, int prot)
{
    const struct evc_pv_frames *frames = &tlb->domain->frames;
    bool is_peers = mfn >= EVC_PV_PEER_MFN;
    void *at = (void *)va;

    if (tlb->mappings >= MAPPINGS_MAX)
        unmap_all(tlb);
    tlb->mappings += 2;
    if (is_peers)
        mfn -= EVC_PV_PEER_MFN;
    if (mmap(at, pages * EVC_PV_PAGE, prot, MAP_SHARED | MAP_FIXED,
             is_peers ? frames->peer_fd : frames->fd,
             (off_t)(mfn * EVC_PV_PAGE)) == at)
        return 0;
    return -errno;
}

/* ---- filling ------------------------------------------------------------------------ */

#define SAME (EVC_PTE_PRESENT | EVC_PTE_WRITE | EVC_PTE_NX)

/* Does `entry` map the frame `mfn` with the rights of `like`? */
static bool continues(uint64_t entry, uint64_t like, uint64_t mfn)
{
    return (entry & SAME) == (like & SAME) &&
           (entry & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT == mfn;
}

static uint64_t load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

struct run {
    uint64_t before, after; /* pages that go with it */
};

/* Within the table the entry is in. */
static struct run find_run(const struct evc_pv_frames *frames,
                           const struct evc_pv_page *page, uint64_t va)
{
    uint64_t index = (va >> EVC_PV_PAGE_SHIFT) % EVC_PTE_ENTRIES;
    uint64_t like = load(page->pte);
    struct run run = {0};

    while (run.after + index + 1 < EVC_PTE_ENTRIES &&
           page->mfn + run.after + 1 < frames->end &&
           continues(load(page->pte + run.after + 1), like,
                     page->mfn + run.after + 1))
        run.after++;
    while (run.before < index && page->mfn > run.before + 1 &&
           continues(load(page->pte - run.before - 1), like,
                     page->mfn - run.before - 1))
        run.before++;
    return run;
}

static int fill(struct evc_run_tlb *tlb, const struct evc_pv_page *page,
                uint64_t va)
{
    struct run run = find_run(&tlb->domain->frames, page, va);
    uint64_t first = va / EVC_PV_PAGE - run.before;

    tlb->fills++;
    return map(tlb, first * EVC_PV_PAGE, page->mfn - run.before,
               run.before + 1 + run.after, protection(page->write, page->exec));
}

static bool allows(const struct evc_pv_page *page, unsigned how)
{
    return (!(how & EVC_RUN_WRITE) || page->write) &&
           (!(how & EVC_RUN_EXEC) || page->exec);
}

int evc_run_tlb_fill(struct evc_run_tlb *tlb, uint64_t va, unsigned how)
{
    struct evc_pv_page page;
    int r;

    pthread_mutex_lock(&tlb->lock);
    r = evc_pv_walk(tlb->domain, va, &page);
    if (r == 0 && (va >= EVC_RUN_HOST || !allows(&page, how)))
        r = -EACCES;
    if (r == 0)
        r = fill(tlb, &page, va);
    pthread_mutex_unlock(&tlb->lock);
    return r;
}

/* ---- being told ------------------------------------------------------------------------ */

static void flush(void *cookie)
{
    struct evc_run_tlb *tlb = cookie;

    pthread_mutex_lock(&tlb->lock);
    unmap_all(tlb);
    pthread_mutex_unlock(&tlb->lock);
}

static void flush_page(void *cookie, uint64_t va)
{
    struct evc_run_tlb *tlb = cookie;

    pthread_mutex_lock(&tlb->lock);
    unmap(tlb, va);
    pthread_mutex_unlock(&tlb->lock);
}

/* As the tables say now; what cannot be mapped, a fault will find out about. */
static void renew(void *cookie, uint64_t va)
{
    struct evc_run_tlb *tlb = cookie;
    struct evc_pv_page page;

    va &= ~(uint64_t)(EVC_PV_PAGE - 1);
    if (va >= EVC_RUN_HOST)
        return;
    pthread_mutex_lock(&tlb->lock);
    if (evc_pv_walk(tlb->domain, va, &page) < 0 ||
        map(tlb, va, page.mfn, 1, protection(page.write, page.exec)) < 0)
        unmap(tlb, va);
    pthread_mutex_unlock(&tlb->lock);
}

const struct evc_pv_tlb evc_run_tlb_ops = {
    .flush = flush,
    .flush_page = flush_page,
    .renew = renew,
};
