/* SPDX-License-Identifier: MIT */
/*
 * One operation, again and again: what `counts` runs under callgrind.
 *
 *     ops CASE TURNS
 *
 * Only what happens inside of measured() is counted.  Each case is a loop with
 * nothing in it but the operation, and the guest's stores that make it possible
 * once more; a case that did something else than its name says fails.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/guest/libevc.h>

#define PENDING (1u << 31)
#define MASKED  (1u << 30)

#define PORTS     4096u
#define BURST     64u
#define MANY      100000u
#define MAX_PAGES (MANY / 1024u + 2u)

/* ---- two domains, the second sends to the first ------------------------- */

static struct machine {
    struct evc_abi_shared_info_x86_64 page __attribute__((aligned(4096)));
    uint32_t words[MAX_PAGES][1024] __attribute__((aligned(4096)));
    uint32_t control[1024] __attribute__((aligned(4096)));
    unsigned char events[EVC_GUEST_EVENT_BYTES(PORTS)]
        __attribute__((aligned(4096)));
    struct evc_guest guest;
    struct evc_guest_vcpu vcpu;
    struct evc_guest_port ports[PORTS];
    struct evc_domain *domain;
} to, from;

static struct evc_engine *engine;
static evc_port to_port, from_port;
static unsigned long handled;

static void must(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "ops: %s\n", what);
        exit(1);
    }
}

static void operate(struct machine *machine, uint32_t cmd, void *arg)
{
    must(evc_event_channel_op(machine->domain, cmd, arg) == 0,
         "an operation failed");
}

static void add(evc_domid id, struct machine *machine)
{
    struct evc_domain_config config = {.size = sizeof(config),
                                       .id = id,
                                       .vcpus = 1,
                                       .max_port = UINT32_MAX,
                                       .shared_info = &machine->page,
                                       .cookie = machine};

    must(evc_domain_create(engine, &config, &machine->domain) == 0,
         "no domain");
}

static void go_fifo(struct machine *machine, unsigned pages)
{
    struct evtchn_init_control control = {
        .control_gfn = (uintptr_t)machine->control / 4096};

    operate(machine, EVTCHNOP_init_control, &control);
    for (unsigned i = 0; i < pages; i++) {
        struct evtchn_expand_array expand = {
            .array_gfn = (uintptr_t)machine->words[i] / 4096};

        operate(machine, EVTCHNOP_expand_array, &expand);
    }
}

static evc_port offer(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 2};

    operate(&to, EVTCHNOP_alloc_unbound, &alloc);
    return alloc.port;
}

static evc_port bind(evc_port port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = 1, .remote_port = port};

    operate(&from, EVTCHNOP_bind_interdomain, &arg);
    return arg.local_port;
}

static void boot(void)
{
    static const struct evc_ops ops = {.size = sizeof(ops),
                                       EVC_GUEST_LIBEVC_OPS};

    must(evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine) == 0,
         "no engine");
    add(1, &to);
    add(2, &from);
}

static void setup_twolevel(void)
{
    boot();
    to_port = offer();
    from_port = bind(to_port);
    (void)evc_send(from.domain, from_port);
}

static void setup_fifo(void)
{
    boot();
    go_fifo(&to, 1);
    to_port = offer();
    from_port = bind(to_port);
    (void)evc_send(from.domain, from_port);
}

/* ---- what the guest stores meanwhile ------------------------------------ */

