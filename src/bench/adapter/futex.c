/* SPDX-License-Identifier: MIT */
/*
 * One word and a futex: a system call only where somebody sleeps.
 *
 * The word is EMPTY, FULL, or SLEEPER: empty, and somebody waits for it.  All
 * changes of it are exchanges, so a sender learns whether there was a sleeper.
 */
#include <errno.h>
#include <stdlib.h>

#include "adapters.h"
#include "word.h"

enum { EMPTY, FULL, SLEEPER };

struct link {
    _Atomic uint32_t *word;
    int flag;
    evc_adapter_handler *handler;
    void *data;
};

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = malloc(sizeof(*link));

    if (!link)
        return -ENOMEM;
    *link = (struct link){
        .word = evc_map_shared(sizeof(*link->word)),
        .flag = evc_futex_flag(config->processes),
        .handler = config->handler,
        .data = config->data,
    };
    if (!link->word) {
        free(link);
        return -ENOMEM;
    }
    *out = link;
    return 0;
}

static void close_link(void *data)
{
    struct link *link = data;

    munmap((void *)link->word, sizeof(*link->word));
    free(link);
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;

    (void)channel;
    if (atomic_exchange(link->word, FULL) == SLEEPER)
        evc_wake_all(link->word, link->flag);
    return 0;
}

static int take(void *data)
{
    struct link *link = data;

    if (atomic_load_explicit(link->word, memory_order_relaxed) == FULL &&
        atomic_exchange(link->word, EMPTY) == FULL)
        link->handler(link->data, 0);
    return 0;
}

static int wait(void *data)
{
    struct link *link = data;
    uint32_t empty = EMPTY;

    while (atomic_load(link->word) != FULL) {
        atomic_compare_exchange_strong(link->word, &empty, SLEEPER);
        evc_sleep_on(link->word, SLEEPER, link->flag);
        empty = EMPTY;
    }
    return take(data);
}

static void memory(const void *data, struct evc_adapter_memory *out)
{
    const struct link *link = data;

    out->shared = sizeof(*link->word);
}

const struct evc_adapter evc_adapter_futex = {
    .version = EVC_ADAPTER_VERSION,
    .name = "futex",
    .about = "one shared word, and a futex for a receiver that sleeps",
    .channels = 1,
    .open = open_link,
    .close = close_link,
    .send = send,
    .take = take,
    .wait = wait,
    .memory = memory,
};
