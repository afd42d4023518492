/* SPDX-License-Identifier: MIT */
/*
 * The library's dispatcher in the place of the interpreter: `handle`, `upcall`
 * and `consume` as a guest with libevc-guest would do them.
 *
 * A stand-in guest has every port bound to a handler that notes its number.
 * What the domain shares with its host is copied into the stand-in's memory, the
 * dispatcher runs there, and what it has changed is copied back; nobody else
 * runs meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/guest.h>

#include "script.h"

#define PORTS          131072u
#define UPCALL_PENDING EVC_ABI_VCPU_INFO_UPCALL_PENDING

struct stand_in {
    uint8_t events[EVC_GUEST_EVENT_BYTES(PORTS)];
    uint8_t shared[4096];
    struct evc_guest_vcpu vcpu;
    struct evc_guest_port ports[PORTS];
    struct evc_guest guest;
    uint32_t before[PORTS]; /* event words as they were copied in */
    struct evc_script *script;
    evc_port bound;  /* ports up to this one have their handler */
    evc_port called; /* whose handler was called last */
    bool prints;     /* do handlers print their numbers? */
};

static struct stand_in *stand_ins[2][2]; /* by width, by ABI */

/* ---- making one ---------------------------------------------------------------- */

static int answer(void *data, evc_abi_u32 vcpu, evc_abi_u32 nr,
                  evc_abi_uptr cmd, evc_abi_uptr arg, evc_abi_uptr none)
{
    struct stand_in *stand_in = data;

    (void)vcpu;
    (void)nr;
    (void)none;
    if (cmd == EVTCHNOP_bind_ipi)
        ((struct evtchn_bind_ipi *)arg)->port = ++stand_in->bound;
    return 0;
}

static int note(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct stand_in *stand_in = data;

    (void)self;
    stand_in->called = port;
    if (stand_in->prints)
        evc_trace_add(stand_in->script->trace, " %u", port);
    return EVC_GUEST_DONE;
}

static void bind_below(struct stand_in *stand_in, evc_port end)
{
    const struct evc_guest_binding how = {.handler = note, .data = stand_in};

    while (stand_in->bound + 1 < end)
        if (evc_guest_bind_ipi(&stand_in->vcpu, &how) < 0)
            abort();
}

static struct stand_in *create(bool narrow, bool fifo)
{
    static const struct evc_guest_hooks hooks = {.size = sizeof(hooks),
                                                 .hypercall = answer};
    size_t size = (sizeof(struct stand_in) + 4095) / 4096 * 4096;
    struct stand_in *stand_in = aligned_alloc(4096, size);
    struct evc_guest_config config = {
        .size = sizeof(config),
        .layout = narrow ? EVC_GUEST_LAYOUT_X86_32 : EVC_GUEST_LAYOUT_X86_64,
        .abi = fifo ? EVC_GUEST_ABI_FIFO : EVC_GUEST_ABI_TWOLEVEL,
        .nr_vcpus = 1,
        .nr_ports = PORTS,
        .hooks = &hooks,
    };

    if (!stand_in)
        abort();
    memset(stand_in, 0, sizeof(*stand_in));
    config.shared_info = stand_in->shared;
    config.vcpus = &stand_in->vcpu;
    config.ports = stand_in->ports;
    config.events = stand_in->events;
    config.data = stand_in;
    if (evc_guest_init(&stand_in->guest, &config))
        abort();
    if (!fifo)
        bind_below(stand_in, evc_guest_ports(&stand_in->guest));
    return stand_in;
}

static struct stand_in *stand_in_for(struct evc_script *script)
{
    bool narrow = script->world->width == EVC_LAYOUT_X86_32;
    const struct evc_dom *dom = evc_script_dom(script);
    struct stand_in **of = &stand_ins[narrow][dom->fifo.on];

    if (!*of)
        *of = create(narrow, dom->fifo.on);
    if (dom->fifo.on)
        bind_below(*of, dom->fifo.slots * EVC_ABI_FIFO_WORDS_PER_PAGE);
    (*of)->script = script;
    return *of;
}

/* ---- memory in and out ------------------------------------------------------------ */

static void copy_twolevel(struct stand_in *stand_in, struct evc_script *script,
                          bool in)
{
    const struct evc_abi_layout *layout = &script->world->layout;
    struct evc_dom *dom = evc_script_dom(script);
    size_t bytes = layout->twolevel_ports / 8;

    if (in) {
        memcpy(stand_in->shared + layout->pending,
               dom->shared_info + layout->pending, bytes);
        memcpy(stand_in->shared + layout->mask, dom->shared_info + layout->mask,
               bytes);
        return;
    }
    memcpy(dom->shared_info + layout->pending,
           stand_in->shared + layout->pending, bytes);
    memcpy(dom->shared_info + layout->mask, stand_in->shared + layout->mask,
           bytes);
}