static inline void store64(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static inline void store32(uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static inline void take_upcall(void)
{
    __atomic_store_n(&to.page.vcpu_info[0].evtchn_upcall_pending, 0,
                     __ATOMIC_RELAXED);
}

static bool is_told(void)
{
    return to.page.vcpu_info[0].evtchn_upcall_pending != 0;
}

/* ---- sends -------------------------------------------------------------- */

static void send(unsigned long turns)
{
    for (; turns != 0; turns--)
        (void)evc_send(from.domain, from_port);
}

static void setup_masked_twolevel(void)
{
    setup_twolevel();
    store64(&to.page.evtchn_mask[0], UINT64_MAX);
    take_upcall();
}

static void send_masked_twolevel(unsigned long turns)
{
    for (; turns != 0; turns--) {
        store64(&to.page.evtchn_pending[0], 0);
        (void)evc_send(from.domain, from_port);
    }
    must(!is_told(), "a masked event was told");
}

static void setup_masked_fifo(void)
{
    setup_fifo();
    take_upcall();
}

static void send_masked_fifo(unsigned long turns)
{
    for (; turns != 0; turns--) {
        store32(&to.words[0][to_port], MASKED);
        (void)evc_send(from.domain, from_port);
    }
    must(!is_told(), "a masked event was told");
}

static void send_upcall_twolevel(unsigned long turns)
{
    for (; turns != 0; turns--) {
        take_upcall();
        store64(&to.page.vcpu_info[0].evtchn_pending_sel, 0);
        store64(&to.page.evtchn_pending[0], 0);
        (void)evc_send(from.domain, from_port);
    }
    must(is_told(), "no upcall");
}

static void send_upcall_fifo(unsigned long turns)
{
    for (; turns != 0; turns--) {
        take_upcall();
        store32(&to.control[0], 0);
        store32(&to.words[0][to_port], 0);
        (void)evc_send(from.domain, from_port);
    }
    must(is_told(), "no upcall");
}

/* ---- send 64, dispatch 64 ----------------------------------------------- */

static evc_port burst[BURST];

static int handle(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
    handled++;
    return EVC_GUEST_DONE;
}

static void setup_burst(unsigned abi)
{
    const struct evc_guest_binding how = {.handler = handle};
    struct evc_guest_config config = {.size = sizeof(config),
                                      .abi = abi,
                                      .shared_info = &to.page,
                                      .vcpus = &to.vcpu,
                                      .nr_vcpus = 1,
                                      .ports = to.ports,
                                      .nr_ports = PORTS,
                                      .events = to.events,
                                      .hooks = &evc_guest_on_libevc};

    boot();
    config.data = to.domain;
    must(evc_guest_init(&to.guest, &config) == 0, "no guest");
    for (unsigned i = 0; i < BURST; i++) {
        int port = evc_guest_bind_unbound(&to.vcpu, 2, &how);

        must(port > 0, "no port");
        burst[i] = bind((evc_port)port);
    }
    (void)evc_guest_dispatch(&to.vcpu, 0, 0);
}

static void setup_burst_twolevel(void)
{
    setup_burst(EVC_GUEST_ABI_TWOLEVEL);
}

static void setup_burst_fifo(void)
{
    setup_burst(EVC_GUEST_ABI_FIFO);
}

/* A turn is an event. */
static void send_and_dispatch(unsigned long turns)
{
    unsigned long before = handled;

    for (unsigned long done = 0; done < turns; done += BURST) {
        for (unsigned i = 0; i < BURST; i++)
            (void)evc_send(from.domain, burst[i]);
        (void)evc_guest_dispatch(&to.vcpu, 0, 0);
    }
    must(handled - before == turns, "events were lost");
}

static void send_and_dispatch_one(unsigned long turns)
{
    unsigned long before = handled;

    for (unsigned long done = 0; done < turns; done++) {
        (void)evc_send(from.domain, burst[0]);
        (void)evc_guest_dispatch(&to.vcpu, 0, 0);
    }
    must(handled - before == turns, "an event was lost");
}

/* ---- the rest ----------------------------------------------------------- */

static void setup_quiet_twolevel(void)
{
    setup_twolevel();
    store64(&to.page.evtchn_pending[0], 0);
}

static void unmask_twolevel(unsigned long turns)
{
    for (; turns != 0; turns--) {
        store64(&to.page.evtchn_mask[0], UINT64_MAX);
        (void)evc_unmask(to.domain, to_port);
    }
    must(!(to.page.evtchn_mask[0] >> to_port & 1), "it is still masked");
}

static void unmask_fifo(unsigned long turns)
{
    for (; turns != 0; turns--) {
        store32(&to.words[0][to_port], MASKED);
        (void)evc_unmask(to.domain, to_port);
    }
    must(to.words[0][to_port] == 0, "it is still masked");
}

static void status(unsigned long turns)
{
    struct evtchn_status arg = {.dom = DOMID_SELF, .port = to_port};

    for (; turns != 0; turns--)
        (void)evc_event_channel_op(to.domain, EVTCHNOP_status, &arg);
    must(arg.status == EVTCHNSTAT_interdomain, "not what it is");
}

/* The binder's port has an event: what a guest does not unlink stays busy. */
static inline void take_link(evc_port port)
{
    store32(&from.words[port / 1024][port % 1024], 0);
}

static void cycle(unsigned long turns)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 2};
    struct evtchn_bind_interdomain arg = {.remote_dom = 1};
    struct evtchn_close close;

    for (; turns != 0; turns--) {
        (void)evc_event_channel_op(to.domain, EVTCHNOP_alloc_unbound, &alloc);
        arg.remote_port = alloc.port;
        (void)evc_event_channel_op(from.domain, EVTCHNOP_bind_interdomain,
                                   &arg);
        take_link(arg.local_port);
        close.port = arg.local_port;
        (void)evc_event_channel_op(from.domain, EVTCHNOP_close, &close);
        close.port = alloc.port;
        (void)evc_event_channel_op(to.domain, EVTCHNOP_close, &close);
    }
}

