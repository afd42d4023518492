/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out: every allocation of every operation is made to fail in
 * turn.  The operation then answers so, has changed nothing, and works when it
 * is tried again; and nothing is ever lost.
 *
 * libevc is linked statically and its allocations are redirected by the linker
 * (--wrap), so this works under sanitizers too.  Only the thread under test
 * fails: the engine's own thread has no countdown.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define CHECK(condition)                 \
    do {                                 \
        if (!(condition))                \
            fault(#condition, __LINE__); \
    } while (0)

static const char *now; /* what is being tried */
static int nth;         /* which allocation fails */
static unsigned faults;

static void fault(const char *condition, int line)
{
    printf("FAILED: %s, allocation %d: %s (line %d)\n", now, nth, condition,
           line);
    faults++;
}

/* ---- allocations ----------------------------------------------------------------- */

static _Thread_local int countdown = -1; /* -1: all is well */
static _Thread_local bool failed;
static _Atomic long live; /* blocks that libevc holds */

static bool fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
int __real_eventfd(unsigned initial, int flags);
int __real_pipe(int fds[2]);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);
int __wrap_eventfd(unsigned initial, int flags);
int __wrap_pipe(int fds[2]);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg);

static void *counted(void *block)
{
    if (block != NULL)
        live++;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    return block == NULL ? counted(__real_realloc(NULL, size))
                         : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *block)
{
    if (block != NULL)
        live--;
    __real_free(block);
}

int __wrap_eventfd(unsigned initial, int flags)
{
    if (!fails())
        return __real_eventfd(initial, flags);
    errno = EMFILE;
    return -1;
}

int __wrap_pipe(int fds[2])
{
    if (!fails())
        return __real_pipe(fds);
    errno = EMFILE;
    return -1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg)
{
    return fails() ? EAGAIN : __real_pthread_create(thread, attr, start, arg);
}

/* ---- the whole state of a world ------------------------------------------------------ */

struct picture {
    uint8_t memory[GUESTS][FRAMES * PAGE];
    struct evc_domain_info info[GUESTS];
    struct evc_port_info port[GUESTS][4300];
    unsigned kicks[GUESTS];
    int mapped[GUESTS];
    int domains;
};

/* Member by member: what lies between them is anything. */
static void paint_domain(struct evc_domain_info *to, struct evc_domain *dom)
{
    struct evc_domain_info from;

    evc_domain_info(dom, &from);
#define COPY(member) to->member = from.member
    COPY(id), COPY(layout), COPY(vcpus), COPY(max_port), COPY(valid_ports);
    COPY(open_ports), COPY(paused), COPY(privileged), COPY(dying);
    COPY(shut_down), COPY(fifo), COPY(shutdown_reason), COPY(fifo_pages);
}

static void paint_port(struct evc_port_info *to, struct evc_domain *dom,
                       uint32_t port)
{
    struct evc_port_info from;

    if (evc_port_info(dom, port, &from) < 0)
        return;
    COPY(port), COPY(status), COPY(vcpu), COPY(priority), COPY(remote_domain);
    COPY(remote_port), COPY(irq), COPY(host_consumer), COPY(pending);
    COPY(masked), COPY(linked), COPY(saved);
#undef COPY
}

static void paint_guest(struct picture *p, struct guest *g, unsigned i)
{
    memcpy(p->memory[i], g->memory, FRAMES * PAGE);
    p->mapped[i] = g->mapped;
    if (g->dom == NULL)
        return;
    paint_domain(&p->info[i], g->dom);
    for (uint32_t port = 0; port < 4300; port++)
        paint_port(&p->port[i][port], g->dom, port);
    for (unsigned v = 0; v < VCPUS_SEEN; v++)
        p->kicks[i] += g->kicks[v];
}

static void paint(struct picture *p, struct world *w)
{
    memset(p, 0, sizeof(*p));
    for (unsigned i = 0; i < w->guests; i++)
        paint_guest(p, &w->guest[i], i);
    for (int id = -1; (id = evc_domain_next(w->engine, id)) >= 0;)
        p->domains++;
}

static bool same(const struct picture *a, const struct picture *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static struct picture before, after;

/* ---- the cast: three guests and what they have open ------------------------------------ */

static struct {
    struct world *w;
    struct channel old; /* d1 and d2 */
    uint32_t ipi;       /* d1's */
    uint32_t offered;   /* d1's, to d0 */
    struct evc_host *host;
} cast;

static void set_up(bool real_clock)
{
    struct world *w =
        world_create((struct world_config){.real_clock = real_clock});

    memset(&cast, 0, sizeof(cast));
    cast.w = w;
    w->d0 = guest_create(
        w, (struct guest_config){.id = 0, .flags = EVC_DOMAIN_PRIVILEGED});
    w->d1 = guest_create(w, (struct guest_config){.id = 1});
    w->d2 = guest_create(w, (struct guest_config){.id = 2});
    cast.old = join_guests(w->d1, w->d2);
    cast.ipi = (uint32_t)bind_ipi(w->d1, 0);
    cast.offered = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);
}

