/* SPDX-License-Identifier: MIT */
/*
 * Waiting in the engine: SCHEDOP_block and SCHEDOP_poll on threads of their own,
 * and who ends it.
 *
 * A sleeper that is not woken hangs; alarm() ends the test then.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 20u /* s */

struct sleeper {
    struct guest *g;
    unsigned vcpu;
    bool poll;
    uint32_t ports[200];
    uint32_t n;
    uint64_t timeout;
    _Atomic int64_t answer;
    _Atomic bool done;
    pthread_t thread;
};

static void *sleep_in_engine(void *arg)
{
    struct sleeper *s = arg;

    s->answer = s->poll ? poll_ports(s->g, s->vcpu, s->ports, s->n, s->timeout)
                        : block(s->g, s->vcpu);
    s->done = true;
    return NULL;
}

/* Start, and see it asleep. */
static void start(struct sleeper *s)
{
    enum evc_vcpu_state asleep = s->poll ? EVC_VCPU_POLLING : EVC_VCPU_BLOCKED;

    alarm(PATIENCE);
    pthread_create(&s->thread, NULL, sleep_in_engine, s);
    while (evc_vcpu_state(s->g->dom, s->vcpu) != asleep)
        usleep(100);
    usleep(2000); /* it may still be looking around */
    assert_false(s->done);
}

/* It ends, and with 0. */
static void finish(struct sleeper *s)
{
    pthread_join(s->thread, NULL);
    alarm(0);
    assert_int_equal(s->answer, 0);
    assert_int_equal(evc_vcpu_state(s->g->dom, s->vcpu), EVC_VCPU_RUNNING);
}

static bool stays_asleep(const struct sleeper *s)
{
    usleep(20000);
    return !s->done;
}

/* ---- block -------------------------------------------------------------------------- */

static void test_block_returns_at_once_when_an_upcall_is_due(void **state)
{
    struct world *w = *state;

    send_port(w->d1, (uint32_t)bind_ipi(w->d1, 0));
    *upcall_mask(w->d1, 0) = 1;
    assert_int_equal(block(w->d1, 0), 0);
    assert_int_equal(*upcall_mask(w->d1, 0), 0); /* block opens it */
}

static void test_event_ends_a_block(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.g = w->d1, .vcpu = 1};
    uint32_t port = (uint32_t)bind_ipi(w->d1, 1);

    start(&s);
    send_port(w->d1, port);
    finish(&s);
}

static void test_masked_event_and_others_vcpus_do_not_end_a_block(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.g = w->d1, .vcpu = 1};
    uint32_t masked = (uint32_t)bind_ipi(w->d1, 1);
    uint32_t other = (uint32_t)bind_ipi(w->d1, 0);

    mask(w->d1, masked);
    start(&s);
    send_port(w->d1, masked);
    send_port(w->d1, other);
    assert_true(stays_asleep(&s));
    unmask_port(w->d1, masked);
    finish(&s);
}

static void test_wake_kill_and_shutdown_end_a_block(void **state)
{
    struct world *w = *state;
    struct sleeper a = {.g = w->d0, .vcpu = 1};
    struct sleeper b = {.g = w->d1, .vcpu = 1};
    struct sleeper c = {.g = w->d2, .vcpu = 1};

    start(&a);
    start(&b);
    start(&c);
    evc_vcpu_wake(w->d0->dom, 1);
    evc_domain_kill(w->d1->dom);
    evc_domain_shutdown(w->d2->dom, 0);
    finish(&a);
    finish(&b);
    finish(&c);
}

static void test_stopped_domain_does_not_sleep(void **state)
{
    struct world *w = *state;
    const uint32_t port = 1;

    bind_ipi(w->d2, 0);
    evc_domain_kill(w->d1->dom);
    evc_domain_shutdown(w->d2->dom, 0);
    alarm(PATIENCE);
    assert_int_equal(block(w->d1, 0), 0);
    assert_int_equal(block(w->d2, 0), 0);
    assert_int_equal(poll_ports(w->d2, 0, &port, 1, 0), 0);
    alarm(0);
}

static void test_timer_ends_a_block(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.g = w->d1, .vcpu = 0};

    bind_virq(w->d1, VIRQ_TIMER, 0);
    hypercall(w->d1, 0, 15, 5000, 0, 0);
    start(&s);
    w->now = 6000;
    evc_timers_run(w->engine);
    finish(&s);
}

