/* SPDX-License-Identifier: MIT */
/*
 * FIFO delivery: an event word per port, sixteen queues per vCPU.
 *
 * The host appends to a queue, the guest takes from its head.  Host and guest
 * share the words and the control block; which port is a queue's tail only the
 * host knows.  The guest may write anything anywhere at any time: no value read
 * from its memory is ever used as an index or bounds a loop.
 *
 * A port that needs no linking costs one read-modify-write and no lock.  One
 * that does is marked (PENDING and LINKED in one step) and linked under the
 * lock of its queue, so that the tail of a queue can only become LINKED again
 * under that lock: without it, a tail that was taken and raised again meanwhile
 * would be linked behind itself.  A port that changes queues takes both locks,
 * and `moving`, which keeps its `last` still.
 *
 * Marking what needs no link is delivery.h's, inline.  Ordering table, with
 * partners G of the guest (guest/fifo.c):
 *
 *   here                 there                  if it were weaker
 *   -------------------  ---------------------  -------------------------------
 *   F1 mark word     sc  (delivery.h)
 *   F2 store head   rel  G2 take ready          guest follows the old list
 *   F3 link tail     sc  G4 take link           guest finds an unmarked port
 *   F4 set ready     sc  G2 take ready          guest looks at head too early
 *   P4 set upcall    sc  G1 take upcall         guest sleeps over a ready bit
 *   S1 set saved     sc  E1 store page      sc  event kept back, page thought
 *   S2 read page     sc  E2 take saved      sc  empty: lost for ever
 *   B1 store block  rel  B2 load block     acq  a sender meets unready queues
 */
#include "delivery.h"

#include <errno.h>
#include <stdlib.h>

#include "lines.h"

#define PENDING   EVC_FIFO_PENDING
#define MASKED    EVC_FIFO_MASKED
#define LINKED    EVC_FIFO_LINKED
#define BUSY      EVC_FIFO_BUSY
#define LINK_MASK (EVC_FIFO_PORTS - 1)

#define READY 0u /* of the control block, in 32-bit words */
#define HEAD  2u

/* How often a step is tried again while the guest keeps changing the word. */
#define TRIES 4

/* ---- words and pages ---------------------------------------------------- */

static evc_a64 *saved_of(const struct evc_delivery *to, uint32_t port)
{
    return &evc_table_bucket(to->table, port)->saved;
}

bool evc_fifo_take_saved(const struct evc_delivery *to, uint32_t port)
{
    uint64_t bit = UINT64_C(1) << port % 64;

    /* A look first: hardly ever is one kept back. */
    if (!(evc_a64_load_sc(saved_of(to, port)) & bit))
        return false;
    if (to->ghosts)
        return true;
    /* E2, pairs with S1 */
    return evc_a64_clear_bit_sc(saved_of(to, port), port % 64);
}

/*
 * No word: keep the event back.  If the page came meanwhile, it is a question
 * of who takes the saved bit, this sender or expand_array; one of them does.
 */
static evc_a32 *save(const struct evc_delivery *to, const struct evc_fifo *fifo,
                     uint32_t port, bool *again)
{
    evc_a32 *word;

    /* S1, pairs with E2 */
    *again = evc_a64_set_bit_sc(saved_of(to, port), port % 64);
    word = evc_fifo_word(fifo, port);
    return word != NULL && evc_fifo_take_saved(to, port) ? word : NULL;
}

/* ---- marking ------------------------------------------------------------ */

/* mark(), against a guest that keeps changing the word: nothing here can fail. */
static __attribute__((noinline)) uint32_t mark_anyway(evc_a32 *word,
                                                      uint32_t set)
{
    bool was_pending =
        set ? evc_a32_set_bit_sc(word, EVC_FIFO_PENDING_BIT) : false;
    uint32_t old = evc_a32_load_sc(word);

    if (set && !was_pending)
        old &= ~PENDING;
    if (!(old & (MASKED | LINKED)) &&
        evc_a32_set_bit_sc(word, EVC_FIFO_LINKED_BIT))
        old |= LINKED;
    return old;
}

