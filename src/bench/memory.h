/* SPDX-License-Identifier: MIT */
/*
 * What a channel takes of memory and descriptors; the bodies of four cases.
 */
#ifndef EVC_BENCH_MEMORY_H
#define EVC_BENCH_MEMORY_H

#include "cell.h"

evc_body evc_memory_private, evc_memory_shared, evc_memory_receiver,
    evc_memory_descriptors;

#endif /* EVC_BENCH_MEMORY_H */
