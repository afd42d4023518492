/* SPDX-License-Identifier: MIT */
/*
 * Storms: a port whose events do no work is held back, longer and longer.
 */
#include "pair.h"

#define MS UINT64_C(1000000)

static const struct side_config storm_2l = {.abi = EVC_GUEST_ABI_TWOLEVEL,
                                            .storm_threshold = 4,
                                            .storm_delay_us = 2000,
                                            .storm_cap_us = 20000};
static const struct side_config storm_fifo = {.abi = EVC_GUEST_ABI_FIFO,
                                              .storm_threshold = 4,
                                              .storm_delay_us = 2000,
                                              .storm_cap_us = 20000};
#define ON_STORMS(f) ON(storm_2l, f), ON(storm_fifo, f)

/* Send and dispatch until the port is held. The number of events it took. */
static unsigned storm(struct pair *pair, struct link link, struct seen *seen)
{
    struct evc_guest_counts counts;
    unsigned before = seen->count;

    for (int i = 0; i < 100; i++) {
        pair_send(pair, link);
        side_run(pair->a, 0);
        evc_guest_counts(&pair->a->guest, link.here, &counts);
        if (counts.held)
            break;
    }
    return seen->count - before;
}

/* Let time pass until it is enabled again: how long it took, in ns. */
static uint64_t wait_for_release(struct pair *pair, struct link link)
{
    uint64_t start = pair->a->now;
    struct evc_guest_counts counts;

    do {
        pair->a->now += 65536;
        side_run(pair->a, 0);
        evc_guest_counts(&pair->a->guest, link.here, &counts);
    } while (counts.held);
    return pair->a->now - start;
}

static void test_storm_is_held_back_after_the_threshold(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);
    struct evc_guest_counts counts;

    pair->a->now = MS;
    assert_int_equal(storm(pair, link, &seen), 4);
    pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 4);
    assert_true(side_masked(pair->a, link.here));
    evc_guest_counts(&pair->a->guest, link.here, &counts);
    assert_int_equal(counts.storms, 1);
    assert_int_equal(counts.spurious, 4);
}

static void test_held_event_is_delivered_late_and_not_lost(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);

    pair->a->now = MS;
    (void)storm(pair, link, &seen);
    pair_send(pair, link);
    side_run(pair->a, 0);
    seen.answer = EVC_GUEST_DONE;
    assert_in_range(wait_for_release(pair, link), 2 * MS - 65536, 3 * MS);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 5);
}

static void test_delay_grows_up_to_the_cap(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);
    uint64_t last = 0, delay;

    pair->a->now = MS;
    for (int i = 0; i < 4; i++) { /* 2, 4, 8, 16 ms */
        (void)storm(pair, link, &seen);
        delay = wait_for_release(pair, link);
        assert_true(delay > last + last / 2);
        last = delay;
    }
    for (int i = 0; i < 3; i++) {
        (void)storm(pair, link, &seen);
        assert_in_range(wait_for_release(pair, link), 20 * MS - 131072,
                        20 * MS + 131072);
    }
}

static void test_one_event_with_work_ends_it(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);

    for (int i = 0; i < 3; i++) {
        (void)storm(pair, link, &seen);
        (void)wait_for_release(pair, link);
    }
    seen.answer = EVC_GUEST_DONE;
    pair_send(pair, link);
    side_run(pair->a, 0);
    seen.answer = EVC_GUEST_SPURIOUS;
    assert_int_equal(storm(pair, link, &seen), 4);
    assert_in_range(wait_for_release(pair, link), 2 * MS - 131072, 3 * MS);
}

static void test_next_due_says_when(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);

    pair->a->now = 100 * MS;
    assert_int_equal(evc_guest_next_due(&pair->a->vcpu[0]), 0);
    (void)storm(pair, link, &seen);
    assert_in_range(evc_guest_next_due(&pair->a->vcpu[0]), 101 * MS + MS / 2,
                    102 * MS + MS / 2);
    pair->a->now = evc_guest_next_due(&pair->a->vcpu[0]);
    side_run(pair->a, 0);
    assert_int_equal(evc_guest_next_due(&pair->a->vcpu[0]), 0);
}

static void hold_for_a_while(struct evc_guest_vcpu *self, evc_port port,
                             void *arg)
{
    (void)arg;
    assert_int_equal(evc_guest_hold(self, port, 5 * MS), 0);
}

static void test_handler_may_hold_its_own_port(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.then = hold_for_a_while};
    struct link link = pair_link(pair, &seen, 0);

    pair_send(pair, link);
    side_run(pair->a, 0);
    pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    seen.then = NULL;
    assert_in_range(wait_for_release(pair, link), 5 * MS - 65536, 6 * MS);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(evc_guest_hold(&pair->a->vcpu[0], link.here, 1),
                     -XEN_EINVAL);
}

static void test_held_port_can_be_closed_and_opened_again(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS}, next = {0};
    struct evc_guest_binding how = noting(&next, 0);
    struct link link = pair_link(pair, &seen, 0);

    (void)storm(pair, link, &seen);
    assert_int_equal(evc_guest_unbind(&pair->a->vcpu[0], link.here), 0);
    assert_int_equal(evc_guest_bind_ipi(&pair->a->vcpu[0], &how), link.here);
    evc_guest_send(&pair->a->vcpu[0], link.here);
    side_run(pair->a, 0);
    assert_int_equal(next.count, 1); /* not held: another port, same number */
    pair->a->now += 100 * MS;
    side_run(pair->a, 0);
    next.answer = EVC_GUEST_SPURIOUS;
    for (int i = 0; i < 9; i++) {
        evc_guest_send(&pair->a->vcpu[0], link.here);
        side_run(pair->a, 0);
    }
    assert_int_equal(next.count, 5); /* and it can be held anew */
    pair->a->now += 100 * MS;
    side_run(pair->a, 0);
    assert_int_equal(next.count, 6);
}

static void test_other_ports_of_a_storm_go_on(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS}, good = {0};
    struct link link = pair_link(pair, &seen, 0);
    struct link other = pair_link(pair, &good, 0);

    for (unsigned i = 0; i < 100; i++) {
        pair_send(pair, link);
        pair_send(pair, other);
        side_run(pair->a, 0);
        assert_int_equal(good.count, i + 1);
    }
    assert_int_equal(seen.count, 4);
}

static void test_without_a_clock_nothing_is_held(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.answer = EVC_GUEST_SPURIOUS};
    struct link link = pair_link(pair, &seen, 0);

    pair->a->hooks.now = NULL;
    assert_int_equal(storm(pair, link, &seen), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORMS(test_storm_is_held_back_after_the_threshold),
        ON_STORMS(test_held_event_is_delivered_late_and_not_lost),
        ON_STORMS(test_delay_grows_up_to_the_cap),
        ON_STORMS(test_one_event_with_work_ends_it),
        ON_STORMS(test_next_due_says_when),
        ON_STORMS(test_handler_may_hold_its_own_port),
        ON_STORMS(test_held_port_can_be_closed_and_opened_again),
        ON_STORMS(test_other_ports_of_a_storm_go_on),
        ON_STORMS(test_without_a_clock_nothing_is_held),
    };

    return RUN(tests);
}
