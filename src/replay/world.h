/* SPDX-License-Identifier: MIT */
/*
 * The world of one scenario: an engine, up to four domains with their pages,
 * the vCPUs that act, interrupt lines, and time.
 *
 * Only one thread of a world runs at any moment: the runner (whoever calls
 * these functions), or the one actor to whom it has passed the turn.  An actor
 * gives the turn back when its job is done or when it sleeps in a hypercall,
 * and sleeps on until the runner finds it woken.  So nothing here is racy, and
 * the order in which vCPUs act is the same every time.
 */
#ifndef EVC_REPLAY_WORLD_H
#define EVC_REPLAY_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <evc/abi/layouts.h>
#include <evc/evc.h>

#define EVC_WORLD_DOMS   4u   /* dom0 and up to three others */
#define EVC_WORLD_VCPUS  4u   /* per domain, that may act and are watched */
#define EVC_WORLD_D0     136u /* pages of dom0 */
#define EVC_WORLD_DU     8u   /* pages of an active domU */
#define EVC_WORLD_LINES  24u  /* interrupt lines */
#define EVC_WORLD_SLOTS  128u /* pages of a FIFO event array */
#define EVC_WORLD_QUEUES 16u
#define EVC_WORLD_PAGE   4096u
#define EVC_WORLD_BUFFER 3072u /* of an actor, for hypercall arguments */

#define EVC_WORLD_MS UINT64_C(1000000) /* ns */

/* Where a guest has what: the same in every domain, below 4 GiB. */
#define EVC_WORLD_BUFFER_VA(vcpu) (UINT64_C(0x10000000) + (vcpu)*0x1000ull)
#define EVC_WORLD_READONLY_VA     UINT64_C(0x20000000) /* dom0 only */
#define EVC_WORLD_UNMAPPED_VA     UINT64_C(0x1000)

/* Frames.  Far from any number that a scenario could mean. */
#define EVC_WORLD_FRAME(dom, page) \
    (UINT64_C(0x4000000000) + ((uint64_t)(dom) << 20) + (uint64_t)(page))
#define EVC_WORLD_FRAME_PAGETABLE   UINT64_C(0x4000080000)
#define EVC_WORLD_FRAME_SHARED_INFO UINT64_C(0x4000080001)

struct evc_dom;
struct evc_actor;

/* A job runs on the actor's thread; its result is what it leaves behind. */
typedef void evc_job(struct evc_actor *actor, void *data);

enum evc_actor_state {
    EVC_ACTOR_IDLE = 0, /* waits for a job */
    EVC_ACTOR_RUNNING,  /* has the turn */
    EVC_ACTOR_ASLEEP,   /* in a hypercall that waits */
    EVC_ACTOR_GONE,     /* its thread has ended */
};

struct evc_actor {
    struct evc_dom *dom;
    unsigned vcpu;
    pthread_t thread;
    pthread_cond_t turn;
    enum evc_actor_state state;
    bool quit;
    bool woken;        /* the present or the next wait is over */
    uint64_t deadline; /* of the present wait, 0: none */
    evc_job *job;
    void *data;
    bool async;       /* the scenario goes on before the job is done */
    int64_t rc;       /* of the hypercall that was started asynchronously */
    uint64_t upcalls; /* event callbacks taken */
    uint8_t buffer[EVC_WORLD_BUFFER] __attribute__((aligned(64)));
};

/* What a domain's shared state looked like after the statement before. */
struct evc_image {
    uint64_t pending[64];
    uint64_t mask[64];
    struct {
        uint64_t selector;
        uint64_t upcalls;
        uint8_t pending;
        uint8_t mask;
    } vcpu[EVC_WORLD_VCPUS];
    uint8_t (*page)[EVC_WORLD_PAGE];
};

/* What a domain has told Xen about its FIFO pages, and its private heads. */
struct evc_fifo {
    bool on;
    unsigned slots; /* registered pages of the event array */
    unsigned slot_page[EVC_WORLD_SLOTS];
    int control_page[EVC_WORLD_VCPUS]; /* -1: none */
    uint32_t control_offset[EVC_WORLD_VCPUS];
    uint32_t head[EVC_WORLD_VCPUS][EVC_WORLD_QUEUES];
};

enum evc_dom_kind { EVC_DOM_PASSIVE, EVC_DOM_ACTIVE, EVC_DOM_HVM };

struct evc_dom {
    struct evc_world *world;
    unsigned id;
    struct evc_domain *handle; /* the engine's; NULL: there is none */
    bool exists;               /* as far as the scenario is concerned */
    bool paused;               /* by a statement */
    unsigned pauses;           /* the true count */
    bool hvm;
    bool kept;          /* destroyed, but somebody maps its memory for ever */
    int target;         /* the domain it serves; -1: none */
    unsigned vcpus;     /* at most EVC_WORLD_VCPUS */
    unsigned all_vcpus; /* there may be more than may act */

