/* SPDX-License-Identifier: MIT */
/*
 * Domains, as the engine sees them: each has one vCPU that never runs, and the
 * daemon stands in for its kernel.  The event array is the daemon's own memory,
 * all of it masked, so the engine marks events there and tells nobody; a VIRQ is
 * found by looking.
 */
#include "daemon.h"

#include <errno.h>
#include <evc/abi/event_channel.h>
#include <stdlib.h>
#include <string.h>

#define WORDS   1024u /* of a page of the event array */
#define MASKED  (UINT32_C(1) << EVTCHN_FIFO_MASKED)
#define PENDING (UINT32_C(1) << EVTCHN_FIFO_PENDING)

/* ---- the guest's memory ------------------------------------------------- */

static void *page_create(void)
{
    void *page = aligned_alloc(EVC_PAGE, EVC_PAGE);

    if (page != NULL)
        memset(page, 0, EVC_PAGE);
    return page;
}

/* A frame's number is its address: only we name frames. */
static int map(void *dom, uint64_t gfn, void **page)
{
    (void)dom;
    *page = (void *)(uintptr_t)(gfn * EVC_PAGE);
    return 0;
}

/* dom_free() frees them. */
static void unmap(void *dom, uint64_t gfn, void *page)
{
    (void)dom;
    (void)gfn;
    (void)page;
}

static uint64_t gfn_of(void *page)
{
    return (uintptr_t)page / EVC_PAGE;
}

static void log_line(void *host, const char *line)
{
    (void)host;
    evc_log("%s", line);
}

static const struct evc_ops ops = {
    .size = sizeof(ops), .map = map, .unmap = unmap, .log = log_line};

