/* SPDX-License-Identifier: MIT */
/*
 * CPUs, priorities, clocks, and a description for the head of the table.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"

#define PRIORITY 10 /* above what is ordinary, below what is urgent */

static cpu_set_t allowed; /* at first */

/* ---- describing ---------------------------------------------------------- */

/* The first "model name" of /proc/cpuinfo; where there is none, the machine's. */
static void read_model(char *model, size_t size, const char *otherwise)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(model, size, "%.60s", otherwise);
    while (file && fgets(line, sizeof(line), file)) {
        char *value = strstr(line, ": ");

        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(model, size, "%s", value + 2);
        break;
    }
    if (file)
        fclose(file);
}

static void describe(struct evc_machine *machine)
{
    struct utsname names;
    double load;

    uname(&names);
    snprintf(machine->kernel, sizeof(machine->kernel), "%.40s %.50s",
             names.sysname, names.release);
    read_model(machine->model, sizeof(machine->model), names.machine);
    machine->load = getloadavg(&load, 1) == 1 ? load : 0;
    machine->online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

/* ---- choosing CPUs ------------------------------------------------------- */

/* Which core, as a string; equal ones share it. */
static void core_of(int cpu, char *core, size_t size)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path),
             "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             cpu);
    file = fopen(path, "re");
    if (!file || !fgets(core, (int)size, file))
        snprintf(core, size, "%d", cpu); /* not told: a core of its own */
    if (file)
        fclose(file);
}

static bool same_core(int a, int b)
{
    char of_a[128], of_b[128];

    core_of(a, of_a, sizeof(of_a));
    core_of(b, of_b, sizeof(of_b));
    return strcmp(of_a, of_b) == 0;
}

/* The next CPU after `cpu` that we may use, or -1. */
static int next_cpu(int cpu)
{
    while (++cpu < CPU_SETSIZE)
        if (CPU_ISSET((size_t)cpu, &allowed))
            return cpu;
    return -1;
}

static void choose(struct evc_machine *machine)
{
    int other;

    machine->sender = next_cpu(-1);
    other = machine->receiver = next_cpu(machine->sender);
    while (other >= 0 && same_core(machine->sender, other))
        other = next_cpu(other);
    if (other >= 0)
        machine->receiver = other;
}

static bool usable(int cpu)
{
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, &allowed);
}

static int take_wanted(struct evc_machine *machine, const int *wanted)
{
    if (!usable(wanted[0]) || (wanted[1] >= 0 && !usable(wanted[1])) ||
        wanted[0] == wanted[1])
        return -EINVAL;
    machine->sender = wanted[0];
    machine->receiver = wanted[1];
    return 0;
}

static bool may_realtime(void)
{
    const struct sched_param fifo = {.sched_priority = PRIORITY};
    const struct sched_param other = {0};

    if (sched_setscheduler(0, SCHED_FIFO, &fifo) != 0)
        return false;
    (void)sched_setscheduler(0, SCHED_OTHER, &other);
    return true;
}

int evc_machine_look(struct evc_machine *machine, const int *wanted,
                     bool realtime)
{
    *machine = (struct evc_machine){0};
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return -errno;
    describe(machine);
    if (!wanted)
        choose(machine);
    else if (take_wanted(machine, wanted) < 0)
        return -EINVAL;
    machine->cpus = machine->receiver < 0 ? 1 : 2;
    machine->realtime = realtime && may_realtime();
    return 0;
}

/* ---- one thread ---------------------------------------------------------- */

void evc_machine_enter(const struct evc_machine *machine, int cpu)
{
    const struct sched_param fifo = {.sched_priority = PRIORITY};
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
    if (machine->realtime)
        (void)sched_setscheduler(0, SCHED_FIFO, &fifo);
}

void evc_machine_unpin(void)
{
    (void)sched_setaffinity(0, sizeof(allowed), &allowed);
}

void evc_machine_leave(void)
{
    const struct sched_param other = {0};

    (void)sched_setscheduler(0, SCHED_OTHER, &other);
    evc_machine_unpin();
}

unsigned evc_machine_open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

int evc_machine_descriptors(uint64_t more)
{
    uint64_t wanted = evc_machine_open_descriptors() + more;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -errno;
    if (limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -EMFILE;
}

void *evc_alloc_lines(size_t size)
{
    size_t whole = (size + 127) & ~(size_t)127;
    void *memory = aligned_alloc(128, whole);

    return memory ? memset(memory, 0, whole) : NULL;
}

double evc_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

long evc_switches(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}