static void *idle(void *data)
{
    for (;;)
        pause();
    return data;
}

/* A C library may spare locks their locked instructions while there is none. */
static void add_thread(void)
{
    pthread_t thread;

    must(pthread_create(&thread, NULL, idle, NULL) == 0, "no thread");
}

static void setup_cycle(unsigned open)
{
    add_thread();
    boot();
    go_fifo(&to, MAX_PAGES);
    go_fifo(&from, MAX_PAGES);
    for (unsigned i = 0; i < open; i++)
        (void)bind(offer());
    cycle(1); /* the port beyond them has its memory now */
}

static void setup_cycle_one(void)
{
    setup_cycle(1);
}

static void setup_cycle_many(void)
{
    setup_cycle(MANY);
}

/* ---- which -------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*setup)(void);
    void (*run)(unsigned long turns);
} cases[] = {
    {"pending-2level", setup_twolevel, send},
    {"pending-fifo", setup_fifo, send},
    {"masked-2level", setup_masked_twolevel, send_masked_twolevel},
    {"masked-fifo", setup_masked_fifo, send_masked_fifo},
    {"upcall-2level", setup_twolevel, send_upcall_twolevel},
    {"upcall-fifo", setup_fifo, send_upcall_fifo},
    {"burst-2level", setup_burst_twolevel, send_and_dispatch},
    {"burst-fifo", setup_burst_fifo, send_and_dispatch},
    {"one-2level", setup_burst_twolevel, send_and_dispatch_one},
    {"one-fifo", setup_burst_fifo, send_and_dispatch_one},
    {"unmask-2level", setup_quiet_twolevel, unmask_twolevel},
    {"unmask-fifo", setup_fifo, unmask_fifo},
    {"status", setup_twolevel, status},
    {"cycle-1", setup_cycle_one, cycle},
    {"cycle-100000", setup_cycle_many, cycle},
};

/* Where callgrind begins to count. */
__attribute__((noinline)) void measured(unsigned which, unsigned long turns);

void measured(unsigned which, unsigned long turns)
{
    cases[which].run(turns);
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 3 && i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].setup();
            cases[i].run(BURST); /* what a first time costs more */
            measured(i, strtoul(argv[2], NULL, 0));
            evc_engine_destroy(engine);
            return 0;
        }
    fprintf(stderr, "usage: ops CASE TURNS; see bench/counts/counts\n");
    return 2;
}
