/* SPDX-License-Identifier: MIT */
/*
 * The engine and its domains: arguments, defaults, policy, life and death.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- evc_engine_create ------------------------------------------------------------- */

static int create(const struct evc_ops *ops, int compat)
{
    struct evc_engine *engine = NULL;
    int r = evc_engine_create(ops, NULL, (enum evc_compat)compat, &engine);

    if (r < 0)
        assert_null(engine);
    evc_engine_destroy(engine);
    return r;
}

static void test_engine_needs_no_callbacks(void **state)
{
    (void)state;
    assert_int_equal(create(NULL, EVC_COMPAT_DEFAULT), 0);
    assert_int_equal(create(NULL, EVC_COMPAT_XEN_4_17), 0);
}

static void test_unknown_compat_is_EINVAL(void **state)
{
    (void)state;
    assert_int_equal(create(NULL, 2), -XEN_EINVAL);
    assert_int_equal(create(NULL, -1), -XEN_EINVAL);
}

static void test_unknown_size_of_ops_is_EINVAL(void **state)
{
    struct evc_ops ops = world_ops((struct world_config){0});

    (void)state;
    assert_int_equal(create(&ops, 0), 0);
    ops.size = 0;
    assert_int_equal(create(&ops, 0), -XEN_EINVAL);
    ops.size = sizeof(ops) + 8;
    assert_int_equal(create(&ops, 0), -XEN_EINVAL);
}

static void test_shorter_ops_get_defaults(void **state)
{
    struct evc_ops ops = world_ops((struct world_config){0});

    (void)state;
    ops.size = offsetof(struct evc_ops, kick);
    assert_int_equal(create(&ops, 0), 0);
    ops.size = offsetof(struct evc_ops, unmap); /* map without unmap */
    assert_int_equal(create(&ops, 0), -XEN_EINVAL);
}

static void wait_nothing(void *dom, uint32_t vcpu, uint64_t deadline)
{
    (void)dom;
    (void)vcpu;
    (void)deadline;
}

static void wake_nothing(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
}

static void test_half_a_pair_of_callbacks_is_EINVAL(void **state)
{
    const struct evc_ops whole = world_ops((struct world_config){0});
    struct evc_ops ops;

    (void)state;
#define WITHOUT(member)                                            \
    ops = whole, ops.wait = wait_nothing, ops.wake = wake_nothing, \
    ops.member = NULL, assert_int_equal(create(&ops, 0), -XEN_EINVAL)
    WITHOUT(map);
    WITHOUT(unmap);
    WITHOUT(wait);
    WITHOUT(wake);
    WITHOUT(pirq_bind);
    WITHOUT(pirq_unbind);
#undef WITHOUT
}

