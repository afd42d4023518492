/* SPDX-License-Identifier: MIT */
/*
 * Binding: alloc_unbound, bind_interdomain, bind_ipi, bind_vcpu, static ports.
 * Each operation's errors come in the order of the contract.
 */
#include "unit.h"

#include <string.h>

#define NOBODY 999u /* no such domain */

static struct guest *full(struct world *w, uint32_t max_port)
{
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7, .max_port = max_port});

    while (bind_ipi(g, 0) > 0)
        ;
    return g;
}

static struct evtchn_status status_of(struct guest *g, uint32_t port)
{
    struct evtchn_status now;

    assert_int_equal(status(g, DOMID_SELF, port, &now), 0);
    return now;
}

/* ---- alloc_unbound ------------------------------------------------------------------ */

static void test_alloc_unbound_offers_a_port(void **state)
{
    struct world *w = *state;
    int port = alloc_unbound(w->d1, DOMID_SELF, 2);
    struct evtchn_status now;

    assert_int_equal(port, 1);
    now = status_of(w->d1, 1);
    assert_int_equal(now.status, EVTCHNSTAT_unbound);
    assert_int_equal(now.u.unbound.dom, 2);
    assert_int_equal(now.vcpu, 0);
}

static void test_alloc_unbound_by_own_id_is_self(void **state)
{
    struct world *w = *state;

    assert_int_equal(alloc_unbound(w->d1, 1, 2), 1);
}

static void test_alloc_unbound_self_as_remote_is_the_caller(void **state)
{
    struct world *w = *state;

    assert_int_equal(alloc_unbound(w->d0, 1, DOMID_SELF), 1);
    assert_int_equal(status_of(w->d1, 1).u.unbound.dom, 0);
}

static void test_alloc_unbound_remote_need_not_exist(void **state)
{
    struct world *w = *state;

    assert_int_equal(alloc_unbound(w->d1, DOMID_SELF, NOBODY), 1);
}

static void test_alloc_unbound_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g = full(w, 3);

    assert_int_equal(alloc_unbound(w->d1, NOBODY, 0), -XEN_ESRCH);
    assert_int_equal(alloc_unbound(w->d1, 0x7fff, 0), -XEN_ESRCH);
    /* No room comes before no right. */
    assert_int_equal(alloc_unbound(w->d1, g->id, 0), -XEN_ENOSPC);
    assert_int_equal(alloc_unbound(w->d1, 2, 0), -XEN_EPERM);
    evc_domain_kill(g->dom);
    assert_int_equal(alloc_unbound(w->d1, g->id, 0), -XEN_EINVAL);
    assert_int_equal(alloc_unbound(g, DOMID_SELF, 0), -XEN_EINVAL);
}

static void test_alloc_unbound_denied_has_opened_nothing(void **state)
{
    struct world *w = *state;

    assert_int_equal(alloc_unbound(w->d1, 2, 0), -XEN_EPERM);
    assert_int_equal(evc_port_next(w->d2->dom, 0), 0);
}

static void test_device_model_may_allocate_for_its_target(void **state)
{
    struct world *w = *state;

    evc_domain_set_target(w->d1->dom, 2);
    assert_int_equal(alloc_unbound(w->d1, 2, 1), 1);
    assert_int_equal(alloc_unbound(w->d1, 0, 1), -XEN_EPERM);
    evc_domain_set_target(w->d1->dom, EVC_NO_DOMAIN);
    assert_int_equal(alloc_unbound(w->d1, 2, 1), -XEN_EPERM);
}

static void test_failed_operation_leaves_its_argument_alone(void **state)
{
    struct world *w = *state;
    struct evtchn_alloc_unbound arg, before;

    memset(&arg, 0xa5, sizeof(arg));
    arg.dom = NOBODY;
    before = arg;
    assert_int_equal(
        evc_event_channel_op(w->d1->dom, EVTCHNOP_alloc_unbound, &arg),
        -XEN_ESRCH);
    assert_memory_equal(&arg, &before, sizeof(arg));
}

/* ---- bind_interdomain ----------------------------------------------------------------- */

static void test_bind_interdomain_joins_two_ports(void **state)
{
    struct world *w = *state;
    int remote = alloc_unbound(w->d1, DOMID_SELF, 2);
    int local;
    struct evtchn_status a, b;

    bind_ipi(w->d2, 0); /* so that the two numbers differ */
    local = bind_interdomain(w->d2, 1, (uint32_t)remote);
    assert_int_equal(local, 2);
    a = status_of(w->d1, 1);
    b = status_of(w->d2, 2);
    assert_int_equal(a.status, EVTCHNSTAT_interdomain);
    assert_int_equal(a.u.interdomain.dom, 2);
    assert_int_equal(a.u.interdomain.port, 2);
    assert_int_equal(b.status, EVTCHNSTAT_interdomain);
    assert_int_equal(b.u.interdomain.dom, 1);
    assert_int_equal(b.u.interdomain.port, 1);
}

