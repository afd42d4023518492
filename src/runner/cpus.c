/* SPDX-License-Identifier: MIT */
/*
 * A thread for each vCPU.  All are there from the start; one that is not up
 * sleeps here, be it for the first time or again.
 */
#include "runner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "entry.h"

/* ---- being told ------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* `up` and `end` have been set before: who waits looks at them under the lock. */
static void wake_waiters(void)
{
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void evc_cpus_wait_up(struct evc_run_cpu *cpu)
{
    const struct evc_pv_vcpu *vcpu = cpu->vcpu;

    pthread_mutex_lock(&lock);
    while (!vcpu->up && !evc_pv_has_ended(vcpu->domain))
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void evc_cpus_look(void *runner, uint32_t id)
{
    (void)runner;
    wake_waiters();
    evc_cpu_kick(id);
}

void evc_cpus_ended(void *runner)
{
    (void)runner;
    wake_waiters();
    for (unsigned id = 0; id < evc_run_nr_cpus; id++)
        evc_cpu_kick(id);
}

/* ---- from the start to the end ------------------------------------------------------ */

static int set_handlers(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                                  SIGFPE,  SIGTRAP, SIGSYS};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    action.sa_sigaction = evc_cpu_signal;
    sigaddset(&action.sa_mask, EVC_RUN_KICK);
    if (sigaction(EVC_RUN_KICK, &action, NULL) < 0)
        return -errno;
    /* A fault inside of a handler shall reach it, and be reported. */
    action.sa_flags |= SA_NODEFER;
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        if (sigaction(signals[i], &action, NULL) < 0)
            return -errno;
    return 0;
}

static void *run(void *data)
{
    struct evc_run_cpu *cpu = data;
    int r = evc_cpu_prepare(cpu);

    if (r == 0)
        evc_cpu_run(cpu);
    else
        evc_pv_end(cpu->vcpu->domain, EVC_PV_LEFT, 0);
    evc_cpu_finish(cpu);
    return (void *)(intptr_t)r;
}

static int run_all(struct evc_pv_domain *domain)
{
    pthread_t threads[EVC_PV_VCPUS];
    unsigned n = 1;
    int r = 0;
    void *result;

    while (n < evc_run_nr_cpus && r == 0) {
        r = -pthread_create(&threads[n], NULL, run, &evc_run_cpus[n]);
        n += r == 0;
    }
    if (r == 0)
        r = (int)(intptr_t)run(&evc_run_cpus[0]);
    else
        evc_pv_end(domain, EVC_PV_LEFT, 0);
    while (n-- > 1) {
        pthread_join(threads[n], &result);
        r = r == 0 ? (int)(intptr_t)result : r;
    }
    return r;
}

int evc_cpus_run(struct evc_pv_domain *domain, struct evc_run_tlb *tlb,
                 struct evc_pv_error *error)
{
    int r;

    for (unsigned id = 0; id < evc_run_nr_cpus; id++) {
        evc_run_cpus[id].vcpu = &domain->vcpu[id];
        evc_run_cpus[id].tlb = tlb;
    }
    r = set_handlers();
    if (r == 0)
        r = run_all(domain);
    if (r < 0)
        return evc_pv_fail(error, r, "cannot prepare to run a guest: %s",
                           strerror(-r));
    return 0;
}
