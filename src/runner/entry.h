/* SPDX-License-Identifier: MIT */
/*
 * What entry.S and the files that know it have between them.
 */
#ifndef EVC_RUNNER_ENTRY_H
#define EVC_RUNNER_ENTRY_H

#include "runner.h"

#include <signal.h>
#include <ucontext.h>

/* "Look": to a vCPU's thread, from any other. */
#define EVC_RUN_KICK (SIGRTMIN + 2)

/*
 * A vCPU is known by the stack its signals come on, one of a block of stacks;
 * and, where vCPUs have to be told apart without a signal, by the selector
 * in ES: of entry `id` of the local descriptor table, privilege 3.  64-bit code
 * does not use ES.
 */
#define EVC_RUN_STACK_SIZE (UINT64_C(1) << 18)
#define EVC_RUN_SELECTOR   7u /* and 8 for each vCPU before it */

extern uint64_t evc_run_stacks, evc_run_nr_cpus;
extern bool evc_run_has_selectors;

static inline void evc_cpu_set_selector(const struct evc_run_cpu *cpu)
{
    unsigned id = (unsigned)(cpu - evc_run_cpus);

    __asm__ volatile("mov %0, %%es" ::"r"(EVC_RUN_SELECTOR + 8 * id));
}

/* Flags that `ret` would not give back: trap, direction, nested, alignment. */
#define EVC_RUN_FLAGS_FULL UINT64_C(0x44500)

/* By call of the hypercall page: the only vCPU there is; any one of several. */
void evc_cpu_enter_only(void);
void evc_cpu_enter(void);
/* To the guest. */
void evc_cpu_leave(struct evc_run_cpu *cpu) __attribute__((noreturn));
/* The handler of all signals. */
void evc_cpu_signal(int signal, siginfo_t *info, void *context);

/* Where things happen: see entry.S. */
extern const char evc_cpu_find[], evc_cpu_lost[], evc_cpu_entered[];
extern const char evc_cpu_window[];
extern const uint64_t evc_cpu_windows[4];

/* Save what evc_cpu_call() finds of vector registers beyond xmm0 to xmm15. */
void evc_cpu_save_rest(struct evc_run_cpu *cpu);

enum evc_run_quick {
    EVC_RUN_NOT_QUICK = 0,
    EVC_RUN_ANSWERED = 1, /* and nothing but rax has changed */
    EVC_RUN_CHANGED = 2,  /* go to where the registers say */
};

/* What entry.S calls. */
enum evc_run_quick evc_cpu_quick(struct evc_run_cpu *cpu); /* quick.c */
void evc_cpu_call(struct evc_run_cpu *cpu);
void evc_cpu_event(struct evc_run_cpu *cpu);
uint64_t evc_cpu_on_signal(int signal, siginfo_t *info, ucontext_t *context,
                           uint64_t fs, struct evc_run_cpu *cpu);
void evc_cpu_on_other_signal(int signal, siginfo_t *info, void *context);

#endif /* EVC_RUNNER_ENTRY_H */
