/* SPDX-License-Identifier: MIT */
/**
 * @file adapter.h
 *
 * A way of notifying, as `evc bench` sees it: a struct of functions.
 *
 * Whoever has another one compiles it as a shared object that exports
 *
 *     const struct evc_adapter evc_adapter = {.version = EVC_ADAPTER_VERSION,
 *                                             .name = "mine", ...};
 *
 * and measures it beside the others: evc bench --load=./mine.so, evc-bench(1).
 *
 * A link carries events one way, from one sender to one receiver, over a number
 * of channels, 0 to config.channels - 1.  The two are one thread that does both
 * in turn, two threads, or two processes.  open() is called first, by the
 * sender; where there are two processes, the receiver is forked off it then, so
 * what they share must survive a fork (MAP_SHARED, descriptors), and what
 * either keeps for itself may lie anywhere.
 *
 * Errors   Functions that return an int return zero or more on success and a
 *          negative errno value on failure, which ends the benchmark with a
 *          message; -EAGAIN from send is no failure.
 * Threads  One sender and one receiver at a time; no other calls meanwhile but
 *          those named in the text of a member.
 */
#ifndef EVC_ADAPTER_H
#define EVC_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVC_ADAPTER_VERSION 1u

/** What a receiver calls for each event, on its own thread. */
typedef void evc_adapter_handler(void *data, uint32_t channel);

struct evc_adapter_config {
    uint32_t channels; /* at least 1 */
    bool processes;    /* sender and receiver will be two processes */
    evc_adapter_handler *handler;
    void *data; /* handed to @handler, not looked at */
};

/** What a link takes beside the sender's heap, in bytes. */
struct evc_adapter_memory {
    size_t shared;   /* mapped by both */
    size_t receiver; /* the receiver's own */
};

struct evc_adapter {
    uint32_t version;  /* EVC_ADAPTER_VERSION */
    uint32_t channels; /* most channels of a link; 0: as many as one likes */
    uint32_t depth;    /* sends that fit untaken; 0: any number, they merge */
    uint32_t descriptors; /* that each channel takes */
    const char *name;     /* one word, for --adapters, tables and JSON */
    const char *about;    /* one line */

    /**
     * @missing: what this machine lacks for it, as "no io_uring in this
     * kernel"; or NULL: nothing.  Default: nothing.
     */
    const char *(*missing)(void);

    /** @open, @close: a link.  @config is not kept.  By the sender. */
    int (*open)(const struct evc_adapter_config *config, void **link);
    void (*close)(void *link);

    /** @enter: the receiver is here, in its thread or process.  Optional. */
    int (*enter)(void *link);

    /**
     * @cycle: set up one more channel and take it down again.  By the sender,
     * while nothing is under way.  Default: this cannot be measured.
     */
    int (*cycle)(void *link);

    /** @send: notify.  Return: 0; -EAGAIN: full, the receiver must take. */
    int (*send)(void *link, uint32_t channel);

    /** @take: call the handler for each event there is now; do not wait. */
    int (*take)(void *link);

    /** @wait: as @take, but wait until there is at least one. */
    int (*wait)(void *link);

    /** @memory: what the heap does not show.  Default: none. */
    void (*memory)(const void *link, struct evc_adapter_memory *out);
};

#ifdef __cplusplus
}
#endif

#endif /* EVC_ADAPTER_H */
