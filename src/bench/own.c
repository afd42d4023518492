/* SPDX-License-Identifier: MIT */
/*
 * The engine's own cases: each does one thing to one pair of guests, by the
 * shortest way the public interface has.
 *
 * Where a case wants a port that is not pending, the receiver's stores are made
 * here by hand, so that what is measured is the send.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "own.h"

#define ONE (1u << EVC_PLACE_ONE)
#define TWO (1u << EVC_PLACE_THREADS)

#define MASKED 0x40000000u /* of a FIFO event word */

#define FAR 600u /* channels whose words, in both ABIs, share no cache line */

/* ---- a pair -------------------------------------------------------------- */

static int on_event(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct evc_own *own = data;

    (void)self;
    own->handled++;
    own->last = port;
    return EVC_GUEST_DONE;
}

int evc_own_open(const struct evc_machine *machine, bool fifo,
                 uint32_t channels, enum evc_place place, struct evc_own **out)
{
    struct evc_own *own = evc_alloc_lines(sizeof(*own));
    const struct evc_bench_guests_config config = {
        .fifo = fifo,
        .channels = channels,
        .handler = on_event,
        .data = own,
    };
    int r;

    if (!own)
        return -ENOMEM;
    own->fifo = fifo;
    r = evc_bench_guests_open(&config, &own->guests);
    if (r == 0 && place != EVC_PLACE_ONE)
        r = evc_party_start(machine, place, own, &own->party);
    if (r < 0)
        evc_own_close(own);
    else
        *out = own;
    return r;
}

void evc_own_close(struct evc_own *own)
{
    if (!own || evc_party_stop(own->party) < 0)
        return;
    evc_bench_guests_close(own->guests);
    free(own);
}

/* ---- small steps --------------------------------------------------------- */

static inline int send(const struct evc_own *own, uint32_t channel)
{
    return evc_send(own->guests->sender.domain, own->guests->from + channel);
}

static inline int dispatch(const struct evc_own *own, uint32_t most)
{
    return evc_guest_dispatch(own->guests->receiver.vcpu, most, 0);
}

static inline uint32_t *word_of(const struct evc_own *own)
{
    return &own->guests->receiver.events[own->guests->to];
}

static inline uint64_t *bits_of(uint64_t *bits, const struct evc_own *own)
{
    return &bits[own->guests->to / 64];
}

static void put32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void put64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Channel 0 alone is as if it had never been sent to. */
static inline void forget(const struct evc_own *own)
{
    struct evc_abi_shared_info_x86_64 *info = own->guests->receiver.info;

    __atomic_store_n(&info->vcpu_info[0].evtchn_upcall_pending, 0,
                     __ATOMIC_RELAXED);
    if (own->fifo) {
        put32((uint32_t *)(void *)own->guests->receiver.vcpu, 0); /* ready */
        put32(word_of(own), 0);
    } else {
        put64((uint64_t *)(void *)&info->vcpu_info[0].evtchn_pending_sel, 0);
        put64(bits_of((uint64_t *)(void *)info->evtchn_pending, own), 0);
    }
}

/* Everything that is pending is handled, and nothing is masked. */
static int clean(struct evc_own *own)
{
    (void)dispatch(own, 0);
    return 0;
}

/* ---- one thread ---------------------------------------------------------- */

#define LOOP(sample, reps, step)                   \
    do {                                           \
        double begin_ = evc_now_ns();              \
                                                   \
        for (uint64_t i_ = 0; i_ < (reps); i_++) { \
            step;                                  \
        }                                          \
        (sample)->ns += evc_now_ns() - begin_;     \
        (sample)->events += (reps);                \
    } while (0)

static int rmw(void *subject, const struct evc_cell *cell, uint64_t reps,
               struct evc_sample *sample)
{
    static _Alignas(128) uint64_t word;

    (void)subject;
    (void)cell;
    LOOP(sample, reps, (void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST));
    return 0;
}

static int pending(void *subject, const struct evc_cell *cell, uint64_t reps,
                   struct evc_sample *sample)
{
    struct evc_own *own = subject;

