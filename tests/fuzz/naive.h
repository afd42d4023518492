/* SPDX-License-Identifier: MIT */
/*
 * A naive engine: what evc must answer and how it must leave its guests' memory,
 * as plainly as the rules can be written.  One thread, linear searches, an array
 * for everything; nothing is shared with the engine but its public headers.
 *
 * Each of its guests has a *shadow*: the memory as it must be.  Whatever a guest
 * writes is written to both; whatever the engine writes, the naive one must have
 * written as well, and in the same order, for a guest may have its structures
 * lie across each other.
 */
#ifndef EVC_TESTS_FUZZ_NAIVE_H
#define EVC_TESTS_FUZZ_NAIVE_H

#include "guest.h"

#define DOMAINS  3u /* ids 0, 1 and 2 */
#define VCPUS    4u /* of each */
#define ENDS     4u /* of the host, at a time */
#define PORTS    131072u
#define QUEUES   16u
#define NO_QUEUE UINT32_MAX
#define NOBODY   0x7ff4u /* the domain of what a dead one has left */

/* ---- what there is ------------------------------------------------------ */

struct naive_end { /* a channel's end that is the host's */
    bool open, listening, attached;
    unsigned domain;
    uint32_t port, vcpu;
    unsigned notified, really; /* calls: that it should have had, and had */
    struct evc_host *real;
};

struct naive_port {
    uint8_t what; /* EVTCHNSTAT_* */
    bool host;    /* the host takes its events: a listening end */
    bool saved;   /* FIFO: kept back for want of a word */
    uint8_t away; /* from the default priority: priority ^ 7 */
    uint16_t domain;
    uint32_t port, irq, vcpu;
    uint32_t queue; /* + 1, FIFO: it was last on; 0 none */
    uint32_t sent;
    struct naive_end *end; /* listening or connected here */
};

struct naive_timer {
    uint64_t deadline, period;
};

struct naive_vcpu {
    uint32_t virq[EVC_NR_VIRQS];
    uint8_t *info; /* in the shadow, or the next */
    _Alignas(8) uint8_t none[64];
    bool moved, online;
    uint8_t *block; /* FIFO: its control block, in the shadow */
    uint32_t tail[QUEUES];
    struct naive_timer timer[2]; /* singleshot, periodic */
};

struct naive_domain {
    struct naive *all;
    struct guest *guest; /* whose twin it is */
    bool exists, privileged, dying, fifo, counting, counts_lost;
    unsigned id;
    enum evc_layout layout;
    struct evc_abi_layout abi;
    uint32_t max_port, valid, paused, shut_down, target;
    uint32_t pages, page[128]; /* FIFO: frames of event words */
    uint32_t pirq[PIRQS];
    struct naive_vcpu vcpu[VCPUS];
    struct naive_port *port; /* [PORTS] */
    uint8_t *shadow;
    bool touched[FRAMES]; /* it has been written to */
    unsigned kicks[VCPUS], mapped, shutdowns;
    int map_error; /* of the next map */
};

struct naive {
    struct world *w;
    bool xen_417;
    struct naive_domain domain[DOMAINS];
    struct naive_end end[ENDS];
    unsigned handler[EVC_NR_VIRQS];
};

/* ---- naive.c: domains --------------------------------------------------- */

void naive_start(struct naive *n, struct world *w, bool xen_417);
/* A guest's domain has been created. */
void naive_create(struct naive *n, struct guest *g,
                  const struct evc_domain_config *config);
void naive_kill(struct naive_domain *d);
void naive_destroy(struct naive_domain *d);
void naive_shutdown(struct naive_domain *d, uint32_t reason);
int naive_set_layout(struct naive_domain *d, enum evc_layout layout);
void naive_counting(struct naive_domain *d, bool on);

