/* SPDX-License-Identifier: MIT */
/*
 * What is measured of the daemon and the drop-in library alone: goals of E.
 */
#ifndef EVC_BENCH_DROP_H
#define EVC_BENCH_DROP_H

#include "cell.h"

struct evc_drop;

/* Return: 0; -errno. */
int evc_drop_open(const struct evc_machine *machine, struct evc_drop **out);
void evc_drop_close(struct evc_drop *drop);

/* Of struct evc_drop; ended by one without a name. */
extern const struct evc_case evc_drop_cases[];

#endif /* EVC_BENCH_DROP_H */
