/* SPDX-License-Identifier: MIT */
/*
 * What a guest does in its own memory, never a hypercall: masks, queues, the
 * handler of an upcall.  The runner does it in the guest's name.
 */
#include <string.h>

#include <evc/abi/event_channel.h>

#include "script.h"

#define PENDING (UINT32_C(1) << EVTCHN_FIFO_PENDING)
#define MASKED  (UINT32_C(1) << EVTCHN_FIFO_MASKED)
#define LINKED  (UINT32_C(1) << EVTCHN_FIFO_LINKED)
#define LINK    ((uint32_t)EVTCHN_FIFO_LINK_MASK)

#define ALL_QUEUES ((UINT32_C(1) << EVC_WORLD_QUEUES) - 1)

static void set_bits(uint32_t *word, uint32_t bits, bool set)
{
    if (set)
        __atomic_or_fetch(word, bits, __ATOMIC_SEQ_CST);
    else
        __atomic_and_fetch(word, ~bits, __ATOMIC_SEQ_CST);
}

/* Little-endian: a bit has its place in 32-bit words of a map of any words. */
static void set_map_bit(uint8_t *map, uint32_t bit, bool set)
{
    set_bits((uint32_t *)(void *)map + bit / 32, UINT32_C(1) << bit % 32, set);
}

/* One flag of a port, in whichever ABI the domain uses. */
static void port_flag(struct evc_script *script, bool mask, bool set)
{
    const struct evc_abi_layout *layout = &script->world->layout;
    struct evc_dom *dom = evc_script_dom(script);
    uint64_t port = evc_script_number(script, "port", 0);
    uint32_t *word = evc_state_word(dom, (uint32_t)port);

    if (script->failed)
        return;
    if (dom->fifo.on ? !word : port >= layout->twolevel_ports) {
        evc_trace_add(script->trace, "= no such event\n");
        return;
    }
    if (dom->fifo.on)
        set_bits(word, mask ? MASKED : PENDING, set);
    else
        set_map_bit(dom->shared_info + (mask ? layout->mask : layout->pending),
                    (uint32_t)port, set);
    evc_script_answer(script, 0);
}

/* ---- queues ------------------------------------------------------------- */

/* Is it to be dispatched? */
static bool is_due(uint32_t word)
{
    return (word & (PENDING | MASKED)) == PENDING;
}

/* Give up an event's link: returns the port it pointed at. */
static uint32_t unlink_word(uint32_t *word)
{
    return __atomic_fetch_and(word, ~(LINKED | LINK), __ATOMIC_SEQ_CST) & LINK;
}

/* What a guest takes for the first event of a queue, 0: nothing. */
static uint32_t first_of(struct evc_dom *dom, unsigned vcpu, unsigned queue)
{
    uint32_t port = dom->fifo.head[vcpu][queue];

    if (!port)
        port = evc_state_control(dom, vcpu)->head[queue];
    return evc_state_word(dom, port) ? port : 0;
}

/*
 * Take one event off a queue as a guest should; returns the port, 0: none.
 * `was` is its word as it was found.
 */
static uint32_t consume(struct evc_dom *dom, unsigned vcpu, unsigned queue,
                        uint32_t *was)
{
    uint32_t port = first_of(dom, vcpu, queue);
    uint32_t *word = evc_state_word(dom, port);

    if (!port)
        return 0;
    *was = *word;
    dom->fifo.head[vcpu][queue] = unlink_word(word);
    if (is_due(*was))
        set_bits(word, PENDING, false);
    return port;
}

/*
 * The same by libevc-guest, but for a port that is not LINKED: the statement
 * takes it all the same, and the library leaves alone what is on no queue.
 */
