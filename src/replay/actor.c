/* SPDX-License-Identifier: MIT */
/*
 * vCPUs that act.  Each is a thread with a mailbox of one job, and the turn is
 * handed from the runner to one of them and back (world.h), so that a vCPU may
 * sleep inside a hypercall while others go on, and yet nothing is concurrent.
 */
#include <errno.h>
#include <stdlib.h>

#include <evc/abi/numbers.h>

#include "world.h"

/* ---- the turn ----------------------------------------------------------- */

/* Runner: wait until the actor gives the turn back. */
static void await_turn(struct evc_actor *actor)
{
    struct evc_world *world = actor->dom->world;

    pthread_mutex_lock(&world->lock);
    while (world->turn == actor)
        pthread_cond_wait(&world->runner, &world->lock);
    pthread_mutex_unlock(&world->lock);
}

/* Runner: let the actor run until it gives the turn back. */
static void give_turn(struct evc_actor *actor)
{
    struct evc_world *world = actor->dom->world;

    pthread_mutex_lock(&world->lock);
    world->turn = actor;
    pthread_cond_signal(&actor->turn);
    pthread_mutex_unlock(&world->lock);
    await_turn(actor);
}

/* Actor: give the turn back, in this state, and wait for the next one. */
static void return_turn(struct evc_actor *actor, enum evc_actor_state state)
{
    struct evc_world *world = actor->dom->world;

    pthread_mutex_lock(&world->lock);
    actor->state = state;
    world->turn = NULL;
    pthread_cond_signal(&world->runner);
    while (state != EVC_ACTOR_GONE && world->turn != actor)
        pthread_cond_wait(&actor->turn, &world->lock);
    if (state != EVC_ACTOR_GONE)
        actor->state = EVC_ACTOR_RUNNING;
    pthread_mutex_unlock(&world->lock);
}

/* ---- on the actor's thread ---------------------------------------------- */

static void *actor_main(void *data)
{
    struct evc_actor *actor = data;

    for (;;) {
        return_turn(actor, EVC_ACTOR_IDLE);
        if (actor->quit)
            break;
        actor->job(actor, actor->data);
        actor->job = NULL;
    }
    return_turn(actor, EVC_ACTOR_GONE);
    return NULL;
}

/* The event callback of the guest: note it, and do no more. */
static void take_upcall(struct evc_actor *actor)
{
    struct evc_dom *dom = actor->dom;

    if (!evc_dom_runs(dom, actor->vcpu) ||
        !evc_vcpu_deliverable(dom->handle, actor->vcpu))
        return;
    __atomic_store_n(dom->vcpu_info[actor->vcpu], 0, __ATOMIC_SEQ_CST);
    actor->upcalls++;
}

int64_t evc_actor_hypercall(struct evc_actor *actor, uint64_t nr, uint64_t a,
                            uint64_t b, uint64_t c)
{
    struct evc_dom *dom = actor->dom;
    bool narrow = dom->world->width == EVC_LAYOUT_X86_32;
    uint64_t mask = narrow ? UINT32_MAX : UINT64_MAX;
    const uint64_t args[6] = {a & mask, b & mask, c & mask};
    int64_t rc = evc_hypercall(dom->handle, actor->vcpu, nr, args);

    if (!actor->quit) {
        evc_world_console(dom->world);
        take_upcall(actor);
    }
    return rc;
}

void evc_actor_wait(struct evc_actor *actor, uint64_t deadline)
{
    if (!actor->woken && !actor->quit) {
        actor->deadline = deadline;
        return_turn(actor, EVC_ACTOR_ASLEEP);
        actor->deadline = 0;
    }
    actor->woken = false;
}

/* ---- on the runner's thread --------------------------------------------- */

int evc_actor_create(struct evc_dom *dom, unsigned vcpu, struct evc_actor **out)
{
    struct evc_actor *actor = aligned_alloc(64, sizeof(*actor));

    if (!actor)
        return -ENOMEM;
    *actor = (struct evc_actor){.dom = dom, .vcpu = vcpu};
    pthread_cond_init(&actor->turn, NULL);
    dom->world->turn = actor; /* until the thread says that it is up */
    if (pthread_create(&actor->thread, NULL, actor_main, actor)) {
        dom->world->turn = NULL;
        pthread_cond_destroy(&actor->turn);
        free(actor);
        return -EAGAIN;
    }
    await_turn(actor);
    *out = actor;
    return 0;
}

void evc_actor_destroy(struct evc_actor *actor)
{
    if (!actor)
        return;
    actor->quit = true;
    while (actor->state != EVC_ACTOR_GONE) {
        if (actor->state == EVC_ACTOR_ASLEEP)
            evc_vcpu_wake(actor->dom->handle, actor->vcpu);
        give_turn(actor);
    }
    pthread_join(actor->thread, NULL);
    pthread_cond_destroy(&actor->turn);
    free(actor);
}

void evc_actor_begin(struct evc_actor *actor, evc_job *job, void *data)
{
    actor->job = job;
    actor->data = data;
    if (evc_dom_runs(actor->dom, actor->vcpu))
        give_turn(actor);
}

bool evc_actor_done(const struct evc_actor *actor)
{
    return !actor->job;
}

int evc_actor_run(struct evc_actor *actor, evc_job *job, void *data)
{
    evc_actor_begin(actor, job, data);
    while (!evc_actor_done(actor)) {
        evc_world_settle(actor->dom->world);
        if (evc_actor_done(actor))
            break;
        if (!evc_world_skip(actor->dom->world))
            return -EDEADLK;
    }
    return 0;
}

/* A job for a vCPU that has nothing to do but is told something. */
static void look(struct evc_actor *actor, void *data)
{
    (void)data;
    take_upcall(actor);
}

static bool is_due(const struct evc_actor *actor)
{
    return actor->woken ||
           (actor->deadline && actor->dom->world->now >= actor->deadline);
}

bool evc_actor_step(struct evc_actor *actor)
{
    struct evc_dom *dom = actor->dom;

    if (!evc_dom_runs(dom, actor->vcpu))
        return false;
    switch (actor->state) {
    case EVC_ACTOR_ASLEEP:
        if (!is_due(actor))
            return false;
        give_turn(actor);
        return true;
    case EVC_ACTOR_IDLE:
        if (actor->job) { /* it came while the domain was paused */
            give_turn(actor);
            return true;
        }
        if (!evc_vcpu_deliverable(dom->handle, actor->vcpu))
            return false;
        evc_actor_begin(actor, look, NULL);
        return true;
    default:
        return false;
    }
}
