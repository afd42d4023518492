/* SPDX-License-Identifier: MIT */
/*
 * Two-level delivery: one bit per port, one selector bit per word of ports, one
 * flag per vCPU.  The host walks this upwards, the guest downwards.
 *
 * Ordering table.  The partners with G are the guest's (guest/twolevel.c).
 *
 *   here                 there                 if it were weaker
 *   -------------------  --------------------  --------------------------------
 *   P1 set pending   sc  U2 read pending   sc  post sees "masked", unmask sees
 *   P2 read mask     sc  U1 clear mask     sc  "nothing pending": event lost
 *   P1 set pending       G3 clear pending      merged event without its payload
 *   P3 set selector      G2 take selector      guest scans the word too early
 *   P4 set upcall        G1 take upcall        guest sleeps over a selector bit
 *   P1 set pending   sc  I1 move info      sc  event told at the old place,
 *   P5 read info     sc  (vcpu/info.c)       after the guest has rescanned
 *   P1 set pending   sc  W1 poll counted   sc  poller asleep over its event
 *   W2 read pollers  sc  (event/, vcpu/wait.c)
 */
#include "delivery.h"

/* The n-th bit of a bitmap of the guest's words: set, clear or test. */
static inline bool bit_set(const struct evc_shape *shape, uint8_t *bits,
                           uint32_t n)
{
    if (shape->wide) {
        uint64_t bit = UINT64_C(1) << n % 64;

        return evc_a64_set_sc((evc_a64 *)(void *)bits + n / 64, bit) & bit;
    } else {
        uint32_t bit = 1u << n % 32;

        return evc_a32_set_sc((evc_a32 *)(void *)bits + n / 32, bit) & bit;
    }
}

static inline bool bit_clear(const struct evc_shape *shape, uint8_t *bits,
                             uint32_t n)
{
    if (shape->wide) {
        uint64_t bit = UINT64_C(1) << n % 64;

        return evc_a64_clear_sc((evc_a64 *)(void *)bits + n / 64, bit) & bit;
    } else {
        uint32_t bit = 1u << n % 32;

        return evc_a32_clear_sc((evc_a32 *)(void *)bits + n / 32, bit) & bit;
    }
}

static inline bool bit_test(const struct evc_shape *shape, const uint8_t *bits,
                            uint32_t n)
{
    if (shape->wide)
        return evc_a64_load_sc((const evc_a64 *)(const void *)bits + n / 64) >>
                   n % 64 &
               1;
    return evc_a32_load_sc((const evc_a32 *)(const void *)bits + n / 32) >>
               n % 32 &
           1;
}

static uint8_t *info_of(const struct evc_delivery *to, unsigned vcpu)
{
    return atomic_load(&to->info[vcpu]); /* P5, pairs with I1 */
}

bool evc_upcall_raise(const struct evc_delivery *to, unsigned vcpu)
{
    evc_a8 *upcall_pending = (evc_a8 *)(void *)info_of(to, vcpu);

    return !(evc_a8_set_sc(upcall_pending, 1) & 1); /* P4, pairs with G1 */
}

/*
 * Tell the vCPU that a word is worth a look.  Whoever set the selector bit
 * first goes on to P4; the others know that it has been, or will be, done.
 */
static inline unsigned raise_word(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_shape *shape = to->shape;
    unsigned vcpu = evc_delivery_vcpu(evc_delivery_of(to, port));
    uint8_t *selector = info_of(to, vcpu) + shape->sel_offset;
    uint32_t word = port / (shape->wide ? 64 : 32);

    if (bit_set(shape, selector, word)) /* P3, pairs with G2 */
        return 0;
    return evc_upcall_raise(to, vcpu) ? evc_post_for(EVC_POST_KICK, vcpu) : 0;
}

unsigned evc_twolevel_post(const struct evc_delivery *to, uint32_t port)
{
    if (port >= to->shape->ports) /* a send that overlaps a change of ABI */
        return EVC_POST_DROPPED;

    /* P1, pairs with U2, G3, I1 and W1.  Pending already: merged with it. */
    if (bit_set(to->shape, to->pending, port))
        return 0;
    if (bit_test(to->shape, to->mask, port)) /* P2, pairs with U1 */
        return EVC_POST_EDGE | EVC_POST_MASKED;
    return EVC_POST_EDGE | raise_word(to, port);
}

unsigned evc_twolevel_unmask(const struct evc_delivery *to, uint32_t port)
{
    if (port >= to->shape->ports)
        return 0;
    if (!bit_clear(to->shape, to->mask, port)) /* U1, pairs with P2 */
        return 0;
    if (!bit_test(to->shape, to->pending, port)) /* U2, pairs with P1 */
        return 0;
    return raise_word(to, port);
}

void evc_twolevel_clear(const struct evc_delivery *to, uint32_t port)
{
    if (port < to->shape->ports)
        (void)bit_clear(to->shape, to->pending, port);
}

bool evc_twolevel_test(const struct evc_delivery *to, const uint8_t *bits,
                       uint32_t port)
{
    return port < to->shape->ports && bit_test(to->shape, bits, port);
}
