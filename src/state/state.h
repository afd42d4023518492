/* SPDX-License-Identifier: MIT */
/*
 * The engine's data: what an engine, a domain, a vCPU and a host end consist
 * of, and what every layer above does with them.
 *
 * Locks, outermost first:
 *
 *   engine.admin    domains and host ends come and go, VIRQ handlers change
 *   domain.lock     the ports of one domain; of two, the lower id first
 *   engine.timers   which timer is due when
 *
 * Senders take none of them.  They read under RCU: the table of domains, the
 * queues of a FIFO guest, vcpu_info pointers.  Whoever replaces one of these
 * waits for the readers (evc_rcu_wait) before the old one goes; a reader waits
 * for nobody who could be waiting so.
 *
 *   here                  there                   if it were weaker
 *   --------------------  ----------------------  -----------------------------
 *   D1 store domain  rel  D2 load domain     acq  a sender meets half a domain
 *   A1 store fifo    rel  A2 load fifo       acq  (delivery/delivery.h)
 */
#ifndef EVC_STATE_STATE_H
#define EVC_STATE_STATE_H

#include <errno.h>
#include <pthread.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#include "delivery.h"
#include "host.h"
#include "port.h"
#include "rcu.h"

#define EVC_DOMIDS 0x7ff0u /* ids that a domain can have: 0 .. 0x7fef */

/* ---- timers ------------------------------------------------------------- */

enum evc_timer_kind { EVC_TIMER_ONCE, EVC_TIMER_PERIODIC, EVC_TIMERS };

struct evc_timer {
    uint64_t deadline; /* ns of system time; 0: not set */
    uint64_t period;   /* periodic only */
    uint32_t heap;     /* its place among the set ones */
    struct evc_vcpu *vcpu;
};

/* ---- vCPUs -------------------------------------------------------------- */

struct evc_vcpu {
    struct evc_domain *domain;
    uint32_t id;
    evc_a32 virq_port[EVC_NR_VIRQS]; /* 0: not bound; global ones on vCPU 0 */

    /* Its vcpu_info, once moved: for unmapping, under the domain's lock. */
    void *info_page;
    uint64_t info_gfn;

    /* Waiting (wait.c) */
    evc_a32 waiting;   /* enum evc_vcpu_state */
    evc_a32 poll_port; /* the only port polled; 0: any of the domain */
    evc_a32 woken;     /* something has ended the wait */
    evc_a32 online;    /* as the embedder says: evc_vcpu_set_online() */
    struct evc_sleeper sleeper;

    struct evc_timer timer[EVC_TIMERS]; /* under engine.timers */
} __attribute__((aligned(64)));

/* What a vCPU has for vcpu_info before the guest gives it one: nobody looks. */
struct evc_info_slot {
    uint8_t bytes[EVC_VCPU_INFO_SIZE];
} __attribute__((aligned(64)));

/* ---- domains ------------------------------------------------------------ */

struct evc_domain {
    /* Read by senders: */
    struct evc_engine *engine;
    void *cookie;
    struct evc_delivery delivery;
    evc_info_ptr *info;    /* [vcpus] */
    struct evc_vcpu *vcpu; /* [vcpus] */
    uint32_t vcpus;
    evc_domid id;
    struct evc_table table; /* its last line is the binders' */

    /* Written by who waits, read by senders of new events: */
    evc_a32 waiters __attribute__((aligned(64))); /* vCPUs, in block or poll */
    evc_a32 pollers;                              /* of them, those in poll */

    /* For binders: */
    evc_spin lock __attribute__((aligned(64)));
    evc_a32 refs;
    uint32_t max_port, nr_pirqs;
    uint32_t limit; /* the highest port that may be used now */
    bool privileged;
    bool resetting, dying;
    evc_a32 logged_drop;       /* the log has had its line about this */
    evc_a32 paused, shut_down; /* shut_down: reason + 1 */
    evc_a32 target;            /* set_target; EVC_NO_DOMAIN */
    evc_a32 changes;     /* odd while a channel's two ends differ: status() */
    uint32_t host_ports; /* open ports whose consumer is the host */
    uint8_t *shared_info;
    struct evc_info_slot *slots; /* [vcpus], for those beyond shared_info */
    evc_a32 *pirq_port;          /* [nr_pirqs], 0: not bound */
    evc_a32 counting;            /* count.c: 1 while on */
    struct evc_peer_total *peers;
    struct evc_sleeper idle; /* refs went to 0 */
};

