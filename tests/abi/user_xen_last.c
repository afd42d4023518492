/* SPDX-License-Identifier: MIT */
/*
 * A program that has our public header, then Xen's library and headers, which
 * is where sorted includes put them: event_channel.h of Xen steps aside.
 *
 * Only what <evc/evc.h> may include can come first: event_channel.h, errno.h
 * and the headers with nothing but evc_ names.
 */
#include <stdint.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/guest.h>
#include <evc/abi/layouts.h>
#include <evc/abi/offsets.h>

#include <xenevtchn.h>

#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#if defined(__XEN_TOOLS__) && !defined(__STRICT_ANSI__)
#include <xen/domctl.h>
#endif

evtchn_port_t user_port(const struct evtchn_alloc_unbound *open);
int user_poll(sched_poll_t *poll, evtchn_port_t *ports);

evtchn_port_t user_port(const struct evtchn_alloc_unbound *open)
{
    return open->dom == DOMID_SELF ? open->port : 0;
}

int user_poll(sched_poll_t *poll, evtchn_port_t *ports)
{
    set_xen_guest_handle(poll->ports, ports);
    return -XEN_EINVAL;
}