static uint32_t consume_either(struct evc_script *script, unsigned queue,
                               uint32_t *was)
{
    struct evc_dom *dom = evc_script_dom(script);
    uint32_t port = first_of(dom, script->vcpu, queue), called;
    const uint32_t *word = evc_state_word(dom, port);

    if (!script->guest || (port && !(*word & LINKED)))
        return consume(dom, script->vcpu, queue, was);
    *was = port ? *word : 0;
    called = evc_dispatch_consume(script, queue);
    if (called != (is_due(*was) ? port : 0))
        evc_trace_add(script->trace, "! libevc-guest called handler %u\n",
                      called);
    return port;
}

static void consume_statement(struct evc_script *script)
{
    unsigned queue = evc_script_number(script, "priority", 7) & 15;
    uint32_t was = 0, port;

    if (script->failed)
        return;
    if (!evc_state_control(evc_script_dom(script), script->vcpu)) {
        evc_trace_add(script->trace, "= no control block\n");
        return;
    }
    port = consume_either(script, queue, &was);
    if (!port) {
        evc_trace_add(script->trace, "= empty\n");
        return;
    }
    evc_trace_add(script->trace, "= port=%u ", port);
    evc_trace_word(script->trace, was);
    evc_trace_raw(script->trace, "\n", 1);
}

static void clear_linked(struct evc_script *script)
{
    uint32_t port = (uint32_t)evc_script_number(script, "port", 0);
    uint32_t *word = evc_state_word(evc_script_dom(script), port);

    if (word)
        evc_trace_add(script->trace, "= link=%u\n", unlink_word(word));
    else
        evc_trace_add(script->trace, "= no such event\n");
}

static void clear_ready(struct evc_script *script)
{
    struct evtchn_fifo_control_block *block =
        evc_state_control(evc_script_dom(script), script->vcpu);
    uint32_t keep = 0;

    if (!block) {
        evc_trace_add(script->trace, "= no control block\n");
        return;
    }
    if (evc_script_text(script, "priority"))
        keep =
            ~(UINT32_C(1) << (evc_script_number(script, "priority", 0) & 31));
    evc_trace_add(script->trace, "= ready=0x%x\n",
                  __atomic_fetch_and(&block->ready, keep, __ATOMIC_SEQ_CST));
}

/* ---- the handler of an upcall ------------------------------------------- */

static void scan_word(struct evc_script *script, unsigned word, unsigned bits)
{
    const struct evc_abi_layout *layout = &script->world->layout;
    struct evc_dom *dom = evc_script_dom(script);
    uint8_t *pending = dom->shared_info + layout->pending;
    uint8_t *mask = dom->shared_info + layout->mask;
    uint64_t ready = evc_dom_word(dom, pending + word * layout->word) &
                     ~evc_dom_word(dom, mask + word * layout->word);

    for (unsigned i = 0; i < bits; i++)
        if (ready >> i & 1) {
            set_map_bit(pending, word * bits + i, false);
            evc_trace_add(script->trace, " %u", word * bits + i);
        }
}

static void scan_twolevel(struct evc_script *script)
{
    const struct evc_abi_layout *layout = &script->world->layout;
    struct evc_dom *dom = evc_script_dom(script);
    uint8_t *at = dom->vcpu_info[script->vcpu] + layout->pending_sel;
    uint64_t selector = evc_dom_word(dom, at);
    unsigned bits = layout->word * 8u;

    evc_dom_put_word(dom, at, 0);
    for (unsigned i = 0; i < bits; i++)
        if (selector >> i & 1)
            scan_word(script, i, bits);
}

static void scan_fifo(struct evc_script *script)
{
    struct evc_dom *dom = evc_script_dom(script);
    struct evtchn_fifo_control_block *block =
        evc_state_control(dom, script->vcpu);
    uint32_t ready;

    if (!block)
        return;
    ready = __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);
    while (ready & ALL_QUEUES) {
        unsigned queue = (unsigned)__builtin_ctz(ready & ALL_QUEUES);
        uint32_t was = 0, port = consume(dom, script->vcpu, queue, &was);

        if (port && is_due(was))
            evc_trace_add(script->trace, " %u", port);
        if (!dom->fifo.head[script->vcpu][queue])
            ready &= ~(UINT32_C(1) << queue);
        else if (!port) {
            /* A link to a port without a word: the oracle loops for ever. */
            script->fatal = "the queue leads nowhere";
            return;
        }
        ready |= __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);
    }
}