/*
 * Set PENDING and, where the event is neither masked nor linked, LINKED: in one
 * step, or, against a guest that keeps changing the word, in two that cannot
 * fail.  `set` is PENDING, or 0 where it has been set before: then an event
 * that the guest has taken meanwhile is left alone.
 *
 * Returns the word before; without MASKED and LINKED in it, the caller has set
 * LINKED and is the one to link.
 */
static uint32_t mark(evc_a32 *word, uint32_t set)
{
    uint32_t old = evc_a32_load_rlx(word);

    for (int i = 0; i < TRIES; i++) {
        uint32_t new = old | set;

        if (!(new &PENDING))
            return old | LINKED;
        if (!(old & (MASKED | LINKED)))
            new |= LINKED;
        if (evc_a32_cas_sc(word, &old, new)) /* F1 */
            return old;
    }
    return mark_anyway(word, set);
}

/*
 * Let the old tail's word point at `port`.  False: the guest has unlinked it,
 * so the queue is empty.  BUSY asks the guest to leave the word alone; one that
 * does not gets a new list, and loses the old one's rest at its own expense.
 */
static bool link_behind(evc_a32 *tail, uint32_t port)
{
    uint32_t w = evc_a32_load_rlx(tail);

    if (!(w & LINKED))
        return false;
    for (int i = 0; i < TRIES && (w & LINKED); i++) {
        /* F3, pairs with G4 */
        if (evc_a32_cas_sc(tail, &w, (w & ~(BUSY | LINK_MASK)) | port))
            return true;
        if (i == 0) {
            (void)evc_a32_set_bit_sc(tail, EVC_FIFO_BUSY_BIT);
            w = evc_a32_load_rlx(tail);
        }
    }
    (void)evc_a32_clear_sc(tail, BUSY);
    return false;
}

/* ---- linking ------------------------------------------------------------ */

static struct evc_block *block_of(const struct evc_fifo *fifo, unsigned vcpu)
{
    /* B2, pairs with B1 */
    return atomic_load_explicit(&fifo->block[vcpu], memory_order_acquire);
}

static struct evc_queue *queue_of(const struct evc_fifo *fifo,
                                  uint32_t delivery)
{
    struct evc_block *block;

    if (delivery == EVC_DELIVERY_NONE)
        return NULL;
    block = block_of(fifo, evc_delivery_vcpu(delivery));
    return block ? &block->queue[evc_delivery_priority(delivery)] : NULL;
}

/*
 * The queue is empty: the marked port is its head.  True: the vCPU is to be
 * told, for this queue was not known to be ready.
 */
static inline bool lead(evc_a32 *control, unsigned priority, uint32_t port)
{
    /* F2, pairs with G2 */
    evc_a32_store_rel(&control[HEAD + priority], port);
    /* F4, pairs with G2 */
    return !evc_a32_set_bit_sc(&control[READY], priority);
}

/*
 * Append a marked port to its queue, whose lock is held, behind the tail that
 * the queue had.  True: as above.
 */
static bool append(const struct evc_fifo *fifo, struct evc_block *block,
                   unsigned priority, uint32_t tail, uint32_t port)
{
    block->queue[priority].tail = port;
    /* A tail raised again is LINKED by us a moment ago: its queue is empty. */
    if (tail != 0 && tail != port &&
        link_behind(evc_fifo_word(fifo, tail), port))
        return false;
    return lead(block->control, priority, port);
}

/* The queue that a port goes to, and the one it was linked to last, locked. */
struct pair {
    struct evc_queue *from, *to; /* from NULL: none */
    bool moving;                 /* fifo.moving is held as well */
};

/* The common case is the queue of last time: one lock, no `moving`. */
static bool lock_again(struct pair *p, const evc_a32 *last, uint32_t delivery)
{
    if (evc_a32_load_rlx(last) != delivery)
        return false;
    evc_spin_lock(&p->to->lock);
    if (evc_a32_load_rlx(last) == delivery)
        return true;
    evc_spin_unlock(&p->to->lock);
    return false;
}

static struct pair lock_pair(struct evc_fifo *fifo, const evc_a32 *last,
                             uint32_t delivery)
{
    struct evc_queue *to = queue_of(fifo, delivery);
    struct pair p = {.from = to, .to = to};

    if (lock_again(&p, last, delivery))
        return p;
    evc_spin_lock(&fifo->moving);
    p.moving = true;
    p.from = queue_of(fifo, evc_a32_load_rlx(last));
    if (p.from == NULL || p.from == to) {
        evc_spin_lock(&to->lock);
    } else {
        evc_spin_lock(p.from < to ? &p.from->lock : &to->lock);
        evc_spin_lock(p.from < to ? &to->lock : &p.from->lock);
    }
    return p;
}

