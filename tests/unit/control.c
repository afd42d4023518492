/* SPDX-License-Identifier: MIT */
/*
 * init_control, expand_array, set_priority, and changing the ABI or the width.
 */
#include "unit.h"

#include <stdatomic.h>
#include <string.h>

#include <evc/abi/vcpu.h>

static bool in_fifo(struct guest *g)
{
    struct evc_domain_info info;

    evc_domain_info(g->dom, &info);
    return info.fifo;
}

/* ---- init_control ---------------------------------------------------------------- */

static void test_init_control_switches_to_fifo(void **state)
{
    struct world *w = *state;

    assert_false(in_fifo(w->d1));
    assert_int_equal(init_control(w->d1, 16, 0, 0), 0);
    assert_true(in_fifo(w->d1));
    assert_int_equal(w->d1->mapped, 1);
}

static void test_init_control_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    g->access[20] = READ_ONLY;
    g->access[21] = UNMAPPED;
    assert_int_equal(init_control(g, NO_FRAME, 4, 4), -XEN_ENOENT);
    assert_int_equal(init_control(g, 16, 0, UINT32_MAX), -XEN_ENOENT);
    assert_int_equal(init_control(g, 16, 4, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, 4025, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, 4032, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, 4096, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, UINT32_MAX, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, UINT32_MAX - 7, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, NO_FRAME, 0, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, UINT64_MAX, 0, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 20, 0, 0), -XEN_EINVAL);
    assert_int_equal(init_control(g, 21, 0, 0), -XEN_EINVAL);
    assert_false(in_fifo(g));
    assert_int_equal(g->mapped, 0);
    assert_int_equal(init_control(g, 16, 4024, 0), 0);
    assert_int_equal(init_control(g, 17, 0, 0), -XEN_EINVAL);
    assert_int_equal(g->mapped, 1);
}

static void test_bad_frame_first_good_frame_later(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    assert_int_equal(init_control(g, NO_FRAME, 0, 0), -XEN_EINVAL);
    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(take(g, 0).port[0], port); /* still two-level */
    assert_int_equal(init_control(g, 16, 0, 0), 0);
    assert_int_equal(init_control(g, NO_FRAME, 0, 1), -XEN_EINVAL);
    assert_int_equal(init_control(g, 16, 128, 1), 0);
    grow(g);
    send_port(g, port);
    assert_int_equal(take(g, 0).port[0], port);
}

static void test_init_control_of_a_dying_domain_is_EINVAL(void **state)
{
    struct world *w = *state;

    evc_domain_kill(w->d1->dom);
    assert_int_equal(init_control(w->d1, 16, 0, 0), -XEN_EINVAL);
    assert_int_equal(w->d1->mapped, 0);
}

static void test_full_memory_is_not_called_a_bad_frame(void **state)
{
    struct world *w = *state;

    w->d1->map_error = -XEN_ENOMEM;
    assert_int_equal(init_control(w->d1, 16, 0, 0), -XEN_ENOMEM);
    assert_false(in_fifo(w->d1));
    assert_int_equal(init_control(w->d1, 16, 0, 0), 0);
    w->d1->map_error = -XEN_ENOMEM;
    assert_int_equal(grow(w->d1), -XEN_ENOMEM);
    assert_int_equal(grow(w->d1), 0);
}

/* ---- expand_array ---------------------------------------------------------------------- */

static void test_expand_array_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    assert_int_equal(expand_array(g, NO_FRAME), -XEN_EOPNOTSUPP);
    enter_fifo(g, 1);
    g->access[20] = READ_ONLY;
    assert_int_equal(expand_array(g, NO_FRAME), -XEN_EINVAL);
    assert_int_equal(expand_array(g, 20), -XEN_EINVAL);
    for (int i = 0; i < 128; i++)
        assert_int_equal(grow(g), 0);
    assert_int_equal(expand_array(g, NO_FRAME), -XEN_ENOSPC);
    assert_int_equal(g->mapped, 129);
}

