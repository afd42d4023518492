/* SPDX-License-Identifier: MIT */
/*
 * Restoring a domain from the bytes that evc_domain_save() made (bytes.h).
 *
 * The bytes may come from anywhere: every field is checked before it is used,
 * and a domain that would not be as one that has grown by itself is refused as
 * a whole.  Nobody finds the domain before all of it is there, but for its
 * channels: those are joined at the end, each if its other end is waiting for it.
 */
#include "bytes.h"
#include "engine.h"

#include <stdlib.h>

struct head {
    uint8_t layout, flags;
    uint16_t id;
    uint32_t vcpus, valid, paused, shut_down, target, handled, records;
};

struct record {
    uint32_t port, vcpu, domid, number, last;
    uint8_t kind, flags, priority, zero;
};

struct timer {
    uint64_t deadline, period;
};

/* What is being restored, and from what. */
struct restore {
    struct evc_domain *domain;
    struct evc_in in;
    struct head head;
    struct timer *timers;   /* [vcpus][EVC_TIMERS], set when all is there */
    struct evc_in channels; /* the records again, for the joining */
};

static int good_if(bool good)
{
    return good ? 0 : -EINVAL;
}

/* ---- the head ----------------------------------------------------------- */

/* A vCPU's own VIRQs are handled by nobody. */
static bool is_handled(uint32_t virqs)
{
    for (uint32_t virq = 0; virq < EVC_NR_VIRQS; virq++)
        if ((virqs >> virq & 1) && evc_virq_is_vcpu(virq))
            return false;
    return virqs >> EVC_NR_VIRQS == 0;
}

static int get_head(struct restore *r)
{
    struct head *h = &r->head;
    bool ours = evc_get32(&r->in) == EVC_SAVED_MAGIC &&
                evc_get16(&r->in) == EVC_SAVED_VERSION;
    uint16_t zero;

    if (!ours)
        return -EINVAL;
    h->layout = evc_get8(&r->in);
    h->flags = evc_get8(&r->in);
    h->id = evc_get16(&r->in);
    zero = evc_get16(&r->in);
    h->vcpus = evc_get32(&r->in);
    h->valid = evc_get32(&r->in);
    h->paused = evc_get32(&r->in);
    h->shut_down = evc_get32(&r->in);
    h->target = evc_get32(&r->in);
    h->handled = evc_get32(&r->in);
    h->records = evc_get32(&r->in);
    return good_if(!r->in.bad && zero == 0 && !(h->flags & ~EVC_SAVED_FIFO) &&
                   h->shut_down <= 0x100 && h->target <= UINT16_MAX &&
                   h->valid != 0 && h->valid % EVC_BUCKET_PORTS == 0 &&
                   h->valid <= EVC_PORTS_MAX && h->records < h->valid &&
                   is_handled(h->handled));
}

/* The embedder says what it is for; that must be what was saved. */
static bool is_same(const struct head *h,
                    const struct evc_domain_config *config)
{
    return h->layout == (unsigned)config->layout && h->id == config->id &&
           h->vcpus == config->vcpus;
}

static void apply_head(struct restore *r)
{
    const struct head *h = &r->head;

    evc_a32_store_rlx(&r->domain->paused, h->paused);
    evc_a32_store_rlx(&r->domain->shut_down, h->shut_down);
    evc_a32_store_rlx(&r->domain->target, h->target);
}

/* ---- FIFO --------------------------------------------------------------- */

static int map(struct restore *r, uint64_t gfn, void **page)
{
    return r->domain->engine->ops.map(r->domain->cookie, gfn, page);
}

/* As init_control does, but for the event that it would announce. */
static int enter_fifo(struct restore *r)
{
    struct evc_fifo *fifo = evc_fifo_create(r->domain->vcpus);

    if (fifo == NULL)
        return -ENOMEM;
    evc_domain_change(r->domain, fifo);
    return 0;
}