    (void)cell;
    (void)send(own, 0);
    LOOP(sample, reps, (void)send(own, 0));
    return clean(own);
}

static int masked(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_own *own = subject;
    struct evc_abi_shared_info_x86_64 *info = own->guests->receiver.info;
    uint64_t *mask = bits_of((uint64_t *)(void *)info->evtchn_mask, own);
    uint64_t *bits = bits_of((uint64_t *)(void *)info->evtchn_pending, own);
    uint64_t before = *mask;

    (void)cell;
    if (own->fifo) {
        LOOP(sample, reps, put32(word_of(own), MASKED); (void)send(own, 0));
        put32(word_of(own), 0);
    } else {
        put64(mask, UINT64_MAX);
        LOOP(sample, reps, put64(bits, 0); (void)send(own, 0));
        put64(bits, 0);
        put64(mask, before);
    }
    return clean(own);
}

static int whole(void *subject, const struct evc_cell *cell, uint64_t reps,
                 struct evc_sample *sample)
{
    struct evc_own *own = subject;

    (void)cell;
    LOOP(sample, reps, forget(own); (void)send(own, 0));
    return clean(own);
}

static int pair(void *subject, const struct evc_cell *cell, uint64_t reps,
                struct evc_sample *sample)
{
    struct evc_own *own = subject;
    uint64_t before = own->handled;

    (void)cell;
    LOOP(sample, reps, (void)send(own, 0); (void)dispatch(own, 0));
    return own->handled - before == reps ? 0 : -EPROTO;
}

static int unmask(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_own *own = subject;
    struct evc_bench_guests *guests = own->guests;

    (void)cell;
    LOOP(sample, reps, (void)evc_unmask(guests->receiver.domain, guests->to));
    return 0;
}

static int cycle(void *subject, const struct evc_cell *cell, uint64_t reps,
                 struct evc_sample *sample)
{
    struct evc_own *own = subject;
    int r = 0;

    (void)cell;
    LOOP(sample, reps, r |= evc_bench_guests_cycle(own->guests));
    return r < 0 ? r : clean(own);
}

/* Of as many pending events as the cell says, the handling of each. */
static int drain(void *subject, const struct evc_cell *cell, uint64_t reps,
                 struct evc_sample *sample)
{
    struct evc_own *own = subject;

    for (uint64_t turn = 0; turn < reps; turn++) {
        uint64_t before = own->handled;

        for (uint32_t i = 0; i < cell->active; i++)
            (void)send(own, i);
        LOOP(sample, 1u, (void)dispatch(own, 0));
        if (own->handled - before != cell->active)
            return -EPROTO;
    }
    sample->events = reps * cell->active;
    return 0;
}

/* The last channel is the most urgent one, and must be the one handled. */
static int urgent(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_own *own = subject;
    uint32_t channel = own->guests->channels - 1;
    evc_port port = own->guests->to + channel;
    int r = evc_guest_set_priority(own->guests->receiver.vcpu, port, 0);
    uint64_t others = 0;

    for (uint32_t i = 1; i < cell->active; i++)
        (void)send(own, i - 1);
    LOOP(sample, reps, (void)send(own, channel); (void)dispatch(own, 1);
         others += own->last != port);
    clean(own);
    return r < 0 ? r : others ? -EPROTO : 0;
}

/* ---- two CPUs ------------------------------------------------------------ */

/* Order: send to a channel until told to stop. */
static int send_on(struct evc_board *board, void *data, uint64_t channel)
{
    struct evc_own *own = data;

    atomic_store_explicit(&board->ready, 1, memory_order_release);
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed))
        for (int i = 0; i < 64; i++)
            (void)send(own, (uint32_t)channel);
    return 0;
}

/* Order: take until told to stop. */
static int poll(struct evc_board *board, void *data, uint64_t arg)
{
    struct evc_own *own = data;

    (void)arg;
    atomic_store_explicit(&board->ready, 1, memory_order_release);
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed))
        (void)dispatch(own, 0);
    return clean(own);
}

