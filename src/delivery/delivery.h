/* SPDX-License-Identifier: MIT */
/*
 * Delivery: set a port pending in the guest's memory, in either ABI.
 *
 * A struct evc_delivery is what one domain's senders need to reach its guest:
 * where the bits are, where each vCPU's vcpu_info is, and, in FIFO mode, the
 * event pages, control blocks and queues.  A domain has one at a time; changing
 * the ABI means publishing another (engine/abi.c), so senders never see half of
 * each.
 *
 * Nothing here locks a domain or calls the embedder: the answer says what is
 * left to do.
 */
#ifndef EVC_DELIVERY_DELIVERY_H
#define EVC_DELIVERY_DELIVERY_H

#include <stddef.h>

#include "atomic.h"
#include "port.h"
#include "spin.h"

#define EVC_PAGE_SIZE      4096u
#define EVC_VCPU_INFO_SIZE 64u /* of every layout, or less */

#define EVC_FIFO_PAGES      128u
#define EVC_FIFO_PAGE_PORTS 1024u
#define EVC_FIFO_QUEUES     16u
#define EVC_FIFO_PORTS      (EVC_FIFO_PAGES * EVC_FIFO_PAGE_PORTS)

/* ---- what a post did ---------------------------------------------------- */

enum {
    EVC_POST_EDGE = 1,    /* PENDING went 0 -> 1: pollers are to be woken */
    EVC_POST_KICK = 2,    /* upcall_pending went 0 -> 1: kick the vCPU */
    EVC_POST_MASKED = 4,  /* the guest does not want to be told now */
    EVC_POST_DROPPED = 8, /* the vCPU has no control block: nothing was done */
    EVC_POST_SAVED = 16,  /* kept back until it has an event word */
};
/* With KICK or DROPPED, bits 16-31 of the answer are the notified vCPU. */
static inline unsigned evc_post_for(unsigned what, unsigned vcpu)
{
    return what | vcpu << 16;
}

static inline unsigned evc_post_vcpu(unsigned post)
{
    return post >> 16;
}

/* ---- state -------------------------------------------------------------- */

/* The layout of shared_info, in the numbers that senders need. */
struct evc_shape {
    bool wide;          /* words of 64 bits, not 32 */
    bool has_mask;      /* vcpu_info has an upcall mask */
    uint8_t sel_offset; /* pending_sel in vcpu_info */
    uint16_t pending;   /* offsets in shared_info */
    uint16_t mask;
    uint16_t ports;       /* two-level ports */
    uint16_t slots;       /* vCPUs whose vcpu_info is in shared_info */
    uint16_t info_size;   /* bytes from one vcpu_info to the next */
    uint16_t time_offset; /* vcpu_time_info in vcpu_info */
    uint16_t wallclock;   /* wc_version, wc_sec, wc_nsec in shared_info */
    uint16_t wc_sec_hi;   /* 0: none */
};

/* Where a vCPU's vcpu_info is at the moment. Written by binders, never NULL. */
typedef void *_Atomic evc_info_ptr;

/* One of a vCPU's sixteen queues. The tail is the host's alone. */
struct evc_queue {
    evc_spin lock;
    uint32_t tail; /* under the lock: the last port linked, 0 none */
} __attribute__((aligned(64)));

/* A vCPU that may be notified in FIFO mode. */
struct evc_block {
    evc_a32 *control; /* the guest's control block: ready, -, head[16] */
    void *page;       /* as mapped, and its frame, for unmapping */
    uint64_t gfn;
    struct evc_queue queue[EVC_FIFO_QUEUES];
};

struct evc_fifo {
    evc_a32 *_Atomic page[EVC_FIFO_PAGES]; /* event words, 1024 a page */
    struct {
        evc_spin moving; /* held by whoever changes the `last` of a port */
        uint32_t pages;  /* for binders, and the rest too */
        uint64_t gfn[EVC_FIFO_PAGES];
    } __attribute__((aligned(64)));
    struct evc_block *_Atomic block[] __attribute__((aligned(64))); /* a vCPU */
};

