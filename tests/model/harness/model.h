/* SPDX-License-Identifier: MIT */
/*
 * How a model runs.
 *
 * A model is a few threads, each doing one step on a copy of a small world, and
 * a check when all have ended.  Two ways to run it:
 *
 *   as a test        many copies a round, thousands of rounds, the threads
 *                    meeting at each copy and then going on after random
 *                    delays; for about half a second, EVC_TEST_SCALE times that
 *   -DEVC_GENMC      one copy, one round, no delays: a model checker explores
 *                    all executions (docs/ordering.md)
 *
 * One translation unit each: a model checker reads no libraries.  Loops are
 * bounded.  What is plain here (payloads, queues) is plain on purpose: the
 * order of the events must protect it, and the thread sanitizer says so if it
 * does not.
 */
#ifndef EVC_TESTS_MODEL_H
#define EVC_TESTS_MODEL_H

#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef void step(unsigned copy);

#define MODEL_THREADS 4u

#ifdef EVC_GENMC

#undef COPIES
#define COPIES 1u

static _Thread_local unsigned model_self; /* 0: before and after the threads */

#include "checker.h"

struct model_start {
    step *run;
};

static const struct model_start *model_first;

static void *model_thread(void *arg)
{
    const struct model_start *start = arg;

    model_self = (unsigned)(start - model_first) + 1;
    start->run(0);
    return NULL;
}

static void model_run(step *setup, const struct model_start *threads,
                      unsigned n, step *check)
{
    pthread_t t[MODEL_THREADS];

    setup(0);
    model_first = threads;
    for (unsigned i = 0; i < n; i++)
        pthread_create(&t[i], NULL, model_thread, (void *)&threads[i]);
    for (unsigned i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    check(0);
}

#else

#include <sched.h>
#include <stdio.h>
#include <time.h>

#ifndef COPIES /* models of the whole engine have fewer */
#define COPIES 64u
#endif

/* Wait for another thread. */
#define model_await(condition) \
    do {                       \
        while (!(condition))   \
            sched_yield();     \
    } while (0)

static _Atomic unsigned model_round, model_ended, model_threads;
static _Atomic bool model_stop;
static _Atomic unsigned model_met[COPIES];

struct model_start {
    step *run;
};

/* Come together, but wait for nobody who is not running. */
static void model_meet(unsigned copy, uint64_t *dice)
{
    (void)atomic_fetch_add(&model_met[copy], 1);
    for (int i = 0; i < 400; i++)
        if (atomic_load_explicit(&model_met[copy], memory_order_relaxed) >=
            model_threads)
            break;
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    for (unsigned i = *dice % 4 ? *dice >> 32 & 63 : 0; i > 0; i--)
        atomic_signal_fence(memory_order_seq_cst);
}

static void *model_thread(void *arg)
{
    const struct model_start *start = arg;
    uint64_t dice = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u | 1;
    unsigned seen = 0;

    for (;;) {
        while (atomic_load(&model_round) == seen && !model_stop)
            sched_yield();
        if (model_stop)
            return NULL;
        seen++;
        for (unsigned i = 0; i < COPIES; i++) {
            model_meet(i, &dice);
            start->run(i);
        }
        (void)atomic_fetch_add(&model_ended, 1);
    }
}

static uint64_t model_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void model_run(step *setup, const struct model_start *threads,
                      unsigned n, step *check)
{
    const char *scale = getenv("EVC_TEST_SCALE");
    uint64_t ms = 500u * (scale && atoi(scale) > 0 ? (unsigned)atoi(scale) : 1);
    uint64_t end = model_clock() + ms;
    pthread_t t[MODEL_THREADS];
    unsigned rounds = 0;

    model_threads = n;
    for (unsigned i = 0; i < n; i++)
        pthread_create(&t[i], NULL, model_thread,
                       (void *)(uintptr_t)&threads[i]);
    for (; rounds < 1000 || model_clock() < end; rounds++) {
        if (rounds >= 20 && model_clock() > end + 2 * ms)
            break; /* a busy machine: enough */
        for (unsigned i = 0; i < COPIES; i++) {
            model_met[i] = 0;
            setup(i);
        }
        model_ended = 0;
        (void)atomic_fetch_add(&model_round, 1);
        while (atomic_load(&model_ended) < n)
            sched_yield();
        for (unsigned i = 0; i < COPIES; i++)
            check(i);
    }
    model_stop = true;
    for (unsigned i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    printf("%u executions\n", rounds * COPIES);
}

#endif /* EVC_GENMC */

#endif /* EVC_TESTS_MODEL_H */
