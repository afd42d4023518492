/* SPDX-License-Identifier: MIT */
/*
 * evc replay: options and the summary; src/replay does the work.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <replay.h>

#include "commands.h"

enum key {
    OPTION_COMPAT = 256,
    OPTION_WIDTH,
    OPTION_DIFF,
    OPTION_UPDATE,
    OPTION_GUEST
};

struct arguments {
    struct evc_replay_options options;
    char **paths; /* ended by NULL */
};

static error_t set_compat(struct argp_state *state, const char *name,
                          struct evc_replay_options *options)
{
    if (strcmp(name, "xen-4.17") == 0)
        options->compat = EVC_COMPAT_XEN_4_17;
    else if (strcmp(name, "default") == 0)
        options->compat = EVC_COMPAT_DEFAULT;
    else
        argp_error(state, "--compat is xen-4.17 or default, not '%s'", name);
    return 0;
}

static error_t set_width(struct argp_state *state, const char *width,
                         struct evc_replay_options *options)
{
    if (strcmp(width, "32") == 0)
        options->layout = EVC_LAYOUT_X86_32;
    else if (strcmp(width, "64") == 0)
        options->layout = EVC_LAYOUT_X86_64;
    else
        argp_error(state, "--width is 32 or 64, not '%s'", width);
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct evc_replay_options *options = &arguments->options;

    switch (key) {
    case OPTION_COMPAT:
        return set_compat(state, argument, options);
    case OPTION_WIDTH:
        return set_width(state, argument, options);
    case OPTION_DIFF:
        options->diff = true;
        return 0;
    case OPTION_UPDATE:
        options->update = true;
        return 0;
    case OPTION_GUEST:
        options->guest = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->paths = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no file or directory given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"compat", OPTION_COMPAT, "XEN", 0,
     "Whose oddities to expect: xen-4.17 (as recorded) or default", 0},
    {"width", OPTION_WIDTH, "BITS", 0,
     "Word size of every guest: 64 (as recorded) or 32", 0},
    {"guest", OPTION_GUEST, NULL, 0,
     "Let libevc-guest take and dispatch the events", 0},
    {"diff", OPTION_DIFF, NULL, 0,
     "Show every difference, not only the first of each file", 0},
    {"update", OPTION_UPDATE, NULL, 0,
     "Write this engine's answers into the files", 0},
    {"quiet", 'q', NULL, 0, "Print errors and the summary only", 0},
    {"verbose", 'v', NULL, 0, "Print a line for every scenario", 0},
    {0},
};

static const char text[] =
    "Run scenarios (*.evt) on this engine and compare every line with what "
    "they have recorded.  A scenario without answers is run, and its trace "
    "printed."
    "\v"
    "Exit status: 0, all are equal; 1, some differ; 2, some cannot be used.\n"
    "With --width=32, differences that must be are listed in a file "
    "width32.exceptions beside the scenarios or one folder up: a name and a "
    "reason on each line.  A selector with all of its 32 bits set is shown as "
    "64 "
    "ones.";

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Not into a trace that has been printed. */
static void summarize(const struct evc_replay_totals *totals, double duration)
{
    FILE *out = totals->printed ? stderr : stdout;

    fprintf(out, "%u scenarios, %u equal, %u different, %u excepted",
            totals->scenarios, totals->equal, totals->different,
            totals->excepted);
    if (totals->written)
        fprintf(out, ", %u written", totals->written);
    if (totals->printed)
        fprintf(out, ", %u printed", totals->printed);
    if (totals->unusable)
        fprintf(out, ", %u unusable", totals->unusable);
    fprintf(out, ", %.1f s\n", duration);
}

int evc_command_replay(int argc, char **argv)
{
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .args_doc = "FILE|DIRECTORY...",
        .doc = text,
    };
    struct arguments arguments = {
        .options = {.compat = EVC_COMPAT_XEN_4_17, .layout = EVC_LAYOUT_X86_64},
    };
    struct evc_replay_totals totals = {0};
    double start = seconds();

    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return EVC_EXIT_UNUSABLE;
    evc_replay_paths(&arguments.options, (const char *const *)arguments.paths,
                     &totals);
    summarize(&totals, seconds() - start);
    if (totals.unusable)
        return EVC_EXIT_UNUSABLE;
    return totals.different ? EVC_EXIT_DIFFERENT : EVC_EXIT_OK;
}
