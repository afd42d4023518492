/* SPDX-License-Identifier: MIT */
/*
 * What is to be reached: ratios inside one run, and exact counts.
 *
 * B is one thread, in units of one locked read-modify-write; C two CPUs; D what
 * one would use instead, eventfd and epoll; E the daemon and the drop-in library.
 * A limit that is NaN is none: the
 * goal names an engine that is not here, or there is none, but the figure helps
 * to read the others.
 */
#include <math.h>
#include <string.h>

#include "bench.h"

#define EPOLL "eventfd+epoll"
#define OWN2  "own-2level"
#define OWNF  "own-fifo"
#define DROP  "own-daemon"
#define FIFO  "evc-fifo"
#define TWO   "evc-2level"

enum ports { ANY, SMALL, BIG };

/* scale * (who's what) / (whose's unit); without `whose`, not divided. */
static const struct definition {
    struct evc_goal goal;
    enum evc_place place;
    const char *who, *what;
    enum ports ports;
    const char *whose, *unit;
    enum ports unit_ports;
    double scale;
} definitions[] = {
#define RMW(text, who, what, limit)                                            \
    {                                                                          \
        {"B", text, "RMW", limit}, EVC_PLACE_ONE, who, what, SMALL, "machine", \
            "rmw", ANY, 1                                                      \
    }
    RMW("2-level: send, pending already", OWN2, "pending", 2.1),
    RMW("2-level: send, masked", OWN2, "masked", 2.8),
    RMW("2-level: send, whole path", OWN2, "whole", 4.4),
    RMW("2-level: send one, dispatch it", OWN2, "pair", 7.2),
    RMW("FIFO: send, pending already", OWNF, "pending", 2.3),
    RMW("FIFO: send, masked", OWNF, "masked", 3.1),
    RMW("FIFO: send, whole path", OWNF, "whole", 6.6),
    RMW("FIFO: send one, dispatch it", OWNF, "pair", 9.1),
    RMW("2-level: unmask, nothing pending", OWN2, "unmask", NAN),
    RMW("FIFO: unmask, nothing pending", OWNF, "unmask", NAN),
    RMW("2-level: alloc, bind, close, close", OWN2, "cycle", 18),
    RMW("FIFO: alloc, bind, close, close", OWNF, "cycle", 18),
#define RATIO(table, place, text, who, what, ports, whose, unit, of, limit)    \
    {                                                                          \
        {table, text, "x", limit}, place, who, what, ports, whose, unit, of, 1 \
    }
    RATIO("B", EVC_PLACE_ONE, "... all ports open, against one", OWNF, "cycle",
          BIG, OWNF, "cycle", SMALL, 1.3),
    RATIO("B", EVC_PLACE_ONE, "dispatch of all, against 64", OWNF, "drain-all",
          BIG, OWNF, "drain", BIG, 1.3),
    RATIO("B", EVC_PLACE_ONE, "an urgent one behind all, against alone", OWNF,
          "urgent-all", BIG, OWNF, "urgent", BIG, 5),
#define CPUS(text, who, what, unit, limit) \
    RATIO("C", EVC_PLACE_THREADS, text, who, what, ANY, who, unit, ANY, limit)
    CPUS("2-level: same pending port, against alone", OWN2, "same-port",
         "pending", 2.5),
    CPUS("FIFO: same pending port, against alone", OWNF, "same-port", "pending",
         2.5),
    CPUS("2-level: different ports, against alone", OWN2, "other-port",
         "pending", 1.4),
    CPUS("FIFO: different ports, against alone", OWNF, "other-port", "pending",
         1.4),
    RATIO("C", EVC_PLACE_THREADS,
          "FIFO: to a polling consumer, against a round trip", OWNF, "polled",
          ANY, "machine", "roundtrip", ANY, 0.75),
#define AGAINST(place, text, who, what, limit) \
    RATIO("D", place, text, who, what, ANY, EPOLL, what, ANY, limit)
#define BOTH(place, text, what, limit)                  \
    AGAINST(place, "2-level: " text, TWO, what, limit), \
        AGAINST(place, "FIFO: " text, FIFO, what, limit)
    BOTH(EVC_PLACE_PROCESSES, "notify, receiver awake", "notify", 1.0 / 60),
    {{"D", "2-level: ... system calls", "calls", 0},
     EVC_PLACE_ONE,
     TWO,
     "calls",
     ANY,
     NULL,
     NULL,
     ANY,
     1},
    {{"D", "FIFO: ... system calls", "calls", 0},
     EVC_PLACE_ONE,
     FIFO,
     "calls",
     ANY,
     NULL,
     NULL,
     ANY,
     1},
    BOTH(EVC_PLACE_ONE, "notify and dispatch, 1 of N", "dispatch", 1.0 / 50),
    BOTH(EVC_PLACE_ONE, "... 100 of N, for each", "dispatch100", 1.0 / 40),
    BOTH(EVC_PLACE_PROCESSES, "... 1 of N, with the way to and fro", "dispatch",
         NAN),
    BOTH(EVC_PLACE_ONE, "a channel set up and taken down", "setup", 1.0 / 50),
#define BYTES(text, who, what, limit)                                     \
    {                                                                     \
        {"D", text, "bytes", limit}, EVC_PLACE_ONE, who, what, ANY, NULL, \
            NULL, ANY, 0.5                                                \
    }
    BYTES("2-level: private memory of an end", TWO, "private", 24),
    BYTES("FIFO: private memory of an end", FIFO, "private", 24),
    BYTES("FIFO: shared memory of an end", FIFO, "shared", 4),
    BOTH(EVC_PLACE_PROCESSES, "a sleeper on the other CPU", "wake", 1),
    BOTH(EVC_PLACE_PROCESSES, "ping-pong inside the spin window", "pingpong",
         1.0 / 50),
    {{"D", "FIFO: an idle waiter's share of a CPU", "%", 0},
     EVC_PLACE_PROCESSES,
     FIFO,
     "idle",
     ANY,
     NULL,
     NULL,
     ANY,
     1},
#define ASKING(text, what) \
    RATIO("E", EVC_PLACE_ONE, text, DROP, what, ANY, DROP, "ask-echo", ANY, 1.2)
    ASKING("daemon: alloc, against a bare question and answer", "ask-alloc"),
    ASKING("daemon: bind, likewise", "ask-bind"),
    ASKING("daemon: unbind, likewise", "ask-unbind"),
    RATIO("E", EVC_PLACE_ONE, "xenevtchn_notify, awake, against eventfd write",
          DROP, "xen-notify", ANY, DROP, "write", ANY, 1.0 / 40),
    {{"E", "... system calls", "calls", 0},
     EVC_PLACE_ONE,
     DROP,
     "calls-notify",
     ANY,
     NULL,
     NULL,
     ANY,
     1},
    {{"E", "xenevtchn_pending, _unmask, more queued: calls", "calls", 0},
     EVC_PLACE_ONE,
     DROP,
     "calls-take",
     ANY,
     NULL,
     NULL,
     ANY,
     1},
};

