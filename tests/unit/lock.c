/* SPDX-License-Identifier: MIT */
/*
 * A domain's lock: who waits for it while its holder takes long, sleeps.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#define LONG 400 /* ms */

static _Alignas(4096) unsigned char shared_info[4096];
static struct evc_domain *domain;
static atomic_bool is_held;

/* Called with the lock held. */
static int take_long(void *host, enum evc_action action, evc_domid caller,
                     evc_domid target, uint32_t detail)
{
    const struct timespec ms = {.tv_nsec = LONG * 1000000L};

    (void)host;
    (void)action;
    (void)caller;
    (void)target;
    (void)detail;
    is_held = true;
    nanosleep(&ms, NULL);
    return 0;
}

static void *open_port(void *data)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF};

    (void)data;
    return evc_event_channel_op(domain, EVTCHNOP_alloc_unbound, &alloc) == 0
               ? domain
               : NULL;
}

/* This thread's, in ms. */
static long cpu_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_who_waits_for_a_domain_sleeps(void **state)
{
    static const struct evc_ops ops = {.size = sizeof(ops),
                                       .policy = take_long};
    struct evc_domain_config config = {.size = sizeof(config),
                                       .id = 1,
                                       .vcpus = 1,
                                       .max_port = UINT32_MAX,
                                       .shared_info = shared_info};
    struct evc_engine *engine;
    pthread_t holder;
    void *opened;
    long before;

    (void)state;
    assert_int_equal(evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine),
                     0);
    assert_int_equal(evc_domain_create(engine, &config, &domain), 0);
    assert_int_equal(pthread_create(&holder, NULL, open_port, NULL), 0);
    while (!is_held)
        sched_yield();
    before = cpu_time();
    assert_int_equal(evc_port_next(domain, 0), 1); /* that which was opened */
    assert_true(cpu_time() - before < LONG / 2);
    pthread_join(holder, &opened);
    assert_non_null(opened);
    evc_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_for_a_domain_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
