/* SPDX-License-Identifier: MIT */
/*
 * Counting system calls, exactly.
 */
#ifndef EVC_BENCH_CALLS_H
#define EVC_BENCH_CALLS_H

#include "cell.h"

/*
 * How many are made between the two evc_calls_mark() of work(), which runs in a
 * child.  NaN: it cannot be counted here, or work() failed.
 */
double evc_calls_of(int (*work)(void *data), void *data);
void evc_calls_mark(void);

/* Of an adapter: the bodies of two cases. */
evc_body evc_calls_notify, evc_calls_dispatch;

#endif /* EVC_BENCH_CALLS_H */
