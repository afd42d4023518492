/* SPDX-License-Identifier: MIT */
/*
 * FIFO delivery: marking, linking, queues, priorities, hostile words.
 */
#include "unit.h"

#include <stdatomic.h>

/* d1 with FIFO on two vCPUs and one page of words. */
static struct guest *fifo_guest(struct world *w)
{
    enter_fifo(w->d1, 2);
    if (grow(w->d1) < 0)
        fail();
    return w->d1;
}

static uint32_t ipi(struct guest *g, unsigned vcpu)
{
    int port = bind_ipi(g, vcpu);

    assert_true(port > 0);
    return (uint32_t)port;
}

static uint32_t word(struct guest *g, uint32_t port)
{
    return atomic_load(event_word(g, port));
}

static void write_word(struct guest *g, uint32_t port, uint32_t value)
{
    atomic_store(event_word(g, port), value);
}

static uint32_t ready(struct guest *g, unsigned vcpu)
{
    return atomic_load(ready_word(g, vcpu));
}

static uint32_t head(struct guest *g, unsigned vcpu, unsigned priority)
{
    return atomic_load(head_word(g, vcpu, priority));
}

/* ---- one event -------------------------------------------------------------------- */

static void test_event_is_linked_at_the_head_of_queue_7(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 1);

    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(word(g, port), PENDING | LINKED);
    assert_int_equal(head(g, 1, 7), port);
    assert_int_equal(ready(g, 1), 1u << 7);
    assert_int_equal(*upcall_pending(g, 1), 1);
    assert_int_equal(g->kicks[1], 1);
}

static void test_two_level_bits_are_left_alone(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 1);

    send_port(g, port);
    assert_int_equal(selector(g, 1), 0);
    assert_int_equal(read64(g, g->abi.pending), 0);
}

static void test_second_event_merges_with_the_first(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    send_port(g, port);
    send_port(g, port);
    assert_int_equal(g->kicks[0], 1);
    assert_int_equal(take(g, 0).count, 1);
}

static void test_event_of_a_linked_port_is_not_linked_again(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    send_port(g, port);
    clear_pending(g, port);
    send_port(g, port);
    assert_int_equal(word(g, port), PENDING | LINKED);
    assert_int_equal(g->kicks[0], 1);
    assert_int_equal(take(g, 0).count, 1);
}

static void test_taken_event_can_be_raised_again(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    for (int i = 0; i < 3; i++) {
        send_port(g, port);
        assert_int_equal(take(g, 0).port[0], port);
        assert_int_equal(word(g, port), 0);
    }
    assert_int_equal(g->kicks[0], 3);
}

static void test_masked_event_is_pending_but_not_linked(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    mask(g, port);
    send_port(g, port);
    assert_int_equal(word(g, port), PENDING | MASKED);
    assert_int_equal(ready(g, 0), 0);
    assert_int_equal(g->kicks[0], 0);
}

static void test_unmask_links_what_waited(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    mask(g, port);
    send_port(g, port);
    assert_int_equal(unmask_port(g, port), 0);
    assert_int_equal(word(g, port), PENDING | LINKED);
    assert_int_equal(take(g, 0).port[0], port);
}

static void test_unmask_without_event_only_unmasks(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    mask(g, port);
    assert_int_equal(unmask_port(g, port), 0);
    assert_int_equal(word(g, port), 0);
    assert_int_equal(ready(g, 0), 0);
}

/* ---- queues ----------------------------------------------------------------------- */

static void test_events_of_a_queue_keep_their_order(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port[5];
    struct taken taken;

    for (int i = 0; i < 5; i++)
        port[i] = ipi(g, 0);
    for (int i = 4; i >= 0; i--)
        send_port(g, port[i]);
    taken = take(g, 0);
    assert_int_equal(taken.count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(taken.port[i], port[4 - i]);
}

static void test_each_word_links_to_the_next(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0), c = ipi(g, 0);

    send_port(g, a);
    send_port(g, b);
    send_port(g, c);
    assert_int_equal(word(g, a), PENDING | LINKED | b);
    assert_int_equal(word(g, b), PENDING | LINKED | c);
    assert_int_equal(word(g, c), PENDING | LINKED);
    assert_int_equal(head(g, 0, 7), a);
}

