/* SPDX-License-Identifier: MIT */
/*
 * What the hostile tests share: a crew of threads that do harm, or work, until
 * they are told to stop, and dice.
 *
 * A thread of a crew must not use cmocka's asserts, which jump; it notes what
 * is wrong with WRONG_IF(), and crew_stop() fails the test for it.  A test that
 * hangs is ended by alarm(): "ends in bounded time" is what many of these say.
 */
#ifndef EVC_TESTS_HOSTILE_H
#define EVC_TESTS_HOSTILE_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#define PATIENCE 120u /* s, until a test counts as hanging */
#define CREW_MAX 8u

struct crew;
typedef void work(struct crew *crew, uint64_t *dice);

struct member {
    pthread_t thread;
    struct crew *crew;
    work *work;
    unsigned me;
};

struct crew {
    struct world *w;
    void *data;
    _Atomic bool stop;
    _Atomic unsigned wrong; /* the line of what went wrong, 0: nothing */
    _Atomic uint64_t done[CREW_MAX]; /* rounds of each thread */
    unsigned n;
    struct member member[CREW_MAX];
};

#define WRONG_IF(crew, condition)     \
    do {                              \
        if (condition)                \
            (crew)->wrong = __LINE__; \
    } while (0)

/* One more thread, which does `what` until the crew is stopped. */
void crew_add(struct crew *crew, work *what);
/* Let them, for so long and until each has got somewhere; then look. */
void crew_run(struct crew *crew, unsigned ms);
void crew_start(struct crew *crew);
void crew_stop(struct crew *crew);

/* ms, times what EVC_TEST_SCALE says (tests/model/weaken). */
unsigned scaled(unsigned n);
void nap(unsigned us);

uint32_t roll(uint64_t *dice, uint32_t sides);

/* Operations that note nothing in struct guest, for threads. */
int raw_init_control(struct guest *g, uint64_t gfn, uint32_t offset,
                     uint32_t vcpu);
int raw_expand_array(struct guest *g, uint64_t gfn);

/* Every byte of these frames is 0. */
bool frames_are_clear(struct guest *g, unsigned first, unsigned end);

#endif /* EVC_TESTS_HOSTILE_H */
