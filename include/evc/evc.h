/* SPDX-License-Identifier: MIT */
/**
 * @file evc.h
 *
 * libevc: the host's side of Xen event channels, for a VMM, a daemon or a test.
 *
 * A program creates an engine, adds domains to it, gives each domain the page
 * it shares with its guest, and passes the guest's hypercalls on.  The engine
 * sets bits in the guest's memory and calls evc_ops.kick when a vCPU must look.
 *
 *     guest --hypercall--> embedder --evc_hypercall()--> engine
 *     guest <--upcall----- embedder <--evc_ops.kick()--- engine
 *
 * Errors   Every function that can fail returns zero or more on success and a
 *          negative Xen errno value on failure (on Linux these are the same
 *          numbers as <errno.h>).  A failed call has changed nothing, except
 *          where Xen itself says otherwise (an answer that cannot be written
 *          back to the guest is -EFAULT, and the work stays done).
 * Memory   What evc_x_create() makes, evc_x_destroy() frees; destroy takes
 *          NULL.  Out parameters are written on success only.  Ops tables,
 *          cookies and shared pages stay the caller's and must outlive their
 *          engine or domain.
 * Threads  Any function may be called from any thread, except where its text
 *          says otherwise; nothing here may be called from a signal handler.
 *          Sends take no lock but, in FIFO mode, that of the queue they link
 *          to.  What changes or looks at a domain's ports waits for whoever
 *          is doing so: asleep, if it takes long, and then up to 1 ms more than
 *          it had to.  A handle may be used until its destroy is called: the caller
 *          ends its own calls on a domain before it destroys that domain;
 *          other domains may go on sending to it at any time.
 * Order    What a sender wrote before a send is visible to whoever takes the
 *          event.  What is written before evc_x_create() returns is visible to
 *          every later call.
 * Linkage  Symbols are versioned (libevc.map).  A struct that may grow starts
 *          with its size, set by the caller to sizeof.
 */
#ifndef EVC_EVC_H
#define EVC_EVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define EVC_VERSION_MAJOR 0
#define EVC_VERSION_MINOR 1
#define EVC_VERSION_PATCH 0

/** evc_version() - the version of the library in use, as "0.1.0" */
const char *evc_version(void);

struct evc_engine; /* opaque: a host with its domains */
struct evc_domain; /* opaque, owned by its engine */
struct evc_host;   /* opaque: an end of a channel that the embedder holds */

typedef uint16_t evc_domid; /* 0 .. 0x7fef; the rest is reserved by the ABI */
typedef uint32_t evc_port;  /* 0 is never a valid port */

#define EVC_MAX_VCPUS 4096u /* per domain */
#define EVC_NR_VIRQS  24u

/* ---- the engine --------------------------------------------------------- */

/** Which Xen's answers are given where Xen itself is odd: evc-compat(7). */
enum evc_compat {
    EVC_COMPAT_DEFAULT = 0,  /* the sane ones, as newer Xen where it differs */
    EVC_COMPAT_XEN_4_17 = 1, /* exactly as recorded on Xen 4.17 */
};

/** What evc_ops.policy is asked.  @caller acts on @target. */
enum evc_action {
    EVC_ACTION_ALLOC_UNBOUND = 1, /* allocate in another domain, or offer it */
    EVC_ACTION_BIND_INTERDOMAIN,  /* bind to an offered port of @target */
    EVC_ACTION_STATUS,            /* look at a port of another domain */
    EVC_ACTION_RESET,             /* reset another domain */
    EVC_ACTION_BIND_PIRQ,         /* @detail is the pirq; @target == @caller */
};

/** A reading of the embedder's clock: see struct vcpu_time_info. */
struct evc_time {
    uint64_t tsc_timestamp;     /* the guest's TSC at this moment */
    uint64_t system_time;       /* ns since the engine's clock started */
    uint32_t tsc_to_system_mul; /* ns = (ticks << shift) * mul >> 32 */
    int8_t tsc_shift;
    uint8_t flags; /* PVCLOCK flags, normally 0 */
};

/**
 * struct evc_ops - what the engine asks of its embedder
 *
 * Each member says on which thread it is called and what it may do.  `dom` is
 * the cookie of the domain, `host` the cookie of the engine.  Members left NULL
 * get the default named in their text.  No callback is made for a domain after
 * evc_domain_destroy() of it has returned.
 */
