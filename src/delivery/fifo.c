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
 * Ordering table.  The partners with G are the guest's (guest/fifo.c).
 *
 *   here                 there                  if it were weaker
 *   -------------------  ---------------------  -------------------------------
 *   F1 mark word     sc  G5 clear pending       merged event lacks its payload
 *   F1 mark word     sc  V1 clear masked    sc  post sees "masked", unmask sees
 *                                               "nothing pending": event lost
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

#define PENDING   (1u << 31)
#define MASKED    (1u << 30)
#define LINKED    (1u << 29)
#define BUSY      (1u << 28)
#define LINK_MASK (EVC_FIFO_PORTS - 1)

#define READY 0u /* of the control block, in 32-bit words */
#define HEAD  2u

/* How often a step is tried again while the guest keeps changing the word. */
#define TRIES 4

/* ---- words and pages ---------------------------------------------------- */

evc_a32 *evc_fifo_word(const struct evc_fifo *fifo, uint32_t port)
{
    evc_a32 *page;

    if (port >= EVC_FIFO_PORTS)
        return NULL;
    /* S2, pairs with E1 */
    page = atomic_load(&fifo->page[port / EVC_FIFO_PAGE_PORTS]);
    return page != NULL ? page + port % EVC_FIFO_PAGE_PORTS : NULL;
}

static evc_a64 *saved_of(const struct evc_delivery *to, uint32_t port)
{
    return &evc_table_bucket(to->table, port)->saved;
}

bool evc_fifo_take_saved(const struct evc_delivery *to, uint32_t port)
{
    uint64_t bit = UINT64_C(1) << port % 64;

    if (to->ghosts)
        return evc_a64_load_sc(saved_of(to, port)) & bit;
    return evc_a64_clear_sc(saved_of(to, port), bit) & bit; /* E2, with S1 */
}

/*
 * No word: keep the event back.  If the page came meanwhile, it is a question
 * of who takes the saved bit, this sender or expand_array; one of them does.
 */
static evc_a32 *save(const struct evc_delivery *to, uint32_t port, bool *again)
{
    uint64_t bit = UINT64_C(1) << port % 64;
    evc_a32 *word;

    /* S1, pairs with E2 */
    *again = evc_a64_set_sc(saved_of(to, port), bit) & bit;
    word = evc_fifo_word(to->fifo, port);
    return word != NULL && evc_fifo_take_saved(to, port) ? word : NULL;
}

/* ---- marking ------------------------------------------------------------ */

/*
 * Set PENDING and, where the event is neither masked nor linked, LINKED: in one
 * step, or, against a guest that keeps changing the word, in two that cannot
 * fail.  `set` is PENDING, or 0 where it has been set before: then an event
 * that the guest has taken meanwhile is left alone.
 *
 * Returns the word before; without MASKED and LINKED in it, the caller has set
 * LINKED and is the one to link.
 */
