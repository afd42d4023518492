/* SPDX-License-Identifier: MIT */
/*
 * send, close, status and reset: what every state of a port answers.
 */
#include "unit.h"

static struct evtchn_status status_of(struct guest *g, uint32_t port)
{
    struct evtchn_status now;

    assert_int_equal(status(g, DOMID_SELF, port, &now), 0);
    return now;
}

/* ---- send ------------------------------------------------------------------------- */

static void test_send_raises_the_other_end(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_true(is_pending(w->d1, c.a));
    assert_false(is_pending(w->d2, c.b));
    assert_int_equal(take(w->d1, 0).port[0], c.a);
}

static void test_send_to_nobody_succeeds(void **state)
{
    struct world *w = *state;
    int port = alloc_unbound(w->d1, DOMID_SELF, 2);

    assert_int_equal(send_port(w->d1, (uint32_t)port), 0);
    assert_false(is_pending(w->d1, (uint32_t)port));
}

static void test_send_is_EINVAL_where_there_is_nothing_to_send_to(void **state)
{
    struct world *w = *state;
    const int ports[] = {
        bind_virq(w->d0, VIRQ_TIMER, 0),
        bind_virq(w->d0, VIRQ_CONSOLE, 0),
        bind_pirq(w->d0, 1, 0),
        0,
        63,
        64,
        4095,
        4096,
        131071,
        -1,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        assert_int_equal(send_port(w->d0, (uint32_t)ports[i]), -XEN_EINVAL);
}

static void test_send_after_close_reaches_nobody(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    close_port(w->d1, c.a);
    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_int_equal(send_port(w->d1, c.a), -XEN_EINVAL);
    assert_false(is_pending(w->d1, c.a));
}

/* ---- close ------------------------------------------------------------------------ */

static void test_close_clears_pending_but_not_the_mask(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, port);
    send_port(w->d1, port);
    assert_int_equal(close_port(w->d1, port), 0);
    assert_false(is_pending(w->d1, port));
    assert_true(is_masked(w->d1, port));
}

static void test_close_is_EINVAL_unless_open(void **state)
{
    static const uint32_t ports[] = {0, 63, 64, 4096, 131072, UINT32_MAX};
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        assert_int_equal(close_port(w->d1, ports[i]), -XEN_EINVAL);
    assert_int_equal(close_port(w->d1, port), 0);
    assert_int_equal(close_port(w->d1, port), -XEN_EINVAL);
}

static void test_close_leaves_the_other_end_unbound(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    assert_int_equal(close_port(w->d1, c.a), 0);
    assert_int_equal(status_of(w->d2, c.b).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(w->d2, c.b).u.unbound.dom, 1);
}

static void test_close_keeps_the_other_ends_pending_and_vcpu(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    bind_vcpu(w->d2, c.b, 2);
    send_port(w->d1, c.a);
    close_port(w->d1, c.a);
    assert_true(is_pending(w->d2, c.b));
    assert_int_equal(status_of(w->d2, c.b).vcpu, 2);
}

static void test_closed_channel_can_be_bound_again(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    close_port(w->d1, c.a);
    assert_int_equal(bind_interdomain(w->d1, 2, c.b), c.a);
    send_port(w->d1, c.a);
    assert_int_equal(take(w->d2, 0).port[0], c.b);
}

static void test_close_tells_nobody(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    unsigned before = w->d2->kicks[0];

    close_port(w->d1, c.a);
    assert_int_equal(w->d2->kicks[0], before);
    assert_false(is_pending(w->d2, c.b));
}

/* ---- status ------------------------------------------------------------------------ */

static void test_status_of_each_state(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);
    uint32_t virq = (uint32_t)bind_virq(w->d0, VIRQ_TIMER, 2);
    uint32_t pirq = (uint32_t)bind_pirq(w->d0, 5, 0);

    assert_int_equal(status_of(w->d0, 0).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(w->d0, 50).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(w->d0, c.a).u.interdomain.dom, 1);
    assert_int_equal(status_of(w->d0, virq).status, EVTCHNSTAT_virq);
    assert_int_equal(status_of(w->d0, virq).u.virq, VIRQ_TIMER);
    assert_int_equal(status_of(w->d0, virq).vcpu, 2);
    assert_int_equal(status_of(w->d0, pirq).status, EVTCHNSTAT_pirq);
    assert_int_equal(status_of(w->d0, pirq).u.pirq, 5);
}

static void test_status_errors_in_order(void **state)
{
    struct world *w = *state;
    struct evtchn_status now;

    assert_int_equal(status(w->d1, 999, 1, &now), -XEN_ESRCH);
    assert_int_equal(status(w->d1, 2, 64, &now), -XEN_EINVAL);
    assert_int_equal(status(w->d1, 2, 1, &now), -XEN_EPERM);
    assert_int_equal(status(w->d0, 2, 1, &now), 0);
    assert_int_equal(status(w->d1, 1, 1, &now), 0);
    assert_int_equal(status(w->d1, DOMID_SELF, UINT32_MAX, &now), -XEN_EINVAL);
}

static void test_ports_are_probed_up_to_the_first_EINVAL(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 64; i++)
        bind_ipi(w->d1, 0); /* up to port 64: two buckets */
    for (uint32_t p = 1; p <= 64; p++)
        close_port(w->d1, p);
    for (uint32_t p = 1; p < 128; p++)
        assert_int_equal(state_of(w->d1, p), EVTCHNSTAT_closed);
    assert_int_equal(state_of(w->d1, 128), -XEN_EINVAL);
}

