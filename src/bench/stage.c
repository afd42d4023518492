/* SPDX-License-Identifier: MIT */
/*
 * Cells, samples and rounds.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stage.h"

#define MAX_REPS (UINT64_C(1) << 32)

/* ---- what may go wrong --------------------------------------------------- */

int evc_bench_fail(struct evc_bench *bench, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(bench->error, sizeof(bench->error), format, args);
    va_end(args);
    return error;
}

int evc_bench_add_gap(struct evc_bench *bench, const char *who,
                      const char *where, const char *why)
{
    struct evc_bench_gap *gaps =
        realloc(bench->gaps, (bench->gap_count + 1) * sizeof(*gaps));

    if (!gaps)
        return evc_bench_fail(bench, -ENOMEM, "out of memory");
    bench->gaps = gaps;
    gaps += bench->gap_count++;
    snprintf(gaps->who, sizeof(gaps->who), "%s", who);
    snprintf(gaps->where, sizeof(gaps->where), "%s", where);
    gaps->why = why;
    return 0;
}

/* ---- cells --------------------------------------------------------------- */

static struct evc_cell *new_cell(struct evc_bench *bench)
{
    struct evc_cell *cell = calloc(1, sizeof(*cell));
    struct evc_cell **cells;

    if (!cell)
        return NULL;
    cells = realloc(bench->cells, (bench->count + 1) * sizeof(*cells));
    cell->samples = calloc(bench->options.rounds, sizeof(double));
    if (cells)
        bench->cells = cells;
    if (!cells || !cell->samples) {
        free(cell->samples);
        free(cell);
        return NULL;
    }
    cells[bench->count++] = cell;
    for (unsigned i = 0; i < bench->options.rounds; i++)
        cell->samples[i] = NAN;
    return cell;
}

int evc_stage_add(struct evc_stage *stage, const struct evc_case *what,
                  const char *who, uint32_t ports, void *subject,
                  struct evc_party *party)
{
    struct evc_cell *cell = new_cell(stage->bench);
    uint32_t active = what->active < ports ? what->active : ports;

    if (!cell)
        return evc_bench_fail(stage->bench, -ENOMEM, "out of memory");
    cell->what = what;
    cell->who = who;
    cell->place = stage->place;
    cell->ports = ports;
    cell->active = active;
    cell->subject = subject;
    cell->party = party;
    cell->reps = what->reps;
    return 0;
}

bool evc_stage_wants(const struct evc_stage *stage, const struct evc_case *what,
                     const char *only)
{
    size_t length = strlen(what->name);

    return (what->places & 1u << stage->place) &&
           evc_bench_chosen(stage->bench->options.cases, what->name, length) &&
           evc_bench_chosen(only, what->name, length);
}

/* ---- one sample ---------------------------------------------------------- */

static long switches(const struct evc_cell *cell)
{
    return evc_switches() + (cell->party ? cell->party->board->switches : 0);
}

static int measure(struct evc_cell *cell, struct evc_sample *sample)
{
    int r;

    *sample = (struct evc_sample){0};
    evc_alarm_set();
    r = cell->what->body(cell->subject, cell, cell->reps, sample);
    evc_alarm_clear();
    return r;
}

/* The shortest of a few: a sample must be long without help from others, too. */
static int measure_shortest(struct evc_cell *cell, double *ns)
{
    struct evc_sample sample;
    int r = 0;

    *ns = INFINITY;
    for (int i = 0; r >= 0 && i < 3; i++) {
        r = measure(cell, &sample);
        *ns = fmin(*ns, sample.ns);
    }
    return r;
}

/* How often makes a sample long enough? */
static int calibrate(struct evc_cell *cell, double wanted_ns)
{
    double ns;
    int r;

    for (cell->reps = 1;; cell->reps *= 2) {
        r = measure_shortest(cell, &ns);
        if (r < 0 || ns >= wanted_ns || cell->reps >= MAX_REPS)
            return r;
        if (ns < wanted_ns / 16)
            cell->reps *= 8;
    }
}

