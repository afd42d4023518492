/* SPDX-License-Identifier: MIT */
/*
 * What a handle may do with ports: the engine decides whether the domain may,
 * the driver's rules whether the handle may.
 *
 * The rules are those that were recorded (libxenevtchn(7)): a port belongs to the
 * handle that bound it; after restrict() nothing is bound any more but to the
 * domain that was named.
 */
#include "daemon.h"

#include <errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <stdlib.h>

#define BLOCK 1024u /* ports come in blocks of so many */

/* ---- ends --------------------------------------------------------------- */

static struct evc_end *end_at(const struct evc_dom *dom, uint32_t port)
{
    return dom != NULL && port < EVC_SHARE_PORTS ? dom->end[port] : NULL;
}

static void engine_close(struct evc_dom *dom, uint32_t port)
{
    struct evtchn_close arg = {.port = port};

    (void)evc_event_channel_op(dom->engine, EVTCHNOP_close, &arg);
}

/* The engine has opened it: now it is this handle's; or it is closed again. */
static int end_create(struct evc_owner *owner, uint32_t port,
                      struct evc_end **out)
{
    struct evc_end *end = NULL;
    int r = evc_dom_cover(owner->dom, port);

    if (r == 0) {
        end = calloc(1, sizeof(*end));
        r = end != NULL ? 0 : -ENOMEM;
    }
    if (r < 0) {
        engine_close(owner->dom, port);
        return r;
    }
    end->owner = owner;
    end->port = port;
    end->virq = -1;
    owner->dom->end[port] = end;
    LIST_INSERT_HEAD(&owner->ends, end, next);
    evc_a8_store_rlx(&owner->home->masked[port], 0);
    *out = end;
    return 0;
}

/* At the other end of it, if that is a handle's. */
static struct evc_end *peer_of(const struct evc_end *end)
{
    struct evc_port_info info;

    if (evc_port_info(end->owner->dom->engine, end->port, &info) < 0 ||
        info.status != EVTCHNSTAT_interdomain)
        return NULL;
    return end_at(evc_dom_find(end->owner->daemon, info.remote_domain),
                  info.remote_port);
}

void evc_port_drop(struct evc_end *end)
{
    struct evc_owner *owner = end->owner;
    struct evc_end *peer = peer_of(end);

    evc_a64_store_sc(&owner->home->entry[end->port], 0);
    engine_close(owner->dom, end->port);
    if (peer != NULL) {
        peer->connected = false;
        evc_region_publish(peer);
        evc_wake_look(peer); /* its ring may still be in the socket */
    }
    evc_region_leave(end);
    owner->dom->end[end->port] = NULL;
    LIST_REMOVE(end, next);
    free(end);
}

/* ---- binding ------------------------------------------------------------ */

int evc_port_unbound(struct evc_owner *owner, uint32_t domain)
{
    struct evtchn_alloc_unbound arg = {.dom = DOMID_SELF,
                                       .remote_dom = (domid_t)domain};
    struct evc_end *end;
    int r;

    if (owner->restricted)
        return -EACCES;
    r = evc_event_channel_op(owner->dom->engine, EVTCHNOP_alloc_unbound, &arg);
    if (r == 0)
        r = end_create(owner, arg.port, &end);
    if (r < 0)
        return r;
    evc_region_publish(end);
    return (int)arg.port;
}

int evc_port_interdomain(struct evc_owner *owner, uint32_t domain,
                         uint32_t port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = (domid_t)domain,
                                          .remote_port = port};
    struct evc_end *end, *peer;
    int r;

    if (owner->restricted && domain != owner->restricted_to)
        return -EACCES;
    r = evc_event_channel_op(owner->dom->engine, EVTCHNOP_bind_interdomain,
                             &arg);
    if (r == 0)
        r = end_create(owner, arg.local_port, &end);
    if (r < 0)
        return r;
    peer = peer_of(end);
    if (peer != NULL)
        r = evc_region_join(peer, end);
    if (r < 0) {
        evc_port_drop(end);
        return r;
    }
    evc_region_publish(end);
    evc_wake_post(end); /* as the engine does: there may have been sends */
    return (int)arg.local_port;
}

int evc_port_virq(struct evc_owner *owner, uint32_t virq)
{
    struct evtchn_bind_virq arg = {.virq = virq};
    struct evc_end *end;
    int r;

    if (owner->restricted)
        return -EACCES;
    r = evc_event_channel_op(owner->dom->engine, EVTCHNOP_bind_virq, &arg);
    if (r == 0)
        r = end_create(owner, arg.port, &end);
    if (r < 0)
        return r;
    end->virq = (int)virq;
    r = evc_region_own(end);
    if (r < 0) {
        evc_port_drop(end);
        return r;
    }
    evc_region_publish(end);
    return (int)arg.port;
}

int evc_port_unbind(struct evc_owner *owner, uint32_t port)
{
    struct evc_end *end = end_at(owner->dom, port);

    if (port >= owner->dom->pages * BLOCK)
        return -EINVAL;
    if (end == NULL || end->owner != owner)
        return -ENOTCONN;
    evc_port_drop(end);
    return 0;
}

int evc_port_restrict(struct evc_owner *owner, uint16_t domain)
{
    if (owner->restricted)
        return -EACCES;
    if (domain == 0 || domain >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    owner->restricted = true;
    owner->restricted_to = domain;
    return 0;
}
