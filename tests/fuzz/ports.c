/* SPDX-License-Identifier: MIT */
/*
 * The naive engine's event_channel_op: binding, closing, asking, resetting.
 */
#include <string.h>

#include "naive.h"

/* ---- opening ------------------------------------------------------------ */

static void exist(struct naive_domain *d, uint32_t port)
{
    if (port >= d->valid)
        d->valid = (port | 63) + 1;
}

int naive_lowest(struct naive_domain *d)
{
    if (d->dying)
        return -XEN_EINVAL;
    for (uint32_t p = 1; p <= naive_limit(d); p++) {
        exist(d, p);
        if (d->port[p].what == EVTCHNSTAT_closed && !naive_is_linked(d, p))
            return (int)p;
    }
    return -XEN_ENOSPC;
}

/* What it had of old that a new port keeps: an event kept back, a queue. */
void naive_open(struct naive_domain *d, uint32_t port, struct naive_port as)
{
    as.saved = d->port[port].saved;
    as.queue = d->port[port].queue;
    as.sent = d->port[port].sent;
    d->port[port] = as;
}

static bool may(struct naive_domain *caller, const struct naive_domain *target)
{
    return caller->privileged || caller == target ||
           caller->target == target->id;
}

static int op_alloc_unbound(struct naive_domain *d,
                            struct evtchn_alloc_unbound *arg)
{
    struct naive_domain *in = naive_resolve(d, arg->dom);
    unsigned remote = arg->remote_dom == DOMID_SELF ? d->id : arg->remote_dom;
    int port = in != NULL ? naive_lowest(in) : -XEN_ESRCH;

    if (port < 0)
        return port;
    if (!may(d, in))
        return -XEN_EPERM;
    naive_open(in, (uint32_t)port,
               (struct naive_port){.what = EVTCHNSTAT_unbound,
                                   .domain = (uint16_t)remote});
    arg->port = (uint32_t)port;
    return 0;
}

static bool is_offered(struct naive_domain *d, uint32_t port, unsigned to)
{
    const struct naive_port *p = naive_port(d, port);

    return p != NULL && p->what == EVTCHNSTAT_unbound && p->domain == to;
}

static void join(struct naive_domain *d, uint32_t port,
                 const struct naive_domain *to, uint32_t at)
{
    d->port[port].what = EVTCHNSTAT_interdomain;
    d->port[port].domain = (uint16_t)to->id;
    d->port[port].port = at;
}

static int op_bind_interdomain(struct naive_domain *d,
                               struct evtchn_bind_interdomain *arg)
{
    struct naive_domain *remote = naive_resolve(d, arg->remote_dom);
    int port = remote != NULL ? naive_lowest(d) : -XEN_ESRCH;

    if (port < 0)
        return port;
    if (!is_offered(remote, arg->remote_port, d->id))
        return -XEN_EINVAL;
    naive_open(d, (uint32_t)port, (struct naive_port){0});
    join(d, (uint32_t)port, remote, arg->remote_port);
    join(remote, arg->remote_port, d, (uint32_t)port);
    naive_post(d, (uint32_t)port);
    arg->local_port = (uint32_t)port;
    return 0;
}

static int op_bind_virq(struct naive_domain *d, struct evtchn_bind_virq *arg)
{
    int port;

    if (arg->virq >= EVC_NR_VIRQS ||
        (!naive_is_vcpu_virq(arg->virq) && arg->vcpu != 0))
        return -XEN_EINVAL;
    if (arg->vcpu >= VCPUS)
        return -XEN_ENOENT;
    if (naive_is_global_virq(arg->virq) && !d->all->xen_417 &&
        d->all->handler[arg->virq] != d->id)
        return -XEN_EBUSY;
    if (d->vcpu[arg->vcpu].virq[arg->virq] != 0)
        return -XEN_EEXIST;
    port = naive_lowest(d);
    if (port < 0)
        return port;
    naive_open(d, (uint32_t)port,
               (struct naive_port){.what = EVTCHNSTAT_virq,
                                   .irq = arg->virq,
                                   .vcpu = arg->vcpu});
    d->vcpu[arg->vcpu].virq[arg->virq] = arg->port = (uint32_t)port;
    return 0;
}

