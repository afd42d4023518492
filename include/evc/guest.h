/* SPDX-License-Identifier: MIT */
/**
 * @file guest.h
 *
 * libevc-guest: the guest's side of Xen event channels, for a kernel, a
 * unikernel or firmware.
 *
 * A guest gives the library its memory, binds handlers to ports, and calls
 * evc_guest_dispatch() in its upcall.  Both ABIs are behind the same functions:
 * FIFO where the host offers it, else two-level.
 *
 *     upcall --> evc_guest_dispatch() --> handler(self, port, data)
 *
 * Errors   Every function that can fail returns an int: zero or more on
 *          success, a negative Xen errno value (<evc/abi/errno.h>) on failure.
 *          A failed call has changed nothing, except where its text says so.
 * Memory   All of it is the caller's, and must stay as long as the guest runs:
 *          64 bytes a port and 1536 a vCPU, private; with FIFO 4 bytes a port
 *          more, shared with the host.  Nothing is allocated.  The members of
 *          struct evc_guest, _vcpu and _port are the library's own.
 * vCPUs    Most functions take `self`, the vCPU the caller runs on.  Calls with
 *          one `self` never overlap, except as an upcall overlaps the code it
 *          interrupts.  Calls with different ones may, at any time.
 * Handlers run on the port's vCPU, one at a time there; the handler of one port
 *          never runs on two vCPUs at once, nor after its unbind has returned.
 *          They may call anything here but evc_guest_init().
 * Order    A handler sees what the sender wrote before it sent.
 * Linkage  Freestanding C11: no libc, no undefined symbols.  A struct that may
 *          grow starts with its size.
 */
#ifndef EVC_GUEST_H
#define EVC_GUEST_H

#include "abi/offsets.h"
#include "abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef evc_abi_u32 evc_port; /* 0 is never a valid port */

/* A word that others may change: see src/guest/words.h. */
typedef struct {
    evc_abi_u32 raw_;
} evc_g32;

typedef struct {
    evc_abi_u64_align8 raw_;
} evc_g64;

typedef struct {
    evc_abi_uptr raw_;
} evc_gptr; /* a counter, as wide as a register */

struct evc_guest;
struct evc_guest_vcpu;

/* ---- handlers ------------------------------------------------------------- */

/** What a handler says of the event it was called for. */
enum evc_guest_result {
    EVC_GUEST_DONE = 0,     /* there was something to do */
    EVC_GUEST_SPURIOUS = 1, /* there was not: many of these are a storm */
};

/**
 * evc_guest_handler - what is called for each event
 * @self: the vCPU it runs on
 * @port: the port that has an event
 * @data: as given when the port was bound
 *
 * PENDING was cleared before the call: whoever sends from now on causes another
 * one.  Events merge, so a handler does all the work it finds.
 *
 * Return: EVC_GUEST_DONE or EVC_GUEST_SPURIOUS.
 */
typedef int evc_guest_handler(struct evc_guest_vcpu *self, evc_port port,
                              void *data);

/**
 * evc_guest_gone - told once, when a port has been unbound for good
 *
 * The handler does not run and will not run again: @data may be freed.
 */
typedef void evc_guest_gone(struct evc_guest_vcpu *self, evc_port port,
                            void *data);

/* ---- memory ---------------------------------------------------------------- */

#define EVC_GUEST_QUEUES    16u
#define EVC_GUEST_PORTS_MAX 131072u
#define EVC_GUEST_PORT_SIZE 64u   /* sizeof(struct evc_guest_port) */
#define EVC_GUEST_VCPU_SIZE 1536u /* sizeof(struct evc_guest_vcpu) */

/* Bytes of the FIFO event array for ports below @ports, in whole pages. */
#define EVC_GUEST_EVENT_BYTES(ports) \
    (((ports) + 1023u) / 1024u * EVC_ABI_PAGE_SIZE)

