/* SPDX-License-Identifier: MIT */
/*
 * What is measured of every adapter.
 *
 * With one party, the sender takes its own events between its sends: this is
 * what sending and taking cost, without what it costs to get from one CPU to
 * another.  With two, the receiver is on a CPU of its own.
 */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <time.h>

#include "calls.h"
#include "memory.h"
#include "route.h"

#define ONE  (1u << EVC_PLACE_ONE)
#define TWO  (1u << EVC_PLACE_THREADS | 1u << EVC_PLACE_PROCESSES)
#define IDLE 5000000L /* ns */

#define WARM_UP 64u /* of a ping-pong, not counted */

/* ---- sending and taking -------------------------------------------------- */

/* Once more where it is full: somebody else takes. */
static int send(struct evc_route *route, uint32_t channel)
{
    struct evc_patience patience = {0};
    int r;

    while ((r = route->adapter->send(route->link, channel)) == -EAGAIN) {
        if (evc_patience(&patience) < 0)
            return -ETIMEDOUT;
    }
    return r;
}

/* Take until `target` events have been handled, telling the other side. */
static int take_until(struct evc_board *board, struct evc_route *route,
                      uint64_t target)
{
    struct evc_patience patience = {0};
    uint64_t told = route->handled;

    while (route->handled < target) {
        int r = route->adapter->take(route->link);

        if (r < 0)
            return r;
        if (route->handled == told) {
            if (evc_patience(&patience) < 0)
                return -ETIMEDOUT;
            continue;
        }
        told = route->handled;
        if (board)
            atomic_store_explicit(&board->handled, told, memory_order_release);
    }
    return 0;
}

/* As take_until(), by waiting. */
static int wait_until(struct evc_route *route, uint64_t target)
{
    while (route->handled < target) {
        int r = route->adapter->wait(route->link);

        if (evc_alarm_rang())
            return -ETIMEDOUT;
        if (r < 0 && r != -EINTR)
            return r;
    }
    return 0;
}

/* ---- orders -------------------------------------------------------------- */

/* Order: take so many. */
static int receive(struct evc_board *board, void *data, uint64_t count)
{
    struct evc_route *route = data;

    atomic_store_explicit(&board->handled, route->handled,
                          memory_order_relaxed);
    atomic_store_explicit(&board->ready, 1, memory_order_release);
    return take_until(board, route, route->handled + count);
}

/* Order: be awake, on other business; `look`: take whatever comes. */
static int stay_awake(struct evc_board *board, void *data, uint64_t look)
{
    struct evc_patience patience = {0};
    struct evc_route *route = data;
    int r = 0;

    atomic_store_explicit(&board->ready, 1, memory_order_release);
    while (r >= 0 &&
           !atomic_load_explicit(&board->stop, memory_order_relaxed)) {
        if (look)
            r = route->adapter->take(route->link);
        else if (evc_patience(&patience) < 0)
            return -ETIMEDOUT;
    }
    return r < 0 ? r : route->adapter->take(route->link);
}

static int stop_staying(struct evc_party *party)
{
    atomic_store(&party->board->stop, 1);
    return evc_party_finish(party);
}

/* Order: wait for so many, and say when all were there. */
static int sleep_once(struct evc_board *board, void *data, uint64_t count)
{
    struct evc_route *route = data;
    uint64_t target = route->handled + count;
    int r;

    atomic_store_explicit(&board->ready, 1, memory_order_release);
    r = wait_until(route, target);
    board->stamp = evc_now_ns();
    return r;
}

/* Order: wait for one and send one back, so many times. */
static int echo(struct evc_board *board, void *data, uint64_t count)
{
    struct evc_route *route = data;
    int r = 0;

    atomic_store_explicit(&board->ready, 1, memory_order_release);
    for (uint64_t i = 0; r >= 0 && i < count; i++) {
        r = wait_until(route, route->handled + 1);
        if (r >= 0)
            r = send(route->back, 0);
    }
    return r;
}

static int start(struct evc_route *route, evc_order *order, uint64_t arg)
{
    evc_party_order(route->party, order, arg);
    return evc_party_ready(route->party);
}

/* ---- notify -------------------------------------------------------------- */

/* Send to somebody who has not looked yet: as many as fit, and take them. */
static int burst(struct evc_route *route, uint64_t count, double *ns)
{
    double begin = evc_now_ns();
    int r = 0;

    for (uint64_t i = 0; r >= 0 && i < count; i++)
        r = route->adapter->send(route->link, 0);
    *ns += evc_now_ns() - begin;
    return r;
}

static int burst_to(struct evc_route *route, uint64_t count, double *ns)
{
    int r, s;

    if (route->place == EVC_PLACE_ONE) {
        r = burst(route, count, ns);
        return r < 0 ? r : route->adapter->take(route->link);
    }
    r = start(route, stay_awake, false);
    if (r < 0)
        return r;
    r = burst(route, count, ns);
    s = stop_staying(route->party);
    return r < 0 ? r : s;
}