static void test_host_end_wakes_the_vcpu_it_was_opened_for(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.g = w->d1, .vcpu = 2};
    struct evc_host *end;
    int port;

    assert_int_equal(evc_host_listen(w->d1->dom, 2, 2, NULL, NULL, &end), 0);
    port = bind_interdomain(w->d2, 1, evc_host_port(end));
    start(&s);
    send_port(w->d2, (uint32_t)port);
    finish(&s);
    evc_host_close(end);
}

/* ---- poll ------------------------------------------------------------------------------ */

static void test_poll_returns_at_once_when_pending_even_if_masked(void **state)
{
    struct world *w = *state;
    uint32_t ports[2] = {(uint32_t)bind_ipi(w->d1, 0),
                         (uint32_t)bind_ipi(w->d1, 0)};

    mask(w->d1, ports[1]);
    send_port(w->d1, ports[1]);
    alarm(PATIENCE);
    assert_int_equal(poll_ports(w->d1, 0, ports, 2, 0), 0);
    alarm(0);
}

static void test_poll_returns_at_once_when_an_upcall_is_due(void **state)
{
    struct world *w = *state;
    const uint32_t ports[2] = {UINT32_MAX, 0};

    *upcall_pending(w->d1, 0) = 1;
    assert_int_equal(poll_ports(w->d1, 0, ports, 2, 0), 0);
    *upcall_mask(w->d1, 0) = 1;
    assert_int_equal(poll_ports(w->d1, 0, ports, 2, 0), -XEN_EINVAL);
}

static void test_poll_errors(void **state)
{
    struct world *w = *state;
    uint32_t ports[200];

    for (int i = 0; i < 200; i++)
        ports[i] = 1;
    bind_ipi(w->d1, 0);
    send_port(w->d1, 1);
    *upcall_mask(w->d1, 0) = 1;
    assert_int_equal(poll_ports(w->d1, 0, ports, 129, 0), -XEN_EINVAL);
    assert_int_equal(poll_ports(w->d1, 0, ports, UINT32_MAX, 0), -XEN_EINVAL);
    assert_int_equal(poll_ports(w->d1, 0, ports, 128, 0), 0);
    assert_int_equal(hypercall(w->d1, 0, 29, 3, FRAMES * PAGE, 0), -XEN_EFAULT);
}

static void test_poll_of_ports_that_never_were_is_EINVAL(void **state)
{
    static const uint32_t ports[] = {0,    1,      63,     64,        4095,
                                     4096, 131071, 131072, UINT32_MAX};
    struct world *w = *state;

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        assert_int_equal(poll_ports(w->d1, 0, &ports[i], 1, 0), -XEN_EINVAL);
}

static void test_poll_looks_port_by_port(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)bind_ipi(w->d1, 0);
    const uint32_t good_first[2] = {a, 50}, bad_first[2] = {50, a};

    mask(w->d1, a);
    send_port(w->d1, a);
    assert_int_equal(poll_ports(w->d1, 0, good_first, 2, 0), 0);
    assert_int_equal(poll_ports(w->d1, 0, bad_first, 2, 0), -XEN_EINVAL);
}

static void test_unreadable_list_is_EFAULT(void **state)
{
    struct world *w = *state;
    struct evc_abi_sched_poll_x86_64 arg = {.nr_ports = 1};
    uint64_t list = FRAMES * PAGE - 2;

    memcpy(&arg, &list, sizeof(list));
    put(w->d1, SCRATCH, &arg, sizeof(arg));
    assert_int_equal(hypercall(w->d1, 0, 29, 3, SCRATCH, 0), -XEN_EFAULT);
}

static void test_event_ends_the_poll_of_its_port_even_masked(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);
    uint32_t other = (uint32_t)bind_ipi(w->d1, 0);
    struct sleeper s = {
        .g = w->d1, .vcpu = 1, .poll = true, .ports = {port}, .n = 1};

    mask(w->d1, port);
    mask(w->d1, other);
    start(&s);
    send_port(w->d1, other);
    assert_true(stays_asleep(&s));
    send_port(w->d1, port);
    finish(&s);
}

