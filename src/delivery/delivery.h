/* SPDX-License-Identifier: MIT */
/*
 * Delivery: set a port pending in the guest's memory, in either ABI.
 *
 * A struct evc_delivery is what one domain's senders need to reach its guest:
 * where the bits are, where each vCPU's vcpu_info is, and, in FIFO mode, the
 * event pages, control blocks and queues.  It is part of its domain.  Which ABI
 * it speaks is one pointer, `fifo`: a sender reads it once and goes by that, and
 * who changes it waits for senders before the rest follows (bind/fifo.c).
 *
 * Nothing here locks a domain or calls the embedder: the answer says what is
 * left to do.
 *
 * Ordering table.  The partners with G are the guest's (guest/twolevel.c); the
 * FIFO rows go on in fifo.c.
 *
 *   here                 there                 if it were weaker
 *   -------------------  --------------------  --------------------------------
 *   P1 set pending   sc  U2 read pending   sc  post sees "masked", unmask sees
 *   P2 read mask     sc  U1 clear mask     sc  "nothing pending": event lost
 *   P1 set pending       G3 clear pending      merged event without its payload
 *   P3 set selector      G2 take selector      guest scans the word too early
 *   P1 set pending   sc  G2 take selector  sc  post sees the bit, guest does not
 *   P6 look at it    sc  (x86 only)            see the word: event lost
 *   P4 set upcall        G1 take upcall        guest sleeps over a selector bit
 *   P1 set pending   sc  I1 move info      sc  event told at the old place,
 *   P5 read info     sc  (vcpu/info.c)         after the guest has rescanned
 *   P1, F1           sc  W1 poll counted   sc  poller asleep over its event
 *   W2 read pollers  sc  (event/, vcpu/wait.c)
 *   P7 fence         sc  G3, G5 clear pending  (x86 only) a look before the
 *   P8 look at it   rlx  G3, G5 clear pending  payload is there: it is missed
 *   F1 mark word     sc  G5 clear pending      merged event lacks its payload
 *   F1 mark word     sc  V2 look at word   sc  post sees "masked", unmask sees
 *   F5 look again    sc  V1 clear masked   sc  "nothing pending": event lost
 *   S2 read page     sc  E1 store page     sc  (fifo.c)
 *   A2 load fifo    acq  A1 store fifo    rel  a sender meets half a FIFO
 *   B4 load linking acq  B3 store linking rel  a look for a block that is there
 *   B4 load bits    acq  B3 store bits    rel  bits set where there are none
 *   P1, then X5      sc  X1 free channel,  sc  an event behind X2, and nobody
 *      read channel         X2 clear           knows that it is there
 *   X6 set late      sc  X4 read late      sc  the next owner's first event
 *   P9 read vCPU     sc  X3 store vCPU     sc  is told nowhere (bind/bind.h)
 */
#ifndef EVC_DELIVERY_DELIVERY_H
#define EVC_DELIVERY_DELIVERY_H

#include <stddef.h>

#include "atomic.h"
#include "port.h"
#include "spin.h"

/* Where the everyday send is one function: a call would cost it a quarter. */
#define EVC_ALWAYS_INLINE inline __attribute__((always_inline))

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
    EVC_POST_UNDONE = 32, /* of evc_post_begin(): evc_post_end() has the rest */
    EVC_POST_LINK = 64,   /* with it: that is to link; PENDING, if with EDGE */
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
    struct evc_queue queue[EVC_FIFO_QUEUES];
    evc_a32 *control; /* the guest's control block: ready, -, head[16] */
    void *page;       /* as mapped, and its frame, for unmapping */
    uint64_t gfn;
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
    /*
     * The two everyday ways to post, each told by one look: to a two-level
     * guest with words of 64 bits, and to a FIFO guest that has given each vCPU
     * a control block.
     */
    evc_a32 bits;             /* ports with a bit there; 0: not this way */
    evc_a64 *_Atomic pending; /* with `bits`: those in shared_info */
    evc_a64 *_Atomic mask;    /* likewise */
    struct evc_fifo *_Atomic linking; /* `fifo`; NULL: not this way */

    evc_info_ptr *info;                    /* one a vCPU, the domain's */
    struct evc_table *table;               /* the domain's ports */
    struct evc_fifo *_Atomic fifo;         /* NULL: two-level */
    const struct evc_shape *_Atomic shape; /* changes while it is two-level */
    uint8_t *shared_info;
    bool ghosts; /* xen-4.17: saved events are never forgotten */
};

