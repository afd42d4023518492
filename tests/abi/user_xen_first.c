/* SPDX-License-Identifier: MIT */
/*
 * A program that has Xen's headers and then ours: theirs stand.
 */
#include <stdint.h>

#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/guest.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

evtchn_port_t user_port(const struct evtchn_alloc_unbound *open);
int user_is_pending(const struct shared_info *theirs,
                    const struct evc_abi_shared_info_x86_32 *ours);

evtchn_port_t user_port(const struct evtchn_alloc_unbound *open)
{
    return open->dom == DOMID_SELF ? open->port : 0;
}

int user_is_pending(const struct shared_info *theirs,
                    const struct evc_abi_shared_info_x86_32 *ours)
{
    return theirs->evtchn_pending[0] != 0 || ours->evtchn_pending[0] != 0;
}
