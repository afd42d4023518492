/* SPDX-License-Identifier: MIT */
/*
 * Models: the library and the host's delivery, as they are, on a machine with
 * weak memory (weak.h).  Every row of the ordering tables in src/guest that
 * weaken.py lists as caught is caught here when it is weakened.
 *
 *   model [-1] [TIMES [NAME]]     -1: no more after the first that fails
 *
 * Exit status: 0; 1: some property did not hold.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delivery.h"
#include "weak.h"

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/guest.h>

#define VCPUS 3u
#define PORTS 128u

/* ---- a host of one domain, without an engine ----------------------------------- */

struct memory {
    uint8_t shared[4096];
    uint8_t events[EVC_GUEST_EVENT_BYTES(PORTS)];
    struct evc_guest_vcpu vcpu[VCPUS];
    struct evc_guest_port ports[PORTS];
    struct evc_guest guest;
};

static struct memory now __attribute__((aligned(4096)));
static struct memory at_first __attribute__((aligned(4096)));
static struct evc_table table;
static struct evc_bucket buckets_at_first[PORTS / 64];
static evc_info_ptr infos[VCPUS];
static const struct evc_shape shape = {.wide = true,
                                       .has_mask = true,
                                       .sel_offset = 8,
                                       .pending = 2048,
                                       .mask = 2560,
                                       .ports = 4096,
                                       .slots = 32,
                                       .info_size = 64};
static struct evc_delivery to = {
    .table = &table, .info = infos, .shape = &shape, .shared_info = now.shared};
static struct evc_fifo *fifo;
static struct evc_block *blocks[VCPUS], blocks_at_first[VCPUS];
static bool is_fifo;
static evc_port next_port;

void evc_spin_wait(evc_spin *spin)
{
    while (evc_a32_swap_acq(&spin->taken, 1) != 0)
        weak_pause();
}

static void post(evc_port port)
{
    (void)evc_post(&to, port);
}

static int init_control(const struct evtchn_init_control *arg)
{
    uint8_t *page = (uint8_t *)(uintptr_t)(arg->control_gfn * 4096);

    if (!is_fifo)
        return -XEN_ENOSYS;
    if (evc_fifo_add_block(fifo, arg->vcpu, page, arg->control_gfn,
                           arg->offset))
        abort();
    blocks[arg->vcpu] = atomic_load(&fifo->block[arg->vcpu]);
    evc_delivery_choose(&to, VCPUS);
    return 0;
}

static void move_delivery(const struct evtchn_bind_vcpu *arg)
{
    struct evc_bucket *bucket = evc_table_bucket(&table, arg->port);

    evc_a32_store_sc(&bucket->delivery[arg->port % 64],
                     evc_delivery_word(arg->vcpu, 7));
}