static void test_default_callbacks_refuse_and_stay_silent(void **state)
{
    _Alignas(8) uint8_t page[PAGE] = {0};
    struct evc_domain_config config = {.size = sizeof(config),
                                       .id = 1,
                                       .vcpus = 1,
                                       .max_port = UINT32_MAX,
                                       .nr_pirqs = 1,
                                       .flags = EVC_DOMAIN_PRIVILEGED,
                                       .shared_info = page};
    struct evtchn_init_control control = {0};
    struct evtchn_bind_pirq pirq = {0};
    struct evtchn_bind_ipi ipi = {0};
    const uint64_t args[6] = {EVTCHNOP_bind_ipi, 0};
    struct evc_engine *engine;
    struct evc_domain *dom;

    (void)state;
    assert_int_equal(evc_engine_create(NULL, NULL, 0, &engine), 0);
    assert_int_equal(evc_domain_create(engine, &config, &dom), 0);
    assert_int_equal(evc_event_channel_op(dom, EVTCHNOP_init_control, &control),
                     -XEN_EINVAL);
    assert_int_equal(evc_event_channel_op(dom, EVTCHNOP_bind_pirq, &pirq),
                     -XEN_EPERM);
    assert_int_equal(evc_hypercall(dom, 0, 32, args), -XEN_EFAULT);
    assert_int_equal(evc_hypercall(dom, 0, 12, args), -XEN_ENOSYS);
    assert_int_equal(evc_event_channel_op(dom, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(evc_send(dom, ipi.port), 0);
    evc_engine_destroy(engine);
}

static void test_version_is_the_headers(void **state)
{
    char expected[32];

    (void)state;
    (void)snprintf(expected, sizeof(expected), "%d.%d.%d", EVC_VERSION_MAJOR,
                   EVC_VERSION_MINOR, EVC_VERSION_PATCH);
    assert_string_equal(evc_version(), expected);
}

static void test_destroy_takes_NULL(void **state)
{
    (void)state;
    evc_engine_destroy(NULL);
    evc_domain_destroy(NULL);
    evc_host_close(NULL);
}

/* ---- evc_domain_create --------------------------------------------------------------- */

static int try_config(struct world *w, const struct evc_domain_config *config)
{
    struct evc_domain *dom = NULL;
    int r = evc_domain_create(w->engine, config, &dom);

    if (r < 0)
        assert_null(dom);
    evc_domain_destroy(dom);
    return r;
}

static void test_domain_config_out_of_range_is_EINVAL(void **state)
{
    struct world *w = *state;
    const struct evc_domain_config good =
        guest_domain_config(w->d1, (struct guest_config){.id = 7});
    struct evc_domain_config bad;

#define BAD(member, value)            \
    bad = good, bad.member = (value), \
    assert_int_equal(try_config(w, &bad), -XEN_EINVAL)
    BAD(size, 0);
    BAD(size, sizeof(bad) + 8);
    BAD(id, 0x7ff0);
    BAD(id, 0xffff);
    BAD(layout, (enum evc_layout)3);
    BAD(layout, (enum evc_layout) - 1);
    BAD(vcpus, 0);
    BAD(vcpus, EVC_MAX_VCPUS + 1);
    BAD(flags, 0x80);
    BAD(shared_info, NULL);
    BAD(shared_info, w->d1->memory + 4);
#undef BAD
}

static void test_domain_with_every_id_and_most_vcpus(void **state)
{
    struct world *w = *state;

    assert_non_null(guest_create(w, (struct guest_config){.id = 0x7fef}));
    assert_non_null(guest_create(
        w, (struct guest_config){.id = 7, .vcpus = EVC_MAX_VCPUS}));
    assert_int_equal(bind_ipi(&w->guest[4], EVC_MAX_VCPUS - 1), 1);
    assert_int_equal(send_port(&w->guest[4], 1), 0);
}

static void test_taken_id_is_EEXIST(void **state)
{
    struct world *w = *state;
    struct evc_domain_config config =
        guest_domain_config(w->d1, (struct guest_config){.id = 2});

    assert_int_equal(try_config(w, &config), -XEN_EEXIST);
    evc_domain_kill(w->d2->dom);
    assert_int_equal(try_config(w, &config), -XEN_EEXIST);
    guest_destroy(w->d2);
    assert_int_equal(try_config(w, &config), 0);
}

static void test_failed_create_leaves_the_page_alone(void **state)
{
    struct world *w = *state;
    struct evc_domain_config config =
        guest_domain_config(w->d1, (struct guest_config){.id = 2});
    uint8_t before[PAGE];

    w->now += 12345;
    memcpy(before, w->d1->memory, PAGE);
    assert_int_equal(try_config(w, &config), -XEN_EEXIST);
    assert_memory_equal(w->d1->memory, before, PAGE);
}

static void test_create_writes_nothing_but_clocks(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct evc_domain_config config =
        guest_domain_config(g, (struct guest_config){.id = 7});
    uint8_t *page = g->memory;

    guest_destroy(g);
    memset(page, 0xff, PAGE);
    assert_int_equal(evc_domain_create(w->engine, &config, &g->dom), 0);
    for (unsigned i = 0; i < PAGE; i++) {
        bool in_time = i < 4 * 64 && i % 64 >= 32;

        if (!in_time)
            assert_int_equal(page[i], 0xff);
    }
}

static void test_domains_are_found_and_walked(void **state)
{
    struct world *w = *state;

    assert_ptr_equal(evc_domain_find(w->engine, 1), w->d1->dom);
    assert_null(evc_domain_find(w->engine, 3));
    assert_null(evc_domain_find(w->engine, DOMID_SELF));
    assert_int_equal(evc_domain_id(w->d2->dom), 2);
    assert_ptr_equal(evc_domain_cookie(w->d2->dom), w->d2);
    assert_int_equal(evc_domain_next(w->engine, -1), 0);
    assert_int_equal(evc_domain_next(w->engine, 0), 1);
    assert_int_equal(evc_domain_next(w->engine, 1), 2);
    assert_int_equal(evc_domain_next(w->engine, 2), -1);
    assert_int_equal(evc_domain_next(w->engine, 0x7fef), -1);
    assert_int_equal(evc_domain_next(w->engine, 0x7fffffff), -1);
    guest_destroy(w->d1);
    assert_null(evc_domain_find(w->engine, 1));
    assert_int_equal(evc_domain_next(w->engine, 0), 2);
}

/* ---- pause and shutdown ----------------------------------------------------------------- */

static uint32_t paused(struct guest *g)
{
    struct evc_domain_info info;

    evc_domain_info(g->dom, &info);
    return info.paused;
}

static void test_pauses_are_counted(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_domain_unpause(w->d1->dom), -XEN_EINVAL);
    evc_domain_pause(w->d1->dom);
    evc_domain_pause(w->d1->dom);
    assert_int_equal(paused(w->d1), 2);
    assert_int_equal(evc_domain_unpause(w->d1->dom), 0);
    assert_int_equal(evc_domain_unpause(w->d1->dom), 0);
    assert_int_equal(evc_domain_unpause(w->d1->dom), -XEN_EINVAL);
}

static void test_domain_may_start_paused(void **state)
{
    struct world *w = *state;
    struct guest *g = guest_create(
        w, (struct guest_config){.id = 7, .flags = EVC_DOMAIN_PAUSED});

    assert_int_equal(paused(g), 1);
    assert_int_equal(reset(w->d0, 7), 0);
}

static void test_first_shutdown_counts(void **state)
{
    struct world *w = *state;
    uint32_t exc = (uint32_t)bind_virq(w->d0, VIRQ_DOM_EXC, 0);
    struct evc_domain_info info;

    assert_int_equal(evc_domain_shutdown(w->d1->dom, 3), 0);
    assert_true(is_pending(w->d0, exc));
    take(w->d0, 0);
    assert_int_equal(evc_domain_shutdown(w->d1->dom, 1), -XEN_EINVAL);
    assert_false(is_pending(w->d0, exc));
    evc_domain_info(w->d1->dom, &info);
    assert_true(info.shut_down);
    assert_int_equal(info.shutdown_reason, 3);
}

static void test_ports_stay_after_shutdown(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    evc_domain_shutdown(w->d1->dom, 0);
    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_true(is_pending(w->d1, c.a));
    assert_int_equal(bind_ipi(w->d1, 0), 2);
}

/* ---- death --------------------------------------------------------------------------------- */

static void test_kill_leaves_peers_unbound(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    struct evc_domain_info info;

    evc_domain_kill(w->d1->dom);
    assert_int_equal(state_of(w->d2, c.b), EVTCHNSTAT_unbound);
    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_int_equal(send_port(w->d1, c.a), -XEN_EINVAL);
    evc_domain_info(w->d1->dom, &info);
    assert_true(info.dying);
    assert_int_equal(info.open_ports, 0);
    assert_ptr_equal(evc_domain_find(w->engine, 1), w->d1->dom);
}

static void test_kill_raises_DOM_EXC_once_and_destroy_again(void **state)
{
    struct world *w = *state;
    uint32_t exc = (uint32_t)bind_virq(w->d0, VIRQ_DOM_EXC, 0);

    evc_domain_kill(w->d1->dom);
    assert_int_equal(take(w->d0, 0).port[0], exc);
    evc_domain_kill(w->d1->dom);
    assert_int_equal(take(w->d0, 0).count, 0);
    guest_destroy(w->d1);
    assert_int_equal(take(w->d0, 0).port[0], exc);
}

static void test_destroy_closes_and_unmaps(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    struct vcpu {
        uint64_t mfn;
        uint32_t offset, rsvd;
    } info = {9, 0, 0};

    enter_fifo(w->d1, 4);
    grow(w->d1);
    put(w->d1, SCRATCH, &info, sizeof(info));
    assert_int_equal(hypercall(w->d1, 0, 24, 10, 0, SCRATCH), 0);
    bind_pirq(w->d0, 1, 0);
    assert_int_equal(w->d1->mapped, 6);
    guest_destroy(w->d1);
    assert_int_equal(w->d1->mapped, 0);
    assert_int_equal(state_of(w->d2, c.b), EVTCHNSTAT_unbound);
    guest_destroy(w->d0);
    assert_false(w->d0->pirq[1].bound);
}

static void test_engine_destroy_takes_everything_along(void **state)
{
    struct world *w = world_create((struct world_config){0});
    struct guest *a = guest_create(w, (struct guest_config){.id = 1});
    struct guest *b = guest_create(w, (struct guest_config){.id = 2});

    (void)state;
    join_guests(a, b);
    enter_fifo(a, 4);
    grow(a);
    evc_domain_kill(b->dom);
    assert_true(world_destroy(w));
}

/* ---- ids used again -------------------------------------------------------------------------- */

static void test_reused_id_inherits_nothing(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);
    struct evtchn_status now;

    guest_destroy(w->d1);
    assert_non_null(guest_create(w, (struct guest_config){.id = 1}));
    assert_int_equal(status(w->d0, DOMID_SELF, c.a, &now), 0);
    assert_int_equal(now.status, EVTCHNSTAT_unbound);
    assert_int_equal(now.u.unbound.dom, EVC_NO_DOMAIN);
    assert_int_equal(bind_interdomain(&w->guest[3], 0, c.a), -XEN_EINVAL);
}