/* In force now; inside RCU, or under the domain's lock. */
static inline struct evc_fifo *evc_delivery_fifo(const struct evc_delivery *to)
{
    /* A2, pairs with A1 */
    return atomic_load_explicit(&to->fifo, memory_order_acquire);
}

static inline const struct evc_shape *
evc_delivery_shape(const struct evc_delivery *to)
{
    return atomic_load_explicit(&to->shape, memory_order_acquire);
}

/* The delivery word of an existing port. */
static inline uint32_t evc_delivery_of(const struct evc_delivery *to,
                                       uint32_t port)
{
    const struct evc_bucket *bucket = evc_table_bucket(to->table, port);

    /* Relaxed: bind_vcpu waits for who still has the old one. */
    return evc_a32_load_rlx(&bucket->delivery[port % 64]);
}

/*
 * The vCPU that a two-level port tells, which is pending now.  Closed meanwhile,
 * and not cleared any more?  Whoever opens it next will want to know (bind/bind.h),
 * or has just done so: then this is the vCPU that it has now.
 */
static inline unsigned evc_delivery_told(const struct evc_delivery *to,
                                         uint32_t port)
{
    struct evc_bucket *bucket = evc_table_bucket(to->table, port);

    /* X5, behind P1, pairs with X1 */
    if (evc_chan_kind(evc_a64_load_sc(&bucket->chan[port % 64])) == EVC_FREE)
        (void)evc_a64_set_bit_sc(&bucket->late, port % 64); /* X6, with X4 */
    /* P9, pairs with X3 */
    return evc_delivery_vcpu(evc_a32_load_sc(&bucket->delivery[port % 64]));
}

static inline void evc_post_not_late(const struct evc_delivery *to,
                                     uint32_t port)
{
    (void)evc_a64_clear_bit_sc(&evc_table_bucket(to->table, port)->late,
                               port % 64);
}

/* ---- each ABI (twolevel.c, fifo.c) -------------------------------------- */

unsigned evc_twolevel_post(const struct evc_delivery *to, uint32_t port);
unsigned evc_twolevel_unmask(const struct evc_delivery *to, uint32_t port);
/* Tell the vCPU of a port that is pending and not masked. */
unsigned evc_twolevel_again(const struct evc_delivery *to, uint32_t port);
void evc_twolevel_clear(const struct evc_delivery *to, uint32_t port);
bool evc_twolevel_is_pending(const struct evc_delivery *to, uint32_t port);
bool evc_twolevel_is_masked(const struct evc_delivery *to, uint32_t port);

/* Where a vCPU is told. */
static inline uint8_t *evc_delivery_info(const struct evc_delivery *to,
                                         unsigned vcpu)
{
    return atomic_load(&to->info[vcpu]); /* P5, pairs with I1 */
}

/* Tell a vCPU; EVC_POST_KICK: it had not been told before. */
static inline unsigned evc_upcall_raise(uint8_t *info, unsigned vcpu)
{
    evc_a8 *upcall_pending = (evc_a8 *)(void *)info;

    if (evc_a8_set_bit_sc(upcall_pending, 0)) /* P4, pairs with G1 */
        return 0;
    return evc_post_for(EVC_POST_KICK, vcpu);
}

unsigned evc_fifo_post(const struct evc_delivery *to, struct evc_fifo *fifo,
                       uint32_t port);
/* What an event that is to be linked goes on with. */
struct evc_link {
    struct evc_fifo *fifo;
    evc_a32 *word;
};
/* Set PENDING and link, where evc_fifo_begin() found a word that wants both. */
unsigned evc_fifo_link(const struct evc_delivery *to, struct evc_fifo *fifo,
                       uint32_t port, evc_a32 *word);
/* Link what is PENDING already, if it still is. */
unsigned evc_fifo_relink(const struct evc_delivery *to, struct evc_fifo *fifo,
                         uint32_t port);

#define EVC_FIFO_PENDING_BIT 31u
#define EVC_FIFO_LINKED_BIT  29u
#define EVC_FIFO_BUSY_BIT    28u

