/* SPDX-License-Identifier: MIT */
/*
 * io_uring: the sender's ring posts the number of a channel straight into the
 * receiver's (IORING_OP_MSG_RING, Linux 5.18).
 */
#include <errno.h>
#include <stdlib.h>

#include "adapters.h"

#ifdef EVC_HAVE_LIBURING
#include <liburing.h>

#define DEPTH 1024
#define BATCH 64

struct link {
    struct io_uring to, from; /* rings of the receiver, of the sender */
    evc_adapter_handler *handler;
    void *data;
};

static int open_rings(struct io_uring *to, struct io_uring *from)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE,
        .cq_entries = 2 * DEPTH,
    };
    int r = io_uring_queue_init_params(4, to, &params);

    if (r < 0)
        return r;
    r = io_uring_queue_init(4, from, 0);
    if (r < 0)
        io_uring_queue_exit(to);
    return r;
}

static void close_rings(struct io_uring *to, struct io_uring *from)
{
    io_uring_queue_exit(to);
    io_uring_queue_exit(from);
}

static const char *missing(void)
{
    struct io_uring_probe *probe = io_uring_get_probe();
    bool messages;

    if (!probe)
        return "no io_uring on this kernel, or it is not allowed";
    messages = io_uring_opcode_supported(probe, IORING_OP_MSG_RING);
    io_uring_free_probe(probe);
    return messages ? NULL : "no IORING_OP_MSG_RING on this kernel";
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    struct link *link = calloc(1, sizeof(*link));
    int r;

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
    r = open_rings(&link->to, &link->from);
    if (r < 0)
        free(link);
    else
        *out = link;
    return r;
}

static void close_link(void *data)
{
    struct link *link = data;

    close_rings(&link->to, &link->from);
    free(link);
}

static int cycle(void *data)
{
    struct io_uring to, from;
    int r = open_rings(&to, &from);

    (void)data;
    if (r == 0)
        close_rings(&to, &from);
    return r;
}

static int send_channel(void *data, uint32_t channel)
{
    struct link *link = data;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&link->from);
    int r;

    if (!sqe)
        return -EAGAIN;
    io_uring_prep_msg_ring(sqe, link->to.ring_fd, 0, channel, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    r = io_uring_submit(&link->from);
    return r < 0 ? r : 0;
}

static int take(void *data)
{
    struct link *link = data;
    struct io_uring_cqe *cqes[BATCH];
    unsigned n;

    while ((n = io_uring_peek_batch_cqe(&link->to, cqes, BATCH)) > 0) {
        for (unsigned i = 0; i < n; i++)
            link->handler(link->data, (uint32_t)cqes[i]->user_data);
        io_uring_cq_advance(&link->to, n);
    }
    return 0;
}

static int wait(void *data)
{
    struct link *link = data;
    struct io_uring_cqe *cqe;
    int r = io_uring_wait_cqe(&link->to, &cqe);

    return r < 0 ? r : take(data);
}
#else
static const char *missing(void)
{
    return "built without liburing";
}

static int open_link(const struct evc_adapter_config *config, void **out)
{
    (void)config;
    (void)out;
    return -ENOSYS;
}

#define DEPTH        0
#define close_link   NULL
#define cycle        NULL
#define send_channel NULL
#define take         NULL
#define wait         NULL
#endif

const struct evc_adapter evc_adapter_uring = {
    .version = EVC_ADAPTER_VERSION,
    .name = "io_uring",
    .about = "the channels' numbers from ring to ring of io_uring",
    .depth = DEPTH,
    .missing = missing,
    .open = open_link,
    .close = close_link,
    .cycle = cycle,
    .send = send_channel,
    .take = take,
    .wait = wait,
};
