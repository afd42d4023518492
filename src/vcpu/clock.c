/* SPDX-License-Identifier: MIT */
/*
 * The clocks a guest reads: vcpu_time_info and the wall clock, each written
 * while its version counter is odd.  One writer at a time: the domain's lock.
 */
#include "vcpu.h"

/* The odd version tells readers that the rest is being written. */
static uint32_t version_odd(evc_a32 *version)
{
    uint32_t odd = evc_a32_load_rlx(version) | 1;

    evc_a32_store_sc(version, odd);
    atomic_thread_fence(memory_order_seq_cst);
    return odd;
}

/* A 32-bit guest aligns its vcpu_info to 4; the version makes halves whole. */
static void store_halves(uint8_t *at, uint64_t value)
{
    evc_a32_store_rlx((evc_a32 *)(void *)at, (uint32_t)value);
    evc_a32_store_rlx((evc_a32 *)(void *)at + 1, (uint32_t)(value >> 32));
}

void evc_time_write(struct evc_vcpu *vcpu)
{
    struct evc_domain *domain = vcpu->domain;
    const struct evc_shape *shape = evc_delivery_shape(&domain->delivery);
    uint8_t *at =
        (uint8_t *)atomic_load(&domain->info[vcpu->id]) + shape->time_offset;
    evc_a32 *version = (evc_a32 *)(void *)at;
    struct evc_time now = {0};
    uint32_t odd;

    domain->engine->ops.clock(domain->engine->host, &now);
    odd = version_odd(version);
    store_halves(at + 8, now.tsc_timestamp);
    store_halves(at + 16, now.system_time);
    evc_a32_store_rlx((evc_a32 *)(void *)(at + 24), now.tsc_to_system_mul);
    evc_a32_store_rlx((evc_a32 *)(void *)(at + 28),
                      (uint8_t)now.tsc_shift | (uint32_t)now.flags << 8);
    evc_a32_store_rel(version, odd + 1);
}

void evc_vcpu_update_time(struct evc_domain *domain, uint32_t vcpu)
{
    if (vcpu >= domain->vcpus)
        return;
    evc_spin_lock(&domain->lock); /* one writer of a version at a time */
    evc_time_write(&domain->vcpu[vcpu]);
    evc_spin_unlock(&domain->lock);
}

void evc_domain_set_wallclock(struct evc_domain *domain, uint64_t ns)
{
    const struct evc_shape *shape;
    uint64_t sec = ns / 1000000000u;
    uint8_t *page = domain->shared_info;
    evc_a32 *version;
    uint32_t odd;

    evc_spin_lock(&domain->lock);
    shape = evc_delivery_shape(&domain->delivery);
    version = (evc_a32 *)(void *)(page + shape->wallclock);
    odd = version_odd(version);
    evc_a32_store_rlx(version + 1, (uint32_t)sec);
    evc_a32_store_rlx(version + 2, (uint32_t)(ns % 1000000000u));
    if (shape->wc_sec_hi != 0)
        evc_a32_store_rlx((evc_a32 *)(void *)(page + shape->wc_sec_hi),
                          (uint32_t)(sec >> 32));
    evc_a32_store_rel(version, odd + 1);
    evc_spin_unlock(&domain->lock);
}
