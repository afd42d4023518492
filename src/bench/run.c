/* SPDX-License-Identifier: MIT */
/*
 * Stages and rounds.
 *
 * A stage is everything that is open at the same time: the links of all
 * adapters with one number of channels in one place, or the engine's own pairs
 * of guests.  In every round each cell of the stage is sampled once, after the
 * units, so that whatever disturbs the machine disturbs all of them alike.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "drop.h"
#include "own.h"
#include "route.h"

#define MANY       100000u
#define FEW        4000u
#define MAX_REPS   (UINT64_C(1) << 32)
#define STAGE_MOST 40u

struct stage {
    struct evc_bench *bench;
    enum evc_place place;
    const char *name;
    struct evc_party *party; /* for the round trip */
    struct evc_route *routes[STAGE_MOST];
    struct evc_own *owns[STAGE_MOST];
    struct evc_drop *drop;
    unsigned nr_routes, nr_owns;
    size_t first; /* of its cells */
};

/* ---- what may go wrong --------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
fail(struct evc_bench *bench, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(bench->error, sizeof(bench->error), format, args);
    va_end(args);
    return error;
}

static int add_gap(struct evc_bench *bench, const char *who, const char *where,
                   const char *why)
{
    struct evc_bench_gap *gaps =
        realloc(bench->gaps, (bench->gap_count + 1) * sizeof(*gaps));

    if (!gaps)
        return fail(bench, -ENOMEM, "out of memory");
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

static int add_cell(struct stage *stage, const struct evc_case *what,
                    const char *who, uint32_t ports, void *subject,
                    struct evc_party *party)
{
    struct evc_cell *cell = new_cell(stage->bench);
    uint32_t active = what->active < ports ? what->active : ports;

    if (!cell)
        return fail(stage->bench, -ENOMEM, "out of memory");
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

static bool wanted(const struct evc_bench *bench, const struct evc_case *what,
                   enum evc_place place)
{
    return (what->places & 1u << place) &&
           evc_bench_chosen(bench->options.cases, what->name,
                            strlen(what->name));
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

/* How often makes a sample long enough? */
static int calibrate(struct evc_cell *cell, double wanted_ns)
{
    struct evc_sample sample;
    int r;

    for (cell->reps = 1;; cell->reps *= 2) {
        r = measure(cell, &sample);
        if (r < 0 || sample.ns >= wanted_ns || cell->reps >= MAX_REPS)
            return r;
        if (sample.ns < wanted_ns / 16)
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

static int sample_cell(struct stage *stage, struct evc_cell *cell,
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
    return fail(bench, r, "%s, %s, %s: %s", cell->who, cell->what->name,
                evc_place_names[cell->place],
                r == -ETIMEDOUT ? "an event did not arrive" : strerror(-r));
}

/* ---- a stage ------------------------------------------------------------- */

static void show_progress(const struct stage *stage, unsigned round)
{
    FILE *out = stage->bench->options.progress;

    if (!out)
        return;
    fprintf(out, "\r\033[K%s: round %u of %u", stage->name, round + 1,
            stage->bench->options.rounds);
    fflush(out);
}

static int run_rounds(struct stage *stage)
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
static int begin_stage(struct stage *stage)
{
    struct evc_bench *bench = stage->bench;
    int r;

    stage->first = bench->count;
    r = add_cell(stage, &evc_case_rmw, "machine", 0, NULL, NULL);
    if (r < 0 || stage->place == EVC_PLACE_ONE)
        return r;
    r = evc_party_start(&bench->machine, stage->place, NULL, &stage->party);
    if (r < 0)
        return fail(bench, r, "%s: %s", stage->name, strerror(-r));
    return add_cell(stage, &evc_case_bounce, "machine", 0, stage->party,
                    stage->party);
}

static void end_stage(struct stage *stage)
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

/* ---- stages of adapters -------------------------------------------------- */

/* Is this to be measured of it here? `only`: one of these cases. */
static bool route_wanted(const struct stage *stage,
                         const struct evc_adapter *adapter,
                         const struct evc_case *what, const char *only)
{
    return wanted(stage->bench, what, stage->place) &&
           evc_bench_chosen(only, what->name, strlen(what->name)) &&
           evc_route_has(what, adapter);
}

static bool any_wanted(const struct stage *stage,
                       const struct evc_adapter *adapter, const char *only)
{
    const struct evc_case *what = evc_route_cases;

    while (what->name && !route_wanted(stage, adapter, what, only))
        what++;
    return what->name;
}

static int add_route(struct stage *stage, const struct evc_adapter *adapter,
                     uint32_t ports, const char *only)
{
    struct evc_bench *bench = stage->bench;
    struct evc_route *route;
    int r;

    if (!any_wanted(stage, adapter, only))
        return 0;
    r = evc_route_open(&bench->machine, adapter, stage->place, ports, &route);
    if (r == -EMFILE)
        return add_gap(bench, adapter->name, stage->name,
                       "it needs more descriptors than are allowed");
    if (r < 0)
        return fail(bench, r, "%s, %s: cannot be set up: %s", adapter->name,
                    stage->name, strerror(-r));
    stage->routes[stage->nr_routes++] = route;
    for (const struct evc_case *what = evc_route_cases; r == 0 && what->name;
         what++)
        if (route_wanted(stage, adapter, what, only))
            r = add_cell(stage, what, adapter->name, ports, route,
                         route->party);
    return r;
}

/* Every adapter that is wanted and can be had; `only`: these cases. */
static int add_routes(struct stage *stage, uint32_t ports, const char *only)
{
    const struct evc_bench_options *options = &stage->bench->options;
    const struct evc_adapter *adapter;
    int r = 0;

    for (unsigned i = 0; r == 0 && (adapter = evc_adapter_at(i)); i++) {
        uint32_t most = adapter->channels ? adapter->channels : UINT32_MAX;

        if (!evc_bench_chosen(options->adapters, adapter->name,
                              strlen(adapter->name)) ||
            evc_adapter_missing(adapter) || (only && ports > most))
            continue;
        r = add_route(stage, adapter, ports < most ? ports : most, only);
    }
    return r;
}

static int run_routes(struct evc_bench *bench, enum evc_place place,
                      uint32_t ports, const char *only)
{
    char name[64];
    struct stage stage = {.bench = bench, .place = place, .name = name};
    int r;

    snprintf(name, sizeof(name), "%s, %u ports", evc_place_names[place], ports);
    r = begin_stage(&stage);
    if (r == 0)
        r = add_routes(&stage, ports, only);
    if (r == 0)
        r = run_rounds(&stage);
    end_stage(&stage);
    return r;
}

static int run_places(struct evc_bench *bench)
{
    int r = 0;

    for (int place = 0; r == 0 && place < EVC_PLACES; place++) {
        if (!(bench->options.places & 1u << place))
            continue;
        if (place != EVC_PLACE_ONE && bench->machine.cpus < 2)
            r = add_gap(bench, "all", evc_place_names[place],
                        "this takes two CPUs");
        else
            r = run_routes(bench, (enum evc_place)place, bench->options.base,
                           NULL);
    }
    return r;
}

/* Cost against number of ports: two cases, on one CPU. */
static int run_ports(struct evc_bench *bench)
{
    int r = 0;

    if (!(bench->options.places & 1u << EVC_PLACE_ONE))
        return 0;
    for (unsigned i = 0;
         r == 0 && i < EVC_BENCH_PORTS && bench->options.ports[i]; i++)
        if (bench->options.ports[i] != bench->options.base)
            r = run_routes(bench, EVC_PLACE_ONE, bench->options.ports[i],
                           "setup,dispatch,dispatch100");
    return r;
}

/* ---- stages of our engine alone ------------------------------------------ */

static int add_own(struct stage *stage, bool fifo, uint32_t channels,
                   const char *only)
{
    struct evc_bench *bench = stage->bench;
    struct evc_own *own;
    int r = evc_own_open(&bench->machine, fifo, channels, stage->place, &own);

    if (r < 0)
        return fail(bench, r, "%s: cannot be set up: %s", stage->name,
                    strerror(-r));
    stage->owns[stage->nr_owns++] = own;
    for (const struct evc_case *what = evc_own_cases; r == 0 && what->name;
         what++)
        if (wanted(bench, what, stage->place) &&
            evc_bench_chosen(only, what->name, strlen(what->name)))
            r = add_cell(stage, what, fifo ? "own-fifo" : "own-2level",
                         channels, own, own->party);
    return r;
}

static int run_own_alone(struct evc_bench *bench)
{
    static const char few[] = "pending,masked,whole,pair,unmask,cycle";
    static const char many[] = "cycle,drain,drain-all,urgent,urgent-all";
    struct stage stage = {
        .bench = bench, .place = EVC_PLACE_ONE, .name = "our engine, one CPU"};
    bool big = bench->options.base >= 1000;
    int r = begin_stage(&stage);

    if (r == 0)
        r = add_own(&stage, false, 1, few);
    if (r == 0)
        r = add_own(&stage, true, 1, few);
    if (r == 0)
        r = add_own(&stage, true, big ? MANY : FEW, many);
    if (r == 0)
        r = run_rounds(&stage);
    end_stage(&stage);
    return r;
}

static int run_own_together(struct evc_bench *bench)
{
    static const char cases[] = "pending,same-port,other-port,polled";
    struct stage stage = {.bench = bench,
                          .place = EVC_PLACE_THREADS,
                          .name = "our engine, two CPUs"};
    int r = begin_stage(&stage);

    for (int fifo = 0; r == 0 && fifo < 2; fifo++)
        r = add_own(&stage, fifo, 1000, cases);
    if (r == 0)
        r = run_rounds(&stage);
    end_stage(&stage);
    return r;
}

static int run_own(struct evc_bench *bench)
{
    int r = 0;

    if (!bench->options.goals)
        return 0;
    if (bench->options.places & 1u << EVC_PLACE_ONE)
        r = run_own_alone(bench);
    if (r < 0 || !(bench->options.places & 1u << EVC_PLACE_THREADS))
        return r;
    if (bench->machine.cpus < 2)
        return add_gap(bench, "our engine", "two CPUs", "this takes two CPUs");
    return run_own_together(bench);
}

/* ---- stage of the daemon and the drop-in library -------------------------- */

static int add_drop(struct stage *stage)
{
    struct evc_bench *bench = stage->bench;
    int r = evc_drop_open(&bench->machine, &stage->drop);

    if (r < 0)
        return fail(bench, r, "%s: cannot be set up: %s", stage->name,
                    strerror(-r));
    for (const struct evc_case *what = evc_drop_cases; r == 0 && what->name;
         what++)
        if (wanted(bench, what, stage->place))
            r = add_cell(stage, what, "own-daemon", 0, stage->drop, NULL);
    return r;
}

static int run_drop(struct evc_bench *bench)
{
    struct stage stage = {
        .bench = bench, .place = EVC_PLACE_ONE, .name = "our daemon"};
    int r;

    if (!bench->options.goals ||
        !(bench->options.places & 1u << EVC_PLACE_ONE) ||
        evc_adapter_missing(&evc_adapter_xenevtchn))
        return 0;
    r = begin_stage(&stage);
    if (r == 0)
        r = add_drop(&stage);
    if (r == 0)
        r = run_rounds(&stage);
    end_stage(&stage);
    return r;
}

/* ---- the whole ----------------------------------------------------------- */

void evc_bench_defaults(struct evc_bench_options *options)
{
    *options = (struct evc_bench_options){
        .places = (1u << EVC_PLACES) - 1,
        .base = 1000,
        .rounds = 31,
        .sample_ns = 500e3,
        .retakes = 5,
        .goals = true,
        .realtime = true,
    };
}

void evc_bench_hurry(struct evc_bench_options *options)
{
    options->base = 200;
    options->rounds = 3;
    options->sample_ns = 50e3;
    options->retakes = 1;
}

static int note_missing(struct evc_bench *bench)
{
    const struct evc_adapter *adapter;
    int r = 0;

    for (unsigned i = 0; r == 0 && (adapter = evc_adapter_at(i)); i++)
        if (evc_adapter_missing(adapter) &&
            evc_bench_chosen(bench->options.adapters, adapter->name,
                             strlen(adapter->name)))
            r = add_gap(bench, adapter->name, "all",
                        evc_adapter_missing(adapter));
    return r;
}

static int run_all(struct evc_bench *bench)
{
    int r = note_missing(bench);

    if (r == 0)
        r = run_places(bench);
    if (r == 0)
        r = run_ports(bench);
    if (r == 0)
        r = run_own(bench);
    if (r == 0)
        r = run_drop(bench);
    return r;
}

int evc_bench_run(const struct evc_bench_options *options,
                  struct evc_bench *bench)
{
    double begin = evc_now_ns();
    int r;

    *bench = (struct evc_bench){.options = *options};
    r = evc_machine_look(&bench->machine, options->cpus, options->realtime);
    if (r < 0)
        return fail(bench, r, "these CPUs are not to be had");
    evc_machine_enter(&bench->machine, bench->machine.sender);
    r = run_all(bench);
    evc_machine_leave();
    bench->seconds = (evc_now_ns() - begin) / 1e9;
    return r;
}

void evc_bench_finish(struct evc_bench *bench)
{
    for (size_t i = 0; i < bench->count; i++) {
        free(bench->cells[i]->samples);
        free(bench->cells[i]);
    }
    free(bench->cells);
    free(bench->gaps);
    *bench = (struct evc_bench){0};
}
