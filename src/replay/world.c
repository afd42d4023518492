/* SPDX-License-Identifier: MIT */
/*
 * The world, and what it is to the engine: the memory of guests, the interrupt
 * controller, the clock, the console.  These callbacks run on whichever thread
 * has the turn.
 */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evc/abi/numbers.h>

/* ---- memory ------------------------------------------------------------- */

static bool is_within(uint64_t at, size_t size, uint64_t start, size_t length)
{
    return at >= start && at - start <= length && size <= length - (at - start);
}

/* What lies at a guest's address; NULL: nothing that may be used like this. */
static uint8_t *find(struct evc_dom *dom, uint64_t at, size_t size, bool write)
{
    for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++) {
        uint64_t start = EVC_WORLD_BUFFER_VA(v);

        if (dom->actor[v] && is_within(at, size, start, EVC_WORLD_BUFFER))
            return dom->actor[v]->buffer + (at - start);
    }
    if (dom->id == 0 && !write &&
        is_within(at, size, EVC_WORLD_READONLY_VA, EVC_WORLD_PAGE))
        return dom->world->readonly + (at - EVC_WORLD_READONLY_VA);
    return NULL;
}

/*
 * Both copies are also moments between two entries of a multicall, at which
 * Xen has already raised the event for what it logged in the one before.
 */
static int copy_from(void *cookie, uint32_t vcpu, void *to, uint64_t from,
                     size_t size)
{
    struct evc_dom *dom = cookie;
    const uint8_t *at = find(dom, from, size, false);

    (void)vcpu;
    evc_world_console(dom->world);
    if (!at)
        return -EFAULT;
    memcpy(to, at, size);
    return 0;
}

static int copy_to(void *cookie, uint32_t vcpu, uint64_t to, const void *from,
                   size_t size)
{
    struct evc_dom *dom = cookie;
    uint8_t *at = find(dom, to, size, true);

    (void)vcpu;
    evc_world_console(dom->world);
    if (!at)
        return -EFAULT;
    memcpy(at, from, size);
    return 0;
}

/* A frame that exists but belongs to somebody else: Xen writes a line. */
static bool is_foreign(const struct evc_dom *dom, uint64_t gfn)
{
    if (gfn == EVC_WORLD_FRAME_PAGETABLE || gfn == EVC_WORLD_FRAME_SHARED_INFO)
        return dom->id != 0;
    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++) {
        const struct evc_dom *owner = &dom->world->dom[k];
        uint64_t first = EVC_WORLD_FRAME(k, 0);

        if (k != dom->id && owner->handle && gfn >= first &&
            gfn - first < owner->pages)
            return true;
    }
    return false;
}

static int map(void *cookie, uint64_t gfn, void **page)
{
    struct evc_dom *dom = cookie;
    uint64_t first = EVC_WORLD_FRAME(dom->id, 0);

    if (dom->id == 0 && gfn == EVC_WORLD_FRAME_SHARED_INFO) {
        *page = dom->shared_info;
        return 0;
    }
    if (gfn < first || gfn - first >= dom->pages) {
        dom->world->logged |= is_foreign(dom, gfn);
        return -EINVAL;
    }
    dom->touched[gfn - first] = true;
    *page = dom->page[gfn - first];
    return 0;
}

static void unmap(void *cookie, uint64_t gfn, void *page)
{
    (void)cookie;
    (void)gfn;
    (void)page;
}

/* ---- policy, interrupts, waiting ---------------------------------------- */

/*
 * Xen's usual rules.  Whoever may bind has been said by the offer; interrupts
 * are a matter of permission even for dom0.
 */
static int policy(void *host, enum evc_action action, evc_domid caller,
                  evc_domid target, uint32_t detail)
{
    struct evc_world *world = host;

    if (action == EVC_ACTION_BIND_PIRQ)
        return evc_pirq_permitted(&world->dom[caller], detail) ? 0 : -EPERM;
    if (action == EVC_ACTION_BIND_INTERDOMAIN || caller == 0)
        return 0;
    return target == caller || target == world->dom[caller].target ? 0 : -EPERM;
}

