/* SPDX-License-Identifier: MIT */
/*
 * Opening, closing, moving and masking ports, one thread.
 */
#include "pair.h"

static unsigned gone_calls;

static void count_gone(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
    gone_calls++;
}

/* ---- binding --------------------------------------------------------------------- */

static void test_bind_virq_and_ipi(void **state)
{
    struct pair *pair = *state;
    struct side *a = pair->a;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 1);

    assert_true(evc_guest_bind_virq(&a->vcpu[0], VIRQ_TIMER, &how) > 0);
    assert_true(evc_guest_bind_virq(&a->vcpu[0], VIRQ_ARGO, &how) > 0);
    assert_true(evc_guest_bind_ipi(&a->vcpu[0], &how) > 0);
    assert_int_equal(evc_raise_vcpu_virq(a->dom, 1, VIRQ_TIMER), 0);
    assert_int_equal(evc_raise_domain_virq(a->dom, VIRQ_ARGO), 0);
    assert_int_equal(evc_guest_send(&a->vcpu[0], 3), 0);
    side_run(a, 0);
    assert_int_equal(seen.count, 0);
    side_run(a, 1);
    assert_int_equal(seen.count, 3);
}

static void test_bind_takes_over_an_open_port(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 1);
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    int port;

    assert_int_equal(
        evc_event_channel_op(pair->a->dom, EVTCHNOP_bind_ipi, &ipi), 0);
    evc_send(pair->a->dom, ipi.port); /* before anybody was there */
    port = evc_guest_bind_port(&pair->a->vcpu[0], ipi.port, &how);
    assert_int_equal(port, ipi.port);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(evc_guest_bind_port(&pair->a->vcpu[0], ipi.port, &how),
                     -XEN_EBUSY);
    assert_true(evc_guest_bind_port(&pair->a->vcpu[0], 77, &how) < 0);
}

static void test_bind_refuses_what_there_is_not(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 2);

    assert_int_equal(evc_guest_bind_ipi(&pair->a->vcpu[0], &how), -XEN_ENOENT);
    how.vcpu = 0;
    assert_int_equal(
        evc_guest_bind_interdomain(&pair->a->vcpu[0], 999, 1, &how),
        -XEN_ESRCH);
    assert_int_equal(evc_guest_bind_virq(&pair->a->vcpu[0], 99, &how),
                     -XEN_EINVAL);
}

static void test_port_beyond_the_table_is_closed_again(void **state)
{
    struct side *side;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    struct evc_domain_info info;

    (void)state;
    side = side_create((struct side_config){.ports = 3});
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), 1);
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), 2);
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), -XEN_ENOSPC);
    evc_domain_info(side->dom, &info);
    assert_int_equal(info.open_ports, 2);
    side_destroy(side);
}

/* ---- masking --------------------------------------------------------------------- */

static void test_masked_event_is_kept(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);

    assert_int_equal(evc_guest_mask(&pair->a->vcpu[0], link.here), 0);
    pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(evc_guest_unmask(&pair->a->vcpu[0], link.here), 0);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
}

static void test_unmask_from_another_vcpu_tells_the_right_one(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 1);

    evc_guest_mask(&pair->a->vcpu[1], link.here);
    pair_send(pair, link);
    evc_guest_unmask(&pair->a->vcpu[0], link.here);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 1);
}

static void test_unmask_asks_the_host_only_for_a_pending_event(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);

    pair->a->calls[EVTCHNOP_unmask] = 0;
    evc_guest_mask(&pair->a->vcpu[0], link.here);
    evc_guest_unmask(&pair->a->vcpu[0], link.here);
    assert_int_equal(pair->a->calls[EVTCHNOP_unmask], 0);
    evc_guest_mask(&pair->a->vcpu[0], link.here);
    pair_send(pair, link);
    evc_guest_unmask(&pair->a->vcpu[0], link.here);
    assert_int_equal(pair->a->calls[EVTCHNOP_unmask], 1);
}

static void unmask_other(struct evc_guest_vcpu *self, evc_port port,
                         void *other)
{
    (void)port;
    assert_int_equal(evc_guest_unmask(self, *(evc_port *)other), 0);
}

static void test_handler_may_unmask_another_port(void **state)
{
    struct pair *pair = *state;
    evc_port other;
    struct seen seen = {0}, opener = {.then = unmask_other, .arg = &other};
    struct link one = pair_link(pair, &opener, 0);
    struct link two = pair_link(pair, &seen, 0);

    other = two.here;
    evc_guest_mask(&pair->a->vcpu[0], two.here);
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    assert_int_equal(opener.count, 1);
    assert_int_equal(seen.count, 1);
}

static void mask_other(struct evc_guest_vcpu *self, evc_port port, void *other)
{
    (void)port;
    assert_int_equal(evc_guest_mask(self, *(evc_port *)other), 0);
}