static void test_bind_interdomain_raises_the_local_end_only(void **state)
{
    struct world *w = *state;
    int remote = alloc_unbound(w->d1, DOMID_SELF, 2);
    int local = bind_interdomain(w->d2, 1, (uint32_t)remote);

    assert_true(is_pending(w->d2, (uint32_t)local));
    assert_int_equal(w->d2->kicks[0], 1);
    assert_false(is_pending(w->d1, (uint32_t)remote));
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_bind_interdomain_keeps_the_remote_vcpu(void **state)
{
    struct world *w = *state;
    uint32_t remote = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 2);

    assert_int_equal(bind_vcpu(w->d1, remote, 3), 0);
    bind_interdomain(w->d2, 1, remote);
    assert_int_equal(status_of(w->d1, remote).vcpu, 3);
}

static void test_bind_interdomain_to_self_makes_a_loopback(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, DOMID_SELF);
    uint32_t b = (uint32_t)bind_interdomain(w->d1, DOMID_SELF, a);

    assert_int_equal(status_of(w->d1, a).u.interdomain.port, b);
    assert_int_equal(status_of(w->d1, b).u.interdomain.port, a);
    clear_pending(w->d1, b);
    assert_int_equal(send_port(w->d1, b), 0);
    assert_true(is_pending(w->d1, a));
    assert_false(is_pending(w->d1, b));
    assert_int_equal(close_port(w->d1, a), 0);
    assert_int_equal(status_of(w->d1, b).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(w->d1, b).u.unbound.dom, 1);
}

static void test_bind_interdomain_errors_in_order(void **state)
{
    struct world *w = *state;
    uint32_t ours = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 2);
    uint32_t theirs = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);
    uint32_t ipi = (uint32_t)bind_ipi(w->d1, 0);
    struct guest *g = full(w, 2);

    assert_int_equal(bind_interdomain(w->d2, NOBODY, ours), -XEN_ESRCH);
    assert_int_equal(bind_interdomain(w->d2, DOMID_INVALID, 1), -XEN_ESRCH);
    assert_int_equal(bind_interdomain(g, 1, UINT32_MAX), -XEN_ENOSPC);
    assert_int_equal(bind_interdomain(w->d2, 1, 0), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, 63), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, 64), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, UINT32_MAX), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, theirs), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, ipi), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, ours), 1);
    assert_int_equal(bind_interdomain(w->d2, 1, ours), -XEN_EINVAL);
}

static void test_bind_interdomain_failed_has_opened_nothing(void **state)
{
    struct world *w = *state;

    assert_int_equal(bind_interdomain(w->d2, 1, 5), -XEN_EINVAL);
    assert_int_equal(evc_port_next(w->d2->dom, 0), 0);
}

static void test_bind_interdomain_of_a_dying_domain_is_EINVAL(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 2);

    evc_domain_kill(w->d1->dom);
    assert_int_equal(bind_interdomain(w->d2, 1, port), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d1, 2, 1), -XEN_EINVAL);
}

/* ---- bind_ipi ---------------------------------------------------------------------------- */

static void test_bind_ipi_is_for_its_vcpu(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 3);

    assert_int_equal(status_of(w->d1, port).status, EVTCHNSTAT_ipi);
    assert_int_equal(status_of(w->d1, port).vcpu, 3);
}

static void test_bind_ipi_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g = full(w, 2);

    assert_int_equal(bind_ipi(g, 4), -XEN_ENOENT);
    assert_int_equal(bind_ipi(g, UINT32_MAX), -XEN_ENOENT);
    assert_int_equal(bind_ipi(g, 0), -XEN_ENOSPC);
    evc_domain_kill(g->dom);
    assert_int_equal(bind_ipi(g, 0), -XEN_EINVAL);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void test_limit_is_the_configured_maximum(void **state)
{
    struct guest *g = full(*state, 130);

    assert_int_equal(state_of(g, 130), EVTCHNSTAT_ipi);
    assert_int_equal(state_of(g, 131), EVTCHNSTAT_closed);
}

