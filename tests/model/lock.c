/* SPDX-License-Identifier: MIT */
/*
 * Model: the lock of a queue.
 *
 * Property: what it guards is not lost.
 * Bounds:   3 threads, 2 turns each.
 * Rows:     L1/L2.
 */
#define MODEL_REAL_SPIN
#include "model.h"

#include "spin.h"

static evc_spin spin[COPIES];
static int count[COPIES]; /* plain: the lock must order it */

void evc_spin_wait(evc_spin *at)
{
    model_await(evc_a32_swap_acq(&at->taken, 1) == 0);
}

static void setup(unsigned i)
{
    count[i] = 0;
}

static void turns(unsigned i)
{
    for (int turn = 0; turn < 2; turn++) {
        evc_spin_lock(&spin[i]);
        count[i]++;
        evc_spin_unlock(&spin[i]);
    }
}

static void check(unsigned i)
{
    assert(count[i] == 6);
    assert(evc_a32_load_sc(&spin[i].taken) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {{turns}, {turns}, {turns}};

    model_run(setup, threads, 3, check);
    return 0;
}