static void test_handler_may_mask_a_port_that_is_pending_too(void **state)
{
    struct pair *pair = *state;
    evc_port other;
    struct seen seen = {0}, closer = {.then = mask_other, .arg = &other};
    struct link one = pair_link(pair, &closer, 0);
    struct link two = pair_link(pair, &seen, 0);

    other = two.here;
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0); /* although it was taken with `one` */
    assert_true(side_pending(pair->a, two.here));
    evc_guest_unmask(&pair->a->vcpu[0], two.here);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
}

static void test_bound_masked_waits_for_unmask(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    int port;

    how.flags = EVC_GUEST_MASKED;
    port = evc_guest_bind_ipi(&pair->a->vcpu[0], &how);
    evc_guest_send(&pair->a->vcpu[0], (evc_port)port);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
    evc_guest_unmask(&pair->a->vcpu[0], (evc_port)port);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
}

/* ---- closing --------------------------------------------------------------------- */

static void test_unbind_closes_and_nothing_is_called(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);

    pair_send(pair, link);
    assert_int_equal(evc_guest_unbind(&pair->a->vcpu[0], link.here), 0);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(evc_guest_unbind(&pair->a->vcpu[0], link.here),
                     -XEN_EINVAL);
    assert_int_equal(evc_guest_mask(&pair->a->vcpu[0], link.here), -XEN_EINVAL);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], link.here), -XEN_EINVAL);
}

static void test_unbind_tells_that_it_is_gone(void **state)
{
    struct pair *pair = *state;
    struct evc_guest_binding how = {.handler = note, .gone = count_gone};
    int port = evc_guest_bind_ipi(&pair->a->vcpu[0], &how);

    gone_calls = 0;
    assert_int_equal(evc_guest_unbind(&pair->a->vcpu[0], (evc_port)port), 0);
    assert_int_equal(gone_calls, 1);
}

static void unbind_it(struct evc_guest_vcpu *self, evc_port port, void *answer)
{
    *(int *)answer = evc_guest_unbind(self, port);
    assert_int_equal(gone_calls, 0);
    assert_int_equal(evc_guest_unbind(self, port), -XEN_EINVAL);
}

static void test_unbind_in_its_own_handler_waits_for_its_return(void **state)
{
    struct pair *pair = *state;
    int answer = -1;
    struct seen seen = {.then = unbind_it, .arg = &answer};
    struct evc_guest_binding how = noting(&seen, 0);
    int port;

    how.gone = count_gone;
    gone_calls = 0;
    port = evc_guest_bind_ipi(&pair->a->vcpu[0], &how);
    evc_guest_send(&pair->a->vcpu[0], (evc_port)port);
    side_run(pair->a, 0);
    assert_int_equal(answer, 1);
    assert_int_equal(gone_calls, 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], (evc_port)port),
                     -XEN_EINVAL);
    assert_int_equal(evc_guest_bind_ipi(&pair->a->vcpu[0], &how), port);
}

static void rebind_it(struct evc_guest_vcpu *self, evc_port port, void *seen)
{
    struct evc_guest_binding how = noting(seen, 0);

    assert_int_equal(evc_guest_unbind(self, port), 1);
    assert_true(evc_guest_bind_ipi(self, &how) > 0);
}

static void test_handler_may_close_its_port_and_open_another(void **state)
{
    struct pair *pair = *state;
    struct seen next = {0}, seen = {.then = rebind_it, .arg = &next};
    struct evc_guest_binding how = noting(&seen, 0);
    int port = evc_guest_bind_ipi(&pair->a->vcpu[0], &how);

    evc_guest_send(&pair->a->vcpu[0], (evc_port)port);
    side_run(pair->a, 0);
    evc_guest_send(&pair->a->vcpu[0], (evc_port)port + 1);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(next.count, 1);
}

static void unbind_other(struct evc_guest_vcpu *self, evc_port port,
                         void *other)
{
    (void)port;
    assert_int_equal(evc_guest_unbind(self, *(evc_port *)other), 0);
}

static void test_handler_may_unbind_a_port_that_is_pending_too(void **state)
{
    struct pair *pair = *state;
    evc_port other;
    struct seen seen = {0}, closer = {.then = unbind_other, .arg = &other};
    struct link one = pair_link(pair, &closer, 0);
    struct link two = pair_link(pair, &seen, 0);

    other = two.here;
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 0);
}

static void test_peer_of_a_closed_port_is_unbound(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);
    struct evc_port_info info;

    evc_guest_unbind(&pair->a->vcpu[0], link.here);
    assert_int_equal(evc_port_info(pair->b->dom, link.there, &info), 0);
    assert_int_equal(info.status, EVTCHNSTAT_unbound);
}

/* ---- moving ----------------------------------------------------------------------- */

static void test_move_takes_a_pending_event_along(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);

    pair_send(pair, link);
    assert_int_equal(evc_guest_move(&pair->a->vcpu[0], link.here, 1), 0);
    for (int i = 0; i < 3; i++) {
        side_run(pair->a, 0);
        side_run(pair->a, 1);
    }
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.vcpu[0], 1);
    pair_send(pair, link);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 2);
}