static void old_ports_work(void)
{
    struct world *w = cast.w;

    if (w->d1->dom == NULL)
        return;
    (void)take(w->d1, 0);
    (void)take(w->d2, 0);
    CHECK(send_port(w->d1, cast.ipi) == 0);
    CHECK(take(w->d1, 0).port[0] == cast.ipi);
    CHECK(send_port(w->d2, cast.old.b) == 0);
    CHECK(take(w->d1, 0).port[0] == cast.old.a);
    CHECK(send_port(w->d1, cast.old.a) == 0);
    CHECK(take(w->d2, 0).port[0] == cast.old.b);
}

/* ---- before the attempt ----------------------------------------------------------------- */

static void nothing(void)
{
}

static void to_fifo(void)
{
    enter_fifo(cast.w->d1, 2);
    CHECK(grow(cast.w->d1) == 0);
}

/* The next port is the first of a new bucket; or of a new shelf. */
static void fill_bucket(void)
{
    while (bind_ipi(cast.w->d1, 0) != 63)
        ;
}

static void fill_bucket_of_d0(void)
{
    while (bind_ipi(cast.w->d0, 0) != 63)
        ;
}

static void fill_shelf(void)
{
    enter_fifo(cast.w->d1, 2);
    for (int i = 0; i < 5; i++)
        CHECK(grow(cast.w->d1) == 0);
    while (bind_ipi(cast.w->d1, 0) != 4095)
        ;
}

static void offer_to_d1(void)
{
    fill_bucket();
    cast.offered = (uint32_t)alloc_unbound(cast.w->d2, DOMID_SELF, 1);
}

/* Sixteen is the first size of the heap. */
static void sixteen_timers(void)
{
    const uint64_t period = 1000000000;

    for (unsigned v = 0; v < 4; v++) {
        (void)hypercall(cast.w->d0, v, 15, 1000000, 0, 0);
        (void)hypercall(cast.w->d1, v, 15, 1000000, 0, 0);
        (void)hypercall(cast.w->d2, v, 15, 1000000, 0, 0);
        put(cast.w->d2, SCRATCH, &period, sizeof(period));
        (void)hypercall(cast.w->d2, 0, 24, 6, v, SCRATCH);
    }
    put(cast.w->d1, SCRATCH, &period, sizeof(period));
}

/* ---- attempts --------------------------------------------------------------------------- */

static int try_alloc_unbound(void)
{
    return alloc_unbound(cast.w->d1, DOMID_SELF, 2);
}

static int try_alloc_for_another(void)
{
    return alloc_unbound(cast.w->d0, 1, 2);
}

static int try_bind_interdomain(void)
{
    return bind_interdomain(cast.w->d1, 2, cast.offered);
}

static int try_bind_ipi(void)
{
    return bind_ipi(cast.w->d1, 1);
}

static int try_bind_virq(void)
{
    return bind_virq(cast.w->d1, VIRQ_DEBUG, 1);
}

static int try_bind_pirq(void)
{
    int r = bind_pirq(cast.w->d0, 3, 0);

    CHECK(cast.w->d0->pirq[3].bound == (r > 0));
    return r;
}

static int try_bind_static(void)
{
    return evc_bind_static(cast.w->d1->dom, 1000, 2);
}

static int try_listen(void)
{
    return evc_host_listen(cast.w->d1->dom, 0, 2, NULL, NULL, &cast.host);
}

static int try_connect(void)
{
    return evc_host_connect(cast.w->d1->dom, cast.offered, 0, NULL, NULL,
                            &cast.host);
}

static void connected(void)
{
    CHECK(try_connect() == 0);
}

static int try_host_fd(void)
{
    return evc_host_fd(cast.host);
}

/* And a descriptor that was given out is read. */
static int try_send_fd(void)
{
    const uint64_t one = 1;
    int fd = evc_host_send_fd(cast.host);

    if (fd < 0)
        return fd;
    countdown = -1;
    CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
    for (int i = 0; i < 5000 && !is_pending(cast.w->d1, cast.offered); i++)
        usleep(1000);
    CHECK(is_pending(cast.w->d1, cast.offered));
    return 0;
}

static int try_init_first(void)
{
    int r = init_control(cast.w->d1, BLOCK_FRAME, 0, 0);

    return r < 0 ? r : grow(cast.w->d1);
}