#define EVC_FIFO_PENDING (1u << EVC_FIFO_PENDING_BIT)
#define EVC_FIFO_MASKED  (1u << 30)
#define EVC_FIFO_LINKED  (1u << EVC_FIFO_LINKED_BIT)
#define EVC_FIFO_BUSY    (1u << EVC_FIFO_BUSY_BIT)

/* The event word of an existing port, NULL where its page is missing. */
static inline evc_a32 *evc_fifo_word(const struct evc_fifo *fifo, uint32_t port)
{
    /* S2, pairs with E1 */
    evc_a32 *page = atomic_load(&fifo->page[port / EVC_FIFO_PAGE_PORTS]);

    return page != NULL ? page + port % EVC_FIFO_PAGE_PORTS : NULL;
}

/* The same of one whose page is known to be there; pages do not go. */
static inline evc_a32 *evc_fifo_existing(const struct evc_fifo *fifo,
                                         uint32_t port)
{
    return atomic_load_explicit(&fifo->page[port / EVC_FIFO_PAGE_PORTS],
                                memory_order_acquire) +
           port % EVC_FIFO_PAGE_PORTS;
}

/* ---- both ABIs ---------------------------------------------------------- */

#define EVC_WIDE_SELECTOR 8u /* pending_sel, in a vcpu_info of 64-bit words */

/* Has this port a bit in words of 64? */
static inline bool evc_delivery_is_wide(const struct evc_delivery *to,
                                        uint32_t port)
{
    return port < evc_a32_load_acq(&to->bits); /* B4, pairs with B3 */
}

/* A FIFO guest all of whose vCPUs can be told, else NULL. */
static inline struct evc_fifo *
evc_delivery_linking(const struct evc_delivery *to)
{
    /* B4, pairs with B3 */
    return atomic_load_explicit(&to->linking, memory_order_acquire);
}

static inline evc_a64 *evc_pending_word(const struct evc_delivery *to,
                                        uint32_t port)
{
    return atomic_load_explicit(&to->pending, memory_order_relaxed) + port / 64;
}

static inline evc_a64 *evc_mask_word(const struct evc_delivery *to,
                                     uint32_t port)
{
    return atomic_load_explicit(&to->mask, memory_order_relaxed) + port / 64;
}

static EVC_ALWAYS_INLINE unsigned
evc_twolevel_begin(const struct evc_delivery *to, uint32_t port)
{
    uint64_t bit = UINT64_C(1) << port % 64;

    /* P1, pairs with U2, G3, I1 and W1.  Pending already: merged with it. */
    if (evc_a64_set_bit_sc(evc_pending_word(to, port), port % 64))
        return 0;
    /* P2, pairs with U1 */
    if (evc_a64_load_sc(evc_mask_word(to, port)) & bit)
        return EVC_POST_EDGE | EVC_POST_MASKED;
    return EVC_POST_EDGE | EVC_POST_UNDONE;
}

/*
 * What that has left: tell the vCPU that the word is worth a look.  Whoever set
 * the selector bit first goes on to P4; the others know that it has been, or
 * will be, done.  Where the guest's taking of the selector is a full fence, as
 * on x86, a look is enough to know: the guest will look at the word after that.
 */
static inline unsigned evc_twolevel_end(const struct evc_delivery *to,
                                        uint32_t port)
{
    unsigned vcpu = evc_delivery_told(to, port);
    uint8_t *info = evc_delivery_info(to, vcpu);
    evc_a64 *selector = (evc_a64 *)(void *)(info + EVC_WIDE_SELECTOR);
    uint64_t bit = UINT64_C(1) << port / 64;

    if (EVC_RMW_IS_FENCE && (evc_a64_load_sc(selector) & bit)) /* P6, with G2 */
        return EVC_POST_EDGE;
    if (evc_a64_set_bit_sc(selector, port / 64)) /* P3, pairs with G2 */
        return EVC_POST_EDGE;
    return EVC_POST_EDGE | evc_upcall_raise(info, vcpu);
}

