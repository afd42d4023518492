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
    if (wide) {
        uint64_t bit = UINT64_C(1) << n % 64;

        return evc_a64_set_sc((evc_a64 *)(void *)bits + n / 64, bit) & bit;
    } else {
        uint32_t bit = 1u << n % 32;

        return evc_a32_set_sc((evc_a32 *)(void *)bits + n / 32, bit) & bit;
    }
}

static inline bool bit_clear(bool wide, uint8_t *bits, uint32_t n)
{
    if (wide) {
        uint64_t bit = UINT64_C(1) << n % 64;

        return evc_a64_clear_sc((evc_a64 *)(void *)bits + n / 64, bit) & bit;
    } else {
        uint32_t bit = 1u << n % 32;

        return evc_a32_clear_sc((evc_a32 *)(void *)bits + n / 32, bit) & bit;
    }
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

/* Tell the vCPU that a word is worth a look: evc_twolevel_end(), either width. */
static inline unsigned raise_word(const struct evc_delivery *to, uint32_t port,
                                  bool wide)
{
    unsigned vcpu = evc_delivery_vcpu(evc_delivery_of(to, port));
    uint8_t *info = evc_delivery_info(to, vcpu);

    /* P3, pairs with G2 */
    if (bit_set(wide, info + to->shape->sel_offset, port / (wide ? 64 : 32)))
        return 0;
    return evc_upcall_raise(info, vcpu);
}

/* Of either width. */
unsigned evc_twolevel_post(const struct evc_delivery *to, uint32_t port)
{
    bool wide = to->shape->wide;

    if (port >= to->shape->ports) /* a send that overlaps a change of ABI */
        return EVC_POST_DROPPED;

    /* P1, pairs with U2, G3, I1 and W1.  Pending already: merged with it. */
    if (bit_set(wide, to->pending, port))
        return 0;
    if (bit_test(wide, to->mask, port)) /* P2, pairs with U1 */
        return EVC_POST_EDGE | EVC_POST_MASKED;
    return EVC_POST_EDGE | raise_word(to, port, wide);
}

/* Of either width. */
unsigned evc_twolevel_unmask(const struct evc_delivery *to, uint32_t port)
{
    bool wide = to->shape->wide;

    if (port >= to->shape->ports)
        return 0;
    if (!bit_clear(wide, to->mask, port)) /* U1, pairs with P2 */
        return 0;
    if (!bit_test(wide, to->pending, port)) /* U2, pairs with P1 */
        return 0;
    return raise_word(to, port, wide);
}

void evc_twolevel_clear(const struct evc_delivery *to, uint32_t port)
{
    if (evc_twolevel_test(to, to->pending, port))
        (void)bit_clear(to->shape->wide, to->pending, port);
}

bool evc_twolevel_test(const struct evc_delivery *to, const uint8_t *bits,
                       uint32_t port)
{
    return port < to->shape->ports && bit_test(to->shape->wide, bits, port);
}
