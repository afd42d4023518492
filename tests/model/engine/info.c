/* SPDX-License-Identifier: MIT */
/*
 * Model, on the whole engine: a vCPU moves its vcpu_info while it is sent to.
 *
 * The guest then looks as an upcall does, once, at the new place.  A copy is a
 * vCPU with a port of its own.
 *
 * Property: the event was found by that look, or is announced at the new place.
 * Bounds:   2 threads, two-level.
 * Rows:     P1/I1 and P5/I1, I2.
 */
#include "model.h"

#include <evc/abi/vcpu.h>

#include "guest.h" /* that of tests/support */

static struct world *w;
static struct guest *g;
static uint32_t port[COPIES];
static _Atomic bool found[COPIES];

static void setup(unsigned i)
{
    if (i == 0) {
        if (w != NULL)
            world_destroy(w);
        w = world_create((struct world_config){0});
        g = guest_create(w, (struct guest_config){.id = 1, .vcpus = COPIES});
        assert(g != NULL);
    }
    port[i] = (uint32_t)bind_ipi(g, i);
    found[i] = false;
}

static void sender(unsigned i)
{
    assert(send_port(g, port[i]) == 0);
}

static uint64_t bit(unsigned i)
{
    return UINT64_C(1) << port[i] / 64;
}

/* An upcall on this vCPU, for its own port alone. */
static void look(unsigned i)
{
    _Atomic uint64_t *sel = at(g, PAGE + i * 64 + g->abi.pending_sel);

    if (atomic_exchange((_Atomic uint8_t *)at(g, PAGE + i * 64), 0) == 0)
        return;
    if (!(atomic_exchange(sel, 0) & bit(i)) || !is_pending(g, port[i]))
        return;
    clear_pending(g, port[i]);
    found[i] = true;
}

static void mover(unsigned i)
{
    struct vcpu_register_vcpu_info raw = {.mfn = 1, .offset = i * 64};

    put(g, SCRATCH, &raw, sizeof(raw));
    assert(hypercall(g, i, 24, VCPUOP_register_vcpu_info, i, SCRATCH) == 0);
    look(i);
}

static void check(unsigned i)
{
    look(i);
    assert(found[i]);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {mover}};

    model_run(setup, threads, 2, check);
    world_destroy(w);
    return 0;
}
