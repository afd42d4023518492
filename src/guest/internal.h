/* SPDX-License-Identifier: MIT */
/*
 * What the files of the guest library share.
 *
 *   guest.c     starting; the hypercall
 *   bind.c      opening ports
 *   settle.c    closing and moving them, while their handler may run
 *   mask.c      mask and unmask
 *   upcall.c    the dispatcher
 *   run.h       what it does for each event: inline
 *   twolevel.c  where events are: one bit a port      (delivery/twolevel.c)
 *   fifo.c      where events are: queues of words     (delivery/fifo.c)
 *   storm.c     holding a port back
 *   poll.c      without interrupts
 *
 * A port is in the state of its `state` word.  The host's mask bit follows it
 * (mask.c) and saves upcalls; what the dispatcher goes by is the state.
 *
 * Ordering table of the words that only the guest's vCPUs share.
 *
 *   here                     there                    if it were weaker
 *   -----------------------  -----------------------  ------------------------
 *   H1 store state      rel  H2 load state       acq  handler, closer or next
 *                                                     binder meets an old record
 *   N1 store busy       rel  N4 load busy        acq  unbinder does not see who
 *   N2 take event        ar  N3 touch word        ar  is in the handler, returns
 *                                                     while it runs
 *   N3 touch word        ar  N2 take event        ar  dispatcher calls a handler
 *                            H2 load state       acq  that is being unbound
 *   N5 store busy       rel  N4 load busy        acq  unbinder frees what the
 *                                                     handler still reads
 *   M1 change state      ar  M3 load state            mask bit and state differ
 *   M2 touch mask bit    ar  M2 touch mask bit    ar  for good: event lost; an
 *                                                     event put back is not seen
 *
 * N1 to N4 need no fence and no read-modify-write of their own: the dispatcher
 * says where it is (N1), then takes the event (N2); the unbinder says that the
 * port is closing, then touches the same word (N3).  One of the two
 * read-modify-writes comes first, and the other sees what was written before it.
 *
 * M1 to M3 likewise: change the state, write the mask bit, look at the state
 * again.  Of two who write the bit, the later one sees what the other knew.  An
 * event that was taken and may not be handled is put back before that, so that
 * the later one finds it pending.
 */
#ifndef EVC_GUEST_INTERNAL_H
#define EVC_GUEST_INTERNAL_H

#include "words.h"

#include <evc/abi/errno.h>

#ifdef EVC_GUEST_HOOKS
#include EVC_GUEST_HOOKS
#endif

/* Not for users of the library.  lib/evc-guest.c makes them static. */
#ifndef EVC_HIDDEN
#define EVC_HIDDEN __attribute__((visibility("hidden")))
#endif

/* ---- the state of a port ------------------------------------------------------ */

#define EVC_STATE_BOUND   0x01u
#define EVC_STATE_LOCKED  0x02u /* somebody opens, closes or moves it */
#define EVC_STATE_CLOSING 0x04u
#define EVC_STATE_MOVING  0x08u
#define EVC_STATE_USER    0x10u /* masked by the guest */
#define EVC_STATE_HELD    0x20u /* masked for a while: a storm */
#define EVC_STATE_POLLED  0x40u /* bound without a handler */
#define EVC_STATE_LISTED  0x80u /* on a list of ports held back, perhaps still */
#define EVC_STATE_VCPU    16    /* the notified vCPU, from this bit on */
#define EVC_STATE_VCPUS   0xffff0000u

#define EVC_STATE_REASONS                                                     \
    (EVC_STATE_CLOSING | EVC_STATE_MOVING | EVC_STATE_USER | EVC_STATE_HELD | \
     EVC_STATE_POLLED)

/* The state of a port whose handler a vCPU runs, reasons and all. */
static inline evc_abi_u32 evc_state_of_runner(evc_abi_u32 vcpu)
{
    return EVC_STATE_BOUND | vcpu << EVC_STATE_VCPU;
}

/* Its events go to its handler. */
static inline int evc_state_runs(evc_abi_u32 state)
{
    return (state & (EVC_STATE_BOUND | EVC_STATE_REASONS)) == EVC_STATE_BOUND;
}

static inline evc_abi_u32 evc_state_vcpu(evc_abi_u32 state)
{
    return state >> EVC_STATE_VCPU;
}

static inline int evc_is_fifo(const struct evc_guest *guest)
{
    return guest->events != 0;
}

/* The record of a port that is bound and has nobody closing it, or NULL. */
EVC_HIDDEN struct evc_guest_port *evc_g_port_find(struct evc_guest *guest,
                                                  evc_port port);

/* Change flags of a bound port: returns the state before, 0 if it is not. */
EVC_HIDDEN evc_abi_u32 evc_g_state_change(struct evc_guest_port *p,
                                          evc_abi_u32 set, evc_abi_u32 clear);

/* ---- guest.c -------------------------------------------------------------------- */

EVC_HIDDEN int evc_g_hypercall(struct evc_guest_vcpu *self, evc_abi_u32 nr,
                               evc_abi_uptr a, evc_abi_uptr b, evc_abi_uptr c);

/* EVTCHNOP_* with its argument. */
EVC_HIDDEN int evc_g_op(struct evc_guest_vcpu *self, evc_abi_u32 cmd,
                        void *arg);

