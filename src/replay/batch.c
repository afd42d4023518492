/* SPDX-License-Identifier: MIT */
/*
 * Statements that are many operations: repeat, multicall, ports.
 */
#include <string.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>

#include "ops.h"

#define MULTICALL_MAX 16u
#define MULTICALL_AT  2048u /* the list in the actor's buffer */

/* ---- repeat N OP... : stops at the first failure; $i counts from 0 ------ */

struct repeat {
    struct evc_script *script;
    struct evc_op op;
    unsigned from;
    uint64_t times, done;
    int64_t rc;
};

static void repeat_job(struct evc_actor *actor, void *data)
{
    struct repeat *r = data;
    struct evc_script *script = r->script;

    while (r->done < r->times && !script->failed && !script->fatal) {
        if (r->done == EVC_SCRIPT_REPEAT) {
            script->fatal = "too many repetitions";
            return;
        }
        evc_script_set(script, "i", r->done);
        r->rc = evc_op_issue(script, actor, &r->op, r->from, false);
        if (r->rc)
            return;
        evc_op_note_array(actor->dom, &r->op);
        r->done++;
    }
}

void evc_batch_repeat(struct evc_script *script, unsigned at)
{
    struct repeat r = {.script = script, .op.cmd = -1, .from = at + 1};
    const char *name;
    uint64_t value;

    r.times = evc_script_value(script, script->token[at]);
    evc_script_run(script, repeat_job, &r);
    if (script->failed || script->fatal)
        return;
    evc_trace_result(script->trace, r.rc);
    evc_trace_add(script->trace, " after %llu", (unsigned long long)r.done);
    name = evc_op_out(&r.op, evc_script_actor(script)->buffer, &value);
    if (r.rc == 0 && name)
        evc_trace_add(script->trace, " %s=%llu", name,
                      (unsigned long long)value);
    evc_trace_raw(script->trace, "\n", 1);
}

/* ---- multicall OP... ; OP... ; ... -------------------------------------- */

/* multicall_entry: op, result, args[6], each a word of the guest */
static uint8_t *entry_word(const struct evc_actor *actor, unsigned entry,
                           unsigned word)
{
    const struct evc_abi_layout *layout = &actor->dom->world->layout;

    return (uint8_t *)actor->buffer + MULTICALL_AT +
           entry * layout->multicall_entry_size + word * layout->word;
}

static unsigned prepare_list(struct evc_script *script, struct evc_actor *actor,
                             struct evc_op *ops, unsigned from)
{
    unsigned count = 0;

    while (from < script->tokens && count < MULTICALL_MAX) {
        unsigned to = from, at = count * EVC_OP_BYTES;

        while (to < script->tokens && !evc_script_is(script->token[to], ";"))
            to++;
        evc_op_prepare(script, &ops[count], actor->buffer + at, from, to);
        evc_dom_put_word(actor->dom, entry_word(actor, count, 0),
                         __HYPERVISOR_event_channel_op);
        evc_dom_put_word(actor->dom, entry_word(actor, count, 2),
                         (uint64_t)(int64_t)ops[count].cmd);
        evc_dom_put_word(actor->dom, entry_word(actor, count, 3),
                         EVC_WORLD_BUFFER_VA(actor->vcpu) + at);
        count++;
        from = to + 1;
    }
    return count;
}

static int64_t entry_result(const struct evc_actor *actor, unsigned entry)
{
    uint64_t word = evc_dom_word(actor->dom, entry_word(actor, entry, 1));

    if (actor->dom->world->layout.word == 4)
        return (int32_t)word;
    return (int64_t)word;
}

void evc_batch_multicall(struct evc_script *script, unsigned at)
{
    struct evc_actor *actor = evc_script_actor(script);
    struct evc_op ops[MULTICALL_MAX];
    unsigned count = prepare_list(script, actor, ops, at);
    int64_t rc;

    if (script->failed)
        return;
    rc = evc_script_call(script, __HYPERVISOR_multicall,
                         EVC_WORLD_BUFFER_VA(actor->vcpu) + MULTICALL_AT, count,
                         0);
    evc_script_answer(script, rc);
    for (unsigned i = 0; i < count && !script->fatal; i++) {
        evc_op_report(script, &ops[i], actor->buffer + i * EVC_OP_BYTES,
                      entry_result(actor, i));
        evc_trace_raw(script->trace, "\n", 1);
    }
}

/* ---- ports dom= : every port that is not closed ------------------------- */

static int64_t ask_status(struct evc_actor *actor, unsigned dom, uint32_t port)
{
    struct evtchn_status status;

    memset(&status, 0xa5, sizeof(status));
    status.dom = (domid_t)dom;
    status.port = port;
    memcpy(actor->buffer, &status, sizeof(status));
    return evc_actor_hypercall(actor, __HYPERVISOR_event_channel_op,
                               EVTCHNOP_status,
                               EVC_WORLD_BUFFER_VA(actor->vcpu), 0);
}

static bool is_closed(const uint8_t *argument)
{
    struct evtchn_status status;

    memcpy(&status, argument, sizeof(status));
    return status.status == EVTCHNSTAT_closed;
}

struct ports {
    struct evc_trace *trace;
    unsigned dom;
};

static void ports_job(struct evc_actor *actor, void *data)
{
    const struct ports *ports = data;
    struct evc_trace *trace = ports->trace;
    uint32_t port = 0;
    int64_t rc = 0;

    for (; port <= EVTCHN_FIFO_NR_CHANNELS; port++) {
        rc = ask_status(actor, ports->dom, port);
        if (rc == -XEN_EACCES) {
            evc_trace_add(trace, "= port %u -13 EACCES\n", port);
            continue;
        }
        if (rc)
            break;
        if (is_closed(actor->buffer))
            continue;
        evc_trace_add(trace, "= port %u", port);
        evc_op_print_status(trace, actor->buffer);
        evc_trace_raw(trace, "\n", 1);
    }
    evc_trace_result(trace, rc);
    evc_trace_add(trace, " at port %u\n", port);
}

void evc_batch_ports(struct evc_script *script)
{
    struct ports ports = {.trace = script->trace};

    ports.dom = (unsigned)evc_script_number(script, "dom", DOMID_SELF);
    if (!script->failed)
        evc_script_run(script, ports_job, &ports);
}
