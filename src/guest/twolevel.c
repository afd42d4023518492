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
#include "internal.h"

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
#define EITHER(guest, on_wide, on_narrow) ((void)(guest), (on_narrow))
#else
#define EITHER(guest, on_wide, on_narrow) \
    (EVC_GUEST_WIDE(guest) ? (on_wide) : (on_narrow))
#endif

#define LOAD(op)                                                            \
    static inline evc_abi_u64 op(const struct evc_guest *guest, void *bits, \
                                 unsigned word)                             \
    {                                                                       \
        return EITHER(guest, evc_g64_##op(WIDE(bits, word)),                \
                      evc_g32_##op(NARROW(bits, word)));                    \
    }

#define CHANGE(op)                                                          \
    static inline evc_abi_u64 op(const struct evc_guest *guest, void *bits, \
                                 unsigned word, evc_abi_u64 v)              \
    {                                                                       \
        return EITHER(guest, evc_g64_##op(WIDE(bits, word), v),             \
                      evc_g32_##op(NARROW(bits, word), (evc_abi_u32)v));    \
    }

/* clang-format off */
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
    (void)set_ar(guest, guest->mask, word_of(guest, port), bit_of(guest, port));
}

int evc_g_twolevel_take(struct evc_guest *guest, evc_port port)
{
    evc_abi_u64 bit = bit_of(guest, port);

    /* G3, pairs with P1; N3, pairs with N2 */
    return (clear_ar(guest, guest->pending, word_of(guest, port), bit) & bit) !=
           0;
}

void evc_g_twolevel_give(struct evc_guest *guest, evc_port port)
{
    /* Relaxed: what its sender released is carried on. */
    (void)set_rlx(guest, guest->pending, word_of(guest, port),
                  bit_of(guest, port));
}

static int is_pending_sc(struct evc_guest *guest, evc_port port)
{
    /* G7, pairs with P1 */
    return (load_sc(guest, guest->pending, word_of(guest, port)) &
            bit_of(guest, port)) != 0;
}

static void select_word(struct evc_guest_vcpu *self, evc_port port)
{
    self->selected |= evc_bit(word_of(self->guest, port));
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
    (void)clear_sc(guest, guest->mask, word_of(guest, port),
                   bit_of(guest, port));
    if (!is_pending_sc(guest, port))
        return;
    if (evc_g32_load_rlx(&self->active) &&
        evc_state_vcpu(state) == self->index) {
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

    (void)set_rlx(guest, vcpu->mine, word, bit_of(guest, port));
    (void)clear_rlx(guest, vcpu->left_us, word, bit_of(guest, port));
}

void evc_g_twolevel_leave(struct evc_guest_vcpu *vcpu, evc_port port)
{
    const struct evc_guest *guest = vcpu->guest;
    unsigned word = word_of(guest, port);

    (void)set_rlx(guest, vcpu->left_us, word, bit_of(guest, port));
    (void)set_rlx(guest, vcpu->mine, word, bit_of(guest, port));
}

void evc_g_twolevel_disown(struct evc_guest *guest, evc_port port)
{
    unsigned word = word_of(guest, port);
    evc_abi_u64 bit = bit_of(guest, port);

    for (evc_abi_u32 v = 0; v < guest->nr_vcpus; v++) {
        struct evc_guest_vcpu *vcpu = &guest->vcpus[v];

        if (load_rlx(guest, vcpu->mine, word) & bit)
            (void)clear_rlx(guest, vcpu->mine, word, bit);
    }
}

/* ---- serving -------------------------------------------------------------------- */

int evc_g_twolevel_collect(struct evc_guest_vcpu *self)
{
    struct evc_guest *guest = self->guest;

    /* G2, pairs with P3; releases G1 */
    self->selected |=
        swap_ar(guest, (evc_abi_u8 *)self->info + guest->sel_offset, 0, 0);
    return self->selected != 0;
}

/* Ports of the word that notify another vCPU: have them announced there. */
static void pass_on(struct evc_guest_vcpu *self, unsigned word,
                    evc_abi_u64 theirs)
{
    evc_port first = word << self->guest->word_shift;

    for (; theirs != 0; theirs &= theirs - 1)
        evc_g_mask_follow(self, first + evc_lowest(theirs));
}

/* Acknowledge, in one step, all of a word that may be served. */
static evc_abi_u64 take_word(struct evc_guest_vcpu *self, unsigned word,
                             unsigned from)
{
    struct evc_guest *guest = self->guest;
    evc_abi_u64 ready, theirs;

    evc_busy_begin(self, word + 1); /* N1, pairs with N4 */
    /* Relaxed: G2 has made them visible; a later change announces itself. */
    ready = load_rlx(guest, guest->pending, word) &
            ~load_rlx(guest, guest->mask, word) &
            load_rlx(guest, self->mine, word) & ~(evc_bit(from) - 1);
    if (ready == 0)
        return 0;
    theirs = ready & load_rlx(guest, self->left_us, word);
    if (theirs != 0) {
        pass_on(self, word, theirs);
        ready &= ~theirs;
    }
    /* G3, pairs with P1; N2, pairs with N3 */
    return clear_ar(guest, guest->pending, word, ready) & ready;
}

/* No other handler may begin: what has been taken is for the next dispatch. */
static void stop_at(struct evc_guest_vcpu *self, unsigned word,
                    evc_abi_u64 rest)
{
    struct evc_guest *guest = self->guest;

    /* Relaxed: what its sender released is carried on. */
    (void)set_rlx(guest, guest->pending, word, rest);
    self->next = (word << guest->word_shift) + evc_lowest(rest);
    select_word(self, self->next);
}

static void serve_word(struct evc_guest_vcpu *self, unsigned word,
                       unsigned from)
{
    const unsigned shift = self->guest->word_shift;
    const evc_port first = word << shift;
    struct evc_guest_port *ports = self->guest->ports;
    evc_abi_u64 taken = take_word(self, word, from);

    self->next = first + (1u << shift);
    while (taken != 0) {
        evc_port port = first + evc_lowest(taken);
        evc_abi_u32 state;

        if (!EVC_LIKELY(evc_run(self, port, &ports[port], &state)))
            evc_g_put_back(self, port, state);
        taken &= taken - 1;
        self->left--;
        if (!EVC_LIKELY(evc_may_run(self))) {
            if (taken != 0)
                stop_at(self, word, taken);
            return;
        }
    }
}

/* The next selected word at or after `word`, going round. */
static unsigned next_word(evc_abi_u64 selected, unsigned word)
{
    evc_abi_u64 rest = selected & ~(evc_bit(word) - 1);

    return evc_lowest(rest ? rest : selected);
}

void evc_g_twolevel_serve(struct evc_guest_vcpu *self)
{
    const unsigned shift = self->guest->word_shift;
    const unsigned words = 1u << shift; /* as many words as bits in one */

    while (self->selected != 0 && evc_may_run(self)) {
        unsigned at = self->next >> shift & (words - 1);
        unsigned word = next_word(self->selected, at);
        unsigned from = word == at ? self->next & (words - 1) : 0;

        /* A word begun in its middle is visited once more, at the end. */
        if (from == 0)
            self->selected &= ~evc_bit(word);
        serve_word(self, word, from);
    }
}