static int try_init_second(void)
{
    return init_control(cast.w->d1, BLOCK_FRAME, 3 * 128, 3);
}

static int try_expand(void)
{
    return grow(cast.w->d1);
}

static int try_reset(void)
{
    int r = reset(cast.w->d1, DOMID_SELF);

    if (r == 0) { /* all is gone: new ones for the last check */
        forget_fifo(cast.w->d1);
        cast.old.a = (uint32_t)bind_interdomain(cast.w->d1, 2, cast.old.b);
        cast.ipi = (uint32_t)bind_ipi(cast.w->d1, 0);
    }
    return r;
}

static int try_layout(void)
{
    return evc_domain_set_layout(cast.w->d2->dom, EVC_LAYOUT_X86_64);
}

static int try_counting(void)
{
    return evc_counting(cast.w->d1->dom, true);
}

static void counting(void)
{
    CHECK(try_counting() == 0);
}

static int try_set_timer(void)
{
    return (int)hypercall(cast.w->d1, 0, 15, UINT64_MAX / 2, 0, 0);
}

static int try_17th_timer(void)
{
    return (int)hypercall(cast.w->d1, 0, 24, 6, 0, SCRATCH);
}

static int try_create(void)
{
    static struct guest extra;
    struct evc_domain_config config;

    extra.world = cast.w;
    extra.memory = cast.w->d0->memory + PAGE; /* any page */
    config = guest_domain_config(
        &extra, (struct guest_config){.id = 9, .layout = EVC_LAYOUT_ARM});
    return evc_domain_create(cast.w->engine, &config, &extra.dom);
}

/* d1 once more, as domain 9, in a page of its own. */
static uint8_t saved[8192];
static int saved_size;

static void save_it(void)
{
    const uint16_t id = 9;

    to_fifo();
    (void)hypercall(cast.w->d1, 0, 15, UINT64_MAX / 2, 0, 0);
    saved_size = evc_domain_save(cast.w->d1->dom, saved, sizeof(saved));
    CHECK(saved_size > 0);
    memcpy(saved + 8, &id, sizeof(id));
}

static int try_restore(void)
{
    static struct guest extra;
    struct evc_domain_config config;
    int r;

    extra.world = cast.w;
    extra.memory = cast.w->d0->memory;
    config = guest_domain_config(&extra, (struct guest_config){.id = 9});
    r = evc_domain_restore(cast.w->engine, &config, saved, (size_t)saved_size,
                           &extra.dom);
    CHECK(r == 0 || extra.mapped == 0);
    return r;
}

/* ---- what must work without memory --------------------------------------------------------- */

static int try_save(void)
{
    return evc_domain_save(cast.w->d1->dom, saved, sizeof(saved));
}

static int send_counted(void)
{
    struct evc_counts counts;

    CHECK(send_port(cast.w->d2, cast.old.b) == 0);
    CHECK(evc_port_counts(cast.w->d1->dom, cast.old.a, &counts) == 0);
    CHECK(counts.sent == 1);
    return 0;
}

static int close_counted(void)
{
    CHECK(close_port(cast.w->d1, cast.old.a) == 0);
    cast.old.a = (uint32_t)bind_interdomain(cast.w->d1, 2, cast.old.b);
    return 0;
}

static void host_in_fifo(void)
{
    to_fifo();
    connected();
    counting();
}

static int destroy(void)
{
    evc_domain_kill(cast.w->d1->dom);
    guest_destroy(cast.w->d1);
    CHECK(cast.w->d1->mapped == 0);
    return 0;
}

static int host_close(void)
{
    evc_host_close(cast.host);
    return 0;
}

static int everyday(void)
{
    struct evtchn_status answer;

    CHECK(send_port(cast.w->d1, cast.ipi) == 0);
    CHECK(unmask_port(cast.w->d1, cast.ipi) == 0);
    CHECK(bind_vcpu(cast.w->d1, cast.old.a, 1) == 0);
    CHECK(bind_vcpu(cast.w->d1, cast.old.a, 0) == 0);
    CHECK(set_priority(cast.w->d1, cast.ipi, 3) == 0);
    CHECK(status(cast.w->d1, DOMID_SELF, 1, &answer) == 0);
    return 0;
}

/* ---- trying ------------------------------------------------------------------------------------- */

struct attempt {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    bool own_thread;  /* real clock, the engine's own timer thread */
    bool cannot_fail; /* works without memory */
    bool partly;      /* a failure may have done some of the work */
    bool may_grow;    /* a failure may leave more closed ports than before */
};

static bool is_documented(int r)
{
    return r == -ENOMEM || r == -EMFILE;
}

/* A port that is closed now, and was beyond the table before. */
static void forget_growth(void)
{
    uint32_t valid = before.info[1].valid_ports;

    after.info[1].valid_ports = valid;
    memset(&after.port[1][valid], 0, (4300 - valid) * sizeof(after.port[1][0]));
}

