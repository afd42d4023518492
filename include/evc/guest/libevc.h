/* SPDX-License-Identifier: MIT */
/**
 * @file libevc.h
 *
 * A guest in the same process as its host: libevc-guest on libevc.
 *
 * The guest's addresses are the program's, and the frame of an address is the
 * address divided by 4096.  A program fills the rest of its struct evc_ops and
 * starts a guest so:
 *
 *     struct evc_ops ops = {.size = sizeof(ops), EVC_GUEST_LIBEVC_OPS,
 *                           .kick = my_kick};
 *     ... evc_domain_create(engine, &domain_config, &domain) ...
 *     config.hooks = &evc_guest_on_libevc;
 *     config.data = domain;
 *
 * Needs a libc, unlike the library itself; link with libevc and libevc-guest.
 * With a 32-bit layout in a 64-bit program everything that a hypercall points
 * to must lie below 4 GiB where the ABI has a 32-bit pointer (SCHEDOP_poll).
 */
#ifndef EVC_GUEST_LIBEVC_H
#define EVC_GUEST_LIBEVC_H

#include <string.h>
#include <time.h>

#include "../abi/errno.h"
#include "../evc.h"
#include "../guest.h"

static inline int evc_guest_libevc_map(void *dom, uint64_t gfn, void **page)
{
    (void)dom;
    *page = (void *)(uintptr_t)(gfn * EVC_ABI_PAGE_SIZE);
    return 0;
}

static inline void evc_guest_libevc_unmap(void *dom, uint64_t gfn, void *page)
{
    (void)dom;
    (void)gfn;
    (void)page;
}

static inline int evc_guest_libevc_from(void *dom, uint32_t vcpu, void *to,
                                        uint64_t from, size_t size)
{
    (void)dom;
    (void)vcpu;
    memcpy(to, (const void *)(uintptr_t)from, size);
    return 0;
}

static inline int evc_guest_libevc_to(void *dom, uint32_t vcpu, uint64_t to,
                                      const void *from, size_t size)
{
    (void)dom;
    (void)vcpu;
    memcpy((void *)(uintptr_t)to, from, size);
    return 0;
}

/* Members of struct evc_ops for guests of this kind. */
#define EVC_GUEST_LIBEVC_OPS                                      \
    .map = evc_guest_libevc_map, .unmap = evc_guest_libevc_unmap, \
    .copy_from = evc_guest_libevc_from, .copy_to = evc_guest_libevc_to

/* event_channel_op's arguments are where the engine wants them already. */
static inline int evc_guest_libevc_hypercall(void *data, uint32_t vcpu,
                                             uint32_t nr, uintptr_t a,
                                             uintptr_t b, uintptr_t c)
{
    struct evc_domain *domain = (struct evc_domain *)data;
    const uint64_t args[6] = {a, b, c, 0, 0, 0};

    if (nr == 32) /* __HYPERVISOR_event_channel_op */
        return evc_event_channel_op(domain, (uint32_t)a, (void *)b);
    return (int)evc_hypercall(domain, vcpu, nr, args);
}

static inline uint64_t evc_guest_libevc_now(void *data)
{
    struct timespec now;

    (void)data;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/** evc_guest_on_libevc - hooks for it; `data` is the struct evc_domain */
static const struct evc_guest_hooks evc_guest_on_libevc
    __attribute__((unused)) = {
        sizeof(struct evc_guest_hooks), /* size */
        evc_guest_libevc_hypercall,     /* hypercall */
        NULL,                           /* frame */
        evc_guest_libevc_now,           /* now */
        NULL,                           /* relax */
};

#endif /* EVC_GUEST_LIBEVC_H */
