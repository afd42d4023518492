/* SPDX-License-Identifier: MIT */
/*
 * Counting: how often a port was sent to, and what became of it.
 *
 * While a domain's counters are off, nothing on the way of a send knows of
 * them: the channels that lead to it merely lack a flag.  While they are on, a
 * channel with that flag takes the long way (send.c), and each thread adds to
 * counters of its own, made at its first send to a bucket: no two senders ever
 * write to one line.  Readers add up.
 */
#include "state.h"

#include <stdlib.h>

#include "lines.h"

#define THREADS 256u /* that count at once; the rest share the last block */
#define FIELDS  5u   /* sent, delivered, coalesced, masked, dropped */

struct block {
    evc_a64 n[EVC_BUCKET_PORTS][FIELDS];
} __attribute__((aligned(64)));

struct evc_port_counters {
    struct block *_Atomic block[THREADS + 1];
};

/* What ports of this peer had counted when they were closed. */
struct evc_peer_total {
    struct evc_peer_total *next;
    evc_domid peer;
    struct evc_counts counts;
};

/* ---- which block is mine ------------------------------------------------ */

static evc_a64 slots[THREADS / 64]; /* bit: some thread has it */
static pthread_key_t slot_key;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static _Thread_local unsigned slot_of_thread; /* + 1; 0: none yet */

static void slot_leave(void *value)
{
    unsigned slot = (unsigned)(uintptr_t)value - 1;

    if (slot < THREADS)
        (void)evc_a64_clear_sc(&slots[slot / 64], UINT64_C(1) << slot % 64);
}

static void slot_key_create(void)
{
    pthread_key_create(&slot_key, slot_leave);
}

static unsigned slot_take(void)
{
    for (unsigned slot = 0; slot < THREADS; slot++) {
        uint64_t bit = UINT64_C(1) << slot % 64;

        if (!(evc_a64_set_sc(&slots[slot / 64], bit) & bit))
            return slot;
    }
    return THREADS;
}

static unsigned my_slot(void)
{
    if (slot_of_thread == 0) {
        pthread_once(&slot_once, slot_key_create);
        slot_of_thread = slot_take() + 1;
        pthread_setspecific(slot_key, (void *)(uintptr_t)slot_of_thread);
    }
    return slot_of_thread - 1;
}

/* ---- adding ------------------------------------------------------------- */

static struct block *my_block(struct evc_port_counters *counters)
{
    unsigned slot = my_slot();
    struct block *block = atomic_load(&counters->block[slot]);
    struct block *none = NULL;

    if (block != NULL)
        return block;
    block = evc_alloc_lines(1, sizeof(*block));
    if (block ==
        NULL) /* no memory: the common block has been there all along */
        return atomic_load(&counters->block[THREADS]);
    if (!atomic_compare_exchange_strong(&counters->block[slot], &none, block)) {
        free(block);
        block = none;
    }
    return block;
}

void evc_count(struct evc_domain *domain, uint32_t port, unsigned post)
{
    struct evc_bucket *bucket = evc_table_find(&domain->table, port);
    struct evc_port_counters *counters;
    evc_a64 *n;
    unsigned what = 2; /* coalesced */

    counters = bucket != NULL ? atomic_load(&bucket->counters) : NULL;
    if (counters == NULL)
        return;
    if (post & EVC_POST_DROPPED)
        what = 4;
    else if (post & (EVC_POST_EDGE | EVC_POST_SAVED))
        what = post & EVC_POST_MASKED ? 3 : 1;
    n = my_block(counters)->n[port % 64];
    (void)evc_a64_add_rlx(&n[0], 1);
    (void)evc_a64_add_rlx(&n[what], 1);
}

/* ---- reading ------------------------------------------------------------ */

static void add(struct evc_counts *to, const struct evc_counts *from)
{
    to->sent += from->sent;
    to->delivered += from->delivered;
    to->coalesced += from->coalesced;
    to->masked += from->masked;
    to->dropped += from->dropped;
}

