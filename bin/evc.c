/* SPDX-License-Identifier: MIT */
/*
 * evc: one program, a command for each thing it does.
 */
#include <argp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evc/evc.h>

#include "commands.h"

static const struct command {
    const char *name;
    const char *what;
    int (*run)(int argc, char **argv);
} commands[] = {
#ifdef EVC_BOOT /* only where guests' code can run */
    {"boot", "run a paravirtual Xen guest as a process", evc_command_boot},
#endif
    {"replay", "compare this engine with recordings of real Xen",
     evc_command_replay},
    {"bench", "measure it beside eventfd, futex and others", evc_command_bench},
    {"run", "run a program with event channels of evcd", evc_command_run},
    {"status", "show the ports of evcd's domains", evc_command_status},
    {"bind", "bind a port, which stays open", evc_command_bind},
    {"send", "send an event through it", evc_command_send},
    {"wait", "wait for an event at it, and take it", evc_command_wait},
    {"close", "close it", evc_command_close},
    {"virq", "raise a virtual interrupt", evc_command_virq},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* What could not be written must not look like success. */
static int check_stdout(const char *name, int rc)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return rc;
    fprintf(stderr, "%s: cannot write: %s\n", name, strerror(errno));
    return EVC_EXIT_UNUSABLE;
}

/* `evc NAME ...`: argv starts at NAME. */
static int run_command(const struct command *command, int argc, char **argv)
{
    char *name;
    int rc;

    if (asprintf(&name, "evc %s", command->name) < 0)
        return EVC_EXIT_UNUSABLE;
    argv[0] = name;
    rc = check_stdout(name, command->run(argc, argv));
    free(name);
    return rc;
}

/* ---- `evc` itself ------------------------------------------------------- */

struct choice {
    const struct command *command; /* NULL: none was named */
    int at;                        /* its place in argv */
};

static char *list_commands(int key, const char *text, void *input)
{
    char *list = NULL;
    size_t size;
    FILE *out;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    out = open_memstream(&list, &size);
    if (!out)
        return NULL;
    fputs("Commands:\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
    fputs("  help       this text, or that of a command\n", out);
    return fclose(out) ? NULL : list;
}

/* `evc help` is `evc --help`, `evc help NAME` is `evc NAME --help`. */
static void help(struct argp_state *state)
{
    const char *name = state->argv[state->next];
    char option[] = "--help";
    char *argv[] = {NULL, option, NULL};

    if (!name)
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
    if (!find_command(name))
        argp_error(state, "unknown command '%s'", name);
    else
        exit(run_command(find_command(name), 2, argv));
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct choice *choice = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (strcmp(argument, "help") == 0)
            help(state);
        choice->command = find_command(argument);
        if (!choice->command)
            argp_error(state, "unknown command '%s'", argument);
        choice->at = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "evc %s\n", evc_version());
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = "Xen event channels, outside of Xen.\v",
        .help_filter = list_commands,
    };
    struct choice choice = {0};

    argp_program_version_hook = print_version;
    argp_err_exit_status = EVC_EXIT_UNUSABLE;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice) ||
        !choice.command)
        return EVC_EXIT_UNUSABLE;
    return run_command(choice.command, argc - choice.at, argv + choice.at);
}
