/* SPDX-License-Identifier: MIT */
/*
 * Saving a domain: what the engine knows of it, as bytes (bytes.h).  What lies
 * in the guest's own memory is the embedder's to save.
 */
#include "bytes.h"
#include "engine.h"

/* ---- ports -------------------------------------------------------------- */

/*
 * The channel as it is saved.  Ends that are the host's do not outlive it: their
 * own ports are closed, and who was bound to one waits for the next.
 */
static uint64_t lasting(uint64_t chan)
{
    chan &= ~(uint64_t)EVC_CHAN_COUNTED;
    if (chan & EVC_CHAN_HOST)
        return evc_chan(EVC_FREE, 0, 0);
    if (chan & (EVC_CHAN_TO_HOST | EVC_CHAN_TO_XEN))
        return evc_chan(EVC_UNBOUND, evc_chan_domid(chan), 0);
    return chan;
}

/* All that is known of a port. */
struct record {
    uint64_t chan;
    uint32_t vcpu, priority, last;
    bool kept;
};

static struct record record_of(const struct evc_domain *domain, uint32_t port)
{
    const struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    uint32_t delivery = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    bool fifo = evc_delivery_fifo(&domain->delivery) != NULL;
    struct record r = {
        .chan = lasting(evc_table_chan(&domain->table, port)),
        .vcpu = evc_delivery_vcpu(delivery),
        .priority = evc_delivery_priority(delivery),
        .last = EVC_DELIVERY_NONE,
        .kept = evc_a64_load_sc(&bucket->saved) >> port % 64 & 1,
    };

    if (fifo)
        r.last = evc_a32_load_rlx(&bucket->last[port % 64]);
    if (evc_chan_kind(r.chan) == EVC_FREE)
        r.vcpu = 0;
    return r;
}

static bool is_untouched(const struct record *r)
{
    return evc_chan_kind(r->chan) <= EVC_RESERVED && !r->kept &&
           r->priority == EVC_DEFAULT_PRIORITY && r->last == EVC_DELIVERY_NONE;
}

static void put_record(struct evc_out *out, uint32_t port,
                       const struct record *r)
{
    evc_put32(out, port);
    evc_put8(out, (uint8_t)evc_chan_kind(r->chan));
    evc_put8(out, r->kept ? EVC_SAVED_KEPT : 0);
    evc_put8(out, (uint8_t)r->priority);
    evc_put8(out, 0);
    evc_put32(out, r->vcpu);
    evc_put32(out, evc_chan_domid(r->chan));
    evc_put32(out, evc_chan_number(r->chan));
    evc_put32(out, r->last);
}

/* How many there are; with `out`, they are put there. */
static uint32_t records(struct evc_domain *domain, struct evc_out *out)
{
    uint32_t valid = evc_table_valid(&domain->table), n = 0;

    for (uint32_t port = 1; port < valid; port++) {
        struct record r = record_of(domain, port);

        if (is_untouched(&r))
            continue;
        if (out != NULL)
            put_record(out, port, &r);
        n++;
    }
    return n;
}

/* ---- vCPUs -------------------------------------------------------------- */

static void put_info(struct evc_out *out, const struct evc_vcpu *vcpu,
                     const struct evc_shape *shape)
{
    const struct evc_domain *domain = vcpu->domain;
    const uint8_t *info = atomic_load(&domain->info[vcpu->id]);

    if (vcpu->info_page != NULL) {
        evc_put64(out, vcpu->info_gfn);
        evc_put32(out, (uint32_t)(info - (uint8_t *)vcpu->info_page));
    } else if (vcpu->id >= shape->slots) {
        evc_put(out, info, EVC_VCPU_INFO_SIZE);
    }
}

static void put_block(struct evc_out *out, const struct evc_block *block)
{
    if (block == NULL)
        return;
    evc_put64(out, block->gfn);
    evc_put32(out,
              (uint32_t)((uint8_t *)block->control - (uint8_t *)block->page));
    for (unsigned q = 0; q < EVC_FIFO_QUEUES; q++)
        evc_put32(out, block->queue[q].tail);
}

