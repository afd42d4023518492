/* SPDX-License-Identifier: MIT */
/*
 * Shared words of a guest: every access names its memory order.
 *
 * What base/atomic.h is to the host, for firmware that has neither <stdint.h>
 * nor <stdatomic.h>: the ABI's types and the compiler's builtins.  A word is a
 * struct (evc_g32, evc_g64 of <evc/guest.h>), so a plain access does not
 * compile.
 *
 *   _rlx  relaxed: the value only, no ordering
 *   _acq  acquire: what the releasing side wrote before is visible after
 *   _rel  release: what this side wrote before is visible to the acquirer
 *   _ar   both
 *   _sc   sequentially consistent: this side's store, then its load, in order
 *
 * The read-modify-writes return the word as it was before.
 *
 * A test may bring its own EVC_WORD_* and run the library on a simulated
 * machine of weaker order: tests/guest/weak.h.
 */
#ifndef EVC_GUEST_WORDS_H
#define EVC_GUEST_WORDS_H

#include <evc/guest.h>

#ifndef EVC_WORD_LOAD
#define EVC_WORD_LOAD(at, order)     __atomic_load_n(at, order)
#define EVC_WORD_STORE(at, v, order) __atomic_store_n(at, v, order)
#define EVC_WORD_SWAP(at, v, order)  __atomic_exchange_n(at, v, order)
#define EVC_WORD_OR(at, v, order)    __atomic_fetch_or(at, v, order)
#define EVC_WORD_AND(at, v, order)   __atomic_fetch_and(at, v, order)
#define EVC_WORD_CAS(at, expected, v, order) \
    __atomic_compare_exchange_n(at, expected, v, 0, order, __ATOMIC_RELAXED)
#endif

/*
 * Words of 64 bits are for guests whose words have them.  An i386 guest's never
 * have, everybody else's always, and on x86-64 a test may serve either.
 */
#if defined(__i386__)
#define EVC_GUEST_NATIVE 0
#else
#define EVC_GUEST_NATIVE 1
#endif
#if defined(__i386__)
#define EVC_GUEST_WIDE(guest) ((void)(guest), 0)
#elif defined(__x86_64__)
#define EVC_GUEST_WIDE(guest) ((guest)->wide)
#else
#define EVC_GUEST_WIDE(guest) ((void)(guest), 1)
#endif

#define EVC_LIKELY(x) __builtin_expect(!!(x), 1)
#define EVC_COLD      __attribute__((noinline, cold))
#define EVC_APART     __attribute__((noinline))
#define EVC_INLINE    inline __attribute__((always_inline))

#if __GCC_ATOMIC_INT_LOCK_FREE != 2
#error "words of 32 bits must be lock-free"
#endif
#if !defined(__i386__) && __GCC_ATOMIC_LLONG_LOCK_FREE != 2
#error "words of 64 bits must be lock-free: a lock is not shared with the host"
#endif

