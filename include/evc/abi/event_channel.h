/* SPDX-License-Identifier: MIT */
/**
 * @file event_channel.h
 *
 * Operations on event channels, their arguments, and the words of a FIFO.
 *
 * A guest passes the number of an operation and the address of its argument to
 * hypercall 32; the host answers zero or a negative errno value (errno.h).  In
 * the structs "in" is written by the caller and only read by the host, "out" is
 * written by the host and on success only.  They lie the same way in memory for
 * every guest, and none has padding whose content matters.
 *
 * With Xen's own event_channel.h in the same program: if that one came first,
 * its definitions stand and nothing is declared here; if this one came first,
 * it claims the other's include guard.  Both say the same, and a test holds
 * them against each other; the one difference is that this one does not bring
 * xen.h, so a program that wants DOMID_SELF includes a header that has it.
 *
 * Source: event_channel.h.
 */
#ifndef EVC_ABI_EVENT_CHANNEL_H
#define EVC_ABI_EVENT_CHANNEL_H

#include "guest.h"
#include "types.h"

#if !defined(__XEN_PUBLIC_EVENT_CHANNEL_H__)
#define __XEN_PUBLIC_EVENT_CHANNEL_H__

/* -- operations ---------------------------------------------------------------
 * Number 14 is Xen's own: a reset that was interrupted goes on under it
 * (`reset_cont`).  No guest may use it, so it has no name here.
 */
#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq        1
#define EVTCHNOP_bind_pirq        2
#define EVTCHNOP_close            3
#define EVTCHNOP_send             4
#define EVTCHNOP_status           5
#define EVTCHNOP_alloc_unbound    6
#define EVTCHNOP_bind_ipi         7
#define EVTCHNOP_bind_vcpu        8
#define EVTCHNOP_unmask           9
#define EVTCHNOP_reset            10
#define EVTCHNOP_init_control     11
#define EVTCHNOP_expand_array     12
#define EVTCHNOP_set_priority     13

/* A port: one end of a channel, local to its domain.  0 is never one. */
typedef evc_abi_u32 evtchn_port_t;
DEFINE_XEN_GUEST_HANDLE(evtchn_port_t);

/**
 * struct evtchn_alloc_unbound - open a port that another domain may bind to
 * @dom:        in: where to open it; DOMID_SELF unless privileged
 * @remote_dom: in: who may bind; DOMID_SELF is the caller, for a loopback
 * @port:       out: the new port, in @dom
 */
struct evtchn_alloc_unbound {
    domid_t dom;
    domid_t remote_dom;
    evtchn_port_t port;
};
typedef struct evtchn_alloc_unbound evtchn_alloc_unbound_t;

EVC_ABI_SIZE(struct evtchn_alloc_unbound, 8);
EVC_ABI_AT(struct evtchn_alloc_unbound, remote_dom, 2);
EVC_ABI_AT(struct evtchn_alloc_unbound, port, 4);

/**
 * struct evtchn_bind_interdomain - connect to a port another domain opened
 * @remote_dom:  in: the other domain, or DOMID_SELF
 * @remote_port: in: its port, unbound and offered to the caller
 * @local_port:  out: the caller's new end
 *
 * @local_port is pending when the call returns: the other side may have sent
 * before there was anyone to hear it.
 */
struct evtchn_bind_interdomain {
    domid_t remote_dom;
    evtchn_port_t remote_port;
    evtchn_port_t local_port;
};
typedef struct evtchn_bind_interdomain evtchn_bind_interdomain_t;

EVC_ABI_SIZE(struct evtchn_bind_interdomain, 12);
EVC_ABI_AT(struct evtchn_bind_interdomain, remote_port, 4);
EVC_ABI_AT(struct evtchn_bind_interdomain, local_port, 8);

/**
 * struct evtchn_bind_virq - receive a virtual interrupt on a port
 * @virq: in: VIRQ_*
 * @vcpu: in: whom to notify; 0 where the interrupt is not per vCPU
 * @port: out: the new port
 */
struct evtchn_bind_virq {
    evc_abi_u32 virq;
    evc_abi_u32 vcpu;
    evtchn_port_t port;
};
typedef struct evtchn_bind_virq evtchn_bind_virq_t;

EVC_ABI_SIZE(struct evtchn_bind_virq, 12);
EVC_ABI_AT(struct evtchn_bind_virq, vcpu, 4);
EVC_ABI_AT(struct evtchn_bind_virq, port, 8);

/* evtchn_bind_pirq.flags: other domains may bind the same interrupt. */
#define BIND_PIRQ__WILL_SHARE 1

/**
 * struct evtchn_bind_pirq - receive a device's interrupt on a port
 * @pirq:  in: the interrupt, by the domain's own number for it
 * @flags: in: BIND_PIRQ__*
 * @port:  out: the new port, which notifies vCPU 0
 */
struct evtchn_bind_pirq {
    evc_abi_u32 pirq;
    evc_abi_u32 flags;
    evtchn_port_t port;
};
typedef struct evtchn_bind_pirq evtchn_bind_pirq_t;