struct evc_ops {
    /** sizeof(struct evc_ops), as the caller was compiled. */
    uint32_t size;

    /**
     * @kick: upcall_pending of @vcpu went from 0 to 1: make it run its upcall
     *        when its upcall mask allows, and end its SCHEDOP_block.
     *
     * Thread: the one that sent, perhaps under locks.  Must not block, must not
     * call back into the engine.  Spurious kicks are possible, lost ones not.
     * Default: nothing (the guest looks by itself, or uses the engine's wait).
     */
    void (*kick)(void *dom, uint32_t vcpu);

    /**
     * @map: give the engine access to one page of the domain's memory.
     *
     * Thread: the caller's of init_control, expand_array, register_vcpu_info.
     * Holds the domain's lock: must not call back into the engine.  May block.
     * Write *@page and return 0, or -EINVAL (no such frame), -EACCES (not
     * writable), -ENOMEM.  The mapping must stay, shared with the guest, until
     * @unmap.  Default: every frame is refused.
     */
    int (*map)(void *dom, uint64_t gfn, void **page);

    /** @unmap: the engine has done with a page that @map gave. As @map. */
    void (*unmap)(void *dom, uint64_t gfn, void *page);

    /**
     * @copy_from, @copy_to: copy to and from a guest's addresses.
     *
     * Thread: the caller's of evc_hypercall().  Holds no lock.  May block.
     * Return 0, or -EFAULT when any byte cannot be reached; @copy_to writes
     * all or nothing.  Default: -EFAULT.
     */
    int (*copy_from)(void *dom, uint32_t vcpu, void *to, uint64_t from,
                     size_t size);
    int (*copy_to)(void *dom, uint32_t vcpu, uint64_t to, const void *from,
                   size_t size);

    /**
     * @policy: may @caller do this to @target?
     *
     * Thread: the caller's, perhaps under locks: must not call back into the
     * engine, nor wait for whoever is calling it.  Return 0 or a negative
     * errno (Xen: -EPERM).  Default: a privileged caller may do all; others
     * whatever concerns themselves alone, bind what was offered to them, and
     * no PIRQ.
     */
    int (*policy)(void *host, enum evc_action action, evc_domid caller,
                  evc_domid target, uint32_t detail);

    /**
     * @pirq_bind, @pirq_unbind: the interrupt back end.  @share: the guest is
     * willing to share the line.
     *
     * Thread: the binder's.  Holds the domain's lock.  Return 0, or -EBUSY
     * (somebody has it and one of the two will not share), or another errno,
     * which the guest gets.  Default: -EPERM, and nothing.
     */
    int (*pirq_bind)(void *dom, uint32_t pirq, bool share);
    void (*pirq_unbind)(void *dom, uint32_t pirq);

    /** @pirq_eoi: the guest has served the interrupt.  Thread: as the call. */
    void (*pirq_eoi)(void *dom, uint32_t pirq);

    /** @pirq_affinity: interrupts of @pirq are for @vcpu.  As @pirq_bind. */
    void (*pirq_affinity)(void *dom, uint32_t pirq, uint32_t vcpu);

    /**
     * @clock: read the time.  Any thread, any lock; must not block.
     * Default: CLOCK_MONOTONIC as system time, and as a TSC of 1 GHz.
     */
    void (*clock)(void *host, struct evc_time *now);

    /**
     * @timer: call evc_timers_run() at @deadline (ns of system time) or soon
     * after; 0: nothing is due any more.  Replaces the last one given.
     *
     * Thread: any.  Holds the timer lock: must not call back into the engine.
     * Default: the engine starts a thread of its own for it when first needed.
     */
    void (*timer)(void *host, uint64_t deadline);

    /**
     * @wait: @vcpu has nothing to do until @wake or @deadline (ns of system
     * time, 0: none), whichever comes first; returning early is allowed.
     * @wake: end the present or the next @wait of @vcpu.
     *
     * Thread: @wait that of the poll or block, no lock held, may block; @wake
     * any thread, must not block or call back.  Both or neither.
     * Default: the calling thread sleeps.
     */
    void (*wait)(void *dom, uint32_t vcpu, uint64_t deadline);
    void (*wake)(void *dom, uint32_t vcpu);

