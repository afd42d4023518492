/* SPDX-License-Identifier: MIT */
/*
 * What the administrator does: domains come, pause and go, interrupts and
 * rights are handed out.  Errors that come from Xen's administrative side, not
 * from event channels, are given here.
 */
#include <stdlib.h>
#include <string.h>

#include <evc/abi/errno.h>
#include <evc/abi/numbers.h>

#include "script.h"

#define SHUTDOWN_TIME (50 * EVC_WORLD_MS)
#define MAX_SERVERS   8u

/* ---- domains ------------------------------------------------------------ */

static int64_t create(struct evc_script *script, struct evc_dom *dom)
{
    uint32_t vcpus = (uint32_t)evc_script_number(script, "vcpus", 1);
    uint32_t max_port =
        (uint32_t)evc_script_number(script, "max_port", UINT32_MAX);
    enum evc_dom_kind kind = EVC_DOM_PASSIVE;
    int64_t rc;

    if (evc_script_flag(script, "active"))
        kind = EVC_DOM_ACTIVE;
    else if (evc_script_flag(script, "hvm"))
        kind = EVC_DOM_HVM;
    rc = evc_dom_create(script->world, dom->id, vcpus, max_port, kind);
    if (rc == -XEN_ENOMEM || rc == -XEN_EAGAIN)
        script->fatal = "no memory, or no thread, for another domain";
    return rc;
}

static int64_t destroy(struct evc_script *script, struct evc_dom *dom)
{
    if (dom->id == 0) {
        dom->exists = false; /* the oracle no longer looks at it */
        return -XEN_EINVAL;
    }
    evc_dom_destroy(dom, evc_script_flag(script, "keep"));
    return 0;
}

static int64_t pause(struct evc_script *script, struct evc_dom *dom)
{
    (void)script;
    dom->paused = dom->id != 0;
    if (dom->id == 0)
        return -XEN_EINVAL;
    dom->pauses++;
    evc_domain_pause(dom->handle);
    return 0;
}

static int64_t unpause(struct evc_script *script, struct evc_dom *dom)
{
    (void)script;
    dom->paused = false;
    if (!dom->pauses)
        return -XEN_EINVAL;
    dom->pauses--;
    return evc_domain_unpause(dom->handle);
}

static int64_t shut_down(struct evc_script *script, struct evc_dom *dom)
{
    uint32_t reason = (uint32_t)evc_script_number(script, "reason", 0);

    if (dom->id == 0) {
        script->fatal = "this ends the machine";
        return 0;
    }
    /* First of all nobody runs in it: what it ends does not come back. */
    memset(dom->started, 0, sizeof(dom->started));
    (void)evc_domain_shutdown(dom->handle, reason); /* again: no matter */
    evc_world_pass(script->world, SHUTDOWN_TIME);
    return 0;
}

/* ---- rights ------------------------------------------------------------- */

static int64_t set_target(struct evc_script *script, struct evc_dom *dom)
{
    uint16_t id = (uint16_t)evc_script_number(script, "target", 0);
    const struct evc_dom *target = &script->world->dom[id % EVC_WORLD_DOMS];

    if (id >= EVC_WORLD_DOMS || !target->handle)
        return -XEN_ESRCH;
    if (target == dom)
        return -XEN_EINVAL;
    if (!target->hvm)
        return -XEN_EOPNOTSUPP;
    if (dom->target >= 0)
        return -XEN_EINVAL;
    dom->target = id;
    evc_domain_set_target(dom->handle, id);
    return 0;
}

static int64_t set_virq_handler(struct evc_script *script, struct evc_dom *dom)
{
    return evc_set_virq_handler(dom->handle,
                                (uint32_t)evc_script_number(script, "virq", 0));
}

static int64_t map_pirq(struct evc_script *script, struct evc_dom *dom)
{
    return evc_pirq_map(dom, (uint32_t)evc_script_number(script, "pirq", 0));
}

static int64_t irq_permission(struct evc_script *script, struct evc_dom *dom)
{
    uint32_t pirq = (uint32_t)evc_script_number(script, "pirq", 0);
    bool allow = (uint8_t)evc_script_number(script, "allow", 1) != 0;

    return evc_pirq_allow(dom, pirq, allow);
}

/* ---- device model servers ----------------------------------------------- */

/* One port of Xen's own for each vCPU, for dom0 to bind to; or none. */
static int open_ports(struct evc_dom *dom)
{
    unsigned before = dom->nr_ports;
    int rc = 0;

    for (unsigned v = 0; v < dom->all_vcpus && !rc; v++) {
        rc = evc_host_listen(dom->handle, v, 0, NULL, NULL,
                             &dom->ports[dom->nr_ports]);
        dom->nr_ports += !rc;
    }
    while (rc && dom->nr_ports > before)
        evc_host_close(dom->ports[--dom->nr_ports]);
    return rc;
}

static int64_t ioreq_server(struct evc_script *script, struct evc_dom *dom)
{
    int64_t rc;

    if (dom->id == 0)
        return -XEN_EPERM;
    if (!dom->hvm)
        return -XEN_EINVAL;
    if (dom->servers == MAX_SERVERS)
        return -XEN_ENOSPC;
    if (!dom->ports)
        dom->ports = calloc((size_t)MAX_SERVERS * dom->all_vcpus,
                            sizeof(struct evc_host *));
    if (!dom->ports) {
        script->fatal = "out of memory";
        return 0;
    }
    rc = open_ports(dom);
    dom->servers += !rc;
    return rc;
}

/* ---- the table ---------------------------------------------------------- */

typedef int64_t admin(struct evc_script *script, struct evc_dom *dom);

static admin *find_verb(const char *verb)
{
    static const struct {
        const char *verb;
        admin *run;
    } table[] = {
        {"create", create},
        {"destroy", destroy},
        {"pause", pause},
        {"unpause", unpause},
        {"shutdown", shut_down},
        {"set_target", set_target},
        {"set_virq_handler", set_virq_handler},
        {"map_pirq", map_pirq},
        {"irq_permission", irq_permission},
        {"ioreq_server", ioreq_server},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (evc_script_is(table[i].verb, verb))
            return table[i].run;
    return NULL;
}

bool evc_admin_statement(struct evc_script *script, const char *verb)
{
    admin *run = find_verb(verb);
    uint32_t id;
    bool exists;
    int64_t rc;

    if (!run)
        return false;
    id = (uint32_t)evc_script_number(script, "dom", 0);
    if (script->failed)
        return true;
    exists = id < EVC_WORLD_DOMS && script->world->dom[id].exists;
    if (run == create && (id == 0 || id >= EVC_WORLD_DOMS || exists))
        evc_script_complain(script, "cannot create",
                            evc_script_text(script, "dom"));
    else if (run != create && id && !exists)
        evc_script_complain(script,
                            "no such domain:", evc_script_text(script, "dom"));
    else {
        rc = run(script, &script->world->dom[id]);
        if (!script->fatal)
            evc_script_answer(script, rc);
    }
    return true;
}