static void test_append_tells_nobody(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    *upcall_pending(g, 0) = 0;
    send_port(g, b);
    assert_int_equal(*upcall_pending(g, 0), 0);
    assert_int_equal(g->kicks[0], 1);
}

static void test_new_head_tells_nobody_while_the_queue_is_ready(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    *upcall_pending(g, 0) = 0;
    assert_int_equal(consume(g, 0, 7), a); /* the ready bit is still there */
    send_port(g, b);
    assert_int_equal(head(g, 0, 7), b);
    assert_int_equal(*upcall_pending(g, 0), 0);
}

static void test_lower_queues_are_served_first(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port[16];
    struct taken taken;

    for (uint32_t q = 0; q < 16; q++) {
        port[q] = ipi(g, 0);
        assert_int_equal(set_priority(g, port[q], q), 0);
    }
    for (uint32_t q = 16; q-- > 0;)
        send_port(g, port[q]);
    assert_int_equal(ready(g, 0), 0xffff);
    taken = take(g, 0);
    assert_int_equal(taken.count, 16);
    for (uint32_t q = 0; q < 16; q++)
        assert_int_equal(taken.port[q], port[q]);
    assert_int_equal(g->kicks[0], 1);
}

static void test_queues_of_vcpus_are_apart(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 1);

    send_port(g, a);
    send_port(g, b);
    assert_int_equal(word(g, a), PENDING | LINKED);
    assert_int_equal(word(g, b), PENDING | LINKED);
    assert_int_equal(take(g, 1).port[0], b);
    assert_int_equal(take(g, 0).port[0], a);
}

/* ---- moving between queues ------------------------------------------------------------ */

static void test_new_priority_is_for_events_from_now_on(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    send_port(g, port);
    assert_int_equal(set_priority(g, port, 3), 0);
    assert_int_equal(ready(g, 0), 1u << 7);
    assert_int_equal(take(g, 0).port[0], port);
    send_port(g, port);
    assert_int_equal(ready(g, 0), 1u << 3);
    assert_int_equal(head(g, 0, 3), port);
    assert_int_equal(take(g, 0).port[0], port);
}

static void test_linked_event_stays_where_it_is(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    send_port(g, port);
    clear_pending(g, port);
    set_priority(g, port, 3);
    send_port(g, port); /* still LINKED on queue 7 */
    assert_int_equal(ready(g, 0), 1u << 7);
    assert_int_equal(take(g, 0).port[0], port);
}

static void test_tail_that_moved_is_forgotten_by_its_old_queue(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);
    struct taken taken;

    send_port(g, a); /* tail of queue 7 */
    assert_int_equal(take(g, 0).port[0], a);
    set_priority(g, a, 3);
    send_port(g, a); /* LINKED again, but on queue 3 */
    send_port(g, b); /* queue 7 is empty: b must not hang on a */
    assert_int_equal(head(g, 0, 7), b);
    assert_int_equal(word(g, a), PENDING | LINKED);
    taken = take(g, 0);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.port[0], a);
    assert_int_equal(taken.port[1], b);
}

static void test_tail_that_moved_to_another_vcpu_is_forgotten_too(void **state)
{
    struct world *w = *state;
    struct guest *g = fifo_guest(w);
    struct channel c = join_guests(g, w->d2), d = join_guests(g, w->d2);

    send_port(w->d2, c.b);
    assert_int_equal(take(g, 0).port[0], c.a);
    assert_int_equal(bind_vcpu(g, c.a, 1), 0);
    send_port(w->d2, c.b);
    send_port(w->d2, d.b);
    assert_int_equal(head(g, 0, 7), d.a);
    assert_int_equal(take(g, 1).port[0], c.a);
    assert_int_equal(take(g, 0).port[0], d.a);
}

