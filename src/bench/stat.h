/* SPDX-License-Identifier: MIT */
/*
 * What the rounds of a benchmark say together.
 */
#ifndef EVC_BENCH_STAT_H
#define EVC_BENCH_STAT_H

#include <stddef.h>

/* Half of the rounds lie between low and high, the quartiles. */
struct evc_spread {
    double low, median, high;
};

/* NaN are left out; of nothing, all three are NaN. */
struct evc_spread evc_spread_of(const double *values, size_t count);

/*
 * Of values[i] / units[i]: what disturbed a round disturbed both.  Rounds whose
 * unit is not above zero are left out.
 */
struct evc_spread evc_spread_ratio(const double *values, const double *units,
                                   size_t count);

#endif /* EVC_BENCH_STAT_H */