static void test_reused_id_inherits_as_xen_does(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);
    struct evtchn_status now;

    guest_destroy(w->d1);
    assert_non_null(guest_create(w, (struct guest_config){.id = 1}));
    assert_int_equal(status(w->d0, DOMID_SELF, c.a, &now), 0);
    assert_int_equal(now.u.unbound.dom, 1);
    assert_int_equal(bind_interdomain(&w->guest[3], 0, c.a), 1);
}

static void test_event_for_the_dead_does_not_reach_the_next(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);
    struct guest *next;

    guest_destroy(w->d1);
    next = guest_create(w, (struct guest_config){.id = 1});
    bind_ipi(next, 0);
    assert_int_equal(send_port(w->d0, c.a), 0);
    assert_false(is_pending(next, c.b));
    assert_int_equal(next->kicks[0], 0);
}

/* ---- policy ------------------------------------------------------------------------------------- */

static void test_policy_is_asked_with_caller_target_and_detail(void **state)
{
    struct world *w = world_create((struct world_config){.policy = true});
    struct guest *a = guest_create(w, (struct guest_config){.id = 1});
    struct guest *b = guest_create(w, (struct guest_config){.id = 2});
    struct evtchn_status now;

    (void)state;
#define ASKED(what, who, whom, about)            \
    assert_int_equal(w->asked.action, what),     \
        assert_int_equal(w->asked.caller, who),  \
        assert_int_equal(w->asked.target, whom), \
        assert_int_equal(w->asked.detail, about)
    alloc_unbound(a, DOMID_SELF, 2);
    ASKED(EVC_ACTION_ALLOC_UNBOUND, 1, 1, 2);
    bind_interdomain(b, 1, 1);
    ASKED(EVC_ACTION_BIND_INTERDOMAIN, 2, 1, 1);
    status(b, 1, 1, &now);
    ASKED(EVC_ACTION_STATUS, 2, 1, 1);
    reset(b, 1);
    ASKED(EVC_ACTION_RESET, 2, 1, 0);
    bind_pirq(b, 5, 0);
    ASKED(EVC_ACTION_BIND_PIRQ, 2, 2, 5);
#undef ASKED
    world_destroy(w);
}

