/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a saved domain: whatever they are, either they are refused and leave
 * nothing behind, or there is a domain that works, and that is saved as bytes
 * which restore to the same again.
 *
 * Inputs are bytes as they are, or, for the fuzzer to get anywhere, changes to
 * those of a real domain: the first byte says which.
 *
 * The same file is a regression test and, with -DEVC_LIBFUZZER, a fuzz target.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evc/abi/vcpu.h>

#include "guest.h"

#define ROOM (1u << 22)

static uint8_t bytes[ROOM], first[ROOM], second[ROOM];

/* ---- a domain to begin with --------------------------------------------- */

static void open_ports(struct guest *g)
{
    (void)bind_ipi(g, 1);
    (void)bind_virq(g, VIRQ_TIMER, 1);
    (void)bind_virq(g, VIRQ_ARGO, 0);
    (void)alloc_unbound(g, DOMID_SELF, 2);
    (void)alloc_unbound(g, DOMID_SELF, DOMID_SELF);
    (void)bind_interdomain(g, DOMID_SELF, 5);
    (void)join_guests(g, g->world->d2);
    (void)evc_bind_static(g->dom, 1500, 7);
    (void)set_priority(g, 4, 3);
    (void)hypercall(g, 1, 15, g->world->now + 5000, 0, 0);
}

static void live(struct guest *g, uint8_t how)
{
    struct vcpu_register_vcpu_info info = {.mfn = 9, .offset = 128};

    if (how & 1) {
        enter_fifo(g, 2);
        (void)grow(g);
    }
    put(g, SCRATCH, &info, sizeof(info));
    (void)hypercall(g, 3, 24, VCPUOP_register_vcpu_info, 3, SCRATCH);
    open_ports(g);
    for (uint32_t p = 1; p < 8; p++)
        (void)send_port(g, p);
}

/* ---- what becomes of the bytes ------------------------------------------ */

/* Events, closes, a reset: nothing of it may depend on what is not checked. */
static void use(struct guest *g)
{
    struct evtchn_expand_array page = {.array_gfn = ARRAY_FRAME + 1};

    for (evc_port p = 0; (p = evc_port_next(g->dom, p)) != 0;) {
        (void)send_port(g, p);
        (void)unmask_port(g, p);
    }
    for (unsigned v = 0; v < 4; v++)
        (void)evc_raise_vcpu_virq(g->dom, v, VIRQ_TIMER);
    (void)evc_event_channel_op(g->dom, EVTCHNOP_expand_array, &page);
    (void)bind_ipi(g, 0);
    (void)evc_timers_run(g->world->engine);
    assert(reset(g, DOMID_SELF) == 0);
    assert(evc_port_next(g->dom, 0) == 0);
}

static int save(struct guest *g, uint8_t *to)
{
    int size = evc_domain_save(g->dom, to, ROOM);

    assert(size > 0);
    return size;
}

static void try(struct guest *g, const struct evc_domain_config *config,
                size_t size)
{
    struct evc_engine *engine = g->world->engine;
    int n;

    if (evc_domain_restore(engine, config, bytes, size, &g->dom) < 0) {
        assert(g->mapped == 0);
        return;
    }
    n = save(g, first);
    guest_destroy(g);
    assert(g->mapped == 0);
    assert(evc_domain_restore(engine, config, first, (size_t)n, &g->dom) == 0);
    assert(save(g, second) == n && memcmp(first, second, (size_t)n) == 0);
    use(g);
    guest_destroy(g);
    assert(g->mapped == 0);
}

/* ---- inputs ------------------------------------------------------------- */

/* Three bytes a change: where, and what to. */
static size_t change(const uint8_t *data, size_t size, size_t n)
{
    for (; size >= 3; data += 3, size -= 3)
        bytes[(data[0] + 256u * data[1]) % n] = data[2];
    return size > 0 && n > data[0] ? n - data[0] : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t how = size > 0 ? data[0] : 0;
    struct world *w = world_create((struct world_config){
        .compat = how & 2 ? EVC_COMPAT_XEN_4_17 : EVC_COMPAT_DEFAULT});
    struct evc_domain_config config;
    size_t n;

    w->d0 = guest_create(w, (struct guest_config){.id = 0});
    w->d1 =
        guest_create(w, (struct guest_config){.id = 1, .layout = how / 4 % 3});
    w->d2 = guest_create(w, (struct guest_config){.id = 2});
    config = guest_domain_config(
        w->d1, (struct guest_config){.id = 1, .layout = how / 4 % 3});
    live(w->d1, how);
    n = (size_t)save(w->d1, bytes);
    guest_destroy(w->d1);
    if (how & 0x80) {
        n = size - 1;
        memcpy(bytes, data + 1, n);
    } else if (size > 1) {
        n = change(data + 1, size - 1, n);
    }
    try(w->d1, &config, n);
    assert(world_destroy(w));
    return 0;
}

#ifndef EVC_LIBFUZZER
#define INPUTS 3000u

static uint32_t random32(uint64_t *dice)
{
    *dice = *dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*dice >> 33);
}

/* A few changes each, most of them small. */
int main(void)
{
    uint64_t dice = 1;

    alarm(100);
    for (unsigned i = 0; i < INPUTS; i++) {
        uint8_t data[1 + 3 * 4];
        size_t size = 1 + random32(&dice) % (sizeof(data));

        for (size_t k = 0; k < sizeof(data); k++)
            data[k] = (uint8_t)random32(&dice);
        for (size_t k = 2; k < sizeof(data); k += 3)
            data[k] %= 4; /* where: not beyond 1024 */
        for (size_t k = 3; k < sizeof(data); k += 3)
            if (random32(&dice) % 2)
                data[k] %= 8;
        data[0] = (uint8_t)(i % 16);
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    return 0;
}
#endif