/* " ports P P ...": what an upcall handler would dispatch */
void evc_own_scan(struct evc_script *script)
{
    struct evc_dom *dom = evc_script_dom(script);

    if (script->guest) {
        evc_dispatch_scan(script);
        return;
    }
    dom->vcpu_info[script->vcpu][EVC_ABI_VCPU_INFO_UPCALL_PENDING] = 0;
    evc_trace_add(script->trace, " ports");
    if (dom->fifo.on)
        scan_fifo(script);
    else
        scan_twolevel(script);
    evc_trace_raw(script->trace, "\n", 1);
}

static void handle_statement(struct evc_script *script)
{
    evc_trace_add(script->trace, "=");
    evc_own_scan(script);
}

/* ---- fields and pages --------------------------------------------------- */

/* The vcpu_info of the vCPU in "vcpu=", or of the one that acts. */
static uint8_t *info_of(struct evc_script *script)
{
    uint64_t vcpu = evc_script_number(script, "vcpu", script->vcpu);

    return evc_script_dom(script)->vcpu_info[vcpu % EVC_WORLD_VCPUS];
}

static void write_byte(struct evc_script *script, unsigned offset)
{
    uint8_t *info = info_of(script);

    info[offset] = (uint8_t)evc_script_number(script, "value", 0);
    evc_script_answer(script, 0);
}

static void upcall_mask(struct evc_script *script)
{
    write_byte(script, EVC_ABI_VCPU_INFO_UPCALL_MASK);
}

static void upcall_pending(struct evc_script *script)
{
    write_byte(script, EVC_ABI_VCPU_INFO_UPCALL_PENDING);
}

static void pending_sel(struct evc_script *script)
{
    uint8_t *info = info_of(script);

    evc_dom_put_word(evc_script_dom(script),
                     info + script->world->layout.pending_sel,
                     evc_script_number(script, "value", 0));
    evc_script_answer(script, 0);
}

static void poke(struct evc_script *script)
{
    struct evc_dom *dom = evc_script_dom(script);
    uint32_t page = (uint32_t)evc_script_number(script, "page", 0);
    uint32_t offset = (uint32_t)evc_script_number(script, "offset", 0);
    uint32_t value;

    if (page < dom->pages && offset < EVC_WORLD_PAGE) {
        value = (uint32_t)evc_script_number(script, "value", 0);
        memcpy(dom->page[page] + (offset & ~3u), &value, sizeof(value));
        dom->touched[page] = true;
    }
    evc_script_answer(script, 0);
}

/* ---- the table ---------------------------------------------------------- */

static void mask(struct evc_script *script)
{
    port_flag(script, true, true);
}

static void clear_mask(struct evc_script *script)
{
    port_flag(script, true, false);
}

static void set_pending(struct evc_script *script)
{
    port_flag(script, false, true);
}

static void clear_pending(struct evc_script *script)
{
    port_flag(script, false, false);
}

bool evc_own_statement(struct evc_script *script, const char *verb)
{
    static const struct {
        const char *verb;
        void (*run)(struct evc_script *script);
    } table[] = {
        {"mask", mask},
        {"clear_mask", clear_mask},
        {"set_pending", set_pending},
        {"clear_pending", clear_pending},
        {"clear_linked", clear_linked},
        {"clear_ready", clear_ready},
        {"upcall_mask", upcall_mask},
        {"upcall_pending", upcall_pending},
        {"pending_sel", pending_sel},
        {"poke", poke},
        {"consume", consume_statement},
        {"handle", handle_statement},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (evc_script_is(table[i].verb, verb)) {
            table[i].run(script);
            return true;
        }
    return false;
}
