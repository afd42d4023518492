/* SPDX-License-Identifier: MIT */
/*
 * The table, for programs; evc-bench(1) has its shape.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include <evc/evc.h>

#include "bench.h"

/* JSON has no NaN. */
static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *spread(const struct evc_spread *spread)
{
    return json_pack("{s:o, s:o, s:o}", "median", number(spread->median), "low",
                     number(spread->low), "high", number(spread->high));
}

static json_t *machine(const struct evc_bench *bench)
{
    const struct evc_machine *m = &bench->machine;

    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:b, s:f}", "model", m->model,
                     "kernel", m->kernel, "online", (int)m->online,
                     "sender_cpu", m->sender, "receiver_cpu", m->receiver,
                     "realtime", m->realtime, "load", m->load);
}

static json_t *adapters(void)
{
    const struct evc_adapter *adapter;
    json_t *list = json_array();

    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?}", "name",
                                              adapter->name, "about",
                                              adapter->about, "missing",
                                              evc_adapter_missing(adapter)));
    return list;
}

static json_t *samples(const struct evc_bench *bench,
                       const struct evc_cell *cell)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < bench->options.rounds; i++)
        json_array_append_new(list, number(cell->samples[i]));
    return list;
}

static json_t *result(const struct evc_bench *bench,
                      const struct evc_cell *cell)
{
    struct evc_spread s = evc_bench_spread(bench, cell);
    json_t *object = spread(&s);

    json_object_update_new(
        object,
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:o}", "who",
                  cell->who, "case", cell->what->name, "place",
                  evc_place_names[cell->place], "unit", cell->what->unit,
                  "ports", (int)cell->ports, "active", (int)cell->active,
                  "retaken", (int)cell->retaken, "disturbed",
                  (int)cell->disturbed, "samples", samples(bench, cell)));
    return object;
}

static json_t *results(const struct evc_bench *bench)
{
    json_t *list = json_array();

    for (size_t i = 0; i < bench->count; i++)
        json_array_append_new(list, result(bench, bench->cells[i]));
    return list;
}

static json_t *reached(const struct evc_goal_result *goal)
{
    return isnan(goal->goal->limit) ? json_null() : json_boolean(goal->reached);
}

static json_t *goals(const struct evc_bench *bench)
{
    json_t *list = json_array();
    struct evc_goal_result goal;

    for (unsigned i = 0; evc_bench_goal(bench, i, &goal); i++) {
        json_t *object = spread(&goal.spread);

        json_object_update_new(
            object,
            json_pack("{s:s, s:s, s:s, s:o, s:o}", "table", goal.goal->table,
                      "what", goal.goal->text, "unit", goal.goal->unit, "goal",
                      number(goal.goal->limit), "reached", reached(&goal)));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *gaps(const struct evc_bench *bench)
{
    json_t *list = json_array();

    for (size_t i = 0; i < bench->gap_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "who",
                                              bench->gaps[i].who, "where",
                                              bench->gaps[i].where, "why",
                                              bench->gaps[i].why));
    return list;
}

int evc_bench_json(const struct evc_bench *bench, FILE *out)
{
    json_t *root = json_pack(
        "{s:s, s:o, s:i, s:i, s:f, s:o, s:o, s:o, s:o}", "evc", evc_version(),
        "machine", machine(bench), "rounds", (int)bench->options.rounds,
        "ports", (int)bench->options.base, "seconds", bench->seconds,
        "adapters", adapters(), "results", results(bench), "goals",
        goals(bench), "not_measured", gaps(bench));
    int r = -1;

    if (root)
        r = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    json_decref(root);
    fputc('\n', out);
    return r == 0 ? 0 : -ENOMEM;
}
