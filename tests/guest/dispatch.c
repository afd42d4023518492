/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher in both ABIs, one thread: what is called, when, in what order.
 */
#include "pair.h"

static void test_event_reaches_its_handler(void **state)
{
    struct seen seen = {0};
    struct link link = pair_link(*state, &seen, 0);
    struct pair *pair = *state;

    pair_send(pair, link);
    assert_int_equal(pair->a->kicks[0], 1);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.port[0], link.here);
}

static void test_events_merge_until_they_are_taken(void **state)
{
    struct seen seen = {0};
    struct link link = pair_link(*state, &seen, 0);
    struct pair *pair = *state;

    for (int i = 0; i < 5; i++)
        pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
}

static void test_spurious_upcall_is_free(void **state)
{
    struct seen seen = {0};
    struct pair *pair = *state;

    (void)pair_link(pair, &seen, 0);
    assert_false(evc_guest_is_due(&pair->a->vcpu[0]));
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 0, 0), 0);
    assert_int_equal(seen.count, 0);
}

static void test_binding_interdomain_raises_one_event(void **state)
{
    static const struct evc_guest_binding silent = {0};
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);

    (void)side_connect(pair->b, pair->a, &silent, &how);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
}

static void test_event_goes_to_the_vcpu_it_was_bound_on(void **state)
{
    struct seen seen = {0};
    struct link link = pair_link(*state, &seen, 1);
    struct pair *pair = *state;

    pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.vcpu[0], 1);
}

static void test_max_bounds_an_entry_and_the_rest_is_left(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link[10];

    for (int i = 0; i < 10; i++)
        link[i] = pair_link(pair, &seen, 0);
    for (int i = 0; i < 10; i++)
        pair_send(pair, link[i]);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 4, 0), 1);
    assert_int_equal(seen.count, 4);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 4, 0), 1);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 4, 0), 0);
    assert_int_equal(seen.count, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen.port[i], link[i].here);
}

static void test_left_work_keeps_the_vcpu_from_sleeping(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link one = pair_link(pair, &seen, 0), two;

    two = pair_link(pair, &seen, 0);
    pair_send(pair, one);
    pair_send(pair, two);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 1, 0), 1);
    assert_true(evc_vcpu_deliverable(pair->a->dom, 0));
    assert_true(evc_guest_is_due(&pair->a->vcpu[0]));
    side_run(pair->a, 0);
    assert_false(evc_vcpu_deliverable(pair->a->dom, 0));
}

static void advance(struct evc_guest_vcpu *self, evc_port port, void *side)
{
    (void)self;
    (void)port;
    ((struct side *)side)->now += 100;
}

static void test_time_bounds_an_entry(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {.then = advance, .arg = pair->a};
    struct link link[10];

    for (int i = 0; i < 10; i++)
        link[i] = pair_link(pair, &seen, 0);
    for (int i = 0; i < 10; i++)
        pair_send(pair, link[i]);
    pair->a->now = 1;
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 0, 301), 1);
    assert_int_equal(seen.count, 3);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 10);
}

struct again {
    struct pair *pair;
    struct link link;
    unsigned times;
};

static void send_again(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    struct again *again = arg;

    (void)self;
    (void)port;
    if (again->times == 0)
        return;
    again->times--;
    pair_send(again->pair, again->link);
}

static void test_event_raised_during_its_handler_is_seen(void **state)
{
    struct again again = {*state, {0, 0}, 1};
    struct seen seen = {.then = send_again, .arg = &again};

    again.link = pair_link(*state, &seen, 0);
    pair_send(*state, again.link);
    side_run(((struct pair *)*state)->a, 0);
    assert_int_equal(seen.count, 2);
}

static void
test_one_at_most_is_one_even_if_its_handler_raises_another(void **state)
{
    struct again again = {*state, {0, 0}, 1};
    struct seen seen = {.then = send_again, .arg = &again};
    struct evc_guest_vcpu *self = &again.pair->a->vcpu[0];

    again.link = pair_link(*state, &seen, 0);
    pair_send(*state, again.link);
    assert_int_equal(evc_guest_dispatch(self, 1, 0), 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(evc_guest_dispatch(self, 1, 0), 0);
    assert_int_equal(seen.count, 2);
}

static void unmask_another(struct evc_guest_vcpu *self, evc_port port,
                           void *another)
{
    (void)port;
    assert_int_equal(evc_guest_unmask(self, *(evc_port *)another), 0);
}

static void test_a_port_that_the_handler_unmasks_is_served_at_once(void **state)
{
    struct pair *pair = *state;
    struct evc_guest_vcpu *self = &pair->a->vcpu[0];
    struct seen seen = {.then = unmask_another}, late = {0};
    struct link one = pair_link(pair, &seen, 0);
    struct link two = pair_link(pair, &late, 0);

    seen.arg = &two.here;
    assert_int_equal(evc_guest_mask(self, two.here), 0);
    pair_send(pair, two);
    pair_send(pair, one);
    assert_int_equal(evc_guest_dispatch(self, 0, 0), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(late.count, 1);
}

static void enter_again(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    (void)port;
    (void)arg;
    assert_int_equal(evc_guest_dispatch(self, 0, 0), 0);
}

static void test_upcall_inside_a_handler_waits_for_it(void **state)
{
    struct pair *pair = *state;
    struct seen inner = {0}, outer = {.then = enter_again};
    struct link one = pair_link(pair, &outer, 0);
    struct link two = pair_link(pair, &inner, 0);

    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    assert_int_equal(outer.count, 1);
    assert_int_equal(inner.count, 1);
}

/* ---- two-level ------------------------------------------------------------------ */

static void test_twolevel_goes_on_after_the_last_port(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link[3];

    for (int i = 0; i < 3; i++)
        link[i] = pair_link(pair, &seen, 0);
    for (int i = 0; i < 3; i++)
        pair_send(pair, link[i]);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 1, 0), 1);
    pair_send(pair, link[0]); /* again, and yet it is the last */
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.port[1], link[1].here);
    assert_int_equal(seen.port[2], link[2].here);
    assert_int_equal(seen.port[3], link[0].here);
}