static int pirq_bind(void *cookie, uint32_t pirq, bool share)
{
    return evc_pirq_bind(cookie, pirq, share);
}

static void pirq_unbind(void *cookie, uint32_t pirq)
{
    evc_pirq_unbind(cookie, pirq);
}

static void wait(void *cookie, uint32_t vcpu, uint64_t deadline)
{
    struct evc_dom *dom = cookie;

    if (vcpu < EVC_WORLD_VCPUS && dom->actor[vcpu])
        evc_actor_wait(dom->actor[vcpu], deadline);
}

static void wake(void *cookie, uint32_t vcpu)
{
    struct evc_dom *dom = cookie;

    if (vcpu < EVC_WORLD_VCPUS && dom->actor[vcpu])
        dom->actor[vcpu]->woken = true;
}

/* ---- clock and console -------------------------------------------------- */

static void read_clock(void *host, struct evc_time *now)
{
    const struct evc_world *world = host;

    *now = (struct evc_time){
        .tsc_timestamp = world->now, /* a TSC of 1 GHz */
        .system_time = world->now,
        .tsc_to_system_mul = UINT32_C(1) << 31,
        .tsc_shift = 1,
    };
}

static void set_timer(void *host, uint64_t deadline)
{
    struct evc_world *world = host;

    world->timer = deadline;
}

static void write_log(void *host, const char *line)
{
    struct evc_world *world = host;

    (void)line;
    world->logged = true;
}

/* That this event has nowhere to go is logged as well, and goes no further. */
void evc_world_console(struct evc_world *world)
{
    if (!world->logged)
        return;
    world->logged = false;
    (void)evc_raise_global_virq(world->engine, VIRQ_CON_RING);
    world->logged = false;
}

/* ---- beginning and end -------------------------------------------------- */

static const struct evc_ops ops = {
    .size = sizeof(struct evc_ops),
    .map = map,
    .unmap = unmap,
    .copy_from = copy_from,
    .copy_to = copy_to,
    .policy = policy,
    .pirq_bind = pirq_bind,
    .pirq_unbind = pirq_unbind,
    .clock = read_clock,
    .timer = set_timer,
    .wait = wait,
    .wake = wake,
    .log = write_log,
};

static const struct evc_abi_layout layouts[] = {
    [EVC_LAYOUT_X86_64] = EVC_ABI_LAYOUT_INIT(X86_64),
    [EVC_LAYOUT_X86_32] = EVC_ABI_LAYOUT_INIT(X86_32),
};

int evc_world_create(struct evc_world *world, enum evc_compat compat,
                     enum evc_layout width, unsigned vcpus)
{
    int rc;

    *world = (struct evc_world){
        .layout = layouts[width],
        .width = width,
        .now = 1000 * EVC_WORLD_MS,
    };
    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        world->dom[k] = (struct evc_dom){.world = world, .id = k, .target = -1};
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->runner, NULL);
    world->readonly = calloc(1, EVC_WORLD_PAGE);
    if (!world->readonly)
        return -ENOMEM;
    rc = evc_engine_create(&ops, world, compat, &world->engine);
    if (rc)
        return rc;
    rc = evc_dom_create(world, 0, EVC_WORLD_VCPUS, UINT32_MAX, EVC_DOM_ACTIVE);
    for (unsigned v = 0; !rc && v < vcpus; v++)
        rc = evc_dom_start(&world->dom[0], v);
    return rc;
}

/* Also what evc_world_create() left half done. */
void evc_world_destroy(struct evc_world *world)
{
    for (unsigned k = EVC_WORLD_DOMS; k-- > 0;)
        evc_dom_finish(&world->dom[k]);
    evc_engine_destroy(world->engine);
    free(world->readonly);
    pthread_cond_destroy(&world->runner);
    pthread_mutex_destroy(&world->lock);
}