static void test_policys_answer_is_the_guests(void **state)
{
    struct world *w = world_create((struct world_config){.policy = true});
    struct guest *a = guest_create(w, (struct guest_config){.id = 1});
    struct guest *b = guest_create(w, (struct guest_config){.id = 2});
    struct evtchn_status now;

    (void)state;
    assert_int_equal(alloc_unbound(a, DOMID_SELF, 2), 1);
    w->policy = -XEN_EXDEV;
    assert_int_equal(alloc_unbound(a, DOMID_SELF, 2), -XEN_EXDEV);
    assert_int_equal(bind_interdomain(b, 1, 1), -XEN_EXDEV);
    assert_int_equal(status(b, 1, 1, &now), -XEN_EXDEV);
    assert_int_equal(reset(b, 1), -XEN_EXDEV);
    assert_int_equal(bind_pirq(b, 5, 0), -XEN_EXDEV);
    assert_int_equal(evc_port_next(b->dom, 0), 0);
    world_destroy(w);
}

/* ---- operation 14 --------------------------------------------------------------------------------- */

static void test_operation_14_is_ENOSYS(void **state)
{
    struct world *w = *state;
    struct evtchn_reset arg = {.dom = DOMID_SELF};

    assert_int_equal(evc_event_channel_op(w->d1->dom, 14, &arg), -XEN_ENOSYS);
    assert_int_equal(evc_event_channel_op(w->d1->dom, 15, &arg), -XEN_ENOSYS);
    assert_int_equal(evc_event_channel_op(w->d1->dom, UINT32_MAX, &arg),
                     -XEN_ENOSYS);
}

