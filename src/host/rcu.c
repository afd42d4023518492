/* SPDX-License-Identifier: MIT */
/*
 * The waiting side of RCU, and whether there is a quick way for readers.
 */
#include "rcu.h"

#ifdef EVC_TSAN
char evc_rcu_tag;
#endif

bool evc_rcu_is_quick(void)
{
#ifdef EVC_RCU_INLINE
    /* A reader has been there: by now liburcu knows. */
    evc_rcu_lock();
    evc_rcu_unlock();
    return urcu_bp_has_sys_membarrier;
#else
    return false;
#endif
}

void evc_rcu_wait(void)
{
    urcu_bp_synchronize_rcu();
    EVC_RCU_ACQUIRE();
}