static void test_limit_is_what_fifo_can_name_in_fifo_mode(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t p;

    for (p = 1; p < 4096; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    assert_int_equal(bind_ipi(g, 0), -XEN_ENOSPC);
    enter_fifo(g, 1);
    for (; p < 131072; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    assert_int_equal(bind_ipi(g, 0), -XEN_ENOSPC);
    close_port(g, 4095);
    assert_int_equal(bind_ipi(g, 0), 4095);
}

static void test_32_bit_guest_gets_no_port_beyond_its_bitmap(void **state)
{
    struct guest *g = guest_create(
        *state, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_X86_32});

    for (uint32_t p = 1; p < 1024; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    assert_int_equal(bind_ipi(g, 0), -XEN_ENOSPC);
}

static void test_lowest_free_port_is_reused(void **state)
{
    struct world *w = *state;

    for (int i = 1; i <= 10; i++)
        bind_ipi(w->d1, 0);
    close_port(w->d1, 7);
    close_port(w->d1, 3);
    assert_int_equal(bind_ipi(w->d1, 1), 3);
    assert_int_equal(bind_ipi(w->d1, 1), 7);
    assert_int_equal(bind_ipi(w->d1, 1), 11);
}

/* ---- bind_vcpu ------------------------------------------------------------------------------ */

static void test_bind_vcpu_moves_what_may_move(void **state)
{
    struct world *w = *state;
    const int ports[] = {
        alloc_unbound(w->d0, DOMID_SELF, 1),
        (int)join_guests(w->d0, w->d1).a,
        bind_pirq(w->d0, 3, 0),
        bind_virq(w->d0, VIRQ_CONSOLE, 0),
        bind_virq(w->d0, VIRQ_ARGO, 0),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        assert_int_equal(bind_vcpu(w->d0, (uint32_t)ports[i], 2), 0);
        assert_int_equal(status_of(w->d0, (uint32_t)ports[i]).vcpu, 2);
    }
}

static void test_bind_vcpu_errors_in_order(void **state)
{
    struct world *w = *state;
    uint32_t ipi = (uint32_t)bind_ipi(w->d1, 0);
    uint32_t timer = (uint32_t)bind_virq(w->d1, VIRQ_TIMER, 1);

    assert_int_equal(bind_vcpu(w->d1, UINT32_MAX, 4), -XEN_ENOENT);
    assert_int_equal(bind_vcpu(w->d1, UINT32_MAX, 0), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, 64, 0), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, 63, 0), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, 0, 0), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, ipi, 0), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, timer, 1), -XEN_EINVAL);
}

static void test_next_event_goes_to_the_new_vcpu(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    bind_vcpu(w->d1, c.a, 2);
    send_port(w->d2, c.b);
    assert_int_equal(w->d1->kicks[2], 1);
    assert_int_equal(selector(w->d1, 2), 1);
    assert_int_equal(selector(w->d1, 0), 0);
}

static void test_reopened_port_is_back_on_vcpu_0(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 2);

    bind_vcpu(w->d1, port, 2);
    close_port(w->d1, port);
    assert_int_equal(status_of(w->d1, port).vcpu, 0);
    assert_int_equal(alloc_unbound(w->d1, DOMID_SELF, 2), port);
    assert_int_equal(status_of(w->d1, port).vcpu, 0);
}

/* ---- static ports ----------------------------------------------------------------------------- */

static void test_static_port_has_the_number_asked_for(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_bind_static(w->d1->dom, 500, 2), 0);
    assert_int_equal(status_of(w->d1, 500).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(w->d1, 500).u.unbound.dom, 2);
    assert_int_equal(bind_ipi(w->d1, 0), 1);
    assert_int_equal(bind_interdomain(w->d2, 1, 500), 1);
}

static void test_static_port_errors(void **state)
{
    struct world *w = *state;
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7, .max_port = 100});

    assert_int_equal(evc_bind_static(g->dom, 0, 2), -XEN_EINVAL);
    assert_int_equal(evc_bind_static(g->dom, 101, 2), -XEN_ENOSPC);
    assert_int_equal(evc_bind_static(w->d1->dom, 4096, 2), -XEN_ENOSPC);
    assert_int_equal(evc_bind_static(w->d1->dom, UINT32_MAX, 2), -XEN_ENOSPC);
    bind_ipi(g, 0);
    assert_int_equal(evc_bind_static(g->dom, 1, 2), -XEN_EBUSY);
    evc_domain_kill(g->dom);
    assert_int_equal(evc_bind_static(g->dom, 2, 2), -XEN_EINVAL);
}

