/* SPDX-License-Identifier: MIT */
/*
 * VIRQs: their classes, who handles the global ones, raising them.
 */
#include "unit.h"

static bool is_vcpus(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
           virq == VIRQ_XENPMU;
}

static bool is_global(uint32_t virq)
{
    return !is_vcpus(virq) && virq != VIRQ_ARGO;
}

static void test_only_a_vcpus_virq_binds_beyond_vcpu_0(void **state)
{
    struct world *w = *state;

    for (uint32_t virq = 0; virq < NR_VIRQS; virq++) {
        int r = bind_virq(w->d0, virq, 1);

        if (is_vcpus(virq))
            assert_true(r > 0);
        else
            assert_int_equal(r, -XEN_EINVAL);
        assert_true(bind_virq(w->d0, virq, 0) > 0);
    }
}

static void test_bind_virq_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7, .max_port = 1});

    assert_int_equal(bind_virq(g, NR_VIRQS, 9), -XEN_EINVAL);
    assert_int_equal(bind_virq(g, UINT32_MAX, 0), -XEN_EINVAL);
    assert_int_equal(bind_virq(g, VIRQ_ARGO, 9), -XEN_EINVAL);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 9), -XEN_ENOENT);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 0), 1);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 0), -XEN_EEXIST);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 1), -XEN_ENOSPC);
    evc_domain_kill(g->dom);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 0), -XEN_EINVAL);
}

static void test_closed_virq_can_be_bound_again(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_virq(w->d1, VIRQ_TIMER, 2);

    assert_int_equal(close_port(w->d1, port), 0);
    assert_int_equal(evc_raise_vcpu_virq(w->d1->dom, 2, VIRQ_TIMER), 0);
    assert_false(is_pending(w->d1, port));
    assert_int_equal(bind_virq(w->d1, VIRQ_TIMER, 2), port);
}

static void test_moved_global_virq_can_be_closed_and_bound_again(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_virq(w->d0, VIRQ_CONSOLE, 0);

    assert_int_equal(bind_vcpu(w->d0, port, 3), 0);
    assert_int_equal(close_port(w->d0, port), 0);
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), port);
}

/* ---- raising --------------------------------------------------------------------------- */

static void test_vcpus_virq_is_raised_on_its_vcpu(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)bind_virq(w->d1, VIRQ_DEBUG, 0);
    uint32_t b = (uint32_t)bind_virq(w->d1, VIRQ_DEBUG, 2);

    assert_int_equal(evc_raise_vcpu_virq(w->d1->dom, 2, VIRQ_DEBUG), 0);
    assert_false(is_pending(w->d1, a));
    assert_true(is_pending(w->d1, b));
    assert_int_equal(w->d1->kicks[2], 1);
}

static void test_domains_virq_is_raised_in_it(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)bind_virq(w->d1, VIRQ_ARGO, 0);
    uint32_t b = (uint32_t)bind_virq(w->d2, VIRQ_ARGO, 0);

    assert_int_equal(evc_raise_domain_virq(w->d2->dom, VIRQ_ARGO), 0);
    assert_false(is_pending(w->d1, a));
    assert_true(is_pending(w->d2, b));
}

static void test_raise_errors(void **state)
{
    struct world *w = *state;

    for (uint32_t virq = 0; virq < NR_VIRQS + 2; virq++) {
        bool known = virq < NR_VIRQS;

        assert_int_equal(evc_raise_vcpu_virq(w->d1->dom, 0, virq),
                         is_vcpus(virq) ? 0 : -XEN_EINVAL);
        assert_int_equal(evc_raise_domain_virq(w->d1->dom, virq),
                         virq == VIRQ_ARGO ? 0 : -XEN_EINVAL);
        assert_int_equal(evc_raise_global_virq(w->engine, virq),
                         known && is_global(virq) ? 0 : -XEN_EINVAL);
    }
    assert_int_equal(evc_raise_vcpu_virq(w->d1->dom, 4, VIRQ_TIMER),
                     -XEN_ENOENT);
}

static void test_global_virq_goes_to_dom0_at_first(void **state)
{
    struct world *w = *state;

    for (uint32_t virq = 0; virq < NR_VIRQS; virq++) {
        int port;

        if (!is_global(virq))
            continue;
        port = bind_virq(w->d0, virq, 0);
        assert_true(port > 0);
        assert_int_equal(evc_raise_global_virq(w->engine, virq), 0);
        assert_true(is_pending(w->d0, (uint32_t)port));
    }
}

