/* SPDX-License-Identifier: MIT */
/*
 * Two-level, guest side: take selectors, and of each selected word all that is
 * pending, unmasked and this vCPU's, in one step; then call the handlers.
 *
 * A round goes through the selected words in rising order, from the port after
 * the one served last, and a word is read once a visit: a port that is noisy is
 * in no other's way.  What may not run any more is put back.
 *
 * Ordering table.  The partners are in delivery/delivery.h; N, M and H are in
 * internal.h.
 *
 *   here                  there                 if it were weaker
 *   --------------------  --------------------  --------------------------------
 *   G2 take selector  ar  P3 set selector   sc  guest scans the word too early
 *   G3 clear pending acq  P1 set pending    sc  merged event without its payload
 *   G6 clear mask     sc  P2 read mask      sc  post sees "masked", unmask sees
 *   G7 read pending   sc  P1 set pending    sc  "nothing pending": event lost
 */
#include "run.h"

/* ---- words ------------------------------------------------------------------- */

static unsigned word_of(const struct evc_guest *guest, evc_port port)
{
    return port >> guest->word_shift;
}

static evc_abi_u64 bit_of(const struct evc_guest *guest, evc_port port)
{
    return evc_bit(port & ((1u << guest->word_shift) - 1));
}

#define WIDE(bits, word)   ((evc_g64 *)(void *)(bits) + (word))
#define NARROW(bits, word) ((evc_g32 *)(void *)(bits) + (word))

/*
 * One function an operation and order, for words of either width.  32-bit words
 * are the lower halves of what these take and return.
 */
#if defined(__i386__)
#define EITHER(wide, on_wide, on_narrow) ((void)(wide), (on_narrow))
#else
#define EITHER(wide, on_wide, on_narrow) ((wide) ? (on_wide) : (on_narrow))
#endif

static inline int is_wide(const struct evc_guest *guest)
{
    return EVC_GUEST_WIDE(guest);
}

