/* SPDX-License-Identifier: MIT */
/*
 * Ports: who is bound to whom, and where news of it goes.
 *
 * A domain's ports live in buckets of 64.  Senders find a port without a lock
 * and read two words: its *channel* (who is at the other end) and its
 * *delivery* (which vCPU is told, at which priority).  Binders change them
 * under the domain's lock, one store a word.
 *
 *     table --valid--> directory --> bucket --> channel[64] delivery[64]
 *
 * A table only grows, and a bucket stays until its domain is gone: a number
 * below `valid` can always be looked up.  A directory that has become too small
 * is copied to one of twice its room and kept until then too, for whoever still
 * reads it; all of them together are not twice the last one.
 *
 *   here                there                if it were weaker
 *   ------------------  -------------------  -------------------------------
 *   T1 store valid rel  T2 load valid acq    a reader meets a null bucket
 *   T3 store dir.  rel  T4 load dir.  acq    a reader meets an empty directory
 *   C1 store chan  rel  C2 load chan  acq    a sender reaches a peer that is
 *                                            not yet there
 */
#ifndef EVC_PORT_PORT_H
#define EVC_PORT_PORT_H

#include <stddef.h>

#include "atomic.h"

#define EVC_BUCKET_PORTS  64u
#define EVC_SHELF_BUCKETS 64u
#define EVC_SHELF_PORTS   (EVC_SHELF_BUCKETS * EVC_BUCKET_PORTS)
#define EVC_SHELVES       32u
#define EVC_PORTS_MAX     (EVC_SHELVES * EVC_SHELF_PORTS)

/* ---- the channel word --------------------------------------------------- */

/*
 *   bits  0-3   kind
 *   bit   4     the consumer is the host itself
 *   bit   5     the other end is a host end, kept with this port
 *   bit   6     the other end is a host end, kept with the other port
 *   bit   7     events for the other end are counted
 *   bits 8-39   the other end's port; or the number of a VIRQ or PIRQ
 *   bits 48-63  the other end's domain
 */
enum evc_kind {
    EVC_FREE = 0,
    EVC_RESERVED,
    EVC_UNBOUND,
    EVC_INTERDOMAIN,
    EVC_PIRQ,
    EVC_VIRQ,
    EVC_IPI,
};

#define EVC_CHAN_KIND    0x0fu
#define EVC_CHAN_HOST    0x10u
#define EVC_CHAN_TO_HOST 0x20u
#define EVC_CHAN_TO_XEN  0x40u
#define EVC_CHAN_COUNTED 0x80u
#define EVC_CHAN_WAY     0xffu /* all that a sender branches on */

static inline uint64_t evc_chan(unsigned way, unsigned domid, uint32_t number)
{
    return (uint64_t)(domid & 0xffff) << 48 | (uint64_t)number << 8 | way;
}

static inline unsigned evc_chan_way(uint64_t chan)
{
    return chan & EVC_CHAN_WAY;
}

static inline enum evc_kind evc_chan_kind(uint64_t chan)
{
    return (enum evc_kind)(chan & EVC_CHAN_KIND);
}

static inline uint16_t evc_chan_domid(uint64_t chan)
{
    return (uint16_t)(chan >> 48);
}

static inline uint32_t evc_chan_number(uint64_t chan)
{
    return (uint32_t)(chan >> 8);
}

/* ---- the delivery word -------------------------------------------------- */

/* bits 0-15 the notified vCPU, 16-19 the priority. */
#define EVC_DELIVERY_NONE    UINT32_MAX
#define EVC_DEFAULT_PRIORITY 7u

static inline uint32_t evc_delivery_word(unsigned vcpu, unsigned priority)
{
    return vcpu | priority << 16;
}

static inline unsigned evc_delivery_vcpu(uint32_t delivery)
{
    return delivery & 0xffff;
}

static inline unsigned evc_delivery_priority(uint32_t delivery)
{
    return delivery >> 16 & 15;
}

/* ---- the table ---------------------------------------------------------- */

struct evc_port_counters; /* engine/count.c */
struct evc_host;          /* engine/host.c */

/*
 * Sixty-four ports.  Senders read the first two arrays; the next two they write,
 * rarely, so those lie on lines of their own.  The last line is for binders, and
 * for what few senders need.
 */
struct evc_bucket {
    evc_a64 chan[EVC_BUCKET_PORTS];
    evc_a32 delivery[EVC_BUCKET_PORTS];
    evc_a32 last[EVC_BUCKET_PORTS]; /* FIFO: the queue it was last linked to */
    evc_a8 merging[EVC_BUCKET_PORTS]; /* who merged last (event/send.c) */
    evc_a64 saved;                    /* FIFO: events without a word as yet */
    struct evc_host *_Atomic *_Atomic hosts; /* [64] where there are any */
    struct evc_port_counters *_Atomic counters;
    evc_a64 late;  /* made pending when they were free, by a send before */
    uint64_t used; /* bits: ports that are open, or busy */
    uint64_t busy; /* closed, but LINKED when last seen */
} __attribute__((aligned(64)));

/* The buckets by number. */
struct evc_directory {
    struct evc_directory *before; /* the smaller one, which it is a copy of */
    uint32_t room;
    struct evc_bucket *bucket[];
};

/* 64 buckets: 4,096 ports. */
struct evc_shelf {
    uint64_t full;     /* buckets without a free port */
    uint64_t any_busy; /* buckets with a busy port */
};