/* One per port; a cache line. */
struct evc_guest_port {
    evc_guest_handler *handler;
    void *data;
    evc_guest_gone *gone;
    evc_gptr events; /* counts: written by the vCPU that dispatches it */
    evc_gptr spurious;
    evc_g32 state;       /* flags, and in the upper half the notified vCPU */
    evc_g32 due;         /* storm: the tick at which it is enabled again */
    evc_g32 storms;      /* times it was held back */
    evc_abi_u32 settles; /* next on the list of ports to settle */
    evc_abi_u32 holds;   /* next on the list of ports held back */
    evc_abi_u16 target;  /* vCPU it is being moved to */
    evc_abi_u8 run;      /* spurious events on end */
    evc_abi_u8 level;    /* storm: how often the delay has been doubled */
} __attribute__((aligned(64)));

EVC_ABI_SIZE(struct evc_guest_port, EVC_GUEST_PORT_SIZE);

/* One per vCPU: lines shared with the host, with other vCPUs, and private. */
struct evc_guest_vcpu {
    /* FIFO: the control block.  The host writes, this vCPU takes. */
    evc_g32 control[EVC_ABI_FIFO_CONTROL_BLOCK_SIZE / 4];
    evc_g32 pad0[32 - EVC_ABI_FIFO_CONTROL_BLOCK_SIZE / 4];

    /* Two-level, written by binders.  Bit p: this vCPU looks after port p; */
    evc_g64 mine[64];
    evc_g64 left_us[64]; /* but only for a while: it notifies another one */

    /* What this vCPU is at; read by itself, and by who waits until it is not. */
    evc_g32 busy;
    evc_g32 pad1[31];

    /* What every dispatch looks at; on 64-bit machines a cache line. */
    struct evc_guest *guest;
    void *info;           /* its vcpu_info, or `nowhere` */
    evc_abi_u64 selected; /* two-level: words that are worth a look */
    evc_abi_u64 skip;     /* of the word `next`: bits that had their turn */
    evc_abi_u32 next;     /* two-level: the word at which to go on */
    evc_abi_u32 ready;    /* FIFO: queues that are worth a look */
    evc_abi_u32 left;     /* handlers that may begin without a further look */
    evc_abi_u32 runs;     /* the state of a port that it runs */
    evc_abi_u32 current;  /* the port whose handler is, or was, on the stack */
    evc_abi_u32 settles;  /* first of the ports to settle */
    evc_abi_u32 todo;     /* 0: no events, nor ports to settle or held back */
    evc_abi_u32 index;    /* its number */

    evc_abi_u32 head[EVC_GUEST_QUEUES]; /* FIFO: next of each queue, 0: ask */
    evc_abi_u64 until;      /* of a dispatch with a time limit: when to stop, */
    evc_abi_u32 rest;       /* and handlers that may begin if it is not over */
    evc_abi_u32 holds;      /* first of the ports held back */
    evc_abi_u32 tick;       /* when the first of them is due */
    evc_abi_u64 nowhere[2]; /* a vcpu_info in which nothing happens */
} __attribute__((aligned(128)));

EVC_ABI_SIZE(struct evc_guest_vcpu, EVC_GUEST_VCPU_SIZE);

/* ---- hooks ------------------------------------------------------------------ */

/**
 * struct evc_guest_hooks - what the library asks of its guest
 *
 * Instead of @hypercall a guest that compiles the sources may define
 * EVC_GUEST_HOOKS to the name of a header of its own (-DEVC_GUEST_HOOKS='"x.h"')
 * with a static inline evc_guest_hook_hypercall() of the same arguments.
 * Ready-made ones: <evc/guest/x86.h>, <evc/guest/arm64.h>, <evc/guest/libevc.h>.
 */
struct evc_guest_hooks {
    /** sizeof(struct evc_guest_hooks), as the caller was compiled. */
    evc_abi_u32 size;

    /**
     * @hypercall: hypercall @nr of vCPU @vcpu, with its first three arguments.
     *
     * Thread: the caller's, perhaps in an upcall.  Pointers are the guest's
     * virtual addresses.  Return what the host answers.
     */
    int (*hypercall)(void *data, evc_abi_u32 vcpu, evc_abi_u32 nr,
                     evc_abi_uptr a, evc_abi_uptr b, evc_abi_uptr c);

