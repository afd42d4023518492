/* SPDX-License-Identifier: MIT */
/*
 * Two-level delivery: one bit per port, one selector bit per word of ports, one
 * flag per vCPU.  The host walks this upwards, the guest downwards.
 *
 * Words of 64 bits, nearly every guest's, are delivery.h's, inline; here is what
 * serves either width, in the same steps under the same labels (the ordering
 * table heads delivery.h), and what is not part of a send.
 */
#include "delivery.h"

/* The n-th bit of a bitmap of the guest's words: set, clear or test. */
static inline bool bit_set(bool wide, uint8_t *bits, uint32_t n)
{
    if (wide)
        return evc_a64_set_bit_sc((evc_a64 *)(void *)bits + n / 64, n % 64);
    return evc_a32_set_bit_sc((evc_a32 *)(void *)bits + n / 32, n % 32);
}

static inline bool bit_clear(bool wide, uint8_t *bits, uint32_t n)
{
    if (wide)
        return evc_a64_clear_bit_sc((evc_a64 *)(void *)bits + n / 64, n % 64);
    return evc_a32_clear_bit_sc((evc_a32 *)(void *)bits + n / 32, n % 32);
}

static inline bool bit_test(bool wide, const uint8_t *bits, uint32_t n)
{
    if (wide)
        return evc_a64_load_sc((const evc_a64 *)(const void *)bits + n / 64) >>
                   n % 64 &
               1;
    return evc_a32_load_sc((const evc_a32 *)(const void *)bits + n / 32) >>
               n % 32 &
           1;
}

static uint8_t *pending_of(const struct evc_delivery *to,
                           const struct evc_shape *shape)
{
    return to->shared_info + shape->pending;
}

static uint8_t *mask_of(const struct evc_delivery *to,
                        const struct evc_shape *shape)
{
    return to->shared_info + shape->mask;
}

/* Tell the vCPU that a word is worth a look: evc_twolevel_end(), either width. */
static unsigned raise_word(const struct evc_delivery *to,
                           const struct evc_shape *shape, uint32_t port)
{
    unsigned vcpu = evc_delivery_told(to, port);
    uint8_t *info = evc_delivery_info(to, vcpu);

    /* P3, pairs with G2 */
    if (bit_set(shape->wide, info + shape->sel_offset,
                port / (shape->wide ? 64 : 32)))
        return 0;
    return evc_upcall_raise(info, vcpu);
}

unsigned evc_twolevel_post(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    if (port >= shape->ports) /* a send that overlaps a change of ABI */
        return EVC_POST_DROPPED;

    /* P1, pairs with U2, G3, I1 and W1.  Pending already: merged with it. */
    if (bit_set(shape->wide, pending_of(to, shape), port))
        return 0;
    /* P2, pairs with U1 */
    if (bit_test(shape->wide, mask_of(to, shape), port))
        return EVC_POST_EDGE | EVC_POST_MASKED;
    return EVC_POST_EDGE | raise_word(to, shape, port);
}

unsigned evc_twolevel_unmask(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    if (port >= shape->ports)
        return 0;
    /* U1, pairs with P2 */
    if (!bit_clear(shape->wide, mask_of(to, shape), port))
        return 0;
    /* U2, pairs with P1 */
    if (!bit_test(shape->wide, pending_of(to, shape), port))
        return 0;
    return raise_word(to, shape, port);
}

unsigned evc_twolevel_again(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    if (!evc_twolevel_is_pending(to, port) || evc_twolevel_is_masked(to, port))
        return 0;
    return raise_word(to, shape, port);
}

void evc_twolevel_clear(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    if (evc_twolevel_is_pending(to, port))
        (void)bit_clear(shape->wide, pending_of(to, shape), port);
}

bool evc_twolevel_is_pending(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    return port < shape->ports &&
           bit_test(shape->wide, pending_of(to, shape), port);
}

bool evc_twolevel_is_masked(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = evc_delivery_shape(to);

    return port < shape->ports &&
           bit_test(shape->wide, mask_of(to, shape), port);
}