    /**
     * @shutdown: the domain asked to be shut down (SCHEDOP_shutdown) for
     * @reason.  Thread: the guest's.  No lock.  Default: only remembered.
     */
    void (*shutdown)(void *dom, uint32_t vcpu, uint32_t reason);

    /**
     * @hypercall: one that is none of the engine's, also inside a multicall.
     * Thread: the guest's.  No lock.  Default: -ENOSYS.
     */
    int64_t (*hypercall)(void *dom, uint32_t vcpu, uint64_t nr,
                         const uint64_t args[6]);

    /**
     * @log: one line, without newline, about something a host should know.
     * Any thread, perhaps under locks; must not block or call back.  A guest
     * can cause it once per domain, or, with EVC_COMPAT_XEN_4_17, as often as
     * it likes: an embedder that keeps what it is told must bound it.
     * Default: silence.
     */
    void (*log)(void *host, const char *line);
};

/**
 * evc_engine_create() - make an engine without domains
 * @ops:    callbacks, or NULL for all defaults
 * @host:   handed to the engine-wide callbacks, not looked at
 * @compat: whose oddities to keep
 * @out:    the new engine, the caller's to destroy
 *
 * Return: 0; -EINVAL (a size or compat that this library does not know, or
 *         half of a pair of callbacks); -ENOMEM.
 */
int evc_engine_create(const struct evc_ops *ops, void *host,
                      enum evc_compat compat, struct evc_engine **out);

/**
 * evc_engine_destroy() - free an engine, its domains and its host ends
 * @engine: engine, or NULL
 *
 * Threads: no other call on this engine may be running or come later.
 */
void evc_engine_destroy(struct evc_engine *engine);

/* ---- domains ------------------------------------------------------------ */

/** The layout of what a domain shares with its host: <evc/abi/layouts.h>. */
enum evc_layout {
    EVC_LAYOUT_X86_64 = 0, /* 64-bit words, 4096 two-level ports */
    EVC_LAYOUT_X86_32 = 1, /* 32-bit words, 1024 two-level ports */
    EVC_LAYOUT_ARM = 2,    /* both ARMs: 64-bit words, one vCPU slot */
};

#define EVC_DOMAIN_PRIVILEGED 0x1u /* may act on other domains */
#define EVC_DOMAIN_PAUSED     0x2u /* starts paused, as Xen creates them */

struct evc_domain_config {
    uint32_t size; /* sizeof(struct evc_domain_config) */
    evc_domid id;  /* 0 .. 0x7fef */
    enum evc_layout layout;
    uint32_t vcpus;    /* 1 .. EVC_MAX_VCPUS */
    uint32_t max_port; /* the highest port it may use; UINT32_MAX: no limit */
    uint32_t nr_pirqs; /* pirqs are 0 .. nr_pirqs - 1 */
    uint32_t flags;    /* EVC_DOMAIN_* */
    void *shared_info; /* one page, 8-byte aligned, shared with the guest */
    void *cookie;      /* handed to the domain's callbacks */
};

/**
 * evc_domain_create() - add a domain
 * @engine: its engine
 * @config: what it is; not kept
 * @out:    the new domain, freed by evc_domain_destroy()
 *
 * The page is used as it is found: the engine clears nothing but writes the
 * clocks.
 *
 * Return: 0; -EINVAL (a value out of its range); -EEXIST (the id is taken, also
 *         by a dying domain); -ENOMEM.
 */
int evc_domain_create(struct evc_engine *engine,
                      const struct evc_domain_config *config,
                      struct evc_domain **out);

/**
 * evc_domain_kill() - the domain dies but stays known
 * @domain: domain
 *
 * Closes all of its ports, ends every wait, raises VIRQ_DOM_EXC.  From now on
 * nothing can be bound in it.  Peers find themselves unbound.  Calling it again
 * does nothing.
 */
void evc_domain_kill(struct evc_domain *domain);

/**
 * evc_domain_destroy() - kill a domain, forget its id and free it
 * @domain: domain, or NULL
 *
 * Waits for senders that are in it at this moment, unmaps its pages and raises
 * VIRQ_DOM_EXC.  Not from inside a callback.
 *
 * Threads: no other call with @domain as its argument may be running or come
 *          later; calls of other domains that concern it may.
 */
void evc_domain_destroy(struct evc_domain *domain);