static int op_bind_pirq(struct naive_domain *d, struct evtchn_bind_pirq *arg)
{
    int port;

    if (arg->pirq >= PIRQS)
        return -XEN_EINVAL;
    if (!d->privileged)
        return -XEN_EPERM;
    if (d->pirq[arg->pirq] != 0)
        return -XEN_EEXIST;
    port = naive_lowest(d);
    if (port < 0)
        return port;
    if (d->guest->pirq_error != 0)
        return d->guest->pirq_error;
    naive_open(d, (uint32_t)port,
               (struct naive_port){.what = EVTCHNSTAT_pirq, .irq = arg->pirq});
    d->pirq[arg->pirq] = arg->port = (uint32_t)port;
    return 0;
}

static int op_bind_ipi(struct naive_domain *d, struct evtchn_bind_ipi *arg)
{
    int port;

    if (arg->vcpu >= VCPUS)
        return -XEN_ENOENT;
    port = naive_lowest(d);
    if (port < 0)
        return port;
    naive_open(d, (uint32_t)port,
               (struct naive_port){.what = EVTCHNSTAT_ipi, .vcpu = arg->vcpu});
    arg->port = (uint32_t)port;
    return 0;
}

/* ---- at numbers of the embedder's choosing ------------------------------ */

int naive_bind_static(struct naive_domain *d, uint32_t port, unsigned remote)
{
    if (port == 0 || d->dying)
        return -XEN_EINVAL;
    if (port > naive_limit(d))
        return -XEN_ENOSPC;
    exist(d, port);
    if (d->port[port].what != EVTCHNSTAT_closed || naive_is_linked(d, port))
        return -XEN_EBUSY;
    naive_open(d, port,
               (struct naive_port){.what = EVTCHNSTAT_unbound,
                                   .domain = (uint16_t)remote});
    return 0;
}

int naive_connect_static(struct naive_domain *a, uint32_t pa,
                         struct naive_domain *b, uint32_t pb)
{
    if (!is_offered(a, pa, b->id) || !is_offered(b, pb, a->id) ||
        a->port[pa].host || b->port[pb].host || (a == b && pa == pb))
        return -XEN_EINVAL;
    join(a, pa, b, pb);
    join(b, pb, a, pa);
    return 0;
}

/* ---- closing ------------------------------------------------------------ */

/* The other end becomes unbound, offered to who has left. */
static void leave_peer(const struct naive_domain *d, const struct naive_port *p)
{
    struct naive_domain *peer = naive_find(d->all, p->domain);
    struct naive_port *other = &peer->port[p->port];

    other->what = EVTCHNSTAT_unbound;
    other->domain = (uint16_t)(d->dying && !d->all->xen_417 ? NOBODY : d->id);
    other->port = other->sent = 0;
}

void naive_close(struct naive_domain *d, uint32_t port)
{
    struct naive_port *p = &d->port[port];
    uint8_t away = p->away;
    bool saved;

    if (p->what == EVTCHNSTAT_interdomain && (p->end == NULL || p->host))
        leave_peer(d, p);
    if (p->what == EVTCHNSTAT_virq)
        d->vcpu[naive_is_vcpu_virq(p->irq) ? p->vcpu : 0].virq[p->irq] = 0;
    if (p->what == EVTCHNSTAT_pirq)
        d->pirq[p->irq] = 0;
    if (p->end != NULL)
        p->end->attached = false;
    naive_forget(d, port);
    saved = p->saved;
    *p = (struct naive_port){.away = away, .saved = saved, .queue = p->queue};
}

static bool is_guests(const struct naive_port *p)
{
    return p != NULL && p->what != EVTCHNSTAT_closed && !p->host;
}

static int op_close_port(struct naive_domain *d, uint32_t port)
{
    if (!is_guests(naive_port(d, port)))
        return -XEN_EINVAL;
    naive_close(d, port);
    return 0;
}