/* Add up one port; `take` leaves zeroes. Under the domain's lock. */
static struct evc_counts sum(const struct evc_bucket *bucket, uint32_t port,
                             bool take)
{
    struct evc_port_counters *counters = atomic_load(&bucket->counters);
    uint64_t total[FIELDS] = {0};

    for (unsigned i = 0; counters != NULL && i <= THREADS; i++) {
        struct block *block = atomic_load(&counters->block[i]);

        for (unsigned f = 0; block != NULL && f < FIELDS; f++) {
            uint64_t n = evc_a64_load_rlx(&block->n[port % 64][f]);

            total[f] += n;
            if (take)
                (void)evc_a64_add_rlx(&block->n[port % 64][f], 0 - n);
        }
    }
    return (struct evc_counts){total[0], total[1], total[2], total[3],
                               total[4]};
}

int evc_port_counts(struct evc_domain *domain, evc_port port,
                    struct evc_counts *out)
{
    struct evc_bucket *bucket;
    int r = 0;

    evc_spin_lock(&domain->lock);
    bucket = evc_table_find(&domain->table, port);
    if (bucket == NULL)
        r = -EINVAL;
    else if (!evc_is_counting(domain))
        r = -ENODATA;
    else
        *out = sum(bucket, port, false);
    evc_spin_unlock(&domain->lock);
    return r;
}

/* The ports of a bucket that are now other ends of channels to `peer`. */
static uint64_t ports_from(const struct evc_bucket *bucket, evc_domid peer)
{
    uint64_t from = 0;

    for (unsigned i = 0; i < EVC_BUCKET_PORTS; i++) {
        uint64_t chan = evc_a64_load_acq(&bucket->chan[i]);

        if (evc_chan_kind(chan) == EVC_INTERDOMAIN &&
            evc_chan_domid(chan) == peer)
            from |= UINT64_C(1) << i;
    }
    return from;
}

/* Add up these ports of one thread's block. */
static void add_block(struct evc_counts *to, const struct block *block,
                      uint64_t ports)
{
    for (; ports != 0; ports &= ports - 1) {
        const evc_a64 *n = block->n[__builtin_ctzll(ports)];
        const struct evc_counts one = {
            evc_a64_load_rlx(&n[0]), evc_a64_load_rlx(&n[1]),
            evc_a64_load_rlx(&n[2]), evc_a64_load_rlx(&n[3]),
            evc_a64_load_rlx(&n[4])};

        add(to, &one);
    }
}

/* A bucket at a time: its blocks are many, and most of them not there. */
static void add_bucket(struct evc_counts *to, const struct evc_bucket *bucket,
                       evc_domid peer)
{
    struct evc_port_counters *counters = atomic_load(&bucket->counters);
    uint64_t ports = ports_from(bucket, peer);

    for (unsigned i = 0; counters && ports != 0 && i <= THREADS; i++) {
        const struct block *block = atomic_load(&counters->block[i]);

        if (block != NULL)
            add_block(to, block, ports);
    }
}

static struct evc_counts counts_of(const struct evc_domain *domain,
                                   evc_domid peer)
{
    uint32_t valid = evc_table_valid(&domain->table);
    struct evc_counts total = {0};

    for (uint32_t p = 0; p < valid; p += EVC_BUCKET_PORTS)
        add_bucket(&total, evc_table_bucket(&domain->table, p), peer);
    for (struct evc_peer_total *t = domain->peers; t; t = t->next) {
        if (t->peer == peer)
            add(&total, &t->counts);
    }
    return total;
}

int evc_peer_counts(struct evc_domain *domain, evc_domid peer,
                    struct evc_counts *out)
{
    int r = -ENODATA;

    evc_spin_lock(&domain->lock);
    if (evc_is_counting(domain)) {
        *out = counts_of(domain, peer);
        r = 0;
    }
    evc_spin_unlock(&domain->lock);
    return r;
}

void evc_count_carry(struct evc_domain *domain, uint32_t port, evc_domid peer)
{
    struct evc_peer_total *t = domain->peers;
    struct evc_counts counts;

    counts = sum(evc_table_bucket(&domain->table, port), port, true);
    while (t != NULL && t->peer != peer)
        t = t->next;
    if (t == NULL) {
        t = calloc(1, sizeof(*t));
        if (t == NULL)
            return; /* a statistic is lost, nothing else */
        t->peer = peer;
        t->next = domain->peers;
        domain->peers = t;
    }
    add(&t->counts, &counts);
}

/* ---- on and off --------------------------------------------------------- */

static void counters_free(struct evc_port_counters *counters)
{
    for (unsigned i = 0; counters != NULL && i <= THREADS; i++)
        free(atomic_load(&counters->block[i]));
    free(counters);
}

