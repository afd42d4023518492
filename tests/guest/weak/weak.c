/* SPDX-License-Identifier: MIT */
/* The machine of weak.h.  Threads are coroutines: one runs at a time. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "weak.h"

#define THREADS 4u
#define WORDS   160u /* locations, of which the first are the threads' clocks */
#define VALUES  96u  /* of one location */
#define STACK   65536u
#define STEPS   4000u /* of one execution: more is one that does not end */
#define PLAINS  128u

/* What a thread knows: of each location, the oldest value it may still see. */
struct view {
    uint16_t at[WORDS];
};

struct value {
    uint64_t v;
    struct view carried;
};

struct location {
    const void *address;
    unsigned size, values;
    uint16_t last_sc; /* the last seq_cst write */
    struct value value[VALUES];
};

/* A change that its thread has made, and memory not seen. */
struct late {
    struct location *of; /* NULL: there is none */
    enum weak_op op;
    uint64_t v, guess;
    bool blind; /* a store: whatever is there */
};

/* A plain variable: when each thread touched it last. */
struct plain {
    const void *address;
    uint16_t read[THREADS], written[THREADS];
};

static struct location *locations;
static unsigned used, plains_used;
static struct plain plains[PLAINS];
static const char *watched, *watched_end;
static struct view known[THREADS];
static struct late late[THREADS];
static ucontext_t context[THREADS], scheduler;
static char *stacks;
static bool alive[THREADS];
static weak_thread *const *bodies;
static int running = -1; /* -1: nobody, memory is as usual */
static uint64_t random_state;
static unsigned steps;
static const char *fault;
static bool given_up; /* a guess was wrong */

static unsigned draw(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % n;
}

/* ---- views ---------------------------------------------------------------------- */

static void join(struct view *to, const struct view *from)
{
    for (unsigned i = 0; i < used; i++)
        if (from->at[i] > to->at[i])
            to->at[i] = from->at[i];
}

static struct location *locate(const void *address, unsigned size)
{
    struct location *l;

    for (unsigned i = THREADS; i < used; i++) {
        if (locations[i].address != address)
            continue;
        if (locations[i].size != size)
            abort(); /* one word, two widths */
        return &locations[i];
    }
    if (used == WORDS)
        abort();
    l = &locations[used++];
    l->address = address;
    l->size = size;
    l->values = 1;
    l->last_sc = 0;
    l->value[0].v = 0;
    memcpy(&l->value[0].v, address, size);
    memset(&l->value[0].carried, 0, sizeof(l->value[0].carried));
    return l;
}

static bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

/* ---- scheduling -------------------------------------------------------------------- */

static void leave(void)
{
    int me = running;

    running = -1;
    swapcontext(&context[me], &scheduler);
}

/* Before each access; three times in four the same thread goes on. */
static void step(void)
{
    if (++steps > STEPS && !fault)
        fault = "does not end";
    if (fault || given_up || draw(4) == 0)
        leave();
}

void weak_pause(void)
{
    if (running >= 0)
        leave();
}

void weak_fail(const char *what)
{
    if (!fault)
        fault = what;
    if (running >= 0)
        leave();
}

/* ---- accesses ----------------------------------------------------------------------- */

static uint64_t direct_load(const void *at, unsigned size)
{
    uint64_t v = 0;

    memcpy(&v, at, size);
    return v;
}

static void append(struct location *l, uint64_t v, int order,
                   const struct view *carried)
{
    unsigned i = l->values++, me = (unsigned)running;

    if (i + 1 == VALUES)
        abort();
    known[me].at[l - locations] = (uint16_t)i;
    known[me].at[me]++; /* its clock */
    l->value[i].v = v;
    if (carried)
        l->value[i].carried = *carried;
    else
        memset(&l->value[i].carried, 0, sizeof(struct view));
    l->value[i].carried.at[l - locations] = (uint16_t)i;
    if (releases(order))
        join(&l->value[i].carried, &known[me]);
    if (order == __ATOMIC_SEQ_CST)
        l->last_sc = (uint16_t)i;
}

