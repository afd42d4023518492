/* SPDX-License-Identifier: MIT */
/*
 * Which stages there are, and what is in each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

#define MANY 100000u
#define FEW  4000u

/* ---- stages of adapters -------------------------------------------------- */

/* Is this to be measured of it here? `only`: one of these cases. */
static bool route_wanted(const struct evc_stage *stage,
                         const struct evc_adapter *adapter,
                         const struct evc_case *what, const char *only)
{
    return evc_stage_wants(stage, what, only) && evc_route_has(what, adapter);
}

static bool any_wanted(const struct evc_stage *stage,
                       const struct evc_adapter *adapter, const char *only)
{
    const struct evc_case *what = evc_route_cases;

    while (what->name && !route_wanted(stage, adapter, what, only))
        what++;
    return what->name;
}

static int add_route(struct evc_stage *stage, const struct evc_adapter *adapter,
                     uint32_t ports, const char *only)
{
    struct evc_bench *bench = stage->bench;
    struct evc_route *route;
    int r;

    if (!any_wanted(stage, adapter, only))
        return 0;
    r = evc_route_open(&bench->machine, adapter, stage->place, ports, &route);
    if (r == -EMFILE)
        return evc_bench_add_gap(bench, adapter->name, stage->name,
                                 "it needs more descriptors than are allowed");
    if (r < 0)
        return evc_bench_fail(bench, r, "%s, %s: cannot be set up: %s",
                              adapter->name, stage->name, strerror(-r));
    stage->routes[stage->nr_routes++] = route;
    for (const struct evc_case *what = evc_route_cases; r == 0 && what->name;
         what++)
        if (route_wanted(stage, adapter, what, only))
            r = evc_stage_add(stage, what, adapter->name, ports, route,
                              route->party);
    return r;
}

/* Every adapter that is wanted and can be had; `only`: these cases. */
static int add_routes(struct evc_stage *stage, uint32_t ports, const char *only)
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
    struct evc_stage stage = {.bench = bench, .place = place, .name = name};
    int r;

    snprintf(name, sizeof(name), "%s, %u ports", evc_place_names[place], ports);
    r = evc_stage_begin(&stage);
    if (r == 0)
        r = add_routes(&stage, ports, only);
    if (r == 0)
        r = evc_stage_run(&stage);
    evc_stage_end(&stage);
    return r;
}

static int run_places(struct evc_bench *bench)
{
    int r = 0;

    for (int place = 0; r == 0 && place < EVC_PLACES; place++) {
        if (!(bench->options.places & 1u << place))
            continue;
        if (place != EVC_PLACE_ONE && bench->machine.cpus < 2)
            r = evc_bench_add_gap(bench, "all", evc_place_names[place],
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

static int add_own(struct evc_stage *stage, bool fifo, uint32_t channels,
                   const char *only)
{
    struct evc_bench *bench = stage->bench;
    struct evc_own *own;
    int r = evc_own_open(&bench->machine, fifo, channels, stage->place, &own);

    if (r < 0)
        return evc_bench_fail(bench, r, "%s: cannot be set up: %s", stage->name,
                              strerror(-r));
    stage->owns[stage->nr_owns++] = own;
    for (const struct evc_case *what = evc_own_cases; r == 0 && what->name;
         what++)
        if (evc_stage_wants(stage, what, only))
            r = evc_stage_add(stage, what, fifo ? "own-fifo" : "own-2level",
                              channels, own, own->party);
    return r;
}

static int run_own_alone(struct evc_bench *bench)
{
    static const char few[] = "pending,masked,whole,pair,unmask,cycle";
    static const char many[] = "cycle,drain,drain-all,urgent,urgent-all";
    struct evc_stage stage = {
        .bench = bench, .place = EVC_PLACE_ONE, .name = "our engine, one CPU"};
    bool big = bench->options.base >= 1000;
    int r = evc_stage_begin(&stage);

    if (r == 0)
        r = add_own(&stage, false, 1, few);
    if (r == 0)
        r = add_own(&stage, true, 1, few);
    if (r == 0)
        r = add_own(&stage, true, big ? MANY : FEW, many);
    if (r == 0)
        r = evc_stage_run(&stage);
    evc_stage_end(&stage);
    return r;
}

static int run_own_together(struct evc_bench *bench)
{
    static const char cases[] = "pending,same-port,other-port,polled";
    struct evc_stage stage = {.bench = bench,
                              .place = EVC_PLACE_THREADS,
                              .name = "our engine, two CPUs"};
    int r = evc_stage_begin(&stage);

    for (int fifo = 0; r == 0 && fifo < 2; fifo++)
        r = add_own(&stage, fifo, 1000, cases);
    if (r == 0)
        r = evc_stage_run(&stage);
    evc_stage_end(&stage);
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
        return evc_bench_add_gap(bench, "our engine", "two CPUs",
                                 "this takes two CPUs");
    return run_own_together(bench);
}

/* ---- stage of the daemon and the drop-in library -------------------------- */

static int add_drop(struct evc_stage *stage)
{
    struct evc_bench *bench = stage->bench;
    int r = evc_drop_open(&bench->machine, &stage->drop);

    if (r < 0)
        return evc_bench_fail(bench, r, "%s: cannot be set up: %s", stage->name,
                              strerror(-r));
    for (const struct evc_case *what = evc_drop_cases; r == 0 && what->name;
         what++)
        if (evc_stage_wants(stage, what, NULL))
            r = evc_stage_add(stage, what, "own-daemon", 0, stage->drop, NULL);
    return r;
}

static int run_drop(struct evc_bench *bench)
{
    struct evc_stage stage = {
        .bench = bench, .place = EVC_PLACE_ONE, .name = "our daemon"};
    int r;

    if (!bench->options.goals ||
        !(bench->options.places & 1u << EVC_PLACE_ONE) ||
        evc_adapter_missing(&evc_adapter_xenevtchn))
        return 0;
    r = evc_stage_begin(&stage);
    if (r == 0)
        r = add_drop(&stage);
    if (r == 0)
        r = evc_stage_run(&stage);
    evc_stage_end(&stage);
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
            r = evc_bench_add_gap(bench, adapter->name, "all",
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
        return evc_bench_fail(bench, r, "these CPUs are not to be had");
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
