/* SPDX-License-Identifier: MIT */
/*
 * The engine: domains, vCPUs and the operations, behind <evc/evc.h>.
 *
 * Locks, outermost first:
 *
 *   engine.admin    domains come and go, VIRQ handlers change, counting
 *   domain.lock     the ports of one domain; of two, the lower id first
 *   engine.timers   which timer is due when
 *
 * Senders take none of them.  They read under RCU: the table of domains, a
 * domain's delivery, its vcpu_info pointers.  Whoever replaces one of these
 * waits for the readers (evc_rcu_wait) before the old one goes, and holds none
 * of the locks above while a reader could want it.
 *
 *   here                  there                   if it were weaker
 *   --------------------  ----------------------  ------------------------------
 *   D1 store domain  rel  D2 load domain     acq  a sender meets half a domain
 *   A1 store deliv.  rel  A2 load delivery   acq  a sender meets half an ABI
 *   X1 free channel   sc  X2 post, then clear     a closed port stays pending
 *   W1 count poller   sc  P1/F1 set pending   sc  poller asleep over its event
 *   W3 test pending   sc  W2 read pollers     sc  (delivery/, wait.c)
 *   K1 store waiting  sc  P4 set upcall       sc  sleeper asleep over its upcall
 *   K3 test upcall    sc  K2 read waiting     sc  (vcpu.c)
 */
#ifndef EVC_ENGINE_ENGINE_H
#define EVC_ENGINE_ENGINE_H

#include <errno.h>
#include <pthread.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#include "delivery.h"
#include "host.h"
#include "rcu.h"
#include "port.h"

#define EVC_DOMIDS 0x7ff0u /* ids that a domain can have: 0 .. 0x7fef */

/* ---- timers (timer.c) ---------------------------------------------------- */

enum evc_timer_kind { EVC_TIMER_ONCE, EVC_TIMER_PERIODIC, EVC_TIMERS };

struct evc_timer {
    uint64_t deadline; /* ns of system time; 0: not set */
    uint64_t period;   /* periodic only */
    uint32_t heap;     /* its place among the set ones */
    struct evc_vcpu *vcpu;
};

/* ---- vCPUs --------------------------------------------------------------- */

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

/* ---- domains ------------------------------------------------------------- */

struct evc_domain {
    /* Read by senders: */
    struct evc_engine *engine;
    struct evc_delivery *_Atomic delivery;
    struct evc_table table;
    evc_info_ptr *info; /* [vcpus] */
    void *cookie;
    struct evc_vcpu *vcpu; /* [vcpus] */
    uint32_t vcpus;
    evc_domid id;

    /* Written by pollers, read by senders of new events */
    evc_a32 pollers __attribute__((aligned(64)));

    /* For binders: */
    pthread_mutex_t lock __attribute__((aligned(64)));
    pthread_cond_t idle; /* refs went to 0 */
    evc_a32 refs;
    uint32_t max_port, nr_pirqs;
    bool privileged;
    bool resetting, dying;
    evc_a32 logged_drop; /* the log has had its line about this */
    evc_a32 paused, shut_down; /* shut_down: reason + 1 */
    evc_a32 target;            /* set_target; EVC_NO_DOMAIN */
    uint32_t host_ports;       /* open ports whose consumer is the host */
    uint8_t *shared_info;
    struct evc_info_slot *slots; /* [vcpus], for those beyond shared_info */
    evc_a32 *pirq_port;          /* [nr_pirqs], 0: not bound */
    evc_a32 counting;            /* count.c: 1 while on */
    struct evc_peer_total *peers;
};

struct evc_engine {
    struct evc_ops ops;
    void *host;
    enum evc_compat compat;
    struct evc_domain *_Atomic domain[EVC_DOMIDS];
    evc_a32 virq_handler[EVC_NR_VIRQS]; /* a domain id */
    pthread_mutex_t admin;
    struct evc_host *hosts; /* all host ends, under admin */

    pthread_mutex_t timers;
    struct evc_timer **heap;
    uint32_t heap_size, heap_room;
    struct evc_service *_Atomic service; /* our thread, once needed */
    pthread_mutex_t starting;            /* it */
};

