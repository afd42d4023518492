/* SPDX-License-Identifier: MIT */
/**
 * @file sched.h
 *
 * How a vCPU waits, yields and stops: hypercall 29.
 *
 * Every member is written by the guest; the host only reads.  A host that
 * serves more than one layout reads evc_abi_sched_poll_* of layouts.h; the
 * other structs are the same for all.
 *
 * If Xen's own sched.h came first, its definitions stand.  The other order does
 * not compile.
 *
 * Source: sched.h.
 */
#ifndef EVC_ABI_SCHED_H
#define EVC_ABI_SCHED_H

#include "event_channel.h"
#include "guest.h"
#include "types.h"

#if !defined(__XEN_PUBLIC_SCHED_H__)

#define SCHEDOP_yield           0 /* let others run; no argument */
#define SCHEDOP_block           1 /* clear the upcall mask, wait; no argument */
#define SCHEDOP_shutdown        2 /* stop this domain */
#define SCHEDOP_poll            3 /* wait for one of some ports */
#define SCHEDOP_remote_shutdown 4 /* stop another domain; privileged */
#define SCHEDOP_shutdown_code   5 /* record the reason, do not stop yet */
#define SCHEDOP_watchdog        6 /* set, kick or clear a watchdog */
#define SCHEDOP_pin_override    7 /* stay on one processor; dom0 */

/* Why a domain stopped. */
#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot     1
#define SHUTDOWN_suspend    2
#define SHUTDOWN_crash      3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5 /* reset, keep the memory */
#define SHUTDOWN_MAX        5

/**
 * struct sched_shutdown - argument of SCHEDOP_shutdown and _shutdown_code
 * @reason: SHUTDOWN_*
 */
struct sched_shutdown {
    evc_abi_u32 reason;
};
typedef struct sched_shutdown sched_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_shutdown_t);

EVC_ABI_SIZE(struct sched_shutdown, 4);

/**
 * struct sched_poll - wait until a port is pending, masked or not
 * @ports:    the ports; the array is only read
 * @nr_ports: how many, at most 128
 * @timeout:  ns of system time, absolute; 0: none
 */
struct sched_poll {
    XEN_GUEST_HANDLE(evtchn_port_t) ports;
    evc_abi_u32 nr_ports;
    evc_abi_guest_u64 timeout;
};
typedef struct sched_poll sched_poll_t;
DEFINE_XEN_GUEST_HANDLE(sched_poll_t);

EVC_ABI_SIZE(struct sched_poll, EVC_ABI_GUEST_NUMBER(SCHED_POLL_SIZE));
EVC_ABI_AT(struct sched_poll, nr_ports,
           EVC_ABI_GUEST_NUMBER(SCHED_POLL_NR_PORTS));
EVC_ABI_AT(struct sched_poll, timeout,
           EVC_ABI_GUEST_NUMBER(SCHED_POLL_TIMEOUT));

/**
 * struct sched_remote_shutdown - stop another domain
 * @domain_id: which
 * @reason:    SHUTDOWN_*
 */
struct sched_remote_shutdown {
    domid_t domain_id;
    evc_abi_u32 reason;
};
typedef struct sched_remote_shutdown sched_remote_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_remote_shutdown_t);

EVC_ABI_SIZE(struct sched_remote_shutdown, 8);
EVC_ABI_AT(struct sched_remote_shutdown, reason, 4);

/**
 * struct sched_watchdog - set, kick or clear a watchdog
 * @id:      0: a new one, whose number is the answer; else which
 * @timeout: s until SHUTDOWN_watchdog; 0: clear it
 */
struct sched_watchdog {
    evc_abi_u32 id;
    evc_abi_u32 timeout;
};
typedef struct sched_watchdog sched_watchdog_t;
DEFINE_XEN_GUEST_HANDLE(sched_watchdog_t);

EVC_ABI_SIZE(struct sched_watchdog, 8);
EVC_ABI_AT(struct sched_watchdog, timeout, 4);

/**
 * struct sched_pin_override - stay on one processor for a while
 * @pcpu: which; negative: end it
 */
struct sched_pin_override {
    evc_abi_s32 pcpu;
};
typedef struct sched_pin_override sched_pin_override_t;
DEFINE_XEN_GUEST_HANDLE(sched_pin_override_t);

EVC_ABI_SIZE(struct sched_pin_override, 4);

#endif /* !__XEN_PUBLIC_SCHED_H__ */

#endif /* EVC_ABI_SCHED_H */
