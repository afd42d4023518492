/* SPDX-License-Identifier: MIT */
/* evc virq raise: as Xen does, when something has happened. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "ports.h"

struct arguments {
    struct evc_common common;
    uint32_t virq;
    unsigned n;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case ARGP_KEY_ARG:
        if (a->n == 0 && strcmp(argument, "raise") != 0)
            argp_error(state, "a VIRQ can be raised, not '%s'", argument);
        if (a->n == 1 && !evc_parse_virq(argument, &a->virq))
            argp_error(state, "there is no VIRQ '%s'", argument);
        if (a->n == 2)
            argp_error(state, "'%s' is one argument too many", argument);
        a->n++;
        return 0;
    case ARGP_KEY_END:
        if (a->n < 2)
            argp_error(state, "no VIRQ to raise");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char text[] =
    "Raise a virtual interrupt, given by number or name: of a domain, or, if "
    "there is one of it on the machine, wherever it is handled."
    "\v"
    "Exit status: 0; 2, it cannot be raised.";

static void explain(const struct arguments *a, int r)
{
    unsigned domain = a->common.domain;

    if (r == -ESRCH)
        fprintf(stderr, "evc virq: there is no domain %u\n", domain);
    else if (r == -EACCES)
        fprintf(stderr, "evc virq: domain %u is not for this user\n", domain);
    else
        evc_explain_daemon("evc virq", r);
}

int evc_command_virq(int argc, char **argv)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "raise VIRQ",
        .doc = text,
        .children = children,
    };
    struct evc_wire_request request = {.op = EVC_WIRE_RAISE_VIRQ};
    struct evc_wire_reply reply;
    struct arguments a = {0};
    int r;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return EVC_EXIT_UNUSABLE;
    request.a = a.common.domain;
    request.b = a.virq;
    r = evc_client_connect(false);
    if (r < 0) {
        evc_explain_daemon("evc virq", r);
        return EVC_EXIT_UNUSABLE;
    }
    r = evc_client_call(NULL, &request, &reply);
    if (r < 0)
        explain(&a, r);
    return r < 0 ? EVC_EXIT_UNUSABLE : EVC_EXIT_OK;
}