/* ---- reset -------------------------------------------------------------------------- */

static void test_reset_closes_every_port(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);

    bind_virq(w->d0, VIRQ_TIMER, 0);
    bind_pirq(w->d0, 5, 0);
    bind_ipi(w->d0, 1);
    assert_int_equal(reset(w->d0, DOMID_SELF), 0);
    assert_int_equal(evc_port_next(w->d0->dom, 0), 0);
    assert_int_equal(status_of(w->d1, c.b).status, EVTCHNSTAT_unbound);
    assert_false(w->d0->pirq[5].bound);
    assert_int_equal(bind_virq(w->d0, VIRQ_TIMER, 0), 1);
    assert_int_equal(bind_pirq(w->d0, 5, 0), 2);
}

static void test_reset_errors_in_order(void **state)
{
    struct world *w = *state;

    assert_int_equal(reset(w->d1, 999), -XEN_ESRCH);
    assert_int_equal(reset(w->d1, 2), -XEN_EPERM);
    assert_int_equal(reset(w->d0, 2), -XEN_EINVAL);
    evc_domain_pause(w->d2->dom);
    assert_int_equal(reset(w->d1, 2), -XEN_EPERM);
    assert_int_equal(reset(w->d0, 2), 0);
    evc_domain_unpause(w->d2->dom);
    assert_int_equal(reset(w->d0, 2), -XEN_EINVAL);
    assert_int_equal(reset(w->d2, 2), 0);
}

static void test_reset_leaves_the_hosts_own_ports(void **state)
{
    struct world *w = *state;
    struct evc_host *end;

    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NULL, NULL, &end), 0);
    bind_ipi(w->d1, 0);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    assert_int_equal(state_of(w->d1, evc_host_port(end)), EVTCHNSTAT_unbound);
    assert_int_equal(state_of(w->d1, 2), EVTCHNSTAT_closed);
    evc_host_close(end);
}

static void test_reset_leaves_fifo_whoever_asked(void **state)
{
    struct world *w = *state;
    struct evc_domain_info info;

    enter_fifo(w->d1, 2);
    grow(w->d1);
    evc_domain_pause(w->d1->dom);
    assert_int_equal(reset(w->d0, 1), 0);
    evc_domain_info(w->d1->dom, &info);
    assert_false(info.fifo);
    assert_int_equal(w->d1->mapped, 0);
    assert_int_equal(grow(w->d1), -XEN_EOPNOTSUPP);
}

static void test_port_beyond_two_levels_is_gone_after_reset(void **state)
{
    struct world *w = *state;
    struct channel c;

    enter_fifo(w->d1, 1);
    for (uint32_t p = 1; p < 5000; p++)
        assert_int_equal(bind_ipi(w->d1, 0), p);
    c = join_guests(w->d1, w->d2);
    assert_int_equal(c.a, 5000);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    forget_fifo(w->d1);

    /* The number stays valid, and harmless. */
    assert_int_equal(state_of(w->d1, 5000), EVTCHNSTAT_closed);
    assert_int_equal(send_port(w->d1, 5000), -XEN_EINVAL);
    assert_int_equal(unmask_port(w->d1, 5000), 0);
    assert_int_equal(close_port(w->d1, 5000), -XEN_EINVAL);
    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_int_equal(close_port(w->d2, c.b), 0);
    assert_int_equal(evc_bind_static(w->d1->dom, 5000, 2), -XEN_ENOSPC);
}

static void
test_two_level_bits_after_reset_are_as_the_guest_left_them(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, port);
    mask(w->d1, 100);
    enter_fifo(w->d1, 1);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    forget_fifo(w->d1);
    assert_true(is_masked(w->d1, port));
    assert_true(is_masked(w->d1, 100));
}

static void test_reset_of_a_full_domain_ends(void **state)
{
    struct world *w = *state;
    struct evc_domain_info info;

    enter_fifo(w->d1, 1);
    while (bind_ipi(w->d1, 0) > 0)
        ;
    evc_domain_info(w->d1->dom, &info);
    assert_int_equal(info.open_ports, 131071);
    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    evc_domain_info(w->d1->dom, &info);
    assert_int_equal(info.open_ports, 0);
    assert_int_equal(info.valid_ports, 131072);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_send_raises_the_other_end),
        TEST(test_send_to_nobody_succeeds),
        TEST(test_send_is_EINVAL_where_there_is_nothing_to_send_to),
        TEST(test_send_after_close_reaches_nobody),
        TEST(test_close_clears_pending_but_not_the_mask),
        TEST(test_close_is_EINVAL_unless_open),
        TEST(test_close_leaves_the_other_end_unbound),
        TEST(test_close_keeps_the_other_ends_pending_and_vcpu),
        TEST(test_closed_channel_can_be_bound_again),
        TEST(test_close_tells_nobody),
        TEST(test_status_of_each_state),
        TEST(test_status_errors_in_order),
        TEST(test_ports_are_probed_up_to_the_first_EINVAL),
        TEST(test_reset_closes_every_port),
        TEST(test_reset_errors_in_order),
        TEST(test_reset_leaves_the_hosts_own_ports),
        TEST(test_reset_leaves_fifo_whoever_asked),
        TEST(test_port_beyond_two_levels_is_gone_after_reset),
        TEST(test_two_level_bits_after_reset_are_as_the_guest_left_them),
        TEST(test_reset_of_a_full_domain_ends),
    };

    return RUN(tests);
}