static uint64_t apply(enum weak_op op, uint64_t old, uint64_t v)
{
    switch (op) {
    case WEAK_OR:
        return old | v;
    case WEAK_AND:
        return old & v;
    case WEAK_ADD:
        return old + v;
    case WEAK_SUB:
        return old - v;
    default:
        return v;
    }
}

static uint64_t cut(uint64_t v, unsigned size)
{
    return size == 8 ? v : v & ((UINT64_C(1) << size * 8) - 1);
}

/* The newest value, read and replaced. */
static uint64_t replace(struct location *l, uint64_t v, int order)
{
    struct value *last = &l->value[l->values - 1];

    if (acquires(order))
        join(&known[running], &last->carried);
    append(l, cut(v, l->size), order, &last->carried);
    return last->v;
}

static void do_late(void)
{
    struct late *l = &late[running];
    struct location *of = l->of;

    l->of = NULL;
    if (l->blind) {
        append(of, l->v, __ATOMIC_RELAXED, NULL);
        return;
    }
    if (of->value[of->values - 1].v != l->guess) {
        given_up = true;
        leave();
    }
    (void)replace(of, apply(l->op, l->guess, l->v), __ATOMIC_RELAXED);
}

static bool may_be_late(int order)
{
    return order == __ATOMIC_RELAXED && !late[running].of && draw(4) == 0;
}

/* Before an access of its thread: must, or may, the late one happen first? */
static void catch_up(const struct location *l, int order)
{
    if (late[running].of && (late[running].of == l || releases(order) ||
                             order == __ATOMIC_SEQ_CST || draw(8) == 0))
        do_late();
}

uint64_t weak_load(const void *at, unsigned size, int order)
{
    struct location *l;
    unsigned oldest, i;

    if (running < 0)
        return direct_load(at, size);
    step();
    l = locate(at, size);
    catch_up(l, order);
    oldest = known[running].at[l - locations];
    if (order == __ATOMIC_SEQ_CST && l->last_sc > oldest)
        oldest = l->last_sc;
    i = draw(2) ? l->values - 1 : oldest + draw(l->values - oldest);
    known[running].at[l - locations] = (uint16_t)i;
    if (acquires(order))
        join(&known[running], &l->value[i].carried);
    return l->value[i].v;
}

void weak_store(void *at, unsigned size, uint64_t v, int order)
{
    struct location *l;

    if (running < 0) {
        memcpy(at, &v, size);
        return;
    }
    step();
    l = locate(at, size);
    catch_up(l, order);
    if (may_be_late(order))
        late[running] = (struct late){.of = l, .v = v, .blind = true};
    else
        append(l, v, order, NULL);
}

uint64_t weak_rmw(void *at, unsigned size, enum weak_op op, uint64_t v,
                  int order)
{
    struct location *l;
    uint64_t old;

    if (running < 0) {
        old = direct_load(at, size);
        v = apply(op, old, v);
        memcpy(at, &v, size);
        return old;
    }
    step();
    l = locate(at, size);
    catch_up(l, order);
    old = l->value[l->values - 1].v;
    if (!may_be_late(order))
        return replace(l, apply(op, old, v), order);
    late[running] = (struct late){l, op, v, old, false};
    return old;
}

int weak_cas(void *at, unsigned size, uint64_t *expected, uint64_t v, int order)
{
    struct location *l;
    uint64_t old;

    if (running < 0) {
        old = direct_load(at, size);
        if (old == *expected)
            memcpy(at, &v, size);
    } else {
        step();
        l = locate(at, size);
        catch_up(l, order);
        old = l->value[l->values - 1].v;
        if (old == *expected)
            (void)replace(l, v, order);
        else /* a failed one is a relaxed load */
            known[running].at[l - locations] = (uint16_t)(l->values - 1);
    }
    if (old == *expected)
        return 1;
    *expected = old;
    return 0;
}

/* ---- plain variables ----------------------------------------------------------------- */