void naive_leave_fifo(struct naive_domain *d)
{
    if (!d->fifo)
        return;
    for (unsigned v = 0; v < VCPUS; v++) {
        d->mapped -= d->vcpu[v].block != NULL;
        d->vcpu[v].block = NULL;
    }
    d->mapped -= d->pages;
    d->pages = 0;
    d->fifo = false;
    for (uint32_t p = 0; p < d->valid && !d->all->xen_417; p++)
        d->port[p].saved = false;
}

static int may_reset(struct naive_domain *d, struct naive_domain *which)
{
    if (which == NULL)
        return -XEN_ESRCH;
    if (!may(d, which))
        return -XEN_EPERM;
    return which != d && which->paused == 0 ? -XEN_EINVAL : 0;
}

static int reset_domain(struct naive_domain *d, unsigned id)
{
    struct naive_domain *which = naive_resolve(d, id);
    int r = may_reset(d, which);

    if (r < 0)
        return r;
    for (uint32_t p = 1; p < which->valid; p++)
        if (is_guests(&which->port[p]))
            naive_close(which, p);
    naive_leave_fifo(which);
    return 0;
}

/* ---- sending, asking, moving -------------------------------------------- */

static void send_to_end(struct naive_end *end)
{
    end->notified++;
}

static int send_to_peer(struct naive_domain *d, const struct naive_port *p)
{
    struct naive_domain *peer = naive_find(d->all, p->domain);
    struct naive_port *other;

    if (p->end != NULL) { /* connected here */
        send_to_end(p->end);
        return 0;
    }
    other = &peer->port[p->port];
    if (other->host) {
        send_to_end(other->end);
        return 0;
    }
    naive_raise(peer, p->port);
    return 0;
}