/* ---- lookups (domain.c) --------------------------------------------------- */

/* The domain with an id, for as long as the caller is inside RCU. */
static inline struct evc_domain *evc_engine_peer(struct evc_engine *engine,
                                                 evc_domid id)
{
    if (id >= EVC_DOMIDS)
        return NULL;
    /* D2, pairs with D1 */
    return atomic_load_explicit(&engine->domain[id], memory_order_acquire);
}

static inline const struct evc_delivery *
evc_domain_delivery(const struct evc_domain *domain)
{
    /* A2, pairs with A1 */
    return atomic_load_explicit(&domain->delivery, memory_order_acquire);
}

/* A counted reference to a domain that stays alive until put; or NULL. */
struct evc_domain *evc_domain_get(struct evc_engine *engine, evc_domid id);
void evc_domain_put(struct evc_domain *domain);

/* As get; DOMID_SELF means `self`. */
struct evc_domain *evc_domain_resolve(struct evc_domain *self, evc_domid id);

/* Lock two domains, which may be one. */
void evc_domain_lock_two(struct evc_domain *a, struct evc_domain *b);
void evc_domain_unlock_two(struct evc_domain *a, struct evc_domain *b);

int evc_engine_policy(struct evc_domain *caller, enum evc_action action,
                      struct evc_domain *target, uint32_t detail);
