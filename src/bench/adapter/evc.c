/* SPDX-License-Identifier: MIT */
/*
 * Ours: the sender holds the engine, the receiver takes with libevc-guest.
 *
 * A receiver with nothing to do spins for a while, then says that it sleeps,
 * looks once more, and sleeps.  The engine calls kick() when it has raised the
 * upcall, and that wakes a sleeper.
 *
 *   here                       there                       if it were weaker
 *   -------------------------  --------------------------  ------------------
 *   A1 store asleep, fence sc  A2 upcall, then asleep  sc  neither sees the
 *                                                          other: it sleeps on
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <evc/adapter.h>

#include "adapters.h"
#include "guests.h"
#include "machine.h"

#define WINDOW_NS \
    50000.0 /* spin for so long: several times what waking takes */

struct link {
    struct evc_bench_guests *guests;
    _Atomic uint32_t *asleep; /* shared: 1 while the receiver sleeps or is to */
    evc_adapter_handler *handler;
    void *data;
};

static long futex(_Atomic uint32_t *word, int what, uint32_t value)
{
    return syscall(SYS_futex, word, what, value, NULL, NULL, 0);
}

/* Of the receiver's vCPU; the sender's is kicked as well, when it binds. */
static void kick(void *data, uint32_t vcpu)
{
    struct link *link = data;

    (void)vcpu;
    if (atomic_load(link->asleep) && /* A2, pairs with A1 */
        atomic_exchange(link->asleep, 0))
        futex(link->asleep, FUTEX_WAKE, INT_MAX);
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
    if (link->asleep)
        munmap((void *)link->asleep, sizeof(*link->asleep));
    free(link);
}

static int open_link(const struct evc_adapter_config *config, bool fifo,
                     void **out)
{
    struct link *link = calloc(1, sizeof(*link));
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
    shared = mmap(NULL, sizeof(*link->asleep), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    link->asleep = shared == MAP_FAILED ? NULL : shared;
    r = link->asleep ? evc_bench_guests_open(&guests, &link->guests) : -ENOMEM;
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

/* Is there something within the window? */
static bool spin(struct evc_guest_vcpu *vcpu)
{
    double until = 0;

    for (unsigned turns = 1; !evc_guest_is_due(vcpu); turns++) {
        evc_relax();
        if (turns % 64 != 0)
            continue;
        if (until == 0)
            until = evc_now_ns() + WINDOW_NS;
        else if (evc_now_ns() > until)
            return false;
    }
    return true;
}

static int wait(void *data)
{
    struct link *link = data;
    struct evc_guest_vcpu *vcpu = link->guests->receiver.vcpu;

    while (!spin(vcpu)) {
        atomic_store(link->asleep, 1);
        atomic_thread_fence(memory_order_seq_cst); /* A1, pairs with A2 */
        if (!evc_guest_is_due(vcpu))
            futex(link->asleep, FUTEX_WAIT, 1);
        atomic_store(link->asleep, 0);
    }
    return take(link);
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
