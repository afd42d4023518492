/* SPDX-License-Identifier: MIT */
/*
 * Host ends: channels whose one end is the embedder itself.
 *
 * Two kinds.  A *listening* end owns a port of a domain, as Xen's own ports do:
 * guests bind to it with bind_interdomain.  A *connected* end hangs on a port
 * that a guest has offered.  Either way the end stands in the bucket, beside
 * the port it is kept with, and a sender finds it there under RCU
 * (event/hostend.c).
 */
#include "bind.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- being found -------------------------------------------------------- */

/* Under the domain's lock. */
static int attach(struct evc_domain *domain, uint32_t port,
                  struct evc_host *host)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    struct evc_host *_Atomic *hosts = atomic_load(&bucket->hosts);

    if (hosts == NULL) {
        hosts = calloc(EVC_BUCKET_PORTS, sizeof(*hosts));
        if (hosts == NULL)
            return -ENOMEM;
        atomic_store(&bucket->hosts, hosts);
    }
    evc_a32_store_sc(&host->attached, 1);
    atomic_store(&hosts[port % 64], host);
    return 0;
}

static void detach(struct evc_domain *domain, uint32_t port)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    struct evc_host *_Atomic *hosts = atomic_load(&bucket->hosts);
    struct evc_host *host;

    if (hosts == NULL)
        return;
    host = atomic_exchange(&hosts[port % 64], NULL);
    if (host != NULL)
        evc_a32_store_sc(&host->attached, 0);
}

void evc_host_detach(struct evc_domain *domain, uint32_t port, uint64_t chan)
{
    if (chan & EVC_CHAN_HOST)
        domain->host_ports--;
    detach(domain, port);
}

/* ---- making ------------------------------------------------------------- */

static struct evc_host *host_create(struct evc_domain *domain,
                                    void (*notify)(void *data), void *data)
{
    struct evc_host *host = calloc(1, sizeof(*host));

    if (host == NULL)
        return NULL;
    host->engine = domain->engine;
    host->domid = domain->id;
    host->vcpu = EVC_NO_VCPU;
    host->notify = notify;
    host->data = data;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->idle, NULL);

    pthread_mutex_lock(&host->engine->admin);
    host->next = host->engine->hosts;
    host->link = &host->engine->hosts;
    if (host->next != NULL)
        host->next->link = &host->next;
    host->engine->hosts = host;
    pthread_mutex_unlock(&host->engine->admin);
    return host;
}

int evc_host_listen(struct evc_domain *domain, uint32_t vcpu, evc_domid remote,
                    void (*notify)(void *data), void *data,
                    struct evc_host **out)
{
    struct evc_host *host;
    int r;

    if (vcpu != EVC_NO_VCPU && vcpu >= domain->vcpus)
        return -ENOENT;
    host = host_create(domain, notify, data);
    if (host == NULL)
        return -ENOMEM;
    host->listening = true;
    host->vcpu = vcpu;

    evc_spin_lock(&domain->lock);
    r = evc_port_lowest(domain);
    if (r >= 0) {
        host->port = (evc_port)r;
        r = attach(domain, host->port, host);
    }
    if (r == 0)
        evc_port_open(domain, host->port,
                      evc_chan(EVC_UNBOUND | EVC_CHAN_HOST, remote, 0),
                      vcpu != EVC_NO_VCPU ? vcpu : 0);
    evc_spin_unlock(&domain->lock);

    if (r < 0)
        evc_host_free(host);
    else
        *out = host;
    return r;
}

int evc_host_connect(struct evc_domain *domain, evc_port port,
                     evc_domid offered, void (*notify)(void *data), void *data,
                     struct evc_host **out)
{
    struct evc_host *host = host_create(domain, notify, data);
    uint64_t chan = EVC_FREE;
    int r = 0;

    if (host == NULL)
        return -ENOMEM;
    host->port = port;
    evc_spin_lock(&domain->lock);
    if (evc_table_find(&domain->table, port) != NULL)
        chan = evc_table_chan(&domain->table, port);
    if (evc_chan_way(chan) != EVC_UNBOUND || evc_chan_domid(chan) != offered)
        r = -EINVAL;
    else
        r = attach(domain, port, host);
    if (r == 0)
        evc_table_set_chan(
            &domain->table, port,
            evc_chan(EVC_INTERDOMAIN | EVC_CHAN_TO_HOST, offered, 0));
    evc_spin_unlock(&domain->lock);

    if (r < 0)
        evc_host_free(host);
    else
        *out = host;
    return r;
}

evc_port evc_host_port(const struct evc_host *host)
{
    return host->port;
}

/* ---- descriptors -------------------------------------------------------- */

/* Make one, and have the engine's thread read it where `watch` says so. */
static int make_fd(struct evc_host *host, evc_a32 *slot, bool watch)
{
    int fd = evc_eventfd_create();
    int r = 0;

    if (fd >= 0 && watch)
        r = evc_service_watch(host->engine, fd, host);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (fd >= 0)
        evc_a32_store_sc(slot, (uint32_t)fd + 1);
    return fd;
}

static int fd_of(struct evc_host *host, evc_a32 *slot, bool watch)
{
    int fd;

    pthread_mutex_lock(&host->lock);
    fd = (int)evc_a32_load_acq(slot) - 1;
    if (fd < 0)
        fd = make_fd(host, slot, watch);
    pthread_mutex_unlock(&host->lock);
    return fd;
}

int evc_host_fd(struct evc_host *host)
{
    return fd_of(host, &host->fd, false);
}

int evc_host_send_fd(struct evc_host *host)
{
    return fd_of(host, &host->send_fd, true);
}

/* ---- closing ------------------------------------------------------------ */

/* A connected end leaves: the guest's port waits for the next one. */
static void disconnect(struct evc_domain *domain, struct evc_host *host)
{
    uint64_t chan;

    evc_spin_lock(&domain->lock);
    if (evc_a32_load_sc(&host->attached) != 0) {
        chan = evc_table_chan(&domain->table, host->port);
        evc_table_set_chan(&domain->table, host->port,
                           evc_chan(EVC_UNBOUND, evc_chan_domid(chan), 0));
        detach(domain, host->port);
    }
    evc_spin_unlock(&domain->lock);
}

static void leave(struct evc_host *host)
{
    struct evc_domain *domain = evc_domain_get(host->engine, host->domid);

    if (domain == NULL)
        return;
    if (!host->listening)
        disconnect(domain, host);
    else if (evc_a32_load_sc(&host->attached) != 0)
        (void)evc_port_close(domain, host->port, true);
    evc_domain_put(domain);
}

void evc_host_close(struct evc_host *host)
{
    unsigned own; /* calls that this one is made from */

    if (host == NULL)
        return;
    own = evc_host_frames(host);
    leave(host);
    if (evc_a32_load_acq(&host->send_fd) != 0)
        evc_service_unwatch(host->engine,
                            (int)evc_a32_load_acq(&host->send_fd) - 1);
    evc_rcu_wait(); /* who had found it has counted itself by now */

    pthread_mutex_lock(&host->lock);
    while (host->calls > own)
        pthread_cond_wait(&host->idle, &host->lock);
    host->orphan = own != 0; /* the outermost of them frees it */
    pthread_mutex_unlock(&host->lock);
    if (own == 0)
        evc_host_free(host);
}
