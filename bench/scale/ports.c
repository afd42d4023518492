/* SPDX-License-Identifier: MIT */
/*
 * One domain with as many ports as there can be, and what an operation costs
 * by the number of ports.
 */
#include "scale.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <evc/guest/libevc.h>

#include "party.h"
#include "report.h"

#define LINKED (1u << 29)

static const unsigned numbers[] = {1, 10, 100, 1000, 10000, 100000};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* Two domains; the second binds to what the first offers. */
struct pair {
    struct evc_engine *engine;
    struct party *a, *b;
};

static struct pair pair_create(void)
{
    struct pair pair = {.engine = engine_create()};

    pair.a = party_create(pair.engine, 1, 1);
    pair.b = party_create(pair.engine, 2, 1);
    return pair;
}

static void pair_destroy(struct pair *pair)
{
    party_destroy(pair->b);
    party_destroy(pair->a);
    evc_engine_destroy(pair->engine);
}

static void alloc_all(struct pair *pair)
{
    for (unsigned i = 0; i < PORTS; i++)
        (void)alloc_unbound(pair->a, 2);
}

/* The ports are the same at both ends. */
static void bind_all(struct pair *pair)
{
    for (unsigned i = 1; i <= PORTS; i++)
        (void)bind_interdomain(pair->b, 1, i);
}

static void send_all(struct pair *pair)
{
    for (unsigned i = 1; i <= PORTS; i++)
        check(evc_send(pair->b->domain, i), "send");
}

static void close_all(struct party *party)
{
    for (unsigned i = 1; i <= PORTS; i++)
        close_port(party, i);
}

static void status_all(struct party *party)
{
    for (unsigned i = 1; i <= PORTS; i++) {
        struct evtchn_status arg = {.dom = DOMID_SELF, .port = i};

        check(evc_event_channel_op(party->domain, EVTCHNOP_status, &arg),
              "status");
    }
}

/* As if the guest had taken everything, and the same for those that bind. */
static void take_all(struct party *party)
{
    memset(party->words, 0, sizeof(party->words));
    memset(party->control, 0, sizeof(party->control));
}

/* ---- all ports ---------------------------------------------------------- */

static void open_all(struct pair *pair)
{
    begin();
    alloc_all(pair);
    end("alloc_unbound", PORTS);
    begin();
    bind_all(pair);
    end("bind_interdomain, in another domain", PORTS);
}

static void use_all(struct pair *pair)
{
    begin();
    send_all(pair);
    end("send, each links its event", PORTS);
    begin();
    send_all(pair);
    end("send, all pending already", PORTS);
    begin();
    status_all(pair->a);
    end("status", PORTS);
}

static void close_them(struct pair *pair)
{
    take_all(pair->a);
    take_all(pair->b);
    begin();
    close_all(pair->b);
    end("close, the end that was bound", PORTS);
    begin();
    close_all(pair->a);
    end("close, the other", PORTS);
}

static void reset_them(struct pair *pair)
{
    alloc_all(pair);
    bind_all(pair);
    take_all(pair->a);
    take_all(pair->b);
    begin();
    reset(pair->a);
    end("reset, all bound", 1);
    begin();
    reset(pair->b);
    end("reset, all unbound", 1);
    begin();
    init_control(pair->a, 0);
    end("first init_control after it", 1);
    begin();
    reset(pair->a);
    end("reset, no port open", 1);
}

void measure_ports(void)
{
    struct pair pair = pair_create();

    section("131,071 ports in one domain, FIFO");
    go_fifo(pair.a);
    go_fifo(pair.b);
    open_all(&pair);
    use_all(&pair);
    close_them(&pair);
    reset_them(&pair);
    begin();
    party_destroy(pair.a);
    end("destroy", 1);
    party_destroy(pair.b);
    evc_engine_destroy(pair.engine);
}

/* ---- events that wait for their pages ----------------------------------- */

void measure_saved(void)
{
    struct pair pair = pair_create();

    section("131,071 events before there are event words");
    init_control(pair.a, 0);
    go_fifo(pair.b);
    alloc_all(&pair);
    bind_all(&pair);
    begin();
    send_all(&pair);
    end("send, each is kept back", PORTS);
    begin();
    expand_all(pair.a);
    end("expand_array, each links 1,024", 128);
    pair_destroy(&pair);
}

/* ---- counting ----------------------------------------------------------- */

void measure_counted(void)
{
    struct pair pair = pair_create();
    struct evc_counts counts;

    section("131,071 ports that are counted");
    go_fifo(pair.a);
    go_fifo(pair.b);
    alloc_all(&pair);
    bind_all(&pair);
    begin();
    check(evc_counting(pair.a->domain, true), "counting");
    end("counting on", 1);
    begin();
    send_all(&pair);
    end("send, the thread's first", PORTS);
    begin();
    send_all(&pair);
    end("send, pending already", PORTS);
    begin();
    check(evc_peer_counts(pair.a->domain, 2, &counts), "counts");
    end("all counts of a peer", 1);
    if (counts.sent != 2 * PORTS)
        check(-XEN_EINVAL, "not all sends were counted");
    begin();
    check(evc_counting(pair.a->domain, false), "counting");
    end("counting off", 1);
    pair_destroy(&pair);
}