struct evc_delivery {
    struct evc_table *table; /* the domain's ports */
    evc_info_ptr *info;      /* one a vCPU, the domain's */
    const struct evc_shape *shape;
    uint8_t *pending, *mask;     /* two-level bits, in shared_info */
    struct evc_fifo *fifo;       /* NULL: two-level */
    struct evc_delivery *before; /* FIFO: two-level, which reset goes back to */
    bool ghosts; /* xen-4.17: saved events are never forgotten */
};

/* The delivery word of an existing port. */
static inline uint32_t evc_delivery_of(const struct evc_delivery *to,
                                       uint32_t port)
{
    const struct evc_bucket *bucket = evc_table_bucket(to->table, port);

    /* Relaxed: bind_vcpu waits for who still has the old one. */
    return evc_a32_load_rlx(&bucket->delivery[port % 64]);
}

/* ---- each ABI (twolevel.c, fifo.c) -------------------------------------- */

unsigned evc_twolevel_post(const struct evc_delivery *to, uint32_t port);
unsigned evc_twolevel_unmask(const struct evc_delivery *to, uint32_t port);
void evc_twolevel_clear(const struct evc_delivery *to, uint32_t port);
bool evc_twolevel_test(const struct evc_delivery *to, const uint8_t *bits,
                       uint32_t port);

/* Tell a vCPU. True: it had not been told before. */
bool evc_upcall_raise(const struct evc_delivery *to, unsigned vcpu);

unsigned evc_fifo_post(const struct evc_delivery *to, uint32_t port);
unsigned evc_fifo_unmask(const struct evc_delivery *to, uint32_t port);
void evc_fifo_clear(const struct evc_delivery *to, uint32_t port);

/* The port's event word, NULL where its page is missing. */
evc_a32 *evc_fifo_word(const struct evc_fifo *fifo, uint32_t port);

/* ---- both ABIs ---------------------------------------------------------- */

/*
 * Set an existing port pending on its notify vCPU.
 *
 * Order: what the caller wrote before is visible to whoever takes the event.
 */
static inline unsigned evc_post(const struct evc_delivery *to, uint32_t port)
{
    return to->fifo != NULL ? evc_fifo_post(to, port)
                            : evc_twolevel_post(to, port);
}

/* Clear MASKED; deliver what is pending. */
static inline unsigned evc_post_unmask(const struct evc_delivery *to,
                                       uint32_t port)
{
    return to->fifo != NULL ? evc_fifo_unmask(to, port)
                            : evc_twolevel_unmask(to, port);
}

/* Forget what is pending: the port is being closed. */
void evc_post_clear(const struct evc_delivery *to, uint32_t port);

bool evc_post_is_pending(const struct evc_delivery *to, uint32_t port);
bool evc_post_is_masked(const struct evc_delivery *to, uint32_t port);
bool evc_post_is_linked(const struct evc_delivery *to, uint32_t port);

/* ---- for binders, under the domain's lock ------------------------------- */

/* Queues for `vcpus` vCPUs, without blocks or pages. NULL: no memory. */
struct evc_fifo *evc_fifo_create(unsigned vcpus);
/* Frees what is the host's; pages are unmapped by the caller before. */
void evc_fifo_destroy(struct evc_fifo *fifo, unsigned vcpus);

/* Publish a control block at @control for a vCPU. 0 or -ENOMEM. */
int evc_fifo_add_block(struct evc_fifo *fifo, unsigned vcpu, void *page,
                       uint64_t gfn, unsigned offset);

/* Publish one more page of event words; the caller then replays the saved. */
void evc_fifo_add_page(struct evc_fifo *fifo, void *page, uint64_t gfn);

/* Take over an event that waited for its word. True: the caller posts it. */
bool evc_fifo_take_saved(const struct evc_delivery *to, uint32_t port);

#endif /* EVC_DELIVERY_DELIVERY_H */