struct evc_engine {
    struct evc_domain *_Atomic domain[EVC_DOMIDS];
    struct evc_ops ops;
    void *host;
    enum evc_compat compat;
    evc_a32 virq_handler[EVC_NR_VIRQS]; /* a domain id */
    pthread_mutex_t admin;
    struct evc_host *hosts; /* all host ends, under admin */

    pthread_mutex_t timers;
    struct evc_timer **heap;
    uint32_t heap_size, heap_room;
    struct evc_service *_Atomic service; /* our thread, once needed */
    pthread_mutex_t starting;            /* it */
};

/* ---- host ends ---------------------------------------------------------- */

/* An end of a channel that the embedder holds: event/ and bind/hostend.c. */
struct evc_host {
    struct evc_engine *engine;
    struct evc_host *next, **link; /* in engine.hosts, under engine.admin */
    void (*notify)(void *data);
    void *data;
    evc_domid domid; /* where the port is */
    evc_port port;
    bool listening;
    uint32_t vcpu; /* woken by each event; EVC_NO_VCPU: none */

    evc_a32 attached;    /* 0: the domain or its port has gone */
    evc_a32 fd, send_fd; /* descriptor + 1; 0: not made */

    pthread_mutex_t lock; /* makes descriptors; guards the rest */
    pthread_cond_t idle;
    uint32_t calls;
    bool orphan; /* closed from inside its own callback: freed after it */
};

/* ---- finding a domain (state.c) ----------------------------------------- */

/* The domain that a channel word names: inside RCU it is there. */
static inline struct evc_domain *evc_engine_bound(struct evc_engine *engine,
                                                  evc_domid id)
{
    /* D2, pairs with D1 */
    return atomic_load_explicit(&engine->domain[id], memory_order_acquire);
}

/* The domain with an id, for as long as the caller is inside RCU. */
static inline struct evc_domain *evc_engine_peer(struct evc_engine *engine,
                                                 evc_domid id)
{
    return id < EVC_DOMIDS ? evc_engine_bound(engine, id) : NULL;
}

/* A counted reference to a domain that stays alive until put; or NULL. */
struct evc_domain *evc_domain_get(struct evc_engine *engine, evc_domid id);
void evc_domain_put(struct evc_domain *domain);

/* As get; DOMID_SELF means `self`, which needs no counting. */
struct evc_domain *evc_domain_resolve(struct evc_domain *self, evc_domid id);
void evc_domain_resolved(struct evc_domain *self, struct evc_domain *domain);

/* Takes its lock: it can begin to die as soon as this has answered. */
bool evc_domain_is_dying(struct evc_domain *domain);

/* Lock two domains, which may be one. */
void evc_domain_lock_two(struct evc_domain *a, struct evc_domain *b);

static inline void evc_domain_unlock_two(struct evc_domain *a,
                                         struct evc_domain *b)
{
    evc_spin_unlock(&a->lock);
    if (a != b)
        evc_spin_unlock(&b->lock);
}

/*
 * Find a domain by its id and lock it; NULL: there is none.  Under its lock it
 * stays, without a reference: evc_domain_destroy() waits for who holds that.
 */
struct evc_domain *evc_domain_lock(struct evc_engine *engine, evc_domid id);

/*
 * The same, with the lock of `self` held, which is another: the one with the
 * higher id waits without it.  False: so it had to be let go of meanwhile.
 */
bool evc_domain_lock_in_order(struct evc_domain *self, evc_domid id,
                              struct evc_domain **other);

/*
 * evc_domain_lock(), where it need not wait, and evc_rcu_is_quick().  NULL: it
 * must, or there is none.
 */
static inline struct evc_domain *evc_domain_try(struct evc_engine *engine,
                                                evc_domid id)
{
    struct evc_domain *domain;
    struct evc_reader reader;

    if (!evc_rcu_try(&reader))
        return NULL;
    domain = evc_engine_peer(engine, id);
    if (domain != NULL && !evc_spin_try(&domain->lock))
        domain = NULL;
    evc_rcu_leave(reader);
    return domain;
}

/*
 * Lock `self` and the domain with an id, which may be itself, or DOMID_SELF.
 * NULL: there is none, and nothing is locked.
 */
