/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: their vcpu_info, moving it, their clocks, and telling them.
 *
 *   here                  there                   if it were weaker
 *   --------------------  ----------------------  ------------------------------
 *   I1 move info      sc  P5 read info        sc  event announced at the old
 *   I2 set selectors  sc  P1 set pending      sc  place after the guest's rescan
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include <evc/abi/layouts.h>

#include "lines.h"

/* ---- making ------------------------------------------------------------------ */

static int vcpu_init(struct evc_domain *domain, unsigned v)
{
    struct evc_vcpu *vcpu = &domain->vcpu[v];

    vcpu->domain = domain;
    vcpu->id = v;
    for (unsigned i = 0; i < EVC_TIMERS; i++)
        vcpu->timer[i].vcpu = vcpu;
    return evc_sleeper_init(&vcpu->sleeper);
}

int evc_vcpus_create(struct evc_domain *domain)
{
    const struct evc_shape *shape = atomic_load(&domain->delivery)->shape;
    uint32_t n = domain->vcpus;

    domain->vcpus = 0; /* how many there are to destroy */
    domain->info = calloc(n, sizeof(*domain->info));
    domain->slots = evc_alloc_lines(n, sizeof(*domain->slots));
    domain->vcpu = evc_alloc_lines(n, sizeof(*domain->vcpu));
    if (domain->info == NULL || domain->slots == NULL || domain->vcpu == NULL)
        return -ENOMEM;
    for (unsigned v = 0; v < n; v++) {
        uint8_t *info = domain->slots[v].bytes;

        if (v < shape->slots)
            info = domain->shared_info + v * shape->info_size;
        atomic_store(&domain->info[v], info);
        if (vcpu_init(domain, v) < 0)
            return -ENOMEM;
        domain->vcpus = v + 1;
        if (v < shape->slots)
            evc_time_write(&domain->vcpu[v]);
    }
    return 0;
}

void evc_vcpus_destroy(struct evc_domain *domain)
{
    for (unsigned v = 0; v < domain->vcpus; v++) {
        struct evc_vcpu *vcpu = &domain->vcpu[v];

        if (vcpu->info_page != NULL)
            domain->engine->ops.unmap(domain->cookie, vcpu->info_gfn,
                                      vcpu->info_page);
        evc_sleeper_finish(&vcpu->sleeper);
    }
    free(domain->vcpu);
    free(domain->slots);
    free((void *)domain->info);
}

void *evc_vcpu_info(const struct evc_domain *domain, uint32_t vcpu)
{
    return vcpu < domain->vcpus ? atomic_load(&domain->info[vcpu]) : NULL;
}

void evc_vcpu_set_online(struct evc_domain *domain, uint32_t vcpu, bool online)
{
    if (vcpu < domain->vcpus)
        evc_a32_store_sc(&domain->vcpu[vcpu].online, online);
}

/* ---- upcalls ------------------------------------------------------------------ */

bool evc_vcpu_deliverable(const struct evc_domain *domain, uint32_t vcpu)
{
    const struct evc_shape *shape;
    const uint8_t *info;
    bool due;

    if (vcpu >= domain->vcpus)
        return false;
    evc_rcu_lock();
    shape = evc_domain_delivery(domain)->shape;
    info = atomic_load(&domain->info[vcpu]);
    /* K3, pairs with P4 */
    due = evc_a8_load_sc((const evc_a8 *)(const void *)info) != 0;
    if (due && shape->has_mask)
        due = evc_a8_load_sc((const evc_a8 *)(const void *)(info + 1)) == 0;
    evc_rcu_unlock();
    return due;
}

void evc_vcpu_kick(struct evc_vcpu *vcpu)
{
    struct evc_domain *domain = vcpu->domain;

    if (evc_a32_load_sc(&vcpu->waiting) != EVC_VCPU_RUNNING) /* K2, with K1 */
        evc_vcpu_wake(domain, vcpu->id);
    domain->engine->ops.kick(domain->cookie, vcpu->id);
}

/* ---- moving vcpu_info ----------------------------------------------------------- */

static int check_place(const struct evc_vcpu *vcpu, uint32_t self,
                       const struct evc_shape *shape, uint32_t offset)
{
    uint32_t word = shape->wide ? 8 : 4;

    if (offset > EVC_PAGE_SIZE - shape->info_size || offset % word != 0)
        return -ENXIO;
    if (vcpu->info_page != NULL)
        return -EINVAL;
    /* A vCPU that runs would be told at the old place by itself. */
    if (vcpu->id != self && evc_a32_load_acq(&vcpu->online) != 0)
        return -EINVAL;
    return 0;
}

/*
 * The new place announces everything, so that the guest rescans: an event that
 * was told to the old place a moment ago is found all the same.
 */
