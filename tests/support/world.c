/* SPDX-License-Identifier: MIT */
/*
 * The embedder of the test world: callbacks, and making guests.
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- callbacks of a domain ---------------------------------------------------- */

static void kick(void *dom, uint32_t vcpu)
{
    struct guest *guest = dom;

    if (vcpu < VCPUS_SEEN)
        guest->kicks[vcpu]++;
}

static int map(void *dom, uint64_t gfn, void **page)
{
    struct guest *guest = dom;
    int r = guest->map_error;

    guest->map_error = 0;
    if (r != 0)
        return r;
    if (gfn >= FRAMES || guest->access[gfn] == UNMAPPED)
        return -EINVAL;
    if (guest->access[gfn] == READ_ONLY)
        return -EACCES;
    *page = guest->memory + gfn * PAGE;
    guest->mapped++;
    return 0;
}

static void unmap(void *dom, uint64_t gfn, void *page)
{
    struct guest *guest = dom;

    if (gfn >= FRAMES || page != guest->memory + gfn * PAGE)
        abort();
    guest->mapped--;
}

static bool reachable(const struct guest *guest, uint64_t at, size_t size,
                      enum access worst)
{
    if (size == 0)
        return true;
    if (at >= FRAMES * PAGE || size > FRAMES * PAGE - at)
        return false;
    for (uint64_t f = at / PAGE; f <= (at + size - 1) / PAGE; f++) {
        if (guest->access[f] > worst)
            return false;
    }
    return true;
}

static int copy_from(void *dom, uint32_t vcpu, void *to, uint64_t from,
                     size_t size)
{
    const struct guest *guest = dom;

    (void)vcpu;
    if (!reachable(guest, from, size, READ_ONLY))
        return -EFAULT;
    memcpy(to, guest->memory + from, size);
    return 0;
}

static int copy_to(void *dom, uint32_t vcpu, uint64_t to, const void *from,
                   size_t size)
{
    const struct guest *guest = dom;

    (void)vcpu;
    if (!reachable(guest, to, size, READ_WRITE))
        return -EFAULT;
    memcpy(guest->memory + to, from, size);
    return 0;
}

static int pirq_bind(void *dom, uint32_t pirq, bool share)
{
    struct guest *guest = dom;

    if (guest->pirq_error != 0)
        return guest->pirq_error;
    guest->pirq[pirq].binds++;
    guest->pirq[pirq].bound = true;
    guest->pirq[pirq].share = share;
    return 0;
}

static void pirq_unbind(void *dom, uint32_t pirq)
{
    struct guest *guest = dom;

    guest->pirq[pirq].unbinds++;
    guest->pirq[pirq].bound = false;
}

static void pirq_eoi(void *dom, uint32_t pirq)
{
    struct guest *guest = dom;

    guest->pirq[pirq].eois++;
}

static void pirq_affinity(void *dom, uint32_t pirq, uint32_t vcpu)
{
    struct guest *guest = dom;

    guest->pirq[pirq].moves++;
    guest->pirq[pirq].vcpu = vcpu;
}

static void domain_shutdown(void *dom, uint32_t vcpu, uint32_t reason)
{
    struct guest *guest = dom;

    (void)vcpu;
    guest->shutdowns++;
    guest->shutdown_reason = reason;
}

static void wait_a_moment(void *dom, uint32_t vcpu, uint64_t deadline)
{
    (void)deadline;
    evc_vcpu_wake(((struct guest *)dom)->dom, vcpu);
}

static void wake_nobody(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
}

static int64_t other_hypercall(void *dom, uint32_t vcpu, uint64_t nr,
                               const uint64_t args[6])
{
    struct world *world = ((struct guest *)dom)->world;

    world->other.vcpu = vcpu;
    world->other.nr = nr;
    world->other.arg = args[0];
    return world->other.answer;
}

/* ---- callbacks of the host ------------------------------------------------------ */

static void read_clock(void *host, struct evc_time *now)
{
    struct world *world = host;

    *now = world->rate;
    now->system_time = world->now;
    now->tsc_timestamp += world->now;
}

static void set_timer(void *host, uint64_t deadline)
{
    struct world *world = host;

    world->deadline = deadline;
    world->deadlines++;
}

static int ask(void *host, enum evc_action action, evc_domid caller,
               evc_domid target, uint32_t detail)
{
    struct world *world = host;

    world->asked.action = action;
    world->asked.caller = caller;
    world->asked.target = target;
    world->asked.detail = detail;
    return world->policy;
}

static void log_line(void *host, const char *line)
{
    struct world *world = host;

    world->logs++;
    (void)snprintf(world->log, sizeof(world->log), "%s", line);
}