struct evc_table {
    evc_a32 valid; /* ports below this exist; a multiple of 64 */
    evc_a32 quick; /* the same, or 0: see evc_table_is_quick() */
    struct evc_directory *_Atomic directory;
    bool slow; /* quick is to stay 0 */
    /* For binders, on lines of their own: */
    uint32_t full __attribute__((aligned(64))); /* shelves, no port free */
    uint32_t any_busy;                          /* shelves with a busy port */
    uint32_t looked; /* the busy port at which the last search stopped */
    uint32_t open;   /* ports that are neither free nor reserved */
    uint32_t low;    /* no port below is free; this one often is */
    struct evc_shelf shelf[EVC_SHELVES];
};

/* The first bucket, with port 0 reserved. 0 or -ENOMEM. */
int evc_table_init(struct evc_table *table);
void evc_table_finish(struct evc_table *table);
/* evc_table_is_quick() of no port, now and later. */
void evc_table_go_slow(struct evc_table *table);

static inline uint32_t evc_table_valid(const struct evc_table *table)
{
    return evc_a32_load_acq(&table->valid); /* T2, pairs with T1 */
}

/* The bucket of a port that is known to exist. */
static inline struct evc_bucket *evc_table_bucket(const struct evc_table *table,
                                                  uint32_t port)
{
    /* T4, pairs with T3 */
    const struct evc_directory *directory =
        atomic_load_explicit(&table->directory, memory_order_acquire);

    return directory->bucket[port / EVC_BUCKET_PORTS];
}

/* The bucket of any number, NULL where there is no such port. */
static inline struct evc_bucket *evc_table_find(const struct evc_table *table,
                                                uint32_t port)
{
    if (port >= evc_table_valid(table))
        return NULL;
    return evc_table_bucket(table, port);
}

static inline uint64_t evc_bucket_chan(const struct evc_bucket *bucket,
                                       uint32_t port)
{
    return evc_a64_load_acq(&bucket->chan[port % 64]); /* C2, pairs with C1 */
}

static inline uint64_t evc_table_chan(const struct evc_table *table,
                                      uint32_t port)
{
    return evc_bucket_chan(evc_table_bucket(table, port), port);
}

/* The channel word of any number, that of a free port where there is none. */
static inline uint64_t evc_table_look(const struct evc_table *table,
                                      uint32_t port)
{
    return port < evc_table_valid(table) ? evc_table_chan(table, port)
                                         : EVC_FREE;
}

static inline void evc_bucket_set_chan(struct evc_bucket *bucket, uint32_t port,
                                       uint64_t chan)
{
    evc_a64_store_rel(&bucket->chan[port % 64], chan); /* C1, pairs with C2 */
}

/*
 * Does this port exist, for those who can only go the quick way?  Where that is
 * not open none does, and they ask again by the long one.
 */
static inline bool evc_table_is_quick(const struct evc_table *table,
                                      uint32_t port)
{
    return port < evc_a32_load_acq(&table->quick); /* T2, pairs with T1 */
}

static inline void evc_table_set_chan(struct evc_table *table, uint32_t port,
                                      uint64_t chan)
{
    evc_bucket_set_chan(evc_table_bucket(table, port), port, chan);
}

/* ---- for binders, under the domain's lock ------------------------------- */

/* Is the event word of a closed port still LINKED? */
typedef bool evc_linked_fn(const void *arg, uint32_t port);

/* Make all ports up to and including `port` exist. 0 or -ENOMEM. */
int evc_table_grow(struct evc_table *table, uint32_t port);

static inline uint64_t evc_bucket_bit(uint32_t port)
{
    return UINT64_C(1) << port % EVC_BUCKET_PORTS;
}

/* The rest of the three below: to search, busy ports, words that are full. */
int evc_table_search(struct evc_table *table, uint32_t max_port,
                     evc_linked_fn *linked, const void *arg);
void evc_table_taken(struct evc_table *table, uint32_t port);
void evc_table_unfill(struct evc_table *table, uint32_t port);

/*
 * The lowest port that is free and not linked, grown if need be; it stays free
 * until evc_table_take().  -ENOSPC above `max_port`, -ENOMEM.  Of thousands of
 * busy ports not all are looked at each time.
 */
static inline int evc_table_lowest(struct evc_table *table, uint32_t max_port,
                                   evc_linked_fn *linked, const void *arg)
{
    uint32_t port = table->low;

    if (table->any_busy != 0 || port > max_port ||
        port >= evc_a32_load_rlx(&table->valid) ||
        (evc_table_bucket(table, port)->used & evc_bucket_bit(port)) ||
        linked(arg, port))
        return evc_table_search(table, max_port, linked, arg);
    return (int)port;
}

/*
 * An existing free port, of this bucket, becomes used; a used one free, after
 * evc_table_unfill() where none of the bucket was.
 */
static inline void evc_bucket_take(struct evc_table *table,
                                   struct evc_bucket *bucket, uint32_t port)
{
    bucket->used |= evc_bucket_bit(port);
    table->open++;
    table->low += port == table->low;
    if (bucket->used == UINT64_MAX || table->any_busy != 0)
        evc_table_taken(table, port);
}

static inline void evc_bucket_release(struct evc_table *table,
                                      struct evc_bucket *bucket, uint32_t port)
{
    bucket->used &= ~evc_bucket_bit(port);
    table->open--;
    if (port < table->low)
        table->low = port;
}

static inline void evc_table_take(struct evc_table *table, uint32_t port)
{
    evc_bucket_take(table, evc_table_bucket(table, port), port);
}

static inline void evc_table_release(struct evc_table *table, uint32_t port)
{
    evc_table_unfill(table, port);
    evc_bucket_release(table, evc_table_bucket(table, port), port);
}

/* The next used port above `after`, 0 if none. Busy ones may be among them. */
uint32_t evc_table_next(const struct evc_table *table, uint32_t after);

#endif /* EVC_PORT_PORT_H */