static void test_poll_of_several_ends_with_any_port_of_the_domain(void **state)
{
    struct world *w = *state;
    uint32_t a = (uint32_t)bind_ipi(w->d1, 0), b = (uint32_t)bind_ipi(w->d1, 0);
    uint32_t other = (uint32_t)bind_ipi(w->d1, 0);
    struct sleeper s = {
        .g = w->d1, .vcpu = 1, .poll = true, .ports = {a, b}, .n = 2};

    start(&s);
    send_port(w->d1, other);
    finish(&s);
}

static void test_poll_in_fifo_mode(void **state)
{
    struct world *w = *state;
    uint32_t port;
    struct sleeper s = {.g = w->d1, .vcpu = 1, .poll = true, .n = 1};

    enter_fifo(w->d1, 4);
    grow(w->d1);
    port = (uint32_t)bind_ipi(w->d1, 0);
    mask(w->d1, port);
    s.ports[0] = port;
    start(&s);
    send_port(w->d1, port);
    finish(&s);
    alarm(PATIENCE);
    assert_int_equal(poll_ports(w->d1, 1, &port, 1, 0), 0);
    alarm(0);
}

static void test_32_bit_guest_polls(void **state)
{
    struct guest *g = guest_create(
        *state, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_X86_32});
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    struct sleeper s = {
        .g = g, .vcpu = 1, .poll = true, .ports = {port}, .n = 1};

    start(&s);
    send_port(g, port);
    finish(&s);
}

static void test_merged_event_wakes_no_poller(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);
    struct sleeper s = {
        .g = w->d1, .vcpu = 1, .poll = true, .ports = {port}, .n = 1};

    start(&s);
    /* The guest sets PENDING behind the engine's back. */
    *(_Atomic uint64_t *)at(w->d1, w->d1->abi.pending) |= 1u << port;
    send_port(w->d1, port);
    assert_true(stays_asleep(&s));
    clear_pending(w->d1, port);
    send_port(w->d1, port);
    finish(&s);
}

static void test_timeout_ends_a_poll(void **state)
{
    struct world *w = world_create((struct world_config){.real_clock = true});
    struct guest *g = guest_create(w, (struct guest_config){.id = 1});
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    struct timespec now;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    alarm(PATIENCE);
    assert_int_equal(poll_ports(g, 0, &port, 1, 1), 0); /* long past */
    assert_int_equal(poll_ports(g, 0, &port, 1,
                                (uint64_t)now.tv_sec * 1000000000 +
                                    (uint64_t)now.tv_nsec + 30000000),
                     0);
    alarm(0);
    world_destroy(w);
}

/* The poller must sleep, not spin, however far away the deadline is. */
static void test_far_deadline_is_slept_through(void **state)
{
    struct world *w = *state; /* its clock is far behind the real one */
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);
    struct sleeper s = {.g = w->d1,
                        .vcpu = 1,
                        .poll = true,
                        .ports = {port},
                        .n = 1,
                        .timeout = UINT64_MAX};
    struct timespec before, after;

    start(&s);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(100000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    send_port(w->d1, port);
    finish(&s);
    assert_in_range((after.tv_sec - before.tv_sec) * 1000000000 +
                        (after.tv_nsec - before.tv_nsec),
                    0, 50000000);
}

static void test_two_pollers_of_one_port_both_wake(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);
    struct sleeper a = {
        .g = w->d1, .vcpu = 1, .poll = true, .ports = {port}, .n = 1};
    struct sleeper b = a;

    b.vcpu = 2;
    start(&a);
    start(&b);
    send_port(w->d1, port);
    finish(&a);
    finish(&b);
}

/* ---- the embedder's own sleep ---------------------------------------------------------------- */

static _Atomic int waits, wakes;
static _Atomic uint64_t waited_until;
static uint32_t wakes_up_by; /* the port that the wait itself sends to */

static void own_wait(void *dom, uint32_t vcpu, uint64_t deadline)
{
    struct guest *g = dom;

    (void)vcpu;
    waits++;
    waited_until = deadline;
    send_port(g, wakes_up_by);
}

static void own_wake(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
    wakes++;
}

