/* SPDX-License-Identifier: MIT */
/*
 * A POSIX message queue; a message is the number of a channel.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "adapters.h"

#define DEPTH 10 /* what anybody may have (fs.mqueue.msg_max) */

struct link {
    mqd_t to, from; /* for the sender, who never blocks; for the receiver */
    evc_adapter_handler *handler;
    void *data;
};

/* The queue of a new name, and a second descriptor of it; the name goes. */
static int open_queue(mqd_t *to, mqd_t *from)
{
    static unsigned count;
    struct mq_attr attr = {.mq_maxmsg = DEPTH, .mq_msgsize = sizeof(uint32_t)};
    int error = 0;
    char name[48];

    snprintf(name, sizeof(name), "/evc-bench-%d-%u", (int)getpid(), count++);
    *to = mq_open(name, O_WRONLY | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC,
                  0600, &attr);
    if (*to == (mqd_t)-1)
        return -errno;
    *from = mq_open(name, O_RDONLY | O_CLOEXEC);
    if (*from == (mqd_t)-1) {
        error = -errno;
        mq_close(*to);
    }
    mq_unlink(name);
    return error;
}

static const char *missing(void)
{
    mqd_t to, from;

    if (open_queue(&to, &from) < 0)
        return "no POSIX message queues on this kernel, or none to be had";
    mq_close(to);
    mq_close(from);
    return NULL;
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = malloc(sizeof(*link));
    int r;

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
    r = open_queue(&link->to, &link->from);
    if (r < 0)
        free(link);
    else
        *out = link;
    return r;
}

static void close_link(void *data)
{
    struct link *link = data;

    mq_close(link->to);
    mq_close(link->from);
    free(link);
}

static int cycle(void *data)
{
    mqd_t to, from;
    int r = open_queue(&to, &from);

    (void)data;
    if (r < 0)
        return r;
    mq_close(to);
    mq_close(from);
    return 0;
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;

    return mq_send(link->to, (const char *)&channel, sizeof(channel), 0) == 0
               ? 0
               : -errno;
}

/* Until a time long past: only if there is one. */
static int take(void *data)
{
    static const struct timespec past = {0};
    struct link *link = data;
    uint32_t channel;

    while (mq_timedreceive(link->from, (char *)&channel, sizeof(channel), NULL,
                           &past) >= 0)
        link->handler(link->data, channel);
    return errno == ETIMEDOUT ? 0 : -errno;
}

static int wait(void *data)
{
    struct link *link = data;
    uint32_t channel;

    if (mq_receive(link->from, (char *)&channel, sizeof(channel), NULL) < 0)
        return -errno;
    link->handler(link->data, channel);
    return 0;
}

const struct evc_adapter evc_adapter_mq = {
    .version = EVC_ADAPTER_VERSION,
    .name = "mq",
    .about = "the channels' numbers through a POSIX message queue",
    .depth = DEPTH,
    .missing = missing,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
};
