/* SPDX-License-Identifier: MIT */
/*
 * An adapter for evc bench from outside: an eventfd for each channel, and a
 * receiver that calls poll(), which is told all of them every time.
 *
 *     cc -shared -fPIC -o poll.so poll.c
 *     evc bench --load=./poll.so --ports=1,10,100,1000,10000
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <evc/adapter.h>

struct link {
    uint32_t count;
    evc_adapter_handler *handler;
    void *data;
    struct pollfd fds[];
};

static void close_link(void *data)
{
    struct link *link = data;

    for (uint32_t i = 0; i < link->count; i++)
        close(link->fds[i].fd);
    free(link);
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link =
        calloc(1, sizeof(*link) + config->channels * sizeof(link->fds[0]));

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
    while (link->count < config->channels) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0) {
            int error = errno;

            close_link(link);
            return -error;
        }
        link->fds[link->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    *out = link;
    return 0;
}

static int send(void *data, uint32_t channel)
{
    static const uint64_t one = 1;
    struct link *link = data;

    return write(link->fds[channel].fd, &one, sizeof(one)) < 0 ? -errno : 0;
}

static int receive(struct link *link, int timeout)
{
    int ready = poll(link->fds, link->count, timeout);
    uint64_t count;

    if (ready < 0)
        return -errno;
    for (uint32_t i = 0; ready > 0 && i < link->count; i++) {
        if (link->fds[i].revents == 0)
            continue;
        ready--;
        if (read(link->fds[i].fd, &count, sizeof(count)) > 0)
            link->handler(link->data, i);
    }
    return 0;
}

static int take(void *link)
{
    return receive(link, 0);
}

static int wait(void *link)
{
    return receive(link, -1);
}

const struct evc_adapter evc_adapter = {
    .version = EVC_ADAPTER_VERSION,
    .name = "eventfd+poll",
    .about = "an eventfd for each channel, all in one poll()",
    .descriptors = 1,
    .open = open_link,
    .close = close_link,
    .send = send,
    .take = take,
    .wait = wait,
};
