/* SPDX-License-Identifier: MIT */
/*
 * An eventfd for each channel, all of them in one epoll.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "adapters.h"
#include "descriptor.h"

#define BATCH 128

struct link {
    int epoll;
    uint32_t count;
    evc_adapter_handler *handler;
    void *data;
    int fd[];
};

/* Return: the descriptor, watched; -errno. */
static int watch_new(int epoll, uint32_t channel)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = channel};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static void close_link(void *data)
{
    struct link *link = data;

    for (uint32_t i = 0; i < link->count; i++)
        close(link->fd[i]);
    evc_close_fd(link->epoll);
    free(link);
}

static int fill(struct link *link, uint32_t channels)
{
    link->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (link->epoll < 0)
        return -errno;
    while (link->count < channels) {
        int fd = watch_new(link->epoll, link->count);

        if (fd < 0)
            return fd;
        link->fd[link->count++] = fd;
    }
    return 0;
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link =
        calloc(1, sizeof(*link) + config->channels * sizeof(link->fd[0]));
    int r;

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
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
    int fd = watch_new(link->epoll, link->count);

    return fd < 0 ? fd : close(fd);
}

static int send(void *data, uint32_t channel)
{
    static const uint64_t one = 1;
    struct link *link = data;

    return write(link->fd[channel], &one, sizeof(one)) < 0 ? -errno : 0;
}

static int receive(struct link *link, int timeout)
{
    struct epoll_event events[BATCH];
    uint64_t count;
    int n;

    do {
        n = epoll_wait(link->epoll, events, BATCH, timeout);
        for (int i = 0; i < n; i++)
            if (read(link->fd[events[i].data.u32], &count, sizeof(count)) > 0)
                link->handler(link->data, events[i].data.u32);
        timeout = 0;
    } while (n == BATCH);
    return n < 0 ? -errno : 0;
}

static int take(void *data)
{
    return receive(data, 0);
}

static int wait(void *data)
{
    return receive(data, -1);
}

const struct evc_adapter evc_adapter_epoll = {
    .version = EVC_ADAPTER_VERSION,
    .name = "eventfd+epoll",
    .about = "an eventfd for each channel, all in one epoll",
    .descriptors = 1,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
};