static inline struct evc_domain *evc_domain_lock_with(struct evc_domain *self,
                                                      evc_domid id)
{
    struct evc_domain *other;

    evc_spin_lock(&self->lock);
    if (id == DOMID_SELF || id == self->id)
        return self;
    other = self->table.slow ? NULL : evc_domain_try(self->engine, id);
    if (other == NULL)
        (void)evc_domain_lock_in_order(self, id, &other);
    if (other == NULL)
        evc_spin_unlock(&self->lock);
    return other;
}

/*
 * Around what changes both ends of a channel, under both locks.  status(),
 * which takes no lock, answers from before or from after.
 *
 *   Q1 changes odd, Q2 even     Q3 read changes, before and after looking
 */
static inline void evc_change_begin(struct evc_domain *a, struct evc_domain *b)
{
    /* Relaxed: C1, a release, carries it to whoever sees a new channel. */
    evc_a32_store_rlx(&a->changes, evc_a32_load_rlx(&a->changes) + 1); /* Q1 */
    if (a != b)
        evc_a32_store_rlx(&b->changes, evc_a32_load_rlx(&b->changes) + 1);
}

static inline void evc_change_end(struct evc_domain *a, struct evc_domain *b)
{
    evc_a32_store_rel(&a->changes, evc_a32_load_rlx(&a->changes) + 1); /* Q2 */
    if (a != b)
        evc_a32_store_rel(&b->changes, evc_a32_load_rlx(&b->changes) + 1);
}

/* ---- asking the embedder (state.c) -------------------------------------- */

static inline bool evc_is_xen_417(const struct evc_engine *engine)
{
    return engine->compat == EVC_COMPAT_XEN_4_17;
}

int evc_engine_ask(struct evc_domain *caller, enum evc_action action,
                   struct evc_domain *target, uint32_t detail);

/* May it? Where nobody is to be asked, who concerns itself alone may. */
static inline int evc_engine_policy(struct evc_domain *caller,
                                    enum evc_action action,
                                    struct evc_domain *target, uint32_t detail)
{
    if (caller->engine->ops.policy == NULL && action != EVC_ACTION_BIND_PIRQ &&
        (caller == target || action == EVC_ACTION_BIND_INTERDOMAIN))
        return 0;
    return evc_engine_ask(caller, action, target, detail);
}

void evc_engine_log(struct evc_engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t evc_engine_now(struct evc_engine *engine);

/* Guest addresses. 0 or -EFAULT. */
int evc_copy_from(struct evc_domain *domain, uint32_t vcpu, void *to,
                  uint64_t from, size_t size);
int evc_copy_to(struct evc_domain *domain, uint32_t vcpu, uint64_t to,
                const void *from, size_t size);

/* ---- the shape of shared memory (shape.c) ------------------------------- */

const struct evc_shape *evc_shape_of(enum evc_layout layout);
enum evc_layout evc_layout_of(const struct evc_shape *shape);

/* Has its guest words of 64 bits? */
bool evc_domain_is_wide(struct evc_domain *domain);

/*
 * Another shape, or another ABI: @fifo, or NULL for two-level.  The caller holds
 * the lock, changes, waits for readers, and retires what was there.
 */
void evc_domain_reshape(struct evc_domain *domain,
                        const struct evc_shape *shape);
void evc_domain_change(struct evc_domain *domain, struct evc_fifo *fifo);
void evc_domain_retire(struct evc_domain *domain, struct evc_fifo *fifo);

/* ---- counting (count.c) ------------------------------------------------- */

/* One send to `port` of `domain` by way of a counted channel. */
void evc_count(struct evc_domain *domain, uint32_t port, unsigned post);
/* Counters for a bucket. 0 or -ENOMEM. */
int evc_count_prepare(struct evc_bucket *bucket);
void evc_count_finish(struct evc_domain *domain);

static inline bool evc_is_counting(const struct evc_domain *domain)
{
    return evc_a32_load_acq(&domain->counting) != 0;
}

void evc_count_carry(struct evc_domain *domain, uint32_t port, evc_domid peer);

/* The port changes hands: carry its counts over to its peer's total. */
static inline void evc_count_close(struct evc_domain *domain, uint32_t port,
                                   evc_domid peer)
{
    if (evc_is_counting(domain))
        evc_count_carry(domain, port, peer);
}

#endif /* EVC_STATE_STATE_H */
