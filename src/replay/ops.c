/* SPDX-License-Identifier: MIT */
/*
 * Event channel operations.  An argument is poisoned before its fields are
 * set, so that an OUT field the engine forgot, or wrote without being asked
 * to, is seen in the trace.
 */
#include "ops.h"

#include <stddef.h>
#include <string.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>

#define POISON       0xa5
#define COMPAT_AT    512u /* evtchn_op in the buffer */
#define XEN_ADDRESS  UINT64_C(0xffff810000000000)
#define XEN_ADDRESS4 UINT64_C(0xf5800000) /* for a 32-bit guest */

struct field {
    const char *name;
    uint8_t offset, size;
};

#define FIELD(type, member)                                                \
    {                                                                      \
        .name = #member, .offset = offsetof(struct evtchn_##type, member), \
        .size = sizeof(((struct evtchn_##type *)NULL)->member)             \
    }
#define OP(type, result, ...)                 \
    [EVTCHNOP_##type] = {                     \
        .name = #type,                        \
        .size = sizeof(struct evtchn_##type), \
        .out = result,                        \
        .in = {__VA_ARGS__},                  \
    }
#define NOTHING      \
    {                \
        .name = NULL \
    }

static const struct {
    const char *name;
    uint8_t size;
    struct field out;
    struct field in[4];
} table[] = {
    OP(bind_interdomain, FIELD(bind_interdomain, local_port),
       FIELD(bind_interdomain, remote_dom),
       FIELD(bind_interdomain, remote_port)),
    OP(bind_virq, FIELD(bind_virq, port), FIELD(bind_virq, virq),
       FIELD(bind_virq, vcpu)),
    OP(bind_pirq, FIELD(bind_pirq, port), FIELD(bind_pirq, pirq),
       FIELD(bind_pirq, flags)),
    OP(close, NOTHING, FIELD(close, port)),
    OP(send, NOTHING, FIELD(send, port)),
    OP(status, NOTHING, FIELD(status, dom), FIELD(status, port)),
    OP(alloc_unbound, FIELD(alloc_unbound, port), FIELD(alloc_unbound, dom),
       FIELD(alloc_unbound, remote_dom)),
    OP(bind_ipi, FIELD(bind_ipi, port), FIELD(bind_ipi, vcpu)),
    OP(bind_vcpu, NOTHING, FIELD(bind_vcpu, port), FIELD(bind_vcpu, vcpu)),
    OP(unmask, NOTHING, FIELD(unmask, port)),
    OP(reset, NOTHING, FIELD(reset, dom)),
    OP(init_control, FIELD(init_control, link_bits),
       FIELD(init_control, control_gfn), FIELD(init_control, offset),
       FIELD(init_control, vcpu)),
    OP(expand_array, NOTHING, FIELD(expand_array, array_gfn)),
    OP(set_priority, NOTHING, FIELD(set_priority, port),
       FIELD(set_priority, priority)),
};

#define OPS ((int)(sizeof(table) / sizeof(*table)))

static bool is_known(const struct evc_op *op)
{
    return op->cmd >= 0 && op->cmd < OPS;
}

/* ---- the argument ------------------------------------------------------- */

static int find_op(const char *name)
{
    for (int i = 0; i < OPS; i++)
        if (evc_script_is(table[i].name, name))
            return i;
    return evc_script_is(name, "op") ? OPS : -1;
}

/* "gfn=": a number or a special frame */
static uint64_t frame_value(struct evc_script *script, const char *text)
{
    if (evc_script_is(text, "pagetable"))
        return EVC_WORLD_FRAME_PAGETABLE;
    if (evc_script_is(text, "shared_info"))
        return EVC_WORLD_FRAME_SHARED_INFO;
    if (text[0] == 'd' && text[1] > '0' && text[1] <= '3' && !text[2])
        return EVC_WORLD_FRAME(text[1] - '0', 0);
    return evc_script_value(script, text);
}

/* "page=": a frame of the acting domain */
static uint64_t page_value(struct evc_script *script, struct evc_op *op,
                           const char *text)
{
    const struct evc_dom *dom = evc_script_dom(script);

    op->page = (int)evc_script_value(script, text);
    if (op->page >= 0 && (unsigned)op->page < dom->pages)
        return EVC_WORLD_FRAME(dom->id, op->page);
    evc_script_complain(script, "no such page:", text);
    return 0;
}

static uint64_t field_value(struct evc_script *script, struct evc_op *op,
                            const struct field *field, unsigned from,
                            unsigned to)
{
    const char *text;

    if (field->size == 8) {
        text = evc_script_text_in(script, "page", from, to);
        if (text)
            return page_value(script, op, text);
        text = evc_script_text_in(script, "gfn", from, to);
        if (text)
            return frame_value(script, text);
    }
    text = evc_script_text_in(script, field->name, from, to);
    return text ? evc_script_value(script, text) : 0;
}

static void fill_fields(struct evc_script *script, struct evc_op *op,
                        uint8_t *argument, unsigned from, unsigned to)
{
    const struct field *field = table[op->cmd].in;

    for (unsigned i = 0; i < 4 && field[i].name; i++) {
        uint64_t value = field_value(script, op, &field[i], from, to);

        memcpy(argument + field[i].offset, &value, field[i].size);
    }
}

/* "op cmd= w0= w1= w2= w3=": anything at all */
static void fill_words(struct evc_script *script, struct evc_op *op,
                       uint8_t *argument, unsigned from, unsigned to)
{
    static const char *const words[] = {"w0", "w1", "w2", "w3"};
    const char *text = evc_script_text_in(script, "cmd", from, to);

    op->cmd = text ? (int)evc_script_value(script, text) : 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t word;

        text = evc_script_text_in(script, words[i], from, to);
        if (!text)
            continue;
        word = (uint32_t)evc_script_value(script, text);
        memcpy(argument + i * sizeof(word), &word, sizeof(word));
    }
}

void evc_op_prepare(struct evc_script *script, struct evc_op *op,
                    uint8_t *argument, unsigned from, unsigned to)
{
    op->cmd = find_op(script->token[from]);
    op->page = -1;
    memset(argument, POISON, EVC_OP_BYTES);
    if (op->cmd < 0)
        evc_script_complain(script, "unknown operation:", script->token[from]);
    else if (op->cmd == OPS)
        fill_words(script, op, argument, from, to);
    else
        fill_fields(script, op, argument, from, to);
    memcpy(op->before, argument, EVC_OP_BYTES);
}

/* ---- the hypercall ------------------------------------------------------ */

/* "arg=": another pointer than the one to the argument */
static uint64_t pointer(struct evc_script *script, const uint8_t *argument,
                        uint64_t address)
{
    struct evc_world *world = script->world;
    const char *where = evc_script_text(script, "arg");

    if (!where)
        return address;
    if (evc_script_is(where, "null"))
        return 0;
    if (evc_script_is(where, "unmapped"))
        return EVC_WORLD_UNMAPPED_VA;
    if (evc_script_is(where, "xen"))
        return world->width == EVC_LAYOUT_X86_32 ? XEN_ADDRESS4 : XEN_ADDRESS;
    if (evc_script_is(where, "readonly") && script->dom_id == 0) {
        memcpy(world->readonly, argument, 2 * EVC_OP_BYTES);
        return EVC_WORLD_READONLY_VA;
    }
    evc_script_complain(script, "bad arg:", where);
    return 0;
}

static int64_t issue_compat(struct evc_script *script, struct evc_actor *actor,
                            const struct evc_op *op)
{
    uint64_t address = EVC_WORLD_BUFFER_VA(actor->vcpu) + COMPAT_AT;
    struct evtchn_op *old = (void *)(actor->buffer + COMPAT_AT);
    int64_t rc;

    memset(old, POISON, sizeof(*old));
    old->cmd = (uint32_t)op->cmd;
    memcpy(&old->u, actor->buffer, sizeof(old->u));
    address = pointer(script, (const uint8_t *)old, address);
    if (script->failed)
        return 0;
    rc = evc_actor_hypercall(actor, __HYPERVISOR_event_channel_op_compat,
                             address, 0, 0);
    memcpy(actor->buffer, &old->u, sizeof(old->u));
    return rc;
}

int64_t evc_op_issue(struct evc_script *script, struct evc_actor *actor,
                     struct evc_op *op, unsigned from, bool compat)
{
    uint64_t address = EVC_WORLD_BUFFER_VA(actor->vcpu);

    evc_op_prepare(script, op, actor->buffer, from, script->tokens);
    if (script->failed)
        return 0;
    if (compat)
        return issue_compat(script, actor, op);
    address = pointer(script, actor->buffer, address);
    if (script->failed)
        return 0;
    return evc_actor_hypercall(actor, __HYPERVISOR_event_channel_op,
                               (uint64_t)(int64_t)op->cmd, address, 0);
}

/* ---- the answer --------------------------------------------------------- */

const char *evc_op_out(const struct evc_op *op, const uint8_t *argument,
                       uint64_t *value)
{
    const struct field *out;

    if (!is_known(op))
        return NULL;
    out = &table[op->cmd].out;
    *value = 0;
    if (out->name)
        memcpy(value, argument + out->offset, out->size);
    return out->name;
}

void evc_op_print_status(struct evc_trace *trace, const uint8_t *argument)
{
    static const char *const names[] = {"closed", "unbound", "interdomain",
                                        "pirq",   "virq",    "ipi"};
    struct evtchn_status status;

    memcpy(&status, argument, sizeof(status));
    if (status.status < sizeof(names) / sizeof(*names))
        evc_trace_add(trace, " status=%s", names[status.status]);
    else
        evc_trace_add(trace, " status=%u", status.status);
    evc_trace_add(trace, " vcpu=%u", status.vcpu);
    switch (status.status) {
    case EVTCHNSTAT_unbound:
        evc_trace_add(trace, " dom=%u", status.u.unbound.dom);
        break;
    case EVTCHNSTAT_interdomain:
        evc_trace_add(trace, " dom=%u port=%u", status.u.interdomain.dom,
                      status.u.interdomain.port);
        break;
    case EVTCHNSTAT_pirq:
        evc_trace_add(trace, " pirq=%u", status.u.pirq);
        break;
    case EVTCHNSTAT_virq:
        evc_trace_add(trace, " virq=%u", status.u.virq);
        break;
    default:
        break;
    }
}

void evc_op_note_array(struct evc_dom *dom, const struct evc_op *op)
{
    if (op->cmd == EVTCHNOP_expand_array && op->page >= 0 &&
        dom->fifo.slots < EVC_WORLD_SLOTS)
        dom->fifo.slot_page[dom->fifo.slots++] = (unsigned)op->page;
}

static void note_control(struct evc_dom *dom, const struct evc_op *op,
                         const uint8_t *argument)
{
    struct evtchn_init_control control;

    memcpy(&control, argument, sizeof(control));
    dom->fifo.on = true;
    if (op->page < 0 || control.vcpu >= EVC_WORLD_VCPUS)
        return;
    dom->fifo.control_page[control.vcpu] = op->page;
    dom->fifo.control_offset[control.vcpu] = control.offset;
}

static void note_reset(struct evc_script *script, const uint8_t *argument)
{
    struct evtchn_reset reset;
    unsigned id;

    memcpy(&reset, argument, sizeof(reset));
    id = reset.dom == DOMID_SELF ? script->dom_id : reset.dom;
    if (id < EVC_WORLD_DOMS)
        script->world->dom[id].was_reset = true;
}

/* With a read-only argument EFAULT means: done, but the result is lost. */
static bool is_done(struct evc_script *script, int64_t rc)
{
    const char *where = evc_script_text(script, "arg");

    return rc == 0 ||
           (rc == -XEN_EFAULT && where && evc_script_is(where, "readonly"));
}

void evc_op_report(struct evc_script *script, const struct evc_op *op,
                   const uint8_t *argument, int64_t rc)
{
    const char *name;
    uint64_t value;

    evc_trace_result(script->trace, rc);
    if (!is_known(op))
        return;
    if (!is_done(script, rc)) {
        if (memcmp(argument, op->before, table[op->cmd].size) != 0)
            evc_trace_add(script->trace, " (argument modified)");
        return;
    }

    name = evc_op_out(op, argument, &value);
    if (rc == 0 && name)
        evc_trace_add(script->trace, " %s=%llu", name,
                      (unsigned long long)value);
    if (rc == 0 && op->cmd == EVTCHNOP_status)
        evc_op_print_status(script->trace, argument);
    if (op->cmd == EVTCHNOP_init_control)
        note_control(evc_script_dom(script), op, argument);
    if (op->cmd == EVTCHNOP_reset)
        note_reset(script, argument);
    evc_op_note_array(evc_script_dom(script), op);
}

/* ---- the statement ------------------------------------------------------ */

struct single {
    struct evc_script *script;
    struct evc_op op;
    unsigned from;
    bool compat;
    int64_t rc;
};

static void issue_single(struct evc_actor *actor, void *data)
{
    struct single *one = data;

    one->rc =
        evc_op_issue(one->script, actor, &one->op, one->from, one->compat);
}

/* "-> name": keep the OUT field, or 0 */
static void store_out(struct evc_script *script, const struct single *one,
                      const uint8_t *argument)
{
    uint64_t value = 0;

    if (one->rc != 0 || !evc_op_out(&one->op, argument, &value))
        value = 0;
    for (unsigned i = one->from; i + 1 < script->tokens; i++)
        if (evc_script_is(script->token[i], "->"))
            evc_script_set(script, script->token[i + 1], value);
}

void evc_ops_statement(struct evc_script *script, unsigned at, bool compat)
{
    struct single one = {.script = script, .from = at, .compat = compat};
    const uint8_t *argument = evc_script_actor(script)->buffer;

    evc_script_run(script, issue_single, &one);
    if (script->failed || script->fatal)
        return;
    evc_op_report(script, &one.op, argument, one.rc);
    evc_trace_raw(script->trace, "\n", 1);
    store_out(script, &one, argument);
}