#define LOAD(op)                                                          \
    static EVC_INLINE evc_abi_u64 op(int wide, void *bits, unsigned word) \
    {                                                                     \
        return EITHER(wide, evc_g64_##op(WIDE(bits, word)),               \
                      evc_g32_##op(NARROW(bits, word)));                  \
    }

#define CHANGE(op)                                                        \
    static EVC_INLINE evc_abi_u64 op(int wide, void *bits, unsigned word, \
                                     evc_abi_u64 v)                       \
    {                                                                     \
        return EITHER(wide, evc_g64_##op(WIDE(bits, word), v),            \
                      evc_g32_##op(NARROW(bits, word), (evc_abi_u32)v));  \
    }

/* clang-format off */
/* True when `expected` was there. */
static EVC_INLINE int cas_ar(int wide, void *bits, unsigned word,
                             evc_abi_u64 expected, evc_abi_u64 v)
{
    evc_abi_u32 low = (evc_abi_u32)expected;

    return EITHER(wide, evc_g64_cas_ar(WIDE(bits, word), &expected, v),
                  evc_g32_cas_ar(NARROW(bits, word), &low, (evc_abi_u32)v));
}

LOAD(load_rlx)
LOAD(load_sc)
CHANGE(set_rlx)
CHANGE(set_ar)
CHANGE(clear_rlx)
CHANGE(clear_ar)
CHANGE(clear_sc)
CHANGE(swap_ar)
/* clang-format on */

/* ---- one port ------------------------------------------------------------------ */

void evc_g_twolevel_mask(struct evc_guest *guest, evc_port port)
{
    /* M2, pairs with M1 */
    (void)set_ar(is_wide(guest), guest->mask, word_of(guest, port),
                 bit_of(guest, port));
}

int evc_g_twolevel_take(struct evc_guest *guest, evc_port port)
{
    evc_abi_u64 bit = bit_of(guest, port);

    /* G3, pairs with P1; N3, pairs with N2 */
    bit &= clear_ar(is_wide(guest), guest->pending, word_of(guest, port), bit);
    return bit != 0;
}

void evc_g_twolevel_give(struct evc_guest *guest, evc_port port)
{
    /* Relaxed: what its sender released is carried on. */
    (void)set_rlx(is_wide(guest), guest->pending, word_of(guest, port),
                  bit_of(guest, port));
}

static int is_pending_sc(struct evc_guest *guest, evc_port port)
{
    /* G7, pairs with P1 */
    return (load_sc(is_wide(guest), guest->pending, word_of(guest, port)) &
            bit_of(guest, port)) != 0;
}

static void select_word(struct evc_guest_vcpu *self, evc_port port)
{
    self->selected |= evc_bit(word_of(self->guest, port));
    evc_to_do(self);
}

/*
 * Inside the upcall of its own vCPU a pending port needs no announcement: we
 * look at its word again before we leave.  Elsewhere the host announces it,
 * which it does only for a port that it finds masked.
 */
void evc_g_twolevel_unmask(struct evc_guest_vcpu *self, evc_port port)
{
    struct evc_guest *guest = self->guest;
    evc_abi_u32 state = evc_g32_load_rlx(&guest->ports[port].state);

    /* G6, pairs with P2; M2, pairs with M1 */
    (void)clear_sc(is_wide(guest), guest->mask, word_of(guest, port),
                   bit_of(guest, port));
    if (!is_pending_sc(guest, port))
        return;
    if (evc_is_active(self) && evc_state_vcpu(state) == self->index) {
        select_word(self, port);
    } else {
        evc_g_twolevel_mask(guest, port);
        evc_g_unmask_by_host(self, port);
    }
}

/*
 * Who looks after a port: the vCPU it notifies, and those it has notified
 * before.  A sender that read the old number before the port was moved may tell
 * the old vCPU, who then has the port announced anew.
 *
 * Relaxed: the port is masked, and its unmasking orders these.  A vCPU that
 * sees them too late takes the event, and evc_run() refuses it.
 */
void evc_g_twolevel_own(struct evc_guest_vcpu *vcpu, evc_port port)
{
    const struct evc_guest *guest = vcpu->guest;
    unsigned word = word_of(guest, port);

    (void)set_rlx(is_wide(guest), vcpu->mine, word, bit_of(guest, port));
    (void)clear_rlx(is_wide(guest), vcpu->left_us, word, bit_of(guest, port));
}

void evc_g_twolevel_leave(struct evc_guest_vcpu *vcpu, evc_port port)
{
    const struct evc_guest *guest = vcpu->guest;
    unsigned word = word_of(guest, port);

    (void)set_rlx(is_wide(guest), vcpu->left_us, word, bit_of(guest, port));
    (void)set_rlx(is_wide(guest), vcpu->mine, word, bit_of(guest, port));
}

void evc_g_twolevel_disown(struct evc_guest *guest, evc_port port)
{
    unsigned word = word_of(guest, port);
    evc_abi_u64 bit = bit_of(guest, port);

    for (evc_abi_u32 v = 0; v < guest->nr_vcpus; v++) {
        struct evc_guest_vcpu *vcpu = &guest->vcpus[v];

        if (load_rlx(is_wide(guest), vcpu->mine, word) & bit)
            (void)clear_rlx(is_wide(guest), vcpu->mine, word, bit);
    }
}

/* ---- serving -------------------------------------------------------------------- */

/* What the host has selected. pending_sel is vcpu_info's second word. */
static EVC_INLINE evc_abi_u64 collect_words(void *info, int wide)
{
    return swap_ar(wide, info, 1, 0); /* G2, pairs with P3; releases G1 */
}

/* Ports of the word that notify another vCPU: have them announced there. */
static EVC_COLD void pass_on(struct evc_guest_vcpu *self, unsigned word,
                             evc_abi_u64 theirs)
{
    evc_port first = word << self->guest->word_shift;

    for (; theirs != 0; theirs &= theirs - 1)
        evc_g_mask_follow(self, first + evc_lowest(theirs));
}

/*
 * Of what is pending in a word, that which this vCPU may serve.  Relaxed: G2 has
 * made them visible; a later change announces itself.
 */
static EVC_INLINE evc_abi_u64 may_serve(struct evc_guest_vcpu *self,
                                        const struct evc_guest *guest, int wide,
                                        unsigned word, evc_abi_u64 pending)
{
    return pending & ~load_rlx(wide, guest->mask, word) &
           load_rlx(wide, self->mine, word);
}

/* Acknowledge, in one step, all of a word that may be served. */
static EVC_INLINE evc_abi_u64 take_word(struct evc_guest_vcpu *self, int wide,
                                        unsigned word, evc_abi_u64 skip)
{
    struct evc_guest *guest = self->guest;
    evc_abi_u64 ready, theirs;

    evc_busy_with(self, word + 1); /* N1, pairs with N4 */
    ready = load_rlx(wide, guest->pending, word);
    ready = may_serve(self, guest, wide, word, ready) & ~skip;
    if (ready == 0)
        return 0;
    theirs = ready & load_rlx(wide, self->left_us, word);
    if (theirs != 0) {
        pass_on(self, word, theirs);
        ready &= ~theirs;
    }
    /* G3, pairs with P1; N2, pairs with N3 */
    return clear_ar(wide, guest->pending, word, ready) & ready;
}

/* No other handler may begin: what has been taken is for the next dispatch. */
static EVC_COLD void stop_at(struct evc_guest_vcpu *self, unsigned word,
                             evc_abi_u64 rest)
{
    struct evc_guest *guest = self->guest;

    /* Relaxed: what its sender released is carried on. */
    (void)set_rlx(is_wide(guest), guest->pending, word, rest);
    self->selected |= evc_bit(word);
    self->next = word;
    self->skip = (rest & -rest) - 1;
}

/* What has been taken of a word; there is something. */
static EVC_APART void serve_taken(struct evc_guest_vcpu *self, unsigned word,
                                  evc_abi_u64 taken)
{
    const evc_port first = word << self->guest->word_shift;
    struct evc_guest_port *const ports = self->guest->ports;
    evc_abi_u32 left = self->left;

    do {
        evc_port port = first + evc_lowest(taken);

        evc_run(self, &ports[port], port);
        taken &= taken - 1;
    } while (evc_may_go_on(self, &left) && taken != 0);
    self->left = left;
    if (taken != 0)
        stop_at(self, word, taken);
}

/* One word, but for ports that have had their turn. */
static EVC_INLINE void serve_word(struct evc_guest_vcpu *self, int wide,
                                  unsigned word, evc_abi_u64 skip)
{
    evc_abi_u64 taken = take_word(self, wide, word, skip);

    self->next = word + 1;
    if (taken != 0)
        serve_taken(self, word, taken);
}

/* The next selected word at or after `word`, going round. */
static inline unsigned next_word(evc_abi_u64 selected, unsigned word)
{
    evc_abi_u64 rest = selected & ~(evc_bit(word & 63) - 1);

    return evc_lowest(rest ? rest : selected);
}

static EVC_INLINE int serve_words(struct evc_guest_vcpu *self, int wide,
                                  int told)
{
    if (told)
        self->selected |= collect_words(self->info, wide);
    while (self->selected != 0 && evc_may_run(self)) {
        unsigned word = next_word(self->selected, self->next);
        evc_abi_u64 skip = word == self->next ? self->skip : 0;

        /* A word begun in its middle is visited once more, at the end. */
        if (skip == 0)
            self->selected &= ~evc_bit(word);
        self->skip = 0;
        serve_word(self, wide, word, skip);
    }
    return self->selected != 0;
}

/* Words of 32 bits where there are others: in tests. */
static EVC_COLD int serve_narrow(struct evc_guest_vcpu *self, int told)
{
    return serve_words(self, 0, told);
}

int evc_g_twolevel_serve(struct evc_guest_vcpu *self, int told)
{
    if (EVC_LIKELY(is_wide(self->guest) == EVC_GUEST_NATIVE))
        return serve_words(self, EVC_GUEST_NATIVE, told);
    return serve_narrow(self, told);
}

/* ---- one event ------------------------------------------------------------------- */

/* More than one event, or none: for the others to serve. */
static EVC_COLD int serve_all_words(struct evc_guest_vcpu *self,
                                    evc_abi_u64 selected)
{
    self->selected = selected;
    return evc_g_dispatch_all(self);
}

/* Take the only event of a word; 0: it is not that easy. */
static EVC_INLINE evc_abi_u64 take_quickly(struct evc_guest_vcpu *self,
                                           const struct evc_guest *guest,
                                           int wide, unsigned word)
{
    evc_abi_u64 pending = load_rlx(wide, guest->pending, word);
    evc_abi_u64 ready = may_serve(self, guest, wide, word, pending);

    if (!evc_is_single(ready) || (ready & load_rlx(wide, self->left_us, word)))
        return 0;
    /* G3, pairs with P1; N2, pairs with N3 */
    if (!cas_ar(wide, guest->pending, word, pending, pending & ~ready))
        return 0;
    return ready;
}

int evc_g_twolevel_quick(struct evc_guest_vcpu *self, void *info)
{
    enum { WIDE = EVC_GUEST_NATIVE, SHIFT = WIDE ? 6 : 5 };
    struct evc_guest *const guest = self->guest;
    evc_abi_u64 selected, taken;
    unsigned word;
    evc_port port;

    if (!EVC_LIKELY(is_wide(guest) == WIDE))
        return serve_all_words(self, collect_words(info, !WIDE));
    selected = collect_words(info, WIDE);
    if (!EVC_LIKELY(evc_is_single(selected)))
        return serve_all_words(self, selected);
    word = evc_lowest(selected);
    evc_busy_with(self, word + 1); /* N1, pairs with N4 */
    taken = take_quickly(self, guest, WIDE, word);
    if (!EVC_LIKELY(taken != 0))
        return serve_all_words(self, selected);
    self->next = word + 1;
    port = (word << SHIFT) + evc_lowest(taken);
    return evc_run_only(self, &guest->ports[port], port);
}
