/* SPDX-License-Identifier: MIT */
/*
 * The observable shared state: remember it, and print what has changed.
 * Nobody else runs while this looks, so plain reads are enough.
 */
#include <string.h>

#include <evc/abi/event_channel.h>

#include "script.h"

#define MAP_WORDS 64u /* of 64 bits: the pending or mask bits of a domain */

struct evtchn_fifo_control_block *evc_state_control(const struct evc_dom *dom,
                                                    unsigned vcpu)
{
    int page = vcpu < EVC_WORLD_VCPUS ? dom->fifo.control_page[vcpu] : -1;

    if (page < 0)
        return NULL;
    return (void *)(dom->page[page] + dom->fifo.control_offset[vcpu]);
}

uint32_t *evc_state_word(const struct evc_dom *dom, uint32_t port)
{
    unsigned slot = port / EVC_ABI_FIFO_WORDS_PER_PAGE;

    if (!dom->fifo.on || slot >= dom->fifo.slots)
        return NULL;
    return (uint32_t *)(void *)dom->page[dom->fifo.slot_page[slot]] +
           port % EVC_ABI_FIFO_WORDS_PER_PAGE;
}

/* ---- bits --------------------------------------------------------------- */

static bool has_bit(const uint64_t *map, unsigned bit)
{
    return map[bit / 64] >> bit % 64 & 1;
}

static bool is_empty(const uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        if (map[i])
            return false;
    return true;
}

/* " 3 5-9 12" */
static void print_bits(struct evc_trace *trace, const uint64_t *map)
{
    const unsigned end = MAP_WORDS * 64;

    for (unsigned i = 0; i < end; i++) {
        unsigned first = i;

        if (!has_bit(map, i))
            continue;
        while (i + 1 < end && has_bit(map, i + 1))
            i++;
        evc_trace_add(trace, " %u", first);
        if (i > first)
            evc_trace_add(trace, "-%u", i);
    }
}

/* Of either layout: in little-endian, words of any size give the same bits. */
static void load_bits(const struct evc_dom *dom, uint64_t *map, unsigned offset)
{
    memset(map, 0, MAP_WORDS * 8);
    memcpy(map, dom->shared_info + offset,
           dom->world->layout.twolevel_ports / 8);
}

static void diff_bits(struct evc_dom *dom, struct evc_trace *trace,
                      const char *what, uint64_t *old, unsigned offset)
{
    uint64_t now[MAP_WORDS], set[MAP_WORDS], clear[MAP_WORDS];

    load_bits(dom, now, offset);
    if (memcmp(old, now, sizeof(now)) == 0)
        return;
    for (unsigned i = 0; i < MAP_WORDS; i++) {
        set[i] = now[i] & ~old[i];
        clear[i] = old[i] & ~now[i];
    }
    memcpy(old, now, sizeof(now));

    if (!is_empty(set)) {
        evc_trace_add(trace, "~ d%u %s set", dom->id, what);
        print_bits(trace, set);
        evc_trace_raw(trace, "\n", 1);
    }
    if (!is_empty(clear)) {
        evc_trace_add(trace, "~ d%u %s clear", dom->id, what);
        print_bits(trace, clear);
        evc_trace_raw(trace, "\n", 1);
    }
}

/* ---- vCPUs -------------------------------------------------------------- */

/*
 * A selector.  With every bit set it is all ones for a 32-bit guest, too: that
 * is what moving a vcpu_info does, and both widths give one trace.
 */
static uint64_t load_selector(const struct evc_dom *dom, unsigned vcpu)
{
    const struct evc_abi_layout *layout = &dom->world->layout;
    uint64_t word =
        evc_dom_word(dom, dom->vcpu_info[vcpu] + layout->pending_sel);

    return layout->word == 4 && word == UINT32_MAX ? UINT64_MAX : word;
}

