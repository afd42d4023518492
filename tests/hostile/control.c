/* SPDX-License-Identifier: MIT */
/*
 * FIFO set-up and its corners, one thread: wrong frames, missing blocks,
 * missing pages, ports that change queues, old numbers after a reset.
 */
#include "hostile.h"

#include <string.h>

/* ---- a vCPU without a control block (XSA-107; 8aa0e9d2d1) --------------- */

static void test_event_for_a_vcpu_without_block_is_dropped(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t ipi = (uint32_t)bind_ipi(g, 3);
    uint32_t virq = (uint32_t)bind_virq(g, VIRQ_TIMER, 3);
    struct channel c = join_guests(g, w->d2);
    const uint32_t ports[] = {ipi, virq, c.a};

    bind_vcpu(g, c.a, 3);
    assert_int_equal(init_control(g, BLOCK_FRAME, 0, 0), 0);
    assert_int_equal(grow(g), 0);
    assert_int_equal(send_port(g, ipi), 0);
    assert_int_equal(evc_raise_vcpu_virq(g->dom, 3, VIRQ_TIMER), 0);
    assert_int_equal(send_port(w->d2, c.b), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(*event_word(g, ports[i]), 0); /* PENDING above all */

    assert_int_equal(init_control(g, BLOCK_FRAME, 128, 3), 0);
    assert_int_equal(take(g, 3).count, 0); /* what was dropped is gone */
    for (unsigned i = 0; i < 3; i++) {
        if (i == 1)
            evc_raise_vcpu_virq(g->dom, 3, VIRQ_TIMER);
        else
            send_port(i == 0 ? g : w->d2, i == 0 ? ipi : c.b);
        assert_int_equal(take(g, 3).port[0], ports[i]);
    }
}

/* ---- wrong frames (XSA-188) --------------------------------------------- */

static void test_init_control_recovers_from_every_bad_frame(void **state)
{
    static const struct {
        uint64_t gfn;
        uint32_t offset;
    } bad[] = {
        {NO_FRAME, 0},
        {UINT64_MAX, 0},
        {10, 0},
        {11, 0},
        {BLOCK_FRAME, 4032},
        {BLOCK_FRAME, 4},
        {BLOCK_FRAME, 4096},
        {BLOCK_FRAME, UINT32_MAX - 7},
    };
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    g->access[10] = READ_ONLY;
    g->access[11] = UNMAPPED;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(init_control(g, bad[i].gfn, bad[i].offset, 0),
                         -XEN_EINVAL);
        assert_int_equal(g->mapped, 0);
        assert_int_equal(send_port(g, port), 0); /* two-level still */
        assert_int_equal(take(g, 0).port[0], port);
    }
    assert_int_equal(init_control(g, BLOCK_FRAME, 4024, 0), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(init_control(g, bad[i].gfn, bad[i].offset, 1),
                         -XEN_EINVAL);
    assert_int_equal(grow(g), 0);
    send_port(g, port);
    assert_int_equal(take(g, 0).port[0], port);
    assert_true(frames_are_clear(g, 10, 12));
}

static void test_expand_array_recovers_from_every_bad_frame(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    g->access[10] = READ_ONLY;
    assert_int_equal(init_control(g, BLOCK_FRAME, 0, 0), 0);
    send_port(g, port); /* kept back */
    assert_int_equal(expand_array(g, 10), -XEN_EINVAL);
    assert_int_equal(expand_array(g, NO_FRAME), -XEN_EINVAL);
    assert_int_equal(take(g, 0).count, 0);
    assert_int_equal(grow(g), 0);
    assert_int_equal(take(g, 0).port[0], port);
}

/* ---- old numbers after a reset (XSA-338; 400b3bd642) -------------------- */

static void test_ports_above_4096_are_gone_after_reset(void **state)
{
    static const uint32_t high[] = {4096, 5000, 70000, 131071};
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t peer[ARRAY_SIZE(high)];
    struct evtchn_status now;

    enter_fifo(g, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++) {
        assert_int_equal(evc_bind_static(g->dom, high[i], 2), 0);
        peer[i] = (uint32_t)bind_interdomain(w->d2, 1, high[i]);
    }
    assert_int_equal(reset(g, DOMID_SELF), 0);
    forget_fifo(g);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++) {
        assert_int_equal(send_port(g, high[i]), -XEN_EINVAL);
        assert_int_equal(close_port(g, high[i]), -XEN_EINVAL);
        assert_int_equal(bind_vcpu(g, high[i], 1), -XEN_EINVAL);
        assert_int_equal(unmask_port(g, high[i]), 0);
        assert_int_equal(poll_ports(g, 0, &high[i], 1, 1), -XEN_EINVAL);
        /* The table has not shrunk: still a port, closed. */
        assert_int_equal(status(g, DOMID_SELF, high[i], &now), 0);
        assert_int_equal(now.status, EVTCHNSTAT_closed);
        assert_int_equal(send_port(w->d2, peer[i]), 0);
        assert_int_equal(close_port(w->d2, peer[i]), 0);
    }
    assert_true(frames_are_clear(g, 1, BLOCK_FRAME));
    assert_int_equal(bind_ipi(g, 0), 1);
}

static void test_domain_starts_anew_after_reset(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    for (int i = 0; i < 3; i++) { /* kexec, again and again */
        struct channel c = join_guests(g, w->d2);

        assert_int_equal(c.a, 1);
        send_port(w->d2, c.b);
        assert_int_equal(take(g, 0).port[0], 1);
        enter_fifo(g, 4);
        assert_int_equal(grow(g), 0);
        send_port(w->d2, c.b);
        assert_int_equal(take(g, 0).port[0], 1);
        assert_int_equal(close_port(w->d2, c.b), 0);
        assert_int_equal(reset(g, DOMID_SELF), 0);
        assert_int_equal(g->mapped, 0);
        forget_fifo(g);
        memset(at(g, BLOCK_FRAME * PAGE), 0, PAGE);
        memset(at(g, ARRAY_FRAME * PAGE), 0, PAGE);
    }
}

