/* SPDX-License-Identifier: MIT */
/*
 * The lock of a FIFO queue, and of a domain: held for a dozen instructions, or
 * a hundred.  One exchange to take, and one plain store to release, which is the
 * last that its holder does to it: what the lock is part of may then be freed.
 *
 * A holder that the scheduler has put aside, or that waits itself, as those do
 * who change a domain's ABI, is waited for politely: a waiter spins a little,
 * then gives up its processor, then sleeps, longer and longer up to 1 ms.  No
 * holder has to wake anybody; a mutex's unlocking would cost every holder a
 * second locked instruction to know that.
 */
#ifndef EVC_BASE_SPIN_H
#define EVC_BASE_SPIN_H

#include "atomic.h"

typedef struct {
    evc_a32 taken;
    evc_a32 wanted; /* a hint: somebody waits */
} evc_spin;

/* How a thread lets others run; defined by the hosted layer above. */
void evc_spin_wait(evc_spin *spin);
/* A turn of a loop that waits like that; its turns are counted from 0. */
void evc_spin_pause(unsigned turn);
/* Say that somebody waits. */
static inline void evc_spin_want(evc_spin *spin)
{
    evc_a32_store_rlx(&spin->wanted, 1);
}

/* Nobody is owed a turn; but who takes a lock over and over lets others in. */
void evc_spin_give_way(evc_spin *spin);

/* True: taken, and what the last holder wrote is visible. */
static inline bool evc_spin_try(evc_spin *spin)
{
    return evc_a32_swap_acq(&spin->taken, 1) == 0; /* L1, pairs with L2 */
}

static inline void evc_spin_lock(evc_spin *spin)
{
    if (!evc_spin_try(spin))
        evc_spin_wait(spin);
}

static inline void evc_spin_unlock(evc_spin *spin)
{
    evc_a32_store_rel(&spin->taken, 0); /* L2, pairs with L1 */
}

#endif /* EVC_BASE_SPIN_H */
