/* SPDX-License-Identifier: MIT */
/* The engine's own sources as one translation unit, with a lock that waits. */
#ifndef EVC_TESTS_MODEL_ENGINE_H
#define EVC_TESTS_MODEL_ENGINE_H

#include <string.h>

#include "delivery.c"
#include "fifo.c"
#include "table.c"
#include "twolevel.c"

#if !defined(EVC_GENMC) && !defined(MODEL_HOST) /* have one of their own */
void evc_spin_wait(evc_spin *spin)
{
    model_await(evc_a32_swap_acq(&spin->taken, 1) == 0);
}
#endif

#include "guest.h"

#endif /* EVC_TESTS_MODEL_ENGINE_H */