int naive_send(struct naive_domain *d, uint32_t port)
{
    const struct naive_port *p = naive_port(d, port);

    if (!is_guests(p))
        return -XEN_EINVAL;
    switch (p->what) {
    case EVTCHNSTAT_unbound:
        return 0;
    case EVTCHNSTAT_interdomain:
        return send_to_peer(d, p);
    case EVTCHNSTAT_ipi:
        naive_raise(d, port);
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

static int unmask(struct naive_domain *d, uint32_t port)
{
    const struct naive_port *p = naive_port(d, port);

    if (p == NULL)
        return -XEN_EINVAL;
    if (p->what != EVTCHNSTAT_closed)
        naive_unmask(d, port);
    return 0;
}

static void answer(struct evtchn_status *arg, const struct naive_port *p)
{
    arg->status = p->what;
    arg->vcpu = p->vcpu;
    switch (p->what) {
    case EVTCHNSTAT_unbound:
        arg->u.unbound.dom = p->domain;
        break;
    case EVTCHNSTAT_interdomain:
        arg->u.interdomain.dom = p->domain;
        arg->u.interdomain.port = p->port;
        break;
    case EVTCHNSTAT_pirq:
        arg->u.pirq = p->irq;
        break;
    case EVTCHNSTAT_virq:
        arg->u.virq = p->irq;
        break;
    default:
        break;
    }
}

static int status_of(struct naive_domain *d, struct evtchn_status *arg)
{
    struct naive_domain *in = naive_resolve(d, arg->dom);

    if (in == NULL)
        return -XEN_ESRCH;
    if (naive_port(in, arg->port) == NULL)
        return -XEN_EINVAL;
    if (!may(d, in))
        return -XEN_EPERM;
    if (in->port[arg->port].host && d->all->xen_417)
        return -XEN_EACCES;
    answer(arg, &in->port[arg->port]);
    return 0;
}

static int move_port(struct naive_domain *d, const struct evtchn_bind_vcpu *arg)
{
    struct naive_port *p = naive_port(d, arg->port);

    if (arg->vcpu >= VCPUS)
        return -XEN_ENOENT;
    if (!is_guests(p) || p->what == EVTCHNSTAT_ipi ||
        (p->what == EVTCHNSTAT_virq && naive_is_vcpu_virq(p->irq)))
        return -XEN_EINVAL;
    p->vcpu = arg->vcpu;
    return 0;
}

static int change_priority(struct naive_domain *d,
                           const struct evtchn_set_priority *arg)
{
    struct naive_port *p = naive_port(d, arg->port);

    if (p == NULL)
        return -XEN_EINVAL;
    if (!d->fifo)
        return -XEN_ENOSYS;
    if (!is_guests(p))
        return -XEN_EACCES;
    if (arg->priority >= QUEUES)
        return -XEN_EINVAL;
    p->away = (uint8_t)(arg->priority ^ 7);
    return 0;
}

/* ---- FIFO --------------------------------------------------------------- */

/* Priorities and queues as new; what is pending waits for its word. */
static void enter(struct naive_domain *d)
{
    for (uint32_t p = 0; p < d->valid; p++) {
        d->port[p].away = 0;
        d->port[p].queue = 0;
        if (p > 0 && naive_is_pending(d, p))
            d->port[p].saved = true;
    }
    for (unsigned v = 0; v < VCPUS; v++)
        memset(d->vcpu[v].tail, 0, sizeof(d->vcpu[v].tail));
    d->fifo = true;
}

static int add_block(struct naive_domain *d, struct evtchn_init_control *arg)
{
    uint8_t *page;
    int r;

    if (arg->vcpu >= VCPUS)
        return -XEN_ENOENT;
    if (arg->offset > PAGE - 72 || arg->offset % 8 != 0 || d->dying ||
        d->vcpu[arg->vcpu].block != NULL)
        return -XEN_EINVAL;
    r = naive_map(d, arg->control_gfn, &page);
    if (r < 0)
        return r == -XEN_ENOMEM ? r : -XEN_EINVAL;
    if (!d->fifo)
        enter(d);
    d->vcpu[arg->vcpu].block = page + arg->offset;
    arg->link_bits = 17;
    return 0;
}

static int add_page(struct naive_domain *d,
                    const struct evtchn_expand_array *arg)
{
    uint8_t *page;
    int r;

    if (!d->fifo)
        return -XEN_EOPNOTSUPP;
    if (d->pages == 128)
        return -XEN_ENOSPC;
    r = naive_map(d, arg->array_gfn, &page);
    if (r < 0)
        return r == -XEN_ENOMEM ? r : -XEN_EINVAL;
    d->page[d->pages++] = (uint32_t)arg->array_gfn;
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t port = (d->pages - 1) * 1024 + i;

        if (port >= d->valid || !d->port[port].saved)
            continue;
        d->port[port].saved = d->all->xen_417;
        naive_post(d, port);
    }
    return 0;
}

/* ---- all of them -------------------------------------------------------- */

#define OP_RESET_CONT 14 /* Xen 4.17's own */

int naive_op(struct naive_domain *d, uint32_t cmd, void *arg)
{
    int r;

    switch (cmd) {
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(d, arg);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(d, arg);
    case EVTCHNOP_bind_pirq:
        return op_bind_pirq(d, arg);
    case EVTCHNOP_close:
        return op_close_port(d, ((struct evtchn_close *)arg)->port);
    case EVTCHNOP_send:
        return naive_send(d, ((struct evtchn_send *)arg)->port);
    case EVTCHNOP_status:
        return status_of(d, arg);
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(d, arg);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(d, arg);
    case EVTCHNOP_bind_vcpu:
        return move_port(d, arg);
    case EVTCHNOP_unmask:
        return unmask(d, ((struct evtchn_unmask *)arg)->port);
    case EVTCHNOP_reset:
        return reset_domain(d, ((struct evtchn_reset *)arg)->dom);
    case EVTCHNOP_init_control:
        return add_block(d, arg);
    case EVTCHNOP_expand_array:
        return add_page(d, arg);
    case EVTCHNOP_set_priority:
        return change_priority(d, arg);
    case OP_RESET_CONT:
        r = may_reset(d, naive_resolve(d, ((struct evtchn_reset *)arg)->dom));
        return r < 0 ? r : -XEN_EBUSY;
    default:
        return -XEN_ENOSYS;
    }
}