static int get_pages(struct restore *r, struct evc_fifo *fifo)
{
    uint32_t pages = evc_get32(&r->in);
    int error = good_if(!r->in.bad && pages <= EVC_FIFO_PAGES);

    for (uint32_t i = 0; error == 0 && i < pages; i++) {
        uint64_t gfn = evc_get64(&r->in);
        void *page;

        error = r->in.bad ? -EINVAL : map(r, gfn, &page);
        if (error == 0)
            evc_fifo_add_page(fifo, page, gfn);
    }
    return error;
}

static int get_fifo(struct restore *r)
{
    int error;

    if (!(r->head.flags & EVC_SAVED_FIFO))
        return 0;
    error = enter_fifo(r);
    return error < 0 ? error
                     : get_pages(r, evc_delivery_fifo(&r->domain->delivery));
}

/* A tail is followed when the next event comes: its word must be there. */
static bool is_tail(const struct restore *r, const struct evc_fifo *fifo,
                    uint32_t port)
{
    return port == 0 ||
           (port < r->head.valid && port / EVC_FIFO_PAGE_PORTS < fifo->pages);
}

static int get_tails(struct restore *r, const struct evc_fifo *fifo,
                     struct evc_block *block)
{
    for (unsigned q = 0; q < EVC_FIFO_QUEUES; q++) {
        uint32_t port = evc_get32(&r->in);

        if (!is_tail(r, fifo, port))
            return -EINVAL;
        block->queue[q].tail = port;
    }
    return 0;
}

static int get_block(struct restore *r, unsigned vcpu)
{
    struct evc_fifo *fifo = evc_delivery_fifo(&r->domain->delivery);
    uint64_t gfn = evc_get64(&r->in);
    uint32_t offset = evc_get32(&r->in);
    void *page;
    int error;

    if (r->in.bad || fifo == NULL || !evc_block_fits(offset))
        return -EINVAL;
    error = map(r, gfn, &page);
    if (error < 0)
        return error;
    error = evc_fifo_add_block(fifo, vcpu, page, gfn, offset);
    if (error < 0) {
        r->domain->engine->ops.unmap(r->domain->cookie, gfn, page);
        return error;
    }
    return get_tails(r, fifo, atomic_load(&fifo->block[vcpu]));
}

/* ---- vCPUs -------------------------------------------------------------- */

static int get_moved_info(struct restore *r, struct evc_vcpu *vcpu)
{
    const struct evc_shape *shape = evc_delivery_shape(&r->domain->delivery);
    uint64_t gfn = evc_get64(&r->in);
    uint32_t offset = evc_get32(&r->in);
    void *page;
    int error;

    if (r->in.bad || !evc_info_fits(shape, offset))
        return -EINVAL;
    error = map(r, gfn, &page);
    if (error < 0)
        return error;
    vcpu->info_page = page;
    vcpu->info_gfn = gfn;
    atomic_store(&r->domain->info[vcpu->id], (uint8_t *)page + offset);
    return 0;
}

static int get_info(struct restore *r, struct evc_vcpu *vcpu, bool moved)
{
    const struct evc_shape *shape = evc_delivery_shape(&r->domain->delivery);

    if (moved)
        return get_moved_info(r, vcpu);
    if (vcpu->id >= shape->slots)
        evc_get(&r->in, r->domain->slots[vcpu->id].bytes, EVC_VCPU_INFO_SIZE);
    return 0;
}

static bool is_timer(unsigned kind, uint64_t deadline, uint64_t period)
{
    if (kind == EVC_TIMER_ONCE || deadline == 0)
        return period == 0;
    return evc_is_period(period);
}

static int get_timers(struct restore *r, unsigned vcpu)
{
    for (unsigned kind = 0; kind < EVC_TIMERS; kind++) {
        struct timer *t = &r->timers[vcpu * EVC_TIMERS + kind];

        t->deadline = evc_get64(&r->in);
        t->period = evc_get64(&r->in);
        if (r->in.bad || !is_timer(kind, t->deadline, t->period))
            return -EINVAL;
    }
    return 0;
}

