/* SPDX-License-Identifier: MIT */
/* Options that several commands have. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <client.h>

#define DOMAIN_MAX 0x7fefu

bool evc_parse_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno || n > max)
        return false;
    *out = n;
    return true;
}

static void set_domain(struct evc_common *common, const char *from,
                       const char *text, struct argp_state *state)
{
    unsigned long n = 0;

    if (!evc_parse_number(text, DOMAIN_MAX, &n))
        argp_error(state, "%s is a domain's number, 0 to %u, not '%s'", from,
                   DOMAIN_MAX, text);
    common->domain = (uint16_t)n;
    common->chosen = true;
}

static void finish(struct evc_common *common, struct argp_state *state)
{
    const char *said = getenv("EVC_DOMID");

    if (!common->chosen && said != NULL && said[0] != 0) {
        set_domain(common, "EVC_DOMID", said, state);
        common->chosen = false;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct evc_common *common = state->input;

    switch (key) {
    case 's':
        setenv("EVC_SOCKET", argument, 1);
        common->socket = true;
        return 0;
    case 'd':
        set_domain(common, "--domid", argument, state);
        setenv("EVC_DOMID", argument, 1);
        return 0;
    case ARGP_KEY_END:
        finish(common, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"domid", 'd', "DOMAIN", 0, "Which domain's ports ($EVC_DOMID, or 0)", 0},
    {"socket", 's', "PATH", 0, "Where the daemon listens ($EVC_SOCKET, ...)",
     0},
    {0},
};

const struct argp evc_common_argp = {.options = choices, .parser = parse};

/* ---- what goes wrong ---------------------------------------------------- */

void evc_explain_daemon(const char *command, int r)
{
    char path[4096] = "its socket";

    if (evc_client_socket_path(path, sizeof(path)) < 0)
        r = -ENAMETOOLONG;
    if (r == -ENOENT || r == -ECONNREFUSED)
        fprintf(stderr, "%s: no daemon at %s\n", command, path);
    else if (r == -EACCES || r == -EPERM)
        fprintf(stderr, "%s: the daemon at %s is not for this user\n", command,
                path);
    else if (r == -ECONNRESET)
        fprintf(stderr,
                "%s: the daemon at %s has ended, or does not want this user\n",
                command, path);
    else
        fprintf(stderr, "%s: the daemon at %s: %s\n", command, path,
                strerror(-r));
}