/**
 * evc_domain_pause() / evc_domain_unpause() - keep a domain's vCPUs from
 * running
 * @domain: domain
 *
 * Counted.  The engine itself runs no vCPU: to it, paused means only that the
 * domain may be reset by another one.
 *
 * Return: unpause: 0; -EINVAL (it was not paused).
 */
void evc_domain_pause(struct evc_domain *domain);
int evc_domain_unpause(struct evc_domain *domain);

/**
 * evc_domain_shutdown() - the domain stops running, for a reason
 * @domain: domain
 * @reason: SHUTDOWN_*
 *
 * Remembers the reason, ends every wait, raises VIRQ_DOM_EXC.  Its ports stay.
 *
 * Return: 0; -EINVAL (shut down already, with the first reason kept).
 */
int evc_domain_shutdown(struct evc_domain *domain, uint32_t reason);

/**
 * evc_domain_set_layout() - the guest turned out to be of another width
 * @domain: a domain in two-level mode
 * @layout: from now on
 *
 * As for a guest that sets its hypercall page in 32-bit mode: the host looks
 * at other offsets of the same page; no bit is moved.
 *
 * Return: 0; -EBUSY (FIFO mode, or a port is open that the new layout cannot
 *         name, or a vcpu_info was moved to where the new one could not be);
 *         -EINVAL (no such layout); -ENOMEM.
 */
int evc_domain_set_layout(struct evc_domain *domain, enum evc_layout layout);

/**
 * evc_domain_set_target() - let @domain act on @target as if privileged
 * @domain: a device model
 * @target: the domain it serves, or EVC_NO_DOMAIN
 */
#define EVC_NO_DOMAIN ((evc_domid)0x7ff4)
void evc_domain_set_target(struct evc_domain *domain, evc_domid target);

/**
 * evc_domain_id() / evc_domain_cookie() - what its config said
 * evc_domain_find() - the domain of an id, or NULL
 *
 * The handle found is good until its owner destroys it.
 */
evc_domid evc_domain_id(const struct evc_domain *domain);
void *evc_domain_cookie(const struct evc_domain *domain);
struct evc_domain *evc_domain_find(struct evc_engine *engine, evc_domid id);

/* ---- saving and restoring ----------------------------------------------- */

/**
 * evc_domain_save() - all that the engine knows of a domain, as bytes
 * @domain: a domain that does not run, and to which nobody sends
 * @buffer: where to; NULL: only say how many there are
 * @size:   bytes there
 *
 * Ports with their channels, priorities and queues; which frames are shared;
 * timers; pauses, shutdown, VIRQs that it handles.  Not what lies in the guest's
 * own memory, which the embedder saves; nor counters.  Host ends do not outlive
 * it: a listening one is saved as closed, who is bound to one as unbound, and
 * offered to whom it was bound.  Nothing is changed.
 *
 * The bytes are little-endian, versioned, and the same for the same state:
 * evc_save(3).  Domains that have channels with each other are saved together,
 * while none of them runs.
 *
 * Return: the number of bytes; -ENOSPC (@size is too small); -EINVAL (a dying
 *         domain); -EBUSY (it is being reset).
 */
int evc_domain_save(struct evc_domain *domain, void *buffer, size_t size);

/**
 * evc_domain_restore() - add a domain as it was saved
 * @engine: its engine
 * @config: as for evc_domain_create(); id, layout and vcpus as saved
 * @bytes:  what evc_domain_save() has made; may be anything
 * @size:   how many there are
 * @out:    the new domain, freed by evc_domain_destroy()
 *
 * Its memory must be as it was; shared pages are mapped through evc_ops.map, and
 * nothing is written.  Each of its channels is joined again when the second of
 * its two domains is restored; until then, or if that one does not come, its end
 * is unbound and offered to that domain.  Neither evc_ops.policy is asked, nor
 * evc_ops.pirq_bind: what a back end knows is its own.  Timers that are
 * overdue fire.  Of the flags, EVC_DOMAIN_PAUSED is ignored: it is paused as
 * often as it was.
 *
 * Return: 0; -EINVAL (@config is not that of the saved domain, or @bytes are not
 *         what evc_domain_save() makes); -EEXIST; -ENOMEM; what evc_ops.map
 *         says.
 */
