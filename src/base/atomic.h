/* SPDX-License-Identifier: MIT */
/*
 * Shared words: every access names its memory order.
 *
 * A word that another thread, process or guest may touch is one of the types
 * below.  Each is a struct, so a plain `w = 1` or `if (w)` does not compile:
 * the reader always sees which order the author chose.
 *
 *   _rlx  relaxed: the value only, no ordering
 *   _acq  acquire: what the releasing side wrote before is visible after
 *   _rel  release: what this side wrote before is visible to the acquirer
 *   _sc   sequentially consistent: this side's store, then its load, in order
 *
 * The read-modify-writes return the word as it was before.  Guest memory is
 * reached by casting its address to one of these types: the ABI gives natural
 * alignment, and little-endian hosts only are supported.
 *
 * Freestanding: needs no libc.  A function is added here when its first caller
 * needs it, never in advance.
 *
 * Setting or clearing one bit and learning what it was is one instruction on x86
 * (lock bts, lock btr), which not every compiler finds: some make it a loop, and
 * whoever keeps changing the word keeps such a loop going.  Where assembly would
 * hide an access from a tool, -DEVC_NO_ASM leaves it out.
 */
#ifndef EVC_BASE_ATOMIC_H
#define EVC_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the event-channel ABI is little-endian"
#endif

/*
 * On x86 every locked instruction is a full fence, also the guest's, whatever
 * order its source asked for.  Elsewhere a guest may have asked for less.
 */
#ifndef EVC_RMW_IS_FENCE
#if defined(__x86_64__) || defined(__i386__)
#define EVC_RMW_IS_FENCE 1
#else
#define EVC_RMW_IS_FENCE 0
#endif
#endif

#if defined(__x86_64__) && !defined(EVC_NO_ASM) && !defined(EVC_SANITIZED)
#define EVC_BIT_ASM
#endif

typedef struct {
    _Atomic uint8_t raw_;
} evc_a8;

typedef struct {
    _Atomic uint32_t raw_;
} evc_a32;

typedef struct {
    _Atomic uint64_t raw_;
} evc_a64;

_Static_assert(sizeof(evc_a8) == 1 && sizeof(evc_a32) == 4 &&
                   sizeof(evc_a64) == 8,
               "shared words have the ABI's size");
_Static_assert(ATOMIC_CHAR_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 &&
                   ATOMIC_LLONG_LOCK_FREE == 2,
               "a lock inside libatomic would not be shared with the guest");