static int notify(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_route *route = subject;
    uint64_t depth = route->adapter->depth;
    int r = 0;

    (void)cell;
    for (uint64_t left = reps, n; r >= 0 && left > 0; left -= n) {
        n = depth && left > depth ? depth : left;
        r = burst_to(route, n, &sample->ns);
    }
    sample->events = reps;
    return r;
}

/* ---- notify and dispatch ------------------------------------------------- */

/*
 * The channels of one turn, far apart, and others in the next: turn, turn + gap,
 * and so on, around.
 */
struct spread {
    uint32_t at, gap, channels;
};

static uint32_t next_channel(struct spread *spread)
{
    uint32_t channel = spread->at;

    spread->at += spread->gap;
    if (spread->at >= spread->channels)
        spread->at -= spread->channels;
    return channel;
}

/* One thread: what does not fit is taken in between. */
static int turn_alone(struct evc_route *route, struct spread spread,
                      uint32_t count)
{
    uint32_t depth = route->adapter->depth ? route->adapter->depth : count;
    int r = 0;

    for (uint32_t left = count, n; r >= 0 && left > 0; left -= n) {
        uint64_t target = route->handled;

        n = left < depth ? left : depth;
        for (uint32_t i = 0; r >= 0 && i < n; i++)
            r = route->adapter->send(route->link, next_channel(&spread));
        if (r >= 0)
            r = take_until(NULL, route, target + n);
    }
    return r;
}

static int send_all(struct evc_route *route, struct spread spread,
                    uint32_t count)
{
    int r = 0;

    for (uint32_t i = 0; r >= 0 && i < count; i++)
        r = send(route, next_channel(&spread));
    return r;
}

/* Send them, and wait until the other side has handled all of them. */
static int turn_together(struct evc_route *route, struct spread spread,
                         uint32_t count, uint64_t target)
{
    struct evc_patience patience = {0};
    _Atomic uint64_t *handled = &route->party->board->handled;
    int r = send_all(route, spread, count);

    while (r >= 0 &&
           atomic_load_explicit(handled, memory_order_acquire) < target)
        r = evc_patience(&patience);
    return r;
}

static struct spread spread_of(const struct evc_cell *cell, uint64_t turn)
{
    return (struct spread){
        .at = (uint32_t)(turn % cell->ports),
        .gap = cell->ports / cell->active,
        .channels = cell->ports,
    };
}

static int dispatch_together(struct evc_route *route,
                             const struct evc_cell *cell, uint64_t reps,
                             double *ns)
{
    uint64_t target;
    double begin;
    int r, s;

    r = start(route, receive, reps * cell->active);
    if (r < 0)
        return r;
    target = atomic_load(&route->party->board->handled);
    begin = evc_now_ns();
    for (uint64_t i = 0; r >= 0 && i < reps; i++) {
        target += cell->active;
        r = turn_together(route, spread_of(cell, i), cell->active, target);
    }
    *ns = evc_now_ns() - begin;
    s = r < 0 ? r : evc_party_finish(route->party);
    return s;
}

static int dispatch(void *subject, const struct evc_cell *cell, uint64_t reps,
                    struct evc_sample *sample)
{
    struct evc_route *route = subject;
    double begin = evc_now_ns();
    int r = 0;

    sample->events = reps * cell->active;
    if (route->place != EVC_PLACE_ONE)
        return dispatch_together(route, cell, reps, &sample->ns);
    for (uint64_t i = 0; r >= 0 && i < reps; i++)
        r = turn_alone(route, spread_of(cell, i), cell->active);
    sample->ns = evc_now_ns() - begin;
    return r;
}

/* ---- the others ---------------------------------------------------------- */

static int setup(void *subject, const struct evc_cell *cell, uint64_t reps,
                 struct evc_sample *sample)
{
    struct evc_route *route = subject;
    double begin = evc_now_ns();
    int r = 0;

    (void)cell;
    for (uint64_t i = 0; r >= 0 && i < reps; i++)
        r = route->adapter->cycle(route->link);
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    if (r >= 0) /* what setting up may have raised is not for the next case */
        r = route->adapter->take(route->link);
    return r;
}

static int stream(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_route *route = subject;
    double begin;
    int r = start(route, stay_awake, true), s;

    (void)cell;
    if (r < 0)
        return r;
    begin = evc_now_ns();
    for (uint64_t i = 0; r >= 0 && i < reps; i++)
        r = send(route, 0);
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    s = stop_staying(route->party);
    return r < 0 ? r : s;
}

/* Sends to a receiver that sleeps: how long they took, and until what. */
static int wake_once(struct evc_route *route, const struct evc_cell *cell,
                     double *sending, double *until)
{
    double begin, sent;
    int r = start(route, sleep_once, cell->active);

    if (r == 0)
        r = evc_party_asleep(route->party);
    if (r < 0)
        return r;
    begin = evc_now_ns();
    r = send_all(route, spread_of(cell, 0), cell->active);
    sent = evc_now_ns();
    if (r == 0)
        r = evc_party_finish(route->party);
    *sending += sent - begin;
    *until += route->party->board->stamp - begin;
    return r;
}

