/* SPDX-License-Identifier: MIT */
/* evcd: event channels for ordinary processes. Options, and nothing else. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"

const char *argp_program_version = "evcd " EVC_VERSION_STRING;

static const char doc[] =
    "Event channels for ordinary processes: what Xen and its kernel do for "
    "programs that use libxenevtchn.\v"
    "Without --socket it listens where libxenevtchn looks: at $EVC_SOCKET, or "
    "/run/evc/evcd.sock as root, or $XDG_RUNTIME_DIR/evc/evcd.sock, or "
    "/tmp/evc-UID/evcd.sock.  See evcd(8).";

enum { FOREGROUND = 256, AUTOSTARTED };

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "read FILE: domains, and who may join them", 0},
    {"socket", 's', "PATH", 0, "listen at PATH", 0},
    {"linger", 'l', "SECONDS", 0,
     "with --autostarted: end so long after the last client (10)", 0},
    {"foreground", FOREGROUND, NULL, 0, "stay in the foreground (the default)",
     0},
    {"autostarted", AUTOSTARTED, NULL, 0,
     "go into the background when ready, end when no longer needed", 0},
    {0},
};

static void default_socket(char *to, size_t size)
{
    const char *named = getenv("EVC_SOCKET");
    const char *run = getenv("XDG_RUNTIME_DIR");

    if (named != NULL && named[0] != 0)
        snprintf(to, size, "%s", named);
    else if (geteuid() == 0)
        snprintf(to, size, "/run/evc/evcd.sock");
    else if (run != NULL && run[0] == '/')
        snprintf(to, size, "%s/evc/evcd.sock", run);
    else
        snprintf(to, size, "/tmp/evc-%lu/evcd.sock", (unsigned long)geteuid());
}

static void set_socket(struct evc_settings *settings, const char *path,
                       struct argp_state *state)
{
    if (strlen(path) >= sizeof(settings->socket))
        argp_error(state, "%s: longer than a socket's path may be", path);
    strcpy(settings->socket, path);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct evc_settings *settings = state->input;
    char *end;

    switch (key) {
    case 'c':
        if (evc_settings_read(settings, arg) < 0)
            exit(1);
        return 0;
    case 's':
        set_socket(settings, arg, state);
        return 0;
    case 'l':
        settings->linger = (unsigned)strtoul(arg, &end, 10);
        if (arg[0] < '0' || arg[0] > '9' || *end != 0 ||
            settings->linger > 86400)
            argp_error(state, "--linger %s: not a number of seconds", arg);
        return 0;
    case FOREGROUND:
        settings->autostarted = false;
        return 0;
    case AUTOSTARTED:
        settings->autostarted = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: evcd takes options only", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .doc = doc};
    struct evc_settings settings;
    char path[EVC_PATH_MAX * 4];
    int status;

    evc_settings_init(&settings);
    argp_parse(&argp, argc, argv, 0, NULL, &settings);
    if (settings.socket[0] == 0) {
        default_socket(path, sizeof(path));
        if (strlen(path) >= sizeof(settings.socket)) {
            fprintf(stderr, "evcd: %s: longer than a socket's path may be\n",
                    path);
            return 1;
        }
        strcpy(settings.socket, path);
    }
    status = evc_daemon_run(&settings);
    evc_settings_finish(&settings);
    return status;
}
