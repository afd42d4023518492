/* SPDX-License-Identifier: MIT */
/*
 * One figure of the table, and how it comes about.
 *
 * A case is something that can be measured; a cell is a case with everything
 * filled in: of what, where, with how many ports.  Every round takes one sample
 * of each cell of a stage, in turn.
 */
#ifndef EVC_BENCH_CELL_H
#define EVC_BENCH_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "party.h"

struct evc_cell;

/* What a body has measured: `ns` of `events` in all. */
struct evc_sample {
    double ns;
    uint64_t events;
};

/* Do it `reps` times.  Return: 0; -errno, which ends the benchmark. */
typedef int evc_body(void *subject, const struct evc_cell *cell, uint64_t reps,
                     struct evc_sample *sample);

struct evc_case {
    const char *name;
    const char *about;
    const char *unit; /* "ns", or what `ns` of a sample is instead */
    unsigned places;  /* bits: 1 << enum evc_place */
    uint32_t active;  /* channels that have an event; 0: none, ALL: all */
    uint32_t reps;    /* 0: as many as make a sample long enough */
    unsigned rounds;  /* at most; 0: all */
    evc_body *body;
};

#define EVC_ALL UINT32_MAX

struct evc_cell {
    const struct evc_case *what;
    const char *who;
    enum evc_place place;
    uint32_t ports, active;
    void *subject;           /* handed to the body */
    struct evc_party *party; /* the other side, or NULL */
    uint64_t reps;           /* 0: not known yet */
    double *samples;         /* one for each round, NaN where it had none */
    unsigned retaken;        /* samples, since somebody got in the way */
    unsigned disturbed;      /* samples kept nevertheless */
};

#endif /* EVC_BENCH_CELL_H */
