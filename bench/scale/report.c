/* SPDX-License-Identifier: MIT */
/*
 * Collecting samples, and printing their medians.
 */
#include "report.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECTIONS = 16, ROWS = 16, LATENCIES = 16 };

struct row {
    const char *what;
    unsigned times;
    struct samples wall, cpu, heap;
};

static struct {
    const char *title;
    struct row row[ROWS];
    unsigned rows;
} sections[SECTIONS], *now;
static unsigned nr_sections;

static struct {
    const char *what;
    size_t n;
    struct samples median, most, worst; /* most: 99.9 % are below */
} latencies[LATENCIES];
static unsigned nr_latencies;

static struct series all_series[SERIES];
static unsigned nr_series;

static void full(const char *of)
{
    fprintf(stderr, "scale: too many %s\n", of);
    exit(1);
}

/* ---- clocks ------------------------------------------------------------- */

static double read_clock(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

double wall_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Bytes that the program has from malloc() and its kin. */
static double heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

/* ---- samples ------------------------------------------------------------ */

static void add(struct samples *samples, double value)
{
    if (samples->n == SAMPLES_MAX)
        full("samples");
    samples->value[samples->n++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(const struct samples *samples)
{
    double sorted[SAMPLES_MAX];

    memcpy(sorted, samples->value, samples->n * sizeof(sorted[0]));
    qsort(sorted, samples->n, sizeof(sorted[0]), compare);
    return samples->n != 0 ? sorted[samples->n / 2] : 0;
}

static double worst(const struct samples *samples)
{
    double most = 0;

    for (unsigned i = 0; i < samples->n; i++)
        most = samples->value[i] > most ? samples->value[i] : most;
    return most;
}

/* ---- rows --------------------------------------------------------------- */

void section(const char *title)
{
    unsigned s = 0;

    while (s < nr_sections && strcmp(sections[s].title, title) != 0)
        s++;
    if (s == SECTIONS)
        full("sections");
    if (s == nr_sections)
        sections[nr_sections++].title = title;
    now = &sections[s];
}

static struct row *row_of(const char *what, unsigned times)
{
    unsigned r = 0;

    while (r < now->rows && strcmp(now->row[r].what, what) != 0)
        r++;
    if (r == ROWS)
        full("rows");
    if (r == now->rows)
        now->row[now->rows++] = (struct row){.what = what, .times = times};
    return &now->row[r];
}

static double wall_began, cpu_began, heap_began;

void begin(void)
{
    heap_began = heap_bytes();
    cpu_began = cpu_ns();
    wall_began = wall_ns();
}

void end(const char *what, unsigned times)
{
    double wall = wall_ns() - wall_began, cpu = cpu_ns() - cpu_began;
    struct row *row = row_of(what, times);

    add(&row->wall, wall);
    add(&row->cpu, cpu);
    add(&row->heap, heap_bytes() - heap_began);
}

/* ---- latencies ---------------------------------------------------------- */

static int compare_ns(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

void latency(const char *what, unsigned *ns, size_t n)
{
    unsigned i = 0;

    while (i < nr_latencies && strcmp(latencies[i].what, what) != 0)
        i++;
    if (i == LATENCIES)
        full("latencies");
    if (i == nr_latencies)
        latencies[nr_latencies++].what = what;
    if (n == 0)
        return;
    qsort(ns, n, sizeof(ns[0]), compare_ns);
    latencies[i].n += n;
    add(&latencies[i].median, ns[n / 2]);
    add(&latencies[i].most, ns[n - 1 - n / 1000]);
    add(&latencies[i].worst, ns[n - 1]);
}

/* ---- points ------------------------------------------------------------- */

static struct series *series_of(const char *name)
{
    unsigned s = 0;

    while (s < nr_series && strcmp(all_series[s].name, name) != 0)
        s++;
    if (s == SERIES)
        full("series");
    if (s == nr_series)
        all_series[nr_series++].name = name;
    return &all_series[s];
}

void point(const char *name, double x, double ns)
{
    struct series *series = series_of(name);
    unsigned i = 0;

    while (i < series->n && series->x[i] < x)
        i++;
    if (i == POINTS)
        full("points");
    if (i == series->n)
        series->x[series->n++] = x;
    add(&series->y[i], ns);
}

/* ---- printing ----------------------------------------------------------- */

/* 131071 as 131,071, in one of a few buffers. */
static const char *commas(double value)
{
    static char text[8][40];
    static unsigned turn;
    char digits[32], *to = text[turn++ % 8], *start = to;
    int n = snprintf(digits, sizeof(digits), "%.0f", value);

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return start;
}

static void print_row(const struct row *row)
{
    double wall = median(&row->wall);

    printf("  %-40s %8s %9.2f %9.2f %9s %9s\n", row->what, commas(row->times),
           wall / 1e6, median(&row->cpu) / 1e6,
           commas(median(&row->cpu) / row->times),
           commas(median(&row->heap) / 1024));
}

static void print_latencies(void)
{
    printf("\nwhat others see meanwhile, ns\n");
    printf("  %-46s %9s %8s %8s %9s\n", "", "samples", "median", "99.9 %",
           "worst");
    for (unsigned i = 0; i < nr_latencies; i++)
        printf("  %-46s %9s %8s %8s %9s\n", latencies[i].what,
               commas((double)latencies[i].n),
               commas(median(&latencies[i].median)),
               commas(median(&latencies[i].most)),
               commas(worst(&latencies[i].worst)));
}

static void print_series(const struct series *series)
{
    printf("  %s\n   ", series->name);
    for (unsigned i = 0; i < series->n; i++)
        printf("%s%s: %s",
               i % 6 ? "   "
               : i   ? "\n    "
                     : " ",
               commas(series->x[i]), commas(median(&series->y[i])));
    printf("\n");
}

void print_tables(void)
{
    for (unsigned s = 0; s < nr_sections; s++) {
        printf("\n%s\n  %-40s %8s %9s %9s %9s %9s\n", sections[s].title, "",
               "times", "wall, ms", "CPU, ms", "each, ns", "heap, KiB");
        for (unsigned r = 0; r < sections[s].rows; r++)
            print_row(&sections[s].row[r]);
    }
    print_latencies();
    printf("\nns each, by number of ports (the plot)\n");
    for (unsigned s = 0; s < nr_series; s++)
        print_series(&all_series[s]);
}

int print_plot(const char *path)
{
    return plot(all_series, nr_series, path);
}
