/* SPDX-License-Identifier: MIT */
/*
 * `evc bench`: this engine beside what one would use instead, measured in one
 * run, in turn.  The face of the layer.
 *
 *     adapters.c adapter/   ways of notifying, behind <evc/adapter.h>
 *     route.c cases.c       two ends of one, and what is measured of each
 *     memory.c calls.c      ... of memory, of system calls
 *     guests.c own.c        our engine alone: goals that name no other
 *     xenevtchn.c drop.c    our daemon and the drop-in library, likewise
 *     machine.c party.c     CPUs and clocks; the other thread or process
 *     stat.c                medians, quartiles, ratios
 *     run.c stage.c         stages and rounds
 *     look.c                names, and finding what came out
 *     goals.c               what is to be reached
 *     table.c json.c plot.c three ways to show it
 *
 * Only libevc's public face is used, and libevc-guest's.
 */
#ifndef EVC_BENCH_BENCH_H
#define EVC_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "adapters.h"
#include "cell.h"
#include "stat.h"

#define EVC_BENCH_PORTS     16u /* most numbers of ports in one run */
#define EVC_BENCH_ROUNDS    1000u
#define EVC_BENCH_MAX_PORTS 1000000u

struct evc_bench_options {
    const char *adapters; /* names with commas between, or NULL: all */
    const char *cases;    /* likewise */
    unsigned places;      /* bits: 1 << enum evc_place */
    uint32_t base;        /* channels of a link, where the table says N */
    uint32_t ports[EVC_BENCH_PORTS]; /* further ones, ended by 0 */
    unsigned rounds;
    double sample_ns; /* how long one should take */
    unsigned retakes; /* of a sample in which somebody got in the way */
    bool goals;       /* measure what is only for them */
    bool realtime;    /* SCHED_FIFO, where allowed */
    const int *cpus;  /* two, or NULL: choose; the second may be -1 */
    FILE *progress;   /* or NULL */
};

void evc_bench_defaults(struct evc_bench_options *options);

/* For a look, or for tests: fewer rounds, shorter samples, fewer ports. */
void evc_bench_hurry(struct evc_bench_options *options);

/* Something that was not measured, and why. */
struct evc_bench_gap {
    char who[32], where[32];
    const char *why;
};

struct evc_bench {
    struct evc_bench_options options;
    struct evc_machine machine;
    struct evc_cell **cells;
    size_t count;
    struct evc_bench_gap *gaps;
    size_t gap_count;
    double seconds;  /* it took */
    char error[160]; /* what went wrong, when something did */
};

/*
 * Measure.  Return: 0; -errno, with bench->error.  Either way
 * evc_bench_finish() is due.
 */
int evc_bench_run(const struct evc_bench_options *options,
                  struct evc_bench *bench);
void evc_bench_finish(struct evc_bench *bench);

/* Is `name` one of those in `list`, which has commas between? NULL: all are. */
bool evc_bench_chosen(const char *list, const char *name, size_t length);

/* The first name in `list` that is no case, with its length, or NULL. */
const char *evc_bench_no_case(const char *list, size_t *length);

/* Of all cases in turn, or NULL. */
const struct evc_case *evc_bench_case(unsigned index);

extern const char *const evc_place_names[EVC_PLACES];

/* ---- what came out ------------------------------------------------------- */

/* The first such cell, or NULL.  ports 0: any number of them. */
const struct evc_cell *evc_bench_find(const struct evc_bench *bench,
                                      const char *who, const char *what,
                                      enum evc_place place, uint32_t ports);

struct evc_spread evc_bench_spread(const struct evc_bench *bench,
                                   const struct evc_cell *cell);

/* A figure that is to be reached. */
struct evc_goal {
    const char *table; /* of performance: B, C, D */
    const char *text;
    const char *unit; /* what the figure is in, after the number */
    double limit;     /* it is to be no more than that; NaN: none */
};

struct evc_goal_result {
    const struct evc_goal *goal;
    struct evc_spread spread;
    bool reached;
};

/* Those that were measured, in order.  Return: 0, past the last one. */
bool evc_bench_goal(const struct evc_bench *bench, unsigned index,
                    struct evc_goal_result *out);

void evc_bench_table(const struct evc_bench *bench, FILE *out);
int evc_bench_json(const struct evc_bench *bench, FILE *out);
int evc_bench_plot(const struct evc_bench *bench, FILE *out);

#endif /* EVC_BENCH_BENCH_H */