static void put_timers(struct evc_out *out, const struct evc_vcpu *vcpu)
{
    for (unsigned kind = 0; kind < EVC_TIMERS; kind++) {
        const struct evc_timer *t = &vcpu->timer[kind];

        evc_put64(out, t->deadline);
        evc_put64(out, t->deadline != 0 ? t->period : 0);
    }
}

static void put_vcpu(struct evc_out *out, struct evc_vcpu *vcpu,
                     const struct evc_delivery *to)
{
    struct evc_engine *engine = vcpu->domain->engine;
    const struct evc_fifo *fifo = evc_delivery_fifo(to);
    const struct evc_block *block =
        fifo != NULL ? atomic_load(&fifo->block[vcpu->id]) : NULL;

    evc_put32(out, (evc_a32_load_acq(&vcpu->online) ? EVC_SAVED_ONLINE : 0) |
                       (vcpu->info_page != NULL ? EVC_SAVED_MOVED : 0) |
                       (block != NULL ? EVC_SAVED_BLOCK : 0));
    put_info(out, vcpu, evc_delivery_shape(to));
    put_block(out, block);
    pthread_mutex_lock(&engine->timers);
    put_timers(out, vcpu);
    pthread_mutex_unlock(&engine->timers);
}

/* ---- the whole ---------------------------------------------------------- */

static uint32_t handled(const struct evc_domain *domain)
{
    uint32_t virqs = 0;

    for (uint32_t virq = 0; virq < EVC_NR_VIRQS; virq++)
        if (!evc_virq_is_vcpu(virq) && evc_virq_is_handler(domain, virq))
            virqs |= 1u << virq;
    return virqs;
}

static void put_head(struct evc_out *out, struct evc_domain *domain,
                     const struct evc_delivery *to)
{
    evc_put32(out, EVC_SAVED_MAGIC);
    evc_put16(out, EVC_SAVED_VERSION);
    evc_put8(out, (uint8_t)evc_layout_of(evc_delivery_shape(to)));
    evc_put8(out, evc_delivery_fifo(to) != NULL ? EVC_SAVED_FIFO : 0);
    evc_put16(out, domain->id);
    evc_put16(out, 0);
    evc_put32(out, domain->vcpus);
    evc_put32(out, evc_table_valid(&domain->table));
    evc_put32(out, evc_a32_load_sc(&domain->paused));
    evc_put32(out, evc_a32_load_sc(&domain->shut_down));
    evc_put32(out, evc_a32_load_acq(&domain->target));
    evc_put32(out, handled(domain));
    evc_put32(out, records(domain, NULL));
}

static void put_pages(struct evc_out *out, const struct evc_fifo *fifo)
{
    if (fifo == NULL)
        return;
    evc_put32(out, fifo->pages);
    for (uint32_t i = 0; i < fifo->pages; i++)
        evc_put64(out, fifo->gfn[i]);
}

int evc_domain_save(struct evc_domain *domain, void *buffer, size_t size)
{
    struct evc_out out = {.to = buffer, .room = buffer != NULL ? size : 0};
    const struct evc_delivery *to = &domain->delivery;
    int r = 0;

    evc_spin_lock(&domain->lock);
    if (domain->dying) {
        r = -EINVAL;
    } else if (domain->resetting) {
        r = -EBUSY;
    } else {
        put_head(&out, domain, to);
        put_pages(&out, evc_delivery_fifo(to));
        for (unsigned v = 0; v < domain->vcpus; v++)
            put_vcpu(&out, &domain->vcpu[v], to);
        (void)records(domain, &out);
    }
    evc_spin_unlock(&domain->lock);
    if (r < 0)
        return r;
    return buffer == NULL || out.n <= size ? (int)out.n : -ENOSPC;
}
