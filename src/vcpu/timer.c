/* SPDX-License-Identifier: MIT */
/*
 * Timers: a one-shot and a periodic one per vCPU, both raising VIRQ_TIMER.
 *
 * Set timers lie in a binary heap, the next one first.  Whenever that changes
 * the embedder (or, by default, the engine's own thread) is told the deadline.
 */
#include "vcpu.h"

#include <stdlib.h>

/* ---- the heap, under engine.timers -------------------------------------- */

static void place(struct evc_engine *engine, uint32_t i, struct evc_timer *t)
{
    engine->heap[i] = t;
    t->heap = i;
}

static void sift_up(struct evc_engine *engine, uint32_t i)
{
    struct evc_timer *t = engine->heap[i];

    while (i > 0 && engine->heap[(i - 1) / 2]->deadline > t->deadline) {
        place(engine, i, engine->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(engine, i, t);
}

static void sift_down(struct evc_engine *engine, uint32_t i)
{
    struct evc_timer *t = engine->heap[i];
    uint32_t n = engine->heap_size;

    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child + 1 < n &&
            engine->heap[child + 1]->deadline < engine->heap[child]->deadline)
            child++;
        if (child >= n || engine->heap[child]->deadline >= t->deadline)
            break;
        place(engine, i, engine->heap[child]);
        i = child;
    }
    place(engine, i, t);
}

static int heap_add(struct evc_engine *engine, struct evc_timer *t)
{
    if (engine->heap_size == engine->heap_room) {
        uint32_t room = engine->heap_room ? 2 * engine->heap_room : 16;
        struct evc_timer **heap = realloc(engine->heap, room * sizeof(*heap));

        if (heap == NULL)
            return -ENOMEM;
        engine->heap = heap;
        engine->heap_room = room;
    }
    place(engine, engine->heap_size++, t);
    sift_up(engine, t->heap);
    return 0;
}

static void heap_remove(struct evc_engine *engine, struct evc_timer *t)
{
    uint32_t i = t->heap;
    struct evc_timer *last = engine->heap[--engine->heap_size];

    t->deadline = 0;
    if (last == t)
        return;
    place(engine, i, last);
    sift_up(engine, i);
    sift_down(engine, last->heap);
}

static uint64_t next_deadline(const struct evc_engine *engine)
{
    return engine->heap_size ? engine->heap[0]->deadline : 0;
}

/* ---- setting ------------------------------------------------------------ */

/* Whoever keeps the alarm. */
static void alarm_at(struct evc_engine *engine, uint64_t deadline)
{
    if (engine->ops.timer != NULL)
        engine->ops.timer(engine->host, deadline);
    else
        evc_service_alarm(engine, deadline);
}

/* The next deadline was `before`: tell if it is another one now. */
static void tell(struct evc_engine *engine, uint64_t before)
{
    uint64_t next = next_deadline(engine);

    if (next != before)
        alarm_at(engine, next);
}

/*
 * What should have fired long ago is due now, and not before what others have
 * been waiting for: a guest cannot push in by naming an early time.
 */
static uint64_t not_before_now(struct evc_engine *engine, uint64_t deadline)
{
    uint64_t now = deadline != 0 ? evc_engine_now(engine) : 0;

    return deadline < now ? now : deadline;
}

/* `deadline` 0 stops it. */
int evc_timer_set(struct evc_vcpu *vcpu, enum evc_timer_kind kind,
                  uint64_t deadline, uint64_t period)
{
    struct evc_engine *engine = vcpu->domain->engine;
    struct evc_timer *t = &vcpu->timer[kind];
    uint64_t before;
    int r = 0;

    deadline = not_before_now(engine, deadline);
    if (deadline != 0 && engine->ops.timer == NULL)
        r = evc_service_start(engine);
    if (r < 0)
        return r;
    pthread_mutex_lock(&engine->timers);
    before = next_deadline(engine);
    if (t->deadline != 0)
        heap_remove(engine, t);
    t->period = period;
    t->deadline = deadline;
    if (deadline != 0)
        r = heap_add(engine, t);
    if (r < 0)
        t->deadline = 0;
    tell(engine, before);
    pthread_mutex_unlock(&engine->timers);
    return r;
}

void evc_timers_forget(struct evc_domain *domain)
{
    for (unsigned v = 0; v < domain->vcpus; v++) {
        for (unsigned kind = 0; kind < EVC_TIMERS; kind++)
            (void)evc_timer_set(&domain->vcpu[v], (enum evc_timer_kind)kind, 0,
                                0);
    }
}

/* ---- firing ------------------------------------------------------------- */

/* The vCPU of a timer that is due; a periodic one is set again. */
static struct evc_vcpu *pop_due(struct evc_engine *engine, uint64_t now)
{
    struct evc_timer *t;
    uint64_t due;

    if (engine->heap_size == 0 || engine->heap[0]->deadline > now)
        return NULL;
    t = engine->heap[0];
    due = t->deadline;
    heap_remove(engine, t);
    if (t->period != 0) { /* there is room: it has just left */
        t->deadline = due + t->period * ((now - due) / t->period + 1);
        (void)heap_add(engine, t);
    }
    return t->vcpu;
}

/* Fire one timer. False: none is due. */
static bool fire(struct evc_engine *engine, uint64_t now)
{
    struct evc_vcpu *vcpu;
    uint64_t before;

    evc_rcu_lock(); /* keeps the vCPU until its VIRQ is raised */
    pthread_mutex_lock(&engine->timers);
    before = next_deadline(engine);
    vcpu = pop_due(engine, now);
    tell(engine, before);
    pthread_mutex_unlock(&engine->timers);
    if (vcpu != NULL)
        (void)evc_raise_vcpu_virq(vcpu->domain, vcpu->id, VIRQ_TIMER);
    evc_rcu_unlock();
    return vcpu != NULL;
}

static uint32_t how_many(struct evc_engine *engine)
{
    uint32_t n;

    pthread_mutex_lock(&engine->timers);
    n = engine->heap_size;
    pthread_mutex_unlock(&engine->timers);
    return n;
}

/* What comes next; what is due by now and was not fired is not forgotten. */
static uint64_t look_ahead(struct evc_engine *engine, uint64_t now)
{
    uint64_t next;

    pthread_mutex_lock(&engine->timers);
    next = next_deadline(engine);
    if (next != 0 && next <= now)
        alarm_at(engine, next);
    pthread_mutex_unlock(&engine->timers);
    return next;
}

/*
 * No more than there are: guests may set theirs again as fast as they fire, and
 * those are for the next call.
 */
uint64_t evc_timers_run(struct evc_engine *engine)
{
    uint64_t now = evc_engine_now(engine);
    uint32_t left = how_many(engine);

    while (left > 0 && fire(engine, now))
        left--;
    return look_ahead(engine, now);
}
