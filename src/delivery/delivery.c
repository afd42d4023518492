/* SPDX-License-Identifier: MIT */
/*
 * Delivery, off the path of most sends: the other ways to post, choosing one,
 * clearing and looking, in whichever ABI the domain uses.
 */
#include "delivery.h"

/* ---- posting ------------------------------------------------------------ */

unsigned evc_post_end(const struct evc_delivery *to,
                      const struct evc_link *link, uint32_t port, unsigned post)
{
    struct evc_fifo *fifo;

    if (post & EVC_POST_LINK)
        return post & EVC_POST_EDGE
                   ? evc_fifo_relink(to, link->fifo, port)
                   : evc_fifo_link(to, link->fifo, port, link->word);
    if (post & EVC_POST_EDGE)
        return evc_twolevel_end(to, port);
    fifo = evc_delivery_fifo(to);
    return fifo != NULL ? evc_fifo_post(to, fifo, port)
                        : evc_twolevel_post(to, port);
}

unsigned evc_post(const struct evc_delivery *to, uint32_t port)
{
    struct evc_link link = {0};
    unsigned post = evc_post_begin(to, port, &link);

    return post & EVC_POST_UNDONE ? evc_post_end(to, &link, port, post) : post;
}

unsigned evc_post_unmask(const struct evc_delivery *to, uint32_t port)
{
    struct evc_fifo *fifo;

    if (evc_delivery_is_wide(to, port))
        return evc_twolevel_unmask_begin(to, port) ? evc_unmask_tell(to, port)
                                                   : 0;
    fifo = evc_delivery_fifo(to);
    if (fifo == NULL)
        return evc_twolevel_unmask(to, port);
    return evc_fifo_unmask_begin(fifo, port) ? evc_unmask_link(to, fifo, port)
                                             : 0;
}

/* ---- choosing a way ----------------------------------------------------- */

static bool has_blocks(const struct evc_fifo *fifo, unsigned vcpus)
{
    for (unsigned v = 0; v < vcpus; v++)
        if (atomic_load(&fifo->block[v]) == NULL)
            return false;
    return true;
}

void evc_delivery_choose(struct evc_delivery *to, unsigned vcpus)
{
    const struct evc_shape *shape = evc_delivery_shape(to);
    struct evc_fifo *fifo = evc_delivery_fifo(to);
    bool linking = fifo != NULL && has_blocks(fifo, vcpus);
    bool wide = fifo == NULL && shape->wide;
    uint8_t *info = to->shared_info;

    if (wide) {
        atomic_store_explicit(&to->pending,
                              (evc_a64 *)(void *)(info + shape->pending),
                              memory_order_relaxed);
        atomic_store_explicit(&to->mask,
                              (evc_a64 *)(void *)(info + shape->mask),
                              memory_order_relaxed);
    }
    /* B3, pairs with B4 */
    evc_a32_store_rel(&to->bits, wide ? shape->ports : 0);
    atomic_store_explicit(&to->linking, linking ? fifo : NULL,
                          memory_order_release); /* B3 */
}

void evc_delivery_change(struct evc_delivery *to, struct evc_fifo *fifo,
                         unsigned vcpus)
{
    /* A1, pairs with A2 */
    atomic_store_explicit(&to->fifo, fifo, memory_order_release);
    evc_delivery_choose(to, vcpus);
}

/* ---- clearing ----------------------------------------------------------- */

void evc_clear_end(const struct evc_delivery *to, uint32_t port)
{
    if (evc_delivery_fifo(to) == NULL)
        evc_twolevel_clear(to, port);
    else if (!to->ghosts)
        (void)evc_fifo_take_saved(to, port);
}

/* ---- looking ------------------------------------------------------------ */

/* The event word's bits, 0 where there is no word. */
static uint32_t word_bits(const struct evc_fifo *fifo, uint32_t port)
{
    const evc_a32 *word = evc_fifo_word(fifo, port);

    return word != NULL ? evc_a32_load_sc(word) : 0;
}

bool evc_post_is_pending(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_fifo *fifo = evc_delivery_fifo(to);

    if (fifo == NULL)
        return evc_twolevel_is_pending(to, port);
    return word_bits(fifo, port) >> 31 & 1;
}

bool evc_post_is_masked(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_fifo *fifo = evc_delivery_fifo(to);

    if (fifo == NULL)
        return evc_twolevel_is_masked(to, port);
    return word_bits(fifo, port) >> 30 & 1;
}
