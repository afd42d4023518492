/* SPDX-License-Identifier: MIT */
/*
 * Threads that do everything at once, against guests that do their part.
 *
 * A *road* is a channel from the sender d2 to the receiver d1.  Before each send
 * the sender raises the road's number; d1's handler reads it.  When all is
 * quiet, each road that is open must have been seen up to its last number:
 * otherwise an event, or a wake-up, was lost.
 *
 * d1's vCPUs sleep in SCHEDOP_block and wake by upcalls only.  Meanwhile other
 * threads mask, unmask, move, re-prioritise, poll, open and close ports of both,
 * reset a third domain in and out of FIFO mode, and make and destroy a fourth.
 *
 * EVC_STRESS_SECONDS says how long, both ABIs together.  A hang is ended by
 * alarm().
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define ROADS   24u
#define VCPUS   3u /* of the receiver */
#define SENDERS 2u
#define PORTS   256u
#define POLLER  3u /* vCPU of the sender */

struct road {
    uint32_t to, from; /* ports of d1 and d2 */
    _Atomic uint64_t sent, seen;
};

static struct world *world;
static struct guest *receiver, *sender, *wild;
static struct road roads[ROADS];
static struct road *_Atomic road_of[PORTS]; /* by the receiver's port */
static _Atomic bool stop;                   /* the others */
static _Atomic bool stop_last;              /* the receiver's vCPUs */
static _Atomic unsigned long handled, lost, operations;

