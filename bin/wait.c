/* SPDX-License-Identifier: MIT */
/* evc wait: until there is an event, which is taken. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "ports.h"

struct arguments {
    struct evc_common common;
    double timeout; /* s; negative: none */
    uint32_t port;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;
    char *end;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case 't':
        a->timeout = strtod(argument, &end);
        if (end == argument || *end != 0 ||
            !(a->timeout >= 0 && a->timeout <= 1e6))
            argp_error(state, "--timeout is a number of seconds, not '%s'",
                       argument);
        return 0;
    case ARGP_KEY_ARG:
        if (a->port != 0)
            argp_error(state, "one port at a time");
        if (!evc_parse_port(argument, &a->port))
            argp_error(state, "'%s' is not the number of a port", argument);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no port given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"timeout", 't', "SECONDS", 0, "Give up after so long; 0: only look", 0},
    {0},
};

static const char text[] =
    "Wait for an event at a port that `evc bind' has bound, and take it."
    "\v"
    "Exit status: 0, there was one; 1, there was none in time; 2, it cannot be "
    "waited for.";

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In ms, for poll(): rounded up, so that it is not asked again and again. */
static int rest(double end)
{
    double left = (end - now()) * 1e3;

    return left <= 0 ? 0 : left > 1e6 ? 1000000 : (int)left + 1;
}

/* 1: taken; 0: none came. Others may take from the same port. */
static int take(struct evc_client *client, double timeout)
{
    struct pollfd it = {.fd = client->fd, .events = POLLIN};
    double end = now() + timeout;
    int r;

    do {
        if (poll(&it, 1, timeout < 0 ? -1 : rest(end)) < 0 && errno != EINTR)
            return -errno;
        if (it.revents & (POLLHUP | POLLERR))
            return -ECONNRESET;
        r = evc_client_pending(client);
    } while (r == -EAGAIN && (timeout < 0 || now() < end));
    if (r == -EAGAIN)
        return 0;
    if (r < 0)
        return r;
    r = evc_client_unmask(client, (uint32_t)r);
    return r < 0 ? r : 1;
}

int evc_command_wait(int argc, char **argv)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .args_doc = "PORT",
        .doc = text,
        .children = children,
    };
    struct arguments a = {.timeout = -1};
    struct evc_client *client;
    int r;

    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return EVC_EXIT_UNUSABLE;
    r = evc_keeper_borrow(a.common.domain, a.port, &client);
    if (r == 0) {
        r = take(client, a.timeout);
        (void)evc_client_close(client);
    }
    if (r < 0) {
        evc_explain_port(argv[0], a.common.domain, a.port, r);
        return EVC_EXIT_UNUSABLE;
    }
    return r == 1 ? EVC_EXIT_OK : EVC_EXIT_DIFFERENT;
}
