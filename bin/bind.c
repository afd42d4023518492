/* SPDX-License-Identifier: MIT */
/* evc bind: a port for a script, which a process in the background keeps open. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "ports.h"

struct arguments {
    struct evc_common common;
    struct evc_keeper_bind bind;
    bool virq;
    int n;
};

static void take_argument(struct arguments *a, const char *argument,
                          struct argp_state *state)
{
    unsigned long domain;

    if (a->virq || a->n == 2)
        argp_error(state, "'%s' is one argument too many", argument);
    if (a->n == 0 && !evc_parse_number(argument, 0x7fef, &domain))
        argp_error(state, "'%s' is not the number of a domain", argument);
    if (a->n == 1 && !evc_parse_port(argument, &a->bind.b))
        argp_error(state, "'%s' is not the number of a port", argument);
    if (a->n == 0)
        a->bind.a = (uint32_t)domain;
    else
        a->bind.kind = EVC_KEEPER_INTERDOMAIN;
    a->n++;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case 'v':
        if (a->n != 0 || a->virq)
            argp_error(state, "a port is bound to one thing");
        if (!evc_parse_virq(argument, &a->bind.a))
            argp_error(state, "there is no VIRQ '%s'", argument);
        a->bind.kind = EVC_KEEPER_VIRQ;
        a->virq = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(a, argument, state);
        return 0;
    case ARGP_KEY_END:
        if (a->n == 0 && !a->virq)
            argp_error(state, "neither a domain nor a VIRQ given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"virq", 'v', "VIRQ", 0, "To a virtual interrupt: a number, or its name",
     0},
    {0},
};

static const char text[] =
    "Bind a port and print its number: one that DOMAIN may bind to, one bound "
    "to PORT of DOMAIN, or one for a virtual interrupt.  A process in the "
    "background keeps it open until `evc close' or the end of the daemon."
    "\v"
    "A port that is bound to another one begins with an event waiting, as on "
    "Xen.\n"
    "Exit status: 0; 2, it cannot be bound.";

/* ---- what goes wrong ---------------------------------------------------- */

static bool is_about_daemon(int r)
{
    return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET ||
           r == -ENAMETOOLONG;
}

static void explain(const struct arguments *a, int r)
{
    unsigned own = a->common.domain, to = a->bind.a;

    if (is_about_daemon(r)) {
        evc_explain_daemon("evc bind", r);
        return;
    }
    fputs("evc bind: ", stderr);
    if (r == -EACCES)
        fprintf(stderr, "domain %u is not for this user\n", own);
    else if (r == -ESRCH)
        fprintf(stderr, "there is no domain %u\n",
                a->bind.kind == EVC_KEEPER_INTERDOMAIN ? to : own);
    else if (r == -EEXIST)
        fprintf(stderr, "VIRQ %u is taken already\n", to);
    else if (r == -EINVAL && a->bind.kind == EVC_KEEPER_INTERDOMAIN)
        fprintf(stderr,
                "port %u of domain %u is not one that domain %u may bind to\n",
                a->bind.b, to, own);
    else if (r == -ENOSPC)
        fprintf(stderr, "domain %u has no port left\n", own);
    else
        fprintf(stderr, "%s\n", strerror(-r));
}

int evc_command_bind(int argc, char **argv)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .args_doc = "DOMAIN [PORT]\n--virq=VIRQ",
        .doc = text,
        .children = children,
    };
    struct arguments a = {0};
    int port;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return EVC_EXIT_UNUSABLE;
    port = evc_keeper_start(a.common.domain, &a.bind);
    if (port < 0) {
        explain(&a, port);
        return EVC_EXIT_UNUSABLE;
    }
    printf("%d\n", port);
    return EVC_EXIT_OK;
}
