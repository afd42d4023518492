/* SPDX-License-Identifier: MIT */
/*
 * Ours: the sender holds the engine, the receiver takes with libevc-guest, and
 * waits at a bell, which the engine's kick rings.
 *
 * The kick comes after a sequentially consistent read-modify-write of the
 * upcall flag, and is_due() looks at that flag likewise, so ringing needs no
 * locked instruction of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <evc/adapter.h>
#include <evc/bell.h>

#include "adapters.h"
#include "guests.h"
#include "machine.h"

struct link {
    struct evc_bench_guests *guests;
    struct evc_bell *bell; /* shared */
    evc_adapter_handler *handler;
    void *data;
    EVC_LINES struct evc_bell_spin spin; /* the receiver's */
};

/* Of the receiver's vCPU; the sender's is kicked as well, when it binds. */
static void kick(void *data, uint32_t vcpu)
{
    struct link *link = data;

    (void)vcpu;
    (void)evc_bell_ring_rmw(link->bell, -1);
}

static int on_event(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct link *link = data;

    (void)self;
    link->handler(link->data, port - link->guests->to);
    return EVC_GUEST_DONE;
}

static void close_link(void *data)
{
    struct link *link = data;

    evc_bench_guests_close(link->guests);
    if (link->bell)
        munmap(link->bell, sizeof(*link->bell));
    free(link);
}

static int open_link(const struct evc_adapter_config *config, bool fifo,
                     void **out)
{
    struct link *link = evc_alloc_lines(sizeof(*link));
    const struct evc_bench_guests_config guests = {
        .fifo = fifo,
        .channels = config->channels,
        .handler = on_event,
        .kick = kick,
        .data = link,
    };
    void *shared;
    int r;

    if (!link)
        return -ENOMEM;
    link->handler = config->handler;
    link->data = config->data;
    shared = mmap(NULL, sizeof(*link->bell), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    link->bell = shared == MAP_FAILED ? NULL : shared;
    r = link->bell ? evc_bench_guests_open(&guests, &link->guests) : -ENOMEM;
    if (r < 0)
        close_link(link);
    else
        *out = link;
    return r;
}

static int open_fifo(const struct evc_adapter_config *config, void **out)
{
    return open_link(config, true, out);
}

static int open_twolevel(const struct evc_adapter_config *config, void **out)
{
    return open_link(config, false, out);
}

static int cycle(void *data)
{
    struct link *link = data;

    return evc_bench_guests_cycle(link->guests);
}

static int send(void *data, uint32_t channel)
{
    struct link *link = data;

    return evc_send(link->guests->sender.domain, link->guests->from + channel);
}

static int take(void *data)
{
    struct link *link = data;

    return evc_guest_dispatch(link->guests->receiver.vcpu, 0, 0);
}

static bool is_due(void *data)
{
    const struct link *link = data;
    struct evc_bench_guest *receiver = &link->guests->receiver;

    return __atomic_load_n(&receiver->info->vcpu_info[0].evtchn_upcall_pending,
                           __ATOMIC_SEQ_CST) ||
           evc_guest_is_due(receiver->vcpu);
}

static int wait(void *data)
{
    struct link *link = data;
    int r = evc_bell_wait(link->bell, &link->spin, is_due, link, -1);

    return r < 0 && r != -EINTR ? r : take(link);
}

static void memory(const void *data, struct evc_adapter_memory *out)
{
    const struct link *link = data;
    const struct evc_bench_guests *guests = link->guests;

    out->shared = guests->receiver.shared_size + guests->sender.shared_size;
    out->receiver = guests->receiver.private_size;
}

const struct evc_adapter evc_adapter_fifo = {
    .version = EVC_ADAPTER_VERSION,
    .name = "evc-fifo",
    .about = "this engine, FIFO event channels",
    .channels = EVC_FIFO_CHANNELS,
    .open = open_fifo,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
    .memory = memory,
};

const struct evc_adapter evc_adapter_twolevel = {
    .version = EVC_ADAPTER_VERSION,
    .name = "evc-2level",
    .about = "this engine, two-level event channels",
    .channels = EVC_TWOLEVEL_CHANNELS,
    .open = open_twolevel,
    .close = close_link,
    .cycle = cycle,
    .send = send,
    .take = take,
    .wait = wait,
    .memory = memory,
};