static void unlock_pair(struct evc_fifo *fifo, struct pair p)
{
    if (p.from != NULL && p.from != p.to)
        evc_spin_unlock(&p.from->lock);
    evc_spin_unlock(&p.to->lock);
    if (p.moving)
        evc_spin_unlock(&fifo->moving);
}

/*
 * The word was neither masked nor linked.  `post` is what has been done so far:
 * with EVC_POST_EDGE in it, PENDING has been set.  Answers the whole.
 */
static __attribute__((noinline)) unsigned
link_carefully(const struct evc_delivery *to, struct evc_fifo *fifo,
               uint32_t port, unsigned post)
{
    evc_a32 *word = evc_fifo_existing(fifo, port);
    evc_a32 *last = &evc_table_bucket(to->table, port)->last[port % 64];
    uint32_t delivery = evc_delivery_of(to, port), old;
    unsigned vcpu = evc_delivery_vcpu(delivery);
    struct evc_block *block = block_of(fifo, vcpu);
    bool tell = false;
    struct pair p;

    post &= EVC_POST_EDGE;
    if (block == NULL)
        return post | evc_post_for(EVC_POST_DROPPED, vcpu);
    p = lock_pair(fifo, last, delivery);
    old = mark(word, post ? 0 : PENDING);
    if (!(old & (MASKED | LINKED))) {
        if (p.from != NULL && p.from != p.to && p.from->tail == port)
            p.from->tail = 0; /* it must not be linked behind there any more */
        tell = append(fifo, block, evc_delivery_priority(delivery), p.to->tail,
                      port);
        /* Under all of the locks: who links it next holds one of them. */
        evc_a32_store_rlx(last, delivery);
    }
    unlock_pair(fifo, p);
    if (!post)
        post = (old & PENDING ? 0u : EVC_POST_EDGE) |
               (old & MASKED ? EVC_POST_MASKED : 0u);
    return tell ? post | evc_upcall_raise(evc_delivery_info(to, vcpu), vcpu)
                : post;
}

/* The tail's word has changed: link_behind(), or lead after all. */
static __attribute__((noinline)) unsigned
link_on(const struct evc_delivery *to, struct evc_fifo *fifo, uint32_t port,
        uint32_t delivery, uint32_t tail)
{
    unsigned vcpu = evc_delivery_vcpu(delivery);
    unsigned priority = evc_delivery_priority(delivery);
    struct evc_block *block = block_of(fifo, vcpu);
    bool tell = append(fifo, block, priority, tail, port);

    evc_spin_unlock(&block->queue[priority].lock);
    if (!tell)
        return EVC_POST_EDGE;
    return EVC_POST_EDGE | evc_upcall_raise(evc_delivery_info(to, vcpu), vcpu);
}

/* Nothing is on the queue: lead, and tell. */
static __attribute__((noinline)) unsigned
link_first(const struct evc_delivery *to, struct evc_queue *queue,
           evc_a32 *control, uint32_t port, uint32_t delivery)
{
    unsigned vcpu = evc_delivery_vcpu(delivery);
    bool tell = lead(control, evc_delivery_priority(delivery), port);

    evc_spin_unlock(&queue->lock);
    if (!tell)
        return EVC_POST_EDGE;
    return EVC_POST_EDGE | evc_upcall_raise(evc_delivery_info(to, vcpu), vcpu);
}

/* The first try of link_behind(): 1, it is linked; 0, it leads; -1, again. */
static inline int link_quickly(const struct evc_fifo *fifo, uint32_t tail,
                               uint32_t port)
{
    evc_a32 *word;
    uint32_t w;

    if (tail == 0 || tail == port)
        return 0;
    word = evc_fifo_existing(fifo, tail);
    w = evc_a32_load_rlx(word);
    if (!(w & LINKED))
        return 0;
    /* F3, pairs with G4 */
    return evc_a32_cas_sc(word, &w, (w & ~(BUSY | LINK_MASK)) | port) ? 1 : -1;
}

