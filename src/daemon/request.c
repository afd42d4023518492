/* SPDX-License-Identifier: MIT */
/*
 * Requests: who may ask, who does it.
 *
 * A connection speaks for the handles that it has opened, or of which it has shown
 * the descriptor; any other handle is, to it, not there.
 */
#include "daemon.h"

#include <errno.h>
#include <evc/abi/event_channel.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- who speaks for what ------------------------------------------------ */

struct evc_member *evc_member_find(struct evc_conn *conn,
                                   struct evc_owner *owner)
{
    struct evc_member *member;

    LIST_FOREACH(member, &owner->members, of_owner)
    if (member->conn == conn)
        return member;
    return NULL;
}

int evc_member_add(struct evc_conn *conn, struct evc_owner *owner)
{
    struct evc_member *member = evc_member_find(conn, owner);

    if (member == NULL) {
        member = calloc(1, sizeof(*member));
        if (member == NULL)
            return -ENOMEM;
        member->conn = conn;
        member->owner = owner;
        LIST_INSERT_HEAD(&conn->members, member, of_conn);
        LIST_INSERT_HEAD(&owner->members, member, of_owner);
    }
    member->times++;
    return 0;
}

void evc_member_drop(struct evc_member *member)
{
    LIST_REMOVE(member, of_conn);
    LIST_REMOVE(member, of_owner);
    free(member);
}

/* ---- handles ------------------------------------------------------------ */

static int open_handle(struct evc_conn *conn, uint16_t domain,
                       struct evc_wire_reply *reply, int *fds, unsigned *n,
                       int *theirs)
{
    const struct evc_domain_settings *settings =
        evc_settings_of(conn->daemon->settings, domain);
    struct evc_owner *owner;
    int r;

    if (!evc_rules_allow(&settings->join, conn->uid, conn->gid))
        return -EACCES;
    r = evc_owner_open(conn->daemon, domain, conn->pid, &owner, theirs);
    if (r < 0)
        return r;
    r = evc_member_add(conn, owner);
    if (r < 0) {
        evc_owner_close(owner);
        return r;
    }
    reply->handle = owner->id;
    fds[0] = *theirs;
    fds[1] = owner->home_fd;
    *n = 2;
    return 0;
}

static int join_handle(struct evc_conn *conn, int fd,
                       struct evc_wire_reply *reply, int *fds, unsigned *n)
{
    struct evc_owner *owner = evc_owner_by_fd(conn->daemon, fd);
    int r;

    if (owner == NULL)
        return -ENOTTY;
    r = evc_member_add(conn, owner);
    if (r < 0)
        return r;
    reply->handle = owner->id;
    fds[0] = owner->home_fd;
    *n = 1;
    return 0;
}

/* The descriptor is closed already; was it the last? */
static int close_handle(struct evc_conn *conn, struct evc_owner *owner)
{
    struct evc_member *member = evc_member_find(conn, owner);

    if (evc_owner_is_gone(owner))
        evc_owner_close(owner);
    else if (--member->times == 0)
        evc_member_drop(member);
    return 0;
}

static int give_region(struct evc_owner *owner, uint32_t place,
                       struct evc_wire_reply *reply, int *fds, unsigned *n)
{
    if (place == 0 || place >= owner->places || owner->place[place] == NULL)
        return -ENOENT;
    reply->a = owner->place[place]->id;
    fds[0] = owner->place[place]->fd;
    *n = 1;
    return 0;
}

static int port_or_error(int r, struct evc_wire_reply *reply)
{
    if (r < 0)
        return r;
    reply->a = (uint32_t)r;
    return 0;
}

static int of_handle(struct evc_conn *conn, const struct evc_wire_request *q,
                     struct evc_wire_reply *reply, int *fds, unsigned *n)
{
    struct evc_owner *owner = evc_owner_find(conn->daemon, q->handle);

    if (owner == NULL || evc_member_find(conn, owner) == NULL)
        return -EBADF;
    switch (q->op) {
    case EVC_WIRE_CLOSE:
        return close_handle(conn, owner);
    case EVC_WIRE_UNBOUND:
        return port_or_error(evc_port_unbound(owner, q->a), reply);
    case EVC_WIRE_INTERDOMAIN:
        return port_or_error(evc_port_interdomain(owner, q->a, q->b), reply);
    case EVC_WIRE_VIRQ:
        return port_or_error(evc_port_virq(owner, q->a), reply);
    case EVC_WIRE_UNBIND:
        return evc_port_unbind(owner, q->a);
    case EVC_WIRE_RESTRICT:
        return evc_port_restrict(owner, (uint16_t)q->a);
    case EVC_WIRE_REGION:
        return give_region(owner, q->a, reply, fds, n);
    case EVC_WIRE_RAISE:
        evc_wake_raise(owner);
        return 0;
    default: /* EVC_WIRE_KICK */
        evc_wake_kick(owner, q->a, q->b, q->c);
        return 0;
    }
}