static uint32_t random32(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- the receiver ------------------------------------------------------------------ */

static void handle(struct guest *g, uint32_t port, void *data)
{
    struct road *road = port < PORTS ? road_of[port] : NULL;

    (void)g;
    (void)data;
    handled++;
    if (road != NULL) {
        uint64_t sent = road->sent, seen = road->seen;

        while (seen < sent &&
               !atomic_compare_exchange_weak(&road->seen, &seen, sent))
            ;
    }
}

static void *run_vcpu(void *arg)
{
    unsigned vcpu = (unsigned)(uintptr_t)arg;

    while (!stop_last) {
        *upcall_mask(receiver, vcpu) = 1;
        (void)upcall(receiver, vcpu, handle, NULL);
        (void)block(receiver, vcpu);
    }
    return NULL;
}

/* ---- those who disturb ---------------------------------------------------------------- */

/* Roads belong to one sender each, so that their numbers only rise. */
static void *send_all(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    uint32_t seed = me;

    while (!stop) {
        struct road *road =
            &roads[random32(&seed) % ROADS / SENDERS * SENDERS + me];

        road->sent++;
        (void)send_port(sender, road->from);
        if (random32(&seed) % 64 == 0)
            usleep(50); /* let them sleep */
    }
    return NULL;
}

/* What it masks it unmasks; PENDING meanwhile must not be lost. */
static void *mask_and_unmask(void *arg)
{
    uint32_t seed = 77;

    (void)arg;
    while (!stop) {
        struct road *road = &roads[random32(&seed) % ROADS];

        mask(receiver, road->to);
        if (random32(&seed) % 4 == 0)
            sched_yield();
        (void)unmask_port(receiver, road->to);
        operations++;
    }
    return NULL;
}

static void *move_about(void *arg)
{
    uint32_t seed = 99;

    (void)arg;
    while (!stop) {
        struct road *road = &roads[random32(&seed) % ROADS];

        (void)bind_vcpu(receiver, road->to, random32(&seed) % VCPUS);
        (void)set_priority(receiver, road->to, random32(&seed) % 16);
        operations += 2;
        if (random32(&seed) % 64 == 0)
            usleep(50); /* leave some of the machine to others */
    }
    return NULL;
}

/* Channels come and go on both sides, used and unused. */
static void *open_and_close(void *arg)
{
    uint32_t seed = 5;

    (void)arg;
    while (!stop) {
        int a = alloc_unbound(receiver, DOMID_SELF, sender->id);
        int b = a > 0 ? bind_interdomain(sender, receiver->id, (uint32_t)a) : a;

        if (b > 0) {
            (void)send_port(sender, (uint32_t)b);
            (void)send_port(receiver, (uint32_t)a);
        }
        if (random32(&seed) % 2 && b > 0)
            (void)close_port(sender, (uint32_t)b), b = 0;
        if (a > 0)
            (void)close_port(receiver, (uint32_t)a);
        if (b > 0)
            (void)close_port(sender, (uint32_t)b);
        a = bind_ipi(receiver, random32(&seed) % VCPUS);
        if (a > 0) {
            (void)send_port(receiver, (uint32_t)a);
            (void)close_port(receiver, (uint32_t)a);
        }
        operations++;
    }
    return NULL;
}

/*
 * The sender's vCPU 3 polls for what the receiver sends back.  Its port is
 * masked and nothing else is for that vCPU: only the end of the poll wakes it.
 */
static void *poll_for_answers(void *arg)
{
    const uint32_t port = roads[0].from;

    (void)arg;
    while (!stop) {
        (void)poll_ports(sender, POLLER, &port, 1, 0);
        clear_pending(sender, port);
        operations++;
    }
    return NULL;
}

static void *answer(void *arg)
{
    (void)arg;
    while (!stop) {
        unsigned patience = 0;

        (void)send_port(receiver, roads[0].to);
        while (is_pending(sender, roads[0].from) && !stop) {
            usleep(20);
            if (++patience == 100000) {
                printf("a poller sleeps over its event\n");
                lost++;
                return NULL;
            }
        }
    }
    return NULL;
}

/* A domain that changes its ABI without end, while others send to it. */
static void *reset_wild(void *arg)
{
    (void)arg;
    while (!stop) {
        for (unsigned v = 0; v < 4; v++)
            (void)init_control(wild, BLOCK_FRAME, v * 128, v);
        wild->arrays = 0;
        (void)grow(wild);
        for (unsigned i = 0; i < 20; i++)
            (void)bind_ipi(wild, i % 4);
        for (uint32_t p = 1; p < 20; p++)
            (void)send_port(wild, p);
        (void)reset(wild, DOMID_SELF);
        operations++;
    }
    return NULL;
}

static void *disturb_wild(void *arg)
{
    struct evtchn_expand_array page = {.array_gfn = ARRAY_FRAME};
    uint32_t seed = 3;

    (void)arg;
    while (!stop) {
        int port = alloc_unbound(wild, DOMID_SELF, sender->id);
        uint32_t any = 1 + random32(&seed) % 40;

        if (port > 0) {
            int far = bind_interdomain(sender, wild->id, (uint32_t)port);

            if (far > 0) {
                (void)send_port(sender, (uint32_t)far);
                (void)close_port(sender, (uint32_t)far);
            }
        }
        (void)send_port(wild, any);
        (void)unmask_port(wild, any);
        (void)set_priority(wild, any, any % 16);
        (void)evc_raise_vcpu_virq(wild->dom, any % 4, VIRQ_DEBUG);
        (void)bind_virq(wild, VIRQ_DEBUG, any % 4);
        (void)state_of(wild, any);
        (void)evc_event_channel_op(wild->dom, EVTCHNOP_expand_array, &page);
        operations++;
    }
    return NULL;
}

/* A domain with channels to the sender lives and dies. */
static void *live_and_die(void *arg)
{
    struct guest *mortal = arg;
    struct evc_domain_config config =
        guest_domain_config(mortal, (struct guest_config){.id = 40});

    while (!stop) {
        int a, b;

        if (evc_domain_create(world->engine, &config, &mortal->dom) < 0)
            abort();
        a = alloc_unbound(mortal, DOMID_SELF, sender->id);
        b = bind_interdomain(sender, mortal->id, (uint32_t)a);
        if (b > 0)
            (void)send_port(sender, (uint32_t)b);
        evc_domain_destroy(mortal->dom);
        if (b > 0) {
            (void)send_port(sender, (uint32_t)b);
            (void)close_port(sender, (uint32_t)b);
        }
        operations++;
    }
    return NULL;
}

/* ---- one run ------------------------------------------------------------------------------ */

static void make_world(bool fifo)
{
    world = world_create((struct world_config){.real_clock = true});
    receiver = guest_create(world, (struct guest_config){.id = 1});
    sender = guest_create(world, (struct guest_config){.id = 2});
    wild = guest_create(world, (struct guest_config){.id = 3});
    if (fifo) {
        enter_fifo(receiver, 4);
        enter_fifo(sender, 4);
        (void)grow(receiver);
        (void)grow(sender);
    }
    memset(road_of, 0, sizeof(road_of));
    for (unsigned i = 0; i < ROADS; i++) {
        struct channel c = join_guests(receiver, sender);

        roads[i].to = c.a;
        roads[i].from = c.b;
        roads[i].sent = roads[i].seen = 0;
        road_of[c.a] = &roads[i];
    }
    mask(sender, roads[0].from);
}

static bool all_seen(void)
{
    for (unsigned i = 0; i < ROADS; i++) {
        if (roads[i].seen != roads[i].sent)
            return false;
    }
    return true;
}

static void report_lost(const char *abi)
{
    for (unsigned i = 0; i < ROADS; i++) {
        struct evc_port_info info;

        if (roads[i].seen == roads[i].sent)
            continue;
        lost++;
        (void)evc_port_info(receiver->dom, roads[i].to, &info);
        printf("%s: port %u lost an event: sent %lu, seen %lu; vcpu %u, "
               "priority %u,%s%s%s, word %#x\n",
               abi, roads[i].to, (unsigned long)roads[i].sent,
               (unsigned long)roads[i].seen, info.vcpu, info.priority,
               info.pending ? " pending" : "", info.masked ? " masked" : "",
               info.linked ? " linked" : "",
               event_word(receiver, roads[i].to)
                   ? *event_word(receiver, roads[i].to)
                   : 0);
    }
}

/* BUSY is the host's, for a moment only. */
static void look_for_busy(const char *abi)
{
    for (uint32_t port = 1; port < PORTS && receiver->arrays > 0; port++) {
        if (!(*event_word(receiver, port) & BUSY))
            continue;
        printf("%s: port %u was left BUSY\n", abi, port);
        lost++;
    }
}

/* Whoever sleeps in the engine is woken from outside, again and again. */
static void stop_others(pthread_t *threads, unsigned n)
{
    stop = true;
    for (unsigned i = 0; i < n; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0) {
            evc_vcpu_wake(sender->dom, POLLER);
            usleep(1000);
        }
    }
}