    /**
     * @frame: the 4096-byte guest frame in which @address lies.
     *
     * Of the control blocks and the event array only, and only from
     * evc_guest_init() and evc_guest_register_info().
     * Default: the address divided by 4096.
     */
    evc_abi_u64 (*frame)(void *data, const void *address);

    /**
     * @now: a clock in ns that never goes back.
     *
     * Default: none; then nothing is held back and no dispatch ends by time.
     */
    evc_abi_u64 (*now)(void *data);

    /** @relax: called while waiting for another vCPU. Default: nothing. */
    void (*relax)(void *data);
};

/* ---- starting --------------------------------------------------------------- */

/** The layout of the memory shared with the host: <evc/abi/layouts.h>. */
enum evc_guest_layout {
    EVC_GUEST_LAYOUT_NATIVE = 0, /* that of the machine compiled for */
    EVC_GUEST_LAYOUT_X86_64,
    EVC_GUEST_LAYOUT_X86_32, /* where the machine is x86 */
    EVC_GUEST_LAYOUT_ARM,
};

enum evc_guest_abi {
    EVC_GUEST_ABI_BEST = 0, /* FIFO if the host has it, else two-level */
    EVC_GUEST_ABI_TWOLEVEL,
    EVC_GUEST_ABI_FIFO, /* or fail */
};

struct evc_guest_config {
    evc_abi_u32 size;   /* sizeof(struct evc_guest_config) */
    evc_abi_u32 layout; /* enum evc_guest_layout */
    evc_abi_u32 abi;    /* enum evc_guest_abi */
    evc_abi_u32 reset;  /* 1: close whatever an earlier kernel left open */
    void *shared_info;  /* the page shared with the host */
    struct evc_guest_vcpu *vcpus;
    evc_abi_u32 nr_vcpus; /* entries of @vcpus */
    evc_abi_u32 nr_ports; /* entries of @ports, at most EVC_GUEST_PORTS_MAX */
    struct evc_guest_port *ports;
    void *events; /* EVC_GUEST_EVENT_BYTES(@nr_ports), page-aligned;
                               NULL: two-level only */
    const struct evc_guest_hooks *hooks; /* kept */
    void *data;                          /* handed to the hooks */

    /* Storms; 0: the default. */
    evc_abi_u32 storm_threshold; /* spurious events on end: 8; at most 255 */
    evc_abi_u32 storm_delay_us;  /* the first delay: 1,000 */
    evc_abi_u32 storm_cap_us;    /* the longest: 1,000,000; at most an hour */
};

struct evc_guest {
    const struct evc_guest_hooks *hooks;
    void *data;
    struct evc_guest_port *ports;
    struct evc_guest_vcpu *vcpus;
    evc_abi_u8 *pending, *mask; /* two-level bits, in shared_info */
    evc_g32 *events;            /* FIFO event words, NULL: two-level */
    void *shared_info;
    evc_abi_u32 nr_ports, nr_vcpus; /* as far as the ABI can name ports */
    evc_abi_u32 storm_threshold, storm_delay, storm_cap; /* in ticks */
    evc_abi_u16 info_size, slots;
    evc_abi_u8 word_shift; /* 6 or 5: ports a word, as a power of two */
    evc_abi_u8 wide;       /* words of 64 bits */
};

/**
 * evc_guest_init() - take over event delivery
 * @guest:  the caller's, kept
 * @config: not kept
 *
 * Masks every port, chooses the ABI, and with FIFO gives the host the control
 * block of every vCPU and the whole event array.  PENDING bits stay.  Call it
 * once, on vCPU 0, before the first upcall.
 *
 * Return: 0; -EINVAL (a value out of its range, memory not aligned); with
 *         EVC_GUEST_ABI_FIFO, or where the host has switched to FIFO and then
 *         fails, the host's error.  After an error nothing here may be called
 *         but evc_guest_init() again.
 */