/* ---- open and close, beside many ---------------------------------------- */

static void cycle(struct pair *pair)
{
    uint32_t a = alloc_unbound(pair->a, 2);
    uint32_t b = bind_interdomain(pair->b, 1, a);

    close_port(pair->b, b);
    close_port(pair->a, a);
}

static void point_of_cycles(const char *name, struct pair *pair, unsigned n,
                            unsigned times)
{
    double start = cpu_ns();

    for (unsigned i = 0; i < times; i++)
        cycle(pair);
    point(name, n, (cpu_ns() - start) / times);
}

void measure_cycle(void)
{
    struct pair pair = pair_create();
    unsigned open = 0;

    go_fifo(pair.a);
    for (unsigned i = 0; i < NUMBERS; i++) {
        for (; open < numbers[i]; open++)
            (void)alloc_unbound(pair.a, 2);
        point_of_cycles("open and close, n are open", &pair, numbers[i], 5000);
    }
    pair_destroy(&pair);
}

/* A hostile guest leaves the words of n closed ports LINKED. */
void measure_linked(void)
{
    struct pair pair = pair_create();
    double start;

    go_fifo(pair.a);
    for (unsigned i = 0; i < NUMBERS; i++) {
        while (alloc_unbound(pair.a, 2) < numbers[i])
            ;
        for (unsigned p = 1; p <= numbers[i]; p++) {
            pair.a->words[p] = LINKED;
            close_port(pair.a, p);
        }
        start = cpu_ns();
        cycle(&pair);
        point("... n were left LINKED, first look", numbers[i],
              cpu_ns() - start);
        point_of_cycles("... n were left LINKED, later", &pair, numbers[i],
                        numbers[i] < 1000 ? 2000 : 20);
        take_all(pair.a);
        reset(pair.a);
        go_fifo(pair.a);
    }
    pair_destroy(&pair);
}

/* ---- a long queue ------------------------------------------------------- */

static unsigned handled;

static int handle(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
    handled++;
    return EVC_GUEST_DONE;
}

/* A guest with libevc-guest, and the memory that this wants. */
struct dispatcher {
    struct evc_guest guest;
    struct evc_guest_vcpu vcpu;
    struct evc_guest_port ports[PORTS + 1];
};

static struct dispatcher *dispatcher_create(struct party *party)
{
    struct dispatcher *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct evc_guest_config config = {
        .size = sizeof(config),
        .layout = EVC_GUEST_LAYOUT_X86_64,
        .abi = EVC_GUEST_ABI_FIFO,
        .shared_info = &party->page,
        .nr_vcpus = 1,
        .nr_ports = PORTS + 1,
        .events = party->words,
        .hooks = &evc_guest_on_libevc,
        .data = party->domain,
    };

    if (d == MAP_FAILED)
        check(-XEN_ENOMEM, "a dispatcher's memory");
    config.vcpus = &d->vcpu;
    config.ports = d->ports;
    check(evc_guest_init(&d->guest, &config), "evc_guest_init");
    return d;
}

/* Send to the first n ports, dispatch them; ns an event for each. */
static void fill_and_drain(struct pair *pair, struct dispatcher *d, unsigned n,
                           double *send, double *dispatch)
{
    double start = cpu_ns();

    for (unsigned p = 1; p <= n; p++)
        check(evc_send(pair->b->domain, p), "send");
    *send += cpu_ns() - start;
    handled = 0;
    start = cpu_ns();
    (void)evc_guest_dispatch(&d->vcpu, 0, 0);
    *dispatch += cpu_ns() - start;
    if (handled != n)
        check(-XEN_EINVAL, "not every event was dispatched");
}

static void measure_depth(struct pair *pair, struct dispatcher *d, unsigned n)
{
    unsigned times = n < 100000 ? 200000 / n : 2;
    double send = 0, dispatch = 0;

    for (unsigned i = 0; i < times; i++)
        fill_and_drain(pair, d, n, &send, &dispatch);
    point("send, n go on one queue", n, send / times / n);
    point("dispatch, n are on one queue", n, dispatch / times / n);
}

void measure_queue(void)
{
    static const unsigned depths[] = {1, 8, 64, 512, 4096, 32768, 100000};
    const struct evc_guest_binding how = {.handler = handle};
    struct pair pair = pair_create();
    struct dispatcher *d = dispatcher_create(pair.a);

    go_fifo(pair.b);
    alloc_all(&pair);
    bind_all(&pair);
    for (unsigned p = 1; p <= PORTS; p++)
        check(evc_guest_bind_port(&d->vcpu, p, &how), "bind_port");
    for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
        measure_depth(&pair, d, depths[i]);
    pair_destroy(&pair);
    munmap(d, sizeof(*d));
}
