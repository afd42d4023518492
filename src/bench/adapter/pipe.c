/* SPDX-License-Identifier: MIT */
/*
 * One pipe, in which the numbers of channels go from sender to receiver.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "adapters.h"
#include "descriptor.h"

#define DEPTH 4096 /* well below the 64 KiB of a pipe */
#define BATCH 256

struct link {
    int fd[2]; /* the first is read, the other written and never blocks */
    evc_adapter_handler *handler;
    void *data;
};

static int open_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC) != 0)
        return -errno;
    return fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0 ? 0 : -errno;
}

static void close_link(void *data)
{
    struct link *link = data;

    evc_close_fd(link->fd[0]);
    evc_close_fd(link->fd[1]);
    free(link);
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = malloc(sizeof(*link));
    int r;

    if (!link)
        return -ENOMEM;
    *link = (struct link){{-1, -1}, config->handler, config->data};
    r = open_pipe(link->fd);
    if (r < 0)
        close_link(link);
    else
        *out = link;
    return r;
}

static int cycle(void *data)
{
    int fd[2];

    (void)data;
    if (pipe2(fd, O_CLOEXEC) != 0)
        return -errno;
    close(fd[0]);
    close(fd[1]);
    return 0;
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;

    return write(link->fd[1], &channel, sizeof(channel)) < 0 ? -errno : 0;
}

static int handle(struct link *link, const uint32_t *channels, ssize_t size)
{
    for (ssize_t i = 0; i < size / (ssize_t)sizeof(*channels); i++)
        link->handler(link->data, channels[i]);
    return 0;
}

static int take(void *data)
{
    struct link *link = data;
    uint32_t channels[BATCH];
    ssize_t n;

    while ((n = evc_read_now(link->fd[0], channels, sizeof(channels))) > 0) {
        handle(link, channels, n);
        if (n < (ssize_t)sizeof(channels))
            return 0;
    }
    return n == -EAGAIN ? 0 : (int)n;
}

static int wait(void *data)
{
    struct link *link = data;
    uint32_t channels[BATCH];
    ssize_t n = read(link->fd[0], channels, sizeof(channels));

    return n < 0 ? -errno : handle(link, channels, n);
}

const struct evc_adapter evc_adapter_pipe = {
    .version = EVC_ADAPTER_VERSION,
    .name = "pipe",
    .about = "the channels' numbers through one pipe",
    .depth = DEPTH,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
};
