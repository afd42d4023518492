/* SPDX-License-Identifier: MIT */
/*
 * Model: a binder opens a port in a new bucket while a sender looks it up.
 *
 * Property: a port below `valid` has a bucket, its delivery word is the default
 *           or newer, and who sees the channel sees what was written before it.
 * Bounds:   2 buckets of 64 ports and a third that makes the directory grow,
 *           2 threads.
 * Rows:     T1/T2, T3/T4, C1/C2.
 */
#include "model.h"

#include "engine.h"

#define PORT 130u

static struct evc_table table[COPIES];
static int peer[COPIES]; /* plain: the channel must order it */

static void setup(unsigned i)
{
    int r;

    if (atomic_load(&table[i].directory) != NULL)
        evc_table_finish(&table[i]);
    r = evc_table_init(&table[i]);
    assert(r == 0);
    peer[i] = 0;
}

static void binder(unsigned i)
{
    struct evc_bucket *bucket;
    int r = evc_table_grow(&table[i], PORT);

    assert(r == 0);
    peer[i] = 42;
    bucket = evc_table_bucket(&table[i], PORT);
    evc_a32_store_sc(&bucket->delivery[PORT % 64], evc_delivery_word(1, 7));
    evc_table_set_chan(&table[i], PORT, evc_chan(EVC_IPI, 0, 0));
}

static void sender(unsigned i)
{
    struct evc_bucket *bucket = evc_table_find(&table[i], 1);
    uint32_t delivery;

    assert(bucket != NULL); /* in whichever directory */
    bucket = evc_table_find(&table[i], PORT);
    if (bucket == NULL)
        return;
    delivery = evc_a32_load_rlx(&bucket->delivery[PORT % 64]);
    assert(evc_delivery_priority(delivery) == 7);
    if (evc_chan_kind(evc_table_chan(&table[i], PORT)) != EVC_IPI)
        return;
    assert(peer[i] == 42);
    delivery = evc_a32_load_rlx(&bucket->delivery[PORT % 64]);
    assert(evc_delivery_vcpu(delivery) == 1);
}

static void check(unsigned i)
{
    assert(evc_table_valid(&table[i]) == 192);
}

int main(void)
{
    static const struct model_start threads[] = {{binder}, {sender}};

    model_run(setup, threads, 2, check);
    return 0;
}
