/* SPDX-License-Identifier: MIT */
/*
 * evc boot: options; src/runner does the work.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <runner.h>

#include "commands.h"

enum key {
    OPTION_MEMORY = 256,
    OPTION_VCPUS,
    OPTION_CMDLINE,
    OPTION_MODULE,
    OPTION_DISK,
    OPTION_CONSOLE,
    OPTION_STORE,
    OPTION_PEER,
    OPTION_PEER_CMDLINE,
    OPTION_TRACE
};

/* "64", "64M", "1G": bytes; a number alone is in MiB.  0: not a size. */
static uint64_t parse_size(const char *text)
{
    char *end;
    unsigned long long n;
    unsigned shift = 20;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (end == text || errno != 0 || text[0] == '-')
        return 0;
    if (*end == 'G' || *end == 'g')
        shift = 30;
    else if (*end == 'K' || *end == 'k')
        shift = 10;
    else if (*end != 'M' && *end != 'm' && *end != 0)
        return 0;
    if (*end != 0 && end[1] != 0)
        return 0;
    return n > UINT64_MAX >> shift ? 0 : n << shift;
}

static void set_memory(struct argp_state *state, const char *text,
                       struct evc_run_options *options)
{
    options->memory = parse_size(text) & ~UINT64_C(4095);
    if (options->memory >> EVC_PV_PAGE_SHIFT < EVC_PV_PAGES_MIN ||
        options->memory >> EVC_PV_PAGE_SHIFT > EVC_PV_PAGES_MAX)
        argp_error(state,
                   "--memory is a size like 64M, from 4M to 1024G, "
                   "not '%s'",
                   text);
}

static void set_vcpus(struct argp_state *state, const char *text,
                      struct evc_run_options *options)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (end == text || *end != 0 || text[0] == '-' || n == 0 ||
        n > EVC_PV_VCPUS)
        argp_error(state, "--vcpus is a number from 1 to %u, not '%s'",
                   EVC_PV_VCPUS, text);
    options->vcpus = (unsigned)n;
}

static void set_console(struct argp_state *state, const char *name,
                        struct evc_run_options *options)
{
    if (strcmp(name, "stdio") == 0)
        options->console = EVC_CONSOLE_STDIO;
    else if (strcmp(name, "pty") == 0)
        options->console = EVC_CONSOLE_PTY;
    else
        argp_error(state, "--console is stdio or pty, not '%s'", name);
}

/* Where a xenstored listens, as libxenstore finds it. */
static const char *usual_socket(void)
{
    static char path[4096];
    const char *folder = getenv("XENSTORED_RUNDIR");
    const char *whole = getenv("XENSTORED_PATH");

    if (whole != NULL)
        return whole;
    snprintf(path, sizeof(path), "%s/socket",
             folder != NULL ? folder : "/run/xenstored");
    return path;
}

static void set_store(struct argp_state *state, const char *where,
                      struct evc_run_options *options)
{
    if (strcmp(where, "own") == 0)
        options->store = NULL;
    else if (strcmp(where, "socket") == 0)
        options->store = usual_socket();
    else if (strchr(where, '/') != NULL)
        options->store = where;
    else
        argp_error(state,
                   "--store is own, socket, or the path of a socket, "
                   "not '%s'",
                   where);
}

/* What is behind the last comma, if that is one of ours; it is cut off there. */
static bool cut_word(struct argp_state *state, char *text,
                     struct evc_backend_disk *disk)
{
    char *comma = strrchr(text, ',');

    if (comma == NULL)
        return false;
    if (strcmp(comma, ",ro") == 0) {
        disk->read_only = true;
    } else if (strncmp(comma, ",dev=", 5) == 0) {
        disk->name = comma + 5;
        if (evc_backend_disk_number(disk->name) == 0)
            argp_error(state,
                       "--disk: dev= is xvda to xvdp, sda to sdp or hda to "
                       "hdd, not '%s'",
                       disk->name);
    } else {
        return false;
    }
    *comma = 0;
    return true;
}

/* FILE, and ",ro", ",dev=NAME" behind it */
static void add_disk(struct argp_state *state, char *text,
                     struct evc_run_options *options)
{
    struct evc_backend_disk disk = {.path = text};

