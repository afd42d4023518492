/* SPDX-License-Identifier: MIT */
/*
 * The operations of a history, on a pair of guests.
 */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

void pair_create(struct pair *pair, bool fifo)
{
    pair->world = world_create((struct world_config){0});
    pair->fifo = fifo;
    for (unsigned s = 0; s < 2; s++) {
        pair->side[s] = guest_create(
            pair->world, (struct guest_config){.id = (evc_domid)(s + 1),
                                               .vcpus = LINEAR_CPUS});
        if (pair->side[s] == NULL)
            abort();
        if (!fifo)
            continue;
        enter_fifo(pair->side[s], LINEAR_CPUS);
        if (grow(pair->side[s]) != 0)
            abort();
    }
}

void pair_destroy(struct pair *pair)
{
    if (!world_destroy(pair->world))
        abort();
}

void pair_clear(struct pair *pair)
{
    for (unsigned s = 0; s < 2; s++) {
        struct guest *g = pair->side[s];

        for (uint32_t p = 0; (p = evc_port_next(g->dom, p)) != 0;)
            (void)close_port(g, p);
    }
    for (unsigned s = 0; s < 2; s++) {
        struct guest *g = pair->side[s];

        for (unsigned v = 0; v < LINEAR_CPUS; v++)
            memset(at(g, v * 64), 0, 16);
        memset(at(g, g->abi.pending), 0, 8);
        memset(at(g, g->abi.mask), 0, 8);
        memset(g->head, 0, sizeof(g->head));
        if (!pair->fifo)
            continue;
        memset(at(g, BLOCK_FRAME * PAGE), 0, LINEAR_CPUS * 128);
        memset(at(g, ARRAY_FRAME * PAGE), 0, PORTS_SEEN * 4);
    }
}

/* ---- one operation ------------------------------------------------------ */

static int64_t do_status(struct guest *g, uint32_t port)
{
    struct evtchn_status now;
    int r = status(g, DOMID_SELF, port, &now);
    int64_t remote = 0;

    if (r < 0)
        return r;
    if (now.status == EVTCHNSTAT_unbound)
        remote = now.u.unbound.dom;
    if (now.status == EVTCHNSTAT_interdomain)
        remote = now.u.interdomain.dom | now.u.interdomain.port << 16;
    return now.status | (int64_t)now.vcpu << 4 | remote << 8;
}

/* PENDING in one step; was it set? */
static int64_t consume_port(struct pair *pair, struct guest *g, uint32_t port)
{
    if (pair->fifo)
        return atomic_fetch_and(event_word(g, port), ~PENDING) >> 31;
    return atomic_fetch_and((_Atomic uint32_t *)at(g, g->abi.pending),
                            ~(1u << port)) >>
               port &
           1;
}

int64_t op_do(struct pair *pair, const struct op *op)
{
    struct guest *g = pair->side[op->side], *other = pair->side[!op->side];

    switch (op->kind) {
    case OP_ALLOC:
        return alloc_unbound(g, DOMID_SELF, other->id);
    case OP_BIND:
        return bind_interdomain(g, other->id, op->port);
    case OP_BIND_IPI:
        return bind_ipi(g, op->arg % LINEAR_CPUS);
    case OP_BIND_VIRQ:
        return bind_virq(g, VIRQ_DEBUG, op->arg % LINEAR_CPUS);
    case OP_BIND_PIRQ:
        return bind_pirq(g, 1 + op->arg % LINEAR_CPUS, BIND_PIRQ__WILL_SHARE);
    case OP_CLOSE:
        return close_port(g, op->port);
    case OP_SEND:
        return send_port(g, op->port);
    case OP_RAISE_VIRQ:
        return evc_raise_vcpu_virq(g->dom, op->arg % LINEAR_CPUS, VIRQ_DEBUG);
    case OP_RAISE_PIRQ:
        return evc_raise_pirq(g->dom, 1 + op->arg % LINEAR_CPUS);
    case OP_UNMASK:
        return unmask_port(g, op->port);
    case OP_BIND_VCPU:
        return bind_vcpu(g, op->port, op->arg % LINEAR_CPUS);
    case OP_PRIORITY:
        return set_priority(g, op->port, op->arg % 16);
    case OP_STATUS:
        return do_status(g, op->port);
    case OP_MASK:
        mask(g, op->port);
        return 0;
    case OP_CONSUME:
        return consume_port(pair, g, op->port);
    default:
        abort();
    }
}

