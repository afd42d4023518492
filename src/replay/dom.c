/* SPDX-License-Identifier: MIT */
/*
 * Domains of a world: memory, the engine's handle, vCPUs.  A destroyed domain
 * that somebody holds on to stays in its slot, so that its number cannot be
 * used again; only the scenario no longer sees it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define MAX_VCPUS_PV  8192u
#define MAX_VCPUS_HVM 128u

uint64_t evc_dom_word(const struct evc_dom *dom, const void *at)
{
    uint64_t wide;
    uint32_t narrow;

    if (dom->world->layout.word == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

void evc_dom_put_word(const struct evc_dom *dom, void *at, uint64_t value)
{
    memcpy(at, &value, dom->world->layout.word); /* little-endian */
}

bool evc_dom_runs(const struct evc_dom *dom, unsigned vcpu)
{
    return dom->exists && !dom->pauses && dom->started[vcpu];
}

void evc_dom_forget_fifo(struct evc_dom *dom)
{
    dom->was_reset = false;
    dom->fifo = (struct evc_fifo){.on = false};
    for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++)
        dom->fifo.control_page[v] = -1;
}

/* ---- memory ------------------------------------------------------------- */

static void *zero_pages(unsigned count)
{
    size_t size = (size_t)(count ? count : 1) * EVC_WORLD_PAGE;
    void *pages = aligned_alloc(EVC_WORLD_PAGE, size);

    if (pages)
        memset(pages, 0, size);
    return pages;
}

static void free_memory(struct evc_dom *dom)
{
    free(dom->shared_info);
    free(dom->page);
    free(dom->image.page);
    free(dom->ports);
    *dom = (struct evc_dom){.world = dom->world, .id = dom->id, .target = -1};
}

static int allocate_memory(struct evc_dom *dom)
{
    dom->shared_info = zero_pages(1);
    dom->page = zero_pages(dom->pages);
    dom->image.page = zero_pages(dom->pages);
    if (!dom->shared_info || !dom->page || !dom->image.page)
        return -ENOMEM;
    for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++) {
        dom->vcpu_info[v] =
            dom->shared_info + v * dom->world->layout.vcpu_info_size;
        dom->vcpu_info_page[v] = -1;
    }
    return 0;
}

/* ---- creating ----------------------------------------------------------- */

static int create_handle(struct evc_dom *dom, uint32_t max_port)
{
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = (evc_domid)dom->id,
        .layout = dom->world->width,
        .vcpus = dom->all_vcpus,
        .max_port = max_port,
        .nr_pirqs = evc_pirq_count(dom->id),
        .flags = dom->id ? 0 : EVC_DOMAIN_PRIVILEGED,
        .shared_info = dom->shared_info,
        .cookie = dom,
    };

    if (dom->pauses)
        config.flags |= EVC_DOMAIN_PAUSED;
    return evc_domain_create(dom->world->engine, &config, &dom->handle);
}

int evc_dom_start(struct evc_dom *dom, unsigned vcpu)
{
    int rc = evc_actor_create(dom, vcpu, &dom->actor[vcpu]);

    dom->started[vcpu] = !rc;
    if (!rc)
        evc_vcpu_set_online(dom->handle, vcpu, true);
    return rc;
}

/* Every vCPU that will act, and every one of dom0's, closes its mask. */
static int bring_up(struct evc_dom *dom)
{
    int rc = 0;

    for (unsigned v = 0; v < dom->vcpus; v++) {
        dom->vcpu_info[v][EVC_ABI_VCPU_INFO_UPCALL_MASK] = 1;
        if (dom->id == 0)
            dom->image.vcpu[v].mask = 1;
        else if (!rc)
            rc = evc_dom_start(dom, v);
    }
    for (unsigned i = 1; dom->id == 0 && i < EVC_WORLD_LINES; i++)
        dom->line_allowed[i] = true;
    return rc;
}

static bool vcpus_are_possible(unsigned vcpus, enum evc_dom_kind kind)
{
    return vcpus > 0 &&
           vcpus <= (kind == EVC_DOM_HVM ? MAX_VCPUS_HVM : MAX_VCPUS_PV);
}

int evc_dom_create(struct evc_world *world, unsigned id, unsigned vcpus,
                   uint32_t max_port, enum evc_dom_kind kind)
{
    struct evc_dom *dom = &world->dom[id];
    int rc;

    if (dom->handle)
        return -EEXIST;
    if (!vcpus_are_possible(vcpus, kind))
        return -EINVAL;

    *dom = (struct evc_dom){.world = world, .id = id, .target = -1};
    dom->hvm = kind == EVC_DOM_HVM;
    dom->pauses = kind == EVC_DOM_ACTIVE ? 0 : 1;
    dom->all_vcpus = vcpus < EVC_MAX_VCPUS ? vcpus : EVC_MAX_VCPUS;
    dom->vcpus = vcpus < EVC_WORLD_VCPUS ? vcpus : EVC_WORLD_VCPUS;
    if (kind == EVC_DOM_ACTIVE)
        dom->pages = id ? EVC_WORLD_DU : EVC_WORLD_D0;
    evc_dom_forget_fifo(dom);

    rc = allocate_memory(dom);
    if (!rc)
        rc = create_handle(dom, max_port);
    if (rc) {
        free_memory(dom);
        return rc;
    }
    dom->exists = true;
    if (kind == EVC_DOM_ACTIVE)
        rc = bring_up(dom);
    return rc;
}

/* ---- ending ------------------------------------------------------------- */

/* Nobody acts in it any more, and Xen's own ports are gone. */
static void bring_down(struct evc_dom *dom)
{
    dom->exists = false;
    for (unsigned v = 0; v < EVC_WORLD_VCPUS; v++) {
        evc_actor_destroy(dom->actor[v]);
        dom->actor[v] = NULL;
    }
    for (unsigned i = 0; i < dom->nr_ports; i++)
        evc_host_close(dom->ports[i]);
    dom->nr_ports = 0;
}

/* A domain that serves another holds on to it. */
static bool is_held(const struct evc_dom *dom)
{
    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        if (dom->world->dom[k].target == (int)dom->id)
            return true;
    return dom->kept;
}

static void let_go(struct evc_world *world, int id)
{
    struct evc_dom *dom = id < 0 ? NULL : &world->dom[id];

    if (dom && !dom->exists && !is_held(dom))
        evc_dom_finish(dom);
}

void evc_dom_destroy(struct evc_dom *dom, bool keep)
{
    dom->kept = keep;
    if (!is_held(dom)) {
        evc_dom_finish(dom);
        return;
    }
    bring_down(dom);
    evc_domain_kill(dom->handle);
}

void evc_dom_finish(struct evc_dom *dom)
{
    int target = dom->target;

    if (!dom->handle)
        return;
    bring_down(dom);
    evc_domain_destroy(dom->handle);
    free_memory(dom);
    let_go(dom->world, target);
}