/* ---- mask.c ---------------------------------------------------------------------- */

/* Let the mask bit follow the state. */
EVC_HIDDEN void evc_g_mask_follow(struct evc_guest_vcpu *self, evc_port port);

/* The host unmasks and raises what is pending. */
EVC_HIDDEN void evc_g_unmask_by_host(struct evc_guest_vcpu *self,
                                     evc_port port);

/* ---- upcall.c -------------------------------------------------------------------- */

/*
 * `todo` is set by whoever leaves something to this vCPU's dispatches, and found
 * anew at the end of each but those of one event, which must find it 0.
 */
static inline void evc_to_do(struct evc_guest_vcpu *self)
{
    self->todo = 1;
}

/* After the current handler, where that is more than counting it. */
EVC_HIDDEN EVC_COLD void evc_g_account(struct evc_guest_vcpu *self, int result);

/*
 * Give the event back: its handler is not to be called here.  It waits until
 * the port is enabled again, or goes to the vCPU that it notifies by now.
 */
EVC_HIDDEN EVC_COLD void evc_g_put_back(struct evc_guest_vcpu *self,
                                        evc_port port, evc_abi_u32 state);

/* May another handler begin, now that `left` is 0? */
EVC_HIDDEN EVC_COLD int evc_g_may_still_run(struct evc_guest_vcpu *self);

/*
 * How a dispatch goes on that was not as simple as hoped: what was collected is
 * to be served; so it is after the first event, whose handler said `result`, or
 * was not to be called; or the flag is set again.
 */
EVC_HIDDEN EVC_COLD int evc_g_dispatch_all(struct evc_guest_vcpu *self);
EVC_HIDDEN EVC_COLD int evc_g_dispatch_on(struct evc_guest_vcpu *self,
                                          int result);
EVC_HIDDEN EVC_COLD int evc_g_dispatch_refused(struct evc_guest_vcpu *self,
                                               evc_port port,
                                               evc_abi_u32 state);
EVC_HIDDEN EVC_COLD int evc_g_dispatch_again(struct evc_guest_vcpu *self);

/* ---- settle.c -------------------------------------------------------------------- */

/* Finish what had to wait for handlers. True: some still has to. */
EVC_HIDDEN int evc_g_settle_all(struct evc_guest_vcpu *self);

/* ---- storm.c --------------------------------------------------------------------- */

EVC_HIDDEN void evc_g_storm_spurious(struct evc_guest_vcpu *self,
                                     evc_port port);
EVC_HIDDEN void evc_g_storm_release(struct evc_guest_vcpu *self);

/* ---- twolevel.c, fifo.c: the same for each ABI --------------------------------------- */

/*
 * A dispatch, its flag cleared: all of it if it is of one event, as nearly all
 * are.  Returns what evc_guest_dispatch() does.
 */
EVC_HIDDEN int evc_g_twolevel_quick(struct evc_guest_vcpu *self, void *info);
EVC_HIDDEN int evc_g_fifo_quick(struct evc_guest_vcpu *self);

/*
 * Take what the host has announced, if it says so, and serve events until there
 * are none, or no handler may begin.  True: there are more.
 */
EVC_HIDDEN int evc_g_twolevel_serve(struct evc_guest_vcpu *self, int told);
EVC_HIDDEN int evc_g_fifo_serve(struct evc_guest_vcpu *self, int told);

/* FIFO: both, of one queue. True: it has more. */
EVC_HIDDEN int evc_g_fifo_serve_one(struct evc_guest_vcpu *self,
                                    unsigned queue);

/* The mask bit. Clearing it leaves no pending event unannounced. */
EVC_HIDDEN void evc_g_twolevel_mask(struct evc_guest *guest, evc_port port);
EVC_HIDDEN void evc_g_fifo_mask(struct evc_guest *guest, evc_port port);
EVC_HIDDEN void evc_g_twolevel_unmask(struct evc_guest_vcpu *self,
                                      evc_port port);
EVC_HIDDEN void evc_g_fifo_unmask(struct evc_guest_vcpu *self, evc_port port);

/* Clear PENDING: true, it was set. */
EVC_HIDDEN int evc_g_twolevel_take(struct evc_guest *guest, evc_port port);
EVC_HIDDEN int evc_g_fifo_take(struct evc_guest *guest, evc_port port);

/* Set it again. */
EVC_HIDDEN void evc_g_twolevel_give(struct evc_guest *guest, evc_port port);
EVC_HIDDEN void evc_g_fifo_give(struct evc_guest *guest, evc_port port);

/* What `busy` says of a vCPU that may be about to run this port's handler. */
static inline evc_abi_u32 evc_busy_key(const struct evc_guest *guest,
                                       evc_port port)
{
    return evc_is_fifo(guest) ? port : (port >> guest->word_shift) + 1;
}

/* Two-level: a port comes to a vCPU, leaves it, or is closed. */
EVC_HIDDEN void evc_g_twolevel_own(struct evc_guest_vcpu *vcpu, evc_port port);
EVC_HIDDEN void evc_g_twolevel_leave(struct evc_guest_vcpu *vcpu,
                                     evc_port port);
EVC_HIDDEN void evc_g_twolevel_disown(struct evc_guest *guest, evc_port port);

#endif /* EVC_GUEST_INTERNAL_H */
