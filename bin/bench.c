/* SPDX-License-Identifier: MIT */
/*
 * evc bench: options; src/bench does the work.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bench.h>

#include "commands.h"

enum key {
    OPTION_LOAD = 256,
    OPTION_PLACES,
    OPTION_PORTS,
    OPTION_ROUNDS,
    OPTION_QUICK,
    OPTION_NO_GOALS,
    OPTION_NO_REALTIME,
    OPTION_CPUS,
    OPTION_JSON,
    OPTION_PLOT,
    OPTION_LIST
};

struct arguments {
    struct evc_bench_options options;
    int cpus[2];
    unsigned rounds; /* 0: not said */
    bool json, list, quick;
    const char *plot;
    FILE *plot_file;
};

/* ---- reading options ----------------------------------------------------- */

/* One number, 1 .. most, that ends at `end` characters; 0: it is none. */
static uint32_t read_number(const char *text, size_t length, uint32_t most)
{
    uint64_t value = 0;

    if (length == 0 || length > 9)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    return value <= most ? (uint32_t)value : 0;
}

static void set_ports(struct argp_state *state, const char *list,
                      struct evc_bench_options *options)
{
    unsigned count = 0;

    memset(options->ports, 0, sizeof(options->ports));
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        uint32_t ports = read_number(at, length, EVC_BENCH_MAX_PORTS);

        if (!ports)
            argp_error(state, "--ports: '%.*s' is not a number from 1 to %u",
                       (int)length, at, EVC_BENCH_MAX_PORTS);
        if (count == EVC_BENCH_PORTS)
            argp_error(state, "--ports: more than %u numbers", EVC_BENCH_PORTS);
        options->ports[count++] = ports;
        at += length;
        if (*at == '\0')
            return;
    }
}

static void set_places(struct argp_state *state, const char *list,
                       struct evc_bench_options *options)
{
    static const char *const names[] = {"one", "threads", "processes"};

    options->places = 0;
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        unsigned place = 0;

        while (place < EVC_PLACES && (strlen(names[place]) != length ||
                                      memcmp(names[place], at, length) != 0))
            place++;
        if (place == EVC_PLACES)
            argp_error(state,
                       "--places: '%.*s' is none of one, threads, processes",
                       (int)length, at);
        options->places |= 1u << place;
        at += length;
        if (*at == '\0')
            return;
    }
}

/* When all that are to be loaded have been. */
static void check_adapters(struct argp_state *state, const char *list)
{
    for (const char *at = list; at; at++) {
        size_t length = strcspn(at, ",");
        const struct evc_adapter *adapter = evc_adapter_find(at, length);

        if (!adapter)
            argp_error(state, "--adapters: there is no '%.*s' (see --list)",
                       (int)length, at);
        else if (evc_adapter_missing(adapter))
            fprintf(stderr, "%s: %s: %s\n", state->name, adapter->name,
                    evc_adapter_missing(adapter));
        at += length;
        if (*at == '\0')
            return;
    }
}

static void set_cases(struct argp_state *state, const char *list,
                      struct evc_bench_options *options)
{
    size_t length;
    const char *wrong = evc_bench_no_case(list, &length);

    if (wrong)
        argp_error(state, "--cases: there is no '%.*s' (see --list)",
                   (int)length, wrong);
    options->cases = list;
}

static void set_rounds(struct argp_state *state, const char *text,
                       struct arguments *arguments)
{
    arguments->rounds = read_number(text, strlen(text), EVC_BENCH_ROUNDS);
    if (!arguments->rounds)
        argp_error(state, "--rounds is a number from 1 to %u, not '%s'",
                   EVC_BENCH_ROUNDS, text);
}

/* "A" or "A,B"; read_number() has no 0. */
static void set_cpus(struct argp_state *state, const char *text,
                     struct arguments *arguments)
{
    int end = 0, n;

    arguments->cpus[1] = -1;
    n = sscanf(text, "%5d%n,%5d%n", &arguments->cpus[0], &end,
               &arguments->cpus[1], &end);
    if (n < 1 || text[end] != '\0' || arguments->cpus[0] < 0 ||
        (n == 2 && arguments->cpus[1] < 0))
        argp_error(state, "--cpus is A or A,B, numbers of CPUs, not '%s'",
                   text);
    arguments->options.cpus = arguments->cpus;
}

static void load(struct argp_state *state, const char *path)
{
    const char *why;

    if (evc_adapter_load(path, &why) < 0)
        argp_failure(state, EVC_EXIT_UNUSABLE, 0, "%s: %s", path, why);
}