    uint8_t *shared_info;
    uint8_t *vcpu_info[EVC_WORLD_VCPUS];
    int vcpu_info_page[EVC_WORLD_VCPUS]; /* -1: in shared_info */
    unsigned pages;
    uint8_t (*page)[EVC_WORLD_PAGE];
    bool touched[EVC_WORLD_D0]; /* somebody may write to this page */

    struct evc_actor *actor[EVC_WORLD_VCPUS]; /* NULL: cannot act */
    bool started[EVC_WORLD_VCPUS];

    struct evc_fifo fifo;
    bool was_reset; /* by the present statement */
    struct evc_image image;

    bool line_mapped[EVC_WORLD_LINES];
    bool line_allowed[EVC_WORLD_LINES];

    struct evc_host **ports; /* Xen's own, of device model servers */
    unsigned nr_ports;
    unsigned servers;
};

struct evc_world {
    struct evc_engine *engine;
    struct evc_abi_layout layout;
    enum evc_layout width;
    struct evc_dom dom[EVC_WORLD_DOMS];

    pthread_mutex_t lock;
    pthread_cond_t runner;
    struct evc_actor *turn; /* NULL: the runner's */

    uint64_t now;   /* system time, ns */
    uint64_t timer; /* when evc_timers_run() wants to be called, 0: never */
    bool logged;    /* Xen wrote a line: VIRQ_CON_RING is due */
    uint8_t *readonly;

    struct {
        unsigned users; /* bit K: domain K has bound it */
        bool shared;
    } line[EVC_WORLD_LINES];
};

/* ---- world.c ------------------------------------------------------------ */

/* Make dom0 with `vcpus` of its four vCPUs started. Returns 0 or -ENOMEM ... */
int evc_world_create(struct evc_world *world, enum evc_compat compat,
                     enum evc_layout layout, unsigned vcpus);
void evc_world_destroy(struct evc_world *world);

/* Raise VIRQ_CON_RING if something has been logged. No lock may be held. */
void evc_world_console(struct evc_world *world);

/* ---- dom.c -------------------------------------------------------------- */

int evc_dom_create(struct evc_world *world, unsigned id, unsigned vcpus,
                   uint32_t max_port, enum evc_dom_kind kind);

/* With `keep`, or while another serves it, the engine knows it on, dying. */
void evc_dom_destroy(struct evc_dom *dom, bool keep);
void evc_dom_finish(struct evc_dom *dom);
int evc_dom_start(struct evc_dom *dom, unsigned vcpu);

/* May its vCPUs run at this moment? */
bool evc_dom_runs(const struct evc_dom *dom, unsigned vcpu);

void evc_dom_forget_fifo(struct evc_dom *dom);

/* Read and write a field of the guest's own word size. */
uint64_t evc_dom_word(const struct evc_dom *dom, const void *at);
void evc_dom_put_word(const struct evc_dom *dom, void *at, uint64_t value);

/* ---- actor.c ------------------------------------------------------------ */

int evc_actor_create(struct evc_dom *dom, unsigned vcpu,
                     struct evc_actor **out);

/* End its thread, whatever it waits for. Accepts NULL. */
void evc_actor_destroy(struct evc_actor *actor);

/* On the actor's thread: enter Xen, leave it, and take the upcall if due. */
int64_t evc_actor_hypercall(struct evc_actor *actor, uint64_t nr, uint64_t a,
                            uint64_t b, uint64_t c);

/* On the actor's thread, from the engine: sleep until woken or deadline. */
void evc_actor_wait(struct evc_actor *actor, uint64_t deadline);

/*
 * Run a job to its end, moving the clock while everybody waits for it.
 * Returns 0, or -EDEADLK when nothing can end it.
 */
int evc_actor_run(struct evc_actor *actor, evc_job *job, void *data);

/* Start a job and let the scenario go on. */
void evc_actor_begin(struct evc_actor *actor, evc_job *job, void *data);
bool evc_actor_done(const struct evc_actor *actor);

/* Let it go on if it can: false, nothing has changed for it. */
bool evc_actor_step(struct evc_actor *actor);

/* ---- time.c ------------------------------------------------------------- */

/* Let everything happen that can happen now. */
void evc_world_settle(struct evc_world *world);

/* Let `ns` pass, with all that happens meanwhile. */
void evc_world_pass(struct evc_world *world, uint64_t ns);

/* Go to the next moment at which something happens: false, there is none. */
bool evc_world_skip(struct evc_world *world);

/* ---- pirq.c ------------------------------------------------------------- */

int evc_pirq_allow(struct evc_dom *dom, uint32_t pirq, bool allow);
int evc_pirq_map(struct evc_dom *dom, uint32_t pirq);
bool evc_pirq_permitted(const struct evc_dom *dom, uint32_t pirq);
int evc_pirq_bind(struct evc_dom *dom, uint32_t pirq, bool share);
void evc_pirq_unbind(struct evc_dom *dom, uint32_t pirq);
void evc_pirq_raise(struct evc_world *world, unsigned line);
unsigned evc_pirq_count(unsigned domid);

#endif /* EVC_REPLAY_WORLD_H */