int evc_count_prepare(struct evc_bucket *bucket)
{
    struct evc_port_counters *counters;
    struct block *common;

    if (atomic_load(&bucket->counters) != NULL)
        return 0;
    counters = calloc(1, sizeof(*counters));
    common = evc_alloc_lines(1, sizeof(*common));
    if (counters == NULL || common == NULL) {
        free(counters);
        free(common);
        return -ENOMEM;
    }
    atomic_store(&counters->block[THREADS], common);
    atomic_store(&bucket->counters, counters);
    return 0;
}

/* Every bucket that is there; those to come are prepared as they are used. */
static int prepare_all(struct evc_domain *domain)
{
    uint32_t valid = evc_table_valid(&domain->table);
    int r = 0;

    for (uint32_t p = 0; p < valid && r == 0; p += EVC_BUCKET_PORTS)
        r = evc_count_prepare(evc_table_bucket(&domain->table, p));
    return r;
}

static void forget_all(struct evc_domain *domain)
{
    uint32_t valid = evc_table_valid(&domain->table);
    struct evc_peer_total *next;

    for (uint32_t p = 0; p < valid; p += EVC_BUCKET_PORTS) {
        struct evc_bucket *bucket = evc_table_bucket(&domain->table, p);

        counters_free(atomic_exchange(&bucket->counters, NULL));
    }
    for (; domain->peers != NULL; domain->peers = next) {
        next = domain->peers->next;
        free(domain->peers);
    }
}

void evc_count_finish(struct evc_domain *domain)
{
    forget_all(domain);
}

/* Set or clear the flag in the channel that leads to `port` of `domain`. */
static void flag_channel(struct evc_domain *domain, uint32_t port,
                         struct evc_domain *peer, uint32_t pport, bool on)
{
    struct evc_domain *from = peer != NULL ? peer : domain;
    uint32_t at = peer != NULL ? pport : port;
    uint64_t chan = evc_table_chan(&from->table, at);

    chan = on ? chan | EVC_CHAN_COUNTED : chan & ~(uint64_t)EVC_CHAN_COUNTED;
    evc_table_set_chan(&from->table, at, chan);
}

/* One port, with the locks that its channel needs. */
static void flag_port(struct evc_domain *domain, uint32_t port, bool on)
{
    struct evc_domain *peer = NULL;
    uint64_t chan = evc_table_chan(&domain->table, port);
    unsigned way = evc_chan_way(chan) & ~EVC_CHAN_COUNTED;

    if (way == EVC_INTERDOMAIN)
        peer = evc_domain_get(domain->engine, evc_chan_domid(chan));
    if (peer == NULL && way != EVC_IPI)
        return;
    evc_domain_lock_two(domain, peer != NULL ? peer : domain);
    if ((evc_table_chan(&domain->table, port) | EVC_CHAN_COUNTED) ==
        (chan | EVC_CHAN_COUNTED))
        flag_channel(domain, port, peer, evc_chan_number(chan), on);
    evc_domain_unlock_two(domain, peer != NULL ? peer : domain);
    if (peer != NULL)
        evc_domain_put(peer);
}

static void flag_all(struct evc_domain *domain, bool on)
{
    uint32_t port = 0;

    do {
        evc_spin_give_way(&domain->lock);
        evc_spin_lock(&domain->lock);
        port = evc_table_next(&domain->table, port);
        evc_spin_unlock(&domain->lock);
        if (port != 0)
            flag_port(domain, port, on);
    } while (port != 0);
}

static void stop(struct evc_domain *domain)
{
    evc_a32_store_sc(&domain->counting, 0);
    flag_all(domain, false);
    evc_rcu_wait(); /* senders that are still adding */
    evc_spin_lock(&domain->lock);
    forget_all(domain);
    evc_spin_unlock(&domain->lock);
}

int evc_counting(struct evc_domain *domain, bool on)
{
    int r = 0;

    pthread_mutex_lock(&domain->engine->admin);
    if (evc_is_counting(domain))
        stop(domain);
    if (on) {
        evc_spin_lock(&domain->lock);
        r = prepare_all(domain);
        if (r == 0)
            evc_a32_store_sc(&domain->counting, 1);
        else
            forget_all(domain);
        evc_spin_unlock(&domain->lock);
        if (r == 0)
            flag_all(domain, true);
    }
    pthread_mutex_unlock(&domain->engine->admin);
    return r;
}
