/* SPDX-License-Identifier: MIT */
/*
 * One eventfd, and a receiver that blocks in read().
 */
#include <stdlib.h>
#include <sys/eventfd.h>

#include "adapters.h"
#include "descriptor.h"

struct link {
    int fd;
    evc_adapter_handler *handler;
    void *data;
};

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = malloc(sizeof(*link));

    if (!link)
        return -ENOMEM;
    *link = (struct link){
        .fd = eventfd(0, EFD_CLOEXEC),
        .handler = config->handler,
        .data = config->data,
    };
    if (link->fd < 0) {
        free(link);
        return -errno;
    }
    *out = link;
    return 0;
}

static void close_link(void *data)
{
    struct link *link = data;

    close(link->fd);
    free(link);
}

static int cycle(void *data)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    (void)data;
    return fd < 0 ? -errno : close(fd);
}

static int send(void *data, uint32_t channel)
{
    static const uint64_t one = 1;
    struct link *link = data;

    (void)channel;
    return write(link->fd, &one, sizeof(one)) < 0 ? -errno : 0;
}

static int take(void *data)
{
    struct link *link = data;
    uint64_t count;
    ssize_t n = evc_read_now(link->fd, &count, sizeof(count));

    if (n < 0)
        return n == -EAGAIN ? 0 : (int)n;
    link->handler(link->data, 0);
    return 0;
}

static int wait(void *data)
{
    struct link *link = data;
    uint64_t count;

    if (read(link->fd, &count, sizeof(count)) < 0)
        return -errno;
    link->handler(link->data, 0);
    return 0;
}

const struct evc_adapter evc_adapter_eventfd = {
    .version = EVC_ADAPTER_VERSION,
    .name = "eventfd",
    .about = "one eventfd, read by a receiver that blocks",
    .channels = 1,
    .descriptors = 1,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
};
