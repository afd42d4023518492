/* SPDX-License-Identifier: MIT */
/*
 * evc_guest_dispatch_priority(): one queue, and no other.
 */
#include "pair.h"

#define URGENT 2u

/* Two channels of the urgent queue, one of the usual. */
struct three {
    struct link urgent[2], usual;
    struct evc_guest_vcpu *vcpu;
};

static struct three three(struct pair *pair, struct seen *seen)
{
    struct three t = {.vcpu = &pair->a->vcpu[0]};

    for (int i = 0; i < 2; i++) {
        t.urgent[i] = pair_link(pair, seen, 0);
        evc_guest_set_priority(t.vcpu, t.urgent[i].here, URGENT);
    }
    t.usual = pair_link(pair, seen, 0);
    return t;
}

static void test_only_the_queue_asked_for_is_served(void **state)
{
    struct seen seen = {0};
    struct three t = three(*state, &seen);

    pair_send(*state, t.usual);
    pair_send(*state, t.urgent[1]);
    pair_send(*state, t.urgent[0]);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.port[0], t.urgent[1].here);
    assert_int_equal(seen.port[1], t.urgent[0].here);
    assert_true(side_pending(((struct pair *)*state)->a, t.usual.here));
    assert_true(evc_guest_is_due(t.vcpu));
    assert_int_equal(evc_guest_dispatch(t.vcpu, 0, 0), 0);
    assert_int_equal(seen.port[2], t.usual.here);
}

static void test_one_event_at_a_time_and_the_rest_is_left(void **state)
{
    struct seen seen = {0};
    struct three t = three(*state, &seen);
    uint8_t *flag = ((struct pair *)*state)->a->shared;

    pair_send(*state, t.urgent[0]);
    pair_send(*state, t.urgent[1]);
    *flag = 0; /* as if an upcall had been and gone */
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 1), 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(*flag, 1); /* a guest that sleeps now comes back */
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 1), 0);
    assert_int_equal(seen.count, 2);
}

static void test_empty_queue_is_nothing_to_do(void **state)
{
    struct seen seen = {0};
    struct three t = three(*state, &seen);

    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    pair_send(*state, t.usual);
    for (unsigned priority = 0; priority < 7; priority++)
        assert_int_equal(evc_guest_dispatch_priority(t.vcpu, priority, 0), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, 7, 0), 0);
    assert_int_equal(seen.count, 1);
}

static void test_event_of_a_masked_port_waits_in_its_word(void **state)
{
    struct seen seen = {0};
    struct three t = three(*state, &seen);
    struct side *side = ((struct pair *)*state)->a;

    pair_send(*state, t.urgent[0]);
    assert_int_equal(evc_guest_mask(t.vcpu, t.urgent[0].here), 0);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    assert_int_equal(seen.count, 0);
    assert_false(side_linked(side, t.urgent[0].here));
    assert_true(side_pending(side, t.urgent[0].here));
    assert_int_equal(evc_guest_unmask(t.vcpu, t.urgent[0].here), 0);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    assert_int_equal(seen.count, 1);
}

static void send_again(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    struct pair *pair = arg;
    struct seen *seen = pair->a->ports[port].data;

    (void)self;
    if (seen->count < 3)
        assert_int_equal(evc_guest_send(&pair->b->vcpu[0], port), 0);
}

static void test_event_raised_during_its_handler_is_served_too(void **state)
{
    struct seen seen = {.then = send_again, .arg = *state};
    struct three t = three(*state, &seen);

    assert_int_equal(t.urgent[0].here, t.urgent[0].there);
    pair_send(*state, t.urgent[0]);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    assert_int_equal(seen.count, 3);
}

static void unbind_itself(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    (void)arg;
    assert_int_equal(evc_guest_unbind(self, port), 1);
    assert_int_equal(evc_guest_dispatch_priority(self, URGENT, 0), 0);
}

static void
test_handler_may_unbind_its_port_and_dispatches_nothing(void **state)
{
    struct seen seen = {.then = unbind_itself};
    struct three t = three(*state, &seen);

    pair_send(*state, t.urgent[0]);
    pair_send(*state, t.urgent[1]);
    assert_int_equal(evc_guest_dispatch_priority(t.vcpu, URGENT, 0), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(evc_guest_unbind(t.vcpu, t.urgent[0].here), -XEN_EINVAL);
    assert_int_equal(evc_guest_unbind(t.vcpu, t.urgent[1].here), -XEN_EINVAL);
}

static void test_there_is_no_sixteenth_queue(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(evc_guest_dispatch_priority(&pair->a->vcpu[0], 16, 0),
                     -XEN_EINVAL);
}

static void test_twolevel_has_no_queues(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(evc_guest_dispatch_priority(&pair->a->vcpu[0], 7, 0),
                     -XEN_ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(fifo_64, test_only_the_queue_asked_for_is_served),
        ON(fifo_64, test_one_event_at_a_time_and_the_rest_is_left),
        ON(fifo_64, test_empty_queue_is_nothing_to_do),
        ON(fifo_64, test_event_of_a_masked_port_waits_in_its_word),
        ON(fifo_64, test_event_raised_during_its_handler_is_served_too),
        ON(fifo_64, test_handler_may_unbind_its_port_and_dispatches_nothing),
        ON(fifo_64, test_there_is_no_sixteenth_queue),
        ON(twolevel_64, test_twolevel_has_no_queues),
    };

    return RUN(tests);
}
