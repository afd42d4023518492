/* SPDX-License-Identifier: MIT */
/*
 * What stands in for src/host where a model checker runs a model: RCU, and a
 * sleep that ends its thread there unless it has been woken already.  A model
 * then asserts that nobody has slept who was not woken after that.
 *
 * A reader's fence is what membarrier() in evc_rcu_wait() makes of it.  It might
 * hide what a sender lacks; so a model in which nobody waits for readers says
 * MODEL_NOTHING_GOES, and has none.
 */
#ifndef EVC_TESTS_MODEL_CHECKER_HOST_H
#define EVC_TESTS_MODEL_CHECKER_HOST_H

typedef int pthread_cond_t;

/* ---- host/rcu.h ---------------------------------------------------------- */

#define EVC_HOST_RCU_H

struct evc_reader {
    unsigned long *inside; /* a name, to a sender */
};

static _Atomic unsigned model_inside[MODEL_THREADS];

static inline void evc_rcu_lock(void)
{
#ifndef MODEL_NOTHING_GOES
    atomic_store_explicit(&model_inside[model_self], 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline void evc_rcu_unlock(void)
{
#ifndef MODEL_NOTHING_GOES
    atomic_store_explicit(&model_inside[model_self], 0, memory_order_release);
#endif
}

static inline bool evc_rcu_try(struct evc_reader *reader)
{
    static unsigned long names[MODEL_THREADS];

    reader->inside = &names[model_self];
    evc_rcu_lock();
    return true;
}

static inline void evc_rcu_leave(struct evc_reader reader)
{
    (void)reader;
    evc_rcu_unlock();
}

static inline bool evc_rcu_is_quick(void)
{
    return true;
}

static inline void evc_rcu_wait(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned t = 0; t < MODEL_THREADS; t++)
        if (t != model_self)
            model_await(atomic_load_explicit(&model_inside[t],
                                             memory_order_acquire) == 0);
    atomic_thread_fence(memory_order_seq_cst);
}

/* ---- host/host.h --------------------------------------------------------- */

#define EVC_HOST_HOST_H

struct evc_sleeper {
    pthread_mutex_t lock;
    bool woken, asleep;
};

static inline int evc_sleeper_init(struct evc_sleeper *sleeper)
{
    (void)sleeper;
    return 0;
}

static inline void evc_sleeper_finish(struct evc_sleeper *sleeper)
{
    (void)sleeper;
}

static inline void evc_sleeper_sleep(struct evc_sleeper *sleeper, uint64_t end)
{
    bool sleeps;

    (void)end;
    pthread_mutex_lock(&sleeper->lock);
    sleeps = sleeper->asleep = !sleeper->woken;
    sleeper->woken = false;
    pthread_mutex_unlock(&sleeper->lock);
    if (sleeps)
        pthread_exit(NULL);
}

static inline void evc_sleeper_wake(struct evc_sleeper *sleeper)
{
    pthread_mutex_lock(&sleeper->lock);
    sleeper->woken = true;
    sleeper->asleep = false;
    pthread_mutex_unlock(&sleeper->lock);
}

static inline uint64_t evc_host_clock(void)
{
    return 0;
}

#endif /* EVC_TESTS_MODEL_CHECKER_HOST_H */
