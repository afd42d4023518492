/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls in batches, with an entry in them that fails, that ends the guest,
 * or that nobody should call: whatever it does, the others are not to notice.
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>

#define ENTRIES 9u
#define LIST    SCRATCH              /* of multicall entries */
#define ARG     (SCRATCH + PAGE)     /* of the entry under test */
#define SEND    (SCRATCH + 2 * PAGE) /* of all others: struct evtchn_send */

static void put_word(struct guest *g, uint64_t where, uint64_t value)
{
    put(g, where, &value, g->abi.word);
}

static void put_entry(struct guest *g, unsigned i, uint64_t op, uint64_t a0,
                      uint64_t a1, uint64_t a2)
{
    const uint64_t words[8] = {op, 0x5555, a0, a1, a2};

    for (unsigned k = 0; k < 8; k++)
        put_word(g, LIST + (8 * i + k) * g->abi.word, words[k]);
}

static int64_t result(struct guest *g, unsigned i)
{
    uint64_t where = LIST + (8 * i + 1) * g->abi.word;

    return g->abi.word == 8 ? (int64_t)read64(g, where)
                            : (int32_t)read32(g, where);
}

/* All entries send, but entry `i`; every send must have worked. */
static int64_t call_with(struct guest *g, unsigned i, uint64_t op, uint64_t a0,
                         uint64_t a1, uint64_t a2)
{
    struct evtchn_send send = {.port = 1};

    put(g, SEND, &send, sizeof(send));
    for (unsigned k = 0; k < ENTRIES; k++)
        put_entry(g, k, 32, EVTCHNOP_send, SEND, 0);
    put_entry(g, i, op, a0, a1, a2);
    return hypercall(g, 0, 13, LIST, ENTRIES, 0);
}

static void assert_others_worked(struct guest *g, unsigned i, int64_t others)
{
    for (unsigned k = 0; k < ENTRIES; k++)
        if (k != i)
            assert_int_equal(result(g, k), others);
}

/* The two widths. */
static void for_both(void **state, void (*check)(struct guest *g))
{
    struct world *w = *state;

    check(w->d1);
    check(guest_create(
        w, (struct guest_config){.id = 5, .layout = EVC_LAYOUT_X86_32}));
}

/* ---- register_vcpu_info (XSA-296) --------------------------------------- */

static void check_register(struct guest *g)
{
    struct vcpu_register_vcpu_info raw = {.mfn = 30, .offset = 0};

    assert_int_equal(bind_ipi(g, 0), 1);
    evc_vcpu_set_online(g->dom, 2, true); /* busy: it must move its own */
    put(g, ARG, &raw, sizeof(raw));
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_int_equal(call_with(g, i, 24, VCPUOP_register_vcpu_info, 2, ARG),
                         0);
        assert_int_equal(result(g, i), -XEN_EINVAL);
        assert_others_worked(g, i, 0);
    }
    assert_true(frames_are_clear(g, 30, 31));
    for (unsigned i = 0; i < ENTRIES; i++) { /* its own: once, then no more */
        assert_int_equal(call_with(g, i, 24, VCPUOP_register_vcpu_info, 0, ARG),
                         0);
        assert_int_equal(result(g, i), i == 0 ? 0 : -XEN_EINVAL);
        assert_others_worked(g, i, 0);
    }
    assert_int_equal(take(g, 0).count, 1);
}

static void test_register_vcpu_info_at_every_index(void **state)
{
    for_both(state, check_register);
}

/* ---- reset -------------------------------------------------------------- */

static void check_reset(struct guest *g)
{
    struct evtchn_reset raw = {.dom = DOMID_SELF};

    put(g, ARG, &raw, sizeof(raw));
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_int_equal(bind_ipi(g, 0), 1);
        assert_int_equal(call_with(g, i, 32, EVTCHNOP_reset, ARG, 0), 0);
        assert_int_equal(result(g, i), 0);
        for (unsigned k = 0; k < ENTRIES; k++)
            if (k != i)
                assert_int_equal(result(g, k), k < i ? 0 : -XEN_EINVAL);
    }
}

static void test_reset_at_every_index(void **state)
{
    for_both(state, check_reset);
}

/* ---- a multicall inside, and calls that nobody has ---------------------- */

static void check_nested(struct guest *g)
{
    static const uint64_t nobodys[] = {33, 63, 64, UINT32_MAX};

    assert_int_equal(bind_ipi(g, 0), 1);
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_int_equal(call_with(g, i, 13, LIST, ENTRIES, 0), 0);
        assert_int_equal(result(g, i), -XEN_EINVAL);
        assert_others_worked(g, i, 0);
        for (unsigned n = 0; n < ARRAY_SIZE(nobodys); n++) {
            assert_int_equal(call_with(g, i, nobodys[n], 1, 2, 3), 0);
            assert_int_equal(result(g, i), -XEN_ENOSYS);
            assert_others_worked(g, i, 0);
        }
    }
}

static void test_multicall_inside_a_multicall_is_EINVAL(void **state)
{
    for_both(state, check_nested);
}

/* ---- entries that fail, or end the guest (XSA-213) ---------------------- */

