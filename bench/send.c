/* SPDX-License-Identifier: MIT */
/*
 * What a send costs, one thread, in units of this machine.
 *
 * First numbers only; the harness with Xen's own engine beside ours, counted
 * instructions and several threads is work of its own.  The public interface
 * alone is used.
 *
 * Every row is measured once a round, in turn, so that whatever disturbs the
 * machine disturbs all of them; a row's figure is the median of its rounds, and
 * its ratio the median of the rounds' ratios to the locked read-modify-write of
 * the same round.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#define ROUNDS 31u
#define CALLS  20000u /* of a row in a round: well over 50 us */

#define PENDING (1u << 31)
#define MASKED  (1u << 30)

static void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "send: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

/* ---- two domains, and a channel from the second to the first ------------ */

struct guest {
    _Alignas(4096) struct evc_abi_shared_info_x86_64 page;
    _Alignas(4096) uint32_t control[1024];
    _Alignas(4096) uint32_t words[1024];
    struct evc_domain *domain;
};

enum frame { CONTROL, WORDS };

static int map(void *dom, uint64_t gfn, void **page)
{
    struct guest *guest = dom;

    *page = gfn == CONTROL ? guest->control : guest->words;
    return 0;
}

static void unmap(void *dom, uint64_t gfn, void *page)
{
    (void)dom;
    (void)gfn;
    (void)page;
}

static void add(struct evc_engine *engine, evc_domid id, struct guest *guest)
{
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = id,
        .layout = EVC_LAYOUT_X86_64,
        .vcpus = 1,
        .max_port = UINT32_MAX,
        .shared_info = &guest->page,
        .cookie = guest,
    };

    memset(guest, 0, sizeof(*guest));
    check(evc_domain_create(engine, &config, &guest->domain), "domain");
}

static void go_fifo(struct guest *guest)
{
    struct evtchn_init_control control = {.control_gfn = CONTROL};
    struct evtchn_expand_array expand = {.array_gfn = WORDS};

    check(evc_event_channel_op(guest->domain, EVTCHNOP_init_control, &control),
          "init_control");
    check(evc_event_channel_op(guest->domain, EVTCHNOP_expand_array, &expand),
          "expand_array");
}

struct channel {
    struct guest *to;
    struct evc_domain *from;
    evc_port to_port, from_port;
};

static struct channel connect(struct guest *to, struct guest *from)
{
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF, .remote_dom = 2};
    struct evtchn_bind_interdomain bind = {.remote_dom = 1};

    check(evc_event_channel_op(to->domain, EVTCHNOP_alloc_unbound, &offer),
          "alloc_unbound");
    bind.remote_port = offer.port;
    check(evc_event_channel_op(from->domain, EVTCHNOP_bind_interdomain, &bind),
          "bind_interdomain");
    return (struct channel){to, from->domain, offer.port, bind.local_port};
}

/* ---- what a guest does between two sends -------------------------------- */