#define DEFINITIONS (sizeof(definitions) / sizeof(definitions[0]))

/* Of several numbers of ports of the same cell, the least or the greatest. */
static const struct evc_cell *find(const struct evc_bench *bench,
                                   const char *who, const char *what,
                                   enum evc_place place, enum ports ports)
{
    const struct evc_cell *found = NULL;

    if (ports == ANY)
        return evc_bench_find(bench, who, what, place, 0);
    for (size_t i = 0; i < bench->count; i++) {
        const struct evc_cell *cell = bench->cells[i];

        if (cell->place != place || strcmp(cell->who, who) != 0 ||
            strcmp(cell->what->name, what) != 0)
            continue;
        if (!found || (ports == BIG && cell->ports > found->ports) ||
            (ports == SMALL && cell->ports < found->ports))
            found = cell;
    }
    return found;
}

/* Return: false: it was not measured. */
static bool evaluate(const struct evc_bench *bench, const struct definition *d,
                     struct evc_spread *spread)
{
    const struct evc_cell *cell, *unit;

    cell = find(bench, d->who, d->what, d->place, d->ports);
    if (!cell)
        return false;
    *spread = evc_bench_spread(bench, cell);
    if (d->whose) {
        unit = find(bench, d->whose, d->unit, d->place, d->unit_ports);
        if (!unit)
            return false;
        *spread = evc_spread_ratio(cell->samples, unit->samples,
                                   bench->options.rounds);
    }
    spread->low *= d->scale;
    spread->median *= d->scale;
    spread->high *= d->scale;
    return !isnan(spread->median);
}

bool evc_bench_goal(const struct evc_bench *bench, unsigned index,
                    struct evc_goal_result *out)
{
    for (size_t i = 0; i < DEFINITIONS; i++) {
        struct evc_spread spread;

        if (!evaluate(bench, &definitions[i], &spread) || index-- > 0)
            continue;
        *out = (struct evc_goal_result){
            .goal = &definitions[i].goal,
            .spread = spread,
            .reached = spread.median <= definitions[i].goal.limit,
        };
        return true;
    }
    return false;
}