static void check_failing(struct guest *g)
{
    assert_int_equal(bind_ipi(g, 0), 1);
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_int_equal(call_with(g, i, 32, 99, ARG, 0), 0);
        assert_int_equal(result(g, i), -XEN_ENOSYS);
        assert_others_worked(g, i, 0);
        assert_int_equal(call_with(g, i, 32, EVTCHNOP_send, FRAMES * PAGE, 0),
                         0);
        assert_int_equal(result(g, i), -XEN_EFAULT);
        assert_others_worked(g, i, 0);
        assert_int_equal(call_with(g, i, 29, SCHEDOP_shutdown, SEND, 0), 0);
        assert_int_equal(result(g, i), 0);
        assert_others_worked(g, i, 0);
    }
}

static void test_entry_that_fails_leaves_the_others_alone(void **state)
{
    for_both(state, check_failing);
}

#define SUICIDE 40 /* a hypercall of this test's embedder */

static int64_t die(void *dom, uint32_t vcpu, uint64_t nr,
                   const uint64_t args[6])
{
    struct guest *g = dom;

    (void)vcpu;
    (void)args;
    if (nr != SUICIDE)
        return -XEN_ENOSYS;
    evc_domain_kill(g->dom);
    return 0;
}

static void
test_guest_that_is_killed_by_an_entry_gets_its_other_answers(void **state)
{
    struct world *w = *state;
    struct evc_ops ops = world_ops((struct world_config){0});
    struct guest *g = w->d1;
    struct evc_domain *usual = g->dom;
    struct evc_engine *engine;

    ops.hypercall = die;
    assert_int_equal(evc_engine_create(&ops, w, 0, &engine), 0);
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct evc_domain_config config =
            guest_domain_config(g, (struct guest_config){.id = 3});

        assert_int_equal(evc_domain_create(engine, &config, &g->dom), 0);
        assert_int_equal(bind_ipi(g, 0), 1);
        assert_int_equal(call_with(g, i, SUICIDE, 0, 0, 0), 0);
        assert_int_equal(result(g, i), 0);
        for (unsigned k = 0; k < ENTRIES; k++)
            if (k != i)
                assert_int_equal(result(g, k), k < i ? 0 : -XEN_EINVAL);
        assert_int_equal(bind_ipi(g, 0), -XEN_EINVAL); /* dying */
        evc_domain_destroy(g->dom);
    }
    g->dom = usual;
    evc_engine_destroy(engine);
}

/* Of a long list it gets no more than some. */
static void test_killed_guests_list_of_thousands_ends(void **state)
{
    const unsigned entries = 3000;
    struct world *w = *state;
    struct evc_ops ops = world_ops((struct world_config){0});
    struct guest *g = w->d1;
    struct evc_domain_config config =
        guest_domain_config(g, (struct guest_config){.id = 3});
    struct evc_domain *usual = g->dom;
    struct evc_engine *engine;
    unsigned answered = 0;

    ops.hypercall = die;
    assert_int_equal(evc_engine_create(&ops, w, 0, &engine), 0);
    assert_int_equal(evc_domain_create(engine, &config, &g->dom), 0);
    for (unsigned i = 0; i < entries; i++)
        put_entry(g, i, i == 500 ? SUICIDE : 99, 0, 0, 0);
    assert_int_equal(hypercall(g, 0, 13, LIST, entries, 0), -XEN_EINVAL);
    for (unsigned i = 0; i < entries; i++)
        answered += result(g, i) != 0x5555;
    assert_in_range(answered, 501, 600);
    evc_engine_destroy(engine);
    g->dom = usual;
}

/* ---- lists that are not there ------------------------------------------- */

static void test_list_that_ends_early_ends_the_call(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct evtchn_send send = {.port = (uint32_t)bind_ipi(g, 0)};
    const uint64_t end = FRAMES * PAGE;
    const uint64_t entry[8] = {32, 0x5555, EVTCHNOP_send, SEND};

    put(g, SEND, &send, sizeof(send));
    put(g, end - 64, entry, sizeof(entry));
    assert_int_equal(hypercall(g, 0, 13, end - 64, UINT32_MAX, 0), -XEN_EFAULT);
    assert_int_equal(read64(g, end - 64 + 8), 0); /* the first was run */
    assert_true(is_pending(g, send.port));
    assert_int_equal(hypercall(g, 0, 13, end - 32, 1, 0), -XEN_EFAULT);
    assert_int_equal(hypercall(g, 0, 13, UINT64_MAX - 7, 9, 0), -XEN_EFAULT);
    assert_int_equal(hypercall(g, 0, 13, UINT64_MAX, UINT32_MAX, 0),
                     -XEN_EFAULT);
    assert_int_equal(hypercall(g, 0, 13, UINT64_MAX, 0, 0), 0);
}

static void
test_result_that_cannot_be_written_leaves_the_work_done(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    assert_int_equal(bind_ipi(g, 0), 1);
    (void)call_with(g, 0, 32, EVTCHNOP_send, SEND, 0);
    (void)take(g, 0);
    g->access[SCRATCH_FRAME] = READ_ONLY;
    assert_int_equal(hypercall(g, 0, 13, LIST, ENTRIES, 0), -XEN_EFAULT);
    assert_int_equal(take(g, 0).port[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_register_vcpu_info_at_every_index),
        TEST(test_reset_at_every_index),
        TEST(test_multicall_inside_a_multicall_is_EINVAL),
        TEST(test_entry_that_fails_leaves_the_others_alone),
        TEST(test_guest_that_is_killed_by_an_entry_gets_its_other_answers),
        TEST(test_killed_guests_list_of_thousands_ends),
        TEST(test_list_that_ends_early_ends_the_call),
        TEST(test_result_that_cannot_be_written_leaves_the_work_done),
    };

    return RUN(tests);
}