/*
 * What nearly every event that has to be linked needs: the queue of last time,
 * its lock free, the word as it was.  The vCPU's block is there: that is what
 * `linking` says, and evc_fifo_post() asks.  Nothing has been done where it is not so.
 */
unsigned evc_fifo_link(const struct evc_delivery *to, struct evc_fifo *fifo,
                       uint32_t port, evc_a32 *word)
{
    struct evc_bucket *bucket = evc_table_bucket(to->table, port);
    uint32_t delivery = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    unsigned vcpu = evc_delivery_vcpu(delivery);
    struct evc_block *block = block_of(fifo, vcpu);
    struct evc_queue *queue = &block->queue[evc_delivery_priority(delivery)];
    uint32_t old, tail;
    int linked;

    if (!evc_spin_try(&queue->lock))
        return link_carefully(to, fifo, port, 0);
    old = evc_a32_load_rlx(word);
    if (evc_a32_load_rlx(&bucket->last[port % 64]) != delivery ||
        (old & (PENDING | MASKED | LINKED)) ||
        !evc_a32_cas_sc(word, &old, old | PENDING | LINKED)) { /* F1 */
        evc_spin_unlock(&queue->lock);
        return link_carefully(to, fifo, port, 0);
    }
    tail = queue->tail;
    queue->tail = port;
    linked = link_quickly(fifo, tail, port);
    if (linked < 0)
        return link_on(to, fifo, port, delivery, tail);
    if (linked == 0)
        return link_first(to, queue, block->control, port, delivery);
    evc_spin_unlock(&queue->lock);
    return EVC_POST_EDGE;
}

unsigned evc_fifo_relink(const struct evc_delivery *to, struct evc_fifo *fifo,
                         uint32_t port)
{
    return link_carefully(to, fifo, port, EVC_POST_EDGE);
}

/* ---- the operations ----------------------------------------------------- */

/* A word or a control block may be missing. */
unsigned evc_fifo_post(const struct evc_delivery *to, struct evc_fifo *fifo,
                       uint32_t port)
{
    evc_a32 *word = evc_fifo_word(fifo, port);
    unsigned vcpu = evc_delivery_vcpu(evc_delivery_of(to, port)), post;
    struct evc_link link = {.fifo = fifo};
    bool again = false;

    if (word == NULL)
        word = save(to, fifo, port, &again);
    if (word == NULL)
        return again ? 0 : EVC_POST_SAVED;
    /* Dropped whatever the word says, masked or linked. */
    if (block_of(fifo, vcpu) == NULL)
        return evc_post_for(EVC_POST_DROPPED, vcpu);
    post = evc_fifo_begin(&link, port);
    return post & EVC_POST_LINK ? evc_post_end(to, &link, port, post) : post;
}

/* ---- for binders -------------------------------------------------------- */

struct evc_fifo *evc_fifo_create(unsigned vcpus)
{
    struct evc_fifo *fifo;

    return evc_alloc_lines(1, sizeof(*fifo) + vcpus * sizeof(fifo->block[0]));
}

void evc_fifo_destroy(struct evc_fifo *fifo, unsigned vcpus)
{
    if (fifo == NULL)
        return;
    for (unsigned v = 0; v < vcpus; v++)
        free(atomic_load(&fifo->block[v]));
    free(fifo);
}

int evc_fifo_add_block(struct evc_fifo *fifo, unsigned vcpu, void *page,
                       uint64_t gfn, unsigned offset)
{
    struct evc_block *block = evc_alloc_lines(1, sizeof(*block));

    if (block == NULL)
        return -ENOMEM;
    block->page = page;
    block->gfn = gfn;
    block->control = (evc_a32 *)(void *)((uint8_t *)page + offset);
    /* B1, pairs with B2 */
    atomic_store_explicit(&fifo->block[vcpu], block, memory_order_release);
    return 0;
}

void evc_fifo_add_page(struct evc_fifo *fifo, void *page, uint64_t gfn)
{
    fifo->gfn[fifo->pages] = gfn;
    atomic_store(&fifo->page[fifo->pages], page); /* E1, pairs with S2 */
    fifo->pages++;
}
