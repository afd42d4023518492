/* SPDX-License-Identifier: MIT */
/*
 * Model: a channel between two handles, with the daemon's part in waking.
 *
 * One thread notifies; the other waits as programs do, by poll and pending or by
 * pending alone, and unmasks.  Who rings does the daemon's work as well, under a
 * lock.  A copy's number says which of the stories below it is; the two meet at
 * the beginning of each, for one that has slept is behind the other.
 *
 * Property: no event is slept over (the model would hang, and then says so), two
 *           are not made one before the first is taken, the n-th comes with the
 *           payload of the n-th, and in the end the descriptor is readable if
 *           and only if something waits.
 * Bounds:   2 threads, 1 channel, 8 events.
 * Rows:     H1/R2, H1/R3, H2/R1, H3/R4, R4/O2, R5/O1.
 *
 * Not for a model checker as it is: the kernel has a part in it.
 */
#define COPIES 24u
#include "model.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "send.c"
#include "take.c"
#include "wake.c"

#define PORT 5u

static const struct story {
    int events;
    bool polls;  /* else it is in pending() when they come, or goes there */
    bool masked; /* at first, and unmasked as they come */
    bool news;   /* the summary says so already: left by one taken by unmask */
} stories[] = {
    {.events = 1, .polls = true},
    {.events = 1, .polls = true, .masked = true},
    {.events = 8, .polls = true},
    {.events = 1},
    {.events = 2},
    {.events = 1, .news = true},
};
#define STORIES (sizeof(stories) / sizeof(stories[0]))
#define EVENTS  8

struct copy {
    struct evc_owner owner[2]; /* 0 sends, 1 receives */
    struct evc_client client[2];
    struct evc_shared shared, *place[2];
    struct evc_region *region; /* the second page of `regions`, place 1 */
    uint8_t *regions;
    evc_a32 mapped[2];
    const struct story *story;
    int payload[EVENTS]; /* plain: the events order it */
    _Atomic int sent;
    _Atomic unsigned here;
};

static struct copy all[COPIES];
static pthread_mutex_t daemon_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what the layers below would do ------------------------------------- */

void evc_client_lock(struct evc_client *client)
{
    pthread_mutex_lock(&client->home->lock);
}

void evc_client_unlock(struct evc_client *client)
{
    pthread_mutex_unlock(&client->home->lock);
}

struct evc_region *evc_client_region(struct evc_client *client, uint32_t place,
                                     uint32_t id)
{
    struct copy *c = &all[client->id];

    (void)id;
    return place == 0 ? &client->home->own : c->region;
}

struct evc_region *evc_region_of(const struct evc_end *end)
{
    return end->shared->region;
}

int evc_client_connect(bool start)
{
    (void)start;
    return 0;
}

int evc_client_call(struct evc_client *client, struct evc_wire_request *q,
                    struct evc_wire_reply *reply)
{
    struct copy *c = client != NULL ? &all[client->id] : NULL;

    (void)reply;
    pthread_mutex_lock(&daemon_lock);
    if (q->op == EVC_WIRE_KICK)
        evc_wake_kick(&c->owner[0], q->a, q->b, q->c);
    else if (q->op == EVC_WIRE_RAISE)
        evc_wake_raise(&c->owner[1]);
    pthread_mutex_unlock(&daemon_lock);
    return 0;
}

/* ---- the world ---------------------------------------------------------- */

static void *memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert(p != MAP_FAILED);
    return p;
}

static void create(struct copy *c, unsigned i)
{
    c->regions = memory(2 * EVC_PAGE);
    c->region = (void *)(c->regions + EVC_PAGE);
    evc_a32_store_rlx(&c->mapped[1], 1);
    c->shared.region = c->region;
    c->shared.used = 1;
    for (unsigned side = 0; side < 2; side++) {
        struct evc_home *home = memory(sizeof(*home));
        int pair[2];

        assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        pthread_mutex_init(&home->lock, NULL);
        evc_a32_store_rlx(&home->places, 2);
        evc_a32_store_rlx(&home->place[1].id, 1);
        evc_a32_store_rlx(&home->place[1].side, side);
        evc_a32_store_rlx(&home->place[1].port[0], PORT);
        evc_a64_store_rlx(
            &home->entry[PORT],
            evc_entry(EVC_ENTRY_OPEN | EVC_ENTRY_CONNECTED | EVC_ENTRY_SLOT, 1,
                      0, side));
        c->place[side] = &c->shared;
        c->owner[side] = (struct evc_owner){
            .home = home, .fd = pair[0], .place = c->place, .places = 2};
        c->client[side] = (struct evc_client){.home = home,
                                              .fd = pair[1],
                                              .id = i,
                                              .regions = c->regions,
                                              .mapped = c->mapped};
        c->shared.owner[side] = &c->owner[side];
        c->shared.place[side] = 1;
        c->shared.port[0][side] = PORT;
    }
    c->place[0] = c->place[1] = &c->shared;
}