static void test_what_may_not_run_any_more_is_put_back(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link one = pair_link(pair, &seen, 0);
    struct link two = pair_link(pair, &seen, 0);

    pair_send(pair, one);
    pair_send(pair, two);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 1, 0), 1);
    assert_true(side_pending(pair->a, two.here)); /* not in our pocket */
}

static void test_the_last_port_of_the_abi_can_be_bound(void **state)
{
    struct pair *pair = *state;
    evc_port last = evc_guest_ports(&pair->a->guest) - 1;
    static const struct evc_guest_binding silent = {0};
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    int port = 0;

    while (port < (int)last - 1)
        port = evc_guest_bind_ipi(&pair->a->vcpu[0], &silent);
    assert_int_equal(evc_guest_bind_ipi(&pair->a->vcpu[0], &how), last);
    assert_int_equal(evc_guest_bind_ipi(&pair->a->vcpu[0], &how), -XEN_ENOSPC);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], last), 0);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.port[0], last);
}

/* ---- FIFO ----------------------------------------------------------------------- */

static void test_urgent_queue_first(void **state)
{
    static const uint32_t priority[] = {7, 15, 3, 0, 8};
    static const int expected[] = {3, 2, 0, 4, 1};
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link[5];

    for (int i = 0; i < 5; i++) {
        link[i] = pair_link(pair, &seen, 0);
        assert_int_equal(evc_guest_set_priority(&pair->a->vcpu[0], link[i].here,
                                                priority[i]),
                         0);
        pair_send(pair, link[i]);
    }
    side_run(pair->a, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen.port[i], link[expected[i]].here);
}

static void test_ready_is_read_again_after_every_event(void **state)
{
    struct again again = {*state, {0, 0}, 1};
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link one, two;

    seen.then = send_again; /* the first handler sends the urgent one */
    seen.arg = &again;
    one = pair_link(pair, &seen, 0);
    two = pair_link(pair, &seen, 0);
    again.link = pair_link(pair, &seen, 0);
    evc_guest_set_priority(&pair->a->vcpu[0], again.link.here, 2);
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.port[0], one.here);
    assert_int_equal(seen.port[1], again.link.here); /* before `two` */
    assert_int_equal(seen.port[2], two.here);
}

static void test_queue_keeps_its_order(void **state)
{
    static const int order[] = {4, 1, 3, 0, 2};
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link[5];

    for (int i = 0; i < 5; i++)
        link[i] = pair_link(pair, &seen, 0);
    for (int i = 0; i < 5; i++)
        pair_send(pair, link[order[i]]);
    side_run(pair->a, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen.port[i], link[order[i]].here);
}

/* The control block's head is that of a list long gone. */
static void test_stale_head_is_left_alone(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link one = pair_link(pair, &seen, 0);
    struct link two = pair_link(pair, &seen, 0);

    pair_send(pair, one);
    side_run(pair->a, 0);
    evc_guest_set_priority(&pair->a->vcpu[0], one.here, 3);
    evc_guest_mask(&pair->a->vcpu[0], two.here);
    pair->a->vcpu[0].control[0].raw_ |= 1u << 7; /* a ready bit for nothing */
    pair->a->vcpu[0].info = pair->a->shared;
    pair->a->shared[0] = 1;
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    pair_send(pair, one);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 2);
}

static void test_a_hundred_thousand_ports(void **state)
{
    struct side *side;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    unsigned n = 100000;

    (void)state;
    side = side_create(
        (struct side_config){.abi = EVC_GUEST_ABI_FIFO, .ports = 131072});
    for (unsigned i = 1; i <= n; i++)
        assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), i);
    for (unsigned i = 1; i <= n; i++)
        assert_int_equal(evc_guest_send(&side->vcpu[0], i), 0);
    side_run(side, 0);
    assert_int_equal(seen.count, n);
    side_destroy(side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(test_event_reaches_its_handler),
        ON_ALL(test_events_merge_until_they_are_taken),
        ON_ALL(test_spurious_upcall_is_free),
        ON_ALL(test_binding_interdomain_raises_one_event),
        ON_ALL(test_event_goes_to_the_vcpu_it_was_bound_on),
        ON_ALL(test_max_bounds_an_entry_and_the_rest_is_left),
        ON_ALL(test_left_work_keeps_the_vcpu_from_sleeping),
        ON_ALL(test_time_bounds_an_entry),
        ON_ALL(test_event_raised_during_its_handler_is_seen),
        ON_ALL(test_one_at_most_is_one_even_if_its_handler_raises_another),
        ON_ALL(test_a_port_that_the_handler_unmasks_is_served_at_once),
        ON_ALL(test_upcall_inside_a_handler_waits_for_it),
        ON_ALL(test_the_last_port_of_the_abi_can_be_bound),
        ON(twolevel_64, test_twolevel_goes_on_after_the_last_port),
        ON(twolevel_32, test_twolevel_goes_on_after_the_last_port),
        ON(twolevel_64, test_what_may_not_run_any_more_is_put_back),
        ON(fifo_64, test_urgent_queue_first),
        ON(fifo_64, test_ready_is_read_again_after_every_event),
        ON(fifo_64, test_queue_keeps_its_order),
        ON(fifo_64, test_stale_head_is_left_alone),
        ON(fifo_64, test_a_hundred_thousand_ports),
    };

    return RUN(tests);
}
