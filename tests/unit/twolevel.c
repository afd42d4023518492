/* SPDX-License-Identifier: MIT */
/*
 * Two-level delivery: every bit of every layout, masks, selectors, upcalls.
 */
#include "unit.h"

#include <stdatomic.h>
#include <string.h>

static struct guest *shaped(struct world *w, enum evc_layout layout)
{
    return guest_create(
        w, (struct guest_config){.id = 7, .layout = layout, .vcpus = 4});
}

/* ---- one port ------------------------------------------------------------------ */

static void test_event_sets_pending_selector_and_upcall(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 2);

    assert_int_equal(send_port(w->d1, port), 0);
    assert_true(is_pending(w->d1, port));
    assert_int_equal(selector(w->d1, 2), 1);
    assert_int_equal(*upcall_pending(w->d1, 2), 1);
    assert_int_equal(w->d1->kicks[2], 1);
}

static void test_other_vcpus_are_not_told(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 2);

    send_port(w->d1, port);
    for (unsigned v = 0; v < 4; v++) {
        if (v == 2)
            continue;
        assert_int_equal(selector(w->d1, v), 0);
        assert_int_equal(*upcall_pending(w->d1, v), 0);
        assert_int_equal(w->d1->kicks[v], 0);
    }
}

static void test_second_event_merges_with_the_first(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    send_port(w->d1, port);
    (void)atomic_exchange(upcall_pending(w->d1, 0), 0);
    send_port(w->d1, port);
    assert_int_equal(*upcall_pending(w->d1, 0), 0);
    assert_int_equal(w->d1->kicks[0], 1);
}

static void test_masked_event_is_pending_and_nobody_is_told(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, port);
    send_port(w->d1, port);
    assert_true(is_pending(w->d1, port));
    assert_int_equal(selector(w->d1, 0), 0);
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_set_selector_means_no_upcall(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)bind_ipi(w->d1, 0), b = (uint32_t)bind_ipi(w->d1, 0);

    send_port(w->d1, a);
    (void)atomic_exchange(upcall_pending(w->d1, 0), 0);
    send_port(w->d1, b); /* same word */
    assert_int_equal(*upcall_pending(w->d1, 0), 0);
    assert_int_equal(w->d1->kicks[0], 1);
}

static void test_set_upcall_means_no_kick(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    *upcall_pending(w->d1, 0) = 1;
    send_port(w->d1, port);
    assert_int_equal(selector(w->d1, 0), 1);
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_upcall_keeps_the_guests_other_bits(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    *upcall_pending(w->d1, 0) = 0x80;
    send_port(w->d1, port);
    assert_int_equal(*upcall_pending(w->d1, 0), 0x81);
    assert_int_equal(w->d1->kicks[0], 1);
}

static void test_upcall_mask_is_the_guests(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    *upcall_mask(w->d1, 0) = 1;
    send_port(w->d1, port);
    assert_int_equal(*upcall_mask(w->d1, 0), 1);
    assert_int_equal(w->d1->kicks[0], 1);
    assert_false(evc_vcpu_deliverable(w->d1->dom, 0));
    *upcall_mask(w->d1, 0) = 0;
    assert_true(evc_vcpu_deliverable(w->d1->dom, 0));
}

static void test_any_upcall_mask_but_0_is_closed(void **state)
{
    struct world *w = *state;

    *upcall_pending(w->d1, 0) = 2;
    assert_true(evc_vcpu_deliverable(w->d1->dom, 0));
    *upcall_mask(w->d1, 0) = 0xfe;
    assert_false(evc_vcpu_deliverable(w->d1->dom, 0));
    assert_false(evc_vcpu_deliverable(w->d1->dom, 4));
}

/* ---- unmask ---------------------------------------------------------------------- */

static void test_unmask_delivers_what_waited(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 1);

    mask(w->d1, port);
    send_port(w->d1, port);
    assert_int_equal(unmask_port(w->d1, port), 0);
    assert_false(is_masked(w->d1, port));
    assert_int_equal(selector(w->d1, 1), 1);
    assert_int_equal(w->d1->kicks[1], 1);
    assert_int_equal(take(w->d1, 1).port[0], port);
}