static void test_port_comes_back_to_its_first_queue(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    for (uint32_t i = 0; i < 8; i++) {
        set_priority(g, a, i % 2 ? 3 : 7);
        send_port(g, a);
        send_port(g, b);
        assert_int_equal(take(g, 0).count, 2);
    }
}

static void test_reused_port_leaves_its_old_queue_alone(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    assert_int_equal(take(g, 0).count, 1); /* a is the tail, unlinked */
    close_port(g, a);
    assert_int_equal(bind_ipi(g, 1), a);
    send_port(g, a); /* now LINKED for vCPU 1 */
    send_port(g, b);
    assert_int_equal(take(g, 0).port[0], b);
    assert_int_equal(take(g, 1).port[0], a);
}

/* ---- words as the guest left them -------------------------------------------------------- */

static void test_link_found_in_a_word_is_kept(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    write_word(g, port, 5);
    send_port(g, port);
    assert_int_equal(word(g, port), PENDING | LINKED | 5);
}

static void test_link_of_the_tail_is_replaced_whole(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    write_word(g, a, PENDING | LINKED | LINK_MASK);
    send_port(g, b);
    assert_int_equal(word(g, a), PENDING | LINKED | b);
}

static void test_reserved_bits_are_kept(void **state)
{
    const uint32_t reserved = 0x0ffe0000;
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    write_word(g, a, reserved);
    send_port(g, a);
    assert_int_equal(word(g, a), PENDING | LINKED | reserved);
    send_port(g, b);
    assert_int_equal(word(g, a), PENDING | LINKED | reserved | b);
}

static void test_busy_of_the_own_word_is_kept(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    write_word(g, port, BUSY);
    send_port(g, port);
    assert_int_equal(word(g, port), PENDING | LINKED | BUSY);
}

static void test_busy_of_a_linked_tail_is_cleared(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    write_word(g, a, PENDING | LINKED | BUSY);
    send_port(g, b);
    assert_int_equal(word(g, a), PENDING | LINKED | b);
}

static void test_busy_of_an_unlinked_tail_is_left_alone(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    write_word(g, a, BUSY);
    send_port(g, b);
    assert_int_equal(word(g, a), BUSY);
    assert_int_equal(head(g, 0, 7), b);
}

static void test_unlinked_tail_means_a_new_head(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    write_word(g, a, PENDING);
    send_port(g, b);
    assert_int_equal(head(g, 0, 7), b);
    assert_int_equal(word(g, a), PENDING);
}

static void test_head_and_ready_are_never_read(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    atomic_store(head_word(g, 0, 7), UINT32_MAX);
    atomic_store(ready_word(g, 0), 0xffff0000);
    send_port(g, port);
    assert_int_equal(head(g, 0, 7), port);
    assert_int_equal(ready(g, 0), 0xffff0080);
}

static void test_ready_queue_gets_no_upcall(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 0);

    atomic_store(ready_word(g, 0), 1u << 7);
    send_port(g, port);
    assert_int_equal(*upcall_pending(g, 0), 0);
    assert_int_equal(g->kicks[0], 0);
}

