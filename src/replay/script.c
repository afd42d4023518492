/* SPDX-License-Identifier: MIT */
/*
 * A statement: who acts, what is done, what has changed since.
 */
#include "script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evc/abi/numbers.h>

/*
 * What a statement takes, in ns.  On the real machine a statement of another
 * vCPU than d0.0 waits until that has looked into its mailbox.
 */
#define TIME_D0_0  (EVC_WORLD_MS / 20)
#define TIME_OTHER (EVC_WORLD_MS / 2)

struct evc_dom *evc_script_dom(const struct evc_script *script)
{
    return &script->world->dom[script->dom_id];
}

struct evc_actor *evc_script_actor(const struct evc_script *script)
{
    return evc_script_dom(script)->actor[script->vcpu];
}

void evc_script_answer(struct evc_script *script, int64_t rc)
{
    evc_trace_result(script->trace, rc);
    evc_trace_raw(script->trace, "\n", 1);
}

/* ---- hypercalls --------------------------------------------------------- */

void evc_script_run(struct evc_script *script, evc_job *job, void *data)
{
    if (evc_actor_run(evc_script_actor(script), job, data) == -EDEADLK)
        script->fatal = "nothing can end this wait";
}

struct call {
    uint64_t nr, args[3];
    int64_t rc;
};

static void call_job(struct evc_actor *actor, void *data)
{
    struct call *call = data;

    call->rc = evc_actor_hypercall(actor, call->nr, call->args[0],
                                   call->args[1], call->args[2]);
}

int64_t evc_script_call(struct evc_script *script, uint64_t nr, uint64_t a,
                        uint64_t b, uint64_t c)
{
    struct call call = {.nr = nr, .args = {a, b, c}};

    evc_script_run(script, call_job, &call);
    return call.rc;
}

/* ---- dispatch ----------------------------------------------------------- */

static void guest_statement(struct evc_script *script)
{
    const char *verb = script->token[1];

    /* The oracle looks at this one in every statement. */
    (void)evc_script_number(script, "vcpu", 0);
    if (evc_own_statement(script, verb) || evc_outside_statement(script, verb))
        return;
    if (evc_script_is(verb, "ports"))
        evc_batch_ports(script);
    else if (evc_script_is(verb, "multicall"))
        evc_batch_multicall(script, 2);
    else if (evc_script_is(verb, "repeat"))
        evc_batch_repeat(script, 2);
    else if (evc_script_is(verb, "compat"))
        evc_ops_statement(script, 2, true);
    else
        evc_ops_statement(script, 1, false);
}

/* "dK.V" */
static bool parse_actor(struct evc_script *script, const char *s)
{
    if (s[0] != 'd' || s[1] < '0' || s[1] > '9' || s[2] != '.' || s[3] < '0' ||
        s[3] > '9' || s[4])
        return false;
    script->dom_id = (unsigned)(s[1] - '0');
    script->vcpu = (unsigned)(s[3] - '0');
    return true;
}

/* Why the actor cannot act, or NULL. */
static const char *obstacle(const struct evc_script *script)
{
    const struct evc_dom *dom;

    if (script->dom_id >= EVC_WORLD_DOMS)
        return "no such actor:";
    dom = evc_script_dom(script);
    if (!dom->exists || script->vcpu >= dom->vcpus)
        return "no such actor:";
    if (!dom->started[script->vcpu] || dom->paused)
        return "this vCPU cannot act:";
    if (dom->actor[script->vcpu]->async)
        return "still waiting:";
    return script->tokens < 2 ? "no operation:" : NULL;
}

static void show_statement(struct evc_script *script)
{
    uint32_t id = (uint32_t)evc_script_number(script, "dom", DOMID_SELF);

    if (id == DOMID_SELF)
        id = script->dom_id;
    if (id < EVC_WORLD_DOMS && script->world->dom[id].exists)
        evc_state_show(&script->world->dom[id], script->trace);
    else
        evc_script_complain(script,
                            "no such domain:", evc_script_text(script, "dom"));
}

static void outer_statement(struct evc_script *script)
{
    const char *verb = script->token[0];

    script->dom_id = script->vcpu = 0;
    if (evc_admin_statement(script, verb))
        return;
    if (evc_script_is(verb, "show"))
        show_statement(script);
    else if (evc_script_is(verb, "echo"))
        evc_trace_add(
            script->trace, "= %llu\n",
            (unsigned long long)evc_script_number(script, "value", 0));
    else
        evc_script_complain(script, "unknown statement:", verb);
}

void evc_script_statement(struct evc_script *script, const char *line,
                          size_t length)
{
    bool has_actor;

    script->failed = false;
    evc_script_split(script, line, length);
    if (!script->tokens)
        return;

    has_actor = parse_actor(script, script->token[0]);
    if (has_actor && obstacle(script))
        evc_script_complain(script, obstacle(script), script->token[0]);
    else if (has_actor)
        guest_statement(script);
    else
        outer_statement(script);
    if (script->fatal)
        return;

    evc_world_pass(script->world, has_actor && script->dom_id + script->vcpu
                                      ? TIME_OTHER
                                      : TIME_D0_0);
    evc_state_diff(script->world, script->trace);
}

void evc_script_finish(struct evc_script *script)
{
    while (script->vars)
        free(script->var[--script->vars].name);
}