static EVC_ALWAYS_INLINE unsigned evc_fifo_begin(struct evc_link *link,
                                                 uint32_t port)
{
    evc_a32 *word = evc_fifo_word(link->fifo, port);
    uint32_t now;

    if (word == NULL)
        return EVC_POST_UNDONE;
    link->word = word;
    now = evc_a32_load_rlx(word);
    if (!(now & (EVC_FIFO_MASKED | EVC_FIFO_LINKED)))
        return EVC_POST_UNDONE | EVC_POST_LINK;
    /* F1.  Merged with one that is on its way, whoever brings it there. */
    if (evc_a32_set_bit_sc(word, EVC_FIFO_PENDING_BIT))
        return 0;
    now = evc_a32_load_sc(word); /* F5, pairs with V1 */
    if (now & EVC_FIFO_MASKED)
        return EVC_POST_EDGE | EVC_POST_MASKED;
    if (now & EVC_FIFO_LINKED)
        return EVC_POST_EDGE;
    return EVC_POST_EDGE | EVC_POST_UNDONE | EVC_POST_LINK;
}

/*
 * Set an existing port pending on its notify vCPU: the beginning, which is all
 * for an event that merges with another or is masked, and the rest.
 *
 * Order: what the caller wrote before is visible to whoever takes the event.
 */
static EVC_ALWAYS_INLINE unsigned evc_post_begin(const struct evc_delivery *to,
                                                 uint32_t port,
                                                 struct evc_link *link)
{
    if (evc_delivery_is_wide(to, port))
        return evc_twolevel_begin(to, port);
    link->fifo = evc_delivery_linking(to);
    return link->fifo != NULL ? evc_fifo_begin(link, port) : EVC_POST_UNDONE;
}

/*
 * Is an event on its way already, so that another one merges with it?  To look
 * leaves the guest's line to all who send to the same port.  What was written for
 * this event is there before the look, so a guest that has yet to take the other
 * one will see it; but only where its taking is a full fence as well.
 */
#if EVC_RMW_IS_FENCE && !defined(EVC_SANITIZED)
#define EVC_LOOK_BEFORE 1
#else
#define EVC_LOOK_BEFORE 0
#endif

static EVC_ALWAYS_INLINE bool evc_post_is_merged(const struct evc_delivery *to,
                                                 uint32_t port)
{
    const struct evc_fifo *fifo;
    const evc_a64 *words;
    const evc_a32 *word;

    if (evc_delivery_is_wide(to, port)) {
        words = evc_pending_word(to, port);
        evc_fence_sc(); /* P7, pairs with G3; as does P8 */
        return evc_a64_load_rlx(words) >> port % 64 & 1;
    }
    fifo = evc_delivery_linking(to);
    word = fifo != NULL ? evc_fifo_word(fifo, port) : NULL;
    if (word == NULL)
        return false;
    evc_fence_sc(); /* P7, pairs with G5; as does P8 */
    return evc_a32_load_rlx(word) & EVC_FIFO_PENDING;
}

/* What is neither everyday way, or what the beginning has left of those. */
unsigned evc_post_end(const struct evc_delivery *to,
                      const struct evc_link *link, uint32_t port,
                      unsigned post);

/* Both. */
unsigned evc_post(const struct evc_delivery *to, uint32_t port);

/*
 * Clear MASK.  True: something became pending meanwhile, and is to be told or
 * linked.
 */
static inline bool evc_twolevel_unmask_begin(const struct evc_delivery *to,
                                             uint32_t port)
{
    uint64_t bit = UINT64_C(1) << port % 64;

    /* U1, pairs with P2 */
    if (!evc_a64_clear_bit_sc(evc_mask_word(to, port), port % 64))
        return false;
    /* U2, pairs with P1 */
    return evc_a64_load_sc(evc_pending_word(to, port)) & bit;
}

static inline bool evc_fifo_unmask_begin(const struct evc_fifo *fifo,
                                         uint32_t port)
{
    const uint32_t linked = EVC_FIFO_PENDING | EVC_FIFO_LINKED;
    evc_a32 *word = evc_fifo_word(fifo, port);

    if (word == NULL)
        return false;
    /*
     * V1, pairs with F5.  What comes later meets an unmasked word, and what is
     * on a queue will be met unmasked there.
     */
    (void)evc_a32_clear_sc(word, EVC_FIFO_MASKED);
    /* V2, pairs with F1 */
    return (evc_a32_load_sc(word) & linked) == EVC_FIFO_PENDING;
}