static void test_embedders_wait_is_used_where_there_is_one(void **state)
{
    struct world world = {.now = 1000}, *w = &world;
    struct evc_ops ops = world_ops((struct world_config){0});
    struct guest *g;

    (void)state;
    ops.wait = own_wait;
    ops.wake = own_wake;
    assert_int_equal(evc_engine_create(&ops, w, 0, &w->engine), 0);
    g = guest_create(w, (struct guest_config){.id = 1});
    wakes_up_by = (uint32_t)bind_ipi(g, 0);
    assert_int_equal(poll_ports(g, 0, &wakes_up_by, 1, 5000), 0);
    assert_int_equal(waits, 1);
    assert_int_equal(waited_until, 5000);
    assert_true(wakes >= 1);
    evc_engine_destroy(w->engine);
}

/* ---- the rest of sched_op ------------------------------------------------------------------------ */

static void test_shutdown_is_remembered_and_told(void **state)
{
    struct world *w = *state;
    const uint32_t reason = 3;
    struct evc_domain_info info;

    put(w->d1, SCRATCH, &reason, sizeof(reason));
    assert_int_equal(hypercall(w->d1, 0, 29, 2, SCRATCH, 0), 0);
    assert_int_equal(w->d1->shutdowns, 1);
    assert_int_equal(w->d1->shutdown_reason, 3);
    evc_domain_info(w->d1->dom, &info);
    assert_true(info.shut_down);
    assert_int_equal(hypercall(w->d2, 0, 29, 2, FRAMES * PAGE, 0), -XEN_EFAULT);
    assert_int_equal(w->d2->shutdowns, 0);
}

static void test_yield_is_0_and_unknown_is_ENOSYS(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 0, 29, 0, 0, 0), 0);
    assert_int_equal(hypercall(w->d1, 0, 29, 99, 0, 0), -XEN_ENOSYS);
}

static void test_remote_shutdown_needs_the_right(void **state)
{
    struct world *w = *state;
    const uint32_t arg[2] = {2, 1}, nobody[2] = {999, 1};
    struct evc_domain_info info;

    put(w->d1, SCRATCH, arg, sizeof(arg));
    put(w->d0, SCRATCH, nobody, sizeof(nobody));
    assert_int_equal(hypercall(w->d1, 0, 29, 4, SCRATCH, 0), -XEN_EPERM);
    assert_int_equal(hypercall(w->d0, 0, 29, 4, SCRATCH, 0), -XEN_ESRCH);
    put(w->d0, SCRATCH, arg, sizeof(arg));
    assert_int_equal(hypercall(w->d0, 0, 29, 4, SCRATCH, 0), 0);
    evc_domain_info(w->d2->dom, &info);
    assert_int_equal(info.shutdown_reason, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_block_returns_at_once_when_an_upcall_is_due),
        TEST(test_event_ends_a_block),
        TEST(test_masked_event_and_others_vcpus_do_not_end_a_block),
        TEST(test_wake_kill_and_shutdown_end_a_block),
        TEST(test_stopped_domain_does_not_sleep),
        TEST(test_timer_ends_a_block),
        TEST(test_host_end_wakes_the_vcpu_it_was_opened_for),
        TEST(test_poll_returns_at_once_when_pending_even_if_masked),
        TEST(test_poll_returns_at_once_when_an_upcall_is_due),
        TEST(test_poll_errors),
        TEST(test_poll_of_ports_that_never_were_is_EINVAL),
        TEST(test_poll_looks_port_by_port),
        TEST(test_unreadable_list_is_EFAULT),
        TEST(test_event_ends_the_poll_of_its_port_even_masked),
        TEST(test_poll_of_several_ends_with_any_port_of_the_domain),
        TEST(test_poll_in_fifo_mode),
        TEST(test_32_bit_guest_polls),
        TEST(test_merged_event_wakes_no_poller),
        cmocka_unit_test(test_timeout_ends_a_poll),
        TEST(test_far_deadline_is_slept_through),
        TEST(test_two_pollers_of_one_port_both_wake),
        cmocka_unit_test(test_embedders_wait_is_used_where_there_is_one),
        TEST(test_shutdown_is_remembered_and_told),
        TEST(test_yield_is_0_and_unknown_is_ENOSYS),
        TEST(test_remote_shutdown_needs_the_right),
    };

    return RUN(tests);
}