static void setup(unsigned i)
{
    struct copy *c = &all[i];

    if (c->region == NULL)
        create(c, i);
    c->story = &stories[i % STORIES];
    empty_descriptor(&c->client[1]);
    evc_a8_store_rlx(&c->client[1].home->masked[PORT], c->story->masked);
    evc_a32_store_rlx(&c->region->way[0][1].word,
                      c->story->masked ? EVC_WAY_MASKED : 0);
    evc_a64_store_rlx(&c->region->side[1].summary, c->story->news);
    evc_a32_store_rlx(&c->region->side[1].rung, 0);
    next_bell(&c->region->side[1], EVC_SIDE_ARMED);
    evc_a32_store_rlx(&c->client[1].spin, 0);
    c->client[1].waits = 1; /* it does not try whether spinning pays */
    memset(c->payload, 0, sizeof(c->payload));
    c->sent = 0;
    c->here = 0;
    if (i == 0)
        alarm(60);
}

/* ---- the two of them ---------------------------------------------------- */

/* Both run now, however long the last copy has kept one of them. */
static void meet(struct copy *c)
{
    (void)atomic_fetch_add(&c->here, 1);
    for (unsigned i = 1; atomic_load(&c->here) < 2; i++)
        if (i % 1024 == 0)
            sched_yield();
}

/* From nothing to what the other one's longest way takes, all scales alike. */
static void dawdle(uint32_t *dice)
{
    uint32_t n;

    *dice = *dice * 1664525 + 1013904223;
    n = *dice >> 8 & ((1u << (*dice >> 28)) - 1);
    for (; n > 0; n--)
        atomic_signal_fence(memory_order_seq_cst);
}

static void sender(unsigned i)
{
    static uint32_t dice = 1;
    struct copy *c = &all[i];

    meet(c);
    for (int n = 0; n < c->story->events; n++) {
        dawdle(&dice);
        c->payload[n] = n + 1;
        atomic_store_explicit(&c->sent, n + 1, memory_order_relaxed);
        assert(evc_client_notify(&c->client[0], PORT) == 0);
    }
}

static void sleep_in_poll(const struct evc_client *client)
{
    struct pollfd p = {.fd = client->fd, .events = POLLIN};

    while (poll(&p, 1, -1) != 1)
        ;
}

/* More than two that come together may be two; the last is not slept over. */
static bool has_all(struct copy *c, int taken)
{
    int events = c->story->events;

    return taken == events ||
           (events > 2 &&
            atomic_load_explicit(&c->sent, memory_order_relaxed) == events);
}

static void receiver(unsigned i)
{
    static uint32_t dice = 2;
    struct copy *c = &all[i];
    struct evc_client *client = &c->client[1];

    meet(c);
    dawdle(&dice);
    if (c->story->masked)
        assert(evc_client_unmask(client, PORT) == 0);
    for (int taken = 0; !has_all(c, taken); taken++) {
        if (c->story->polls)
            sleep_in_poll(client);
        assert(evc_client_pending(client) == PORT);
        assert(c->payload[taken] == taken + 1);
        assert(evc_client_unmask(client, PORT) == 0);
    }
}

static void check(unsigned i)
{
    struct copy *c = &all[i];
    struct pollfd p = {.fd = c->client[1].fd, .events = POLLIN};
    bool waits = !is_empty(c->client[1].home) ||
                 (evc_a32_load_sc(&c->region->way[0][1].word) & EVC_WAY_COUNT);

    assert(poll(&p, 1, 0) == waits);
    if (waits) /* what two events may leave: one, and it can be taken */
        assert(evc_client_pending(&c->client[1]) == PORT);
    assert(poll(&p, 1, 0) == 0 || !is_empty(c->client[1].home));
    evc_client_unmask(&c->client[1], PORT);
    while (!is_empty(c->client[1].home))
        assert(evc_client_pending(&c->client[1]) == PORT);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {receiver}};

    model_run(setup, threads, 2, check);
    alarm(0);
    return 0;
}
