/* SPDX-License-Identifier: MIT */
/*
 * Making two guests.  Both are whole ones, with their own event array and
 * control block, since a sender that has neither could not have 100,000 ports.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/guest/libevc.h>

#include "guests.h"

#define SPARE 64u /* ports beside the channels' */
#define PAGE  EVC_ABI_PAGE_SIZE

#define LINE_PORTS 16u /* event words in a cache line */

/* ---- a guest's memory ---------------------------------------------------- */

/* Shared: shared_info, the vCPU with its control block, the event array. */
static int map_memory(struct evc_bench_guest *guest)
{
    unsigned char *shared;

    guest->shared_size = 2 * PAGE + EVC_GUEST_EVENT_BYTES(guest->nr_ports);
    guest->private_size = sizeof(struct evc_guest_port) * guest->nr_ports;
    shared = mmap(NULL, guest->shared_size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -ENOMEM;
    guest->info = (void *)shared;
    guest->vcpu = (void *)(shared + PAGE);
    guest->events = (void *)(shared + 2 * PAGE);
    guest->ports = mmap(NULL, guest->private_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guest->ports == MAP_FAILED) {
        guest->ports = NULL;
        return -ENOMEM;
    }
    return 0;
}

static void unmap_memory(struct evc_bench_guest *guest)
{
    if (guest->info)
        munmap(guest->info, guest->shared_size);
    if (guest->ports)
        munmap(guest->ports, guest->private_size);
}

/* ---- a guest ------------------------------------------------------------- */

/* No clock: nothing is held back here, and reading it would be measured. */
static const struct evc_guest_hooks hooks = {
    .size = sizeof(hooks),
    .hypercall = evc_guest_libevc_hypercall,
};

static int boot(struct evc_bench_guest *guest, bool fifo)
{
    struct evc_guest_config config = {
        .size = sizeof(config),
        .layout = EVC_GUEST_LAYOUT_X86_64,
        .abi = fifo ? EVC_GUEST_ABI_FIFO : EVC_GUEST_ABI_TWOLEVEL,
        .shared_info = guest->info,
        .vcpus = guest->vcpu,
        .nr_vcpus = 1,
        .ports = guest->ports,
        .nr_ports = guest->nr_ports,
        .events = fifo ? guest->events : NULL,
        .hooks = &hooks,
        .data = guest->domain,
    };

    return evc_guest_init(&guest->guest, &config);
}

static int add_guest(struct evc_engine *engine, evc_domid id,
                     const struct evc_bench_guests_config *how,
                     struct evc_bench_guest *guest)
{
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = id,
        .layout = EVC_LAYOUT_X86_64,
        .vcpus = 1,
        .max_port = UINT32_MAX,
        .cookie = how->data,
    };
    int r;

    guest->nr_ports = how->channels + SPARE;
    r = map_memory(guest);
    if (r < 0)
        return r;
    config.shared_info = guest->info;
    r = evc_domain_create(engine, &config, &guest->domain);
    return r < 0 ? r : boot(guest, how->fifo);
}

/* ---- channels ------------------------------------------------------------ */

static int bind(struct evc_bench_guests *guests, evc_port remote)
{
    struct evtchn_bind_interdomain bind = {
        .remote_dom = EVC_RECEIVER,
        .remote_port = remote,
    };
    int r;

    r = evc_event_channel_op(guests->sender.domain, EVTCHNOP_bind_interdomain,
                             &bind);
    return r < 0 ? r : (int)bind.local_port;
}

/*
 * The receiver's channels begin on a line of their own in the event array.  The
 * first line has the page offset of liburcu's reader, and on some CPUs two lines
 * of one page offset get in each other's way, where their addresses differ as
 * theirs then do: twice the time, in every other run.
 */
static int skip_a_line(struct evc_bench_guests *guests)
{
    struct evtchn_alloc_unbound offer = {
        .dom = DOMID_SELF,
        .remote_dom = EVC_SENDER,
    };
    int r = 0;

    while (r == 0 && offer.port + 1 < LINE_PORTS)
        r = evc_event_channel_op(guests->receiver.domain,
                                 EVTCHNOP_alloc_unbound, &offer);
    return r;
}

/* Ports are given out lowest first, so those of each guest are in a row. */
static int connect(struct evc_bench_guests *guests,
                   const struct evc_bench_guests_config *config)
{
    const struct evc_guest_binding how = {
        .handler = config->handler,
        .data = config->data,
    };

    for (uint32_t i = 0; i < config->channels; i++) {
        int to =
            evc_guest_bind_unbound(guests->receiver.vcpu, EVC_SENDER, &how);
        int from = to < 0 ? to : bind(guests, (evc_port)to);

        if (from < 0)
            return from;
        if (i == 0) {
            guests->to = (evc_port)to;
            guests->from = (evc_port)from;
        }
        if ((evc_port)to != guests->to + i ||
            (evc_port)from != guests->from + i)
            return -EPROTO;
    }
    return 0;
}

static int fill(struct evc_bench_guests *guests,
                const struct evc_bench_guests_config *config)
{
    int r;

    r = add_guest(guests->engine, EVC_RECEIVER, config, &guests->receiver);
    if (r == 0)
        r = add_guest(guests->engine, EVC_SENDER, config, &guests->sender);
    if (r == 0)
        r = skip_a_line(guests);
    return r == 0 ? connect(guests, config) : r;
}

int evc_bench_guests_open(const struct evc_bench_guests_config *config,
                          struct evc_bench_guests **out)
{
    const struct evc_ops ops = {
        .size = sizeof(ops),
        EVC_GUEST_LIBEVC_OPS,
        .kick = config->kick,
    };
    struct evc_bench_guests *guests = calloc(1, sizeof(*guests));
    int r;

    if (!guests)
        return -ENOMEM;
    guests->channels = config->channels;
    r = evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &guests->engine);
    if (r == 0)
        r = fill(guests, config);
    if (r < 0)
        evc_bench_guests_close(guests);
    else
        *out = guests;
    return r;
}

void evc_bench_guests_close(struct evc_bench_guests *guests)
{
    if (!guests)
        return;
    evc_engine_destroy(guests->engine);
    unmap_memory(&guests->receiver);
    unmap_memory(&guests->sender);
    free(guests);
}

static int shut(struct evc_domain *domain, evc_port port)
{
    struct evtchn_close close = {.port = port};

    return evc_event_channel_op(domain, EVTCHNOP_close, &close);
}

int evc_bench_guests_cycle(struct evc_bench_guests *guests)
{
    struct evtchn_alloc_unbound offer = {
        .dom = DOMID_SELF,
        .remote_dom = EVC_SENDER,
    };
    int r, port;

    r = evc_event_channel_op(guests->receiver.domain, EVTCHNOP_alloc_unbound,
                             &offer);
    if (r < 0)
        return r;
    port = bind(guests, offer.port);
    if (port < 0)
        return port;
    r = shut(guests->sender.domain, (evc_port)port);
    return r < 0 ? r : shut(guests->receiver.domain, offer.port);
}
