/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: moving vcpu_info, and clocks.
 */
#include "unit.h"

#include <stdatomic.h>
#include <string.h>

#include <evc/abi/vcpu.h>

#define PLACE 9u /* frame */

static int64_t register_info(struct guest *g, unsigned self, uint32_t vcpu,
                             uint64_t frame, uint32_t offset)
{
    struct vcpu_register_vcpu_info arg = {.mfn = frame, .offset = offset};

    put(g, SCRATCH, &arg, sizeof(arg));
    return hypercall(g, self, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info,
                     vcpu, SCRATCH);
}

static struct guest *shaped(struct world *w, enum evc_layout layout,
                            uint32_t vcpus)
{
    return guest_create(
        w, (struct guest_config){.id = 7, .layout = layout, .vcpus = vcpus});
}

/* ---- moving vcpu_info -------------------------------------------------------------- */

static void test_moved_info_asks_for_a_rescan(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    assert_int_equal(register_info(g, 0, 0, PLACE, 64), 0);
    assert_ptr_equal(evc_vcpu_info(g->dom, 0), at(g, PLACE * PAGE + 64));
    assert_int_equal(*upcall_pending(g, 0), 1);
    assert_int_equal(selector(g, 0) + 1, 0); /* every bit */
    assert_int_equal(g->kicks[0], 1);
}

static void test_32_bit_guests_selector_is_32_bits(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_X86_32, 1);

    assert_int_equal(register_info(g, 0, 0, PLACE, 4), 0);
    assert_int_equal(selector(g, 0), UINT32_MAX);
    assert_int_equal(read32(g, PLACE * PAGE + 4 + 8), 0);
}

static void test_move_copies_what_was_there(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    *upcall_mask(g, 1) = 1;
    memset(at(g, 64 + 16), 0xab, 16); /* arch */
    memset(at(g, PLACE * PAGE), 0xff, PAGE);
    assert_int_equal(register_info(g, 1, 1, PLACE, 0), 0);
    assert_int_equal(*upcall_mask(g, 1), 1);
    assert_memory_equal(at(g, PLACE * PAGE + 16), at(g, 64 + 16), 16);
    assert_int_equal(read64(g, PLACE * PAGE + 64), UINT64_MAX);
}

static void test_events_go_to_the_new_place_only(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    uint8_t before[64];

    register_info(g, 0, 0, PLACE, 0);
    take(g, 0);
    memcpy(before, g->memory, 64);
    send_port(g, port);
    evc_vcpu_update_time(g->dom, 0);
    assert_memory_equal(g->memory, before, 64);
    assert_int_equal(take(g, 0).port[0], port);
}

static void test_event_told_to_the_old_place_is_found_at_the_new(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    send_port(w->d1, port);
    register_info(w->d1, 0, 0, PLACE, 0);
    assert_int_equal(take(w->d1, 0).port[0], port);
}

/* As recorded: crossing, misaligned and outside are all ENXIO. */
static void test_every_offset_but_good_ones_is_ENXIO(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    for (uint32_t offset = 0; offset < PAGE + 64; offset++) {
        bool good = offset % 8 == 0 && offset <= PAGE - 64;
        int64_t r = register_info(g, 0, 0, NO_FRAME, offset);

        assert_int_equal(r, good ? -XEN_EINVAL : -XEN_ENXIO);
    }
    assert_int_equal(register_info(g, 0, 0, PLACE, UINT32_MAX), -XEN_ENXIO);
    assert_int_equal(register_info(g, 0, 0, PLACE, 4032), 0);
}

static void test_32_bit_guest_aligns_to_its_word(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_X86_32, 1);

    assert_int_equal(register_info(g, 0, 0, NO_FRAME, 2), -XEN_ENXIO);
    assert_int_equal(register_info(g, 0, 0, PLACE, 4036), -XEN_ENXIO);
    assert_int_equal(register_info(g, 0, 0, PLACE, 4028), 0);
}

static void test_register_info_errors(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    g->access[10] = READ_ONLY;
    assert_int_equal(register_info(g, 0, 4, PLACE, 1), -XEN_ENOENT);
    assert_int_equal(register_info(g, 0, 0, NO_FRAME, 0), -XEN_EINVAL);
    assert_int_equal(register_info(g, 0, 0, 10, 0), -XEN_EACCES);
    assert_int_equal(g->mapped, 0);
    assert_ptr_equal(evc_vcpu_info(g->dom, 0), g->memory);
    assert_int_equal(register_info(g, 0, 0, PLACE, 0), 0);
    assert_int_equal(register_info(g, 0, 0, PLACE, 1), -XEN_ENXIO);
    assert_int_equal(register_info(g, 0, 0, PLACE, 0), -XEN_EINVAL);
    assert_int_equal(hypercall(g, 0, 24, 10, 0, FRAMES * PAGE), -XEN_EFAULT);
}