/* As a kernel that gets a port it has no word for. */
static int expand(struct evc_dom *dom)
{
    struct evtchn_expand_array arg;
    uint32_t *words;
    int r;

    if (dom->pages >= EVC_SHARE_PORTS / WORDS)
        return -ENOSPC;
    words = page_create();
    if (words == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = MASKED;
    arg.array_gfn = gfn_of(words);
    r = evc_event_channel_op(dom->engine, EVTCHNOP_expand_array, &arg);
    if (r < 0)
        free(words);
    else
        dom->words[dom->pages++] = (evc_a32 *)(void *)words;
    return r;
}

static int start_fifo(struct evc_dom *dom)
{
    struct evtchn_init_control arg = {.control_gfn = gfn_of(dom->control)};
    int r = evc_event_channel_op(dom->engine, EVTCHNOP_init_control, &arg);

    return r < 0 ? r : expand(dom);
}

int evc_dom_cover(struct evc_dom *dom, uint32_t port)
{
    int r = 0;

    while (r == 0 && port / WORDS >= dom->pages)
        r = expand(dom);
    return r;
}

/* ---- VIRQs -------------------------------------------------------------- */

static void deliver(struct evc_dom *dom, struct evc_end *end)
{
    evc_a32 *word = &dom->words[end->port / WORDS][end->port % WORDS];

    if (evc_a32_load_rlx(word) & PENDING) {
        (void)evc_a32_clear_sc(word, PENDING);
        evc_wake_post(end);
    }
}

void evc_doms_deliver(struct evc_daemon *daemon)
{
    struct evc_owner *owner;
    struct evc_end *end;

    LIST_FOREACH(owner, &daemon->owners, next)
    LIST_FOREACH(end, &owner->ends, next)
    if (end->virq >= 0)
        deliver(owner->dom, end);
}

/* Those that a kernel keeps for itself, and those that are handled here. */
static void take_virqs(struct evc_dom *dom)
{
    for (uint32_t v = 0; v < EVC_NR_VIRQS; v++) {
        struct evtchn_bind_virq arg = {.virq = v};

        if (dom->settings->virqs >> v & 1)
            (void)evc_set_virq_handler(dom->engine, v);
        if (dom->settings->kernel_virqs >> v & 1)
            (void)evc_event_channel_op(dom->engine, EVTCHNOP_bind_virq, &arg);
    }
}

/* ---- making, ending ----------------------------------------------------- */

static void dom_free(struct evc_dom *dom)
{
    evc_domain_destroy(dom->engine);
    for (uint32_t i = 0; i < dom->pages; i++)
        free(dom->words[i]);
    free(dom->words);
    free(dom->end);
    free(dom->control);
    free(dom->shared_info);
    free(dom);
}

static int dom_create(struct evc_daemon *daemon, uint16_t id,
                      struct evc_dom **out)
{
    const struct evc_domain_settings *settings =
        evc_settings_of(daemon->settings, id);
    struct evc_domain_config config = {.size = sizeof(config),
                                       .id = id,
                                       .layout = EVC_LAYOUT_X86_64,
                                       .vcpus = 1};
    struct evc_dom *dom = calloc(1, sizeof(*dom));
    int r = -ENOMEM;

    if (dom == NULL)
        return r;
    dom->daemon = daemon;
    dom->settings = settings;
    dom->id = id;
    dom->shared_info = page_create();
    dom->control = page_create();
    dom->words = calloc(EVC_SHARE_PORTS / WORDS, sizeof(*dom->words));
    dom->end = calloc(EVC_SHARE_PORTS, sizeof(*dom->end));
    if (dom->shared_info != NULL && dom->control != NULL &&
        dom->words != NULL && dom->end != NULL) {
        config.max_port = settings->max_port;
        config.flags = settings->privileged ? EVC_DOMAIN_PRIVILEGED : 0;
        config.shared_info = dom->shared_info;
        config.cookie = dom;
        r = evc_domain_create(daemon->engine, &config, &dom->engine);
    }
    if (r == 0)
        r = start_fifo(dom);
    if (r < 0) {
        dom_free(dom);
        return r;
    }
    take_virqs(dom);
    LIST_INSERT_HEAD(&daemon->doms, dom, next);
    *out = dom;
    return 0;
}

struct evc_dom *evc_dom_find(struct evc_daemon *daemon, uint16_t id)
{
    struct evc_dom *dom;

    LIST_FOREACH(dom, &daemon->doms, next)
    if (dom->id == id)
        return dom;
    return NULL;
}

int evc_dom_get(struct evc_daemon *daemon, uint16_t id, struct evc_dom **out)
{
    struct evc_dom *dom = evc_dom_find(daemon, id);

    if (dom == NULL && !daemon->settings->on_demand)
        return -ESRCH;
    if (dom == NULL)
        return dom_create(daemon, id, out);
    *out = dom;
    return 0;
}

void evc_dom_put(struct evc_dom *dom)
{
    struct evc_daemon *daemon = dom->daemon;

    dom->handles--;
    if (dom->handles != 0 || dom->settings->keep || dom->id == 0)
        return;
    LIST_REMOVE(dom, next);
    dom_free(dom); /* raises VIRQ_DOM_EXC */
    evc_doms_deliver(daemon);
}

int evc_doms_init(struct evc_daemon *daemon)
{
    const struct evc_domain_settings *s;
    struct evc_dom *dom;
    int r =
        evc_engine_create(&ops, daemon, EVC_COMPAT_DEFAULT, &daemon->engine);

    if (r == 0)
        r = dom_create(daemon, 0, &dom);
    LIST_FOREACH(s, &daemon->settings->domains, next)
    if (r == 0 && s->id != 0)
        r = dom_create(daemon, s->id, &dom);
    return r;
}

void evc_doms_finish(struct evc_daemon *daemon)
{
    struct evc_dom *dom;

    while ((dom = LIST_FIRST(&daemon->doms)) != NULL) {
        LIST_REMOVE(dom, next);
        dom_free(dom);
    }
    evc_engine_destroy(daemon->engine);
}