/* One name per width, operation and order: evc_a32_load_acq() and so on. */
#define EVC_LOAD(W, ORDER, order)                                        \
    static inline uint##W##_t evc_a##W##_load_##ORDER(const evc_a##W *w) \
    {                                                                    \
        return atomic_load_explicit(&w->raw_, memory_order_##order);     \
    }

#define EVC_STORE(W, ORDER, order)                                          \
    static inline void evc_a##W##_store_##ORDER(evc_a##W *w, uint##W##_t v) \
    {                                                                       \
        atomic_store_explicit(&w->raw_, v, memory_order_##order);           \
    }

#define EVC_RMW(W, NAME, call, ORDER, order)                             \
    static inline uint##W##_t evc_a##W##_##NAME##_##ORDER(evc_a##W *w,   \
                                                          uint##W##_t v) \
    {                                                                    \
        return call(&w->raw_, v, memory_order_##order);                  \
    }

/* Clears the bits given. */
#define EVC_CLEAR(W, ORDER, order)                                       \
    static inline uint##W##_t evc_a##W##_clear_##ORDER(evc_a##W *w,      \
                                                       uint##W##_t bits) \
    {                                                                    \
        return atomic_fetch_and_explicit(&w->raw_, (uint##W##_t) ~bits,  \
                                         memory_order_##order);          \
    }

/* True when *expected was there; otherwise *expected is what was. */
#define EVC_CAS(W, ORDER, order)                                              \
    static inline bool evc_a##W##_cas_##ORDER(                                \
        evc_a##W *w, uint##W##_t *expected, uint##W##_t v)                    \
    {                                                                         \
        return atomic_compare_exchange_strong_explicit(&w->raw_, expected, v, \
                                                       memory_order_##order,  \
                                                       memory_order_relaxed); \
    }

/* Sets or clears a bit, and tells what it was. */
#define EVC_BIT_RMW(W, NAME, call, NONE, ORDER, order)                        \
    static inline bool evc_a##W##_##NAME##_##ORDER(evc_a##W *w, unsigned bit) \
    {                                                                         \
        uint##W##_t mask = (uint##W##_t)((uint##W##_t)1 << bit);              \
                                                                              \
        return call(&w->raw_, (uint##W##_t)(mask ^ NONE),                     \
                    memory_order_##order) &                                   \
               mask;                                                          \
    }

/* AS: the type that the instruction changes. */
#ifdef EVC_BIT_ASM
#define EVC_BIT(W, AS, NAME, call, NONE, instruction)                    \
    static inline bool evc_a##W##_##NAME##_sc(evc_a##W *w, unsigned bit) \
    {                                                                    \
        bool was;                                                        \
                                                                         \
        __asm__ volatile("lock " instruction " %2, %1"                   \
                         : "=@ccc"(was), "+m"(*(AS *)(void *)w)          \
                         : "Jr"((AS)bit)                                 \
                         : "memory");                                    \
        return was;                                                      \
    }
#else
#define EVC_BIT(W, AS, NAME, call, NONE, instruction) \
    EVC_BIT_RMW(W, NAME, call, NONE, sc, seq_cst)
#endif

/* A full fence: what this side stored is visible before what it loads next. */
static inline void evc_fence_sc(void)
{
#ifdef EVC_BIT_ASM /* a third of what mfence costs */
    __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* clang-format off */
EVC_LOAD(8, rlx, relaxed)
EVC_LOAD(8, sc, seq_cst)
EVC_STORE(8, rlx, relaxed)
EVC_RMW(8, set, atomic_fetch_or_explicit, sc, seq_cst)

EVC_LOAD(32, rlx, relaxed)
EVC_LOAD(32, acq, acquire)
EVC_LOAD(32, sc, seq_cst)
EVC_STORE(32, rlx, relaxed)
EVC_STORE(32, rel, release)
EVC_STORE(32, sc, seq_cst)
EVC_RMW(32, add, atomic_fetch_add_explicit, sc, seq_cst)
EVC_RMW(32, sub, atomic_fetch_sub_explicit, sc, seq_cst)
EVC_RMW(32, set, atomic_fetch_or_explicit, sc, seq_cst)
EVC_RMW(32, swap, atomic_exchange_explicit, acq, acquire)
EVC_RMW(32, swap, atomic_exchange_explicit, sc, seq_cst)
EVC_CLEAR(32, sc, seq_cst)
EVC_CAS(32, sc, seq_cst)

EVC_LOAD(64, rlx, relaxed)
EVC_LOAD(64, acq, acquire)
EVC_LOAD(64, sc, seq_cst)
EVC_STORE(64, rlx, relaxed)
EVC_STORE(64, rel, release)
EVC_STORE(64, sc, seq_cst)
EVC_RMW(64, add, atomic_fetch_add_explicit, rlx, relaxed)
EVC_RMW(64, set, atomic_fetch_or_explicit, sc, seq_cst)
EVC_CLEAR(64, sc, seq_cst)

/* Of a byte at an even address, x86 takes two; only the bit changes. */
EVC_BIT(8, uint16_t, set_bit, atomic_fetch_or_explicit, 0, "btsw")
EVC_BIT(32, uint32_t, set_bit, atomic_fetch_or_explicit, 0, "btsl")
EVC_BIT(32, uint32_t, clear_bit, atomic_fetch_and_explicit, UINT32_MAX, "btrl")
EVC_BIT(64, uint64_t, set_bit, atomic_fetch_or_explicit, 0, "btsq")
EVC_BIT(64, uint64_t, clear_bit, atomic_fetch_and_explicit, UINT64_MAX, "btrq")
/* clang-format on */

#undef EVC_LOAD
#undef EVC_STORE
#undef EVC_RMW
#undef EVC_CLEAR
#undef EVC_CAS
#undef EVC_BIT
#undef EVC_BIT_RMW

#endif /* EVC_BASE_ATOMIC_H */