/* Let others run, too; and a realtime thread must not take a CPU whole. */
static void rest(double busy_ns)
{
    const struct timespec pause = {
        .tv_nsec = (long)fmin(fmax(busy_ns / 8, 1000), 1e8)};

    nanosleep(&pause, NULL);
}

/* Return: 1: somebody got in the way; 0: nobody; -errno. */
static int try_sample(struct evc_cell *cell, struct evc_sample *sample)
{
    long before = switches(cell);
    int r = measure(cell, sample);

    return r < 0 ? r : switches(cell) != before;
}

static int take_sample(struct evc_cell *cell, unsigned retakes, double *out)
{
    struct evc_sample sample;
    double begin = evc_now_ns();
    int r = try_sample(cell, &sample);

    for (; r > 0 && retakes > 0; retakes--) {
        cell->retaken++;
        r = try_sample(cell, &sample);
    }
    if (r > 0)
        cell->disturbed++;
    *out = sample.ns / (double)sample.events;
    rest(evc_now_ns() - begin);
    return r < 0 ? r : 0;
}

static int sample_cell(struct evc_stage *stage, struct evc_cell *cell,
                       unsigned round)
{
    struct evc_bench *bench = stage->bench;
    int r = 0;

    if (cell->what->rounds && round >= cell->what->rounds)
        return 0;
    if (cell->reps == 0)
        r = calibrate(cell, bench->options.sample_ns);
    if (r >= 0)
        r = take_sample(cell, bench->options.retakes, &cell->samples[round]);
    if (r >= 0)
        return 0;
    return evc_bench_fail(bench, r, "%s, %s, %s: %s", cell->who,
                          cell->what->name, evc_place_names[cell->place],
                          evc_alarm_rang() || r == -ETIMEDOUT
                              ? "an event did not arrive"
                              : strerror(-r));
}

/* ---- a stage ------------------------------------------------------------- */

static void show_progress(const struct evc_stage *stage, unsigned round)
{
    FILE *out = stage->bench->options.progress;

    if (!out)
        return;
    fprintf(out, "\r\033[K%s: round %u of %u", stage->name, round + 1,
            stage->bench->options.rounds);
    fflush(out);
}

int evc_stage_run(struct evc_stage *stage)
{
    struct evc_bench *bench = stage->bench;
    int r = 0;

    for (unsigned round = 0; r == 0 && round < bench->options.rounds; round++) {
        show_progress(stage, round);
        for (size_t i = stage->first; r == 0 && i < bench->count; i++)
            r = sample_cell(stage, bench->cells[i], round);
    }
    return r;
}

/* The units come first in every stage. */
int evc_stage_begin(struct evc_stage *stage)
{
    struct evc_bench *bench = stage->bench;
    int r;

    stage->first = bench->count;
    r = evc_stage_add(stage, &evc_case_rmw, "machine", 0, NULL, NULL);
    if (r < 0 || stage->place == EVC_PLACE_ONE)
        return r;
    r = evc_party_start(&bench->machine, stage->place, NULL, &stage->party);
    if (r < 0)
        return evc_bench_fail(bench, r, "%s: %s", stage->name, strerror(-r));
    return evc_stage_add(stage, &evc_case_bounce, "machine", 0, stage->party,
                         stage->party);
}

void evc_stage_end(struct evc_stage *stage)
{
    evc_party_stop(stage->party);
    for (unsigned i = 0; i < stage->nr_routes; i++)
        evc_route_close(stage->routes[i]);
    for (unsigned i = 0; i < stage->nr_owns; i++)
        evc_own_close(stage->owns[i]);
    evc_drop_close(stage->drop);
    if (stage->bench->options.progress)
        fputs("\r\033[K", stage->bench->options.progress);
}
