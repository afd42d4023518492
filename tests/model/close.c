/* SPDX-License-Identifier: MIT */
/*
 * Model: one end of a channel is closed, and its number opened again by somebody
 * else, while the other end sends.
 *
 * Copies with an even number open it for vCPU 1, where it has told vCPU 0 before;
 * the others (-DEVC_GENMC=2) the other way round.
 *
 * The send that overlaps the close may surface as one spurious event; it must
 * not swallow the new owner's.
 *
 * Property: the new owner's event is pending, and the vCPU that it asked for has
 *           been told of it.
 * Bounds:   2 threads, two-level, 1 channel, 1 send each.
 * Rows:     X1/X5, X2/P1, X3/P9, X4/X6.
 */
#define COPIES 16u
#include "model.h"

#include "domain.h"

#include "bind.h"

#define HERE  3u /* is closed */
#define THERE 4u /* sends to it */

static struct model_domain all[COPIES];

/* The vCPU of its new life. */
static unsigned told(unsigned i)
{
#ifdef EVC_GENMC
    return EVC_GENMC == 1;
#else
    return i % 2 == 0;
#endif
}
int evc_count_prepare(struct evc_bucket *bucket)
{
    (void)bucket;
    return 0;
}

/* As in bind/bind.c. */
void evc_port_tell(struct evc_domain *domain, uint32_t port)
{
    const struct evc_delivery *to = &domain->delivery;

    evc_post_not_late(to, port);
    evc_domain_posted(domain, port, evc_twolevel_again(to, port));
}

static void setup(unsigned i)
{
    struct model_domain *d = &all[i];
    struct evc_table *table = &d->domain.table;

    model_domain_init(d);
    evc_a32_store_rlx(&d->w.bucket.delivery[HERE],
                      evc_delivery_word(!told(i), EVC_DEFAULT_PRIORITY));
    evc_table_set_chan(table, HERE, evc_chan(EVC_INTERDOMAIN, 1, THERE));
    evc_table_set_chan(table, THERE, evc_chan(EVC_INTERDOMAIN, 1, HERE));
}

static void sender(unsigned i)
{
    int r = evc_send(&all[i].domain, THERE);

    assert(r == 0);
}

/* As bind/close.c and bind/bind.c do. */
static void owner(unsigned i)
{
    struct evc_domain *domain = &all[i].domain;
    int r;

    evc_spin_lock(&domain->lock);
    evc_table_set_chan(&domain->table, THERE, evc_chan(EVC_UNBOUND, 1, 0));
    evc_port_free(domain, evc_table_bucket(&domain->table, HERE), HERE);
    evc_spin_unlock(&domain->lock);
    evc_spin_lock(&domain->lock);
    evc_port_open(domain, HERE, evc_chan(EVC_IPI, 0, 0), told(i));
    evc_spin_unlock(&domain->lock);
    r = evc_send(domain, HERE);
    assert(r == 0);
}

/* What the new vCPU's upcall would find. */
static void check(unsigned i)
{
    struct shared *s = &all[i].w.shared;
    uint8_t *info = s->info[told(i)];

    assert(atomic_load(word64(s->pending)) == UINT64_C(1) << HERE);
    assert(atomic_load(word64(info + 8)) == 1);
    assert(info[0] == 1);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {owner}};

    model_run(setup, threads, 2, check);
    return 0;
}
