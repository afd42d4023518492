/* SPDX-License-Identifier: MIT */
/*
 * What one would write by hand: a bit for each channel in shared memory, a bit
 * for each word of these, and a futex for a receiver that sleeps.
 *
 * No masks, no priorities, no binding, no check of anything: the least that a
 * notification by memory can cost.
 */
#include <errno.h>
#include <stdlib.h>

#include "adapters.h"
#include "word.h"

struct map {
    _Alignas(128) _Atomic uint32_t asleep; /* 1: the receiver is, or soon */
    _Alignas(128) _Atomic uint64_t word[]; /* first the summary */
};

struct link {
    struct map *map;
    size_t size;
    uint32_t words, summaries;
    int flag;
    evc_adapter_handler *handler;
    void *data;
};

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link)
        return -ENOMEM;
    link->words = (config->channels + 63) / 64;
    link->summaries = (link->words + 63) / 64;
    link->size =
        sizeof(*link->map) + (link->words + link->summaries) * sizeof(uint64_t);
    link->flag = evc_futex_flag(config->processes);
    link->handler = config->handler;
    link->data = config->data;
    link->map = evc_map_shared(link->size);
    if (!link->map) {
        free(link);
        return -ENOMEM;
    }
    *out = link;
    return 0;
}

static void close_link(void *data)
{
    struct link *link = data;

    munmap(link->map, link->size);
    free(link);
}

/* Set a bit. Return: was it clear? */
static bool set(_Atomic uint64_t *word, uint32_t bit)
{
    uint64_t mask = UINT64_C(1) << bit;

    return !(atomic_fetch_or(word, mask) & mask);
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;
    struct map *map = link->map;
    uint32_t word = channel / 64;

    if (!set(&map->word[link->summaries + word], channel % 64) ||
        !set(&map->word[word / 64], word % 64))
        return 0;
    if (atomic_load(&map->asleep) && atomic_exchange(&map->asleep, 0))
        evc_wake_all(&map->asleep, link->flag);
    return 0;
}

/* The numbers of the bits set, which are taken. */
static uint64_t take_word(_Atomic uint64_t *word)
{
    if (atomic_load_explicit(word, memory_order_relaxed) == 0)
        return 0;
    return atomic_exchange(word, 0);
}

static uint32_t next_bit(uint64_t *bits)
{
    uint32_t bit = (uint32_t)__builtin_ctzll(*bits);

    *bits &= *bits - 1;
    return bit;
}

static void take_channels(struct link *link, uint32_t word)
{
    uint64_t bits = take_word(&link->map->word[link->summaries + word]);

    while (bits)
        link->handler(link->data, word * 64 + next_bit(&bits));
}

static int take(void *data)
{
    struct link *link = data;

    for (uint32_t i = 0; i < link->summaries; i++) {
        uint64_t words = take_word(&link->map->word[i]);

        while (words)
            take_channels(link, i * 64 + next_bit(&words));
    }
    return 0;
}

static bool is_empty(const struct link *link)
{
    for (uint32_t i = 0; i < link->summaries; i++)
        if (atomic_load(&link->map->word[i]))
            return false;
    return true;
}

static int wait(void *data)
{
    struct link *link = data;
    struct map *map = link->map;

    while (is_empty(link)) {
        atomic_store(&map->asleep, 1);
        if (is_empty(link))
            evc_sleep_on(&map->asleep, 1, link->flag);
        atomic_store(&map->asleep, 0);
    }
    return take(link);
}

static void memory(const void *data, struct evc_adapter_memory *out)
{
    const struct link *link = data;

    out->shared = link->size;
}

const struct evc_adapter evc_adapter_bitmap = {
    .version = EVC_ADAPTER_VERSION,
    .name = "bitmap",
    .about = "a bitmap in shared memory, made by hand",
    .open = open_link,
    .close = close_link,
    .send = send,
    .take = take,
    .wait = wait,
    .memory = memory,
};