/* It failed: has it changed anything, and does it work the second time? */
static void look_after_failure(const struct attempt *a, int r)
{
    CHECK(is_documented(r));
    if (!a->partly) {
        paint(&after, cast.w);
        if (a->may_grow)
            forget_growth();
        CHECK(same(&before, &after));
        old_ports_work();
    }
    CHECK(a->run() >= 0);
}

/* Its nth allocation fails. False: it has not so many. */
static bool attempt(const struct attempt *a)
{
    long at_start = live;
    bool reached;
    int r;

    set_up(a->own_thread);
    a->prepare();
    paint(&before, cast.w);
    failed = false;
    countdown = nth;
    r = a->run();
    countdown = -1;
    reached = failed;

    if (a->cannot_fail || !reached)
        CHECK(r >= 0);
    else if (r < 0)
        look_after_failure(a, r);
    else
        fault("an allocation failed and nobody noticed", __LINE__);
    old_ports_work();
    CHECK(world_destroy(cast.w));
    CHECK(live == at_start);
    return reached;
}

#define MUST(what, before_it, it)                     \
    {                                                 \
        .name = what, .prepare = before_it, .run = it \
    }
#define CAN(what, before_it, it)                                           \
    {                                                                      \
        .name = what, .prepare = before_it, .run = it, .cannot_fail = true \
    }

static const struct attempt attempts[] = {
    MUST("alloc_unbound", fill_bucket, try_alloc_unbound),
    MUST("alloc_unbound beyond a shelf", fill_shelf, try_alloc_unbound),
    MUST("alloc_unbound for another", fill_bucket, try_alloc_for_another),
    MUST("bind_interdomain", offer_to_d1, try_bind_interdomain),
    MUST("bind_ipi", fill_bucket, try_bind_ipi),
    MUST("bind_virq", fill_bucket, try_bind_virq),
    MUST("bind_pirq", fill_bucket_of_d0, try_bind_pirq),
    MUST("static port", nothing, try_bind_static),
    {.name = "listen",
     .prepare = fill_bucket,
     .run = try_listen,
     .may_grow = true},
    MUST("connect", nothing, try_connect),
    MUST("host fd", connected, try_host_fd),
    {.name = "send fd",
     .prepare = connected,
     .run = try_send_fd,
     .own_thread = true},
    MUST("first init_control", nothing, try_init_first),
    MUST("second init_control", to_fifo, try_init_second),
    MUST("expand_array", to_fifo, try_expand),
    MUST("reset", to_fifo, try_reset),
    MUST("set_layout", nothing, try_layout),
    MUST("counting", fill_bucket, try_counting),
    MUST("first timer", nothing, try_set_timer),
    {.name = "first timer, own thread",
     .prepare = nothing,
     .run = try_set_timer,
     .own_thread = true},
    MUST("17th timer", sixteen_timers, try_17th_timer),
    MUST("domain_create", nothing, try_create),
    MUST("domain_restore", save_it, try_restore),
    CAN("domain_save", to_fifo, try_save),
    CAN("send while counting", counting, send_counted),
    CAN("close while counting", counting, close_counted),
    CAN("destroy", host_in_fifo, destroy),
    CAN("host close", host_in_fifo, host_close),
    CAN("everyday operations", to_fifo, everyday),
};

static void engine_create(void)
{
    struct evc_engine *engine = NULL;
    long at_start = live;
    int r = -ENOMEM;

    now = "engine_create";
    for (nth = 0; r < 0 && nth < 10; nth++) {
        countdown = nth;
        r = evc_engine_create(NULL, NULL, EVC_COMPAT_DEFAULT, &engine);
        countdown = -1;
        CHECK(r == 0 || r == -ENOMEM);
        CHECK(r == 0 || live == at_start);
    }
    CHECK(r == 0);
    evc_engine_destroy(engine);
    CHECK(live == at_start);
}

/* An end that could not be opened must not wait for the engine to be freed. */
static void listen_in_vain(void)
{
    long at_start;

    now = "listen, ten times in vain";
    set_up(false);
    at_start = live;
    for (nth = 0; nth < 10; nth++) {
        countdown = 1; /* the end itself is there, its place is not */
        CHECK(try_listen() == -ENOMEM);
        countdown = -1;
        CHECK(live == at_start);
    }
    CHECK(world_destroy(cast.w));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(110);
    engine_create();
    listen_in_vain();
    for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        now = attempts[i].name;
        nth = 0;
        while (attempt(&attempts[i]) && nth < 100)
            nth++;
        printf("%s: %d\n", now, nth);
    }
    return faults != 0;
}
