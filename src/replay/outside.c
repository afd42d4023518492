/* SPDX-License-Identifier: MIT */
/*
 * Statements about waiting and being notified: upcalls, polling, blocking,
 * interrupts from outside, and where the vcpu_info lies.
 */
#include <string.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>

#include "script.h"

#define RAISE_TIME  (50 * EVC_WORLD_MS) /* after which it must have come in */
#define TIMER_TIME  (5 * EVC_WORLD_MS) /* of the timer that raises VIRQ_TIMER */
#define BEGIN_TIME  (5 * EVC_WORLD_MS) /* until an asynchronous call sleeps */
#define LINE_ON_TAP 1u /* the one interrupt line that the oracle can raise */

/* ---- upcall ------------------------------------------------------------- */

/* Open the door for upcalls, enter and leave Xen, close the door. */
static void upcall_job(struct evc_actor *actor, void *data)
{
    uint8_t *mask =
        actor->dom->vcpu_info[actor->vcpu] + EVC_ABI_VCPU_INFO_UPCALL_MASK;

    (void)data;
    __atomic_store_n(mask, 0, __ATOMIC_SEQ_CST);
    (void)evc_actor_hypercall(actor, __HYPERVISOR_xen_version, 0, 0, 0);
    __atomic_store_n(mask, 1, __ATOMIC_SEQ_CST);
}

static void upcall(struct evc_script *script)
{
    const struct evc_actor *actor = evc_script_actor(script);
    uint64_t before = actor->upcalls;

    evc_script_run(script, upcall_job, NULL);
    evc_trace_add(script->trace, "= upcalls=%llu",
                  (unsigned long long)(actor->upcalls - before));
    if (actor->upcalls != before)
        evc_own_scan(script);
    else
        evc_trace_raw(script->trace, "\n", 1);
}

/* ---- poll, block -------------------------------------------------------- */

/* In the actor's buffer: its job must outlive the statement. */
struct wait_call {
    uint64_t op, address;
};

static void wait_job(struct evc_actor *actor, void *data)
{
    const struct wait_call *call = data;

    actor->rc = evc_actor_hypercall(actor, __HYPERVISOR_sched_op, call->op,
                                    call->address, 0);
}

static void begin_waiting(struct evc_script *script, struct wait_call *call)
{
    struct evc_actor *actor = evc_script_actor(script);

    if (script->dom_id == 0 && script->vcpu == 0) {
        evc_script_complain(script, "d0.0 runs the scenario and cannot wait:",
                            script->token[1]);
        return;
    }
    actor->async = true;
    evc_actor_begin(actor, wait_job, call);
    evc_trace_add(script->trace, "= started\n");
    evc_world_pass(script->world, BEGIN_TIME);
}

static void wait_statement(struct evc_script *script, uint64_t op,
                           uint64_t address, uint64_t deadline)
{
    struct evc_actor *actor = evc_script_actor(script);
    struct wait_call *call =
        (void *)(actor->buffer + EVC_WORLD_BUFFER - sizeof(*call));

    *call = (struct wait_call){.op = op, .address = address};
    if (evc_script_flag(script, "&")) {
        begin_waiting(script, call);
        return;
    }
    evc_script_run(script, wait_job, call);
    if (script->fatal)
        return;
    evc_trace_result(script->trace, actor->rc);
    if (deadline && actor->rc == 0)
        evc_trace_add(script->trace, "%s",
                      script->world->now >= deadline ? " timeout" : " early");
    evc_trace_raw(script->trace, "\n", 1);
}

#define POLL_PORTS    256u
#define POLL_PORTS_AT 64u /* in the actor's buffer */

/* "ports=P,P,..": returns how many */
static unsigned list_ports(struct evc_script *script, evtchn_port_t *ports)
{
    const char *text = evc_script_text(script, "ports");
    unsigned count = 0;

    while (text && *text && count < POLL_PORTS) {
        char one[24];
        size_t length = strcspn(text, ",");

        if (length > sizeof(one) - 1)
            length = sizeof(one) - 1;
        memcpy(one, text, length);
        one[length] = 0;
        ports[count++] = (evtchn_port_t)evc_script_value(script, one);
        text += length + (text[length] == ',');
    }
    return count;
}

static uint64_t poll_deadline(struct evc_script *script)
{
    const char *text = evc_script_text(script, "timeout");

    if (!text)
        return 0;
    if (evc_script_is(text, "past"))
        return 1;
    return script->world->now + evc_script_value(script, text) * EVC_WORLD_MS;
}

/* sched_poll: address of the ports, a word; how many; deadline */
static void put_poll(const struct evc_actor *actor, uint8_t *at,
                     uint64_t address, uint32_t count, uint64_t deadline)
{
    unsigned word = actor->dom->world->layout.word;

    memset(at, 0, POLL_PORTS_AT);
    evc_dom_put_word(actor->dom, at, address);
    memcpy(at + word, &count, sizeof(count));
    memcpy(at + 2 * word, &deadline, sizeof(deadline));
}