static int hypercall(void *data, evc_abi_u32 vcpu, evc_abi_u32 nr,
                     evc_abi_uptr cmd, evc_abi_uptr at, evc_abi_uptr none)
{
    void *arg = (void *)at;

    (void)data;
    (void)vcpu;
    (void)nr;
    (void)none;
    switch (cmd) {
    case EVTCHNOP_init_control:
        return init_control(arg);
    case EVTCHNOP_expand_array:
        evc_fifo_add_page(
            fifo,
            (void *)(uintptr_t)(((struct evtchn_expand_array *)arg)->array_gfn *
                                4096),
            0);
        return 0;
    case EVTCHNOP_bind_ipi:
        ((struct evtchn_bind_ipi *)arg)->port = next_port;
        return 0;
    case EVTCHNOP_alloc_unbound:
        ((struct evtchn_alloc_unbound *)arg)->port = next_port;
        return 0;
    case EVTCHNOP_bind_vcpu:
        move_delivery(arg);
        return 0;
    case EVTCHNOP_unmask:
        (void)evc_post_unmask(&to, ((struct evtchn_unmask *)arg)->port);
        return 0;
    case EVTCHNOP_close:
        evc_post_clear(&to, ((struct evtchn_close *)arg)->port);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

static void relax(void *data)
{
    (void)data;
    weak_pause();
}

static const struct evc_guest_hooks hooks = {
    .size = sizeof(hooks), .hypercall = hypercall, .relax = relax};

static void boot(bool with_fifo)
{
    const struct evc_guest_config config = {
        .size = sizeof(config),
        .layout = EVC_GUEST_LAYOUT_X86_64,
        .abi = with_fifo ? EVC_GUEST_ABI_FIFO : EVC_GUEST_ABI_TWOLEVEL,
        .shared_info = now.shared,
        .vcpus = now.vcpu,
        .nr_vcpus = VCPUS,
        .ports = now.ports,
        .nr_ports = PORTS,
        .events = now.events,
        .hooks = &hooks,
    };

    is_fifo = with_fifo;
    memset(&now, 0, sizeof(now));
    evc_table_finish(&table);
    memset(&table, 0, sizeof(table));
    if (evc_table_init(&table) || evc_table_grow(&table, PORTS - 1))
        abort();
    for (unsigned v = 0; v < VCPUS; v++)
        infos[v] = now.shared + v * 64;
    for (evc_port p = 0; p < PORTS; p++) {
        struct evc_bucket *bucket = evc_table_bucket(&table, p);

        evc_a32_store_sc(&bucket->delivery[p % 64], evc_delivery_word(0, 7));
        evc_a32_store_rlx(&bucket->last[p % 64], EVC_DELIVERY_NONE);
    }
    fifo = evc_fifo_create(VCPUS);
    to.fifo = is_fifo ? fifo : NULL;
    evc_delivery_choose(&to, VCPUS);
    if (evc_guest_init(&now.guest, &config))
        abort();
    weak_watch(now.ports, sizeof(now.ports));
}

/* What reset() comes back to. */
static void remember(void)
{
    memcpy(&at_first, &now, sizeof(now));
    for (unsigned i = 0; i < PORTS / 64; i++)
        buckets_at_first[i] = *evc_table_bucket(&table, i * 64);
    for (unsigned v = 0; v < VCPUS && is_fifo; v++)
        blocks_at_first[v] = *blocks[v];
}

/* ---- what models share ------------------------------------------------------------ */

#define PORT  3u
#define OTHER 70u /* in another word */

static uint32_t work[4]; /* relaxed: an event must order them */
static bool seen[4];     /* by a handler */
static char plain[4];    /* addresses for weak_read() and weak_write() */
static unsigned called;

static void reset(void)
{
    memcpy(&now, &at_first, sizeof(now));
    for (unsigned i = 0; i < PORTS / 64; i++)
        *evc_table_bucket(&table, i * 64) = buckets_at_first[i];
    for (unsigned v = 0; v < VCPUS && is_fifo; v++)
        *blocks[v] = blocks_at_first[v];
    memset(work, 0, sizeof(work));
    memset(seen, 0, sizeof(seen));
    called = 0;
}

static int look(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
    called++;
    for (unsigned i = 0; i < 4; i++)
        if (weak_load(&work[i], 4, __ATOMIC_RELAXED))
            seen[i] = true;
    return EVC_GUEST_DONE;
}

static void send(unsigned i, evc_port port)
{
    weak_store(&work[i], 4, 1, __ATOMIC_RELAXED);
    post(port);
}

static void bind(evc_port port, evc_guest_handler *handler, void *data,
                 unsigned flags)
{
    const struct evc_guest_binding how = {
        .handler = handler, .data = data, .flags = flags};

    next_port = port;
    if (evc_guest_bind_ipi(&now.vcpu[0], &how) < 0)
        abort();
}

static void dispatch(unsigned vcpu)
{
    (void)evc_guest_dispatch(&now.vcpu[vcpu], 0, 0);
}

/* The kick wakes a vCPU once more, if it was told. */
static void finish(void)
{
    for (unsigned i = 0; i < 3; i++)
        for (unsigned v = 0; v < VCPUS; v++)
            dispatch(v);
}

static void all_seen(void)
{
    finish();
    for (unsigned i = 0; i < 4; i++)
        if (work[i] && !seen[i])
            weak_fail("lost");
}

static void guest0(void)
{
    dispatch(0);
    dispatch(0);
}

static void guest1(void)
{
    dispatch(1);
    dispatch(1);
}

/* ---- merge: two senders on one port, one event ------------------------------------- */

static void send0(void)
{
    send(0, PORT);
}

static void send1(void)
{
    send(1, PORT);
}

static void send_twice(void)
{
    send(0, PORT);
    send(1, PORT);
}

static void bind_one(void)
{
    bind(PORT, look, NULL, 0);
}

/* ---- many: several ports, words and queues ------------------------------------------ */

static void send_three(void)
{
    send(0, PORT);
    send(1, OTHER);
    send(2, PORT + 1);
}

static void send_other(void)
{
    send(3, PORT + 2);
}

static void bind_many(void)
{
    bind(PORT, look, NULL, 0);
    bind(PORT + 1, look, NULL, 0);
    bind(PORT + 2, look, NULL, 0);
    bind(OTHER, look, NULL, 0);
}

/* ---- queues: four priorities, each with a ready bit of its own --------------------- */

static void set_priority(evc_port port, unsigned priority)
{
    struct evc_bucket *bucket = evc_table_bucket(&table, port);

    evc_a32_store_sc(&bucket->delivery[port % 64],
                     evc_delivery_word(0, priority));
}

static void bind_urgent(void)
{
    bind_many();
    set_priority(OTHER, 5);
    set_priority(PORT + 1, 3);
    set_priority(PORT + 2, 1);
}

static void send_four(void)
{
    send_three();
    send_other();
}

/* ---- payload: plain data, an event each ----------------------------------------------- */

static int read_payload(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    weak_read(data);
    return EVC_GUEST_DONE;
}

static void send_payloads(void)
{
    weak_write(&plain[0]);
    post(PORT);
    weak_write(&plain[1]);
    post(OTHER);
    weak_write(&plain[2]);
    post(PORT + 1);
}

static void bind_payloads(void)
{
    bind(PORT, read_payload, &plain[0], 0);
    bind(OTHER, read_payload, &plain[1], 0);
    bind(PORT + 1, read_payload, &plain[2], 0);
}

/* ---- unmask: by another vCPU, by a handler, by two at once ------------------------------ */

static void unmask1(void)
{
    (void)evc_guest_unmask(&now.vcpu[1], PORT);
}

static int unmask_port(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)port;
    (void)data;
    (void)evc_guest_unmask(self, PORT);
    return EVC_GUEST_DONE;
}

static void bind_masked(void)
{
    bind(PORT, look, NULL, EVC_GUEST_MASKED);
    bind(OTHER, unmask_port, NULL, 0);
}

static void toggle1(void)
{
    (void)evc_guest_mask(&now.vcpu[1], PORT);
    (void)evc_guest_unmask(&now.vcpu[1], PORT);
}

static void toggle2(void)
{
    (void)evc_guest_mask(&now.vcpu[2], PORT);
    (void)evc_guest_unmask(&now.vcpu[2], PORT);
}

static void ask_to_unmask(void)
{
    post(OTHER);
}

/* ---- unbind: nothing is called or touched after it returned -------------------------------- */

static int use(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    weak_read(data);
    weak_pause();
    weak_read(data);
    return EVC_GUEST_DONE;
}

static void unbind1(void)
{
    if (evc_guest_unbind(&now.vcpu[1], PORT) < 0)
        weak_fail("unbind");
    weak_write(&plain[0]); /* free it */
}

static void bind_used(void)
{
    bind(PORT, use, &plain[0], 0);
    bind(PORT + 1, look, NULL, 0);
}

static void post_three(void)
{
    post(PORT);
    post(PORT + 1);
    post(PORT);
}

/* ---- rebind: the record of another binding ------------------------------------------------- */

static void rebind1(void)
{
    const struct evc_guest_binding how = {.handler = use, .data = &plain[1]};

    if (evc_guest_unbind(&now.vcpu[1], PORT) < 0)
        weak_fail("unbind");
    weak_write(&plain[0]);
    weak_write(&plain[1]);
    next_port = PORT;
    if (!is_fifo && evc_guest_bind_ipi(&now.vcpu[1], &how) < 0)
        weak_fail("bind");
}

/* ---- quiesce: masked, and nobody is in it --------------------------------------------------- */

static void quiesce1(void)
{
    (void)evc_guest_mask(&now.vcpu[1], PORT);
    (void)evc_guest_quiesce(&now.vcpu[1], PORT);
    weak_write(&plain[0]);
    weak_write(&plain[0]);
    (void)evc_guest_unmask(&now.vcpu[1], PORT);
}

/* ---- move: one vCPU after the other ---------------------------------------------------------- */

static int alone(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    weak_write(&plain[3]);
    weak_pause();
    weak_write(&plain[3]);
    return look(self, port, data);
}

static void move2(void)
{
    if (evc_guest_move(&now.vcpu[2], PORT, 1) < 0)
        weak_fail("move");
}

static void bind_alone(void)
{
    bind(PORT, alone, NULL, 0);
}

/* ---- gone: one vCPU binds, another one closes: the record's own members ----------- */

static void ignore(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
}

static void bind1(void)
{
    const struct evc_guest_binding how = {.gone = ignore, .vcpu = 1};

    next_port = PORT;
    (void)evc_guest_bind_unbound(&now.vcpu[1], 0, &how);
}

static void unbind2(void)
{
    for (int i = 0; i < 3; i++)
        if (evc_guest_unbind(&now.vcpu[2], PORT) == 0)
            return;
}

static void bind1_silent(void)
{
    const struct evc_guest_binding how = {.vcpu = 2};

    next_port = PORT;
    (void)evc_guest_bind_unbound(&now.vcpu[1], 0, &how);
}

/* Closed, and bound again by a third, who writes the record anew. */
static void bind0(void)
{
    const struct evc_guest_binding how = {.vcpu = 1};

    next_port = PORT;
    for (int i = 0; i < 3; i++)
        if (evc_guest_bind_unbound(&now.vcpu[0], 0, &how) > 0)
            return;
}

static void bind_nothing(void)
{
}

/* ---- take: without a handler -------------------------------------------------------------------- */

static void take1(void)
{
    for (int i = 0; i < 3; i++)
        if (evc_guest_take(&now.vcpu[1], PORT) == 1) {
            weak_read(&plain[0]);
            seen[0] = true;
        }
}

static void send_plain(void)
{
    weak_write(&plain[0]);
    post(PORT);
}

static void bind_silent(void)
{
    bind(PORT, NULL, NULL, 0);
}

static void take_rest(void)
{
    if (!seen[0] && evc_guest_take(&now.vcpu[1], PORT) != 1)
        weak_fail("lost");
}

/* ---- priority: one queue, without an upcall --------------------------------------- */

static void poll_queue0(void)
{
    for (int i = 0; i < 3; i++)
        (void)evc_guest_dispatch_priority(&now.vcpu[0], 7, 0);
}

/* ---- all of them --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*prepare)(void);
    weak_thread *threads[4];
    unsigned n;
    void (*check)(void);
} models[] = {
    {"merge", bind_one, {send0, send1, guest0}, 3, all_seen},
    {"twice", bind_one, {send_twice, guest0}, 2, all_seen},
    {"many", bind_many, {send_three, send_other, guest0}, 3, all_seen},
    {"queues", bind_urgent, {send_four, guest0}, 2, all_seen},
    {"payload", bind_payloads, {send_payloads, guest0}, 2, finish},
    {"unmask", bind_masked, {send0, unmask1, guest0}, 3, all_seen},
    {"unmask within", bind_masked, {send0, ask_to_unmask, guest0}, 3, all_seen},
    {"toggle", bind_one, {send_twice, toggle1, guest0}, 3, all_seen},
    {"toggle two", bind_one, {send0, toggle1, toggle2, guest0}, 4, all_seen},
    {"unbind", bind_used, {post_three, unbind1, guest0}, 3, finish},
    {"rebind", bind_used, {post_three, rebind1, guest0}, 3, finish},
    {"quiesce", bind_used, {post_three, quiesce1, guest0}, 3, finish},
    {"move", bind_alone, {send_twice, move2, guest0, guest1}, 4, all_seen},
    {"gone", bind_nothing, {bind1, unbind2}, 2, finish},
    {"again", bind_nothing, {bind1_silent, unbind2, bind0}, 3, finish},
    {"priority", bind_many, {send_three, send_other, poll_queue0}, 3, all_seen},
    {"take", bind_silent, {send_plain, take1}, 2, take_rest},
};

static int run(unsigned i, bool with_fifo, unsigned times)
{
    char name[64];

    snprintf(name, sizeof(name), "%s, %s", models[i].name,
             with_fifo ? "FIFO" : "two-level");
    boot(with_fifo);
    models[i].prepare();
    remember();
    return weak_run(name, times, reset, models[i].threads, models[i].n,
                    models[i].check);
}

int main(int argc, char **argv)
{
    bool only_first = argc > 1 && strcmp(argv[1], "-1") == 0;
    char **arg = argv + 1 + only_first;
    unsigned times = *arg ? (unsigned)atoi(*arg) : 20000;
    const char *name = *arg ? arg[1] : NULL;
    int r = 0;

    (void)argc;
    for (unsigned i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (name && strcmp(name, models[i].name) != 0)
            continue;
        r |= run(i, false, times) | run(i, true, times);
        if (r && only_first)
            break;
    }
    return r;
}