int evc_domain_restore(struct evc_engine *engine,
                       const struct evc_domain_config *config,
                       const void *bytes, size_t size, struct evc_domain **out);

/* ---- what guests ask ---------------------------------------------------- */

/**
 * evc_hypercall() - one hypercall of a guest, arguments in its own memory
 * @domain: calling domain
 * @vcpu:   calling vCPU
 * @nr:     13 multicall, 15 set_timer_op, 16 event_channel_op_compat,
 *          24 vcpu_op, 29 sched_op, 32 event_channel_op; others go to
 *          evc_ops.hypercall
 * @args:   the registers, guest addresses among them
 *
 * Blocks where the guest would: in SCHEDOP_block and SCHEDOP_poll.
 *
 * Return: the guest's answer; -ENOENT (no such calling vCPU).
 * Source: xen/include/public/xen.h, __HYPERVISOR_*
 */
int64_t evc_hypercall(struct evc_domain *domain, uint32_t vcpu, uint64_t nr,
                      const uint64_t args[6]);

/**
 * evc_event_channel_op() - one event-channel operation, argument in host memory
 * @domain: calling domain
 * @cmd:    EVTCHNOP_*
 * @arg:    its struct of <evc/abi/event_channel.h>; its OUT fields are written
 *          on success only
 *
 * Return: 0 or the error that Xen gives: event-channels(7).
 * Order:   EVTCHNOP_send: as evc_send().
 */
int evc_event_channel_op(struct evc_domain *domain, uint32_t cmd, void *arg);

/**
 * evc_send() - EVTCHNOP_send without the struct: signal the other end
 * @domain: sending domain
 * @port:   its own end of a channel, or its IPI
 *
 * Events merge: two sends before the receiver looks are one event.
 *
 * Return: 0, also when nobody is bound to the other end; -EINVAL.
 */
int evc_send(struct evc_domain *domain, evc_port port);

/** evc_unmask() - EVTCHNOP_unmask without the struct. Return: 0; -EINVAL. */
int evc_unmask(struct evc_domain *domain, evc_port port);

/**
 * evc_bind_static() - open a port at a number of the embedder's choosing
 * @domain: its owner
 * @port:   the number, which must be free
 * @remote: who may bind to it
 *
 * As alloc_unbound, for device trees, saved domains and dom0less guests.
 *
 * Return: 0; -EINVAL (port 0, or a dying domain); -EBUSY (in use, or still
 *         LINKED); -ENOSPC (beyond the domain's limit); -ENOMEM.
 */
int evc_bind_static(struct evc_domain *domain, evc_port port, evc_domid remote);

/**
 * evc_connect_static() - make two static ports one channel
 *
 * Both must be unbound and offered to each other.  Neither end is notified.
 *
 * Return: 0; -EINVAL (one of them is not so).
 */
int evc_connect_static(struct evc_domain *a, evc_port port_a,
                       struct evc_domain *b, evc_port port_b);

/* ---- vCPUs and time ----------------------------------------------------- */

/** What a vCPU does, as far as the engine knows. */
enum evc_vcpu_state {
    EVC_VCPU_RUNNING = 0, /* or not known to wait */
    EVC_VCPU_BLOCKED,     /* asleep in SCHEDOP_block */
    EVC_VCPU_POLLING,     /* asleep in SCHEDOP_poll */
};

/** evc_vcpu_state() - is it asleep in the engine?  For tools and tests. */
enum evc_vcpu_state evc_vcpu_state(const struct evc_domain *domain,
                                   uint32_t vcpu);

/**
 * evc_vcpu_deliverable() - is an upcall due: pending and not masked?
 *
 * What an embedder asks before it runs the vCPU, and after each hypercall.
 */
bool evc_vcpu_deliverable(const struct evc_domain *domain, uint32_t vcpu);

/**
 * evc_vcpu_info() - where the vCPU's vcpu_info lies now
 *
 * Return: in shared_info, in a page that evc_ops.map gave, or, for a vCPU
 *         beyond shared_info that has not moved it, private memory that no
 *         guest can see.
 */
void *evc_vcpu_info(const struct evc_domain *domain, uint32_t vcpu);

/**
 * evc_vcpu_set_online() - say that a vCPU runs, or runs no more
 * @online: the answer to VCPUOP_is_up; at first false
 *
 * A vCPU that is online moves its vcpu_info itself; one that is not may have it
 * moved by another vCPU of its domain.
 */