static void poll(struct evc_script *script)
{
    struct evc_actor *actor = evc_script_actor(script);
    uint64_t buffer = EVC_WORLD_BUFFER_VA(actor->vcpu);
    uint64_t address = buffer + POLL_PORTS_AT;
    evtchn_port_t *ports = (void *)(actor->buffer + POLL_PORTS_AT);
    unsigned listed = list_ports(script, ports);
    uint32_t count = (uint32_t)evc_script_number(script, "nr", listed);
    const char *where = evc_script_text(script, "arg");
    uint64_t deadline;

    for (; listed < count && listed < POLL_PORTS; listed++)
        ports[listed] = listed ? ports[listed - 1] : 1;
    if (where && evc_script_is(where, "unmapped"))
        address = EVC_WORLD_UNMAPPED_VA;
    deadline = poll_deadline(script);
    put_poll(actor, actor->buffer, address, count, deadline);
    if (!script->failed)
        wait_statement(script, SCHEDOP_poll, buffer, deadline);
}

static void block(struct evc_script *script)
{
    wait_statement(script, SCHEDOP_block, 0, 0);
}

/* ---- raise -------------------------------------------------------------- */

/* A singleshot timer of the acting vCPU. */
static int64_t raise_timer(struct evc_script *script)
{
    struct evc_actor *actor = evc_script_actor(script);
    uint64_t deadline = script->world->now + TIMER_TIME;
    uint32_t flags = 0;

    memcpy(actor->buffer, &deadline, sizeof(deadline));
    memcpy(actor->buffer + sizeof(deadline), &flags, sizeof(flags));
    return evc_script_call(script, __HYPERVISOR_vcpu_op,
                           VCPUOP_set_singleshot_timer, actor->vcpu,
                           EVC_WORLD_BUFFER_VA(actor->vcpu));
}

/* The administrator asks every vCPU for a dump, and Xen begins to write one. */
static void raise_debug(struct evc_world *world)
{
    world->logged = true;
    evc_world_console(world);
    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        for (unsigned v = 0; v < world->dom[k].all_vcpus; v++)
            (void)evc_raise_vcpu_virq(world->dom[k].handle, v, VIRQ_DEBUG);
    world->logged = true;
}

static void raise(struct evc_script *script)
{
    uint64_t virq = evc_script_number(script, "virq", UINT64_MAX);
    int64_t rc = 0;

    if (virq == VIRQ_TIMER)
        rc = raise_timer(script);
    else if (virq == VIRQ_DEBUG)
        raise_debug(script->world);
    else if (evc_script_text(script, "pirq") &&
             evc_script_number(script, "pirq", 0) == LINE_ON_TAP)
        evc_pirq_raise(script->world, LINE_ON_TAP);
    else if (virq == VIRQ_CON_RING)
        script->world->logged = true;
    else
        evc_script_complain(script, "cannot raise", script->token[2]);
    if (script->failed)
        return;

    evc_world_settle(script->world);
    evc_world_pass(script->world, RAISE_TIME);
    evc_script_answer(script, rc);
}

/* ---- register_vcpu_info ------------------------------------------------- */

static void move_info(struct evc_dom *dom, unsigned vcpu, unsigned page,
                      uint32_t offset)
{
    dom->vcpu_info[vcpu] = dom->page[page] + offset;
    dom->vcpu_info_page[vcpu] = (int)page;
}

/* vcpu_register_vcpu_info: frame, offset, reserved */
static void register_vcpu_info(struct evc_script *script)
{
    struct evc_dom *dom = evc_script_dom(script);
    struct evc_actor *actor = evc_script_actor(script);
    uint32_t page = (uint32_t)evc_script_number(script, "page", 0);
    uint32_t offset = (uint32_t)evc_script_number(script, "offset", 0);
    uint64_t vcpu = evc_script_number(script, "vcpu", script->vcpu);
    struct vcpu_register_vcpu_info place = {.offset = offset};
    int64_t rc;

    if (page >= dom->pages)
        evc_script_complain(script,
                            "no such page:", evc_script_text(script, "page"));
    if (script->failed)
        return;
    place.mfn = EVC_WORLD_FRAME(dom->id, page);
    memcpy(actor->buffer, &place, sizeof(place));
    rc =
        evc_script_call(script, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info,
                        vcpu, EVC_WORLD_BUFFER_VA(actor->vcpu));
    if (rc == 0)
        move_info(dom, vcpu % EVC_WORLD_VCPUS, page, offset);
    evc_script_answer(script, rc);
}

/* ---- the table ---------------------------------------------------------- */

bool evc_outside_statement(struct evc_script *script, const char *verb)
{
    static const struct {
        const char *verb;
        void (*run)(struct evc_script *script);
    } table[] = {
        {"upcall", upcall},
        {"poll", poll},
        {"block", block},
        {"raise", raise},
        {"register_vcpu_info", register_vcpu_info},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (evc_script_is(table[i].verb, verb)) {
            table[i].run(script);
            return true;
        }
    return false;
}