/* Out, only what has changed: a domain may have given one page twice. */
static void copy_page(struct stand_in *stand_in, unsigned first, uint32_t *its,
                      bool in)
{
    uint32_t *ours = (uint32_t *)(void *)stand_in->events + first;
    uint32_t *before = stand_in->before + first;

    for (unsigned i = 0; i < EVC_ABI_FIFO_WORDS_PER_PAGE; i++) {
        if (in)
            ours[i] = before[i] = its[i];
        else if (ours[i] != before[i])
            its[i] = ours[i];
    }
}

static void copy_fifo(struct stand_in *stand_in, struct evc_script *script,
                      bool in)
{
    struct evc_dom *dom = evc_script_dom(script);
    void *control = evc_state_control(dom, script->vcpu);
    uint32_t *head = dom->fifo.head[script->vcpu];

    for (unsigned s = 0; s < dom->fifo.slots; s++) {
        uint32_t *its = (uint32_t *)(void *)dom->page[dom->fifo.slot_page[s]];

        copy_page(stand_in, s * EVC_ABI_FIFO_WORDS_PER_PAGE, its, in);
    }
    memcpy(in ? (void *)stand_in->vcpu.head : head,
           in ? head : (void *)stand_in->vcpu.head,
           sizeof(stand_in->vcpu.head));
    if (control)
        memcpy(in ? (void *)stand_in->vcpu.control : control,
               in ? control : (void *)stand_in->vcpu.control,
               EVC_ABI_FIFO_CONTROL_BLOCK_SIZE);
}

static void copy(struct stand_in *stand_in, struct evc_script *script, bool in)
{
    const struct evc_abi_layout *layout = &script->world->layout;
    struct evc_dom *dom = evc_script_dom(script);
    uint8_t *its = dom->vcpu_info[script->vcpu];

    /* The flag, and the selector; the rest is not the dispatcher's. */
    if (in)
        memcpy(stand_in->shared, its, layout->time);
    else
        memcpy(its, stand_in->shared, layout->time);
    if (dom->fifo.on)
        copy_fifo(stand_in, script, in);
    else
        copy_twolevel(stand_in, script, in);
}

/* ---- the statements ----------------------------------------------------------------- */

void evc_dispatch_scan(struct evc_script *script)
{
    struct stand_in *stand_in = stand_in_for(script);
    struct evc_dom *dom = evc_script_dom(script);

    evc_trace_add(script->trace, " ports");
    if (!dom->fifo.on || evc_state_control(dom, script->vcpu)) {
        copy(stand_in, script, true);
        stand_in->shared[UPCALL_PENDING] = 1;
        stand_in->vcpu.next = 0; /* the statement begins with port 0 */
        stand_in->prints = true;
        while (evc_guest_dispatch(&stand_in->vcpu, 0, 0))
            ;
        copy(stand_in, script, false);
    }
    dom->vcpu_info[script->vcpu][UPCALL_PENDING] = 0;
    evc_trace_raw(script->trace, "\n", 1);
}

/*
 * The statement asks for a queue without a look at its ready bit, and leaves the
 * bit and the upcall flag as they are: nothing is ready then, but the library has
 * to know that it may be in the middle of a queue.
 */
uint32_t evc_dispatch_consume(struct evc_script *script, unsigned queue)
{
    struct stand_in *stand_in = stand_in_for(script);
    struct evc_dom *dom = evc_script_dom(script);
    struct evtchn_fifo_control_block *control =
        evc_state_control(dom, script->vcpu);
    uint32_t ready = control->ready;
    uint8_t flag = dom->vcpu_info[script->vcpu][UPCALL_PENDING];

    copy(stand_in, script, true);
    stand_in->vcpu.ready = UINT32_C(1) << queue;
    stand_in->called = 0;
    stand_in->prints = false;
    (void)evc_guest_dispatch_priority(&stand_in->vcpu, queue, 1);
    stand_in->vcpu.ready = 0;
    stand_in->vcpu.todo = 1;
    copy(stand_in, script, false);
    control->ready = ready;
    dom->vcpu_info[script->vcpu][UPCALL_PENDING] = flag;
    return stand_in->called;
}