/* What does not depend on the order of options. */
static void finish(struct argp_state *state, struct arguments *arguments)
{
    check_adapters(state, arguments->options.adapters);
    if (arguments->quick)
        evc_bench_hurry(&arguments->options);
    if (arguments->rounds)
        arguments->options.rounds = arguments->rounds;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct evc_bench_options *options = &arguments->options;

    switch (key) {
    case 'a':
        options->adapters = argument;
        return 0;
    case 'c':
        set_cases(state, argument, options);
        return 0;
    case OPTION_LOAD:
        load(state, argument);
        return 0;
    case OPTION_PLACES:
        set_places(state, argument, options);
        return 0;
    case OPTION_PORTS:
        set_ports(state, argument, options);
        return 0;
    case OPTION_ROUNDS:
        set_rounds(state, argument, arguments);
        return 0;
    case OPTION_QUICK:
        arguments->quick = true;
        return 0;
    case OPTION_NO_GOALS:
        options->goals = false;
        return 0;
    case OPTION_NO_REALTIME:
        options->realtime = false;
        return 0;
    case OPTION_CPUS:
        set_cpus(state, argument, arguments);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_PLOT:
        arguments->plot = argument;
        return 0;
    case OPTION_LIST:
        arguments->list = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is too much", argument);
        return 0;
    case ARGP_KEY_END:
        finish(state, arguments);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option choices[] = {
    {"adapters", 'a', "NAME,...", 0, "Measure these only", 0},
    {"cases", 'c', "NAME,...", 0, "Measure this of them only", 0},
    {"places", OPTION_PLACES, "PLACE,...", 0,
     "one (one thread is sender and receiver), threads, processes", 0},
    {"ports", OPTION_PORTS, "N,...", 0,
     "Also with so many channels, on one CPU", 0},
    {"rounds", OPTION_ROUNDS, "N", 0, "Samples of everything: 31", 0},
    {"quick", OPTION_QUICK, NULL, 0, "3 rounds of short samples, 200 channels",
     0},
    {"no-goals", OPTION_NO_GOALS, NULL, 0,
     "Leave out what is measured of the engine and daemon alone", 0},
    {"no-realtime", OPTION_NO_REALTIME, NULL, 0, "Do not use SCHED_FIFO", 0},
    {"cpus", OPTION_CPUS, "A[,B]", 0, "The sender's CPU and the receiver's", 0},
    {"load", OPTION_LOAD, "FILE.so", 0,
     "Have one more adapter (<evc/adapter.h>)", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON instead of a table", 0},
    {"plot", OPTION_PLOT, "FILE.svg", 0, "Draw cost against number of ports",
     0},
    {"list", OPTION_LIST, NULL, 0, "List adapters and cases, and stop", 0},
    {0},
};

static const char text[] =
    "Measure notifications: this engine, and what one would use instead."
    "\v"
    "Exit status: 0, it was measured, whatever came out; 2, it could not be, "
    "or wrong usage.";

/* ---- doing it ------------------------------------------------------------ */

static int list(void)
{
    const struct evc_adapter *adapter;
    const struct evc_case *what;

    puts("Adapters:");
    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++) {
        const char *missing = evc_adapter_missing(adapter);

        printf("  %-14s %s%s%s\n", adapter->name, adapter->about,
               missing ? "; not here: " : "", missing ? missing : "");
    }
    puts("Cases:");
    for (unsigned i = 0; (what = evc_bench_case(i)); i++)
        printf("  %-14s %s (%s)\n", what->name, what->about, what->unit);
    return EVC_EXIT_OK;
}

/* Better now than after a minute's work. */
static int open_plot(const char *name, struct arguments *arguments)
{
    static const uint32_t ports[] = {1, 10, 100, 4000, 10000, 100000, 0};

    if (!arguments->plot)
        return 0;
    arguments->plot_file = fopen(arguments->plot, "we");
    if (!arguments->plot_file) {
        fprintf(stderr, "%s: %s: %s\n", name, arguments->plot, strerror(errno));
        return -1;
    }
    if (!arguments->options.ports[0])
        memcpy(arguments->options.ports, ports, sizeof(ports));
    return 0;
}

static int close_plot(const char *name, struct arguments *arguments,
                      const struct evc_bench *bench)
{
    int r = 0;

    if (!arguments->plot_file)
        return 0;
    if (bench)
        r = evc_bench_plot(bench, arguments->plot_file);
    if (fclose(arguments->plot_file) == 0 && r == 0)
        return 0;
    fprintf(stderr, "%s: %s: cannot write: %s\n", name, arguments->plot,
            strerror(errno));
    return -1;
}

static int show(const char *name, struct arguments *arguments,
                const struct evc_bench *bench)
{
    if (close_plot(name, arguments, bench) < 0)
        return EVC_EXIT_UNUSABLE;
    if (!arguments->json) {
        evc_bench_table(bench, stdout);
    } else if (evc_bench_json(bench, stdout) < 0) {
        fprintf(stderr, "%s: no JSON: out of memory\n", name);
        return EVC_EXIT_UNUSABLE;
    }
    return EVC_EXIT_OK;
}

int evc_command_bench(int argc, char **argv)
{
    static const struct argp argp = {
        .options = choices,
        .parser = parse,
        .doc = text,
    };
    struct arguments arguments = {0};
    struct evc_bench bench;
    int status;

    evc_bench_defaults(&arguments.options);
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return EVC_EXIT_UNUSABLE;
    if (arguments.list)
        return list();
    if (open_plot(argv[0], &arguments) < 0)
        return EVC_EXIT_UNUSABLE;
    arguments.options.progress = isatty(STDERR_FILENO) ? stderr : NULL;
    if (evc_bench_run(&arguments.options, &bench) == 0) {
        status = show(argv[0], &arguments, &bench);
    } else {
        fprintf(stderr, "%s: %s\n", argv[0], bench.error);
        (void)close_plot(argv[0], &arguments, NULL);
        status = EVC_EXIT_UNUSABLE;
    }
    evc_bench_finish(&bench);
    return status;
}