int evc_guest_init(struct evc_guest *guest,
                   const struct evc_guest_config *config);

/** evc_guest_is_fifo() - which ABI it became: 1 FIFO, 0 two-level */
int evc_guest_is_fifo(const struct evc_guest *guest);

/**
 * evc_guest_ports() - the ports that can be bound: those below this number
 *
 * The smaller of what the caller gave memory for and what the ABI can name.
 */
evc_port evc_guest_ports(const struct evc_guest *guest);

/** evc_guest_self() - the handle of a vCPU, or NULL: there is none */
struct evc_guest_vcpu *evc_guest_self(struct evc_guest *guest,
                                      evc_abi_u32 vcpu);

/** evc_guest_vcpu_index() - its number */
evc_abi_u32 evc_guest_vcpu_index(const struct evc_guest_vcpu *self);

/**
 * evc_guest_register_info() - have a vCPU's vcpu_info elsewhere
 * @self: the caller's vCPU
 * @vcpu: whose vcpu_info: its own, or one that does not run yet
 * @info: where; within one page, aligned to the guest's word, not moved again
 *
 * A vCPU whose vcpu_info has no slot in shared_info must do this before it can
 * be notified.  With upcalls disabled on @vcpu; an upcall is due afterwards.
 *
 * Return: 0; -ENOENT (no such vCPU); the host's error.
 */
int evc_guest_register_info(struct evc_guest_vcpu *self, evc_abi_u32 vcpu,
                            void *info);

/**
 * evc_guest_set_info() - say where the vcpu_info is that was registered already
 *
 * For a kernel that did VCPUOP_register_vcpu_info itself.
 */
int evc_guest_set_info(struct evc_guest_vcpu *self, evc_abi_u32 vcpu,
                       void *info);

/* ---- dispatching ------------------------------------------------------------ */

/**
 * evc_guest_dispatch() - the upcall: find events and call their handlers
 * @self:  the vCPU that was told
 * @max:   handlers to call at most; 0: no limit
 * @until: do not begin another handler after this time, in ns of the clock
 *         hook; 0: no limit
 *
 * Two-level: goes on after the port that was served last, so that each port has
 * its turn.  FIFO: the most urgent queue first, looked at again after every
 * event.  A call without need costs a few loads.  A call from inside a handler
 * does nothing: the dispatch under way sees to it.
 *
 * Return: 1: work is left, call again soon (upcall_pending stays set, so that a
 *         guest that blocks or polls instead comes back at once); 0: none.
 */
int evc_guest_dispatch(struct evc_guest_vcpu *self, evc_abi_u32 max,
                       evc_abi_u64 until);

/**
 * evc_guest_dispatch_priority() - serve one queue of this vCPU, and no other
 * @self:     the caller's vCPU, with upcalls disabled, as after the flag
 * @priority: 0, the most urgent, to 15
 * @max:      events to take at most; 0: no limit
 *
 * For a loop that polls what is urgent, and for tests and debuggers, which take
 * event by event.  Handlers are called as evc_guest_dispatch() calls them; an
 * event of a masked port leaves the queue and waits in its word, and counts too.
 * upcall_pending is not cleared: what has set it is still to be dispatched.  It is
 * set while the queue has more.  A call from inside a handler does nothing.
 *
 * Return: 1: the queue has more; 0: it has not; -EINVAL (no such queue);
 *         -ENOSYS (two-level: it has no queues).
 */
int evc_guest_dispatch_priority(struct evc_guest_vcpu *self,
                                evc_abi_u32 priority, evc_abi_u32 max);

/** evc_guest_is_due() - is there a reason to dispatch on this vCPU? 1 or 0 */
int evc_guest_is_due(struct evc_guest_vcpu *self);

/**
 * evc_guest_next_due() - when a port that is held back is to be enabled again
 *
 * Dispatch on @self then; an earlier dispatch does no harm.
 *
 * Return: ns of the clock hook; 0: none is held back.
 */
evc_abi_u64 evc_guest_next_due(struct evc_guest_vcpu *self);

