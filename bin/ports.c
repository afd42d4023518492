/* SPDX-License-Identifier: MIT */
/* Ports as they are named, and what is wrong with them. */
#include "ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <evc/abi/event_channel.h>

#include "commands.h"

#define VIRQ_MAX 23u

bool evc_parse_port(const char *text, uint32_t *out)
{
    unsigned long n;

    if (!evc_parse_number(text, EVC_SHARE_PORTS - 1, &n) || n == 0)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool evc_parse_virq(const char *text, uint32_t *out)
{
    static const char *const names[] = {
        "timer",    "debug",    "console",  "dom_exc",    "tbuf",      "",
        "debugger", "xenoprof", "con_ring", "pcpu_state", "mem_event", "argo",
        "enomem",   "xenpmu",   "",         "",           "arch_0",    "arch_1",
        "arch_2",   "arch_3",   "arch_4",   "arch_5",     "arch_6",    "arch_7",
    };
    unsigned long n;

    if (evc_parse_number(text, VIRQ_MAX, &n)) {
        *out = (uint32_t)n;
        return true;
    }
    for (uint32_t i = 0; i <= VIRQ_MAX && text[0] != 0; i++)
        if (strcasecmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* ---- what goes wrong ---------------------------------------------------- */

/* It is open, and whose it is: what the daemon knows. */
static int look(uint16_t domain, uint32_t port, uint32_t *pid)
{
    struct evc_wire_request request = {
        .op = EVC_WIRE_PORT, .a = domain, .b = port - 1};
    struct evc_wire_reply reply;
    int r = evc_client_call(NULL, &request, &reply);

    if (r < 0)
        return r;
    if (reply.b != port)
        return -ENOENT;
    *pid = reply.port.pid;
    return 0;
}

static void explain_kept(const char *command, uint16_t domain, uint32_t port,
                         int r)
{
    fprintf(stderr, "%s: port %u of domain %u: ", command, port, domain);
    if (r == -EPERM)
        fputs("another user's\n", stderr);
    else
        fprintf(stderr, "%s\n", strerror(-r));
}

void evc_explain_port(const char *command, uint16_t domain, uint32_t port,
                      int r)
{
    struct evc_wire_request hello = {.op = EVC_WIRE_FLUSH};
    struct evc_wire_reply reply;
    int lost = evc_client_call(NULL, &hello, &reply);
    uint32_t pid = 0;

    if (lost < 0) {
        evc_explain_daemon(command, lost);
        return;
    }
    if (r == -ECONNREFUSED)
        r = look(domain, port, &pid);
    else if (r < 0) {
        explain_kept(command, domain, port, r);
        return;
    }
    if (r == 0 && pid == 0)
        fprintf(stderr, "%s: port %u of domain %u is its kernel's\n", command,
                port, domain);
    else if (r == 0)
        fprintf(stderr,
                "%s: port %u of domain %u is process %u's, not bound by "
                "`evc bind'\n",
                command, port, domain, pid);
    else if (r == -ESRCH)
        fprintf(stderr, "%s: there is no domain %u\n", command, domain);
    else if (r == -ENOENT)
        fprintf(stderr, "%s: domain %u has no port %u\n", command, domain,
                port);
    else
        explain_kept(command, domain, port, r);
}

/* ---- each port ---------------------------------------------------------- */

struct arguments {
    struct evc_common common;
    char **ports;
    int n;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;
    uint32_t port;

    (void)argument;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case ARGP_KEY_ARGS:
        a->ports = state->argv + state->next;
        a->n = state->argc - state->next;
        for (int i = 0; i < a->n; i++)
            if (!evc_parse_port(a->ports[i], &port))
                argp_error(state, "'%s' is not the number of a port",
                           a->ports[i]);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no port given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int evc_each_port(int argc, char **argv, const struct evc_each *each)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    const struct argp argp = {
        .parser = parse,
        .args_doc = "PORT...",
        .doc = each->doc,
        .children = children,
    };
    struct arguments a = {0};
    int rc = EVC_EXIT_OK;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return EVC_EXIT_UNUSABLE;
    for (int i = 0; i < a.n; i++) {
        uint32_t port = 0;
        int r;

        (void)evc_parse_port(a.ports[i], &port);
        r = each->act(a.common.domain, port);
        if (r < 0) {
            evc_explain_port(argv[0], a.common.domain, port, r);
            rc = EVC_EXIT_UNUSABLE;
        }
    }
    return rc;
}
