/* SPDX-License-Identifier: MIT */
/*
 * A machine with weak memory, for the library and the host's delivery alike.
 *
 * Every source is compiled with this file in front (-include weak.h); every
 * access to a shared word then comes here.  A word has a history of values.  A
 * load may see any of them that its thread need not know to be old; what it must
 * know follows from the orders, as in C11:
 *
 *   release, acquire   a value carries what its writer knew, if released, and
 *                      hands it to who acquires it; read-modify-writes carry on
 *                      what the value before them carried
 *   seq_cst            besides, a load sees the last seq_cst write of its word,
 *                      or a later one
 *   plain              (weak_read, weak_write; and every access of the library
 *                      to memory that a model has weak_watch()ed) two accesses
 *                      that nothing orders are a race, and reported
 *   late               a relaxed store or read-modify-write may happen later than
 *                      what its thread does next, up to the next release, seq_cst
 *                      access or access to the same word
 *
 * What a late read-modify-write will read is guessed, namely what it would have
 * read at once; where that turns out wrong, the execution is given up and does
 * not count.  Else read-modify-writes see the newest value, and writes go behind
 * it: loads of values that are written later are not tried.  At each access the scheduler may
 * go on with any thread.  Choices are drawn from a seed: a run can be repeated.
 *
 * The library's plain accesses are seen because it is compiled for the thread
 * sanitizer, whose functions are then those of weak.c.
 */
#ifndef EVC_TESTS_GUEST_WEAK_H
#define EVC_TESTS_GUEST_WEAK_H

#include <stdatomic.h>
#include <stdint.h>

#define EVC_NO_ASM /* base/atomic.h */

uint64_t weak_load(const void *at, unsigned size, int order);
void weak_store(void *at, unsigned size, uint64_t v, int order);

enum weak_op { WEAK_SWAP, WEAK_OR, WEAK_AND, WEAK_ADD, WEAK_SUB };
uint64_t weak_rmw(void *at, unsigned size, enum weak_op op, uint64_t v,
                  int order);
/* 1: done; 0: what was there is in *expected. */
int weak_cas(void *at, unsigned size, uint64_t *expected, uint64_t v,
             int order);

/* ---- guest/words.h ------------------------------------------------------------ */

#define EVC_WORD_LOAD(at, o) \
    ((__typeof__(*(at)))weak_load(at, sizeof(*(at)), o))
#define EVC_WORD_STORE(at, v, o) weak_store(at, sizeof(*(at)), v, o)
#define EVC_WORD_SWAP(at, v, o) \
    ((__typeof__(*(at)))weak_rmw(at, sizeof(*(at)), WEAK_SWAP, v, o))
#define EVC_WORD_OR(at, v, o) \
    ((__typeof__(*(at)))weak_rmw(at, sizeof(*(at)), WEAK_OR, v, o))
#define EVC_WORD_AND(at, v, o) \
    ((__typeof__(*(at)))weak_rmw(at, sizeof(*(at)), WEAK_AND, v, o))
#define EVC_WORD_CAS(at, expected, v, o)                    \
    __extension__({                                         \
        uint64_t e_ = *(expected);                          \
        int done_ = weak_cas(at, sizeof(*(at)), &e_, v, o); \
        *(expected) = (__typeof__(*(expected)))e_;          \
        done_;                                              \
    })

/* ---- base/atomic.h -------------------------------------------------------------- */

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong_explicit
#define WEAK_SIZE(at) sizeof(*(at))
/* Pointers of the host do not change while the model runs. */
#define atomic_load_explicit(at, o)                                      \
    _Generic(*(at), uint8_t                                              \
             : weak_load((const void *)(at), WEAK_SIZE(at), o), uint32_t \
             : weak_load((const void *)(at), WEAK_SIZE(at), o), uint64_t \
             : weak_load((const void *)(at), WEAK_SIZE(at), o), default  \
             : __atomic_load_n(at, __ATOMIC_SEQ_CST))
#define atomic_store_explicit(at, v, o)                                       \
    _Generic(                                                                 \
        *(at), uint8_t                                                        \
        : weak_store((void *)(at), WEAK_SIZE(at), (uint64_t)(v), o), uint32_t \
        : weak_store((void *)(at), WEAK_SIZE(at), (uint64_t)(v), o), uint64_t \
        : weak_store((void *)(at), WEAK_SIZE(at), (uint64_t)(v), o), default  \
        : __atomic_store_n(at, v, __ATOMIC_SEQ_CST))
#define atomic_exchange_explicit(at, v, o) \
    weak_rmw((void *)(at), WEAK_SIZE(at), WEAK_SWAP, v, o)
#define atomic_fetch_or_explicit(at, v, o) \
    weak_rmw((void *)(at), WEAK_SIZE(at), WEAK_OR, v, o)
#define atomic_fetch_and_explicit(at, v, o) \
    weak_rmw((void *)(at), WEAK_SIZE(at), WEAK_AND, v, o)
#define atomic_fetch_add_explicit(at, v, o) \
    weak_rmw((void *)(at), WEAK_SIZE(at), WEAK_ADD, v, o)
#define atomic_fetch_sub_explicit(at, v, o) \
    weak_rmw((void *)(at), WEAK_SIZE(at), WEAK_SUB, v, o)
#define atomic_compare_exchange_strong_explicit(at, expected, v, o, f) \
    __extension__({                                                    \
        uint64_t e_ = *(expected);                                     \
        int done_ = weak_cas((void *)(at), WEAK_SIZE(at), &e_, v, o);  \
        *(expected) = (__typeof__(*(expected)))e_;                     \
        done_;                                                         \
    })

/* ---- for models -------------------------------------------------------------------- */

/* Plain accesses to a variable of the model: unordered ones are a fault. */
void weak_read(const void *at);
void weak_write(const void *at);

/* Every plain access of the library to this memory counts as one of these. */
void weak_watch(const void *at, unsigned size);

/* Somebody else must go on first. */
void weak_pause(void);

/* A property does not hold: ends the execution. */
void weak_fail(const char *what);

/*
 * Run up to four threads to their end, once for each of `times` seeds.  `reset`
 * restores the memory before, `check` looks at it after, when every word has its
 * newest value.  Returns 0; 1: a property did not hold, and was printed.
 */
typedef void weak_thread(void);
int weak_run(const char *name, unsigned times, void (*reset)(void),
             weak_thread *const *threads, unsigned n, void (*check)(void));

#endif /* EVC_TESTS_GUEST_WEAK_H */