static void test_unmask_of_an_unmasked_pending_port_tells_nobody(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    send_port(w->d1, port);
    *upcall_pending(w->d1, 0) = 0;
    ((uint64_t *)evc_vcpu_info(w->d1->dom, 0))[1] = 0;
    assert_int_equal(unmask_port(w->d1, port), 0);
    assert_int_equal(selector(w->d1, 0), 0);
    assert_int_equal(w->d1->kicks[0], 1);
}

static void test_guests_own_unmask_raises_nothing(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, port);
    send_port(w->d1, port);
    clear_mask(w->d1, port);
    send_port(w->d1, port); /* pending already */
    assert_int_equal(selector(w->d1, 0), 0);
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_unmask_tells_the_vcpu_of_now(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    mask(w->d1, c.a);
    send_port(w->d2, c.b);
    assert_int_equal(bind_vcpu(w->d1, c.a, 3), 0);
    unmask_port(w->d1, c.a);
    assert_int_equal(w->d1->kicks[3], 1);
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_unmask_of_a_closed_port_keeps_its_mask(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, port);
    close_port(w->d1, port);
    assert_int_equal(unmask_port(w->d1, port), 0);
    assert_true(is_masked(w->d1, port));
}

static void test_unmask_of_an_invalid_port_is_EINVAL(void **state)
{
    struct world *w = *state;

    assert_int_equal(unmask_port(w->d1, 63), 0);
    assert_int_equal(unmask_port(w->d1, 0), 0);
    assert_int_equal(unmask_port(w->d1, 64), -XEN_EINVAL);
    assert_int_equal(unmask_port(w->d1, UINT32_MAX), -XEN_EINVAL);
}

/* ---- every port of every layout ----------------------------------------------------- */

/* Port p is told by exactly one bit, one selector, one flag; nothing else. */
static void check_port(struct guest *g, uint32_t port)
{
    uint32_t width = g->abi.word * 8u;
    uint8_t expected[PAGE];

    memset(g->memory, 0, PAGE);
    memset(expected, 0, PAGE);
    assert_int_equal(send_port(g, port), 0);

    expected[g->abi.pending + port / 8] = (uint8_t)(1u << port % 8);
    expected[g->abi.vcpu_info_size + g->abi.pending_sel + port / width / 8] =
        (uint8_t)(1u << port / width % 8);
    expected[g->abi.vcpu_info_size] = 1;
    assert_memory_equal(g->memory, expected, PAGE);
}

static void check_every_port(struct guest *g)
{
    uint32_t last = g->abi.twolevel_ports - 1u;

    for (uint32_t p = 1; p <= last; p++)
        assert_int_equal(bind_ipi(g, 1), p);
    assert_int_equal(bind_ipi(g, 1), -XEN_ENOSPC);
    for (uint32_t p = 1; p <= last; p++)
        check_port(g, p);
}

static void test_every_bit_of_a_64_bit_guest(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_X86_64);

    check_every_port(g);
}

static void test_every_bit_of_a_32_bit_guest(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_X86_32);

    check_every_port(g);
}

/* Its vCPU 1 has no place in shared_info: vCPU 0 is looked at. */
static void test_every_bit_of_an_arm_guest(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_ARM);
    uint8_t expected[PAGE];

    for (uint32_t p = 1; p <= 4095; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    for (uint32_t p = 1; p <= 4095; p++) {
        memset(g->memory, 0, PAGE);
        memset(expected, 0, PAGE);
        assert_int_equal(send_port(g, p), 0);
        expected[0] = 1;
        expected[8 + p / 64 / 8] = (uint8_t)(1u << p / 64 % 8);
        expected[0x30 + p / 8] = (uint8_t)(1u << p % 8);
        assert_memory_equal(g->memory, expected, PAGE);
    }
}