static void test_one_page_may_serve_twice(void **state)
{
    struct world *w = *state;

    enter_fifo(w->d1, 1);
    assert_int_equal(expand_array(w->d1, 64), 0);
    assert_int_equal(expand_array(w->d1, 64), 0);
    assert_int_equal(expand_array(w->d1, BLOCK_FRAME), 0);
}

/* ---- set_priority ------------------------------------------------------------------------- */

static void test_set_priority_errors_in_order(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    assert_int_equal(set_priority(w->d1, 64, 16), -XEN_EINVAL);
    assert_int_equal(set_priority(w->d1, port, 16), -XEN_ENOSYS);
    assert_int_equal(set_priority(w->d1, 63, 0), -XEN_ENOSYS);
    enter_fifo(w->d1, 1);
    assert_int_equal(set_priority(w->d1, 64, 0), -XEN_EINVAL);
    assert_int_equal(set_priority(w->d1, 0, 16), -XEN_EACCES);
    assert_int_equal(set_priority(w->d1, 63, 16), -XEN_EACCES);
    assert_int_equal(set_priority(w->d1, port, 16), -XEN_EINVAL);
    assert_int_equal(set_priority(w->d1, port, UINT32_MAX), -XEN_EINVAL);
    assert_int_equal(set_priority(w->d1, port, 15), 0);
    assert_int_equal(set_priority(w->d1, port, 0), 0);
}

static void test_set_priority_needs_no_word(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    enter_fifo(w->d1, 1);
    assert_int_equal(set_priority(w->d1, port, 2), 0);
    grow(w->d1);
    send_port(w->d1, port);
    assert_int_equal(atomic_load(ready_word(w->d1, 0)), 1u << 2);
}

static void test_reopened_port_is_at_the_default_priority(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    enter_fifo(w->d1, 1);
    grow(w->d1);
    set_priority(w->d1, port, 2);
    close_port(w->d1, port);
    assert_int_equal(bind_ipi(w->d1, 0), port);
    send_port(w->d1, port);
    assert_int_equal(atomic_load(ready_word(w->d1, 0)), 1u << 7);
}

static void test_move_keeps_the_priority(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    enter_fifo(w->d1, 2);
    grow(w->d1);
    set_priority(w->d1, c.a, 2);
    bind_vcpu(w->d1, c.a, 1);
    send_port(w->d2, c.b);
    assert_int_equal(atomic_load(ready_word(w->d1, 1)), 1u << 2);
}

/* ---- from two levels to FIFO ----------------------------------------------------------------- */

static void test_pending_events_come_along_in_rising_order(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct taken taken;

    for (uint32_t p = 1; p <= 70; p++)
        bind_ipi(g, 0);
    send_port(g, 70);
    send_port(g, 2);
    mask(g, 33);
    send_port(g, 33);
    enter_fifo(g, 1);
    *upcall_pending(g, 0) = 0;
    grow(g);
    taken = take(g, 0);
    assert_int_equal(taken.count, 3); /* masks are not carried over */
    assert_int_equal(taken.port[0], 2);
    assert_int_equal(taken.port[1], 33);
    assert_int_equal(taken.port[2], 70);
}

static void test_priorities_are_default_after_the_switch(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    enter_fifo(w->d1, 1);
    set_priority(w->d1, port, 2);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    forget_fifo(w->d1);
    assert_int_equal(bind_ipi(w->d1, 0), port);
    enter_fifo(w->d1, 1);
    grow(w->d1);
    send_port(w->d1, port);
    assert_int_equal(atomic_load(ready_word(w->d1, 0)), 1u << 7);
}

static void test_fifo_again_after_reset(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

        enter_fifo(w->d1, 4);
        assert_int_equal(grow(w->d1), 0);
        send_port(w->d1, port);
        assert_int_equal(take(w->d1, 0).port[0], port);
        assert_int_equal(reset(w->d1, DOMID_SELF), 0);
        assert_int_equal(w->d1->mapped, 0);
        forget_fifo(w->d1);
    }
}

/* ---- saved events, in both compats --------------------------------------------------------------- */