/* Whatever stands in the words, the answer is 0 and comes soon. */
static void test_hostile_words_hurt_only_their_guest(void **state)
{
    static const uint32_t evil[] = {
        0,
        1,
        2,
        3,
        1023,
        1024,
        LINK_MASK,
        LINKED,
        LINKED | 1,
        LINKED | 2,
        LINKED | LINK_MASK,
        BUSY,
        BUSY | LINKED | 1,
        MASKED,
        MASKED | LINKED,
        PENDING,
        PENDING | LINKED | 2,
        UINT32_MAX,
        ~LINKED,
        ~PENDING,
        ~MASKED,
    };
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    for (unsigned i = 0; i < ARRAY_SIZE(evil); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(evil); j++) {
            write_word(g, a, evil[i]);
            write_word(g, b, evil[j]);
            assert_int_equal(send_port(g, a), 0);
            assert_int_equal(send_port(g, b), 0);
            write_word(g, a, evil[j]);
            assert_int_equal(unmask_port(g, a), 0);
            assert_int_equal(send_port(g, b), 0);
        }
    }
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void test_ports_around_a_page_edge_have_their_own_words(void **state)
{
    static const uint32_t edge[] = {1, 1023, 1024, 1025, 2047, 2048};
    struct guest *g = fifo_guest(*state);

    assert_int_equal(grow(g), 0);
    assert_int_equal(grow(g), 0);
    for (uint32_t p = 1; p <= 2048; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    for (unsigned i = 0; i < ARRAY_SIZE(edge); i++) {
        send_port(g, edge[i]);
        assert_int_equal(word(g, edge[i]), PENDING | LINKED);
        assert_int_equal(take(g, 0).port[0], edge[i]);
    }
}

static void test_event_without_word_is_raised_when_there_is_one(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port;

    enter_fifo(g, 1);
    port = ipi(g, 0);
    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(g->kicks[0], 0);
    assert_int_equal(grow(g), 0);
    assert_int_equal(g->kicks[0], 1);
    assert_int_equal(take(g, 0).port[0], port);
    assert_int_equal(take(g, 0).count, 0);
}

static void test_saved_events_are_raised_in_rising_order(void **state)
{
    struct guest *g = ((struct world *)*state)->d1;
    struct taken taken;

    enter_fifo(g, 1);
    for (uint32_t p = 1; p <= 5; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    send_port(g, 5);
    send_port(g, 2);
    send_port(g, 4);
    grow(g);
    taken = take(g, 0);
    assert_int_equal(taken.count, 3);
    assert_int_equal(taken.port[0], 2);
    assert_int_equal(taken.port[1], 4);
    assert_int_equal(taken.port[2], 5);
}

static void test_saved_event_of_another_page_waits_for_that_page(void **state)
{
    struct guest *g = fifo_guest(*state);

    for (uint32_t p = 1; p <= 1025; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    send_port(g, 1025);
    assert_int_equal(take(g, 0).count, 0);
    assert_int_equal(grow(g), 0);
    assert_int_equal(take(g, 0).port[0], 1025);
}

static void test_saved_event_meets_a_masked_word(void **state)
{
    struct guest *g = ((struct world *)*state)->d1;
    uint32_t port;

    enter_fifo(g, 1);
    port = ipi(g, 0);
    send_port(g, port);
    ((uint32_t *)at(g, ARRAY_FRAME * PAGE))[port] = MASKED;
    grow(g);
    assert_int_equal(word(g, port), PENDING | MASKED);
    assert_int_equal(unmask_port(g, port), 0);
    assert_int_equal(take(g, 0).port[0], port);
}

/* ---- vCPUs without a control block -------------------------------------------------------------- */

static void test_event_for_a_vcpu_without_block_is_dropped(void **state)
{
    struct world *w = *state;
    struct guest *g = fifo_guest(w);
    uint32_t port = ipi(g, 3);

    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(word(g, port), 0);
    assert_int_equal(g->kicks[3], 0);
    assert_int_equal(w->logs, 1);
}

static void test_dropped_events_are_logged_once(void **state)
{
    struct world *w = *state;
    struct guest *g = fifo_guest(w);
    uint32_t port = ipi(g, 3);

    for (int i = 0; i < 5; i++)
        send_port(g, port);
    assert_int_equal(w->logs, 1);
}

static void test_dropped_events_are_all_logged_as_xen_does(void **state)
{
    struct world *w = *state;
    struct guest *g = fifo_guest(w);
    uint32_t port = ipi(g, 3);

    for (int i = 0; i < 5; i++)
        send_port(g, port);
    assert_int_equal(w->logs, 5);
}

static void test_block_given_later_works(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t port = ipi(g, 3);

    send_port(g, port);
    assert_int_equal(init_control(g, BLOCK_FRAME, 3 * 128, 3), 0);
    send_port(g, port);
    assert_int_equal(take(g, 3).port[0], port);
}

static void test_vcpus_beyond_shared_info_have_queues(void **state)
{
    struct guest *g =
        guest_create(*state, (struct guest_config){.id = 7, .vcpus = 40});
    uint32_t port;

    enter_fifo(g, 40);
    assert_int_equal(grow(g), 0);
    port = ipi(g, 39);
    send_port(g, port);
    assert_int_equal(head(g, 39, 7), port);
    assert_int_equal(ready(g, 39), 1u << 7);
}

/* ---- closing ---------------------------------------------------------------------------------------- */

static void test_close_clears_pending_and_keeps_the_rest(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0), b = ipi(g, 0);

    send_port(g, a);
    send_port(g, b);
    close_port(g, a);
    assert_int_equal(word(g, a), LINKED | b);
    assert_int_equal(take(g, 0).port[0], b);
}

static void test_linked_port_is_not_handed_out(void **state)
{
    struct guest *g = fifo_guest(*state);
    uint32_t a = ipi(g, 0);

    send_port(g, a);
    close_port(g, a);
    assert_int_equal(state_of(g, a), EVTCHNSTAT_closed);
    assert_int_not_equal(bind_ipi(g, 0), a);
    assert_int_equal(take(g, 0).count, 0);
    assert_int_equal(bind_ipi(g, 0), a);
}

static void test_busy_bit_does_not_keep_a_port(void **state)
{
    struct guest *g = fifo_guest(*state);

    write_word(g, 1, BUSY | MASKED | PENDING);
    assert_int_equal(bind_ipi(g, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_is_linked_at_the_head_of_queue_7),
        TEST(test_two_level_bits_are_left_alone),
        TEST(test_second_event_merges_with_the_first),
        TEST(test_event_of_a_linked_port_is_not_linked_again),
        TEST(test_taken_event_can_be_raised_again),
        TEST(test_masked_event_is_pending_but_not_linked),
        TEST(test_unmask_links_what_waited),
        TEST(test_unmask_without_event_only_unmasks),
        TEST(test_events_of_a_queue_keep_their_order),
        TEST(test_each_word_links_to_the_next),
        TEST(test_append_tells_nobody),
        TEST(test_new_head_tells_nobody_while_the_queue_is_ready),
        TEST(test_lower_queues_are_served_first),
        TEST(test_queues_of_vcpus_are_apart),
        TEST(test_new_priority_is_for_events_from_now_on),
        TEST(test_linked_event_stays_where_it_is),
        TEST(test_tail_that_moved_is_forgotten_by_its_old_queue),
        TEST(test_tail_that_moved_to_another_vcpu_is_forgotten_too),
        TEST(test_port_comes_back_to_its_first_queue),
        TEST(test_reused_port_leaves_its_old_queue_alone),
        TEST(test_link_found_in_a_word_is_kept),
        TEST(test_link_of_the_tail_is_replaced_whole),
        TEST(test_reserved_bits_are_kept),
        TEST(test_busy_of_the_own_word_is_kept),
        TEST(test_busy_of_a_linked_tail_is_cleared),
        TEST(test_busy_of_an_unlinked_tail_is_left_alone),
        TEST(test_unlinked_tail_means_a_new_head),
        TEST(test_head_and_ready_are_never_read),
        TEST(test_ready_queue_gets_no_upcall),
        TEST(test_hostile_words_hurt_only_their_guest),
        TEST(test_ports_around_a_page_edge_have_their_own_words),
        TEST(test_event_without_word_is_raised_when_there_is_one),
        TEST(test_saved_events_are_raised_in_rising_order),
        TEST(test_saved_event_of_another_page_waits_for_that_page),
        TEST(test_saved_event_meets_a_masked_word),
        TEST(test_event_for_a_vcpu_without_block_is_dropped),
        TEST(test_dropped_events_are_logged_once),
        TEST_417(test_dropped_events_are_all_logged_as_xen_does),
        TEST(test_block_given_later_works),
        TEST(test_vcpus_beyond_shared_info_have_queues),
        TEST(test_close_clears_pending_and_keeps_the_rest),
        TEST(test_linked_port_is_not_handed_out),
        TEST(test_busy_bit_does_not_keep_a_port),
    };

    return RUN(tests);
}