void op_print(const struct op *op)
{
    static const char *const names[] = {"alloc_unbound", "bind_interdomain",
                                        "bind_ipi",      "bind_virq",
                                        "bind_pirq",     "close",
                                        "send",          "raise_virq",
                                        "raise_pirq",    "unmask",
                                        "bind_vcpu",     "set_priority",
                                        "status",        "mask",
                                        "consume"};

    printf("  %4llu..%-4llu d%u %s port=%u arg=%u -> %#llx\n",
           (unsigned long long)op->begin, (unsigned long long)op->end,
           op->side + 1, names[op->kind], op->port, op->arg,
           (unsigned long long)op->result);
}

/* ---- a send in two halves ----------------------------------------------- */

bool is_send(const struct op *op)
{
    return op->kind == OP_SEND || op->kind == OP_RAISE_VIRQ ||
           op->kind == OP_RAISE_PIRQ;
}

/* The port of the interrupt that is raised, any in use. */
static int64_t raise_begin(struct pair *pair, const struct op *op,
                           struct target *target)
{
    struct evc_domain *dom = pair->side[op->side]->dom;
    bool is_pirq = op->kind == OP_RAISE_PIRQ;
    struct evc_port_info i;

    for (uint32_t p = 0; (p = evc_port_next(dom, p)) != 0;) {
        if (evc_port_info(dom, p, &i) < 0)
            abort();
        if (is_pirq ? i.status == EVTCHNSTAT_pirq &&
                          i.irq == 1 + op->arg % LINEAR_CPUS
                    : i.status == EVTCHNSTAT_virq &&
                          i.vcpu == op->arg % LINEAR_CPUS)
            *target = (struct target){true, op->side, p};
    }
    return is_pirq && !target->any ? -XEN_ENOENT : 0;
}

int64_t send_begin(struct pair *pair, const struct op *op,
                   struct target *target)
{
    struct guest *g = pair->side[op->side];
    struct evc_port_info info;

    *target = (struct target){0};
    if (op->kind == OP_RAISE_VIRQ || op->kind == OP_RAISE_PIRQ)
        return raise_begin(pair, op, target);
    if (evc_port_info(g->dom, op->port, &info) < 0)
        return -XEN_EINVAL;
    if (info.status == EVTCHNSTAT_interdomain)
        *target = (struct target){true, !op->side, info.remote_port};
    else if (info.status == EVTCHNSTAT_ipi)
        *target = (struct target){true, op->side, op->port};
    else if (info.status != EVTCHNSTAT_unbound)
        return -XEN_EINVAL;
    return 0;
}

void send_end(struct pair *pair, struct target target)
{
    if (!target.any)
        return;
    evc_rcu_lock();
    (void)evc_domain_post(pair->side[target.side]->dom, target.port);
    evc_rcu_unlock();
}

/* ---- looking ------------------------------------------------------------ */

void view_take(struct pair *pair, struct view *view)
{
    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t p = 0; p < PORTS_SEEN; p++) {
            struct evc_port_info i;

            if (evc_port_info(pair->side[s]->dom, p, &i) < 0)
                abort();
            if (i.status == EVTCHNSTAT_closed) /* an old one may be left */
                i.priority = 0;
            view->port[s][p] =
                i.status | i.vcpu << 4 | i.priority << 8 |
                (uint64_t)i.pending << 12 | (uint64_t)i.masked << 13 |
                (uint64_t)i.linked << 14 | (uint64_t)i.remote_domain << 16 |
                (uint64_t)(i.remote_port | i.irq) << 32;
        }
    }
}

static void note(struct guest *g, uint32_t port, void *data)
{
    (void)g;
    if (port < PORTS_SEEN)
        *(uint64_t *)data |= UINT64_C(1) << port;
}

bool pair_drain(struct pair *pair, const struct view *view)
{
    for (unsigned s = 0; s < 2; s++) {
        uint64_t found = 0, due = 0;

        for (unsigned v = 0; v < LINEAR_CPUS; v++)
            (void)upcall(pair->side[s], v, note, &found);
        for (unsigned p = 1; p < PORTS_SEEN; p++)
            if ((view->port[s][p] >> 12 & 3) == 1) /* pending, not masked */
                due |= UINT64_C(1) << p;
        if (found != due)
            return false;
    }
    return true;
}
