/* SPDX-License-Identifier: MIT */
/*
 * Model: a vCPU moves its vcpu_info while it is sent to, and then looks, once, at
 * the new place.
 *
 * Property: the event was found by that look, or is announced at the new place.
 * Bounds:   1 port, 2 threads, two-level.  What stood at the old place is not
 *           copied: the shape has no size.
 * Rows:     P1/I1 and P5/I1, I2, I3.
 */
#define COPIES 16u
#define MODEL_NOTHING_GOES
#include "model.h"

#include "domain.h"

#include "../../src/vcpu/info.c"

#define PORT 3u

static const struct evc_shape shape = {
    .wide = true,
    .sel_offset = EVC_WIDE_SELECTOR,
    .slots = MODEL_VCPUS,
};

static struct model_domain all[COPIES];
static _Alignas(64) uint8_t place[COPIES][64];
static bool found[COPIES];

void evc_time_write(struct evc_vcpu *vcpu)
{
    (void)vcpu;
}

static void setup(unsigned i)
{
    model_domain_init(&all[i]);
    evc_table_set_chan(&all[i].domain.table, PORT, evc_chan(EVC_IPI, 0, 0));
    memset(place[i], 0, sizeof(place[i]));
    found[i] = false;
}

static void sender(unsigned i)
{
    int r = evc_send(&all[i].domain, PORT);

    assert(r == 0);
}

/* As an upcall does. */
static void look(unsigned i)
{
    _Atomic uint8_t *upcall = (_Atomic uint8_t *)place[i];
    uint64_t bit = UINT64_C(1) << PORT;

    if (atomic_load_explicit(upcall, memory_order_relaxed) == 0)
        return;
    atomic_store_explicit(upcall, 0, memory_order_relaxed);          /* G1 */
    if (guest_take64(place[i] + EVC_WIDE_SELECTOR, UINT64_MAX) == 0) /* G2 */
        return;
    if (atomic_load_explicit(word64(all[i].w.shared.pending),
                             memory_order_relaxed) &
        bit)
        found[i] |= guest_take64(all[i].w.shared.pending, bit) != 0; /* G3 */
}

static void mover(unsigned i)
{
    move_info(&all[i].vcpu[0], &shape, place[i]);
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
    return 0;
}