EVC_ABI_SIZE(struct evtchn_bind_pirq, 12);
EVC_ABI_AT(struct evtchn_bind_pirq, flags, 4);
EVC_ABI_AT(struct evtchn_bind_pirq, port, 8);

/**
 * struct evtchn_bind_ipi - open a port on which vCPUs of a domain notify one
 * @vcpu: in: whom to notify, for as long as the port is open
 * @port: out: the new port
 */
struct evtchn_bind_ipi {
    evc_abi_u32 vcpu;
    evtchn_port_t port;
};
typedef struct evtchn_bind_ipi evtchn_bind_ipi_t;

EVC_ABI_SIZE(struct evtchn_bind_ipi, 8);
EVC_ABI_AT(struct evtchn_bind_ipi, port, 4);

/**
 * struct evtchn_close - close a port
 * @port: in: the caller's own; a peer's end becomes unbound again
 */
struct evtchn_close {
    evtchn_port_t port;
};
typedef struct evtchn_close evtchn_close_t;

EVC_ABI_SIZE(struct evtchn_close, 4);

/**
 * struct evtchn_send - signal the other end
 * @port: in: the caller's own end, of an interdomain channel or an IPI
 */
struct evtchn_send {
    evtchn_port_t port;
};
typedef struct evtchn_send evtchn_send_t;

EVC_ABI_SIZE(struct evtchn_send, 4);

/* evtchn_status.status, and below it the member of u that it fills. */
#define EVTCHNSTAT_closed      0 /* not in use */
#define EVTCHNSTAT_unbound     1 /* waits for its peer */
#define EVTCHNSTAT_interdomain 2 /* connected */
#define EVTCHNSTAT_pirq        3 /* a device's interrupt */
#define EVTCHNSTAT_virq        4 /* a virtual interrupt */
#define EVTCHNSTAT_ipi         5 /* between vCPUs of one domain */

/**
 * struct evtchn_status - ask what a port is
 * @dom:    in: whose port; DOMID_SELF unless privileged
 * @port:   in: the port
 * @status: out: EVTCHNSTAT_*
 * @vcpu:   out: the vCPU it notifies
 * @u:      out: who or what is at the other end, by @status
 */
struct evtchn_status {
    domid_t dom;
    evtchn_port_t port;
    evc_abi_u32 status;
    evc_abi_u32 vcpu;
    union {
        struct {
            domid_t dom; /* who may bind */
        } unbound;
        struct {
            domid_t dom; /* the peer's domain */
            evtchn_port_t port;
        } interdomain;
        evc_abi_u32 pirq;
        evc_abi_u32 virq; /* VIRQ_* */
    } u;
};
typedef struct evtchn_status evtchn_status_t;

EVC_ABI_SIZE(struct evtchn_status, 24);
EVC_ABI_AT(struct evtchn_status, port, 4);
EVC_ABI_AT(struct evtchn_status, status, 8);
EVC_ABI_AT(struct evtchn_status, vcpu, 12);
EVC_ABI_AT(struct evtchn_status, u, 16);
EVC_ABI_AT(struct evtchn_status, u.interdomain.port, 20);

/**
 * struct evtchn_bind_vcpu - move a port to another vCPU
 * @port: in: the caller's own; not an IPI, nor a VIRQ that is per vCPU
 * @vcpu: in: whom to notify from now on
 *
 * A port that was never moved notifies vCPU 0.
 */
struct evtchn_bind_vcpu {
    evtchn_port_t port;
    evc_abi_u32 vcpu;
};
typedef struct evtchn_bind_vcpu evtchn_bind_vcpu_t;

EVC_ABI_SIZE(struct evtchn_bind_vcpu, 8);
EVC_ABI_AT(struct evtchn_bind_vcpu, vcpu, 4);

/**
 * struct evtchn_unmask - clear a port's mask, and notify if it is pending
 * @port: in: the caller's own
 */
struct evtchn_unmask {
    evtchn_port_t port;
};
typedef struct evtchn_unmask evtchn_unmask_t;

EVC_ABI_SIZE(struct evtchn_unmask, 4);

/**
 * struct evtchn_reset - close every port of a domain, back to two levels
 * @dom: in: DOMID_SELF, or a paused domain if privileged
 */
struct evtchn_reset {
    domid_t dom;
};
typedef struct evtchn_reset evtchn_reset_t;

EVC_ABI_SIZE(struct evtchn_reset, 2);

/**
 * struct evtchn_init_control - give a vCPU its FIFO control block
 * @control_gfn: in: the guest frame it lies in
 * @offset:      in: bytes into that frame, a multiple of 8
 * @vcpu:        in: whose it is
 * @link_bits:   out: bits of LINK, EVTCHN_FIFO_LINK_BITS
 *
 * The first of these switches the whole domain to FIFO delivery.
 */
struct evtchn_init_control {
    evc_abi_u64 control_gfn;
    evc_abi_u32 offset;
    evc_abi_u32 vcpu;
    evc_abi_u8 link_bits;
    evc_abi_u8 _pad[7];
};
typedef struct evtchn_init_control evtchn_init_control_t;