static int against(struct evc_own *own, evc_order *order, uint64_t arg,
                   uint64_t reps, struct evc_sample *sample)
{
    int r;

    evc_party_order(own->party, order, arg);
    r = evc_party_ready(own->party);
    if (r < 0)
        return r;
    LOOP(sample, reps, (void)send(own, 0));
    atomic_store(&own->party->board->stop, 1);
    return evc_party_finish(own->party);
}

static int same_port(void *subject, const struct evc_cell *cell, uint64_t reps,
                     struct evc_sample *sample)
{
    int r = against(subject, send_on, 0, reps, sample);

    (void)cell;
    return r < 0 ? r : clean(subject);
}

static int other_port(void *subject, const struct evc_cell *cell, uint64_t reps,
                      struct evc_sample *sample)
{
    int r = against(subject, send_on, FAR, reps, sample);

    (void)cell;
    return r < 0 ? r : clean(subject);
}

static int polled(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    (void)cell;
    return against(subject, poll, 0, reps, sample);
}

/* Order: return the ball, so many times. */
static int catch (struct evc_board *board, void *data, uint64_t count)
{
    (void)data;
    atomic_store(&board->ball, 0);
    atomic_store_explicit(&board->ready, 1, memory_order_release);
    for (uint64_t i = 0; i < count; i++) {
        while (atomic_load(&board->ball) != 2 * i + 1)
            if (atomic_load_explicit(&board->stop, memory_order_relaxed))
                return -ECANCELED;
        atomic_store_explicit(&board->ball, 2 * i + 2, memory_order_release);
    }
    return 0;
}

static int bounce(void *subject, const struct evc_cell *cell, uint64_t reps,
                  struct evc_sample *sample)
{
    struct evc_party *party = subject;
    _Atomic uint64_t *ball = &party->board->ball;
    int r;

    (void)cell;
    evc_party_order(party, catch, reps);
    r = evc_party_ready(party);
    if (r < 0)
        return r;
    LOOP(sample, reps, atomic_store(ball, 2 * i_ + 1);
         while (atomic_load(ball) != 2 * i_ + 2));
    return evc_party_finish(party);
}

/* ---- the lists ----------------------------------------------------------- */

const struct evc_case evc_case_rmw = {
    "rmw", "one locked read-modify-write", "ns", ONE | TWO | 4, 0, 0, 0, rmw};

const struct evc_case evc_case_bounce = {
    "roundtrip", "a cache line to the other CPU and back, both spinning",
    "ns",        TWO | 4,
    0,           0,
    0,           bounce};

const struct evc_case evc_own_cases[] = {
    {"pending", "send to a port that is pending", "ns", ONE | TWO, 0, 0, 0,
     pending},
    {"masked", "send to a port that is masked", "ns", ONE, 0, 0, 0, masked},
    {"whole", "send, up to the upcall", "ns", ONE, 0, 0, 0, whole},
    {"pair", "send one and dispatch it", "ns", ONE, 0, 0, 0, pair},
    {"unmask", "unmask a port with nothing pending", "ns", ONE, 0, 0, 0,
     unmask},
    {"cycle", "alloc, bind, close and close", "ns", ONE, 0, 0, 0, cycle},
    {"drain", "dispatch 64 pending events, for each", "ns", ONE, 64, 0, 0,
     drain},
    {"drain-all", "dispatch all ports, pending, for each", "ns", ONE, EVC_ALL,
     0, 0, drain},
    {"urgent", "an urgent event alone: send and dispatch", "ns", ONE, 1, 0, 0,
     urgent},
    {"urgent-all", "an urgent event behind all others", "ns", ONE, EVC_ALL,
     4000, 0, urgent},
    {"same-port", "two CPUs send to the same pending port", "ns", TWO, 0, 0, 0,
     same_port},
    {"other-port", "two CPUs send to two pending ports of a domain", "ns", TWO,
     0, 0, 0, other_port},
    {"polled", "send to a CPU that does nothing but dispatch", "ns", TWO, 0, 0,
     0, polled},
    {0},
};