static void test_vcpu_that_runs_moves_its_info_itself(void **state)
{
    struct world *w = *state;

    evc_vcpu_set_online(w->d1->dom, 2, true);
    assert_int_equal(register_info(w->d1, 0, 2, PLACE, 0), -XEN_EINVAL);
    assert_int_equal(register_info(w->d1, 2, 2, PLACE, 0), 0);
    assert_int_equal(register_info(w->d1, 0, 3, PLACE, 64), 0);
}

static void test_vcpu_beyond_shared_info_starts_masked(void **state)
{
    struct guest *g = shaped(*state, EVC_LAYOUT_X86_64, 33);
    uint32_t port = (uint32_t)bind_ipi(g, 32);

    send_port(g, port);
    assert_int_equal(register_info(g, 32, 32, PLACE, 0), 0);
    assert_int_equal(*upcall_mask(g, 32), 1);
    assert_int_equal(*upcall_pending(g, 32), 1);
    assert_int_equal(take(g, 32).port[0], port);
}

static void test_reset_does_not_move_it_back(void **state)
{
    struct world *w = *state;

    register_info(w->d1, 0, 0, PLACE, 0);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    assert_ptr_equal(evc_vcpu_info(w->d1->dom, 0), at(w->d1, PLACE * PAGE));
    assert_int_equal(register_info(w->d1, 0, 0, PLACE, 64), -XEN_EINVAL);
}

static void test_infos_may_share_a_page(void **state)
{
    struct world *w = *state;

    for (uint32_t v = 0; v < 4; v++)
        assert_int_equal(register_info(w->d1, v, v, PLACE, v * 64), 0);
    assert_int_equal(w->d1->mapped, 4);
}

/* Its own shared_info, a little further: the two places overlap. */
static void test_move_onto_itself(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    for (unsigned i = 0; i < 16; i++)
        g->memory[16 + i] = (uint8_t)i; /* arch */
    assert_int_equal(register_info(g, 0, 0, 0, 24), 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(g->memory[24 + 16 + i], i);
    assert_int_equal(*upcall_pending(g, 0), 1);
}

static void test_is_up_is_what_the_embedder_said(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 0, 24, VCPUOP_is_up, 1, 0), 0);
    evc_vcpu_set_online(w->d1->dom, 1, true);
    assert_int_equal(hypercall(w->d1, 0, 24, VCPUOP_is_up, 1, 0), 1);
    assert_int_equal(hypercall(w->d1, 0, 24, VCPUOP_is_up, 4, 0), -XEN_ENOENT);
    evc_vcpu_set_online(w->d1->dom, 4, true); /* no such one: nothing */
}

static void test_other_vcpu_operations_are_the_embedders(void **state)
{
    struct world *w = *state;

    w->other.answer = 5;
    assert_int_equal(hypercall(w->d1, 0, 24, VCPUOP_up, 1, 0), 5);
    assert_int_equal(w->other.nr, 24);
}

/* ---- clocks ------------------------------------------------------------------------------- */

static uint64_t guests_ns(const struct evc_abi_vcpu_time_info_x86_64 *time,
                          uint64_t tsc)
{
    uint64_t delta = tsc - time->tsc_timestamp;

    delta = time->tsc_shift >= 0 ? delta << time->tsc_shift
                                 : delta >> -time->tsc_shift;
    return time->system_time +
           (uint64_t)((unsigned __int128)delta * time->tsc_to_system_mul >> 32);
}

static const struct evc_abi_vcpu_time_info_x86_64 *time_of(struct guest *g,
                                                           unsigned vcpu)
{
    return (const void *)((uint8_t *)evc_vcpu_info(g->dom, vcpu) + g->abi.time);
}

static void check_clock(struct guest *g)
{
    struct world *w = g->world;

    w->rate = (struct evc_time){.tsc_timestamp = 1000000,
                                .tsc_to_system_mul = UINT32_C(1) << 31,
                                .tsc_shift = -1,
                                .flags = 1}; /* four ticks a ns */
    for (unsigned i = 0; i < 5; i++) {
        const struct evc_abi_vcpu_time_info_x86_64 *time = time_of(g, 0);
        uint32_t version = time->version;

        w->now += 777777;
        evc_vcpu_update_time(g->dom, 0);
        assert_int_equal(time->version % 2, 0);
        assert_int_not_equal(time->version, version);
        assert_int_equal(time->system_time, w->now);
        assert_int_equal(time->flags, 1);
        assert_int_equal(guests_ns(time, w->now + 1000000 + 4000),
                         w->now + 1000);
    }
}

