/* SPDX-License-Identifier: MIT */
/*
 * The port table: growing it, and finding the lowest free port.
 *
 * Which ports are used is kept in three levels of bits (port, bucket, shelf),
 * so that the lowest free one is three bit scans away however many are open.
 * A closed port whose event word the guest has left LINKED is *busy*: it counts
 * as used, and is looked at again by later searches.
 */
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

/* Of the busy ports, how many a search looks at in either half of its turn. */
#define LOOKS 256u

#define FIRST_ROOM 2u /* buckets; doubled as ports are needed */

static struct evc_bucket *bucket_create(void)
{
    struct evc_bucket *bucket = evc_alloc_lines(1, sizeof(*bucket));

    if (bucket == NULL)
        return NULL;
    for (unsigned i = 0; i < EVC_BUCKET_PORTS; i++) {
        evc_a32_store_rlx(&bucket->delivery[i],
                          evc_delivery_word(0, EVC_DEFAULT_PRIORITY));
        evc_a32_store_rlx(&bucket->last[i], EVC_DELIVERY_NONE);
    }
    return bucket;
}

/* Room in the directory for one more bucket; the old ones stay readable. */
static int directory_ensure(struct evc_table *table, uint32_t number)
{
    struct evc_directory *old = atomic_load(&table->directory), *new;
    uint32_t room = old != NULL ? old->room : FIRST_ROOM / 2;

    if (old != NULL && number < room)
        return 0;
    while (room <= number)
        room *= 2;
    new = calloc(1, sizeof(*new) + room * sizeof(new->bucket[0]));
    if (new == NULL)
        return -ENOMEM;
    if (old != NULL)
        memcpy(new->bucket, old->bucket, old->room * sizeof(old->bucket[0]));
    new->before = old;
    new->room = room;
    /* T3, pairs with T4 */
    atomic_store_explicit(&table->directory, new, memory_order_release);
    return 0;
}

/* One more bucket, unseen by readers until `valid` says so. */
static int bucket_ensure(struct evc_table *table, uint32_t port)
{
    uint32_t number = port / EVC_BUCKET_PORTS;
    struct evc_bucket **slot;
    int r = directory_ensure(table, number);

    if (r < 0)
        return r;
    slot = &atomic_load(&table->directory)->bucket[number];
    if (*slot == NULL)
        *slot = bucket_create();
    return *slot != NULL ? 0 : -ENOMEM;
}

int evc_table_grow(struct evc_table *table, uint32_t port)
{
    uint32_t valid = evc_a32_load_rlx(&table->valid);

    /* What a failure leaves behind is used by the next attempt. */
    for (uint32_t p = valid; p <= port; p += EVC_BUCKET_PORTS) {
        int r = bucket_ensure(table, p);

        if (r < 0)
            return r;
    }
    if (port >= valid) { /* T1, pairs with T2 */
        evc_a32_store_rel(&table->valid, (port | 63) + 1);
        evc_a32_store_rel(&table->quick, table->slow ? 0 : (port | 63) + 1);
    }
    return 0;
}

void evc_table_go_slow(struct evc_table *table)
{
    table->slow = true;
    evc_a32_store_rel(&table->quick, 0);
}

int evc_table_init(struct evc_table *table)
{
    int r;

    memset(table, 0, sizeof(*table));
    r = evc_table_grow(table, 0);
    if (r < 0) {
        evc_table_finish(table);
        return r;
    }
    evc_table_set_chan(table, 0, evc_chan(EVC_RESERVED, 0, 0));
    evc_table_take(table, 0);
    table->open = 0;
    return 0;
}

static void buckets_free(struct evc_directory *directory)
{
    for (uint32_t n = 0; n < directory->room; n++) {
        struct evc_bucket *bucket = directory->bucket[n];

        if (bucket != NULL)
            free((void *)atomic_load(&bucket->hosts));
        free(bucket);
    }
}

void evc_table_finish(struct evc_table *table)
{
    struct evc_directory *directory = atomic_load(&table->directory);
    struct evc_directory *before;

    if (directory != NULL)
        buckets_free(directory);
    for (; directory != NULL; directory = before) {
        before = directory->before;
        free(directory);
    }
    memset(table, 0, sizeof(*table));
}

/* ---- bits --------------------------------------------------------------- */