static void test_virq_that_nobody_bound_is_lost(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_raise_global_virq(w->engine, VIRQ_CONSOLE), 0);
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), 1);
    assert_false(is_pending(w->d0, 1));
    guest_destroy(w->d0);
    assert_int_equal(evc_raise_global_virq(w->engine, VIRQ_CONSOLE), 0);
}

/* ---- handlers ------------------------------------------------------------------------------ */

static void test_handler_gets_the_virq(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE), 0);
    assert_int_equal(bind_virq(w->d1, VIRQ_CONSOLE, 0), 1);
    assert_int_equal(evc_raise_global_virq(w->engine, VIRQ_CONSOLE), 0);
    assert_true(is_pending(w->d1, 1));
}

static void test_set_handler_errors(void **state)
{
    struct world *w = *state;

    for (uint32_t virq = 0; virq < NR_VIRQS; virq++)
        assert_int_equal(evc_set_virq_handler(w->d1->dom, virq),
                         is_vcpus(virq) ? -XEN_EINVAL : 0);
    assert_int_equal(evc_set_virq_handler(w->d1->dom, NR_VIRQS), -XEN_EINVAL);
    evc_domain_kill(w->d2->dom);
    assert_int_equal(evc_set_virq_handler(w->d2->dom, VIRQ_CONSOLE),
                     -XEN_EINVAL);
}

static void test_only_the_handler_may_bind(void **state)
{
    struct world *w = *state;

    assert_int_equal(bind_virq(w->d1, VIRQ_CONSOLE, 0), -XEN_EBUSY);
    assert_int_equal(evc_port_next(w->d1->dom, 0), 0);
    evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE);
    assert_int_equal(bind_virq(w->d1, VIRQ_CONSOLE, 0), 1);
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), -XEN_EBUSY);
}

static void test_handler_changes_only_while_unbound(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_virq(w->d0, VIRQ_CONSOLE, 0);

    assert_int_equal(evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE),
                     -XEN_EBUSY);
    assert_int_equal(evc_set_virq_handler(w->d0->dom, VIRQ_CONSOLE), 0);
    close_port(w->d0, port);
    assert_int_equal(evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE), 0);
}

static void test_anybody_may_bind_in_xen_and_hears_nothing(void **state)
{
    struct world *w = *state;

    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), 1);
    assert_int_equal(bind_virq(w->d1, VIRQ_CONSOLE, 0), 1);
    evc_raise_global_virq(w->engine, VIRQ_CONSOLE);
    assert_true(is_pending(w->d0, 1));
    assert_false(is_pending(w->d1, 1));
    /* And the handler changes while it is bound. */
    assert_int_equal(evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE), 0);
    evc_raise_global_virq(w->engine, VIRQ_CONSOLE);
    assert_true(is_pending(w->d1, 1));
}

static void test_dead_handlers_virqs_go_back_to_dom0(void **state)
{
    struct world *w = *state;

    evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE);
    evc_domain_kill(w->d1->dom);
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), 1);
    evc_raise_global_virq(w->engine, VIRQ_CONSOLE);
    assert_true(is_pending(w->d0, 1));
}

static void test_failed_bind_leaves_the_owner_alone(void **state)
{
    struct world *w = *state;
    uint32_t exc = (uint32_t)bind_virq(w->d0, VIRQ_DOM_EXC, 0);
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7, .max_port = 1});

    bind_ipi(g, 0);
    for (uint32_t virq = 0; virq < NR_VIRQS; virq++)
        assert_true(bind_virq(g, virq, 0) < 0);
    evc_raise_global_virq(w->engine, VIRQ_DOM_EXC);
    assert_true(is_pending(w->d0, exc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_vcpus_virq_binds_beyond_vcpu_0),
        TEST(test_bind_virq_errors_in_order),
        TEST(test_closed_virq_can_be_bound_again),
        TEST(test_moved_global_virq_can_be_closed_and_bound_again),
        TEST(test_vcpus_virq_is_raised_on_its_vcpu),
        TEST(test_domains_virq_is_raised_in_it),
        TEST(test_raise_errors),
        TEST(test_global_virq_goes_to_dom0_at_first),
        TEST(test_virq_that_nobody_bound_is_lost),
        TEST(test_handler_gets_the_virq),
        TEST(test_set_handler_errors),
        TEST(test_only_the_handler_may_bind),
        TEST(test_handler_changes_only_while_unbound),
        TEST_417(test_anybody_may_bind_in_xen_and_hears_nothing),
        TEST(test_dead_handlers_virqs_go_back_to_dom0),
        TEST(test_failed_bind_leaves_the_owner_alone),
        TEST_417(test_failed_bind_leaves_the_owner_alone),
    };

    return RUN(tests);
}