static int asleep(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    double until = 0;
    int r = 0;

    for (uint64_t i = 0; r >= 0 && i < reps; i++)
        r = wake_once(subject, cell, &sample->ns, &until);
    sample->events = reps * cell->active;
    return r;
}

static int wake(void *subject, const struct evc_cell *cell, uint64_t reps,
                struct evc_sample *sample)
{
    double sending = 0;
    int r = 0;

    for (uint64_t i = 0; r >= 0 && i < reps; i++)
        r = wake_once(subject, cell, &sending, &sample->ns);
    sample->events = reps * cell->active;
    return r;
}

static int play(struct evc_route *route, uint64_t reps)
{
    int r = 0;

    for (uint64_t i = 0; r >= 0 && i < reps; i++) {
        r = send(route, 0);
        if (r >= 0)
            r = wait_until(route->back, route->back->handled + 1);
    }
    return r;
}

/* Who learns how long to spin may do so first. */
static int pingpong(void *subject, const struct evc_cell *cell, uint64_t reps,
                    struct evc_sample *sample)
{
    struct evc_route *route = subject;
    double begin;
    int r = start(route, echo, WARM_UP + reps);

    (void)cell;
    if (r >= 0)
        r = play(route, WARM_UP);
    begin = evc_now_ns();
    if (r >= 0)
        r = play(route, reps);
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    return r < 0 ? r : evc_party_finish(route->party);
}

/* The share of a CPU that a receiver uses while nothing comes, in percent. */
static int idle(void *subject, const struct evc_cell *cell, uint64_t reps,
                struct evc_sample *sample)
{
    const struct timespec pause = {.tv_nsec = IDLE};
    struct evc_route *route = subject;
    double used, begin;
    int r = start(route, sleep_once, 1);

    (void)cell;
    (void)reps;
    if (r == 0)
        r = evc_party_asleep(route->party);
    if (r < 0)
        return r;
    begin = evc_now_ns();
    used = evc_party_cpu_ns(route->party);
    nanosleep(&pause, NULL);
    used = evc_party_cpu_ns(route->party) - used;
    sample->ns = 100 * used / (evc_now_ns() - begin);
    sample->events = 1;
    r = send(route, 0);
    return r < 0 ? r : evc_party_finish(route->party);
}

/* ---- the list ------------------------------------------------------------ */

const struct evc_case evc_route_cases[] = {
    {"setup", "set up a channel and take it down", "ns", ONE, 0, 0, 0, setup},
    {"notify", "send to a receiver that is awake, but has not looked yet", "ns",
     ONE | TWO, 0, 0, 0, notify},
    {"dispatch", "send to 1 channel and handle it", "ns", ONE | TWO, 1, 0, 0,
     dispatch},
    {"dispatch100", "send to 100 channels and handle them, for each", "ns",
     ONE | TWO, 100, 0, 0, dispatch},
    {"bulk", "send to all channels and handle them, for each", "ns", ONE | TWO,
     EVC_ALL, 0, 0, dispatch},
    {"stream", "send to a receiver that does nothing but take", "ns", TWO, 0, 0,
     0, stream},
    {"asleep", "send to a receiver that sleeps: until the sender goes on", "ns",
     TWO, 1, 4, 0, asleep},
    {"wake", "send to a receiver that sleeps: until it has the event", "ns",
     TWO, 1, 4, 0, wake},
    {"burst", "send 100 to a receiver that sleeps: until it has all, for each",
     "ns", TWO, 100, 4, 0, wake},
    {"pingpong", "there and back, both waiting as they do", "ns", TWO, 0, 200,
     0, pingpong},
    {"idle", "CPU that a receiver uses while nothing comes", "%", TWO, 0, 1, 5,
     idle},
    {"calls", "system calls of a notification, receiver awake", "calls", ONE, 0,
     1, 1, evc_calls_notify},
    {"calls1", "system calls to notify and handle one event", "calls", ONE, 1,
     1, 1, evc_calls_dispatch},
    {"private", "heap of the sender for a channel", "bytes", ONE, 0, 1, 1,
     evc_memory_private},
    {"shared", "shared memory for a channel", "bytes", ONE, 0, 1, 1,
     evc_memory_shared},
    {"receiver", "memory of the receiver alone for a channel", "bytes", ONE, 0,
     1, 1, evc_memory_receiver},
    {"descriptors", "descriptors for a channel", "fds", ONE, 0, 1, 1,
     evc_memory_descriptors},
    {0},
};

bool evc_route_has(const struct evc_case *what,
                   const struct evc_adapter *adapter)
{
    return what->body != setup || adapter->cycle;
}
