/* SPDX-License-Identifier: MIT */
/*
 * What others see while one domain with 131,071 ports is reset, and what a wait
 * for readers (bind_vcpu, reset) costs while others send.
 *
 * A second thread takes the time of each of its operations.  A batch during
 * which the scheduler took the processor away from it is left out: that says
 * nothing about the engine.
 */
#include "scale.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <evc/abi/errno.h>

#include "party.h"
#include "report.h"

#define BATCH   64u
#define SAMPLES (1u << 21)

/* `idle` is not touched by the reset; `full` is reset; `peer` has its other
 * ends. */
struct scene {
    struct evc_engine *engine;
    struct party *full, *peer, *idle[2];
    _Atomic int phase;
    void (*work)(struct scene *scene);
    unsigned rest_ns; /* between two operations of the watcher */
    unsigned *ns;
    size_t n;
};

enum { STARTING, WATCHING, OVER };

/* ---- what the watcher does ---------------------------------------------- */

static void send_elsewhere(struct scene *s)
{
    check(evc_send(s->idle[0]->domain, 1), "send");
}

static void send_to_peer(struct scene *s)
{
    check(evc_send(s->idle[0]->domain, 2), "send");
}

static void open_elsewhere(struct scene *s)
{
    close_port(s->idle[1], alloc_unbound(s->idle[1], 1));
}

static void open_in_peer(struct scene *s)
{
    close_port(s->peer, alloc_unbound(s->peer, 1));
}

static void move_elsewhere(struct scene *s)
{
    static uint32_t vcpu;

    bind_vcpu(s->idle[1], 1, vcpu ^= 1);
}

/* ---- watching ----------------------------------------------------------- */

static unsigned nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)now.tv_sec * 1000000000u + (unsigned)now.tv_nsec;
}

static long switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

static void rest(unsigned ns)
{
    struct timespec moment = {.tv_nsec = (long)ns};

    nanosleep(&moment, NULL);
}

/* Keep the samples of a batch if it was not disturbed. */
static void watch_batch(struct scene *s)
{
    long before = switches();

    for (unsigned i = 0; i < BATCH; i++) {
        unsigned start;

        if (s->rest_ns != 0)
            rest(s->rest_ns);
        start = nanoseconds();
        s->work(s);
        s->ns[s->n + i] = nanoseconds() - start;
    }
    if (switches() == before)
        s->n += BATCH;
}

static void *watch(void *arg)
{
    struct scene *s = arg;

    for (int i = 0; i < 10; i++)
        watch_batch(s); /* warm */
    s->n = 0;
    atomic_store(&s->phase, WATCHING);
    while (atomic_load(&s->phase) == WATCHING && s->n + BATCH <= SAMPLES)
        watch_batch(s);
    return NULL;
}

static void while_watched(struct scene *s, void (*work)(struct scene *),
                          void (*act)(struct scene *), const char *what)
{
    pthread_t thread;

    s->work = work;
    atomic_store(&s->phase, STARTING);
    if (pthread_create(&thread, NULL, watch, s) != 0)
        check(-XEN_ENOMEM, "a thread");
    while (atomic_load(&s->phase) == STARTING)
        ;
    act(s);
    atomic_store(&s->phase, OVER);
    pthread_join(thread, NULL);
    latency(what, s->ns, s->n);
}

/* ---- what the domain does meanwhile ------------------------------------- */

static void nothing(struct scene *s)
{
    (void)s;
    rest(20000000);
}

static void reset_full(struct scene *s)
{
    begin();
    reset(s->full);
    end("reset, another thread at work", 1);
}

/* Its 131,071 ports again, each bound to one of the peer's. */
static void fill(struct scene *s)
{
    go_fifo(s->full);
    for (unsigned i = 0; i < PORTS - 8; i++) {
        uint32_t port = alloc_unbound(s->full, s->peer->id);

        (void)bind_interdomain(s->peer, s->full->id, port);
    }
}

static void empty_peer(struct scene *s)
{
    uint32_t port = 1; /* the first is the idle domain's */

    /* Binding has raised every port: the guest takes that. */
    memset(s->peer->words, 0, sizeof(s->peer->words));
    while ((port = evc_port_next(s->peer->domain, port)) != 0)
        close_port(s->peer, port);
}

static void twice(struct scene *s, void (*work)(struct scene *),
                  const char *quiet, const char *busy)
{
    while_watched(s, work, nothing, quiet);
    fill(s);
    while_watched(s, work, reset_full, busy);
    empty_peer(s);
}