/* ---- binding ---------------------------------------------------------------- */

#define EVC_GUEST_MASKED 0x1u /* start masked: evc_guest_unmask() enables it */
#define EVC_GUEST_SHARED 0x2u /* PIRQ: others may have the same line */

/** How a port is to be bound. */
struct evc_guest_binding {
    evc_guest_handler *handler; /* NULL: for evc_guest_poll(); stays masked */
    void *data;                 /* its argument */
    evc_guest_gone *gone;       /* or NULL */
    evc_abi_u32 vcpu;           /* whom to notify */
    evc_abi_u32 flags;          /* EVC_GUEST_MASKED, _SHARED */
};

/**
 * evc_guest_bind_*() - open a port and bind a handler to it
 * @self: the caller's vCPU
 * @how:  not kept
 *
 *   interdomain  the port @remote_port that domain @remote offers
 *   unbound      a new port that domain @remote may bind to
 *   virq         VIRQ_*; a per-vCPU one on @how->vcpu
 *   pirq         a physical interrupt
 *   ipi          a port with which vCPUs of this guest notify @how->vcpu
 *   port         a port that is open already, of any kind, notifying vCPU
 *                @how->vcpu from now on (xenstore's or the console's)
 *
 * The handler may be called before this returns.  An interdomain port has one
 * event at once, which may be spurious.
 *
 * Return: the port; -ENOSPC (the host's next port is beyond evc_guest_ports(),
 *         or the host has none left); -ENOENT (no such vCPU); -EBUSY (the port
 *         is bound already, or being unbound); the host's error.
 */
int evc_guest_bind_interdomain(struct evc_guest_vcpu *self, evc_abi_u16 remote,
                               evc_port remote_port,
                               const struct evc_guest_binding *how);
int evc_guest_bind_unbound(struct evc_guest_vcpu *self, evc_abi_u16 remote,
                           const struct evc_guest_binding *how);
int evc_guest_bind_virq(struct evc_guest_vcpu *self, evc_abi_u32 virq,
                        const struct evc_guest_binding *how);
int evc_guest_bind_pirq(struct evc_guest_vcpu *self, evc_abi_u32 pirq,
                        const struct evc_guest_binding *how);
int evc_guest_bind_ipi(struct evc_guest_vcpu *self,
                       const struct evc_guest_binding *how);
int evc_guest_bind_port(struct evc_guest_vcpu *self, evc_port port,
                        const struct evc_guest_binding *how);

/**
 * evc_guest_unbind() - close a port
 * @self: the caller's vCPU
 * @port: port
 *
 * From outside a handler: waits until the handler has returned on every vCPU,
 * closes, calls @gone, returns 0.  It may have to wait for the handlers of up to
 * 63 other ports (two-level: those in the same word), so hold no lock that a
 * handler takes, nor keep upcalls disabled on a vCPU that is in one.
 *
 * From inside a handler, its own or another's, it never waits.  Where the port's
 * handler is running, 1 is returned: the port is masked from now on, and closed,
 * with @gone called, by this vCPU when that handler has returned (for its own
 * handler: as soon as that returns).
 *
 * Return: 0; 1 (deferred); -EINVAL (not bound, or being unbound already);
 *         -EBUSY (being moved, and the caller must not wait: it is a handler, or
 *         has itself deferred something).
 * Order:  what the handler did is visible after 0, and in @gone.
 */
int evc_guest_unbind(struct evc_guest_vcpu *self, evc_port port);

/**
 * evc_guest_move() - let a port notify another vCPU
 * @self: the caller's vCPU
 * @port: port; not an IPI, nor a VIRQ that is per vCPU
 * @vcpu: whom from now on
 *
 * Waits, or defers, as evc_guest_unbind() does: the handler has returned on the
 * old vCPU before it can start on the new one.  No event is lost.
 *
 * Return: 0; 1 (deferred; an error of the host then is not reported); -EINVAL
 *         (not bound, or not to be moved); -ENOENT (no such vCPU); -EBUSY.
 */