static void test_moved_port_that_is_masked_stays_so(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);

    evc_guest_mask(&pair->a->vcpu[0], link.here);
    pair_send(pair, link);
    assert_int_equal(evc_guest_move(&pair->a->vcpu[0], link.here, 1), 0);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 0);
    evc_guest_unmask(&pair->a->vcpu[0], link.here);
    side_run(pair->a, 1);
    assert_int_equal(seen.count, 1);
}

static void test_ipi_stays_where_it_is(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    evc_port port = (evc_port)evc_guest_bind_ipi(&pair->a->vcpu[0], &how);

    assert_int_equal(evc_guest_move(&pair->a->vcpu[0], port, 1), -XEN_EINVAL);
    evc_guest_send(&pair->a->vcpu[0], port);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(evc_guest_move(&pair->a->vcpu[0], port, 2), -XEN_ENOENT);
}

static void move_it(struct evc_guest_vcpu *self, evc_port port, void *answer)
{
    *(int *)answer = evc_guest_move(self, port, 1 - evc_guest_vcpu_index(self));
}

static void test_handler_may_move_its_own_port(void **state)
{
    struct pair *pair = *state;
    int answer = -1;
    struct seen seen = {.then = move_it, .arg = &answer};
    struct link link = pair_link(pair, &seen, 0);

    for (unsigned i = 0; i < 6; i++) {
        pair_send(pair, link);
        side_run(pair->a, i % 2);
        assert_int_equal(seen.count, i + 1);
        assert_int_equal(answer, 1);
    }
}

struct fetch {
    struct side *side;
    evc_port port;
};

/* To here, while vCPU 1 seems to be in its handler. */
static void fetch_it(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    struct fetch *fetch = arg;

    (void)port;
    fetch->side->vcpu[1].busy.raw_ = evc_guest_is_fifo(&fetch->side->guest)
                                         ? fetch->port
                                         : fetch->port / 64 + 1;
    assert_int_equal(evc_guest_move(self, fetch->port, 0), 1);
}

static void test_handler_may_fetch_a_port_that_is_busy_elsewhere(void **state)
{
    struct pair *pair = *state;
    struct fetch fetch = {.side = pair->a};
    struct seen seen = {0}, fetcher = {.then = fetch_it, .arg = &fetch};
    struct link one = pair_link(pair, &fetcher, 0);
    struct link two = pair_link(pair, &seen, 1);

    fetch.port = two.here;
    pair_send(pair, one);
    pair_send(pair, two);
    assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 0, 0), 1);
    assert_int_equal(seen.count, 0);
    pair->a->vcpu[1].busy.raw_ = 0;
    side_run(pair->a, 0);
    if (evc_guest_is_fifo(&pair->a->guest)) {
        side_run(pair->a, 1); /* it waits in the old queue */
        side_run(pair->a, 0);
    }
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.vcpu[0], 0);
}

/* ---- counts ----------------------------------------------------------------------- */

static void test_counts_are_readable(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);
    struct evc_guest_counts counts;

    for (int i = 0; i < 5; i++) {
        seen.answer = i < 2 ? EVC_GUEST_SPURIOUS : EVC_GUEST_DONE;
        pair_send(pair, link);
        side_run(pair->a, 0);
    }
    assert_int_equal(evc_guest_counts(&pair->a->guest, link.here, &counts), 0);
    assert_int_equal(counts.events, 5);
    assert_int_equal(counts.spurious, 2);
    assert_int_equal(counts.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_bind_virq_and_ipi),
        ON_BOTH(test_bind_takes_over_an_open_port),
        ON_BOTH(test_bind_refuses_what_there_is_not),
        ON_BOTH(test_port_beyond_the_table_is_closed_again),
        ON_ALL(test_masked_event_is_kept),
        ON_ALL(test_unmask_from_another_vcpu_tells_the_right_one),
        ON_ALL(test_unmask_asks_the_host_only_for_a_pending_event),
        ON_ALL(test_handler_may_unmask_another_port),
        ON_ALL(test_handler_may_mask_a_port_that_is_pending_too),
        ON_ALL(test_bound_masked_waits_for_unmask),
        ON_ALL(test_unbind_closes_and_nothing_is_called),
        ON_ALL(test_unbind_tells_that_it_is_gone),
        ON_ALL(test_unbind_in_its_own_handler_waits_for_its_return),
        ON_ALL(test_handler_may_close_its_port_and_open_another),
        ON_ALL(test_handler_may_unbind_a_port_that_is_pending_too),
        ON_ALL(test_peer_of_a_closed_port_is_unbound),
        ON_ALL(test_move_takes_a_pending_event_along),
        ON_ALL(test_moved_port_that_is_masked_stays_so),
        ON_ALL(test_ipi_stays_where_it_is),
        ON_ALL(test_handler_may_move_its_own_port),
        ON_BOTH(test_handler_may_fetch_a_port_that_is_busy_elsewhere),
        ON_ALL(test_counts_are_readable),
    };

    return RUN(tests);
}
