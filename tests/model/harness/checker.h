/* SPDX-License-Identifier: MIT */
/*
 * What stands in for libc and base/lines.h where a model checker runs a model
 * (-DEVC_GENMC): one that reads a program's every access has neither.  Included
 * before anything of the engine.
 *
 * All memory is zero and used once: nothing is freed, and nothing is cleared.
 */
#ifndef EVC_TESTS_MODEL_CHECKER_H
#define EVC_TESTS_MODEL_CHECKER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void __VERIFIER_assume(bool);

/* The portable way; x86's is for a checker of its memory model, TSO. */
#ifndef EVC_RMW_IS_FENCE
#define EVC_RMW_IS_FENCE 0
#endif

#define EVC_NO_ASM
#define EVC_LINE         64u
#define EVC_BASE_LINES_H /* base/lines.h */

/* By one thread at a time, in every model. */
static inline void *evc_alloc_lines(size_t n, size_t size)
{
    static _Alignas(EVC_LINE) uint8_t memory[1 << 16];
    static size_t used;
    void *at = memory + used;

    used += (n * size + EVC_LINE - 1) / EVC_LINE * EVC_LINE;
    assert(used <= sizeof(memory));
    return at;
}

static inline void *model_copy(void *to, const void *from, size_t size)
{
    uintptr_t *t = to;
    const uintptr_t *f = from;

    for (size_t i = 0; i < size / sizeof(*t); i++)
        t[i] = f[i];
    return to;
}

#undef memcpy
#undef memset
#define calloc(n, size)    evc_alloc_lines(n, size)
#define free(at)           ((void)(at))
#define memcpy(t, f, size) model_copy(t, f, size)
#define memset(at, c, n)   ((void)(at))

/*
 * A lock that the checker knows costs it far less than an exchange in a loop.
 * base/spin.h has a model of its own, `lock`.
 */
#ifndef MODEL_REAL_SPIN
#define EVC_BASE_SPIN_H
typedef struct {
    pthread_mutex_t mutex;
} evc_spin;

static inline bool evc_spin_try(evc_spin *spin)
{
    return pthread_mutex_trylock(&spin->mutex) == 0;
}

static inline void evc_spin_lock(evc_spin *spin)
{
    pthread_mutex_lock(&spin->mutex);
}

static inline void evc_spin_unlock(evc_spin *spin)
{
    pthread_mutex_unlock(&spin->mutex);
}

static inline void evc_spin_want(evc_spin *spin)
{
    (void)spin;
}

static inline void evc_spin_give_way(evc_spin *spin)
{
    (void)spin;
}

/* Not another turn: what it waits for may as well have been there at once. */
static inline void evc_spin_pause(unsigned turn)
{
    (void)turn;
    __VERIFIER_assume(false);
}
#endif

/* A loop that waits for another thread, without the turns in which it has to. */
#define model_await(condition) __VERIFIER_assume(condition)

#endif /* EVC_TESTS_MODEL_CHECKER_H */
