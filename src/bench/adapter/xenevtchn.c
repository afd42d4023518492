/* SPDX-License-Identifier: MIT */
/*
 * The drop-in libxenevtchn: two handles, and evcd between them where somebody
 * has to be woken or a port to be bound.
 *
 * A handle blocks while its owner waits, so that the library may spin; else not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "adapters.h"
#include "xenevtchn.h"

struct link {
    const struct evc_xenevtchn *lib;
    struct xenevtchn_handle *from, *to;
    bool blocking; /* `to` is */
    evc_adapter_handler *handler;
    void *data;
    uint32_t *channel; /* of each of the receiver's ports */
    uint32_t port[];   /* of the sender, for each channel */
};

#define DOMAIN     0u /* both ends' */
#define PORTS_MOST 131072u

static const char *missing(void)
{
    const char *why;

    return evc_xenevtchn(&why) ? NULL : why;
}

static void close_link(void *data)
{
    struct link *link = data;

    if (link->from)
        link->lib->close(link->from);
    if (link->to)
        link->lib->close(link->to);
    free(link->channel);
    free(link);
    evc_daemon_stop();
}

/* Let pending() wait, or not; mostly it is so already. */
static int set_blocking(struct link *link, bool blocking)
{
    if (link->blocking == blocking)
        return 0;
    link->blocking = blocking;
    return fcntl(link->lib->fd(link->to), F_SETFL, blocking ? 0 : O_NONBLOCK) <
                   0
               ? -errno
               : 0;
}

/* Return: 0; -EAGAIN: there is none; -errno. */
static int take_one(struct link *link, evc_adapter_handler *handler)
{
    int port = link->lib->pending(link->to);

    if (port < 0)
        return -errno;
    if (handler && (uint32_t)port < PORTS_MOST)
        handler(link->data, link->channel[port]);
    return link->lib->unmask(link->to, (uint32_t)port) < 0 ? -errno : 0;
}

static int take_all(struct link *link, evc_adapter_handler *handler)
{
    int r = set_blocking(link, false);

    while (r == 0)
        r = take_one(link, handler);
    return r == -EAGAIN ? 0 : r;
}

/* A port at each end. */
static int connect(struct link *link, uint32_t channel)
{
    int to = link->lib->bind_unbound(link->to, DOMAIN), from;

    if (to < 0 || (uint32_t)to >= PORTS_MOST)
        return to < 0 ? -errno : -ENOSPC;
    from = link->lib->bind_interdomain(link->from, DOMAIN, (uint32_t)to);
    if (from < 0)
        return -errno;
    link->port[channel] = (uint32_t)from;
    link->channel[to] = channel;
    return 0;
}

static int fill(struct link *link, uint32_t channels)
{
    int r = 0;

    link->from = link->lib->open(NULL, 0);
    if (link->from)
        link->to = link->lib->open(NULL, 0);
    if (!link->to)
        return -errno;
    for (uint32_t i = 0; r == 0 && i < channels; i++)
        r = connect(link, i);
    return r == 0 ? take_all(link, NULL) : r; /* what binding has raised */
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link =
        calloc(1, sizeof(*link) + config->channels * sizeof(link->port[0]));
    const char *why;
    int r;

    if (!link)
        return -ENOMEM;
    link->lib = evc_xenevtchn(&why);
    link->blocking = true;
    link->handler = config->handler;
    link->data = config->data;
    link->channel = calloc(PORTS_MOST, sizeof(link->channel[0]));
    r = link->channel && link->lib ? evc_daemon_start(NULL) : -ENOMEM;
    if (r < 0) {
        free(link->channel);
        free(link);
        return r;
    }
    r = fill(link, config->channels);
    if (r < 0)
        close_link(link);
    else
        *out = link;
    return r;
}

static int cycle(void *data)
{
    struct link *link = data;
    int to = link->lib->bind_unbound(link->to, DOMAIN), from;

    if (to < 0)
        return -errno;
    from = link->lib->bind_interdomain(link->from, DOMAIN, (uint32_t)to);
    if (from < 0 || link->lib->unbind(link->from, (uint32_t)from) < 0 ||
        link->lib->unbind(link->to, (uint32_t)to) < 0)
        return -errno;
    return 0;
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;

    return link->lib->notify(link->from, link->port[channel]) < 0 ? -errno : 0;
}

static int take(void *data)
{
    struct link *link = data;

    return take_all(link, link->handler);
}

static int wait(void *data)
{
    struct link *link = data;
    int r = set_blocking(link, true);

    return r < 0 ? r : take_one(link, link->handler);
}

const struct evc_adapter evc_adapter_xenevtchn = {
    .version = EVC_ADAPTER_VERSION,
    .name = "xenevtchn",
    .about = "the drop-in libxenevtchn, with evcd",
    .channels = 10000,
    .missing = missing,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
};