/* An event is saved, the port closed, and then there is a word. */
static unsigned events_after_close(struct guest *g)
{
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    send_port(g, port);
    close_port(g, port);
    grow(g);
    return take(g, 0).count;
}

static void test_saved_event_is_forgotten_by_close(void **state)
{
    assert_int_equal(events_after_close(((struct world *)*state)->d1), 0);
}

static void test_saved_event_outlives_close_in_xen(void **state)
{
    assert_int_equal(events_after_close(((struct world *)*state)->d1), 1);
}

static unsigned events_after_reset(struct guest *g)
{
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    send_port(g, port);
    reset(g, DOMID_SELF);
    forget_fifo(g);
    bind_ipi(g, 0);
    enter_fifo(g, 1);
    grow(g);
    return take(g, 0).count;
}

static void test_saved_event_is_forgotten_by_reset(void **state)
{
    assert_int_equal(events_after_reset(((struct world *)*state)->d1), 0);
}

static void test_saved_event_outlives_reset_in_xen(void **state)
{
    assert_int_equal(events_after_reset(((struct world *)*state)->d1), 1);
}

/* A closed port's bit, which the guest set and then took back. */
static unsigned events_of_a_closed_port(struct guest *g)
{
    *(_Atomic uint64_t *)at(g, g->abi.pending) = UINT64_C(1) << 50;
    enter_fifo(g, 1);
    *(_Atomic uint64_t *)at(g, g->abi.pending) = 0;
    reset(g, DOMID_SELF);
    forget_fifo(g);
    enter_fifo(g, 1);
    grow(g);
    return take(g, 0).count;
}

static void test_saved_bit_of_a_closed_port_is_forgotten_by_reset(void **state)
{
    assert_int_equal(events_of_a_closed_port(((struct world *)*state)->d1), 0);
}

static void test_saved_bit_of_a_closed_port_outlives_reset_in_xen(void **state)
{
    assert_int_equal(events_of_a_closed_port(((struct world *)*state)->d1), 1);
}

static unsigned events_raised_twice(struct guest *g)
{
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    unsigned n;

    enter_fifo(g, 1);
    send_port(g, port);
    grow(g);
    n = take(g, 0).count;
    reset(g, DOMID_SELF);
    forget_fifo(g);
    bind_ipi(g, 0);
    enter_fifo(g, 1);
    grow(g);
    return n + take(g, 0).count;
}

static void test_saved_event_is_forgotten_once_raised(void **state)
{
    assert_int_equal(events_raised_twice(((struct world *)*state)->d1), 1);
}

static void test_saved_event_outlives_its_raising_in_xen(void **state)
{
    assert_int_equal(events_raised_twice(((struct world *)*state)->d1), 2);
}

/* ---- another width ------------------------------------------------------------------------------------ */

static void test_layout_changes_where_bits_are(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 1);
    struct evc_domain_info info;

    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_32), 0);
    evc_domain_info(g->dom, &info);
    assert_int_equal(info.layout, EVC_LAYOUT_X86_32);
    assert_int_equal(info.max_port, 1023);
    send_port(g, port);
    assert_int_equal(read32(g, 2048), 1u << port);
    assert_int_equal(read32(g, 64 + 4), 1);
    assert_int_equal(read32(g, 64 + 8), 0);
}

static void test_layout_that_cannot_name_an_open_port_is_EBUSY(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_bind_static(w->d1->dom, 1024, 2), 0);
    assert_int_equal(evc_domain_set_layout(w->d1->dom, EVC_LAYOUT_X86_32),
                     -XEN_EBUSY);
    assert_int_equal(evc_domain_set_layout(w->d1->dom, EVC_LAYOUT_ARM), 0);
    close_port(w->d1, 1024);
    assert_int_equal(evc_bind_static(w->d1->dom, 1023, 2), 0);
    assert_int_equal(evc_domain_set_layout(w->d1->dom, EVC_LAYOUT_X86_32), 0);
    assert_int_equal(evc_bind_static(w->d1->dom, 1024, 2), -XEN_ENOSPC);
}

