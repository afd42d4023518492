/* SPDX-License-Identifier: MIT */
/*
 * What libevc-guest does with events, one after the other: for docs/guest.md,
 * which shows what this prints.  One guest on libevc, sending to itself, and a
 * clock that stands still until it is told.
 */
#include <stdio.h>
#include <stdlib.h>

#include <evc/guest/libevc.h>

#define PORTS 4096

static struct machine {
    unsigned char shared_info[4096];
    unsigned char events[EVC_GUEST_EVENT_BYTES(PORTS)];
    struct evc_guest_vcpu vcpu;
    struct evc_guest_port ports[PORTS];
    struct evc_guest guest;
    struct evc_domain *domain;
} machine __attribute__((aligned(4096)));

static struct evc_guest_vcpu *const self = &machine.vcpu;
static evc_abi_u64 ms; /* the clock */

/* ---- a guest ------------------------------------------------------------- */

static int hypercall(void *domain, evc_abi_u32 vcpu, evc_abi_u32 nr,
                     evc_abi_uptr a, evc_abi_uptr b, evc_abi_uptr c)
{
    return evc_guest_on_libevc.hypercall(domain, vcpu, nr, a, b, c);
}

static evc_abi_u64 now(void *domain)
{
    (void)domain;
    return ms * 1000000;
}

static void boot(struct evc_engine *engine)
{
    static const struct evc_guest_hooks hooks = {
        .size = sizeof(hooks), .hypercall = hypercall, .now = now};
    const struct evc_domain_config domain = {
        .size = sizeof(domain),
        .id = 1,
        .vcpus = 1,
        .max_port = UINT32_MAX,
        .shared_info = machine.shared_info,
    };
    struct evc_guest_config config = {
        .size = sizeof(config),
        .shared_info = machine.shared_info,
        .vcpus = self,
        .nr_vcpus = 1,
        .ports = machine.ports,
        .nr_ports = PORTS,
        .events = machine.events,
        .hooks = &hooks,
    };

    if (evc_domain_create(engine, &domain, &machine.domain) < 0)
        exit(1);
    config.data = machine.domain;
    if (evc_guest_init(&machine.guest, &config) < 0)
        exit(1);
    printf("%s, ports below %u\n",
           evc_guest_is_fifo(&machine.guest) ? "FIFO" : "two-level",
           evc_guest_ports(&machine.guest));
}

static evc_port bind(evc_guest_handler *handler, unsigned priority)
{
    const struct evc_guest_binding how = {.handler = handler};
    int port = evc_guest_bind_ipi(self, &how);

    if (port < 0)
        exit(1);
    if (handler)
        (void)evc_guest_set_priority(self, (evc_port)port, priority);
    return (evc_port)port;
}

/* ---- the tour ------------------------------------------------------------ */

static void memory(evc_port ports, unsigned vcpus)
{
    unsigned long records = (unsigned long)ports * EVC_GUEST_PORT_SIZE;
    unsigned long private = records + vcpus * sizeof(struct evc_guest_vcpu) +
                            sizeof(struct evc_guest);

    printf("%6u ports, %3u vCPUs: %8lu bytes private, %6u shared\n", ports,
           vcpus, private, (unsigned)EVC_GUEST_EVENT_BYTES(ports));
}

static int say(struct evc_guest_vcpu *vcpu, evc_port port, void *data)
{
    (void)vcpu;
    (void)data;
    printf(" %u", port);
    return EVC_GUEST_DONE;
}

static void order(void)
{
    evc_port usual[2] = {bind(say, 7), bind(say, 7)}, urgent = bind(say, 0);

    (void)evc_guest_send(self, usual[0]);
    (void)evc_guest_send(self, usual[1]);
    (void)evc_guest_send(self, usual[1]); /* merges */
    (void)evc_guest_send(self, urgent);
    printf("two at most:");
    printf(", left: %d\nthe rest:   ", evc_guest_dispatch(self, 2, 0));
    printf(", left: %d\n", evc_guest_dispatch(self, 0, 0));
}

static int nothing(struct evc_guest_vcpu *vcpu, evc_port port, void *data)
{
    (void)vcpu;
    (void)port;
    (void)data;
    return EVC_GUEST_SPURIOUS;
}

/* A sender rings every ms; the kernel dispatches every ms. */
static void storm(void)
{
    evc_port port = bind(nothing, 7);
    struct evc_guest_counts counts = {0};
    unsigned long before = 0;

    printf("a handler with nothing to do, called at ms");
    for (ms = 1; ms <= 40; ms++) {
        (void)evc_guest_send(self, port);
        (void)evc_guest_dispatch(self, 0, 0);
        (void)evc_guest_counts(&machine.guest, port, &counts);
        if (counts.events != before)
            printf(" %u", (unsigned)ms);
        before = counts.events;
    }
    printf("\n  %lu calls for 40 sends, held back %u times\n", before,
           counts.storms);
    (void)evc_guest_unbind(self, port);
}

static void gone(struct evc_guest_vcpu *vcpu, evc_port port, void *data)
{
    (void)vcpu;
    (void)data;
    printf("port %u is gone\n", port);
}

static int close_it(struct evc_guest_vcpu *vcpu, evc_port port, void *data)
{
    (void)data;
    printf("unbind in its own handler: %d, later: ",
           evc_guest_unbind(vcpu, port));
    return EVC_GUEST_DONE;
}

static void unbind(void)
{
    const struct evc_guest_binding how = {.handler = close_it, .gone = gone};
    int port = evc_guest_bind_ipi(self, &how);

    (void)evc_guest_send(self, (evc_port)port);
    (void)evc_guest_dispatch(self, 0, 0);
}

static void poll(void)
{
    evc_port port = bind(NULL, 7);
    int before = evc_guest_take(self, port);

    (void)evc_guest_send(self, port);
    printf("polled: %d, and after a send: %d\n", before,
           evc_guest_poll(self, port, 0));
}

int main(void)
{
    static const struct evc_ops ops = {.size = sizeof(ops),
                                       EVC_GUEST_LIBEVC_OPS};
    struct evc_engine *engine;

    if (evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine) < 0)
        return 1;
    memory(64, 1);
    memory(1024, 1);
    memory(4096, 8);
    memory(EVC_GUEST_PORTS_MAX, 128);
    boot(engine);
    order();
    storm();
    unbind();
    poll();
    evc_engine_destroy(engine);
    return 0;
}