static uint32_t mark(evc_a32 *word, uint32_t set) /* F1 */
{
    uint32_t old = evc_a32_load_rlx(word);

    for (int i = 0; i < TRIES; i++) {
        uint32_t new = old | set;

        if (!(new &PENDING))
            return old | LINKED;
        if (!(old & (MASKED | LINKED)))
            new |= LINKED;
        if (evc_a32_cas_sc(word, &old, new))
            return old;
    }
    old = evc_a32_set_sc(word, set);
    if (!(old & (MASKED | LINKED)))
        old |= evc_a32_set_sc(word, LINKED) & LINKED;
    return old;
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
        if (i == 0)
            w = evc_a32_set_sc(tail, BUSY) | BUSY;
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
 * Append a marked port to a queue, whose lock is held.  True: the vCPU is to be
 * told, for the queue was empty and not known to be ready.
 */
static bool append(const struct evc_fifo *fifo, struct evc_block *block,
                   unsigned priority, uint32_t port)
{
    struct evc_queue *queue = &block->queue[priority];
    uint32_t tail = queue->tail;
    uint32_t ready = 1u << priority;

    queue->tail = port;
    /* A tail raised again is LINKED by us a moment ago: its queue is empty. */
    if (tail != 0 && tail != port &&
        link_behind(evc_fifo_word(fifo, tail), port))
        return false;
    /* F2, pairs with G2 */
    evc_a32_store_rel(&block->control[HEAD + priority], port);
    /* F4, pairs with G2 */
    return !(evc_a32_set_sc(&block->control[READY], ready) & ready);
}

static void lock_both(struct evc_queue *a, struct evc_queue *b)
{
    if (a == NULL || a == b) {
        evc_spin_lock(&b->lock);
        return;
    }
    evc_spin_lock(a < b ? &a->lock : &b->lock);
    evc_spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct evc_queue *a, struct evc_queue *b)
{
    if (a != NULL && a != b)
        evc_spin_unlock(&a->lock);
    evc_spin_unlock(&b->lock);
}

struct linking {
    const struct evc_delivery *to;
    struct evc_block *block;
    evc_a32 *word;
    uint32_t port, delivery;
    uint32_t set; /* PENDING, or 0: it is set already */
    uint32_t old; /* the word before it was marked */
    bool tell;    /* the vCPU */
};

/*
 * Under the lock of the port's queue `to`, and of `from`, the one it was linked
 * to last: that one must forget it as its tail.
 */
static void mark_and_append(struct linking *l, struct evc_queue *from,
                            struct evc_queue *to)
{
    l->old = mark(l->word, l->set);
    if (l->old & (MASKED | LINKED))
        return;
    if (from != NULL && from != to && from->tail == l->port)
        from->tail = 0;
    l->tell = append(l->to->fifo, l->block, evc_delivery_priority(l->delivery),
                     l->port);
}

/* The port was last linked to this very queue: one lock, no `moving`. */
static bool link_again(struct linking *l, struct evc_queue *to,
                       const evc_a32 *last)
{
    bool same;

    if (evc_a32_load_rlx(last) != l->delivery)
        return false;
    evc_spin_lock(&to->lock);
    same = evc_a32_load_rlx(last) == l->delivery;
    if (same)
        mark_and_append(l, to, to);
    evc_spin_unlock(&to->lock);
    return same;
}

/* The port comes from another queue, or from none. */
static void link_moved(struct linking *l, struct evc_queue *to, evc_a32 *last)
{
    struct evc_fifo *fifo = l->to->fifo;
    struct evc_queue *from;

    evc_spin_lock(&fifo->moving);
    from = queue_of(fifo, evc_a32_load_rlx(last));
    lock_both(from, to);
    mark_and_append(l, from, to);
    /* Under all three locks: who links it next holds one of them. */
    if (!(l->old & (MASKED | LINKED)))
        evc_a32_store_rlx(last, l->delivery);
    unlock_both(from, to);
    evc_spin_unlock(&fifo->moving);
}

static unsigned outcome(uint32_t old)
{
    return (old & PENDING ? 0u : EVC_POST_EDGE) |
           (old & MASKED ? EVC_POST_MASKED : 0u);
}

/* Adds what became of it to `post`: a kick, and the outcome of the mark. */
static unsigned link_port(struct linking *l)
{
    evc_a32 *last =
        &evc_table_bucket(l->to->table, l->port)->last[l->port % 64];
    struct evc_queue *to = &l->block->queue[evc_delivery_priority(l->delivery)];
    unsigned vcpu = evc_delivery_vcpu(l->delivery);

    if (!link_again(l, to, last))
        link_moved(l, to, last);
    if (l->tell && evc_upcall_raise(l->to, vcpu))
        return evc_post_for(EVC_POST_KICK, vcpu);
    return 0;
}

/* Where it is to be announced. False: its vCPU has no control block. */
static bool find_block(struct linking *l)
{
    l->delivery = evc_delivery_of(l->to, l->port);
    l->block = block_of(l->to->fifo, evc_delivery_vcpu(l->delivery));
    return l->block != NULL;
}

/* ---- the operations ----------------------------------------------------- */

unsigned evc_fifo_post(const struct evc_delivery *to, uint32_t port)
{
    struct linking l = {.to = to, .port = port, .set = PENDING};
    uint32_t old;
    unsigned kick;
    bool again = false;

    l.word = evc_fifo_word(to->fifo, port);
    if (l.word == NULL)
        l.word = save(to, port, &again);
    if (l.word == NULL)
        return again ? 0 : EVC_POST_SAVED;

    if (!find_block(&l))
        return evc_post_for(EVC_POST_DROPPED, evc_delivery_vcpu(l.delivery));

    if (!(evc_a32_load_rlx(l.word) & (MASKED | LINKED))) {
        kick = link_port(&l);
        return kick | outcome(l.old);
    }
    /* F1.  What needs no linking needs no lock. */
    old = evc_a32_set_sc(l.word, PENDING);
    if (old & (MASKED | LINKED))
        return outcome(old);
    l.set = 0;
    return link_port(&l) | outcome(old);
}

unsigned evc_fifo_unmask(const struct evc_delivery *to, uint32_t port)
{
    struct linking l = {.to = to, .port = port};
    uint32_t old;

    l.word = evc_fifo_word(to->fifo, port);
    if (l.word == NULL)
        return 0;
    /*
     * V1, pairs with F1.  What comes later meets an unmasked word, and what is
     * on a queue will be met unmasked there.
     */
    old = evc_a32_clear_sc(l.word, MASKED);
    if ((old & (PENDING | LINKED)) != PENDING)
        return 0;
    if (!find_block(&l))
        return evc_post_for(EVC_POST_DROPPED, evc_delivery_vcpu(l.delivery));
    return link_port(&l);
}

void evc_fifo_clear(const struct evc_delivery *to, uint32_t port)
{
    evc_a32 *word = evc_fifo_word(to->fifo, port);

    if (word != NULL)
        (void)evc_a32_clear_sc(word, PENDING);
    if (!to->ghosts)
        (void)evc_fifo_take_saved(to, port);
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