static void diff_vcpu(struct evc_dom *dom, struct evc_trace *trace, unsigned v)
{
    const uint8_t *info = dom->vcpu_info[v];
    uint64_t selector = load_selector(dom, v);
    uint8_t pending = info[EVC_ABI_VCPU_INFO_UPCALL_PENDING];
    uint8_t mask = info[EVC_ABI_VCPU_INFO_UPCALL_MASK];
    uint64_t upcalls = dom->actor[v] ? dom->actor[v]->upcalls : 0;

    if (selector != dom->image.vcpu[v].selector)
        evc_trace_add(trace, "~ d%u.%u pending_sel 0x%llx -> 0x%llx\n", dom->id,
                      v, (unsigned long long)dom->image.vcpu[v].selector,
                      (unsigned long long)selector);
    if (pending != dom->image.vcpu[v].pending)
        evc_trace_add(trace, "~ d%u.%u upcall_pending %u -> %u\n", dom->id, v,
                      dom->image.vcpu[v].pending, pending);
    if (mask != dom->image.vcpu[v].mask)
        evc_trace_add(trace, "~ d%u.%u upcall_mask %u -> %u\n", dom->id, v,
                      dom->image.vcpu[v].mask, mask);
    if (upcalls != dom->image.vcpu[v].upcalls)
        evc_trace_add(
            trace, "~ d%u.%u upcalls +%llu\n", dom->id, v,
            (unsigned long long)(upcalls - dom->image.vcpu[v].upcalls));

    dom->image.vcpu[v].selector = selector;
    dom->image.vcpu[v].pending = pending;
    dom->image.vcpu[v].mask = mask;
    dom->image.vcpu[v].upcalls = upcalls;
}

/* ---- pages -------------------------------------------------------------- */

static void print_change(struct evc_trace *trace, uint32_t was, uint32_t is)
{
    evc_trace_word(trace, was);
    evc_trace_raw(trace, " -> ", 4);
    evc_trace_word(trace, is);
    evc_trace_raw(trace, "\n", 1);
}

/* A word of an event array page. */
static bool diff_event(const struct evc_dom *dom, struct evc_trace *trace,
                       unsigned page, unsigned offset, uint32_t was,
                       uint32_t is)
{
    for (unsigned s = 0; s < dom->fifo.slots; s++) {
        if (dom->fifo.slot_page[s] != page)
            continue;
        evc_trace_add(trace, "~ d%u event %u ", dom->id,
                      s * EVC_ABI_FIFO_WORDS_PER_PAGE + offset / 4);
        print_change(trace, was, is);
        return true;
    }
    return false;
}

/* A word of a control block: ready, or the head of a queue. */
static bool diff_control(const struct evc_dom *dom, struct evc_trace *trace,
                         unsigned page, unsigned offset, uint32_t was,
                         uint32_t is)
{
    for (unsigned v = 0; v < dom->vcpus; v++) {
        unsigned at = offset - dom->fifo.control_offset[v];

        if (dom->fifo.control_page[v] != (int)page ||
            at >= EVC_ABI_FIFO_CONTROL_BLOCK_SIZE)
            continue;
        if (at == EVC_ABI_FIFO_CONTROL_BLOCK_READY)
            evc_trace_add(trace, "~ d%u.%u ready 0x%x -> 0x%x\n", dom->id, v,
                          was, is);
        else if (at >= EVC_ABI_FIFO_CONTROL_BLOCK_HEAD)
            evc_trace_add(trace, "~ d%u.%u head %u %u -> %u\n", dom->id, v,
                          (at - EVC_ABI_FIFO_CONTROL_BLOCK_HEAD) / 4, was, is);
        else
            return false;
        return true;
    }
    return false;
}

static void diff_page(struct evc_dom *dom, struct evc_trace *trace,
                      unsigned page)
{
    uint8_t *old = dom->image.page[page], *now = dom->page[page];

    /* The fields of a vcpu_info are reported by name. */
    for (unsigned v = 0; v < dom->vcpus; v++)
        if (dom->vcpu_info_page[v] == (int)page)
            return;
    if (memcmp(old, now, EVC_WORLD_PAGE) == 0)
        return;
    for (unsigned at = 0; at < EVC_WORLD_PAGE; at += 4) {
        uint32_t was, is;

        memcpy(&was, old + at, 4);
        memcpy(&is, now + at, 4);
        if (was != is && !diff_event(dom, trace, page, at, was, is) &&
            !diff_control(dom, trace, page, at, was, is))
            evc_trace_add(trace, "~ d%u page %u+0x%x 0x%x -> 0x%x\n", dom->id,
                          page, at, was, is);
    }
    memcpy(old, now, EVC_WORLD_PAGE);
}