static void register_at(struct guest *g, uint32_t offset)
{
    struct vcpu_register_vcpu_info arg = {.mfn = 9, .offset = offset};

    put(g, SCRATCH, &arg, sizeof(arg));
    assert_int_equal(hypercall(g, 1, __HYPERVISOR_vcpu_op,
                               VCPUOP_register_vcpu_info, 1, SCRATCH),
                     0);
}

static void
test_layout_that_a_moved_info_is_misaligned_for_is_EBUSY(void **state)
{
    struct guest *g = guest_create(
        *state, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_X86_32});

    register_at(g, 52); /* a selector of 64 bits would cross a cache line */
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_64),
                     -XEN_EBUSY);
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_32), 0);
}

static void test_layout_that_a_moved_info_has_no_room_for_is_EBUSY(void **state)
{
    struct guest *g = guest_create(
        *state, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_ARM});

    register_at(g, PAGE - 48); /* its info is the shortest */
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_64),
                     -XEN_EBUSY);
    evc_vcpu_update_time(g->dom, 1);
}

static void test_layout_in_fifo_mode_is_EBUSY(void **state)
{
    struct world *w = *state;

    enter_fifo(w->d1, 1);
    assert_int_equal(evc_domain_set_layout(w->d1->dom, EVC_LAYOUT_X86_32),
                     -XEN_EBUSY);
}

static void test_unknown_layout_is_EINVAL(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_domain_set_layout(w->d1->dom, (enum evc_layout)3),
                     -XEN_EINVAL);
    assert_int_equal(evc_domain_set_layout(w->d1->dom, (enum evc_layout) - 1),
                     -XEN_EINVAL);
}

static void test_layout_moves_no_bit(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    bind_ipi(g, 0);
    send_port(g, 1);
    memset(at(g, 16), 0, 0x430 - 16); /* clocks, where ARM has its bits */
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_ARM), 0);
    assert_int_equal(read64(g, 2048), 2);
    assert_int_equal(read64(g, 0x30), 0);
    send_port(g, 1);
    assert_int_equal(read64(g, 0x30), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_init_control_switches_to_fifo),
        TEST(test_init_control_errors_in_order),
        TEST(test_bad_frame_first_good_frame_later),
        TEST(test_init_control_of_a_dying_domain_is_EINVAL),
        TEST(test_full_memory_is_not_called_a_bad_frame),
        TEST(test_expand_array_errors_in_order),
        TEST(test_one_page_may_serve_twice),
        TEST(test_set_priority_errors_in_order),
        TEST(test_set_priority_needs_no_word),
        TEST(test_reopened_port_is_at_the_default_priority),
        TEST(test_move_keeps_the_priority),
        TEST(test_pending_events_come_along_in_rising_order),
        TEST(test_priorities_are_default_after_the_switch),
        TEST(test_fifo_again_after_reset),
        TEST(test_saved_event_is_forgotten_by_close),
        TEST_417(test_saved_event_outlives_close_in_xen),
        TEST(test_saved_event_is_forgotten_by_reset),
        TEST_417(test_saved_event_outlives_reset_in_xen),
        TEST(test_saved_bit_of_a_closed_port_is_forgotten_by_reset),
        TEST_417(test_saved_bit_of_a_closed_port_outlives_reset_in_xen),
        TEST(test_saved_event_is_forgotten_once_raised),
        TEST_417(test_saved_event_outlives_its_raising_in_xen),
        TEST(test_layout_changes_where_bits_are),
        TEST(test_layout_that_cannot_name_an_open_port_is_EBUSY),
        TEST(test_layout_that_a_moved_info_is_misaligned_for_is_EBUSY),
        TEST(test_layout_that_a_moved_info_has_no_room_for_is_EBUSY),
        TEST(test_layout_in_fifo_mode_is_EBUSY),
        TEST(test_unknown_layout_is_EINVAL),
        TEST(test_layout_moves_no_bit),
    };

    return RUN(tests);
}
