/* SPDX-License-Identifier: MIT */
/*
 * Medians and quartiles, by linear interpolation between neighbours.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* sorted[] has count > 0 values; at is 0 .. 1. */
static double quantile(const double *sorted, size_t count, double at)
{
    double place = at * (double)(count - 1);
    size_t below = (size_t)place;
    double rest = place - (double)below;

    if (below + 1 == count)
        return sorted[below];
    return sorted[below] + rest * (sorted[below + 1] - sorted[below]);
}

static struct evc_spread sort_and_look(double *values, size_t count)
{
    if (count == 0)
        return (struct evc_spread){NAN, NAN, NAN};
    qsort(values, count, sizeof(*values), compare);
    return (struct evc_spread){quantile(values, count, 0.25),
                               quantile(values, count, 0.5),
                               quantile(values, count, 0.75)};
}

struct evc_spread evc_spread_of(const double *values, size_t count)
{
    double *kept = malloc((count + 1) * sizeof(*kept));
    struct evc_spread spread;
    size_t n = 0;

    for (size_t i = 0; kept && i < count; i++)
        if (!isnan(values[i]))
            kept[n++] = values[i];
    spread = sort_and_look(kept, n);
    free(kept);
    return spread;
}

struct evc_spread evc_spread_ratio(const double *values, const double *units,
                                   size_t count)
{
    double *ratios = malloc((count + 1) * sizeof(*ratios));
    struct evc_spread spread;

    for (size_t i = 0; ratios && i < count; i++)
        ratios[i] = units[i] > 0 ? values[i] / units[i] : NAN;
    spread = ratios ? evc_spread_of(ratios, count) : sort_and_look(NULL, 0);
    free(ratios);
    return spread;
}