static void clear64(uint64_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

static void clear32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void take_twolevel(struct channel *c)
{
    struct evc_abi_shared_info_x86_64 *page = &c->to->page;

    __atomic_store_n(&page->vcpu_info[0].evtchn_upcall_pending, 0,
                     __ATOMIC_RELAXED);
    clear64((uint64_t *)(void *)&page->vcpu_info[0].evtchn_pending_sel);
    clear64((uint64_t *)(void *)&page->evtchn_pending[0]);
}

static void take_fifo(struct channel *c)
{
    __atomic_store_n(&c->to->page.vcpu_info[0].evtchn_upcall_pending, 0,
                     __ATOMIC_RELAXED);
    clear32(&c->to->control[0], 0);
    clear32(&c->to->words[c->to_port], 0);
}

/* ---- the rows ----------------------------------------------------------- */

/* The unit: one locked read-modify-write on a line that nobody else wants. */
static void run_rmw(struct channel *c)
{
    static uint64_t word;

    (void)c;
    for (unsigned i = 0; i < CALLS; i++)
        (void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
}

static int bell;

static void run_eventfd(struct channel *c)
{
    static const uint64_t one = 1;

    (void)c;
    for (unsigned i = 0; i < CALLS; i++)
        if (write(bell, &one, sizeof(one)) != sizeof(one))
            abort();
}

/* Nothing is taken: after the first, each send finds the port pending. */
static void run_pending(struct channel *c)
{
    for (unsigned i = 0; i < CALLS; i++)
        (void)evc_send(c->from, c->from_port);
}

static void run_masked_twolevel(struct channel *c)
{
    uint64_t *mask = (uint64_t *)(void *)&c->to->page.evtchn_mask[0];
    uint64_t *pending = (uint64_t *)(void *)&c->to->page.evtchn_pending[0];

    __atomic_store_n(mask, UINT64_MAX, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < CALLS; i++) {
        clear64(pending);
        (void)evc_send(c->from, c->from_port);
    }
    __atomic_store_n(mask, 0, __ATOMIC_SEQ_CST);
}

static void run_masked_fifo(struct channel *c)
{
    for (unsigned i = 0; i < CALLS; i++) {
        clear32(&c->to->words[c->to_port], MASKED);
        (void)evc_send(c->from, c->from_port);
    }
    clear32(&c->to->words[c->to_port], 0);
}

/* The whole path: pending, selector, upcall; the guest's stores included. */
static void run_whole_twolevel(struct channel *c)
{
    for (unsigned i = 0; i < CALLS; i++) {
        take_twolevel(c);
        (void)evc_send(c->from, c->from_port);
    }
}

static void run_whole_fifo(struct channel *c)
{
    for (unsigned i = 0; i < CALLS; i++) {
        take_fifo(c);
        (void)evc_send(c->from, c->from_port);
    }
}

enum { RMW, EVENTFD, ROWS = 8 };

static struct row {
    const char *name;
    void (*run)(struct channel *c);
    bool fifo;
    double ns[ROUNDS];
} rows[ROWS] = {
    {"locked read-modify-write", run_rmw, false, {0}},
    {"eventfd write", run_eventfd, false, {0}},
    {"2-level: send, pending already", run_pending, false, {0}},
    {"2-level: send, masked", run_masked_twolevel, false, {0}},
    {"2-level: send, whole path", run_whole_twolevel, false, {0}},
    {"FIFO: send, pending already", run_pending, true, {0}},
    {"FIFO: send, masked", run_masked_fifo, true, {0}},
    {"FIFO: send, whole path", run_whole_fifo, true, {0}},
};

/* A row that measured something else than it says would be worse than none. */
static void check_rows(struct channel *twolevel, struct channel *fifo)
{
    uint64_t bit = UINT64_C(1) << twolevel->to_port;

    take_twolevel(twolevel);
    (void)evc_send(twolevel->from, twolevel->from_port);
    take_fifo(fifo);
    (void)evc_send(fifo->from, fifo->from_port);
    if (!(twolevel->to->page.evtchn_pending[0] & bit) ||
        !twolevel->to->page.vcpu_info[0].evtchn_upcall_pending ||
        !(fifo->to->words[fifo->to_port] & PENDING) ||
        !fifo->to->page.vcpu_info[0].evtchn_upcall_pending)
        check(-1, "the whole path did not raise an upcall");
}

/* ---- measuring ---------------------------------------------------------- */

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(struct row *row, struct channel *c, unsigned round)
{
    double start = now_ns();

    row->run(c);
    row->ns[round] = (now_ns() - start) / CALLS;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values)
{
    double sorted[ROUNDS];

    memcpy(sorted, values, sizeof(sorted));
    qsort(sorted, ROUNDS, sizeof(sorted[0]), compare);
    return sorted[ROUNDS / 2];
}

static double ratio(const struct row *row, const struct row *unit)
{
    double ratios[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++)
        ratios[i] = row->ns[i] / unit->ns[i];
    return median(ratios);
}

static void print(void)
{
    printf("first numbers, one thread, median of %u rounds of %u calls\n\n",
           ROUNDS, CALLS);
    printf("%-32s %8s %9s %10s\n", "", "ns", "/ RMW", "/ eventfd");
    for (unsigned i = 0; i < ROWS; i++)
        printf("%-32s %8.1f %9.2f %10.4f\n", rows[i].name, median(rows[i].ns),
               ratio(&rows[i], &rows[RMW]), ratio(&rows[i], &rows[EVENTFD]));
}

int main(void)
{
    static struct guest receiver[2], sender[2];
    static const struct evc_ops ops = {
        .size = sizeof(ops), .map = map, .unmap = unmap};
    struct evc_engine *engine[2];
    struct channel channel[2];

    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(bell < 0 ? -1 : 0, "eventfd");
    for (unsigned fifo = 0; fifo < 2; fifo++) {
        check(evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine[fifo]),
              "engine");
        add(engine[fifo], 1, &receiver[fifo]);
        add(engine[fifo], 2, &sender[fifo]);
        if (fifo)
            go_fifo(&receiver[fifo]);
        channel[fifo] = connect(&receiver[fifo], &sender[fifo]);
    }
    check_rows(&channel[0], &channel[1]);

    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < ROWS; i++)
            measure(&rows[i], &channel[rows[i].fifo], round);
    print();

    evc_engine_destroy(engine[0]);
    evc_engine_destroy(engine[1]);
    close(bell);
    return 0;
}