struct evc_ops world_ops(struct world_config config)
{
    return (struct evc_ops){
        .size = sizeof(struct evc_ops),
        .kick = kick,
        .map = map,
        .unmap = unmap,
        .copy_from = copy_from,
        .copy_to = copy_to,
        .pirq_bind = pirq_bind,
        .pirq_unbind = pirq_unbind,
        .pirq_eoi = pirq_eoi,
        .pirq_affinity = pirq_affinity,
        .policy = config.policy ? ask : NULL,
        .clock = config.real_clock ? NULL : read_clock,
        .timer = config.real_clock ? NULL : set_timer,
        .wait = config.insomnia ? wait_a_moment : NULL,
        .wake = config.insomnia ? wake_nobody : NULL,
        .shutdown = domain_shutdown,
        .hypercall = other_hypercall,
        .log = log_line,
    };
}

/* ---- worlds --------------------------------------------------------------------- */

struct world *world_create(struct world_config config)
{
    struct world *world = calloc(1, sizeof(*world));
    struct evc_ops ops = world_ops(config);

    if (world == NULL)
        abort();
    world->now = 1000;
    world->rate.tsc_to_system_mul = UINT32_C(1) << 31;
    world->rate.tsc_shift = 1;
    world->other.answer = -ENOSYS;
    if (evc_engine_create(&ops, world, config.compat, &world->engine) < 0)
        abort();
    return world;
}

bool world_destroy(struct world *world)
{
    bool clean = true;

    evc_engine_destroy(world->engine);
    for (unsigned g = 0; g < world->guests; g++) {
        clean = clean && world->guest[g].mapped == 0;
        munmap(world->guest[g].memory - PAGE, (FRAMES + 2) * PAGE);
    }
    free(world);
    return clean;
}

/* ---- guests --------------------------------------------------------------------- */

static const struct evc_abi_layout layouts[] = {
    [EVC_LAYOUT_X86_64] = EVC_ABI_LAYOUT_INIT(X86_64),
    [EVC_LAYOUT_X86_32] = EVC_ABI_LAYOUT_INIT(X86_32),
    [EVC_LAYOUT_ARM] = EVC_ABI_LAYOUT_INIT(ARM),
};

static uint8_t *memory_create(void)
{
    uint8_t *memory = mmap(NULL, (FRAMES + 2) * PAGE, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED ||
        mprotect(memory + PAGE, FRAMES * PAGE, PROT_READ | PROT_WRITE) < 0)
        abort();
    return memory + PAGE;
}

struct evc_domain_config guest_domain_config(const struct guest *guest,
                                             struct guest_config config)
{
    return (struct evc_domain_config){
        .size = sizeof(struct evc_domain_config),
        .id = config.id,
        .layout = config.layout,
        .vcpus = config.vcpus ? config.vcpus : 4,
        .max_port = config.max_port ? config.max_port : UINT32_MAX,
        .nr_pirqs = PIRQS,
        .flags = config.flags,
        .shared_info = guest->memory,
        .cookie = (void *)(uintptr_t)guest,
    };
}

struct guest *guest_create(struct world *world, struct guest_config config)
{
    struct guest *guest = &world->guest[world->guests];
    struct evc_domain_config domain;

    if (world->guests == GUESTS)
        abort();
    memset(guest, 0, sizeof(*guest));
    guest->world = world;
    guest->id = config.id;
    guest->abi = layouts[config.layout];
    guest->memory = memory_create();
    domain = guest_domain_config(guest, config);
    if (evc_domain_create(world->engine, &domain, &guest->dom) < 0) {
        munmap(guest->memory - PAGE, (FRAMES + 2) * PAGE);
        return NULL;
    }
    world->guests++;
    return guest;
}

void guest_destroy(struct guest *guest)
{
    evc_domain_destroy(guest->dom);
    guest->dom = NULL;
}

/* ---- for cmocka ----------------------------------------------------------------- */

static int setup(void **state, enum evc_compat compat)
{
    struct world *world = world_create((struct world_config){.compat = compat});

    world->d0 = guest_create(
        world, (struct guest_config){.id = 0, .flags = EVC_DOMAIN_PRIVILEGED});
    world->d1 = guest_create(world, (struct guest_config){.id = 1});
    world->d2 = guest_create(world, (struct guest_config){.id = 2});
    *state = world;
    return 0;
}

int world_setup(void **state)
{
    return setup(state, EVC_COMPAT_DEFAULT);
}

int world_setup_xen_417(void **state)
{
    return setup(state, EVC_COMPAT_XEN_4_17);
}

int world_teardown(void **state)
{
    return world_destroy(*state) ? 0 : -1;
}