/* NULL: there is none. */
struct naive_domain *naive_find(struct naive *n, unsigned id);
struct naive_domain *naive_resolve(struct naive_domain *self, unsigned id);
/* The port, open or not; NULL beyond the table. */
struct naive_port *naive_port(struct naive_domain *d, uint32_t port);
uint32_t naive_limit(const struct naive_domain *d);
/* As the embedder's map; the page in *page. */
int naive_map(struct naive_domain *d, uint64_t gfn, uint8_t **page);
void naive_place_infos(struct naive_domain *d);

/* ---- memory.c: the shadow ----------------------------------------------- */

uint32_t naive_load(const void *at, unsigned size);
/* `at` may be in the shadow, or a vcpu_info that no guest sees. */
void naive_store(struct naive_domain *d, void *at, const void *from,
                 size_t size);
void naive_store32(struct naive_domain *d, void *at, uint32_t value);

/* An event for a port, in whichever ABI. */
void naive_post(struct naive_domain *d, uint32_t port);
void naive_unmask(struct naive_domain *d, uint32_t port);
void naive_forget(struct naive_domain *d, uint32_t port);
bool naive_is_pending(struct naive_domain *d, uint32_t port);
bool naive_is_masked(struct naive_domain *d, uint32_t port);
bool naive_is_linked(struct naive_domain *d, uint32_t port);
bool naive_is_due(struct naive_domain *d, unsigned vcpu);
void naive_write_time(struct naive_domain *d, unsigned vcpu);
void naive_write_wallclock(struct naive_domain *d, uint64_t ns);
void naive_move_info(struct naive_domain *d, unsigned vcpu, uint8_t *to);

/* ---- ports.c: event_channel_op ------------------------------------------ */

int naive_op(struct naive_domain *d, uint32_t cmd, void *arg);
int naive_send(struct naive_domain *d, uint32_t port);
int naive_lowest(struct naive_domain *d);
void naive_open(struct naive_domain *d, uint32_t port, struct naive_port as);
void naive_close(struct naive_domain *d, uint32_t port);
int naive_bind_static(struct naive_domain *d, uint32_t port, unsigned remote);
int naive_connect_static(struct naive_domain *a, uint32_t pa,
                         struct naive_domain *b, uint32_t pb);
void naive_leave_fifo(struct naive_domain *d);

/* ---- raise.c: what comes from the host ---------------------------------- */

bool naive_is_vcpu_virq(uint32_t virq);
bool naive_is_global_virq(uint32_t virq);
/* An event of the host's, counted where that is on. */
void naive_raise(struct naive_domain *d, uint32_t port);
int naive_raise_virq(struct naive_domain *d, uint32_t vcpu, uint32_t virq);
int naive_raise_argo(struct naive_domain *d, uint32_t virq);
int naive_raise_global(struct naive *n, uint32_t virq);
int naive_set_handler(struct naive_domain *d, uint32_t virq);
int naive_raise_pirq(struct naive_domain *d, uint32_t pirq);
int naive_pirq_eoi(struct naive_domain *d, uint32_t pirq, bool unmask);
int naive_listen(struct naive_end *end, struct naive_domain *d, uint32_t vcpu,
                 unsigned remote);
int naive_connect(struct naive_end *end, struct naive_domain *d, uint32_t port,
                  unsigned offered);
void naive_host_send(struct naive *n, struct naive_end *end);
void naive_host_close(struct naive *n, struct naive_end *end);
void naive_set_timer(struct naive_domain *d, unsigned vcpu, unsigned kind,
                     uint64_t deadline, uint64_t period);
void naive_run_timers(struct naive *n);

/* ---- calls.c: hypercalls ------------------------------------------------ */

int64_t naive_call(struct naive_domain *d, unsigned vcpu, uint64_t nr,
                   const uint64_t args[6]);

/* ---- compare.c: is it so? ----------------------------------------------- */

/* Memory that was written to, and what the embedder was asked. */
void naive_compare(struct naive *n);
/* Every port of every domain; every page that was not to be written, if `all`. */
void naive_compare_ports(struct naive *n);
void naive_compare_pages(struct naive *n, bool all);

#endif /* EVC_TESTS_FUZZ_NAIVE_H */