static void test_formula_gives_the_clock_in_every_layout(void **state)
{
    struct world *w = *state;

    check_clock(w->d1);
    check_clock(shaped(w, EVC_LAYOUT_X86_32, 1));
    guest_destroy(&w->guest[3]);
    check_clock(shaped(w, EVC_LAYOUT_ARM, 1));
}

static void test_clock_writes_nothing_beside_it(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    memset(g->memory, 0xff, PAGE);
    evc_vcpu_update_time(g->dom, 1);
    for (unsigned i = 0; i < PAGE; i++) {
        if (i < 64 + 32 || i >= 128)
            assert_int_equal(g->memory[i], 0xff);
    }
}

static void test_odd_version_becomes_even(void **state)
{
    struct world *w = *state;

    *(uint32_t *)at(w->d1, 32) = 7; /* as a hostile guest leaves it */
    evc_vcpu_update_time(w->d1->dom, 0);
    assert_int_equal(read32(w->d1, 32), 8);
    *(uint32_t *)at(w->d1, 32) = UINT32_MAX;
    evc_vcpu_update_time(w->d1->dom, 0);
    assert_int_equal(read32(w->d1, 32), 0);
}

static void test_clock_of_no_vcpu_is_nothing(void **state)
{
    struct world *w = *state;

    evc_vcpu_update_time(w->d1->dom, 4);
    assert_null(evc_vcpu_info(w->d1->dom, 4));
}

static void test_clocks_are_right_from_the_start(void **state)
{
    struct world *w = *state;

    for (unsigned v = 0; v < 4; v++)
        assert_int_equal(time_of(w->d1, v)->system_time, w->now);
}

static void test_moved_info_has_the_clock(void **state)
{
    struct world *w = *state;

    w->now += 5000;
    register_info(w->d1, 0, 0, PLACE, 0);
    assert_int_equal(time_of(w->d1, 0)->system_time, w->now);
    assert_int_equal(time_of(w->d1, 0)->version % 2, 0);
}

static void check_wallclock(struct guest *g)
{
    const uint64_t sec = (UINT64_C(3) << 32) + 1234567890;

    memset(g->memory, 0, PAGE);
    evc_domain_set_wallclock(g->dom, sec * 1000000000u + 999999999u);
    assert_int_equal(read32(g, g->abi.wc_version) % 2, 0);
    assert_int_not_equal(read32(g, g->abi.wc_version), 0);
    assert_int_equal(read32(g, g->abi.wc_sec), 1234567890);
    assert_int_equal(read32(g, g->abi.wc_nsec), 999999999);
    if (g->abi.wc_sec_hi != 0)
        assert_int_equal(read32(g, g->abi.wc_sec_hi), 3);
}

static void test_wallclock_lies_right_in_every_layout(void **state)
{
    struct world *w = *state;

    check_wallclock(w->d1);
    check_wallclock(shaped(w, EVC_LAYOUT_X86_32, 1));
    guest_destroy(&w->guest[3]);
    check_wallclock(shaped(w, EVC_LAYOUT_ARM, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moved_info_asks_for_a_rescan),
        TEST(test_32_bit_guests_selector_is_32_bits),
        TEST(test_move_copies_what_was_there),
        TEST(test_events_go_to_the_new_place_only),
        TEST(test_event_told_to_the_old_place_is_found_at_the_new),
        TEST(test_every_offset_but_good_ones_is_ENXIO),
        TEST(test_32_bit_guest_aligns_to_its_word),
        TEST(test_register_info_errors),
        TEST(test_vcpu_that_runs_moves_its_info_itself),
        TEST(test_vcpu_beyond_shared_info_starts_masked),
        TEST(test_reset_does_not_move_it_back),
        TEST(test_infos_may_share_a_page),
        TEST(test_move_onto_itself),
        TEST(test_is_up_is_what_the_embedder_said),
        TEST(test_other_vcpu_operations_are_the_embedders),
        TEST(test_formula_gives_the_clock_in_every_layout),
        TEST(test_clock_writes_nothing_beside_it),
        TEST(test_odd_version_becomes_even),
        TEST(test_clock_of_no_vcpu_is_nothing),
        TEST(test_clocks_are_right_from_the_start),
        TEST(test_moved_info_has_the_clock),
        TEST(test_wallclock_lies_right_in_every_layout),
    };

    return RUN(tests);
}
