/* SPDX-License-Identifier: MIT */
/*
 * Linearizability: threads do random operations on a few ports of two domains,
 * and each history must be one that a single thread could have had (check.c).
 *
 *   linear [twolevel|fifo]          histories, for about two seconds
 *   linear planted                  the checker itself: it must find faults
 *
 * All operations that are one step for who looks on.  Not here: reset, which is
 * many closes; poll and block, which wait (model/engine/wait); moving a vcpu_info
 * and the switch of the ABI, once for good (model/engine/info, abi); a host's own
 * ends (unit/hostend, hostile/owners).
 *
 * EVC_TEST_SCALE times as long; EVC_TEST_SEED for other histories.
 */
#include "history.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 3u
#define TOO_MANY    1000u /* one history in so many may be left undecided */

enum fault { NONE, LOSE_SEND, STALE_STATUS, DOUBLE_ALLOC, LOSE_RAISE, FAULTS };

static struct pair subject, spec;
static struct history now;
static enum fault fault;
static _Atomic uint64_t moment;
static unsigned threads; /* of this history; the main thread is the first */
static _Atomic unsigned started, arrived, ended;
static _Atomic bool stopping;
static unsigned overlapping; /* histories in which calls overlapped */
static unsigned too_hard;    /* histories that were not decided */

/* ---- dice --------------------------------------------------------------- */

static uint64_t dice = 88172645463325252u;

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 32) % sides;
}

/*
 * Each history draws on a few kinds only, so that these meet often; half of
 * them on what a close and a rebind race with.
 */
static enum op_kind kinds[4];

static void choose_kinds(void)
{
    static const enum op_kind race[] = {OP_CLOSE, OP_BIND, OP_SEND, OP_STATUS,
                                        OP_CONSUME};

    for (unsigned i = 0; i < 4; i++)
        kinds[i] = (enum op_kind)roll(OP_KINDS);
    if (roll(2))
        for (unsigned i = 0; i < 3; i++)
            kinds[i] = race[roll(sizeof(race) / sizeof(race[0]))];
}

static struct op random_op(void)
{
    return (struct op){.kind = kinds[roll(4)],
                       .side = roll(2),
                       .port = 1 + roll(PORTS),
                       .arg = roll(16)};
}

static void random_history(struct history *h, unsigned per_thread)
{
    static const struct op join[] = {
        {.kind = OP_ALLOC, .side = 0},
        {.kind = OP_BIND, .side = 1, .port = 1},
        {.kind = OP_CONSUME, .side = 1, .port = 1}};

    choose_kinds();
    h->n_before = roll(4) ? 3 : 0;
    memcpy(h->before, join, sizeof(join));
    for (unsigned extra = roll(3); extra > 0; extra--)
        h->before[h->n_before++] = random_op();
    threads = roll(4) ? 2 : THREADS_MAX;
    h->n = threads * per_thread;
    for (unsigned i = 0; i < h->n; i++)
        h->op[i] = random_op();
}

/* ---- recording ---------------------------------------------------------- */

static int64_t faulty_do(struct op *op)
{
    static _Thread_local int64_t stale;
    int64_t r;

    if (fault == LOSE_SEND && op->kind == OP_SEND && op->arg < 8) {
        struct target target;

        return send_begin(&subject, op, &target);
    }
    if (fault == LOSE_RAISE && op->kind == OP_RAISE_VIRQ)
        return 0;
    r = op_do(&subject, op);
    if (fault == STALE_STATUS && op->kind == OP_STATUS) {
        int64_t answer = op->arg < 8 ? stale : r;

        stale = r;
        return answer;
    }
    if (fault == DOUBLE_ALLOC && op->kind == OP_ALLOC && op->arg < 8 && r > 1)
        return r - 1;
    return r;
}

static void record(struct op *op)
{
    op->begin = atomic_fetch_add(&moment, 1);
    op->result = fault == NONE ? op_do(&subject, op) : faulty_do(op);
    op->end = atomic_fetch_add(&moment, 1);
}

/* Begin together, but wait for nobody who is not running. */
static void do_mine(unsigned me)
{
    arrived++;
    for (int i = 0; i < 20000 && arrived < threads; i++)
        ;
    for (unsigned i = me; i < now.n; i += threads) {
        for (unsigned k = now.op[i].arg * 5 % 32; k > 0; k--)
            atomic_signal_fence(memory_order_seq_cst);
        record(&now.op[i]);
    }
    ended++;
}