/* ---- all of it ---------------------------------------------------------- */

static void diff_returns(struct evc_dom *dom, struct evc_trace *trace)
{
    for (unsigned v = 0; v < dom->vcpus; v++) {
        struct evc_actor *actor = dom->actor[v];

        if (!actor || !actor->async || !evc_actor_done(actor))
            continue;
        actor->async = false;
        evc_trace_add(trace, "~ d%u.%u returns ", dom->id, v);
        evc_trace_rc(trace, actor->rc);
        evc_trace_raw(trace, "\n", 1);
    }
}

void evc_state_diff(struct evc_world *world, struct evc_trace *trace)
{
    const struct evc_abi_layout *layout = &world->layout;

    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++) {
        struct evc_dom *dom = &world->dom[k];

        if (!dom->exists)
            continue;
        diff_returns(dom, trace);
        diff_bits(dom, trace, "pending", dom->image.pending, layout->pending);
        diff_bits(dom, trace, "mask", dom->image.mask, layout->mask);
        for (unsigned v = 0; v < dom->vcpus; v++)
            diff_vcpu(dom, trace, v);
        for (unsigned i = 0; i < dom->pages; i++)
            if (dom->touched[i])
                diff_page(dom, trace, i);
        /* What a reset changed has the names that were good before. */
        if (dom->was_reset)
            evc_dom_forget_fifo(dom);
    }
}

/* ---- show --------------------------------------------------------------- */

static void show_bits(const struct evc_dom *dom, struct evc_trace *trace,
                      const char *what, unsigned offset)
{
    uint64_t map[MAP_WORDS];

    load_bits(dom, map, offset);
    if (is_empty(map))
        return;
    evc_trace_add(trace, "= d%u %s", dom->id, what);
    print_bits(trace, map);
    evc_trace_raw(trace, "\n", 1);
}

static void show_events(const struct evc_dom *dom, struct evc_trace *trace)
{
    uint32_t end = dom->fifo.slots * EVC_ABI_FIFO_WORDS_PER_PAGE;

    for (uint32_t port = 0; port < end; port++) {
        const uint32_t *word = evc_state_word(dom, port);

        if (!word || !*word)
            continue;
        evc_trace_add(trace, "= d%u event %u ", dom->id, port);
        evc_trace_word(trace, *word);
        evc_trace_raw(trace, "\n", 1);
    }
}

static void show_control(const struct evc_dom *dom, struct evc_trace *trace,
                         unsigned vcpu)
{
    const struct evtchn_fifo_control_block *block =
        evc_state_control(dom, vcpu);

    if (!block)
        return;
    evc_trace_add(trace, "= d%u.%u ready=0x%x", dom->id, vcpu, block->ready);
    for (unsigned q = 0; q < EVC_WORLD_QUEUES; q++)
        if (block->head[q])
            evc_trace_add(trace, " head%u=%u", q, block->head[q]);
    evc_trace_raw(trace, "\n", 1);
}

void evc_state_show(struct evc_dom *dom, struct evc_trace *trace)
{
    const struct evc_abi_layout *layout = &dom->world->layout;

    show_bits(dom, trace, "pending", layout->pending);
    show_bits(dom, trace, "mask", layout->mask);
    for (unsigned v = 0; v < dom->vcpus; v++) {
        const uint8_t *info = dom->vcpu_info[v];

        evc_trace_add(
            trace,
            "= d%u.%u upcall_pending=%u upcall_mask=%u pending_sel=0x%llx\n",
            dom->id, v, info[EVC_ABI_VCPU_INFO_UPCALL_PENDING],
            info[EVC_ABI_VCPU_INFO_UPCALL_MASK],
            (unsigned long long)load_selector(dom, v));
    }
    show_events(dom, trace);
    for (unsigned v = 0; v < dom->vcpus; v++)
        show_control(dom, trace, v);
}