static void test_static_port_that_is_still_linked_is_busy(void **state)
{
    struct world *w = *state;
    uint32_t port;

    enter_fifo(w->d1, 1);
    grow(w->d1);
    port = (uint32_t)bind_ipi(w->d1, 0);
    send_port(w->d1, port);
    close_port(w->d1, port);
    assert_int_equal(evc_bind_static(w->d1->dom, port, 2), -XEN_EBUSY);
    bind_ipi(w->d1, 0); /* marks it as busy inside */
    take(w->d1, 0);
    assert_int_equal(evc_bind_static(w->d1->dom, port, 2), 0);
    assert_int_equal(close_port(w->d1, port), 0);
    assert_int_equal(bind_ipi(w->d1, 0), port);
}

static void test_connect_static_joins_without_an_event(void **state)
{
    struct world *w = *state;

    evc_bind_static(w->d1->dom, 10, 2);
    evc_bind_static(w->d2->dom, 20, 1);
    assert_int_equal(evc_connect_static(w->d1->dom, 10, w->d2->dom, 20), 0);
    assert_int_equal(w->d1->kicks[0] + w->d2->kicks[0], 0);
    send_port(w->d1, 10);
    assert_true(is_pending(w->d2, 20));
    send_port(w->d2, 20);
    assert_true(is_pending(w->d1, 10));
}

static void test_connect_static_needs_two_offers(void **state)
{
    struct world *w = *state;

    evc_bind_static(w->d1->dom, 10, 2);
    evc_bind_static(w->d2->dom, 20, 0); /* not to d1 */
    assert_int_equal(evc_connect_static(w->d1->dom, 10, w->d2->dom, 20),
                     -XEN_EINVAL);
    assert_int_equal(evc_connect_static(w->d1->dom, 10, w->d2->dom, 21),
                     -XEN_EINVAL);
    assert_int_equal(evc_connect_static(w->d1->dom, 9999, w->d2->dom, 20),
                     -XEN_EINVAL);
    assert_int_equal(status_of(w->d1, 10).status, EVTCHNSTAT_unbound);
}

static void test_connect_static_of_one_port_with_itself_is_EINVAL(void **state)
{
    struct world *w = *state;

    evc_bind_static(w->d1->dom, 10, 1);
    evc_bind_static(w->d1->dom, 11, 1);
    assert_int_equal(evc_connect_static(w->d1->dom, 10, w->d1->dom, 10),
                     -XEN_EINVAL);
    assert_int_equal(evc_connect_static(w->d1->dom, 10, w->d1->dom, 11), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alloc_unbound_offers_a_port),
        TEST(test_alloc_unbound_by_own_id_is_self),
        TEST(test_alloc_unbound_self_as_remote_is_the_caller),
        TEST(test_alloc_unbound_remote_need_not_exist),
        TEST(test_alloc_unbound_errors_in_order),
        TEST(test_alloc_unbound_denied_has_opened_nothing),
        TEST(test_device_model_may_allocate_for_its_target),
        TEST(test_failed_operation_leaves_its_argument_alone),
        TEST(test_bind_interdomain_joins_two_ports),
        TEST(test_bind_interdomain_raises_the_local_end_only),
        TEST(test_bind_interdomain_keeps_the_remote_vcpu),
        TEST(test_bind_interdomain_to_self_makes_a_loopback),
        TEST(test_bind_interdomain_errors_in_order),
        TEST(test_bind_interdomain_failed_has_opened_nothing),
        TEST(test_bind_interdomain_of_a_dying_domain_is_EINVAL),
        TEST(test_bind_ipi_is_for_its_vcpu),
        TEST(test_bind_ipi_errors_in_order),
        TEST(test_limit_is_the_configured_maximum),
        TEST(test_limit_is_what_fifo_can_name_in_fifo_mode),
        TEST(test_32_bit_guest_gets_no_port_beyond_its_bitmap),
        TEST(test_lowest_free_port_is_reused),
        TEST(test_bind_vcpu_moves_what_may_move),
        TEST(test_bind_vcpu_errors_in_order),
        TEST(test_next_event_goes_to_the_new_vcpu),
        TEST(test_reopened_port_is_back_on_vcpu_0),
        TEST(test_static_port_has_the_number_asked_for),
        TEST(test_static_port_errors),
        TEST(test_static_port_that_is_still_linked_is_busy),
        TEST(test_connect_static_joins_without_an_event),
        TEST(test_connect_static_needs_two_offers),
        TEST(test_connect_static_of_one_port_with_itself_is_EINVAL),
    };

    return RUN(tests);
}
