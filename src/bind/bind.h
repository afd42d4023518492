/* SPDX-License-Identifier: MIT */
/*
 * Binding: what opens, joins, moves, changes and closes ports.
 *
 *   here                  there                   if it were weaker
 *   --------------------  ----------------------  -----------------------------
 *   C1 store channel rel  C2 load channel    acq  half a binding is used
 *   X1 free channel   sc  X5 read channel     sc  a port stays pending, and who
 *   X2 clear pending  sc  P1 set pending      sc  made it so does not know
 *   X3 store vCPU     sc  X6 set late         sc  what comes to a new port merges
 *   X4 read late      sc  P9 read vCPU        sc  with that, and is told nowhere
 *
 * X5, X6 and P9 are the sender's: delivery/delivery.h.
 */
#ifndef EVC_BIND_BIND_H
#define EVC_BIND_BIND_H

#include "event.h"
#include "vcpu.h"

/* ---- one port, under the domain's lock ---------------------------------- */

/* The highest port that the domain may use now. */
static inline uint32_t evc_port_limit(const struct evc_domain *domain)
{
    return domain->limit;
}

/* Has its guest left the event word of this port LINKED? */
static inline bool evc_port_linked(const void *domain, uint32_t port)
{
    const struct evc_domain *d = domain;

    return evc_post_is_linked(&d->delivery, port);
}

/* The lowest port that may be used, not taken. -EINVAL, -ENOSPC, -ENOMEM. */
static inline int evc_port_lowest(struct evc_domain *domain)
{
    if (domain->dying)
        return -EINVAL;
    return evc_table_lowest(&domain->table, evc_port_limit(domain),
                            evc_port_linked, domain);
}

/*
 * X3, pairs with P9.  Where every locked instruction is a full fence, the one
 * that has taken the domain's lock is enough for a port that tells the vCPU that
 * freeing it has left it with.
 */
static EVC_ALWAYS_INLINE void
evc_port_set_delivery(struct evc_bucket *bucket, uint32_t port, unsigned vcpu)
{
    evc_a32 *word = &bucket->delivery[port % 64];
    uint32_t delivery = evc_delivery_word(vcpu, EVC_DEFAULT_PRIORITY);

    if (EVC_RMW_IS_FENCE && evc_delivery_vcpu(evc_a32_load_rlx(word)) == vcpu)
        evc_a32_store_rlx(word, delivery);
    else
        evc_a32_store_sc(word, delivery);
}

/*
 * A send that overlapped the close of what the port was before may have made it
 * pending since, and told the vCPU of that life.  What comes now merges with it:
 * so the vCPU of this life is told, if it wants to be.
 */
void evc_port_tell(struct evc_domain *domain, uint32_t port);

/* Take it: everything about it is default but its channel and its vCPU. */
static EVC_ALWAYS_INLINE void evc_port_open(struct evc_domain *domain,
                                            uint32_t port, uint64_t chan,
                                            unsigned vcpu)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);

    evc_bucket_take(&domain->table, bucket, port);
    evc_port_set_delivery(bucket, port, vcpu);
    if (chan & EVC_CHAN_HOST)
        domain->host_ports++;
    if (evc_is_counting(domain)) /* without memory it goes uncounted */
        (void)evc_count_prepare(bucket);
    evc_bucket_set_chan(bucket, port, chan);             /* C1, pairs with C2 */
    if (evc_a64_load_sc(&bucket->late) >> port % 64 & 1) /* X4, with X6 */
        evc_port_tell(domain, port);
}

/* Free it again; this, and nothing else, where evc_port_is_plain(). */
static EVC_ALWAYS_INLINE void evc_port_free(struct evc_domain *domain,
                                            struct evc_bucket *bucket,
                                            uint32_t port)
{
    uint32_t delivery;

    /* X1, then X2: a sender either sees the port free or is cleared after. */
    evc_bucket_set_chan(bucket, port, evc_chan(EVC_FREE, 0, 0));
    if (domain->vcpus > 1) /* of one, all senders tell the same */
        evc_fence_sc();
    evc_clear_begin(&domain->delivery, port);
    /* The priority stays until the port is opened again, as in Xen. */
    delivery = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    evc_a32_store_rel(&bucket->delivery[port % 64],
                      evc_delivery_word(0, evc_delivery_priority(delivery)));
    evc_bucket_release(&domain->table, bucket, port);
}

/* Nobody counts, and there is another free port beside it. */
static inline bool evc_port_is_plain(const struct evc_domain *domain,
                                     const struct evc_bucket *bucket,
                                     uint32_t port)
{
    return !evc_is_counting(domain) && bucket->used != UINT64_MAX &&
           evc_clear_is_all(&domain->delivery, bucket, port);
}

/* ---- the operations (bind.c, irq.c, close.c, fifo.c) -------------------- */

int evc_op_alloc_unbound(struct evc_domain *caller,
                         struct evtchn_alloc_unbound *arg);
int evc_op_bind_interdomain(struct evc_domain *caller,
                            struct evtchn_bind_interdomain *arg);
int evc_op_bind_virq(struct evc_domain *caller, struct evtchn_bind_virq *arg);
int evc_op_bind_ipi(struct evc_domain *caller, struct evtchn_bind_ipi *arg);
int evc_op_bind_pirq(struct evc_domain *caller, struct evtchn_bind_pirq *arg);
int evc_op_bind_vcpu(struct evc_domain *caller,
                     const struct evtchn_bind_vcpu *arg);
int evc_op_close(struct evc_domain *caller, uint32_t port);
int evc_op_reset(struct evc_domain *caller, evc_domid id);
int evc_op_reset_cont(struct evc_domain *caller, evc_domid id);
int evc_op_init_control(struct evc_domain *domain,
                        struct evtchn_init_control *arg);
int evc_op_expand_array(struct evc_domain *domain,
                        const struct evtchn_expand_array *arg);
int evc_op_set_priority(struct evc_domain *domain,
                        const struct evtchn_set_priority *arg);

/* May a control block lie at this offset of a page? */
bool evc_block_fits(uint32_t offset);

/* ---- closing ------------------------------------------------------------ */

/* Close a port, whatever it is, the host's own too if `host`. 0 or -EINVAL. */
int evc_port_close(struct evc_domain *domain, uint32_t port, bool host);
/* Close all ports; the host's own only if `host`. */
void evc_ports_close(struct evc_domain *domain, bool host);
/* Under the lock: back to two-level. */
void evc_domain_leave_fifo(struct evc_domain *domain);

/* Under the lock: what the closed port was bound to is free again. */
void evc_virq_released(struct evc_domain *domain, uint32_t virq, unsigned vcpu);
void evc_pirq_released(struct evc_domain *domain, uint32_t pirq);
void evc_host_detach(struct evc_domain *domain, uint32_t port, uint64_t chan);

/* A domain dies: its VIRQs go back to domain 0. */
void evc_virq_handler_gone(struct evc_domain *domain);

#endif /* EVC_BIND_BIND_H */
