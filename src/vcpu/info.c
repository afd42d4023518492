/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: making them, and where their vcpu_info is.
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    I1 move info      sc  P5 read info        sc  event told at the old
 *    I2 set selectors  sc  P1 set pending      sc  place after the rescan
 *    I3 fence          sc  P1 set pending      sc  the rescan is too early
 */
#include "vcpu.h"

#include <stdlib.h>

#include "lines.h"

/* ---- making ------------------------------------------------------------- */

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
    const struct evc_shape *shape = evc_delivery_shape(&domain->delivery);
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
    }
    return 0;
}

void evc_vcpus_destroy(struct evc_domain *domain)
{
    /* Without the array it was never counted how many there are. */
    for (unsigned v = 0; domain->vcpu != NULL && v < domain->vcpus; v++) {
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

/* ---- moving vcpu_info --------------------------------------------------- */

bool evc_info_fits(const struct evc_shape *shape, uint64_t offset)
{
    return offset <= EVC_PAGE_SIZE - shape->info_size &&
           offset % (shape->wide ? 8 : 4) == 0;
}

static int check_place(const struct evc_vcpu *vcpu, uint32_t self,
                       const struct evc_shape *shape, uint32_t offset)
{
    if (!evc_info_fits(shape, offset))
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

/*
 * Copy what stands at the old place, word by word through a local: a guest may
 * have named the same memory again, shifted, and senders change it meanwhile.
 * A vCPU that had none starts with its upcall mask closed.
 */
static void copy_info(const struct evc_vcpu *vcpu,
                      const struct evc_shape *shape, uint8_t *to)
{
    const uint8_t *from = atomic_load(&vcpu->domain->info[vcpu->id]);
    uint32_t word[EVC_VCPU_INFO_SIZE / 4];
    unsigned n = shape->info_size / 4u;

    for (unsigned i = 0; i < n; i++)
        word[i] = evc_a32_load_rlx((const evc_a32 *)(const void *)from + i);
    if (vcpu->id >= shape->slots && shape->has_mask)
        word[0] = (word[0] & ~0xff00u) | 0x100;
    for (unsigned i = 0; i < n; i++)
        evc_a32_store_rlx((evc_a32 *)(void *)to + i, word[i]);
}

static void move_info(struct evc_vcpu *vcpu, const struct evc_shape *shape,
                      uint8_t *to)
{
    copy_info(vcpu, shape, to);
    atomic_store(&vcpu->domain->info[vcpu->id], to); /* I1, pairs with P5 */
    evc_time_write(vcpu);
    announce_all(shape, to);
    /* I3, pairs with P1: the guest's own look may be as weak as it likes. */
    evc_fence_sc();
}

int evc_vcpu_register_info(struct evc_vcpu *vcpu, uint32_t self, uint64_t gfn,
                           uint32_t offset)
{
    struct evc_domain *domain = vcpu->domain;
    const struct evc_shape *shape;
    void *page = NULL;
    int r;

    evc_spin_lock(&domain->lock);
    shape = evc_delivery_shape(&domain->delivery);
    r = check_place(vcpu, self, shape, offset);
    if (r == 0)
        r = domain->engine->ops.map(domain->cookie, gfn, &page);
    if (r == 0) {
        move_info(vcpu, shape, (uint8_t *)page + offset);
        vcpu->info_page = page;
        vcpu->info_gfn = gfn;
    }
    evc_spin_unlock(&domain->lock);
    if (r == 0)
        evc_vcpu_kick(domain, vcpu->id);
    return r;
}