void evc_engine_log(struct evc_engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool evc_is_xen_417(const struct evc_engine *engine);

/* ---- shape of shared memory, and changing the ABI (abi.c) ------------------ */

/* Has its guest words of 64 bits? */
bool evc_domain_is_wide(struct evc_domain *domain);

const struct evc_shape *evc_shape_of(enum evc_layout layout);
enum evc_layout evc_layout_of(const struct evc_shape *shape);

/* Publish and retire: the caller holds the lock, waits for readers, retires. */
struct evc_delivery *evc_delivery_create(struct evc_domain *domain,
                                         const struct evc_shape *shape,
                                         struct evc_fifo *fifo);
struct evc_delivery *evc_delivery_publish(struct evc_domain *domain,
                                          struct evc_delivery *next);
void evc_delivery_retire(struct evc_domain *domain, struct evc_delivery *old);

int evc_op_init_control(struct evc_domain *domain,
                        struct evtchn_init_control *arg);
int evc_op_expand_array(struct evc_domain *domain,
                        const struct evtchn_expand_array *arg);
int evc_op_set_priority(struct evc_domain *domain,
                        const struct evtchn_set_priority *arg);
/* Back to two-level. */
int evc_domain_leave_fifo(struct evc_domain *domain);

/* ---- posting (send.c) ------------------------------------------------------ */

/* Raise an existing port of a domain; inside RCU. The outcome is EVC_POST_*. */
unsigned evc_domain_post(struct evc_domain *domain, uint32_t port);
/* After a post: kick and wake whom it says. */
void evc_domain_posted(struct evc_domain *domain, uint32_t port, unsigned post);

/* ---- binding (bind.c, close.c, reset.c, virq.c, pirq.c) ---------------------- */

/* Under the lock: the lowest port that may be used, not yet taken. */
int evc_port_lowest(struct evc_domain *domain);
/* Take it: everything about it is default but its channel. */
void evc_port_open(struct evc_domain *domain, uint32_t port, uint64_t chan,
                   unsigned vcpu);
/* Free it again. */
void evc_port_free(struct evc_domain *domain, uint32_t port);
bool evc_port_linked(const void *domain, uint32_t port);
uint32_t evc_port_limit(const struct evc_domain *domain);

int evc_op_alloc_unbound(struct evc_domain *caller,
                         struct evtchn_alloc_unbound *arg);
int evc_op_bind_interdomain(struct evc_domain *caller,
                            struct evtchn_bind_interdomain *arg);
int evc_op_bind_virq(struct evc_domain *caller, struct evtchn_bind_virq *arg);
int evc_op_bind_ipi(struct evc_domain *caller, struct evtchn_bind_ipi *arg);
int evc_op_bind_pirq(struct evc_domain *caller, struct evtchn_bind_pirq *arg);
int evc_op_bind_vcpu(struct evc_domain *caller,
                     const struct evtchn_bind_vcpu *arg);
int evc_op_status(struct evc_domain *caller, struct evtchn_status *arg);
int evc_op_close(struct evc_domain *caller, uint32_t port);
int evc_op_reset(struct evc_domain *caller, evc_domid id);
int evc_op_reset_cont(struct evc_domain *caller, evc_domid id);

/* Close a port, whatever it is, the host's own too if `host`. 0 or -EINVAL. */
int evc_port_close(struct evc_domain *domain, uint32_t port, bool host);
/* Close all ports but the host's own, which only death takes. */
void evc_ports_close(struct evc_domain *domain, bool host);

bool evc_virq_is_vcpu(uint32_t virq);
void evc_virq_released(struct evc_domain *domain, uint32_t virq, unsigned vcpu);
void evc_virq_handler_gone(struct evc_domain *domain);
void evc_pirq_released(struct evc_domain *domain, uint32_t pirq);

/* ---- host ends (hostend.c) -------------------------------------------------- */

/* A guest has sent to the host end kept with `port` of `domain`; inside RCU:
 * returns a counted end to be called outside, or NULL. */
struct evc_host *evc_host_take(struct evc_domain *domain, uint32_t port);
void evc_host_notify(struct evc_host *host);
/* The port it is kept with has gone, or its domain has. Under the lock. */
void evc_host_detach(struct evc_domain *domain, uint32_t port);

/* ---- vCPUs (vcpu.c, wait.c, timer.c, time.c) -------------------------------- */

int evc_vcpus_create(struct evc_domain *domain);
void evc_vcpus_destroy(struct evc_domain *domain);
int evc_vcpu_register_info(struct evc_vcpu *vcpu, uint32_t self, uint64_t gfn,
                           uint32_t offset);
void evc_time_write(struct evc_vcpu *vcpu);
uint64_t evc_engine_now(struct evc_engine *engine);

/* An upcall became due on a vCPU: let it be seen. */
void evc_vcpu_kick(struct evc_vcpu *vcpu);
/* PENDING of a port went 0 -> 1: end the polls that wait for it. */
void evc_wake_pollers(struct evc_domain *domain, uint32_t port);
void evc_wake_all(struct evc_domain *domain);
int64_t evc_sched_op(struct evc_domain *domain, uint32_t vcpu, uint64_t cmd,
                     uint64_t arg);

int evc_timer_set(struct evc_vcpu *vcpu, enum evc_timer_kind kind,
                  uint64_t deadline, uint64_t period);
void evc_timers_forget(struct evc_domain *domain);
/* The engine's own thread, started when first needed (service.c). */
int evc_service_start(struct evc_engine *engine);
void evc_service_alarm(struct evc_engine *engine, uint64_t deadline);
int evc_service_watch(struct evc_engine *engine, int fd, struct evc_host *host);
void evc_service_unwatch(struct evc_engine *engine, int fd);
void evc_service_stop(struct evc_engine *engine);

/* ---- guest addresses (hypercall.c) ------------------------------------------ */

int evc_copy_from(struct evc_domain *domain, uint32_t vcpu, void *to,
                  uint64_t from, size_t size);
int evc_copy_to(struct evc_domain *domain, uint32_t vcpu, uint64_t to,
                const void *from, size_t size);

/* ---- counting (count.c) ------------------------------------------------------ */

/* One send to `port` of `domain` by way of a counted channel. */
void evc_count(struct evc_domain *domain, uint32_t port, unsigned post);
/* Counters for a bucket. 0 or -ENOMEM. */
int evc_count_prepare(struct evc_bucket *bucket);
/* The port changes hands: carry its counts over to its peer's total. */
void evc_count_close(struct evc_domain *domain, uint32_t port, evc_domid peer);
void evc_count_finish(struct evc_domain *domain);
bool evc_is_counting(const struct evc_domain *domain);

#endif /* EVC_ENGINE_ENGINE_H */
