/* SPDX-License-Identifier: MIT */
/*
 * Delivery, off the path of a send: clearing and looking, in whichever ABI the
 * domain uses.
 */
#include "delivery.h"

void evc_post_clear(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo != NULL)
        evc_fifo_clear(to, port);
    else
        evc_twolevel_clear(to, port);
}

/* The event word's bits, 0 where there is no word. */
static uint32_t word_bits(const struct evc_delivery *to, uint32_t port)
{
    const evc_a32 *word = evc_fifo_word(to->fifo, port);

    return word != NULL ? evc_a32_load_sc(word) : 0;
}

bool evc_post_is_pending(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo == NULL)
        return evc_twolevel_test(to, to->pending, port);
    return word_bits(to, port) >> 31 & 1;
}

bool evc_post_is_masked(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo == NULL)
        return evc_twolevel_test(to, to->mask, port);
    return word_bits(to, port) >> 30 & 1;
}

bool evc_post_is_linked(const struct evc_delivery *to, uint32_t port)
{
    return to->fifo != NULL && (word_bits(to, port) >> 29 & 1);
}
