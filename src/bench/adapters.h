/* SPDX-License-Identifier: MIT */
/*
 * The adapters that evc bench has, and those it is given.
 */
#ifndef EVC_BENCH_ADAPTERS_H
#define EVC_BENCH_ADAPTERS_H

#include <evc/adapter.h>

extern const struct evc_adapter evc_adapter_fifo, evc_adapter_twolevel,
    evc_adapter_epoll, evc_adapter_eventfd, evc_adapter_futex, evc_adapter_pipe,
    evc_adapter_mq, evc_adapter_seqpacket, evc_adapter_uring,
    evc_adapter_bitmap, evc_adapter_xenevtchn;

/* Those built in and those loaded so far, in the order of the table, or NULL. */
const struct evc_adapter *evc_adapter_at(unsigned index);
const struct evc_adapter *evc_adapter_find(const char *name, size_t length);

/*
 * Load an adapter from a shared object.  It stays.
 *
 * Return: 0; -EINVAL, with *why, good until the next call.
 */
int evc_adapter_load(const char *path, const char **why);

/* Why it cannot be used on this machine, or NULL. */
const char *evc_adapter_missing(const struct evc_adapter *adapter);

#endif /* EVC_BENCH_ADAPTERS_H */