static void announce_all(const struct evc_shape *shape, uint8_t *info)
{
    uint8_t *selector = info + shape->sel_offset;

    /* I2, pairs with P1 */
    if (shape->wide)
        (void)evc_a64_set_sc((evc_a64 *)(void *)selector, UINT64_MAX);
    else
        (void)evc_a32_set_sc((evc_a32 *)(void *)selector, UINT32_MAX);
    (void)evc_a8_set_sc((evc_a8 *)(void *)info, 1);
}

static void move_info(struct evc_vcpu *vcpu, const struct evc_shape *shape,
                      uint8_t *to)
{
    struct evc_domain *domain = vcpu->domain;
    uint8_t *from = atomic_load(&domain->info[vcpu->id]);

    memcpy(to, from, shape->info_size);
    if (vcpu->id >= shape->slots && shape->has_mask)
        to[1] = 1; /* it had none: closed until the guest opens it */
    evc_time_write(vcpu);
    atomic_store(&domain->info[vcpu->id], to); /* I1, pairs with P5 */
    evc_time_write(vcpu);
    announce_all(shape, to);
}

int evc_vcpu_register_info(struct evc_vcpu *vcpu, uint32_t self, uint64_t gfn,
                           uint32_t offset)
{
    struct evc_domain *domain = vcpu->domain;
    const struct evc_shape *shape;
    void *page = NULL;
    int r;

    pthread_mutex_lock(&domain->lock);
    shape = atomic_load(&domain->delivery)->shape;
    r = check_place(vcpu, self, shape, offset);
    if (r == 0)
        r = domain->engine->ops.map(domain->cookie, gfn, &page);
    if (r == 0) {
        move_info(vcpu, shape, (uint8_t *)page + offset);
        vcpu->info_page = page;
        vcpu->info_gfn = gfn;
    }
    pthread_mutex_unlock(&domain->lock);
    if (r == 0)
        evc_vcpu_kick(vcpu);
    return r;
}

/* ---- clocks ---------------------------------------------------------------------- */

/* The odd version tells readers that the rest is being written. */
static uint32_t version_odd(evc_a32 *version)
{
    uint32_t odd = evc_a32_load_rlx(version) | 1;

    evc_a32_store_sc(version, odd);
    atomic_thread_fence(memory_order_seq_cst);
    return odd;
}

void evc_time_write(struct evc_vcpu *vcpu)
{
    struct evc_domain *domain = vcpu->domain;
    const struct evc_shape *shape = evc_domain_delivery(domain)->shape;
    uint8_t *at = (uint8_t *)atomic_load(&domain->info[vcpu->id]) +
                  shape->time_offset;
    evc_a32 *version = (evc_a32 *)(void *)at;
    struct evc_time now = {0};
    uint32_t odd;

    domain->engine->ops.clock(domain->engine->host, &now);
    odd = version_odd(version);
    evc_a64_store_rlx((evc_a64 *)(void *)(at + 8), now.tsc_timestamp);
    evc_a64_store_rlx((evc_a64 *)(void *)(at + 16), now.system_time);
    evc_a32_store_rlx((evc_a32 *)(void *)(at + 24), now.tsc_to_system_mul);
    evc_a32_store_rlx((evc_a32 *)(void *)(at + 28),
                      (uint8_t)now.tsc_shift | (uint32_t)now.flags << 8);
    evc_a32_store_rel(version, odd + 1);
}

void evc_vcpu_update_time(struct evc_domain *domain, uint32_t vcpu)
{
    if (vcpu >= domain->vcpus)
        return;
    pthread_mutex_lock(&domain->lock); /* one writer of a version at a time */
    evc_time_write(&domain->vcpu[vcpu]);
    pthread_mutex_unlock(&domain->lock);
}

void evc_domain_set_wallclock(struct evc_domain *domain, uint64_t ns)
{
    const struct evc_shape *shape;
    uint64_t sec = ns / 1000000000u;
    uint8_t *page = domain->shared_info;
    evc_a32 *version;
    uint32_t odd;

    pthread_mutex_lock(&domain->lock);
    shape = atomic_load(&domain->delivery)->shape;
    version = (evc_a32 *)(void *)(page + shape->wallclock);
    odd = version_odd(version);
    evc_a32_store_rlx(version + 1, (uint32_t)sec);
    evc_a32_store_rlx(version + 2, (uint32_t)(ns % 1000000000u));
    if (shape->wc_sec_hi != 0)
        evc_a32_store_rlx((evc_a32 *)(void *)(page + shape->wc_sec_hi),
                          (uint32_t)(sec >> 32));
    evc_a32_store_rel(version, odd + 1);
    pthread_mutex_unlock(&domain->lock);
}
