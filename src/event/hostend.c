/* SPDX-License-Identifier: MIT */
/*
 * Host ends, when an event passes: a guest sends to one, or one to a guest.
 *
 * The callback runs outside RCU and without locks, so it may do what it likes;
 * `calls` counts those that are running, and close waits for them.
 */
#include "event.h"

#include <stdlib.h>
#include <unistd.h>

/* The ends whose callbacks this thread is inside of, innermost first. */
struct inside {
    struct evc_host *host;
    struct inside *outer;
};
static _Thread_local struct inside *inside;

/* ---- from a guest ------------------------------------------------------- */

struct evc_host *evc_host_take(struct evc_domain *domain, uint32_t port)
{
    struct evc_bucket *bucket = evc_table_find(&domain->table, port);
    struct evc_host *_Atomic *hosts;
    struct evc_host *host;

    if (bucket == NULL)
        return NULL;
    hosts = atomic_load(&bucket->hosts);
    host = hosts != NULL ? atomic_load(&hosts[port % 64]) : NULL;
    if (host == NULL)
        return NULL;
    /* It cannot be freed before this reader has left and its call is done. */
    pthread_mutex_lock(&host->lock);
    host->calls++;
    pthread_mutex_unlock(&host->lock);
    if (host->vcpu != EVC_NO_VCPU)
        evc_vcpu_wake(domain, host->vcpu);
    return host;
}

void evc_host_free(struct evc_host *host)
{
    uint32_t fd = evc_a32_load_acq(&host->fd);
    uint32_t send_fd = evc_a32_load_acq(&host->send_fd);

    pthread_mutex_lock(&host->engine->admin);
    *host->link = host->next;
    if (host->next != NULL)
        host->next->link = host->link;
    pthread_mutex_unlock(&host->engine->admin);
    if (fd != 0)
        close((int)fd - 1);
    if (send_fd != 0)
        close((int)send_fd - 1);
    pthread_cond_destroy(&host->idle);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

/* One call less. The last call of an orphan takes it along. */
static void host_put(struct evc_host *host)
{
    bool last;

    pthread_mutex_lock(&host->lock);
    host->calls--;
    last = host->calls == 0 && host->orphan;
    pthread_cond_broadcast(&host->idle);
    pthread_mutex_unlock(&host->lock);
    if (last)
        evc_host_free(host);
}

void evc_host_notify(struct evc_host *host)
{
    struct inside frame = {.host = host, .outer = inside};
    uint32_t fd = evc_a32_load_acq(&host->fd);

    inside = &frame;
    if (fd != 0)
        evc_eventfd_write((int)fd - 1);
    if (host->notify != NULL)
        host->notify(host->data);
    inside = frame.outer;
    host_put(host);
}

unsigned evc_host_frames(const struct evc_host *host)
{
    unsigned n = 0;

    for (const struct inside *f = inside; f != NULL; f = f->outer)
        n += f->host == host;
    return n;
}

/* ---- to a guest --------------------------------------------------------- */

/* Where a listening end's events go: to who has bound to it. Inside RCU. */
static void send_to_peer(struct evc_engine *engine, struct evc_domain *domain,
                         uint32_t port)
{
    uint64_t chan = evc_table_chan(&domain->table, port);
    struct evc_domain *peer = NULL;

    if (evc_chan_way(chan) == (EVC_INTERDOMAIN | EVC_CHAN_HOST))
        peer = evc_engine_peer(engine, evc_chan_domid(chan));
    if (peer != NULL &&
        evc_table_find(&peer->table, evc_chan_number(chan)) != NULL)
        evc_domain_raise(peer, evc_chan_number(chan));
}

int evc_host_send(struct evc_host *host)
{
    struct evc_domain *domain;

    evc_rcu_lock();
    domain = evc_engine_peer(host->engine, host->domid);
    if (domain != NULL && evc_a32_load_sc(&host->attached) != 0) {
        if (host->listening)
            send_to_peer(host->engine, domain, host->port);
        else
            evc_domain_raise(domain, host->port);
    }
    evc_rcu_unlock();
    return 0;
}
