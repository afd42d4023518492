/* SPDX-License-Identifier: MIT */
/*
 * evc run: options; src/launch does the work.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <client.h>
#include <launch.h>

#include "commands.h"
#include "options.h"

/* As env(1) and timeout(1) have it, for all else is the program's. */
enum { CANNOT = 125, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

struct arguments {
    struct evc_common common;
    bool own, verbose;
    const char *config;
    char **program;
};

enum { OPTION_NEW = 256, OPTION_CONFIG, OPTION_VERBOSE };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case OPTION_NEW:
        a->own = true;
        return 0;
    case OPTION_CONFIG:
        a->config = argument;
        return 0;
    case 'v':
        a->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->program = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no program given");
        return 0;
    case ARGP_KEY_END:
        if (!a->own && a->config != NULL)
            argp_error(state, "--config is for a daemon of --new");
        if (a->own && a->common.socket)
            argp_error(state, "--new has a socket of its own, not --socket");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"new", OPTION_NEW, NULL, 0,
     "With a daemon of its own, which ends with the program", 0},
    {"config", OPTION_CONFIG, "FILE", 0,
     "With --new: the configuration of that daemon", 0},
    {"verbose", 'v', NULL, 0, "With --new: show what that daemon says", 0},
    {0},
};

static const char text[] =
    "Run a program with event channels of evc: its libxenevtchn.so.1 stands "
    "in front of Xen's, and a daemon, evcd, is behind it."
    "\v"
    "Without --new the daemon is this user's, started if need be.\n"
    "Exit status: the program's; 125, evc itself failed; 126, the program "
    "cannot be run; 127, there is none of that name.";

/* ---- what goes wrong ---------------------------------------------------- */

static int cannot(const char *what, int r)
{
    fprintf(stderr, "evc run: %s: %s\n", what, strerror(-r));
    return CANNOT;
}

static int cannot_start(const char *program, int r)
{
    cannot(program, r);
    return r == -ENOENT ? NOT_FOUND : CANNOT_EXECUTE;
}

/* Why it does not answer, in its own words. */
static void show_log(const struct evc_private *daemon)
{
    char line[512];
    FILE *log = fopen(daemon->log, "re");

    while (log != NULL && fgets(line, sizeof(line), log) != NULL)
        fputs(line, stderr);
    if (log != NULL)
        fclose(log);
}

/* ---- the two ways ------------------------------------------------------- */

static int run_with_own(const struct arguments *a)
{
    struct evc_wire_request request = {.op = EVC_WIRE_FLUSH};
    struct evc_wire_reply reply;
    struct evc_private daemon;
    char evcd[PATH_MAX];
    int status = 0, rc, r = evc_launch_daemon(evcd);

    if (r == 0)
        r = evc_private_start(&daemon, evcd, a->config, a->verbose);
    if (r < 0)
        return cannot("a daemon", r);
    setenv("EVC_SOCKET", daemon.socket, 1);
    setenv("EVC_AUTOSTART", "0", 1);
    r = evc_client_call(NULL, &request, &reply);
    if (r < 0) {
        show_log(&daemon);
        rc = cannot("the daemon does not answer", r);
    } else {
        r = evc_program_run(a->program, &status);
        rc = r < 0 ? cannot_start(a->program[0], r) : 0;
    }
    evc_private_stop(&daemon);
    return rc != 0 ? rc : evc_program_end_like(status);
}

static int run_with_shared(const struct arguments *a)
{
    int r = evc_client_connect(true);

    if (r < 0) {
        evc_explain_daemon("evc run", r);
        return CANNOT;
    }
    return cannot_start(a->program[0], evc_program_become(a->program));
}

int evc_command_run(int argc, char **argv)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .args_doc = "[--] PROGRAM [ARGUMENT...]",
        .doc = text,
        .children = children,
    };
    struct arguments a = {0};
    char libraries[PATH_MAX];
    int r;

    argp_err_exit_status = CANNOT;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a))
        return CANNOT;
    r = evc_launch_libraries(libraries);
    if (r == 0)
        r = evc_launch_put_first(libraries);
    if (r < 0)
        return cannot("libxenevtchn.so.1", r);
    return a.own ? run_with_own(&a) : run_with_shared(&a);
}
