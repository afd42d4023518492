/* SPDX-License-Identifier: MIT */
/*
 * The naive engine's domains: how they come, live and go.
 */
#include "naive.h"

#include <string.h>
#include <sys/mman.h>

static const struct evc_abi_layout layouts[] = {
    [EVC_LAYOUT_X86_64] = EVC_ABI_LAYOUT_INIT(X86_64),
    [EVC_LAYOUT_X86_32] = EVC_ABI_LAYOUT_INIT(X86_32),
    [EVC_LAYOUT_ARM] = EVC_ABI_LAYOUT_INIT(ARM),
};

/* ---- starting ----------------------------------------------------------- */

/* Memory that reads as 0, and costs what is used of it. */
static void *zeroes(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        __builtin_trap();
    return memory;
}

static void clear_ports(struct naive_domain *d)
{
    memset(d->port, 0, d->valid * sizeof(d->port[0]));
}

/* A used one of the last input is cleared, and keeps its memory. */
static void clear(struct naive_domain *d)
{
    struct naive_port *port = d->port;
    uint8_t *shadow = d->shadow;

    if (port == NULL) {
        port = zeroes(PORTS * sizeof(*port));
        shadow = zeroes(FRAMES * PAGE);
    } else {
        clear_ports(d);
    }
    for (unsigned f = 0; f < FRAMES; f++)
        if (d->touched[f])
            memset(shadow + f * PAGE, 0, PAGE);
    memset(d, 0, sizeof(*d));
    d->port = port;
    d->shadow = shadow;
}

void naive_start(struct naive *n, struct world *w, bool xen_417)
{
    for (unsigned i = 0; i < DOMAINS; i++) {
        clear(&n->domain[i]);
        n->domain[i].all = n;
        n->domain[i].id = i;
    }
    memset(n->end, 0, sizeof(n->end));
    memset(n->handler, 0, sizeof(n->handler));
    n->w = w;
    n->xen_417 = xen_417;
}

/* The shadow, and what the embedder was asked before, stay. */
void naive_create(struct naive *n, struct guest *g,
                  const struct evc_domain_config *config)
{
    struct naive_domain *d = &n->domain[config->id];

    clear_ports(d);
    d->guest = g;
    d->exists = true;
    d->dying = d->fifo = d->counting = d->counts_lost = false;
    d->privileged = config->flags & EVC_DOMAIN_PRIVILEGED;
    d->paused = config->flags & EVC_DOMAIN_PAUSED ? 1 : 0;
    d->layout = config->layout;
    d->abi = layouts[config->layout];
    d->max_port = config->max_port;
    d->valid = 64;
    d->shut_down = d->pages = 0;
    d->target = NOBODY;
    memset(d->pirq, 0, sizeof(d->pirq));
    memset(d->vcpu, 0, sizeof(d->vcpu));
    naive_place_infos(d);
    for (unsigned v = 0; v < VCPUS; v++)
        naive_write_time(d, v);
}

void naive_place_infos(struct naive_domain *d)
{
    for (unsigned v = 0; v < VCPUS; v++) {
        struct naive_vcpu *vcpu = &d->vcpu[v];

        if (!vcpu->moved)
            vcpu->info = v < d->abi.vcpu_slots
                             ? d->shadow + v * d->abi.vcpu_info_size
                             : vcpu->none;
    }
}

/* ---- finding ------------------------------------------------------------ */

struct naive_domain *naive_find(struct naive *n, unsigned id)
{
    return id < DOMAINS && n->domain[id].exists ? &n->domain[id] : NULL;
}

struct naive_domain *naive_resolve(struct naive_domain *self, unsigned id)
{
    return naive_find(self->all, id == DOMID_SELF ? self->id : id);
}

struct naive_port *naive_port(struct naive_domain *d, uint32_t port)
{
    return port < d->valid ? &d->port[port] : NULL;
}

uint32_t naive_limit(const struct naive_domain *d)
{
    uint32_t abi = (d->fifo ? PORTS : d->abi.twolevel_ports) - 1;

    return d->max_port < abi ? d->max_port : abi;
}

int naive_map(struct naive_domain *d, uint64_t gfn, uint8_t **page)
{
    int r = d->map_error;

    d->map_error = 0;
    if (r != 0)
        return r;
    if (gfn >= FRAMES || d->guest->access[gfn] == UNMAPPED)
        return -XEN_EINVAL;
    if (d->guest->access[gfn] == READ_ONLY)
        return -XEN_EACCES;
    *page = d->shadow + gfn * PAGE;
    d->mapped++;
    return 0;
}

/* ---- ending ------------------------------------------------------------- */

void naive_shutdown(struct naive_domain *d, uint32_t reason)
{
    if (d->shut_down != 0)
        return;
    d->shut_down = (reason & 0xff) + 1;
    (void)naive_raise_global(d->all, VIRQ_DOM_EXC);
}

void naive_kill(struct naive_domain *d)
{
    if (d->dying)
        return;
    d->dying = true;
    for (unsigned v = 0; v < VCPUS; v++)
        memset(d->vcpu[v].timer, 0, sizeof(d->vcpu[v].timer));
    for (uint32_t p = 1; p < d->valid; p++)
        if (d->port[p].what != EVTCHNSTAT_closed)
            naive_close(d, p);
    for (unsigned virq = 0; virq < EVC_NR_VIRQS; virq++)
        if (d->all->handler[virq] == d->id)
            d->all->handler[virq] = 0;
    (void)naive_raise_global(d->all, VIRQ_DOM_EXC);
}

void naive_destroy(struct naive_domain *d)
{
    naive_kill(d);
    d->exists = false;
    naive_leave_fifo(d);
    for (unsigned v = 0; v < VCPUS; v++)
        d->mapped -= d->vcpu[v].moved;
    clear_ports(d);
    (void)naive_raise_global(d->all, VIRQ_DOM_EXC);
}

/* ---- another layout ----------------------------------------------------- */

static bool info_fits(const struct naive_domain *d, const struct naive_vcpu *v,
                      const struct evc_abi_layout *abi)
{
    uintptr_t offset = (uintptr_t)(v->info - d->shadow) % PAGE;

    return !v->moved ||
           (offset % abi->word == 0 && offset + abi->vcpu_info_size <= PAGE);
}

int naive_set_layout(struct naive_domain *d, enum evc_layout layout)
{
    if ((unsigned)layout > EVC_LAYOUT_ARM)
        return -XEN_EINVAL;
    if (d->fifo)
        return -XEN_EBUSY;
    for (uint32_t p = layouts[layout].twolevel_ports; p < d->valid; p++)
        if (d->port[p].what != EVTCHNSTAT_closed)
            return -XEN_EBUSY;
    for (unsigned v = 0; v < VCPUS; v++)
        if (!info_fits(d, &d->vcpu[v], &layouts[layout]))
            return -XEN_EBUSY;
    d->layout = layout;
    d->abi = layouts[layout];
    naive_place_infos(d);
    return 0;
}

/* ---- counting ----------------------------------------------------------- */

void naive_counting(struct naive_domain *d, bool on)
{
    d->counting = on;
    d->counts_lost = false;
    for (uint32_t p = 0; p < d->valid; p++)
        d->port[p].sent = 0;
}