/* ---- a hostile domain at its search ------------------------------------- */

#define LINKED (1u << 29)

/* `full` has left 100,000 closed ports LINKED, and offers one above them. */
static uint32_t make_hostile(struct scene *s)
{
    uint32_t port, last;

    go_fifo(s->full);
    do
        last = alloc_unbound(s->full, 4);
    while (last < 100000);
    port = alloc_unbound(s->full, 4);
    for (uint32_t p = 1; p <= last; p++) {
        s->full->words[p] = LINKED;
        close_port(s->full, p);
    }
    return port;
}

static uint32_t offered;

static void join_hostile(struct scene *s)
{
    close_port(s->idle[1], bind_interdomain(s->idle[1], 1, offered));
}

static void search_on(struct scene *s)
{
    double until = wall_ns() + 3e8;

    while (wall_ns() < until)
        close_port(s->full, alloc_unbound(s->full, 4));
}

static void look_at_hostile(struct scene *s)
{
    struct evc_port_info info;

    check(evc_port_info(s->full->domain, 0, &info), "evc_port_info");
}

static void change_abi_on(struct scene *s)
{
    double until = wall_ns() + 3e8;

    while (wall_ns() < until) {
        init_control(s->full, 0);
        reset(s->full);
    }
}

static void measure_hostile(struct scene *s)
{
    offered = make_hostile(s);
    s->rest_ns = 20000;
    while_watched(s, join_hostile, nothing,
                  "bind and close, to a hostile domain, quiet");
    while_watched(s, join_hostile, search_on,
                  "bind and close, to one that searches");
    reset(s->full);
    while_watched(s, look_at_hostile, change_abi_on,
                  "evc_port_info, of one that changes its ABI");
}

/* ---- waits for readers -------------------------------------------------- */

#define MOVES 200u

static void move_many(struct scene *s)
{
    begin();
    for (unsigned i = 0; i < MOVES; i++)
        bind_vcpu(s->idle[1], 1, i & 1);
    end("bind_vcpu, another thread sends", MOVES);
}

static void measure_waits(struct scene *s)
{
    section("waits for who is sending at this moment");
    begin();
    for (unsigned i = 0; i < MOVES; i++)
        bind_vcpu(s->idle[1], 1, i & 1);
    end("bind_vcpu, nobody sends", MOVES);
    while_watched(s, send_elsewhere, move_many,
                  "send, while another waits for readers");
}

/* ---- all of it ---------------------------------------------------------- */

static struct scene scene_create(void)
{
    struct scene s = {.engine = engine_create()};

    s.full = party_create(s.engine, 1, 1);
    s.peer = party_create(s.engine, 2, 1);
    s.idle[0] = party_create(s.engine, 3, 2);
    s.idle[1] = party_create(s.engine, 4, 2);
    go_fifo(s.peer);
    (void)bind_interdomain(s.idle[0], 4, alloc_unbound(s.idle[1], 3));
    (void)bind_interdomain(s.idle[0], 2, alloc_unbound(s.peer, 3));
    s.ns = calloc(SAMPLES, sizeof(s.ns[0]));
    if (s.ns == NULL)
        check(-XEN_ENOMEM, "samples");
    return s;
}

static void scene_destroy(struct scene *s)
{
    party_destroy(s->full);
    party_destroy(s->peer);
    party_destroy(s->idle[0]);
    party_destroy(s->idle[1]);
    evc_engine_destroy(s->engine);
    free(s->ns);
}

void measure_others(void)
{
    struct scene s = scene_create();

    section("reset of 131,063 ports, others at work");
    twice(&s, send_elsewhere, "send, elsewhere, quiet",
          "send, elsewhere, during a reset");
    twice(&s, send_to_peer, "send, to the peer, quiet",
          "send, to the peer, during a reset");
    twice(&s, open_elsewhere, "alloc and close, elsewhere, quiet",
          "alloc and close, elsewhere, during a reset");
    twice(&s, open_in_peer, "alloc and close, in the peer, quiet",
          "alloc and close, in the peer, during a reset");
    twice(&s, move_elsewhere, "bind_vcpu, elsewhere, quiet",
          "bind_vcpu, elsewhere, during a reset");
    measure_waits(&s);
    measure_hostile(&s);
    scene_destroy(&s);
}
