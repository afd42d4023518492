/* SPDX-License-Identifier: MIT */
/*
 * A stage: everything that is open at the same time, such as the links of all
 * adapters with one number of channels in one place.
 *
 * In every round each cell of the stage is sampled once, after the units, so that
 * whatever disturbs the machine disturbs all of them alike.
 */
#ifndef EVC_BENCH_STAGE_H
#define EVC_BENCH_STAGE_H

#include "bench.h"
#include "drop.h"
#include "own.h"
#include "route.h"

#define EVC_STAGE_MOST 40u /* links */

struct evc_stage {
    struct evc_bench *bench;
    enum evc_place place;
    const char *name;
    struct evc_party *party; /* for the round trip */
    struct evc_route *routes[EVC_STAGE_MOST];
    struct evc_own *owns[EVC_STAGE_MOST];
    struct evc_drop *drop;
    unsigned nr_routes, nr_owns;
    size_t first; /* of its cells */
};

/* Say what went wrong.  Return: error. */
__attribute__((format(printf, 3, 4))) int
evc_bench_fail(struct evc_bench *bench, int error, const char *format, ...);

/* Say what is not measured.  Return: 0; -ENOMEM. */
int evc_bench_add_gap(struct evc_bench *bench, const char *who,
                      const char *where, const char *why);

/* Begin one, with the cells of its units; ended in any case. */
int evc_stage_begin(struct evc_stage *stage);
void evc_stage_end(struct evc_stage *stage);

/* Is this case to be measured in it?  `only`: one of these; NULL: any. */
bool evc_stage_wants(const struct evc_stage *stage, const struct evc_case *what,
                     const char *only);

/* One more cell. */
int evc_stage_add(struct evc_stage *stage, const struct evc_case *what,
                  const char *who, uint32_t ports, void *subject,
                  struct evc_party *party);

/* All rounds.  Return: 0; -errno, and bench->error says what and where. */
int evc_stage_run(struct evc_stage *stage);

#endif /* EVC_BENCH_STAGE_H */
