/* SPDX-License-Identifier: MIT */
/*
 * PIRQs: what the back end is asked, and what the guest is told.
 */
#include "unit.h"

static void test_bind_asks_the_back_end(void **state)
{
    struct world *w = *state;

    assert_int_equal(bind_pirq(w->d0, 3, 0), 1);
    assert_true(w->d0->pirq[3].bound);
    assert_false(w->d0->pirq[3].share);
    assert_int_equal(bind_pirq(w->d0, 4, BIND_PIRQ__WILL_SHARE), 2);
    assert_true(w->d0->pirq[4].share);
}

static void test_bind_pirq_errors_in_order(void **state)
{
    struct world *w = *state;
    struct guest *g = guest_create(
        w, (struct guest_config){
               .id = 7, .max_port = 1, .flags = EVC_DOMAIN_PRIVILEGED});

    assert_int_equal(bind_pirq(w->d1, PIRQS, 0), -XEN_EINVAL);
    assert_int_equal(bind_pirq(w->d1, UINT32_MAX, 0), -XEN_EINVAL);
    assert_int_equal(bind_pirq(w->d1, 3, 0), -XEN_EPERM);
    assert_int_equal(bind_pirq(g, 3, 0), 1);
    assert_int_equal(bind_pirq(g, 3, 0), -XEN_EEXIST);
    assert_int_equal(bind_pirq(g, 4, 0), -XEN_ENOSPC);
    assert_int_equal(g->pirq[4].binds, 0);
    evc_domain_kill(g->dom);
    assert_int_equal(bind_pirq(g, 5, 0), -XEN_EINVAL);
}

static void test_back_ends_answer_is_the_guests(void **state)
{
    struct world *w = *state;

    w->d0->pirq_error = -XEN_EBUSY;
    assert_int_equal(bind_pirq(w->d0, 3, 0), -XEN_EBUSY);
    assert_int_equal(evc_port_next(w->d0->dom, 0), 0);
    w->d0->pirq_error = 0;
    assert_int_equal(bind_pirq(w->d0, 3, 0), 1);
}

static void test_close_unbinds_it_at_the_back_end(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_pirq(w->d0, 3, 0);

    close_port(w->d0, port);
    assert_false(w->d0->pirq[3].bound);
    assert_int_equal(w->d0->pirq[3].unbinds, 1);
    assert_int_equal(evc_raise_pirq(w->d0->dom, 3), -XEN_ENOENT);
    assert_int_equal(bind_pirq(w->d0, 3, 0), port);
}

static void test_interrupt_raises_its_port(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_pirq(w->d0, 3, 0);

    assert_int_equal(evc_raise_pirq(w->d0->dom, 3), 0);
    assert_int_equal(take(w->d0, 0).port[0], port);
    assert_int_equal(evc_raise_pirq(w->d0->dom, 4), -XEN_ENOENT);
    assert_int_equal(evc_raise_pirq(w->d0->dom, PIRQS), -XEN_EINVAL);
}

static void test_move_tells_the_back_end_once(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_pirq(w->d0, 3, 0);

    assert_int_equal(bind_vcpu(w->d0, port, 0), 0);
    assert_int_equal(w->d0->pirq[3].moves, 0);
    assert_int_equal(bind_vcpu(w->d0, port, 2), 0);
    assert_int_equal(bind_vcpu(w->d0, port, 2), 0);
    assert_int_equal(w->d0->pirq[3].moves, 1);
    assert_int_equal(w->d0->pirq[3].vcpu, 2);
    evc_raise_pirq(w->d0->dom, 3);
    assert_int_equal(w->d0->kicks[2], 1);
}

static void test_eoi_reaches_the_back_end(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_pirq(w->d0, 3, 0);

    mask(w->d0, port);
    evc_raise_pirq(w->d0->dom, 3);
    assert_int_equal(evc_pirq_eoi(w->d0->dom, 3, false), 0);
    assert_true(is_masked(w->d0, port));
    assert_int_equal(evc_pirq_eoi(w->d0->dom, 3, true), 0);
    assert_false(is_masked(w->d0, port));
    assert_int_equal(w->d0->kicks[0], 1);
    assert_int_equal(w->d0->pirq[3].eois, 2);
    assert_int_equal(evc_pirq_eoi(w->d0->dom, 4, true), -XEN_ENOENT);
    assert_int_equal(evc_pirq_eoi(w->d0->dom, PIRQS, true), -XEN_EINVAL);
}

static void test_kill_unbinds_what_is_bound(void **state)
{
    struct world *w = *state;

    bind_pirq(w->d0, 3, 0);
    bind_pirq(w->d0, 4, 0);
    evc_domain_kill(w->d0->dom);
    assert_false(w->d0->pirq[3].bound);
    assert_false(w->d0->pirq[4].bound);
    assert_int_equal(w->d0->pirq[5].unbinds, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bind_asks_the_back_end),
        TEST(test_bind_pirq_errors_in_order),
        TEST(test_back_ends_answer_is_the_guests),
        TEST(test_close_unbinds_it_at_the_back_end),
        TEST(test_interrupt_raises_its_port),
        TEST(test_move_tells_the_back_end_once),
        TEST(test_eoi_reaches_the_back_end),
        TEST(test_kill_unbinds_what_is_bound),
    };

    return RUN(tests);
}