static void stop_receiver(pthread_t *threads)
{
    stop_last = true;
    for (unsigned v = 0; v < VCPUS; v++) {
        while (pthread_tryjoin_np(threads[v], NULL) != 0) {
            evc_vcpu_wake(receiver->dom, v);
            usleep(1000);
        }
    }
}

static void run(const char *abi, bool fifo, unsigned ms)
{
    static void *(*const others[])(void *) = {
        mask_and_unmask, move_about, open_and_close, poll_for_answers,
        answer,          reset_wild, disturb_wild};
    pthread_t vcpus[VCPUS], threads[SENDERS + 8];
    unsigned n = 0;

    make_world(fifo);
    stop = stop_last = false;
    handled = operations = 0;
    for (uintptr_t v = 0; v < VCPUS; v++)
        pthread_create(&vcpus[v], NULL, run_vcpu, (void *)v);
    for (uintptr_t s = 0; s < SENDERS; s++)
        pthread_create(&threads[n++], NULL, send_all, (void *)s);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        pthread_create(&threads[n++], NULL, others[i], NULL);
    {
        struct guest *mortal =
            guest_create(world, (struct guest_config){.id = 40});

        evc_domain_destroy(mortal->dom);
        mortal->dom = NULL;
        pthread_create(&threads[n++], NULL, live_and_die, mortal);
    }

    usleep(ms * 1000);
    stop_others(threads, n);
    /* Only the wake-ups on their way may still do something. */
    for (unsigned i = 0; i < 3000 && !all_seen(); i++)
        usleep(1000);
    report_lost(abi);
    look_for_busy(abi);
    stop_receiver(vcpus);
    printf("%s: %lu events handled, %lu other operations\n", abi, handled,
           operations);
    if (handled == 0)
        lost++;
    if (!world_destroy(world)) {
        printf("%s: a page was left mapped\n", abi);
        lost++;
    }
}

int main(void)
{
    const char *seconds = getenv("EVC_STRESS_SECONDS");
    unsigned ms = seconds != NULL ? (unsigned)atoi(seconds) * 1000 : 2500;

    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(ms / 1000 + 100);
    run("two-level", false, ms / 2);
    run("FIFO", true, ms / 2);
    return lost != 0;
}