/* ---- looking, and VIRQs ------------------------------------------------- */

static void describe(struct evc_dom *dom, const struct evc_port_info *info,
                     struct evc_wire_port *to)
{
    const struct evc_end *end = dom->end[info->port];

    to->status = (uint8_t)info->status;
    if (info->status == EVTCHNSTAT_unbound ||
        info->status == EVTCHNSTAT_interdomain)
        to->remote_domain = info->remote_domain;
    if (info->status == EVTCHNSTAT_interdomain)
        to->remote_port = info->remote_port;
    if (info->status == EVTCHNSTAT_virq)
        to->virq = info->irq;
    if (end == NULL)
        return;
    to->pid = (uint32_t)end->owner->pid;
    to->masked = evc_a8_load_rlx(&end->owner->home->masked[end->port]) != 0;
    if (end->has_slot) {
        const struct evc_way *way =
            &evc_region_of(end)->way[end->slot][end->side];

        to->pending = (evc_a32_load_rlx(&way->word) & EVC_WAY_COUNT) != 0;
        to->events = evc_a32_load_rlx(&way->sent);
    }
}

static int next_port(struct evc_conn *conn, uint32_t domain, uint32_t after,
                     struct evc_wire_reply *reply)
{
    struct evc_dom *dom = evc_dom_find(conn->daemon, (uint16_t)domain);
    struct evc_port_info info;

    if (dom == NULL)
        return -ESRCH;
    if (!evc_rules_allow(&dom->settings->join, conn->uid, conn->gid))
        return -EACCES;
    reply->b = evc_port_next(dom->engine, after);
    if (reply->b != 0 && evc_port_info(dom->engine, reply->b, &info) == 0 &&
        reply->b < EVC_SHARE_PORTS)
        describe(dom, &info, &reply->port);
    return 0;
}

static bool is_of_a_vcpu(uint32_t virq)
{
    return virq == 0 || virq == 1 || virq == 7 || virq == 13;
}

static int raise_virq(struct evc_conn *conn, uint32_t domain, uint32_t virq)
{
    struct evc_dom *dom = evc_dom_find(conn->daemon, (uint16_t)domain);
    int r;

    if (dom == NULL)
        return -ESRCH;
    if (!evc_rules_allow(&dom->settings->join, conn->uid, conn->gid))
        return -EACCES;
    if (virq >= EVC_NR_VIRQS)
        return -EINVAL;
    if (is_of_a_vcpu(virq))
        r = evc_raise_vcpu_virq(dom->engine, 0, virq);
    else if (virq == 11) /* ARGO: each domain's own */
        r = evc_raise_domain_virq(dom->engine, virq);
    else
        r = evc_raise_global_virq(conn->daemon->engine, virq);
    evc_doms_deliver(conn->daemon);
    return r;
}

/* ---- all of them -------------------------------------------------------- */

bool evc_request(struct evc_conn *conn, const struct evc_wire_request *request,
                 int fd, struct evc_wire_reply *reply, int *fds, unsigned *n,
                 int *theirs)
{
    int r;

    *n = 0;
    *theirs = -1;
    switch (request->op) {
    case EVC_WIRE_OPEN:
        r = open_handle(conn, (uint16_t)request->a, reply, fds, n, theirs);
        break;
    case EVC_WIRE_JOIN:
        r = join_handle(conn, fd, reply, fds, n);
        break;
    case EVC_WIRE_FLUSH:
        r = 0;
        break;
    case EVC_WIRE_DOMAIN:
        reply->c = (uint32_t)(evc_domain_next(conn->daemon->engine,
                                              (int)request->c - 1) +
                              1);
        r = 0;
        break;
    case EVC_WIRE_PORT:
        r = next_port(conn, request->a, request->b, reply);
        break;
    case EVC_WIRE_RAISE_VIRQ:
        r = raise_virq(conn, request->a, request->b);
        break;
    default:
        r = of_handle(conn, request, reply, fds, n);
    }
    if (r < 0)
        *reply = (struct evc_wire_reply){.result = r};
    return request->op != EVC_WIRE_KICK;
}
