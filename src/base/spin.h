/* SPDX-License-Identifier: MIT */
/*
 * The lock of a FIFO queue: held for a dozen instructions, never across a call
 * that may block.  One exchange to take, one plain store to release.
 *
 * A holder that the scheduler has put aside is waited for politely: after a
 * short spin the waiter gives up its processor.
 */
#ifndef EVC_BASE_SPIN_H
#define EVC_BASE_SPIN_H

#include "atomic.h"

typedef struct {
    evc_a32 taken;
} evc_spin;

/* How a thread lets others run; defined by the hosted layer above. */
void evc_spin_wait(evc_spin *spin);

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