void evc_vcpu_set_online(struct evc_domain *domain, uint32_t vcpu, bool online);

/** evc_vcpu_wake() - end its poll or block, whatever it waits for. */
void evc_vcpu_wake(struct evc_domain *domain, uint32_t vcpu);

/**
 * evc_vcpu_update_time() - write vcpu_time_info from evc_ops.clock
 *
 * Call it when a vCPU is run, or its clock has changed.  The version counter
 * is odd while the rest is being written.
 */
void evc_vcpu_update_time(struct evc_domain *domain, uint32_t vcpu);

/**
 * evc_domain_set_wallclock() - write wc_version, wc_sec, wc_nsec
 * @ns: wall-clock time, in ns since 1970, at system time 0
 */
void evc_domain_set_wallclock(struct evc_domain *domain, uint64_t ns);

/**
 * evc_timers_run() - fire every timer that is due
 *
 * Return: the next deadline in ns of system time, or 0.
 * Threads: any; concurrent calls are serialised.
 */
uint64_t evc_timers_run(struct evc_engine *engine);

/* ---- interrupts --------------------------------------------------------- */

/** evc_raise_vcpu_virq() - a per-vCPU VIRQ. Return: 0; -EINVAL; -ENOENT. */
int evc_raise_vcpu_virq(struct evc_domain *domain, uint32_t vcpu,
                        uint32_t virq);

/** evc_raise_domain_virq() - a per-domain VIRQ (ARGO). Return: 0; -EINVAL. */
int evc_raise_domain_virq(struct evc_domain *domain, uint32_t virq);

/** evc_raise_global_virq() - at the domain that handles it. 0; -EINVAL. */
int evc_raise_global_virq(struct evc_engine *engine, uint32_t virq);

/**
 * evc_set_virq_handler() - hand a global VIRQ to a domain
 *
 * Domain 0 handles all of them at first, and again when a handler dies.
 *
 * Return: 0; -EINVAL (a vCPU's own, or a dying domain); -EBUSY (default
 *         compat: the present handler has it bound).
 */
int evc_set_virq_handler(struct evc_domain *domain, uint32_t virq);

/**
 * evc_raise_pirq() - the physical interrupt came in
 * Return: 0; -EINVAL (out of range); -ENOENT (not bound).
 */
int evc_raise_pirq(struct evc_domain *domain, uint32_t pirq);

/**
 * evc_pirq_eoi() - the guest has served it (PHYSDEVOP_eoi)
 * @unmask: also unmask its port, as guests with auto-unmask want it
 * Return: 0; -EINVAL; -ENOENT.
 */
int evc_pirq_eoi(struct evc_domain *domain, uint32_t pirq, bool unmask);

/* ---- host ends: channels whose consumer is the embedder itself ---------- */

/**
 * evc_host_listen() - open a port of @domain whose consumer is the host
 * @domain: the domain in which the port is opened (a guest may neither close
 *          nor send on it there)
 * @vcpu:   the vCPU that is waiting for it, ended by every event; or
 *          EVC_NO_VCPU
 * @remote: the domain that may bind to it
 * @notify: called for each event, or NULL
 * @data:   handed to @notify
 * @out:    the new end
 *
 * Guests bind to it with bind_interdomain as to any other port, and their sends
 * call @notify and write the eventfd of evc_host_fd().
 *
 * @notify  Thread: the sender's.  Holds no lock, may call back into the engine
 *          (also evc_host_close() of this end), must not destroy a domain.
 *
 * Return: 0; as alloc_unbound.
 */
#define EVC_NO_VCPU UINT32_MAX
int evc_host_listen(struct evc_domain *domain, uint32_t vcpu, evc_domid remote,
                    void (*notify)(void *data), void *data,
                    struct evc_host **out);

/**
 * evc_host_connect() - bind a host end to a port that @domain offers to
 * @offered
 * @domain:  the guest that allocated @port
 * @port:    an unbound port, offered to @offered
 * @offered: the id in whose name the host acts
 *
 * A back end inside the VMM.  The guest sees an interdomain channel to
 * @offered, port 0.  evc_host_send() raises @port.
 *
 * Return: 0; -EINVAL (not unbound, or not offered to @offered); -ENOMEM.
 */