#define EVC_G_LOAD(W, ORDER, order)                                       \
    static inline evc_abi_u##W evc_g##W##_load_##ORDER(const evc_g##W *w) \
    {                                                                     \
        return EVC_WORD_LOAD(&w->raw_, __ATOMIC_##order);                 \
    }

#define EVC_G_STORE(W, ORDER, order)                                         \
    static inline void evc_g##W##_store_##ORDER(evc_g##W *w, evc_abi_u##W v) \
    {                                                                        \
        EVC_WORD_STORE(&w->raw_, v, __ATOMIC_##order);                       \
    }

#define EVC_G_SWAP(W, ORDER, order)                                    \
    static inline evc_abi_u##W evc_g##W##_swap_##ORDER(evc_g##W *w,    \
                                                       evc_abi_u##W v) \
    {                                                                  \
        return EVC_WORD_SWAP(&w->raw_, v, __ATOMIC_##order);           \
    }

#define EVC_G_SET(W, ORDER, order)                                       \
    static inline evc_abi_u##W evc_g##W##_set_##ORDER(evc_g##W *w,       \
                                                      evc_abi_u##W bits) \
    {                                                                    \
        return EVC_WORD_OR(&w->raw_, bits, __ATOMIC_##order);            \
    }

#define EVC_G_CLEAR(W, ORDER, order)                                           \
    static inline evc_abi_u##W evc_g##W##_clear_##ORDER(evc_g##W *w,           \
                                                        evc_abi_u##W bits)     \
    {                                                                          \
        return EVC_WORD_AND(&w->raw_, (evc_abi_u##W) ~bits, __ATOMIC_##order); \
    }

/* True when *expected was there; otherwise *expected is what was. */
#define EVC_G_CAS(W, ORDER, order)                                    \
    static inline int evc_g##W##_cas_##ORDER(                         \
        evc_g##W *w, evc_abi_u##W *expected, evc_abi_u##W v)          \
    {                                                                 \
        return EVC_WORD_CAS(&w->raw_, expected, v, __ATOMIC_##order); \
    }

/* clang-format off */
EVC_G_LOAD(32, rlx, RELAXED)
EVC_G_LOAD(32, acq, ACQUIRE)
EVC_G_LOAD(32, sc, SEQ_CST)
EVC_G_STORE(32, rlx, RELAXED)
EVC_G_STORE(32, rel, RELEASE)
EVC_G_SWAP(32, ar, ACQ_REL)
EVC_G_SET(32, rlx, RELAXED)
EVC_G_SET(32, ar, ACQ_REL)
EVC_G_CLEAR(32, rlx, RELAXED)
EVC_G_CLEAR(32, rel, RELEASE)
EVC_G_CLEAR(32, ar, ACQ_REL)
EVC_G_CLEAR(32, sc, SEQ_CST)
EVC_G_CAS(32, rlx, RELAXED)
EVC_G_CAS(32, ar, ACQ_REL)

#if !defined(__i386__)
EVC_G_LOAD(64, rlx, RELAXED)
EVC_G_LOAD(64, sc, SEQ_CST)
EVC_G_SWAP(64, ar, ACQ_REL)
EVC_G_SET(64, rlx, RELAXED)
EVC_G_SET(64, ar, ACQ_REL)
EVC_G_CLEAR(64, rlx, RELAXED)
EVC_G_CLEAR(64, ar, ACQ_REL)
EVC_G_CLEAR(64, sc, SEQ_CST)
EVC_G_CAS(64, ar, ACQ_REL)
#endif
/* clang-format on */

#undef EVC_G_LOAD
#undef EVC_G_STORE
#undef EVC_G_SWAP
#undef EVC_G_SET
#undef EVC_G_CLEAR
#undef EVC_G_CAS

/* upcall_pending is a byte; not every machine has read-modify-writes of these. */
static inline evc_abi_u8 evc_g8_load_rlx(const void *at)
{
    return EVC_WORD_LOAD((const evc_abi_u8 *)at, __ATOMIC_RELAXED);
}

static inline void evc_g8_store_rlx(void *at, evc_abi_u8 v)
{
    EVC_WORD_STORE((evc_abi_u8 *)at, v, __ATOMIC_RELAXED);
}

/* A counter with one writer. */
static inline evc_abi_uptr evc_gptr_load_rlx(const evc_gptr *w)
{
    return EVC_WORD_LOAD(&w->raw_, __ATOMIC_RELAXED);
}

static inline void evc_gptr_store_rlx(evc_gptr *w, evc_abi_uptr v)
{
    EVC_WORD_STORE(&w->raw_, v, __ATOMIC_RELAXED);
}

/* ---- bits -------------------------------------------------------------------- */

#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || \
    (defined(__ARM_ARCH) && __ARM_ARCH >= 7) || defined(__riscv_zbb)
#define EVC_LOWEST32(v) ((unsigned)__builtin_ctz(v))
#else
/* The compiler would call its own library: a table of 32 products instead. */
static inline unsigned evc_lowest_by_table(evc_abi_u32 v)
{
    static const evc_abi_u8 place[32] = {
        0,  1,  28, 2,  29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
        31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9};

    return place[((v & (0u - v)) * (evc_abi_u32)0x077cb531u) >> 27];
}
#define EVC_LOWEST32(v) evc_lowest_by_table(v)
#endif

/* The lowest bit of a word that is not 0. */
static inline unsigned evc_lowest(evc_abi_u64 v)
{
#if defined(__x86_64__) || defined(__aarch64__)
    return (unsigned)__builtin_ctzll(v);
#else
    evc_abi_u32 low = (evc_abi_u32)v;

    return low ? EVC_LOWEST32(low) : 32 + EVC_LOWEST32((evc_abi_u32)(v >> 32));
#endif
}

static inline int evc_is_single(evc_abi_u64 v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

static inline evc_abi_u64 evc_bit(unsigned n)
{
    return (evc_abi_u64)1 << n;
}

#endif /* EVC_GUEST_WORDS_H */
