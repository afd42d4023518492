/* SPDX-License-Identifier: MIT */
/*
 * What was measured: rows of a table and points of a plot, each with a sample a
 * round, of which the median is told.
 */
#ifndef EVC_BENCH_SCALE_REPORT_H
#define EVC_BENCH_SCALE_REPORT_H

#include <stddef.h>
#include <stdio.h>

/* ns of the wall, ns of this thread. */
double wall_ns(void);
double cpu_ns(void);

/* ---- the table ---------------------------------------------------------- */

void section(const char *title);
/* From here to end(): one row, the sum of `times` operations. */
void begin(void);
void end(const char *what, unsigned times);

/* ---- how long others waited --------------------------------------------- */

/* The samples, ns each, in any order; they are sorted. */
void latency(const char *what, unsigned *ns, size_t n);

/* ---- the plot ----------------------------------------------------------- */

enum { SERIES = 8, POINTS = 16, ROUNDS_MAX = 15, SAMPLES_MAX = 96 };

struct samples {
    double value[SAMPLES_MAX];
    unsigned n;
};

struct series {
    const char *name;
    double x[POINTS];
    struct samples y[POINTS];
    unsigned n;
};

void point(const char *name, double x, double ns);

double median(const struct samples *samples);

/* ---- telling ------------------------------------------------------------ */

void print_tables(void);
/* 0 or -1, errno. */
int plot(const struct series *series, unsigned n, const char *path);
int print_plot(const char *path);

#endif /* EVC_BENCH_SCALE_REPORT_H */
