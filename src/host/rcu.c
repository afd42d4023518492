/* SPDX-License-Identifier: MIT */
/*
 * The waiting side of RCU.
 */
#include "rcu.h"

#ifdef EVC_TSAN
char evc_rcu_tag;
#endif

void evc_rcu_wait(void)
{
    urcu_bp_synchronize_rcu();
    EVC_RCU_ACQUIRE();
}