/* Side by side: a scheduler may think that such short threads share one. */
static void sit_on_cpu(unsigned me)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(me % (unsigned)(n > 0 ? n : 1), &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *thread_main(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg, round = 0;

    sit_on_cpu(me);
    for (;;) {
        for (int i = 0; started == round && !stopping; i++)
            if (i > 5000)
                sched_yield();
        if (stopping)
            return NULL;
        round++;
        if (me < threads)
            do_mine(me);
        else
            ended++;
    }
}

static void run_threads(void)
{
    arrived = ended = 0;
    started++;
    do_mine(0);
    while (ended < THREADS_MAX)
        sched_yield();
}

static bool do_overlap(void)
{
    for (unsigned i = 0; i < now.n; i++)
        if (now.op[i].end != now.op[i].begin + 1)
            return true;
    return false;
}

/* One history. What was wrong with it, or NULL. */
static const char *one_history(void)
{
    enum verdict verdict;

    random_history(&now, 3 + roll(2));
    pair_clear(&subject);
    for (unsigned i = 0; i < now.n_before; i++)
        (void)op_do(&subject, &now.before[i]);
    moment = 1;
    run_threads();
    view_take(&subject, &now.after);
    overlapping += do_overlap();
    verdict = linear_check(&spec, &now);
    too_hard += verdict == TOO_HARD;
    if (verdict == NOT_LINEAR)
        return "no order of these explains the answers";
    if (!pair_drain(&subject, &now.after))
        return "an event is pending, but no upcall finds it";
    return NULL;
}

static void tell(const char *what)
{
    printf("%s, %s:\n before:\n", subject.fifo ? "FIFO" : "two-level", what);
    for (unsigned i = 0; i < now.n_before; i++)
        op_print(&now.before[i]);
    printf(" then, by %u threads:\n", threads);
    for (unsigned i = 0; i < now.n; i++)
        op_print(&now.op[i]);
    printf(" and at the end:\n");
    for (unsigned s = 0; s < 2; s++)
        for (unsigned p = 1; p < PORTS_SEEN; p++)
            if (now.after.port[s][p] != 0)
                printf("  d%u port %u: %#llx\n", s + 1, p,
                       (unsigned long long)now.after.port[s][p]);
}

static uint64_t ms_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Histories for a while, or until one is wrong, which the answer then says. */
static bool histories(bool fifo, unsigned ms, bool loud)
{
    const char *scale = getenv("EVC_TEST_SCALE");
    uint64_t end =
        ms_now() + ms * (scale && atoi(scale) > 0 ? (uint64_t)atoi(scale) : 1);
    pthread_t thread[THREADS_MAX];
    unsigned n = 0, wrong = 0;

    sit_on_cpu(0);
    pair_create(&subject, fifo);
    pair_create(&spec, fifo);
    stopping = false;
    started = 0;
    overlapping = too_hard = 0;
    for (unsigned i = 1; i < THREADS_MAX; i++)
        if (pthread_create(&thread[i], NULL, thread_main,
                           (void *)(uintptr_t)i) != 0)
            abort();
    while (wrong == 0 && ms_now() < end) {
        const char *what = one_history();

        n++;
        if (what != NULL && loud)
            tell(what);
        wrong += what != NULL;
    }
    stopping = true;
    for (unsigned i = 1; i < THREADS_MAX; i++)
        pthread_join(thread[i], NULL);
    pair_destroy(&subject);
    pair_destroy(&spec);
    printf("%s: %u histories, %u with calls that overlap, %u too hard to "
           "decide, %u wrong\n",
           fifo ? "FIFO" : "two-level", n, overlapping, too_hard, wrong);
    return wrong || too_hard > n / TOO_MANY;
}

/* ---- the checker itself ------------------------------------------------- */

/* One thread's history is its own order; with one answer changed it is not. */
static void check_the_checker_on_one_thread(bool fifo)
{
    pair_create(&subject, fifo);
    pair_create(&spec, fifo);
    for (unsigned round = 0; round < 300; round++) {
        random_history(&now, 3);
        pair_clear(&subject);
        for (unsigned i = 0; i < now.n_before; i++)
            (void)op_do(&subject, &now.before[i]);
        moment = 1;
        for (unsigned i = 0; i < now.n; i++)
            record(&now.op[i]);
        view_take(&subject, &now.after);
        if (linear_check(&spec, &now) != LINEAR) {
            tell("one thread alone");
            exit(1);
        }
        for (unsigned i = 0; i < now.n; i++) {
            now.op[i].result ^= 1;
            if (linear_check(&spec, &now) != NOT_LINEAR) {
                tell("a changed answer went unseen");
                exit(1);
            }
            now.op[i].result ^= 1;
        }
        now.after.port[roll(2)][1 + roll(PORTS)] ^= 1 << 12; /* PENDING */
        if (linear_check(&spec, &now) != NOT_LINEAR) {
            tell("a lost or invented event went unseen");
            exit(1);
        }
    }
    pair_destroy(&subject);
    pair_destroy(&spec);
}

static int planted(void)
{
    static const char *const names[] = {
        "nothing", "a send that sends nothing", "a stale status",
        "a port given out twice", "a VIRQ that is not raised"};
    int r = 0;

    check_the_checker_on_one_thread(false);
    check_the_checker_on_one_thread(true);
    for (fault = LOSE_SEND; fault < FAULTS; fault++) {
        bool found = histories(fault % 2 == 0, 2000, false);

        printf("planted: %s: %s\n", names[fault], found ? "found" : "MISSED");
        r |= !found;
    }
    return r;
}

int main(int argc, char **argv)
{
    const char *seed = getenv("EVC_TEST_SEED");

    if (seed != NULL)
        dice ^= strtoull(seed, NULL, 0) << 20;
    if (argc > 1 && strcmp(argv[1], "planted") == 0)
        return planted();
    return histories(argc > 1 && strcmp(argv[1], "fifo") == 0, 2000, true);
}