static void test_operation_14_is_reachable_as_in_xen(void **state)
{
    struct world *w = *state;
    struct evtchn_reset arg = {.dom = DOMID_SELF};

    assert_int_not_equal(evc_event_channel_op(w->d1->dom, 14, &arg),
                         -XEN_ENOSYS);
    assert_int_equal(evc_event_channel_op(w->d1->dom, 15, &arg), -XEN_ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_needs_no_callbacks),
        cmocka_unit_test(test_unknown_compat_is_EINVAL),
        cmocka_unit_test(test_unknown_size_of_ops_is_EINVAL),
        cmocka_unit_test(test_shorter_ops_get_defaults),
        cmocka_unit_test(test_half_a_pair_of_callbacks_is_EINVAL),
        cmocka_unit_test(test_default_callbacks_refuse_and_stay_silent),
        cmocka_unit_test(test_version_is_the_headers),
        cmocka_unit_test(test_destroy_takes_NULL),
        TEST(test_domain_config_out_of_range_is_EINVAL),
        TEST(test_domain_with_every_id_and_most_vcpus),
        TEST(test_taken_id_is_EEXIST),
        TEST(test_failed_create_leaves_the_page_alone),
        TEST(test_create_writes_nothing_but_clocks),
        TEST(test_domains_are_found_and_walked),
        TEST(test_pauses_are_counted),
        TEST(test_domain_may_start_paused),
        TEST(test_first_shutdown_counts),
        TEST(test_ports_stay_after_shutdown),
        TEST(test_kill_leaves_peers_unbound),
        TEST(test_kill_raises_DOM_EXC_once_and_destroy_again),
        TEST(test_destroy_closes_and_unmaps),
        cmocka_unit_test(test_engine_destroy_takes_everything_along),
        TEST(test_reused_id_inherits_nothing),
        TEST_417(test_reused_id_inherits_as_xen_does),
        TEST(test_event_for_the_dead_does_not_reach_the_next),
        cmocka_unit_test(test_policy_is_asked_with_caller_target_and_detail),
        cmocka_unit_test(test_policys_answer_is_the_guests),
        TEST(test_operation_14_is_ENOSYS),
        TEST_417(test_operation_14_is_reachable_as_in_xen),
    };

    return RUN(tests);
}