int evc_guest_move(struct evc_guest_vcpu *self, evc_port port,
                   evc_abi_u32 vcpu);

/**
 * evc_guest_set_priority() - FIFO: choose the queue for a port's events
 * @priority: 0, the most urgent, to 15; at first 7
 *
 * For events that are queued from now on.
 *
 * Return: 0; -EINVAL; -ENOSYS (two-level).
 */
int evc_guest_set_priority(struct evc_guest_vcpu *self, evc_port port,
                           evc_abi_u32 priority);

/**
 * evc_guest_send() - signal the other end of a channel, or an IPI
 *
 * Return: 0; -EINVAL (not such a port).
 */
int evc_guest_send(struct evc_guest_vcpu *self, evc_port port);

/* ---- masking ---------------------------------------------------------------- */

/**
 * evc_guest_mask() / evc_guest_unmask() - hold a port's events back, or not
 * @self: the caller's vCPU
 * @port: port
 *
 * Not counted.  After evc_guest_mask() on the port's own vCPU the handler is not
 * begun; on another vCPU it may be about to: evc_guest_quiesce() waits for that.
 * An event that comes while a port is masked is kept, and delivered when it is
 * unmasked.  Unmasking calls the host only if there is such an event.
 *
 * Return: 0; -EINVAL (not bound, or bound without a handler).
 */
int evc_guest_mask(struct evc_guest_vcpu *self, evc_port port);
int evc_guest_unmask(struct evc_guest_vcpu *self, evc_port port);

/**
 * evc_guest_quiesce() - wait until the handler of a port runs on no other vCPU
 *
 * Not from inside a handler.  Without masking first it says nothing about what
 * begins meanwhile.  Return: 0; -EINVAL; -EBUSY (from inside a handler).
 */
int evc_guest_quiesce(struct evc_guest_vcpu *self, evc_port port);

/* ---- polling ---------------------------------------------------------------- */

/**
 * evc_guest_take() - take a port's event without a handler
 *
 * For ports bound without a handler, or masked.  Return: 1: there was one, it
 * is taken; 0: none; -EINVAL (not bound).
 * Order:  after 1, what the sender wrote is visible.
 */
int evc_guest_take(struct evc_guest_vcpu *self, evc_port port);

/**
 * evc_guest_poll() - wait for one port, without interrupts
 * @self:  the caller's vCPU
 * @port:  port
 * @until: ns of the host's system time; 0: no limit
 *
 * For firmware and early boot.  The host also ends the wait for other reasons:
 * look at the clock and call again.
 *
 * Return: 1: there was an event, it is taken; 0: not yet; -EINVAL; the host's
 *         error.
 */
int evc_guest_poll(struct evc_guest_vcpu *self, evc_port port,
                   evc_abi_u64 until);

/* ---- storms ----------------------------------------------------------------- */

/**
 * evc_guest_hold() - do not deliver this port's events for a while
 * @self: the vCPU whose handler this is called from
 * @port: the port that handler was called for
 * @ns:   how long, up to an hour, at a resolution of 65,536 ns
 *
 * What the library does by itself when a port has had storm_threshold spurious
 * events on end, with a delay that doubles up to the cap.  One event with work
 * to do ends that.
 *
 * Return: 0; -EINVAL (not from that handler); -ENOSYS (no clock hook).
 */
int evc_guest_hold(struct evc_guest_vcpu *self, evc_port port, evc_abi_u64 ns);

/** What has happened to a port since it was bound.  Wrap at register width. */
struct evc_guest_counts {
    evc_abi_uptr events;   /* handler calls */
    evc_abi_uptr spurious; /* of these: EVC_GUEST_SPURIOUS */
    evc_abi_u32 storms;    /* times it was held back */
    evc_abi_u32 held;      /* 1: it is so now */
};

/** evc_guest_counts() - look at them, from anywhere. Return: 0; -EINVAL. */
int evc_guest_counts(struct evc_guest *guest, evc_port port,
                     struct evc_guest_counts *out);

#ifdef __cplusplus
}
#endif

#endif /* EVC_GUEST_H */
