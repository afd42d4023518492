/* SPDX-License-Identifier: MIT */
/*
 * Read-copy-update: readers never wait, and what they may still see is not
 * taken away from under them.  liburcu ("bulletproof" flavour: no thread needs
 * to register) does the work; with membarrier(2), a reader pays no fence.
 *
 * The thread sanitizer does not see into liburcu, so it is told here: whatever
 * a reader did happens before evc_rcu_wait() returns.
 */
#ifndef EVC_HOST_RCU_H
#define EVC_HOST_RCU_H

#include <stdbool.h>

/*
 * Readers inline, which liburcu allows to MIT code; but not where they would be
 * instrumented: the alignment of its own readers is liburcu's affair.
 */
#if !defined(_LGPL_SOURCE) && !defined(EVC_SANITIZED)
#define _LGPL_SOURCE
#endif
#ifdef _LGPL_SOURCE
#define EVC_RCU_INLINE
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include <urcu/urcu-bp.h>
#pragma GCC diagnostic pop

#if defined(__SANITIZE_THREAD__)
#define EVC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EVC_TSAN 1
#endif
#endif

#ifdef EVC_TSAN
extern char evc_rcu_tag;
void __tsan_acquire(void *);
void __tsan_release(void *);
#define EVC_RCU_RELEASE() __tsan_release(&evc_rcu_tag)
#define EVC_RCU_ACQUIRE() __tsan_acquire(&evc_rcu_tag)
#else
#define EVC_RCU_RELEASE() (void)0
#define EVC_RCU_ACQUIRE() (void)0
#endif

static inline void evc_rcu_lock(void)
{
    urcu_bp_read_lock();
}

static inline void evc_rcu_unlock(void)
{
    EVC_RCU_RELEASE();
    urcu_bp_read_unlock();
}

/*
 * The same for the few functions that are all about speed: in and out by one
 * store each.  False: not this way (a thread's first time, a section inside of
 * another); the caller takes the long one.  Where evc_rcu_is_quick() says that
 * the kernel has no membarrier, nobody is to try.
 */
bool evc_rcu_is_quick(void);

struct evc_reader {
    unsigned long *inside; /* liburcu's word for this thread; 0: outside */
};

static inline bool evc_rcu_try(struct evc_reader *reader)
{
#ifdef EVC_RCU_INLINE
    struct urcu_bp_reader *self = URCU_TLS(urcu_bp_reader);

    if (caa_unlikely(self == NULL || (self->ctr & URCU_BP_GP_CTR_NEST_MASK)))
        return false;
    reader->inside = &self->ctr;
    _CMM_STORE_SHARED(self->ctr, _CMM_LOAD_SHARED(urcu_bp_gp.ctr));
    cmm_barrier(); /* evc_rcu_wait() makes it a fence */
    return true;
#else
    (void)reader;
    return false;
#endif
}

static inline void evc_rcu_leave(struct evc_reader reader)
{
    cmm_barrier();
    _CMM_STORE_SHARED(*reader.inside, 0);
    cmm_barrier();
}

/* Until every reader that is inside now has left. Not from inside. */
void evc_rcu_wait(void);

#endif /* EVC_HOST_RCU_H */
