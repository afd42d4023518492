/* SPDX-License-Identifier: MIT */
/*
 * Timers: singleshot, periodic, set_timer_op; who is told the next deadline.
 */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include <evc/abi/vcpu.h>

#define MS UINT64_C(1000000)

static int64_t singleshot(struct guest *g, unsigned self, uint32_t vcpu,
                          uint64_t deadline, uint32_t flags)
{
    uint8_t arg[16] = {0};

    memcpy(arg, &deadline, 8);
    memcpy(arg + 8, &flags, 4);
    put(g, SCRATCH, arg, sizeof(arg));
    return hypercall(g, self, 24, VCPUOP_set_singleshot_timer, vcpu, SCRATCH);
}

static int64_t periodic(struct guest *g, uint32_t vcpu, uint64_t period)
{
    put(g, SCRATCH, &period, sizeof(period));
    return hypercall(g, 0, 24, VCPUOP_set_periodic_timer, vcpu, SCRATCH);
}

static int64_t set_timer(struct guest *g, unsigned vcpu, uint64_t deadline)
{
    return hypercall(g, vcpu, __HYPERVISOR_set_timer_op, deadline, 0, 0);
}

/* Advance to a moment; how often did that vCPU's timer port fire? 0 or 1. */
static unsigned fires_at(struct guest *g, unsigned vcpu, uint64_t now)
{
    g->world->now = now;
    (void)evc_timers_run(g->world->engine);
    return take(g, vcpu).count;
}

static void test_timer_fires_at_its_deadline_once(void **state)
{
    struct world *w = *state;

    bind_virq(w->d1, VIRQ_TIMER, 1);
    assert_int_equal(set_timer(w->d1, 1, 5 * MS), 0);
    assert_int_equal(w->deadline, 5 * MS);
    assert_int_equal(fires_at(w->d1, 1, 5 * MS - 1), 0);
    assert_int_equal(fires_at(w->d1, 1, 5 * MS), 1);
    assert_int_equal(w->deadline, 0);
    assert_int_equal(fires_at(w->d1, 1, 50 * MS), 0);
}

static void test_timer_can_be_changed_and_stopped(void **state)
{
    struct world *w = *state;

    bind_virq(w->d1, VIRQ_TIMER, 0);
    set_timer(w->d1, 0, 5 * MS);
    set_timer(w->d1, 0, 9 * MS);
    assert_int_equal(w->deadline, 9 * MS);
    assert_int_equal(fires_at(w->d1, 0, 6 * MS), 0);
    set_timer(w->d1, 0, 0);
    assert_int_equal(w->deadline, 0);
    assert_int_equal(fires_at(w->d1, 0, 10 * MS), 0);
}

static void test_32_bit_guest_passes_the_deadline_in_two_registers(void **state)
{
    struct world *w = *state;
    struct guest *g = guest_create(
        w, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_X86_32});

    assert_int_equal(hypercall(g, 0, 15, 0xffffffff00000001, 2, 0), 0);
    assert_int_equal(w->deadline, UINT64_C(0x200000001));
}

static void test_singleshot_is_the_same_timer(void **state)
{
    struct world *w = *state;

    bind_virq(w->d1, VIRQ_TIMER, 0);
    set_timer(w->d1, 0, 5 * MS);
    assert_int_equal(singleshot(w->d1, 0, 0, 7 * MS, 0), 0);
    assert_int_equal(w->deadline, 7 * MS);
    assert_int_equal(hypercall(w->d1, 0, 24, 9, 0, 0), 0);
    assert_int_equal(w->deadline, 0);
}

static void test_singleshot_in_the_past_fires_at_once_or_is_ETIME(void **state)
{
    struct world *w = *state;

    bind_virq(w->d1, VIRQ_TIMER, 0);
    w->now = 10 * MS;
    assert_int_equal(singleshot(w->d1, 0, 0, 5 * MS, VCPU_SSHOTTMR_future),
                     -XEN_ETIME);
    assert_int_equal(w->deadline, 0);
    assert_int_equal(singleshot(w->d1, 0, 0, 5 * MS, 0), 0);
    assert_int_equal(fires_at(w->d1, 0, 10 * MS), 1);
}

static void test_singleshot_is_for_the_own_vcpu(void **state)
{
    struct world *w = *state;

    assert_int_equal(singleshot(w->d1, 0, 1, 5 * MS, 0), -XEN_EINVAL);
    assert_int_equal(hypercall(w->d1, 0, 24, 9, 1, 0), -XEN_EINVAL);
    assert_int_equal(singleshot(w->d1, 0, 4, 5 * MS, 0), -XEN_ENOENT);
    assert_int_equal(hypercall(w->d1, 0, 24, 8, 0, FRAMES * PAGE), -XEN_EFAULT);
}

