/* SPDX-License-Identifier: MIT */
/*
 * Senders, dispatchers and an operator, all at once, and a checker of what
 * happened.
 *
 * Guest a has channels from guest b.  Two threads of b send on them; vCPUs 0 and
 * 1 of a dispatch; vCPU 2 of a masks, unmasks, moves, closes, binds again and
 * changes priorities; handlers now and then close or move their own port.
 *
 * A sender sends on a channel only when the handler has seen what it sent
 * before, so that no event hides the loss of another one.  From time to time all
 * stop, and every channel must have been heard:
 *
 *   lost       a sent event's handler is not called
 *   closed     a handler is called after its unbind has returned, or `gone`
 *   twice      the handler of one port runs on two vCPUs
 *   elsewhere  a handler runs on a vCPU the port does not notify
 *   masked     a handler begins after mask and quiesce
 *   payload    a handler does not see what was written before the send
 *   order      events of one FIFO queue come in another order than sent
 *   urgent     more than one handler of a lower priority begins before an
 *              event of a higher one that was there already
 *
 *   stress twolevel|twolevel32|fifo [EVENTS]
 *
 * EVC_STRESS_EVENTS overrides EVENTS; EVC_STRESS_SECONDS ends it in any case after
 * so many; EVC_STRESS_PATIENCE: s until an event
 * counts as lost (20).  Exit status: 0; 1: one of the above, which is printed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "side.h"

#define CHANNELS     64u
#define SPARSE       20u /* from here on: a word of the bitmap each */
#define ORDERED      40u /* from here on: sender 0 in this order, never touched */
#define URGENT       (CHANNELS - 1)
#define OPERATOR     2u
#define URGENT_QUEUE 2u
#define BINDINGS     1024u /* of a channel, used in turn */

struct channel;

struct binding {
    struct channel *channel;
    _Atomic bool dead;
};

struct channel {
    evc_port there;           /* b's port, which stays */
    _Atomic uint32_t here;    /* a's port, 0: being bound again */
    _Atomic uint32_t allowed; /* bit v: its handler may run on vCPU v */
    _Atomic uint64_t sent;    /* number of the last event */
    _Atomic uint64_t heard;   /* the last that a handler saw */
    _Atomic uint64_t stamp;   /* ordered channels: when it was sent */
    _Atomic uint32_t inside;
    _Atomic bool quiet;     /* no handler may begin now */
    _Atomic bool disturbed; /* may have events without a sender */
    _Atomic uint32_t bound; /* how often */
    uint32_t bound_before;  /* when it was looked at last */
    struct binding *binding;
} __attribute__((aligned(128)));

static struct side *a, *b;
static struct channel channels[CHANNELS];
static _Atomic int phase; /* 0: work, 1: senders stop, 2: the end */
static _Atomic unsigned resting;
static _Atomic uint64_t events, calls;
static __thread uint64_t handled; /* by this thread */
static _Atomic uint64_t urgent_sent, urgent_heard;
static unsigned passed_over;   /* by vCPU 0: handlers since the urgent event */
static uint64_t next_in_order; /* by vCPU 0 */
static unsigned patience = 20;
static bool is_fifo;

/* ---- saying what is wrong ---------------------------------------------------- */

static void fail(const char *what, const struct channel *channel)
{
    printf("stress: %s: channel %u, port %u, sent %llu, heard %llu\n", what,
           (unsigned)(channel - channels), (unsigned)channel->here,
           (unsigned long long)channel->sent,
           (unsigned long long)channel->heard);
    for (unsigned v = 0; v < 2; v++)
        printf("  vCPU %u: upcall %u, selected %llx, ready %x/%x, busy %x, "
               "settles %u\n",
               v, *(uint8_t *)a->vcpu[v].info,
               (unsigned long long)a->vcpu[v].selected, a->vcpu[v].ready,
               a->vcpu[v].control[0].raw_, a->vcpu[v].busy.raw_,
               a->vcpu[v].settles);
    printf("  pending %u, masked %u, linked %u, state %x\n",
           side_pending(a, channel->here), side_masked(a, channel->here),
           side_linked(a, channel->here), a->ports[channel->here].state.raw_);
    fflush(stdout);
    _exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value ? strtoull(value, NULL, 0) : otherwise;
}