/* What has become pending before, which was the edge, is told or linked now. */
static inline unsigned evc_unmask_tell(const struct evc_delivery *to,
                                       uint32_t port)
{
    return evc_twolevel_end(to, port) & ~(unsigned)EVC_POST_EDGE;
}

static inline unsigned evc_unmask_link(const struct evc_delivery *to,
                                       struct evc_fifo *fifo, uint32_t port)
{
    return evc_fifo_relink(to, fifo, port) & ~(unsigned)EVC_POST_EDGE;
}

/* The whole of it, in whichever way. */
unsigned evc_post_unmask(const struct evc_delivery *to, uint32_t port);

bool evc_post_is_pending(const struct evc_delivery *to, uint32_t port);
bool evc_post_is_masked(const struct evc_delivery *to, uint32_t port);

static inline bool evc_post_is_linked(const struct evc_delivery *to,
                                      uint32_t port)
{
    const struct evc_fifo *fifo = evc_delivery_fifo(to);
    const evc_a32 *word;

    if (fifo == NULL)
        return false;
    word = evc_fifo_word(fifo, port);
    return word != NULL && (evc_a32_load_sc(word) & EVC_FIFO_LINKED);
}

/* ---- for binders, under the domain's lock ------------------------------- */

/* Queues for `vcpus` vCPUs, without blocks or pages. NULL: no memory. */
struct evc_fifo *evc_fifo_create(unsigned vcpus);
/* Frees what is the host's; pages are unmapped by the caller before. */
void evc_fifo_destroy(struct evc_fifo *fifo, unsigned vcpus);

/* Publish a control block at @control for a vCPU. 0 or -ENOMEM. */
int evc_fifo_add_block(struct evc_fifo *fifo, unsigned vcpu, void *page,
                       uint64_t gfn, unsigned offset);

/*
 * Take an everyday way, or neither: the guest has given one more control block,
 * or its ABI or width has changed.
 */
void evc_delivery_choose(struct evc_delivery *to, unsigned vcpus);

/*
 * Another ABI: @fifo, or NULL for two-level.  Senders that go by the old one
 * are waited for before what it needs goes (evc_rcu_wait()).
 */
void evc_delivery_change(struct evc_delivery *to, struct evc_fifo *fifo,
                         unsigned vcpus);

/* Publish one more page of event words; the caller then replays the saved. */
void evc_fifo_add_page(struct evc_fifo *fifo, void *page, uint64_t gfn);

/* Take over an event that waited for its word. True: the caller posts it. */
bool evc_fifo_take_saved(const struct evc_delivery *to, uint32_t port);

/*
 * Forget what is pending: the port is being closed.  The beginning is all for
 * words of 64 bits, and in FIFO mode, if the bucket keeps no event back.
 */
static EVC_ALWAYS_INLINE void evc_clear_begin(const struct evc_delivery *to,
                                              uint32_t port)
{
    const struct evc_fifo *fifo = evc_delivery_fifo(to);
    uint64_t bit = UINT64_C(1) << port % 64;

    if (fifo != NULL) {
        evc_a32 *word = evc_fifo_word(fifo, port);

        if (word != NULL && (evc_a32_load_sc(word) & EVC_FIFO_PENDING))
            (void)evc_a32_clear_sc(word, EVC_FIFO_PENDING);
    } else if (evc_delivery_is_wide(to, port)) {
        evc_a64 *word = evc_pending_word(to, port);

        if (evc_a64_load_sc(word) & bit)
            (void)evc_a64_clear_sc(word, bit);
    }
}

static inline bool evc_clear_is_all(const struct evc_delivery *to,
                                    const struct evc_bucket *bucket,
                                    uint32_t port)
{
    return evc_delivery_fifo(to) != NULL ? evc_a64_load_sc(&bucket->saved) == 0
                                         : evc_delivery_is_wide(to, port);
}

void evc_clear_end(const struct evc_delivery *to, uint32_t port);

/* Both. */
static inline void evc_post_clear(const struct evc_delivery *to, uint32_t port)
{
    evc_clear_begin(to, port);
    evc_clear_end(to, port);
}

#endif /* EVC_DELIVERY_DELIVERY_H */
