/* SPDX-License-Identifier: MIT */
/*
 * The engine at its limits: time and memory of as many ports, domains and vCPUs
 * as there can be, and what others see meanwhile.
 *
 * Not a test: nothing here fails because a machine is slow.  That it works at
 * these limits at all is tested in tests/hostile/.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "scale.h"

static unsigned rounds = 5;
static const char *path;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    char *rest;

    switch (key) {
    case 'r':
        rounds = (unsigned)strtoul(arg, &rest, 10);
        if (*rest != '\0' || rounds < 1 || rounds > ROUNDS_MAX)
            argp_error(state, "--rounds=%s is not 1 to %d", arg, ROUNDS_MAX);
        return 0;
    case 'p':
        path = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"rounds", 'r', "N", 0, "measure all of it N times (5), tell medians", 0},
    {"plot", 'p', "FILE", 0, "write the plot there, as SVG", 0},
    {0},
};

/* The unit: one locked read-modify-write on a line that nobody else wants. */
static void measure_unit(void)
{
    static unsigned long word;

    section("for comparison");
    begin();
    for (unsigned i = 0; i < 1000000; i++)
        (void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
    end("locked read-modify-write", 1000000);
}

int main(int argc, char **argv)
{
    const struct argp argp = {
        options, parse,
        NULL,    "Measure the engine at its limits: ports, domains, vCPUs.",
        NULL,    NULL,
        NULL};

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    for (unsigned round = 0; round < rounds; round++) {
        measure_unit();
        measure_ports();
        measure_saved();
        measure_counted();
        measure_domains();
        measure_vcpus();
        measure_cycle();
        measure_linked();
        measure_queue();
        measure_others();
    }
    printf("medians of %u rounds, %ld CPUs\n", rounds,
           sysconf(_SC_NPROCESSORS_ONLN));
    print_tables();
    if (path != NULL && print_plot(path) < 0) {
        fprintf(stderr, "scale: %s: %s\n", path, strerror(errno));
        return 1;
    }
    return 0;
}
