/* SPDX-License-Identifier: MIT */
/*
 * Crews of threads, dice, raw operations.
 */
#include "hostile.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

unsigned scaled(unsigned n)
{
    const char *scale = getenv("EVC_TEST_SCALE");

    return scale != NULL && atoi(scale) > 0 ? n * (unsigned)atoi(scale) : n;
}

void nap(unsigned us)
{
    struct timespec t = {.tv_sec = us / 1000000,
                         .tv_nsec = (long)(us % 1000000) * 1000};

    nanosleep(&t, NULL);
}

uint32_t roll(uint64_t *dice, uint32_t sides)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (uint32_t)(*dice >> 32) % sides;
}

/* ---- crews -------------------------------------------------------------- */

static void *member_main(void *arg)
{
    struct member *m = arg;
    uint64_t dice = 0x9e3779b97f4a7c15u * (m->me + 1);

    while (!m->crew->stop) {
        m->work(m->crew, &dice);
        m->crew->done[m->me]++;
    }
    return NULL;
}

void crew_add(struct crew *crew, work *what)
{
    unsigned me = crew->n++;

    if (me >= CREW_MAX)
        abort();
    crew->member[me] = (struct member){.crew = crew, .work = what, .me = me};
    crew->done[me] = 0;
}

static bool all_have_worked(struct crew *crew)
{
    for (unsigned i = 0; i < crew->n; i++)
        if (crew->done[i] < 3)
            return false;
    return true;
}

void crew_start(struct crew *crew)
{
    alarm(PATIENCE);
    crew->stop = false;
    for (unsigned i = 0; i < crew->n; i++)
        if (pthread_create(&crew->member[i].thread, NULL, member_main,
                           &crew->member[i]) != 0)
            abort();
}

void crew_run(struct crew *crew, unsigned ms)
{
    crew_start(crew);
    nap(scaled(ms) * 1000);
    while (!all_have_worked(crew))
        nap(1000);
    crew_stop(crew);
}

void crew_stop(struct crew *crew)
{
    crew->stop = true;
    for (unsigned i = 0; i < crew->n; i++)
        pthread_join(crew->member[i].thread, NULL);
    crew->n = 0;
    alarm(0);
    if (crew->wrong != 0)
        fail_msg("a thread found line %u wrong", crew->wrong);
}

/* ---- operations --------------------------------------------------------- */

int raw_init_control(struct guest *g, uint64_t gfn, uint32_t offset,
                     uint32_t vcpu)
{
    struct evtchn_init_control arg = {
        .control_gfn = gfn, .offset = offset, .vcpu = vcpu};

    return evc_event_channel_op(g->dom, EVTCHNOP_init_control, &arg);
}

int raw_expand_array(struct guest *g, uint64_t gfn)
{
    struct evtchn_expand_array arg = {.array_gfn = gfn};

    return evc_event_channel_op(g->dom, EVTCHNOP_expand_array, &arg);
}

bool frames_are_clear(struct guest *g, unsigned first, unsigned end)
{
    for (uint64_t a = (uint64_t)first * PAGE; a < (uint64_t)end * PAGE; a += 8)
        if (read64(g, a) != 0)
            return false;
    return true;
}