static unsigned lowest_bit(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

/* The bucket has no free port any more. */
static void mark_full(struct evc_table *table, uint32_t port)
{
    struct evc_shelf *shelf = &table->shelf[port / EVC_SHELF_PORTS];

    shelf->full |= UINT64_C(1) << port / 64 % 64;
    if (~shelf->full == 0)
        table->full |= 1u << port / EVC_SHELF_PORTS;
}

void evc_table_unfill(struct evc_table *table, uint32_t port)
{
    struct evc_shelf *shelf = &table->shelf[port / EVC_SHELF_PORTS];

    shelf->full &= ~(UINT64_C(1) << port / 64 % 64);
    table->full &= ~(1u << port / EVC_SHELF_PORTS);
}

static void mark_used(struct evc_table *table, uint32_t port)
{
    struct evc_bucket *bucket = evc_table_bucket(table, port);

    bucket->used |= evc_bucket_bit(port);
    if (~bucket->used == 0)
        mark_full(table, port);
}

static void mark_free(struct evc_table *table, uint32_t port)
{
    evc_table_bucket(table, port)->used &= ~evc_bucket_bit(port);
    evc_table_unfill(table, port);
    if (port < table->low)
        table->low = port;
}

static void mark_busy(struct evc_table *table, uint32_t port)
{
    mark_used(table, port);
    evc_table_bucket(table, port)->busy |= evc_bucket_bit(port);
    table->shelf[port / EVC_SHELF_PORTS].any_busy |= UINT64_C(1)
                                                     << port / 64 % 64;
    table->any_busy |= 1u << port / EVC_SHELF_PORTS;
}

static void clear_busy(struct evc_table *table, uint32_t port)
{
    struct evc_shelf *shelf = &table->shelf[port / EVC_SHELF_PORTS];
    struct evc_bucket *bucket = evc_table_bucket(table, port);

    bucket->busy &= ~evc_bucket_bit(port);
    if (bucket->busy == 0)
        shelf->any_busy &= ~(UINT64_C(1) << port / 64 % 64);
    if (shelf->any_busy == 0)
        table->any_busy &= ~(1u << port / EVC_SHELF_PORTS);
}

void evc_table_taken(struct evc_table *table, uint32_t port)
{
    mark_used(table, port);
    clear_busy(table, port);
}

/* ---- searching ---------------------------------------------------------- */

/* The lowest port without its used bit, perhaps one still to be made. */
static uint32_t lowest_free(const struct evc_table *table)
{
    uint32_t shelves = ~table->full, port;
    unsigned s;

    if (shelves == 0)
        return EVC_PORTS_MAX;
    s = lowest_bit(shelves);
    port = s * EVC_SHELF_PORTS + lowest_bit(~table->shelf[s].full) * 64;
    if (port >= evc_a32_load_rlx(&table->valid))
        return port;
    return port + lowest_bit(~evc_table_bucket(table, port)->used);
}

/* The next busy port above `after`, 0 if none. */
static uint32_t next_busy(const struct evc_table *table, uint32_t after)
{
    uint32_t p = after + 1;

    for (unsigned s = p / EVC_SHELF_PORTS;
         s < EVC_SHELVES && table->any_busy >> s; p = ++s * EVC_SHELF_PORTS) {
        unsigned b = p / 64 % 64;

        for (; b < 64 && table->shelf[s].any_busy >> b;
             p = s * EVC_SHELF_PORTS + ++b * 64) {
            uint64_t busy = evc_table_bucket(table, p)->busy >> p % 64;

            if (busy != 0)
                return p + lowest_bit(busy);
        }
    }
    return 0;
}

/*
 * Give back the lowest busy port whose word has been unlinked.
 *
 * A guest may leave all its words LINKED, and a peer that closes a channel to it
 * waits for this search to end: so it looks at the LOOKS lowest ones, and at as
 * many of the others, beginning where the last search stopped.
 */
static void revive(struct evc_table *table, evc_linked_fn *linked,
                   const void *arg)
{
    uint32_t port = 0;
    unsigned looks = 0;

    while (looks < 2 * LOOKS && (port = next_busy(table, port)) != 0) {
        if (!linked(arg, port)) {
            clear_busy(table, port);
            mark_free(table, port);
            return;
        }
        if (++looks == LOOKS && port < table->looked)
            port = table->looked;
    }
    table->looked = port;
}

int evc_table_search(struct evc_table *table, uint32_t max_port,
                     evc_linked_fn *linked, const void *arg)
{
    uint32_t port;
    int r;

    revive(table, linked, arg);
    for (;;) { /* each turn takes one port out of the search */
        port = lowest_free(table);
        if (port > max_port || port >= EVC_PORTS_MAX)
            return -ENOSPC;
        r = evc_table_grow(table, port);
        if (r < 0)
            return r;
        table->low = port;
        if (!linked(arg, port))
            return (int)port;
        mark_busy(table, port);
    }
}

uint32_t evc_table_next(const struct evc_table *table, uint32_t after)
{
    uint32_t valid = evc_table_valid(table);

    for (uint32_t p = after + 1; p < valid; p = (p | 63) + 1) {
        uint64_t used = evc_table_bucket(table, p)->used >> p % 64;

        if (used != 0)
            return p + lowest_bit(used);
    }
    return 0;
}