/* From now on they may fire. */
static int set_timers(struct restore *r)
{
    int error = 0;

    for (unsigned i = 0; error == 0 && i < r->head.vcpus * EVC_TIMERS; i++) {
        const struct timer *t = &r->timers[i];

        if (t->deadline != 0)
            error = evc_timer_set(&r->domain->vcpu[i / EVC_TIMERS],
                                  (enum evc_timer_kind)(i % EVC_TIMERS),
                                  t->deadline, t->period);
    }
    return error;
}

static int get_vcpu(struct restore *r, struct evc_vcpu *vcpu)
{
    uint32_t flags = evc_get32(&r->in);
    int error;

    if (flags & ~(EVC_SAVED_ONLINE | EVC_SAVED_MOVED | EVC_SAVED_BLOCK))
        return -EINVAL;
    evc_a32_store_rlx(&vcpu->online, flags & EVC_SAVED_ONLINE);
    error = get_info(r, vcpu, flags & EVC_SAVED_MOVED);
    if (error == 0 && (flags & EVC_SAVED_BLOCK))
        error = get_block(r, vcpu->id);
    return error == 0 ? get_timers(r, vcpu->id) : error;
}

/* ---- ports -------------------------------------------------------------- */

static struct record get_record(struct evc_in *in)
{
    struct record p = {.port = evc_get32(in)};

    p.kind = evc_get8(in);
    p.flags = evc_get8(in);
    p.priority = evc_get8(in);
    p.zero = evc_get8(in);
    p.vcpu = evc_get32(in);
    p.domid = evc_get32(in);
    p.number = evc_get32(in);
    p.last = evc_get32(in);
    return p;
}

static bool is_queue(const struct restore *r, uint32_t last)
{
    return last == EVC_DELIVERY_NONE ||
           ((r->head.flags & EVC_SAVED_FIFO) && last >> 20 == 0 &&
            evc_delivery_vcpu(last) < r->head.vcpus);
}

/* An interrupt has one port: the place of that, if it is free. */
static evc_a32 *place_of(struct evc_domain *domain, const struct record *p)
{
    bool own = evc_virq_is_vcpu(p->number);

    if (p->kind == EVC_PIRQ)
        return p->number < domain->nr_pirqs ? &domain->pirq_port[p->number]
                                            : NULL;
    if (p->number >= EVC_NR_VIRQS)
        return NULL;
    return &domain->vcpu[own ? p->vcpu : 0].virq_port[p->number];
}

/* A port that is closed has a record for a reason. */
static bool is_remembered(const struct record *p)
{
    return (p->flags & EVC_SAVED_KEPT) || p->last != EVC_DELIVERY_NONE ||
           p->priority != EVC_DEFAULT_PRIORITY;
}

/* Could this be a port's channel? Of interrupts, place_of() has more to say. */
static bool is_channel(const struct record *p)
{
    switch (p->kind) {
    case EVC_FREE:
        return p->domid == 0 && p->number == 0 && p->vcpu == 0 &&
               is_remembered(p);
    case EVC_UNBOUND:
        return p->domid <= UINT16_MAX && p->number == 0;
    case EVC_INTERDOMAIN:
        return p->domid < EVC_DOMIDS && p->number < EVC_PORTS_MAX;
    case EVC_PIRQ:
    case EVC_VIRQ:
        return p->domid == 0;
    case EVC_IPI:
        return p->domid == 0 && p->number == 0;
    default:
        return false;
    }
}

static bool is_record(const struct restore *r, const struct record *p,
                      uint32_t before)
{
    return !r->in.bad && p->port > before && p->port < r->head.valid &&
           p->zero == 0 && !(p->flags & ~EVC_SAVED_KEPT) &&
           p->priority < EVC_FIFO_QUEUES && p->vcpu < r->head.vcpus &&
           is_queue(r, p->last) && is_channel(p) &&
           !(p->kind == EVC_INTERDOMAIN && p->domid == r->head.id &&
             p->number == p->port) &&
           (p->kind == EVC_FREE || p->port <= evc_port_limit(r->domain));
}

