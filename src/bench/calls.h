/* SPDX-License-Identifier: MIT */
/*
 * Counting system calls, exactly; the bodies of two cases.
 */
#ifndef EVC_BENCH_CALLS_H
#define EVC_BENCH_CALLS_H

#include "cell.h"

evc_body evc_calls_notify, evc_calls_dispatch;

#endif /* EVC_BENCH_CALLS_H */
