/* SPDX-License-Identifier: MIT */
#include "side.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

static struct evc_engine *engine;
static evc_domid next_id = 1;

/* ---- the engine -------------------------------------------------------------- */

static void kick(void *dom, uint32_t vcpu)
{
    struct side *side = dom;

    if (vcpu < SIDE_VCPUS)
        atomic_fetch_add(&side->kicks[vcpu], 1);
}

static int grant_pirq(void *dom, uint32_t pirq, bool share)
{
    (void)dom;
    (void)pirq;
    (void)share;
    return 0;
}

static void drop_pirq(void *dom, uint32_t pirq)
{
    (void)dom;
    (void)pirq;
}

static int allow(void *host, enum evc_action action, evc_domid caller,
                 evc_domid target, uint32_t detail)
{
    (void)host;
    (void)action;
    (void)caller;
    (void)target;
    (void)detail;
    return 0;
}

struct evc_engine *side_engine(void)
{
    static const struct evc_ops ops = {
        .size = sizeof(ops),
        .kick = kick,
        .policy = allow,
        .pirq_bind = grant_pirq,
        .pirq_unbind = drop_pirq,
        EVC_GUEST_LIBEVC_OPS,
    };

    if (!engine && evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine))
        abort();
    return engine;
}

void side_engine_destroy(void)
{
    evc_engine_destroy(engine);
    engine = NULL;
    next_id = 1;
}

/* ---- one guest ------------------------------------------------------------------ */

static int hypercall(void *data, uint32_t vcpu, uint32_t nr, uintptr_t a,
                     uintptr_t b, uintptr_t c)
{
    struct side *side = data;

    if (nr == __HYPERVISOR_event_channel_op && a < 16) {
        atomic_fetch_add_explicit(&side->calls[a], 1, memory_order_relaxed);
        if (side->before)
            side->before(side, (uint32_t)a);
        if (side->refuse >> a & 1)
            return -XEN_ENOSYS;
    }
    return evc_guest_libevc_hypercall(side->dom, vcpu, nr, a, b, c);
}

static uint64_t read_clock(void *data)
{
    struct side *side = data;

    return atomic_load_explicit(&side->now, memory_order_relaxed);
}

static void yield(void *data)
{
    (void)data;
    sched_yield();
}

/* Below 4 GiB.  Untouched pages cost nothing: there is room for every port. */
static void *memory(size_t size)
{
    static uintptr_t hint = 0x20000000;
    void *at = mmap((void *)hint, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || (uintptr_t)at + size > UINT32_MAX)
        abort();
    hint = hint < 0xb0000000 ? hint + size / PAGE * PAGE + PAGE : 0x20000000;
    return at;
}

static enum evc_layout engine_layout(uint32_t layout)
{
    switch (layout) {
    case EVC_GUEST_LAYOUT_X86_32:
        return EVC_LAYOUT_X86_32;
    case EVC_GUEST_LAYOUT_ARM:
        return EVC_LAYOUT_ARM;
    default:
        return EVC_LAYOUT_X86_64;
    }
}

static void create_domain(struct side *side, const struct side_config *config)
{
    struct evc_domain_config domain = {
        .size = sizeof(domain),
        .id = next_id++,
        .layout = engine_layout(config->layout),
        .vcpus = side->nr_vcpus,
        .max_port = config->max_port ? config->max_port : UINT32_MAX,
        .nr_pirqs = config->pirqs,
        .shared_info = side->shared,
        .cookie = side,
    };

    if (evc_domain_create(side_engine(), &domain, &side->dom))
        abort();
}

int side_init(struct side *side)
{
    return evc_guest_init(&side->guest, &side->config);
}

struct side *side_create(struct side_config config)
{
    struct side *side = memory(sizeof(*side));
    uint32_t ports = config.ports ? config.ports : 8192;

    side->nr_vcpus = config.vcpus ? config.vcpus : 2;
    side->shared = memory(PAGE);
    side->vcpu = memory(side->nr_vcpus * sizeof(*side->vcpu));
    side->ports = memory(ports * sizeof(*side->ports));
    side->events = memory(EVC_GUEST_EVENT_BYTES(ports));
    side->refuse = config.refuse;
    side->hooks = (struct evc_guest_hooks){
        .size = sizeof(side->hooks),
        .hypercall = hypercall,
        .now = read_clock,
        .relax = yield,
    };
    create_domain(side, &config);
    side->config = (struct evc_guest_config){
        .size = sizeof(side->config),
        .layout = config.layout,
        .abi = config.abi,
        .shared_info = side->shared,
        .vcpus = side->vcpu,
        .nr_vcpus = side->nr_vcpus,
        .nr_ports = ports,
        .ports = side->ports,
        .events = side->events,
        .hooks = &side->hooks,
        .data = side,
        .storm_threshold = config.storm_threshold,
        .storm_delay_us = config.storm_delay_us,
        .storm_cap_us = config.storm_cap_us,
    };
    if (side_init(side) == 0)
        return side;
    side_destroy(side);
    return NULL;
}

void side_destroy(struct side *side)
{
    uint32_t ports = side->config.nr_ports;

    evc_domain_destroy(side->dom);
    munmap(side->shared, PAGE);
    munmap(side->vcpu, side->nr_vcpus * sizeof(*side->vcpu));
    munmap(side->ports, ports * sizeof(*side->ports));
    munmap(side->events, EVC_GUEST_EVENT_BYTES(ports));
    munmap(side, sizeof(*side));
}

/* ---- handlers --------------------------------------------------------------------- */

int note(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct seen *seen = data;

    if (seen->count < 64) {
        seen->port[seen->count] = port;
        seen->vcpu[seen->count] = evc_guest_vcpu_index(self);
    }
    seen->count++;
    if (seen->then)
        seen->then(self, port, seen->arg);
    return seen->answer;
}

struct evc_guest_binding noting(struct seen *seen, uint32_t vcpu)
{
    return (struct evc_guest_binding){
        .handler = note, .data = seen, .vcpu = vcpu};
}

struct link side_connect(struct side *side, struct side *peer,
                         const struct evc_guest_binding *here,
                         const struct evc_guest_binding *there)
{
    int a =
        evc_guest_bind_unbound(&side->vcpu[0], evc_domain_id(peer->dom), here);
    int b;

    assert(a > 0);
    b = evc_guest_bind_interdomain(&peer->vcpu[0], evc_domain_id(side->dom),
                                   (evc_port)a, there);
    assert(b > 0);
    return (struct link){(evc_port)a, (evc_port)b};
}

void side_run(struct side *side, uint32_t vcpu)
{
    while (evc_guest_dispatch(&side->vcpu[vcpu], 0, 0))
        ;
}

/* ---- looking ------------------------------------------------------------------------ */

static struct evc_port_info info_of(struct side *side, evc_port port)
{
    struct evc_port_info info = {0};

    if (evc_port_info(side->dom, port, &info))
        abort();
    return info;
}

bool side_pending(struct side *side, evc_port port)
{
    return info_of(side, port).pending;
}

bool side_masked(struct side *side, evc_port port)
{
    return info_of(side, port).masked;
}

bool side_linked(struct side *side, evc_port port)
{
    return info_of(side, port).linked;
}