static uint32_t pick(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* ---- the handler ----------------------------------------------------------------- */

static void bind_again(struct evc_guest_vcpu *self, struct channel *channel,
                       uint32_t vcpu);

static void check_begin(struct evc_guest_vcpu *self, struct binding *binding)
{
    struct channel *channel = binding->channel;
    unsigned vcpu = evc_guest_vcpu_index(self);

    if (atomic_load_explicit(&binding->dead, memory_order_relaxed))
        fail("closed", channel);
    if (atomic_load_explicit(&channel->inside, memory_order_relaxed) != 0)
        fail("twice", channel);
    atomic_store_explicit(&channel->inside, vcpu + 1, memory_order_relaxed);
    if (!(atomic_load_explicit(&channel->allowed, memory_order_relaxed) >>
              vcpu &
          1))
        fail("elsewhere", channel);
    if (atomic_load_explicit(&channel->quiet, memory_order_relaxed))
        fail("masked", channel);
}

static void check_end(struct evc_guest_vcpu *self, struct binding *binding)
{
    struct channel *channel = binding->channel;
    unsigned vcpu = evc_guest_vcpu_index(self);

    if (atomic_load_explicit(&binding->dead, memory_order_relaxed))
        fail("closed while it ran", channel);
    if (atomic_load_explicit(&channel->inside, memory_order_relaxed) !=
        vcpu + 1)
        fail("twice", channel);
    atomic_store_explicit(&channel->inside, 0, memory_order_relaxed);
}

/* On vCPU 0 only, and there in order. */
static void check_order(struct channel *channel, uint64_t stamp)
{
    if (stamp != next_in_order)
        fail("order", channel);
    next_in_order = stamp + 1;
    if (atomic_load_explicit(&urgent_sent, memory_order_acquire) <=
        atomic_load_explicit(&urgent_heard, memory_order_relaxed))
        passed_over = 0;
    else if (++passed_over > 1)
        fail("urgent", channel);
}

static void check_payload(struct channel *channel, uint64_t sent,
                          uint64_t heard)
{
    if (sent == heard &&
        !atomic_load_explicit(&channel->disturbed, memory_order_relaxed))
        fail("payload", channel);
    if (!is_fifo || channel < &channels[ORDERED] || sent == heard)
        return;
    if (channel == &channels[URGENT]) {
        atomic_store_explicit(&urgent_heard, sent, memory_order_relaxed);
        passed_over = 0;
        return;
    }
    check_order(channel,
                atomic_load_explicit(&channel->stamp, memory_order_relaxed));
}

static bool masks_itself(const struct channel *channel)
{
    return channel >= &channels[24] && channel < &channels[32];
}

/* Some handlers do something to their own port. */
static void meddle(struct evc_guest_vcpu *self, evc_port port,
                   struct channel *channel, uint64_t sent)
{
    unsigned i = (unsigned)(channel - channels);

    if (i < 4 && sent % 512 == 0) {
        (void)evc_guest_unbind(self, port); /* `gone` binds it again */
    } else if (masks_itself(channel) && sent % 8 == 0) {
        (void)evc_guest_mask(self, port);
        (void)evc_guest_unmask(self, port);
    }
}

static int handle(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct binding *binding = data;
    struct channel *channel = binding->channel;
    uint64_t sent, heard;

    handled++;
    check_begin(self, binding);
    heard = atomic_load_explicit(&channel->heard, memory_order_relaxed);
    sent = atomic_load_explicit(&channel->sent, memory_order_relaxed);
    check_payload(channel, sent, heard);
    if (sent != heard)
        meddle(self, port, channel, sent);
    if (sent % 256 == 255)
        sched_yield(); /* let others act while we are in here */
    check_end(self, binding);
    atomic_store_explicit(&channel->heard, sent, memory_order_release);
    /* The next event may come before we are gone. */
    for (volatile unsigned n = sent % 64 ? 0 : 500; n > 0; n--)
        ;
    return EVC_GUEST_DONE;
}

/* ---- binding -------------------------------------------------------------------- */

static void gone(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct binding *binding = data;

    (void)port;
    atomic_store_explicit(&binding->dead, true, memory_order_relaxed);
    bind_again(self, binding->channel, 0);
}

static void bind_again(struct evc_guest_vcpu *self, struct channel *channel,
                       uint32_t vcpu)
{
    struct binding *binding =
        &channel->binding[atomic_fetch_add(&channel->bound, 1) % BINDINGS];
    struct evc_guest_binding how = {
        .handler = handle, .data = binding, .gone = gone, .vcpu = vcpu};
    int port;

    binding->channel = channel;
    atomic_store(&binding->dead, false);
    atomic_store(&channel->allowed, 1u << vcpu);
    atomic_store(&channel->disturbed, true);
    port = evc_guest_bind_interdomain(self, evc_domain_id(b->dom),
                                      channel->there, &how);
    if (port < 0)
        fail("bind", channel);
    atomic_store(&channel->here, (uint32_t)port);
}

/* So that no neighbour's event makes up for a lost one. */
static void fill_word(void)
{
    static const struct evc_guest_binding silent = {0};

    while ((evc_guest_bind_ipi(&a->vcpu[0], &silent) & 31) != 31)
        ;
}

static void open_channel(struct channel *channel)
{
    static const struct evc_guest_binding silent = {0};
    unsigned i = (unsigned)(channel - channels);
    int there =
        evc_guest_bind_unbound(&b->vcpu[0], evc_domain_id(a->dom), &silent);

    if (i >= SPARSE && i < ORDERED)
        fill_word();
    if (there < 0)
        fail("alloc", channel);
    channel->there = (evc_port)there;
    channel->binding = calloc(BINDINGS, sizeof(*channel->binding));
    bind_again(&a->vcpu[0], channel, i < ORDERED ? i % 2 : 0);
    if (is_fifo && i == URGENT)
        evc_guest_set_priority(&a->vcpu[0], channel->here, URGENT_QUEUE);
}

/* ---- senders ----------------------------------------------------------------------- */

static bool is_heard(struct channel *channel)
{
    return atomic_load_explicit(&channel->heard, memory_order_acquire) ==
           atomic_load_explicit(&channel->sent, memory_order_relaxed);
}

static void send_one(struct channel *channel)
{
    uint64_t n = atomic_load_explicit(&channel->sent, memory_order_relaxed);

    atomic_store_explicit(&channel->sent, n + 1, memory_order_relaxed);
    if (evc_send(b->dom, channel->there) != 0)
        fail("send", channel);
}

/* Sender 0: all ordered channels in turn, the urgent one in between. */
static unsigned send_ordered(uint64_t *stamp)
{
    unsigned sent = 0;

    for (unsigned i = ORDERED; i < URGENT; i++) {
        struct channel *channel = &channels[i];

        if (!is_heard(channel))
            return sent; /* go on with it the next time: order is all */
        if (*stamp % (URGENT - ORDERED) != i - ORDERED)
            continue;
        atomic_store_explicit(&channel->stamp, (*stamp)++,
                              memory_order_relaxed);
        send_one(channel);
        sent++;
        if (*stamp % 7 == 0 && is_heard(&channels[URGENT])) {
            send_one(&channels[URGENT]);
            atomic_store_explicit(&urgent_sent, channels[URGENT].sent,
                                  memory_order_release);
            sent++;
        }
    }
    return sent;
}

static unsigned send_plain(unsigned first)
{
    unsigned sent = 0;

    for (unsigned i = first; i < ORDERED; i += 2)
        if (is_heard(&channels[i])) {
            send_one(&channels[i]);
            sent++;
        }
    return sent;
}

static void rest(void)
{
    atomic_fetch_add(&resting, 1);
    while (atomic_load(&phase) == 1)
        sched_yield();
    atomic_fetch_sub(&resting, 1);
}

static void *sender(void *number)
{
    unsigned me = (unsigned)(uintptr_t)number;
    uint64_t stamp = 0;

    while (atomic_load(&phase) != 2) {
        unsigned sent = send_plain(me);

        if (me == 0)
            sent += send_ordered(&stamp);
        atomic_fetch_add_explicit(&events, sent, memory_order_relaxed);
        if (atomic_load(&phase) == 1)
            rest();
        if (sent == 0)
            sched_yield();
    }
    return NULL;
}

/* ---- dispatchers -------------------------------------------------------------------- */

static void *dispatcher(void *number)
{
    struct evc_guest_vcpu *self = &a->vcpu[(uintptr_t)number];
    uint64_t seed = (uintptr_t)number + 1;
    bool watches_order = number == NULL;

    while (atomic_load(&phase) != 2) {
        uint32_t budget = pick(&seed) % 8 ? 0 : pick(&seed) % 32 + 1;
        uint64_t before = handled;

        if (is_fifo && pick(&seed) % 16 == 0)
            (void)evc_guest_dispatch_priority(
                self, watches_order ? URGENT_QUEUE : pick(&seed) % 16, budget);
        (void)evc_guest_dispatch(self, budget, 0);
        atomic_fetch_add_explicit(&calls, handled - before,
                                  memory_order_relaxed);
        if (handled == before)
            sched_yield();
    }
    return NULL;
}

/* ---- the operator -------------------------------------------------------------------- */

static void mask_a_while(struct channel *channel, evc_port port)
{
    struct evc_guest_vcpu *self = &a->vcpu[OPERATOR];

    if (masks_itself(channel) || evc_guest_mask(self, port) < 0)
        return;
    if (evc_guest_quiesce(self, port) == 0 && channel->here == port) {
        atomic_store(&channel->quiet, true);
        sched_yield();
        atomic_store(&channel->quiet, false);
    }
    (void)evc_guest_unmask(self, port);
}

static void move_it(struct channel *channel, evc_port port)
{
    uint32_t was = atomic_load(&channel->allowed);
    uint32_t to = was == 1 ? 1 : 0;

    atomic_store(&channel->allowed, 3);
    if (evc_guest_move(&a->vcpu[OPERATOR], port, to) == 0)
        atomic_store(&channel->allowed, 1u << to);
    else
        atomic_store(&channel->allowed, was);
}

static void operate(uint64_t *seed)
{
    unsigned i = pick(seed) % ORDERED;
    struct channel *channel = &channels[i];
    evc_port port = atomic_load(&channel->here);

    /* Those below 4 are closed by their handlers, at any time. */
    switch (i < 4 ? 9 : pick(seed) % 6) {
    case 0:
        mask_a_while(channel, port);
        break;
    case 1:
    case 2:
        for (unsigned n = 0; n < 10; n++) {
            (void)evc_guest_mask(&a->vcpu[OPERATOR], port);
            (void)evc_guest_unmask(&a->vcpu[OPERATOR], port);
        }
        break;
    case 3:
        move_it(channel, port);
        break;
    case 4:
        (void)evc_guest_unbind(&a->vcpu[OPERATOR], port); /* and `gone` */
        break;
    case 5:
        (void)evc_guest_set_priority(&a->vcpu[OPERATOR], port, pick(seed) % 16);
        break;
    default:
        sched_yield();
        break;
    }
}

/* Everybody stops, and every channel must have been heard. */
static void check_all_heard(void)
{
    double end;

    atomic_store(&phase, 1);
    while (atomic_load(&resting) != 2)
        sched_yield();
    end = seconds() + patience;
    for (unsigned i = 0; i < CHANNELS; i++)
        while (!is_heard(&channels[i])) {
            if (seconds() > end)
                fail("lost", &channels[i]);
            sched_yield();
        }
    for (unsigned i = 4; i < CHANNELS; i++) {
        if (channels[i].bound == channels[i].bound_before)
            atomic_store(&channels[i].disturbed, false);
        channels[i].bound_before = channels[i].bound;
    }
    atomic_store(&phase, 0);
    while (atomic_load(&resting) != 0)
        sched_yield();
}

static void run(uint64_t total)
{
    double end = seconds() + (double)setting("EVC_STRESS_SECONDS", 1000000);
    uint64_t seed = 1;

    while (atomic_load(&events) < total && seconds() < end) {
        for (unsigned n = pick(&seed) % 64; n > 0; n--)
            operate(&seed);
        usleep(pick(&seed) % 1024);
        check_all_heard();
    }
    atomic_store(&phase, 2);
}

/* ---- all of it -------------------------------------------------------------------------- */

static struct side *create(const char *abi)
{
    struct side_config config = {.vcpus = 3};

    is_fifo = strcmp(abi, "fifo") == 0;
    config.abi = is_fifo ? EVC_GUEST_ABI_FIFO : EVC_GUEST_ABI_TWOLEVEL;
    if (strcmp(abi, "twolevel32") == 0)
        config.layout = EVC_GUEST_LAYOUT_X86_32;
    return side_create(config);
}

int main(int argc, char **argv)
{
    const char *abi = argc > 1 ? argv[1] : "twolevel";
    uint64_t total = setting("EVC_STRESS_EVENTS",
                             argc > 2 ? strtoull(argv[2], NULL, 0) : 1000000);
    double start = seconds();
    uint64_t bound = 0;
    pthread_t thread[4];

    patience = (unsigned)setting("EVC_STRESS_PATIENCE", patience);
    a = create(abi);
    b = create(abi);
    for (unsigned i = 0; i < CHANNELS; i++)
        open_channel(&channels[i]);
    side_run(a, 0); /* binding raised an event each */
    side_run(a, 1);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, i < 2 ? sender : dispatcher,
                       (void *)(i % 2));
    run(total);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < CHANNELS; i++)
        bound += channels[i].bound;
    printf(
        "stress: %s: %llu events, %llu handler calls, %llu bindings, %.1f s\n",
        abi, (unsigned long long)events, (unsigned long long)calls,
        (unsigned long long)bound, seconds() - start);
    return 0;
}
