/* SPDX-License-Identifier: MIT */
/*
 * Time, which passes only when the scenario lets it: a little with every
 * statement, more where the oracle waited, and up to the next deadline when
 * everybody is waiting for one.
 */
#include "world.h"

/* More rounds than a scenario can need: everybody can wake everybody. */
#define ROUNDS 1000u

static bool step_all(struct evc_world *world)
{
    bool any = false;

    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++)
            if (world->dom[k].actor[v])
                any |= evc_actor_step(world->dom[k].actor[v]);
    return any;
}

static void run_timers(struct evc_world *world)
{
    if (!world->timer || world->timer > world->now)
        return;
    world->timer = 0;
    world->timer = evc_timers_run(world->engine);
}

void evc_world_settle(struct evc_world *world)
{
    run_timers(world);
    for (unsigned i = 0; i < ROUNDS; i++) {
        evc_world_console(world);
        if (!step_all(world))
            break;
    }
}

/* The next moment at which a timer fires or a wait ends; 0: none. */
static uint64_t next_moment(const struct evc_world *world)
{
    uint64_t next = world->timer;

    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++) {
            const struct evc_actor *actor = world->dom[k].actor[v];

            if (!actor || actor->state != EVC_ACTOR_ASLEEP ||
                !actor->deadline || !evc_dom_runs(&world->dom[k], v))
                continue;
            if (!next || actor->deadline < next)
                next = actor->deadline;
        }
    return next;
}

/* Time goes forward, also to a moment that has passed and changed nothing. */
static void go_to(struct evc_world *world, uint64_t moment)
{
    world->now = moment > world->now ? moment : world->now + 1;
    evc_world_settle(world);
}

bool evc_world_skip(struct evc_world *world)
{
    uint64_t next = next_moment(world);

    if (!next)
        return false;
    go_to(world, next);
    return true;
}

void evc_world_pass(struct evc_world *world, uint64_t ns)
{
    uint64_t end = world->now + ns, next;

    for (;;) {
        next = next_moment(world);
        if (!next || next >= end)
            break;
        go_to(world, next);
    }
    go_to(world, end);
}