/* A channel is unbound at first, and offered to the other end's domain. */
static int open_port(struct evc_domain *domain, const struct record *p)
{
    bool irq = p->kind == EVC_VIRQ || p->kind == EVC_PIRQ;
    evc_a32 *place = irq ? place_of(domain, p) : NULL;
    uint64_t chan = evc_chan(p->kind, p->domid, p->number);

    if (irq && (place == NULL || evc_a32_load_rlx(place) != 0))
        return -EINVAL;
    if (irq)
        evc_a32_store_rlx(place, p->port);
    if (p->kind == EVC_INTERDOMAIN)
        chan = evc_chan(EVC_UNBOUND, p->domid, 0);
    evc_port_open(domain, p->port, chan, p->vcpu);
    return 0;
}

static int apply_record(struct evc_domain *domain, const struct record *p)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, p->port);
    int error = 0;

    if (p->kind != EVC_FREE)
        error = open_port(domain, p);
    evc_a32_store_rlx(&bucket->delivery[p->port % 64],
                      evc_delivery_word(p->vcpu, p->priority));
    evc_a32_store_rlx(&bucket->last[p->port % 64], p->last);
    if (p->flags & EVC_SAVED_KEPT)
        (void)evc_a64_set_sc(&bucket->saved, UINT64_C(1) << p->port % 64);
    return error;
}

static int get_records(struct restore *r)
{
    uint32_t before = 0;
    int error = evc_table_grow(&r->domain->table, r->head.valid - 1);

    r->channels = r->in;
    for (uint32_t i = 0; error == 0 && i < r->head.records; i++) {
        struct record p = get_record(&r->in);

        error = good_if(is_record(r, &p, before));
        if (error == 0)
            error = apply_record(r->domain, &p);
        before = p.port;
    }
    return error;
}

/* ---- the channels ------------------------------------------------------- */

static void join(struct evc_domain *domain, const struct record *p)
{
    struct evc_domain *peer =
        evc_domain_get(domain->engine, (evc_domid)p->domid);

    if (peer == NULL)
        return; /* not restored yet: it will join, then */
    (void)evc_connect_static(domain, p->port, peer, p->number);
    evc_domain_put(peer);
}

static void join_all(struct restore *r)
{
    for (uint32_t i = 0; i < r->head.records; i++) {
        struct record p = get_record(&r->channels);

        if (p.kind == EVC_INTERDOMAIN)
            join(r->domain, &p);
    }
}

/* ---- the whole ---------------------------------------------------------- */

static int get_vcpus(struct restore *r)
{
    int error = 0;

    for (unsigned v = 0; error == 0 && v < r->head.vcpus; v++)
        error = get_vcpu(r, &r->domain->vcpu[v]);
    evc_delivery_choose(&r->domain->delivery, r->head.vcpus);
    return error;
}

static int get_all(struct restore *r)
{
    int error;

    r->timers = calloc(r->head.vcpus * EVC_TIMERS, sizeof(*r->timers));
    if (r->timers == NULL)
        return -ENOMEM;
    error = get_fifo(r);
    if (error == 0)
        error = get_vcpus(r);
    if (error == 0)
        error = get_records(r);
    if (error == 0 && (r->in.bad || r->in.left != 0))
        error = -EINVAL;
    if (error == 0)
        error = set_timers(r);
    free(r->timers);
    return error;
}

static void take_handling(struct restore *r)
{
    for (uint32_t virq = 0; virq < EVC_NR_VIRQS; virq++)
        if (r->head.handled >> virq & 1)
            (void)evc_set_virq_handler(r->domain, virq);
}

int evc_domain_restore(struct evc_engine *engine,
                       const struct evc_domain_config *config,
                       const void *bytes, size_t size, struct evc_domain **out)
{
    struct restore r = {.in = {.from = bytes, .left = size}};
    int error = get_head(&r);

    if (error == 0)
        error = good_if(is_same(&r.head, config));
    if (error == 0)
        error = evc_domain_make(engine, config, &r.domain);
    if (error < 0)
        return error;
    apply_head(&r);
    error = get_all(&r);
    if (error == 0)
        error = evc_domain_publish(r.domain);
    if (error < 0) {
        evc_domain_unmake(r.domain);
        return error;
    }
    take_handling(&r);
    join_all(&r);
    *out = r.domain;
    return 0;
}