static void test_arm_guest_has_no_upcall_mask(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_ARM);

    *upcall_pending(g, 0) = 1;
    *upcall_mask(g, 0) = 1; /* a padding byte */
    assert_true(evc_vcpu_deliverable(g->dom, 0));
}

static void check_every_mask(struct guest *g)
{
    for (uint32_t p = 1; p < g->abi.twolevel_ports; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    for (uint32_t p = 1; p < g->abi.twolevel_ports; p++) {
        memset(g->memory, 0, PAGE);
        mask(g, p);
        send_port(g, p);
        assert_int_equal(selector(g, 0), 0);
        assert_int_equal(unmask_port(g, p), 0);
        assert_int_equal(take(g, 0).port[0], p);
    }
}

static void test_every_mask_bit_of_a_64_bit_guest(void **state)
{
    check_every_mask(shaped(*state, EVC_LAYOUT_X86_64));
}

static void test_every_mask_bit_of_a_32_bit_guest(void **state)
{
    check_every_mask(shaped(*state, EVC_LAYOUT_X86_32));
}

static void test_every_mask_bit_of_an_arm_guest(void **state)
{
    check_every_mask(shaped(*state, EVC_LAYOUT_ARM));
}

static void test_vcpu_beyond_shared_info_has_a_place_nobody_sees(void **state)
{
    struct guest *g =
        guest_create(*state, (struct guest_config){.id = 7, .vcpus = 34});
    uint32_t port = (uint32_t)bind_ipi(g, 33);

    assert_int_equal(send_port(g, port), 0);
    assert_true(is_pending(g, port));
    assert_int_equal(selector(g, 33), 1);
    for (unsigned v = 0; v < 32; v++)
        assert_int_equal(selector(g, v), 0);
}

static void test_guest_takes_events_in_one_upcall(void **state)
{
    static const uint32_t sent[] = {200, 3, 64, 63};
    struct world *w = *state;
    struct taken taken;

    for (uint32_t p = 1; p <= 200; p++)
        bind_ipi(w->d1, 0);
    for (unsigned i = 0; i < 4; i++)
        send_port(w->d1, sent[i]);
    taken = take(w->d1, 0);
    assert_int_equal(taken.count, 4);
    assert_int_equal(taken.port[0], 3);
    assert_int_equal(taken.port[3], 200);
    assert_int_equal(w->d1->kicks[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_sets_pending_selector_and_upcall),
        TEST(test_other_vcpus_are_not_told),
        TEST(test_second_event_merges_with_the_first),
        TEST(test_masked_event_is_pending_and_nobody_is_told),
        TEST(test_set_selector_means_no_upcall),
        TEST(test_set_upcall_means_no_kick),
        TEST(test_upcall_keeps_the_guests_other_bits),
        TEST(test_upcall_mask_is_the_guests),
        TEST(test_any_upcall_mask_but_0_is_closed),
        TEST(test_unmask_delivers_what_waited),
        TEST(test_unmask_of_an_unmasked_pending_port_tells_nobody),
        TEST(test_guests_own_unmask_raises_nothing),
        TEST(test_unmask_tells_the_vcpu_of_now),
        TEST(test_unmask_of_a_closed_port_keeps_its_mask),
        TEST(test_unmask_of_an_invalid_port_is_EINVAL),
        TEST(test_every_bit_of_a_64_bit_guest),
        TEST(test_every_bit_of_a_32_bit_guest),
        TEST(test_every_bit_of_an_arm_guest),
        TEST(test_arm_guest_has_no_upcall_mask),
        TEST(test_every_mask_bit_of_a_64_bit_guest),
        TEST(test_every_mask_bit_of_a_32_bit_guest),
        TEST(test_every_mask_bit_of_an_arm_guest),
        TEST(test_vcpu_beyond_shared_info_has_a_place_nobody_sees),
        TEST(test_guest_takes_events_in_one_upcall),
    };

    return RUN(tests);
}