static struct plain *plain_at(const void *address)
{
    for (unsigned i = 0; i < plains_used; i++)
        if (plains[i].address == address)
            return &plains[i];
    if (plains_used == PLAINS)
        abort();
    memset(&plains[plains_used], 0, sizeof(plains[0]));
    plains[plains_used].address = address;
    return &plains[plains_used++];
}

/* Does this thread know of all that? */
static bool follows(const uint16_t *when)
{
    for (unsigned t = 0; t < THREADS; t++)
        if ((int)t != running && known[running].at[t] < when[t])
            return false;
    return true;
}

/* Its clock goes on: what it has released so far does not include this. */
static uint16_t tick(void)
{
    return ++known[running].at[running];
}

void weak_read(const void *at)
{
    struct plain *p;

    if (running < 0)
        return;
    step();
    p = plain_at(at);
    if (!follows(p->written))
        weak_fail("race: read of what another thread writes");
    p->read[running] = tick();
}

void weak_write(const void *at)
{
    struct plain *p;

    if (running < 0)
        return;
    step();
    p = plain_at(at);
    if (!follows(p->written) || !follows(p->read))
        weak_fail("race: write of what another thread uses");
    p->written[running] = tick();
}

void weak_watch(const void *at, unsigned size)
{
    watched = at;
    watched_end = watched + size;
}

static bool is_watched(const void *at)
{
    return (const char *)at >= watched && (const char *)at < watched_end;
}

/* What a compiler calls for the thread sanitizer. */
#define TOUCH(kind, size)                   \
    void __tsan_##kind##size(void *at);     \
    void __tsan_##kind##size(void *at)      \
    {                                       \
        if (running >= 0 && is_watched(at)) \
            weak_##kind(at);                \
    }
/* clang-format off */
TOUCH(read, 1) TOUCH(read, 2) TOUCH(read, 4) TOUCH(read, 8)
TOUCH(write, 1) TOUCH(write, 2) TOUCH(write, 4) TOUCH(write, 8)
void __tsan_init(void);
void __tsan_init(void) { }
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) { }
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order) { (void)order; }
/* clang-format on */

/* ---- executions ------------------------------------------------------------------------ */

static void begin(void)
{
    int me = running;

    bodies[me]();
    if (late[me].of)
        do_late();
    alive[me] = false;
    leave();
}

static void start(unsigned n)
{
    used = THREADS;
    plains_used = 0;
    steps = 0;
    fault = NULL;
    given_up = false;
    memset(late, 0, sizeof(late));
    memset(known, 0, sizeof(known));
    for (unsigned t = 0; t < n; t++) {
        getcontext(&context[t]);
        context[t].uc_stack.ss_sp = stacks + t * STACK;
        context[t].uc_stack.ss_size = STACK;
        context[t].uc_link = NULL;
        makecontext(&context[t], begin, 0);
        alive[t] = true;
    }
}

/* True: a thread went on. */
static bool schedule(unsigned n)
{
    unsigned first = draw(n);

    for (unsigned i = 0; i < n; i++) {
        unsigned t = (first + i) % n;

        if (!alive[t])
            continue;
        running = (int)t;
        swapcontext(&scheduler, &context[t]);
        return true;
    }
    return false;
}

/* Every word gets its newest value. */
static void flush(void)
{
    for (unsigned i = THREADS; i < used; i++) {
        struct location *l = &locations[i];

        memcpy((void *)(uintptr_t)l->address, &l->value[l->values - 1].v,
               l->size);
    }
}

int weak_run(const char *name, unsigned times, void (*reset)(void),
             weak_thread *const *threads, unsigned n, void (*check)(void))
{
    if (!locations) {
        locations = calloc(WORDS, sizeof(*locations));
        stacks = malloc(THREADS * STACK);
    }
    bodies = threads;
    for (unsigned seed = 1; seed <= times; seed++) {
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
        reset();
        start(n);
        while (!fault && !given_up && schedule(n))
            ;
        if (!fault && !given_up) {
            flush();
            check();
        }
        if (fault) {
            printf("%s: %s (execution %u)\n", name, fault, seed);
            return 1;
        }
    }
    return 0;
}
