/* SPDX-License-Identifier: MIT */
/*
 * The machine a benchmark runs on: its CPUs, its clock, its load.
 */
#ifndef EVC_BENCH_MACHINE_H
#define EVC_BENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evc_machine {
    char model[64];  /* of CPU */
    char kernel[96]; /* name and release */
    unsigned online; /* CPUs it has */
    unsigned cpus;   /* of these we use: 1 or 2 */
    int sender;      /* the number of one, */
    int receiver;    /* and of the other, or -1 */
    bool realtime;   /* SCHED_FIFO is allowed, and wanted */
    double load;     /* average of a minute, before we began */
};

/*
 * Find out.  Two CPUs of different cores are chosen of those that the process
 * may use, unless `wanted` names them (the second may be -1: one only).
 *
 * Return: 0; -EINVAL (a wanted CPU is not to be had).
 */
int evc_machine_look(struct evc_machine *machine, const int *wanted,
                     bool realtime);

/* The calling thread: on that CPU alone, SCHED_FIFO where allowed. */
void evc_machine_enter(const struct evc_machine *machine, int cpu);

/* ... on any CPU that the process may use, of the same priority. */
void evc_machine_unpin(void);

/* ... and as it was before the first call of evc_machine_look(). */
void evc_machine_leave(void);

/* How many descriptors this process has open; 0: nobody knows. */
unsigned evc_machine_open_descriptors(void);

/* Let it have that many more. Return: 0; -EMFILE. */
int evc_machine_descriptors(uint64_t more);

/* Monotonic, and the same on every CPU. */
double evc_now_ns(void);

/* How often the calling thread lost its CPU against its will. */
long evc_switches(void);

/* Zeroed memory that begins a pair of cache lines, or NULL; for free(). */
void *evc_alloc_lines(size_t size);

/* What one side writes and the other has no business with: lines of its own. */
#define EVC_LINES _Alignas(128)

/* One turn of a loop that waits for the other CPU. */
static inline void evc_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif /* EVC_BENCH_MACHINE_H */