static void test_periodic_timer_fires_again_and_again(void **state)
{
    struct world *w = *state;
    uint64_t start = w->now;

    bind_virq(w->d1, VIRQ_TIMER, 2);
    assert_int_equal(periodic(w->d1, 2, 10 * MS), 0);
    for (uint64_t i = 1; i <= 4; i++) {
        assert_int_equal(w->deadline, start + i * 10 * MS);
        assert_int_equal(fires_at(w->d1, 2, start + i * 10 * MS), 1);
    }
    assert_int_equal(hypercall(w->d1, 0, 24, 7, 2, 0), 0);
    assert_int_equal(w->deadline, 0);
}

static void test_missed_periods_are_one_event(void **state)
{
    struct world *w = *state;
    uint64_t start = w->now;

    unsigned told;

    bind_virq(w->d1, VIRQ_TIMER, 0);
    periodic(w->d1, 0, 10 * MS);
    told = w->deadlines;
    assert_int_equal(fires_at(w->d1, 0, start + 1005 * MS), 1);
    assert_int_equal(w->deadline, start + 1010 * MS);
    assert_int_equal(w->deadlines - told, 1); /* not one by one */
}

static void test_period_out_of_range_is_EINVAL(void **state)
{
    struct world *w = *state;

    assert_int_equal(periodic(w->d1, 0, 0), -XEN_EINVAL);
    assert_int_equal(periodic(w->d1, 0, MS - 1), -XEN_EINVAL);
    assert_int_equal(periodic(w->d1, 0, UINT64_MAX), -XEN_EINVAL);
    assert_int_equal(periodic(w->d1, 0, MS), 0);
    assert_int_equal(periodic(w->d1, 4, MS), -XEN_ENOENT);
    assert_int_equal(hypercall(w->d1, 0, 24, 6, 0, FRAMES * PAGE), -XEN_EFAULT);
}

static void test_both_timers_of_a_vcpu_run(void **state)
{
    struct world *w = *state;
    uint64_t start = w->now;

    bind_virq(w->d1, VIRQ_TIMER, 0);
    periodic(w->d1, 0, 10 * MS);
    set_timer(w->d1, 0, start + 15 * MS);
    assert_int_equal(fires_at(w->d1, 0, start + 10 * MS), 1);
    assert_int_equal(fires_at(w->d1, 0, start + 15 * MS), 1);
    assert_int_equal(fires_at(w->d1, 0, start + 20 * MS), 1);
}

static void test_many_timers_fire_in_the_order_of_time(void **state)
{
    struct guest *g =
        guest_create(*state, (struct guest_config){.id = 7, .vcpus = 40});
    struct world *w = g->world;

    for (unsigned v = 0; v < 32; v++) {
        bind_virq(g, VIRQ_TIMER, v);
        set_timer(g, v, (1 + v * 7 % 32) * MS);
    }
    for (unsigned v = 3; v < 32; v += 4) /* some change, some stop */
        set_timer(g, v, v % 8 == 3 ? 0 : 40 * MS);
    for (uint64_t t = 1; t <= 32; t++) {
        unsigned fired = 0;

        w->now = t * MS;
        (void)evc_timers_run(w->engine);
        for (unsigned v = 0; v < 32; v++) {
            bool due = v % 4 != 3 && 1 + v * 7 % 32 == t;

            assert_int_equal(take(g, v).count, due);
            fired += due;
        }
        assert_true(fired <= 1);
    }
    assert_int_equal(w->deadline, 40 * MS);
}

static void test_embedder_is_told_when_the_next_deadline_changes(void **state)
{
    struct world *w = *state;
    unsigned before = w->deadlines;

    set_timer(w->d1, 0, 50 * MS);
    set_timer(w->d1, 1, 60 * MS); /* later: no news */
    assert_int_equal(w->deadlines - before, 1);
    set_timer(w->d1, 2, 40 * MS);
    assert_int_equal(w->deadlines - before, 2);
    assert_int_equal(evc_timers_run(w->engine), 40 * MS);
    set_timer(w->d1, 2, 0);
    assert_int_equal(w->deadline, 50 * MS);
}

/* d1 sets its timer again, long past, whenever it has fired. */
static unsigned fired, fired_before_d2;

static void set_again(void *dom, uint32_t vcpu)
{
    struct guest *g = dom;

    g->kicks[vcpu]++;
    if (g == g->world->d2)
        fired_before_d2 = fired;
    if (g != g->world->d1 || ++fired >= 10000)
        return;
    (void)take(g, vcpu);
    (void)set_timer(g, vcpu, 1); /* as another thread of it might */
}