/* ---- the latch (917c123029), READY (70ccddb14a), priority (470a160402) -- */

static void
test_event_without_a_word_is_raised_when_its_page_comes(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    assert_int_equal(evc_bind_static(g->dom, 2500, 2), 0);
    send_port(w->d2, (uint32_t)bind_interdomain(w->d2, 1, 2500));
    assert_int_equal(take(g, 0).count, 0);
    assert_int_equal(grow(g), 0); /* 1024 .. 2047: not its page */
    assert_int_equal(take(g, 0).count, 0);
    assert_int_equal(grow(g), 0);
    assert_int_equal(take(g, 0).port[0], 2500);
}

static void test_ready_is_set_for_a_new_head_only(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t a = (uint32_t)bind_ipi(g, 0), b = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    send_port(g, a);
    assert_int_equal(atomic_exchange(ready_word(g, 0), 0), 1u << 7);
    *upcall_pending(g, 0) = 0;
    send_port(g, b);
    assert_int_equal(*ready_word(g, 0), 0);
    assert_int_equal(*upcall_pending(g, 0), 0);
    assert_int_equal(consume(g, 0, 7), a);
    assert_int_equal(consume(g, 0, 7), b);
}

static void test_reused_port_has_the_default_priority(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    assert_int_equal(set_priority(g, port, 0), 0);
    close_port(g, port);
    assert_int_equal(bind_ipi(g, 0), port);
    send_port(g, port);
    assert_int_equal(*head_word(g, 0, 7), port);
    assert_int_equal(*head_word(g, 0, 0), 0);
}

/* ---- changing queues (e33d4257fc), closing while LINKED (78e24c269b) ---- */

static void
test_tail_that_moves_away_does_not_take_the_queue_along(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t a = (uint32_t)bind_ipi(g, 0), b = (uint32_t)bind_ipi(g, 0);
    uint32_t c = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    send_port(g, a); /* the tail of queue 7 */
    assert_int_equal(consume(g, 0, 7), a);
    set_priority(g, a, 3);
    send_port(g, a); /* now of queue 3; 7 must have forgotten it */
    send_port(g, b);
    assert_int_equal(*event_word(g, a) & LINK_MASK, 0);
    assert_int_equal(*head_word(g, 0, 7), b);
    send_port(g, c);
    assert_int_equal(consume(g, 0, 3), a);
    assert_int_equal(consume(g, 0, 7), b);
    assert_int_equal(consume(g, 0, 7), c);
}

static void
test_linked_event_stays_where_it_is_when_its_queue_changes(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t a = (uint32_t)bind_ipi(g, 0), b = (uint32_t)bind_ipi(g, 0);

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    send_port(g, a);
    set_priority(g, a, 3);
    clear_pending(g, a);
    send_port(g, a); /* LINKED still */
    send_port(g, b); /* behind a: it is the tail of 7 still */
    assert_int_equal(*head_word(g, 0, 3), 0);
    assert_int_equal(consume(g, 0, 7), a);
    assert_int_equal(consume(g, 0, 7), b);
    send_port(g, a);
    assert_int_equal(consume(g, 0, 3), a);
}

static void test_linked_port_is_not_given_out_again(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t a = (uint32_t)bind_ipi(g, 0), other;

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    send_port(g, a);
    close_port(g, a);
    other = (uint32_t)bind_ipi(g, 0);
    assert_int_not_equal(other, a);
    assert_int_equal(evc_bind_static(g->dom, a, 2), -XEN_EBUSY);
    assert_int_equal(consume(g, 0, 7), 0); /* unlinks it */
    assert_int_equal(bind_ipi(g, 0), a);
}

/* ---- an honest guest ---------------------------------------------------- */

static void test_queues_keep_their_order_and_the_urgent_goes_first(void **state)
{
    static const uint32_t priority[] = {7, 7, 0, 15, 7, 0, 15};
    static const unsigned order[] = {2, 5, 0, 1, 4, 3, 6};
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port[ARRAY_SIZE(priority)];
    struct taken taken;

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(priority); i++) {
        port[i] = (uint32_t)bind_ipi(g, 0);
        set_priority(g, port[i], priority[i]);
    }
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(priority); i++)
        send_port(g, port[i % ARRAY_SIZE(priority)]); /* each twice: merged */
    taken = take(g, 0);
    assert_int_equal(taken.count, ARRAY_SIZE(priority));
    for (unsigned i = 0; i < taken.count; i++)
        assert_int_equal(taken.port[i], port[order[i]]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_for_a_vcpu_without_block_is_dropped),
        TEST(test_init_control_recovers_from_every_bad_frame),
        TEST(test_expand_array_recovers_from_every_bad_frame),
        TEST(test_ports_above_4096_are_gone_after_reset),
        TEST(test_domain_starts_anew_after_reset),
        TEST(test_event_without_a_word_is_raised_when_its_page_comes),
        TEST(test_ready_is_set_for_a_new_head_only),
        TEST(test_reused_port_has_the_default_priority),
        TEST(test_tail_that_moves_away_does_not_take_the_queue_along),
        TEST(test_linked_event_stays_where_it_is_when_its_queue_changes),
        TEST(test_linked_port_is_not_given_out_again),
        TEST(test_queues_keep_their_order_and_the_urgent_goes_first),
    };

    return RUN(tests);
}