int evc_host_connect(struct evc_domain *domain, evc_port port,
                     evc_domid offered, void (*notify)(void *data), void *data,
                     struct evc_host **out);

/** evc_host_port() - its port in the domain it was opened in (or bound to). */
evc_port evc_host_port(const struct evc_host *host);

/**
 * evc_host_fd() - an eventfd that counts events for this end
 *
 * Made on first use; belongs to the end and is closed with it.  Non-blocking.
 * Return: the descriptor; -EMFILE, -ENFILE, -ENOMEM; -ENOSYS (no eventfd here).
 */
int evc_host_fd(struct evc_host *host);

/**
 * evc_host_send() - raise the guest's end
 * Return: 0, also when nobody is bound (any more).
 */
int evc_host_send(struct evc_host *host);

/**
 * evc_host_send_fd() - an eventfd whose every write raises the guest's end
 *
 * For a device that knows eventfds only (vhost, VFIO).  Made on first use;
 * belongs to the end and is closed with it.  A thread of the engine reads it.
 *
 * Return: the descriptor; -EMFILE, -ENFILE, -ENOMEM; -ENOSYS (no eventfd here).
 */
int evc_host_send_fd(struct evc_host *host);

/**
 * evc_host_close() - close the end; the guest's peer becomes unbound
 * @host: end, or NULL
 *
 * When it returns, @notify neither runs nor will run, except for the call it is
 * made from.
 */
void evc_host_close(struct evc_host *host);

/* ---- looking ------------------------------------------------------------ */

/** Everything a tool may want to know of a port, at one moment. */
struct evc_port_info {
    evc_port port;
    uint32_t status; /* EVTCHNSTAT_* */
    uint32_t vcpu;   /* notified vCPU */
    uint32_t priority;
    evc_domid remote_domain; /* unbound, interdomain */
    evc_port remote_port;    /* interdomain */
    uint32_t irq;            /* pirq, virq: its number */
    bool host_consumer;      /* the host takes its events */
    bool pending, masked;    /* as the guest's memory says now */
    bool linked, saved; /* FIFO: on a queue; kept back for want of a word */
};

/**
 * evc_port_info() - look at one port
 * Return: 0; -EINVAL (port not valid).
 */
int evc_port_info(struct evc_domain *domain, evc_port port,
                  struct evc_port_info *out);

/**
 * evc_port_next() - the next open port above @after, for iteration from 0
 * Return: its number, or 0: no more.  Ports opened meanwhile may be missed.
 */
evc_port evc_port_next(struct evc_domain *domain, evc_port after);

struct evc_domain_info {
    evc_domid id;
    enum evc_layout layout;
    uint32_t vcpus, max_port, valid_ports, open_ports, paused;
    bool privileged, dying, shut_down, fifo;
    uint32_t shutdown_reason;
    uint32_t fifo_pages;
};

void evc_domain_info(struct evc_domain *domain, struct evc_domain_info *out);

/** evc_domain_next() - the next domain id above @after (-1: first), or -1. */
int evc_domain_next(struct evc_engine *engine, int after);

/* ---- counting ----------------------------------------------------------- */

/** What happened to the events sent to a port, since counting was on. */
struct evc_counts {
    uint64_t sent;      /* sends that had it as their target */
    uint64_t delivered; /* of these: raised a 0 -> 1 that the guest may see */
    uint64_t coalesced; /* of these: was pending already */
    uint64_t masked;    /* of these: went 0 -> 1 under the mask */
    uint64_t dropped;   /* of these: nobody bound, or no control block */
};

/**
 * evc_counting() - switch counters of a domain's ports on or off
 *
 * Off (the default) they cost a send nothing; on, senders write to lines of
 * their own.  Switching on starts from zero.
 *
 * Return: 0; -ENOMEM.
 */
int evc_counting(struct evc_domain *domain, bool on);

/** evc_port_counts() - events for one port. Return: 0; -EINVAL; -ENODATA. */
int evc_port_counts(struct evc_domain *domain, evc_port port,
                    struct evc_counts *out);

/**
 * evc_peer_counts() - events for @domain that came from @peer
 * Return: 0; -ENODATA (not counting).
 */
int evc_peer_counts(struct evc_domain *domain, evc_domid peer,
                    struct evc_counts *out);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif /* EVC_EVC_H */