/*
 * A world of its own, whose guests are kicked there.  A vCPU that is kicked
 * makes a hypercall at once, on the thread that raises the event: the worst
 * that a guest of several vCPUs could do.
 */
static struct world *world_of_impatience(void)
{
    struct world *w = world_create((struct world_config){0});
    struct evc_ops ops = world_ops((struct world_config){0});

    ops.kick = set_again;
    evc_engine_destroy(w->engine);
    assert_int_equal(evc_engine_create(&ops, w, EVC_COMPAT_DEFAULT, &w->engine),
                     0);
    w->d1 = guest_create(w, (struct guest_config){.id = 1});
    w->d2 = guest_create(w, (struct guest_config){.id = 2});
    bind_virq(w->d1, VIRQ_TIMER, 0);
    bind_virq(w->d2, VIRQ_TIMER, 0);
    fired = 0;
    return w;
}

static void test_run_ends_although_a_guest_sets_its_timer_again(void **state)
{
    struct world *w = world_of_impatience();

    (void)state;
    w->now = 5 * MS;
    set_timer(w->d1, 0, 1);
    (void)evc_timers_run(w->engine);
    assert_in_range(fired, 1, 10);
    assert_true(w->deadline != 0); /* and it is not forgotten */
    (void)evc_timers_run(w->engine);
    assert_in_range(fired, 2, 20);
    assert_true(world_destroy(w));
}

static void test_time_long_past_is_not_before_what_others_wait_for(void **state)
{
    struct world *w = world_of_impatience();

    (void)state;
    set_timer(w->d2, 0, 4 * MS);
    w->now = 5 * MS;
    set_timer(w->d1, 0, 1);
    (void)evc_timers_run(w->engine);
    assert_int_equal(take(w->d2, 0).count, 1);
    assert_int_equal(fired_before_d2, 0);
    assert_true(world_destroy(w));
}

static void test_unbound_timer_fires_for_nobody(void **state)
{
    struct world *w = *state;

    set_timer(w->d1, 0, 5 * MS);
    w->now = 6 * MS;
    assert_int_equal(evc_timers_run(w->engine), 0);
    assert_int_equal(w->d1->kicks[0], 0);
}

static void test_kill_stops_timers(void **state)
{
    struct world *w = *state;

    set_timer(w->d1, 0, 5 * MS);
    periodic(w->d1, 1, MS);
    evc_domain_kill(w->d1->dom);
    assert_int_equal(w->deadline, 0);
}

static void test_timer_set_while_dying_is_gone_with_the_domain(void **state)
{
    struct world *w = *state;

    evc_domain_kill(w->d1->dom);
    set_timer(w->d1, 0, 5 * MS);
    periodic(w->d1, 1, MS);
    guest_destroy(w->d1);
    assert_int_equal(w->deadline, 0);
    w->now = 100 * MS;
    assert_int_equal(evc_timers_run(w->engine), 0);
}

static void test_engines_own_thread_fires_timers(void **state)
{
    struct world *w = world_create((struct world_config){.real_clock = true});
    struct guest *g = guest_create(w, (struct guest_config){.id = 1});

    (void)state;
    bind_virq(g, VIRQ_TIMER, 0);
    assert_int_equal(set_timer(g, 0, 1), 0); /* long past */
    for (int i = 0; i < 2000 && g->kicks[0] == 0; i++)
        usleep(1000);
    assert_int_equal(g->kicks[0], 1);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timer_fires_at_its_deadline_once),
        TEST(test_timer_can_be_changed_and_stopped),
        TEST(test_32_bit_guest_passes_the_deadline_in_two_registers),
        TEST(test_singleshot_is_the_same_timer),
        TEST(test_singleshot_in_the_past_fires_at_once_or_is_ETIME),
        TEST(test_singleshot_is_for_the_own_vcpu),
        TEST(test_periodic_timer_fires_again_and_again),
        TEST(test_missed_periods_are_one_event),
        TEST(test_period_out_of_range_is_EINVAL),
        TEST(test_both_timers_of_a_vcpu_run),
        TEST(test_many_timers_fire_in_the_order_of_time),
        TEST(test_embedder_is_told_when_the_next_deadline_changes),
        cmocka_unit_test(test_run_ends_although_a_guest_sets_its_timer_again),
        cmocka_unit_test(
            test_time_long_past_is_not_before_what_others_wait_for),
        TEST(test_unbound_timer_fires_for_nobody),
        TEST(test_kill_stops_timers),
        TEST(test_timer_set_while_dying_is_gone_with_the_domain),
        cmocka_unit_test(test_engines_own_thread_fires_timers),
    };

    return RUN(tests);
}
