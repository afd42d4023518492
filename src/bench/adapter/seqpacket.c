/* SPDX-License-Identifier: MIT */
/*
 * A pair of SOCK_SEQPACKET sockets; a packet is the number of a channel.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "adapters.h"
#include "descriptor.h"

#define DEPTH 64 /* of some 270 that fit into a socket's buffer */

struct link {
    int fd[2]; /* the first receives */
    evc_adapter_handler *handler;
    void *data;
};

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = malloc(sizeof(*link));
    int error;

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link->fd) == 0) {
        *out = link;
        return 0;
    }
    error = errno;
    free(link);
    return -error;
}

static void close_link(void *data)
{
    struct link *link = data;

    close(link->fd[0]);
    close(link->fd[1]);
    free(link);
}

static int cycle(void *data)
{
    int fd[2];

    (void)data;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
        return -errno;
    close(fd[0]);
    close(fd[1]);
    return 0;
}

static int send_channel(void *data, uint32_t channel)
{
    struct link *link = data;

    return send(link->fd[1], &channel, sizeof(channel),
                MSG_DONTWAIT | MSG_NOSIGNAL) < 0
               ? -errno
               : 0;
}

/* Return: 1: one received; 0: there was none; -errno. */
static int receive(struct link *link, int flags)
{
    uint32_t channel;
    ssize_t n = recv(link->fd[0], &channel, sizeof(channel), flags);

    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    link->handler(link->data, channel);
    return 1;
}

static int take(void *data)
{
    int r;

    while ((r = receive(data, MSG_DONTWAIT)) > 0)
        ;
    return r;
}

static int wait(void *data)
{
    return receive(data, 0);
}

const struct evc_adapter evc_adapter_seqpacket = {
    .version = EVC_ADAPTER_VERSION,
    .name = "seqpacket",
    .about = "the channels' numbers as packets of a SOCK_SEQPACKET pair",
    .depth = DEPTH,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send_channel,
    .take = take,
    .wait = wait,
};
