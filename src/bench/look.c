/* SPDX-License-Identifier: MIT */
/*
 * Names of cases and places, lists of names, and finding what was measured.
 */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "drop.h"
#include "own.h"
#include "route.h"

const char *const evc_place_names[EVC_PLACES] = {"one CPU", "threads",
                                                 "processes"};

/* ---- lists of names ------------------------------------------------------ */

bool evc_bench_chosen(const char *list, const char *name, size_t length)
{
    while (list) {
        size_t n = strcspn(list, ",");

        if (n == length && memcmp(list, name, n) == 0)
            return true;
        if (list[n] == '\0')
            return false;
        list += n + 1;
    }
    return true;
}

const struct evc_case *evc_bench_case(unsigned index)
{
    static const struct evc_case *const lists[] = {
        evc_route_cases, evc_own_cases, evc_drop_cases};

    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct evc_case *what = lists[i]; what->name; what++)
            if (index-- == 0)
                return what;
    return NULL;
}

static bool is_case(const char *name, size_t length)
{
    const struct evc_case *what;

    for (unsigned i = 0; (what = evc_bench_case(i)) != NULL; i++)
        if (strlen(what->name) == length &&
            memcmp(what->name, name, length) == 0)
            return true;
    return false;
}

const char *evc_bench_no_case(const char *list, size_t *length)
{
    while (list) {
        *length = strcspn(list, ",");
        if (!is_case(list, *length))
            return list;
        list = list[*length] ? list + *length + 1 : NULL;
    }
    return NULL;
}

/* ---- looking ------------------------------------------------------------- */

const struct evc_cell *evc_bench_find(const struct evc_bench *bench,
                                      const char *who, const char *what,
                                      enum evc_place place, uint32_t ports)
{
    for (size_t i = 0; i < bench->count; i++) {
        const struct evc_cell *cell = bench->cells[i];

        if (cell->place == place && (!ports || cell->ports == ports) &&
            strcmp(cell->who, who) == 0 && strcmp(cell->what->name, what) == 0)
            return cell;
    }
    return NULL;
}

struct evc_spread evc_bench_spread(const struct evc_bench *bench,
                                   const struct evc_cell *cell)
{
    return cell ? evc_spread_of(cell->samples, bench->options.rounds)
                : (struct evc_spread){NAN, NAN, NAN};
}