EVC_ABI_SIZE(struct evtchn_init_control, 24);
EVC_ABI_AT(struct evtchn_init_control, offset, 8);
EVC_ABI_AT(struct evtchn_init_control, vcpu, 12);
EVC_ABI_AT(struct evtchn_init_control, link_bits, 16);

/**
 * struct evtchn_expand_array - add 1024 event words
 * @array_gfn: in: the guest frame with the words of the next 1024 ports
 */
struct evtchn_expand_array {
    evc_abi_u64 array_gfn;
};
typedef struct evtchn_expand_array evtchn_expand_array_t;

EVC_ABI_SIZE(struct evtchn_expand_array, 8);

/**
 * struct evtchn_set_priority - choose the queue for a port's events
 * @port:     in: the caller's own
 * @priority: in: 0, served first, to 15
 */
struct evtchn_set_priority {
    evtchn_port_t port;
    evc_abi_u32 priority;
};
typedef struct evtchn_set_priority evtchn_set_priority_t;

EVC_ABI_SIZE(struct evtchn_set_priority, 8);
EVC_ABI_AT(struct evtchn_set_priority, priority, 4);

/**
 * struct evtchn_op - argument of the old hypercall 16: number and argument
 * @cmd: in: EVTCHNOP_*, one of those in @u
 * @u:   in and out, as in the struct of that operation
 */
struct evtchn_op {
    evc_abi_u32 cmd;
    union {
        evtchn_alloc_unbound_t alloc_unbound;
        evtchn_bind_interdomain_t bind_interdomain;
        evtchn_bind_virq_t bind_virq;
        evtchn_bind_pirq_t bind_pirq;
        evtchn_bind_ipi_t bind_ipi;
        evtchn_close_t close;
        evtchn_send_t send;
        evtchn_status_t status;
        evtchn_bind_vcpu_t bind_vcpu;
        evtchn_unmask_t unmask;
    } u;
};
typedef struct evtchn_op evtchn_op_t;
DEFINE_XEN_GUEST_HANDLE(evtchn_op_t);

EVC_ABI_SIZE(struct evtchn_op, 28);
EVC_ABI_AT(struct evtchn_op, u, 4);

/* -- two levels ---------------------------------------------------------------
 * Ports a guest of the chosen layout (guest.h) can name, port 0 included.  A
 * host takes EVC_ABI_<layout>_TWOLEVEL_PORTS instead.
 */
#define EVTCHN_2L_NR_CHANNELS EVC_ABI_GUEST_NUMBER(TWOLEVEL_PORTS)

/* -- FIFO ---------------------------------------------------------------------
 * One event word per port, numbers of its bits:
 *
 *   PENDING  host sets, guest clears when it handles the event
 *   MASKED   guest sets; guest clears, or the host on EVTCHNOP_unmask
 *   LINKED   host sets when it queues the event; guest clears, with LINK
 *   BUSY     host only: the guest must not clear MASKED itself right now
 *   LINK     the low 17 bits: the next port in the queue, 0 at its end
 *
 * A queue is also a priority, and lower numbers are served first: "max" is the
 * most urgent one.
 */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15
#define EVTCHN_FIFO_MAX_QUEUES       (EVTCHN_FIFO_PRIORITY_MIN + 1)

#define EVTCHN_FIFO_PENDING 31
#define EVTCHN_FIFO_MASKED  30
#define EVTCHN_FIFO_LINKED  29
#define EVTCHN_FIFO_BUSY    28

#define EVTCHN_FIFO_LINK_BITS   17
#define EVTCHN_FIFO_NR_CHANNELS (1 << EVTCHN_FIFO_LINK_BITS)
#define EVTCHN_FIFO_LINK_MASK   (EVTCHN_FIFO_NR_CHANNELS - 1)

typedef evc_abi_u32 event_word_t;

/**
 * struct evtchn_fifo_control_block - a vCPU's queues
 * @ready: bit q: queue q may have events; host sets, guest clears
 * @_rsvd: zero
 * @head:  first port of each queue; written by the host when it queues into an
 *         empty one, read by the guest
 */
struct evtchn_fifo_control_block {
    evc_abi_u32 ready;
    evc_abi_u32 _rsvd;
    event_word_t head[EVTCHN_FIFO_MAX_QUEUES];
};
typedef struct evtchn_fifo_control_block evtchn_fifo_control_block_t;

EVC_ABI_SIZE(struct evtchn_fifo_control_block, EVC_ABI_FIFO_CONTROL_BLOCK_SIZE);
EVC_ABI_AT(struct evtchn_fifo_control_block, ready,
           EVC_ABI_FIFO_CONTROL_BLOCK_READY);
EVC_ABI_AT(struct evtchn_fifo_control_block, head,
           EVC_ABI_FIFO_CONTROL_BLOCK_HEAD);
EVC_ABI_ASSERT(EVTCHN_FIFO_NR_CHANNELS ==
                   EVC_ABI_FIFO_WORDS_PER_PAGE * EVC_ABI_FIFO_MAX_PAGES,
               "every port has an event word");

#endif /* !__XEN_PUBLIC_EVENT_CHANNEL_H__ */

#endif /* EVC_ABI_EVENT_CHANNEL_H */