    if (options->nr_disks == EVC_BACKEND_DISKS) {
        argp_error(state, "no more than %u disks", EVC_BACKEND_DISKS);
        return;
    }
    while (cut_word(state, text, &disk))
        ;
    options->disks[options->nr_disks++] = disk;
}

static unsigned number_of_disk(const struct evc_run_options *options,
                               unsigned i)
{
    const char name[] = {'x', 'v', 'd', (char)('a' + i), 0};

    return evc_backend_disk_number(
        options->disks[i].name ? options->disks[i].name : name);
}

static void check_disks(struct argp_state *state,
                        const struct evc_run_options *options)
{
    for (unsigned i = 0; i < options->nr_disks; i++)
        for (unsigned j = 0; j < i; j++)
            if (number_of_disk(options, i) == number_of_disk(options, j))
                argp_error(state,
                           "'%s' and '%s' are the same disk to the guest",
                           options->disks[j].path, options->disks[i].path);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct evc_run_options *options = state->input;

    switch (key) {
    case OPTION_MEMORY:
        set_memory(state, argument, options);
        return 0;
    case OPTION_VCPUS:
        set_vcpus(state, argument, options);
        return 0;
    case OPTION_CMDLINE:
        options->command_line = argument;
        return 0;
    case OPTION_MODULE:
        options->module = argument;
        return 0;
    case OPTION_DISK:
        add_disk(state, argument, options);
        return 0;
    case OPTION_CONSOLE:
        set_console(state, argument, options);
        return 0;
    case OPTION_STORE:
        set_store(state, argument, options);
        return 0;
    case OPTION_PEER:
        options->peer_image = argument;
        return 0;
    case OPTION_PEER_CMDLINE:
        options->peer_command_line = argument;
        return 0;
    case OPTION_TRACE:
        options->trace = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->image)
            argp_error(state, "one image, not two: '%s'", argument);
        options->image = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no image given");
        return 0;
    case ARGP_KEY_END:
        check_disks(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"memory", OPTION_MEMORY, "SIZE", 0,
     "Its memory: 64M (the default), 1G, ...", 0},
    {"vcpus", OPTION_VCPUS, "N", 0, "Its vCPUs: 1 (the default) to 32", 0},
    {"cmdline", OPTION_CMDLINE, "TEXT", 0, "Its command line", 0},
    {"module", OPTION_MODULE, "FILE", 0,
     "A file it finds in its memory, an initial RAM disk for example", 0},
    {"disk", OPTION_DISK, "FILE[,ro][,dev=NAME]", 0,
     "A disk, xvda; again for xvdb and so on, or as NAME says: hda, sdb, ...",
     0},
    {"console", OPTION_CONSOLE, "WHERE", 0,
     "stdio (this terminal, the default), or pty (a new one)", 0},
    {"store", OPTION_STORE, "WHERE", 0,
     "Its store: own (the default), a xenstored behind the socket at a PATH, "
     "or "
     "socket, where that usually is",
     0},
    {"peer", OPTION_PEER, "IMAGE", 0,
     "A second guest, domain 2, in a process of its own, that this one (domain "
     "1) can reach by event channels and grants",
     0},
    {"peer-cmdline", OPTION_PEER_CMDLINE, "TEXT", 0, "Its command line", 0},
    {"trace", OPTION_TRACE, NULL, 0,
     "In the end, say what it asked for and how often", 0},
    {0},
};

static const char text[] =
    "Run an unmodified 64-bit paravirtual Xen guest as a process.  Ctrl-] "
    "leaves it."
    "\v"
    "Exit status: 0, it powered off; 2, it could not be started; 3, it wants "
    "to be rebooted; 4, it crashed; 5, it shut down for another reason; 6, it "
    "was left (Ctrl-], SIGTERM, SIGINT); 70, its process died.\n"
    "The guest can do whatever its process can: this is no security boundary.";

int evc_command_boot(int argc, char **argv)
{
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .args_doc = "IMAGE",
        .doc = text,
    };
    struct evc_run_options options = {
        .memory = UINT64_C(64) << 20,
        .vcpus = 1,
        .console = EVC_CONSOLE_STDIO,
    };

    if (argp_parse(&argp, argc, argv, 0, NULL, &options))
        return EVC_EXIT_UNUSABLE;
    return (int)evc_run(argv[0], &options);
}
