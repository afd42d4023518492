/* SPDX-License-Identifier: MIT */
/*
 * Pending and unmask: the receiver's half.
 *
 * Events of all peers are collected, in the order in which they were sent, into
 * the ring of the handle, and read from there; a port whose event is collected is
 * masked until it is unmasked.  All under the handle's lock, which processes that
 * have the same handle share; if one dies with it, the next goes on.
 *
 * The descriptor is readable while the ring is not empty, or something waits to
 * be collected.  So whoever takes the last event arms the bells of all regions,
 * lets the daemon finish if it is answering an earlier one, empties the
 * descriptor, and looks again:
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    R1 take summary   sc  H2 set summary      sc  an event is not looked for
 *    R2 take events    sc  H1 count event      sc  an event without its payload
 *    R3 clear masked   sc  H1                      both think the other does it
 *    R4 arm            sc  H3 look at bell     sc  sleeps over its event
 *    R4                    O2 look at bell     sc  (daemon/wake.c)
 *    R5 look at intent sc  O1 store intent     sc  readable with nothing there
 *
 * A bell that has been answered gets another number before its events are taken,
 * so that a ring that comes late is known for what it is.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TRIES      64u
#define FEW_PLACES 64u /* so many are all told when we are awake */

#define SPIN_MAX   50000u /* ns */
#define SPIN_MIN   1000u
#define SPIN_TRIAL 16u

/* ---- the ring ----------------------------------------------------------- */

static bool is_empty(struct evc_home *home)
{
    return evc_a32_load_rlx(&home->head) == evc_a32_load_rlx(&home->tail);
}

static bool is_full(struct evc_home *home)
{
    return evc_a32_load_rlx(&home->tail) >= EVC_SHARE_RING;
}

static void push(struct evc_home *home, uint32_t port, uint64_t when)
{
    uint32_t tail = evc_a32_load_rlx(&home->tail);

    if (tail >= EVC_SHARE_RING)
        return;
    home->ring[tail] = (struct evc_arrival){.when = when, .port = port};
    evc_a32_store_rel(&home->tail, tail + 1);
}

static uint32_t pop(struct evc_home *home)
{
    uint32_t head = evc_a32_load_rlx(&home->head);
    uint32_t port = home->ring[head % EVC_SHARE_RING].port;

    evc_a32_store_rel(&home->head, head + 1);
    if (head + 1 == evc_a32_load_rlx(&home->tail)) {
        evc_a32_store_rlx(&home->tail, 0);
        evc_a32_store_rlx(&home->head, 0);
    }
    return port;
}

static int by_time(const void *a, const void *b)
{
    const struct evc_arrival *x = a, *y = b;

    return x->when < y->when ? -1 : x->when > y->when;
}

/* What came together: nearly always in order already. */
static void sort(struct evc_home *home, uint32_t from)
{
    uint32_t to = evc_a32_load_rlx(&home->tail);

    for (uint32_t i = from + 1; i < to; i++)
        if (home->ring[i - 1].when > home->ring[i].when) {
            qsort(&home->ring[from], to - from, sizeof(home->ring[0]), by_time);
            return;
        }
}

/* ---- collecting --------------------------------------------------------- */

/* A masked port keeps its events; otherwise one is taken, and masks it. */
static void take(struct evc_home *home, struct evc_way *way, uint32_t port)
{
    uint32_t old = evc_a32_load_sc(&way->word), next;

    if ((old & EVC_WAY_COUNT) == 0)
        return;
    if (evc_a8_load_rlx(&home->masked[port]) != 0) {
        (void)evc_a32_set_sc(&way->word, EVC_WAY_MASKED);
        return;
    }
    push(home, port, evc_a64_load_rlx(&way->when));
    evc_a8_store_rlx(&home->masked[port], 1);
    for (unsigned i = 0; i < TRIES; i++) {
        next = EVC_WAY_MASKED | ((old & EVC_WAY_COUNT) > 1);
        if (evc_a32_cas_sc(&way->word, &old, next)) /* R2, pairs with H1 */
            return;
    }
    evc_a32_store_sc(&way->word, EVC_WAY_MASKED | 1);
}

/* Another bell than the last one: armed or not. */
static void next_bell(struct evc_side *side, uint32_t armed)
{
    uint32_t bell = evc_a32_load_rlx(&side->bell);

    bell = ((bell & ~EVC_SIDE_ARMED) + EVC_SIDE_NEXT) | armed;
    evc_a32_store_sc(&side->bell, bell); /* R4, pairs with H3 and O2 */
}

static void collect_region(struct evc_client *client, struct evc_place *place,
                           struct evc_region *region, uint32_t receive)
{
    struct evc_side *side = &region->side[receive];
    uint64_t bits;

    if (evc_a64_load_sc(&side->summary) == 0)
        return;
    if (evc_a32_load_rlx(&side->bell) & EVC_SIDE_ARMED)
        next_bell(side, 0);
    bits = evc_a64_clear_sc(&side->summary, UINT64_MAX); /* R1, with H2 */
    for (; bits != 0; bits &= bits - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(bits);
        uint32_t port = evc_a32_load_acq(&place->port[slot]);

        if (port != 0 && port < EVC_SHARE_PORTS)
            take(client->home, &region->way[slot][receive], port);
    }
}

/* The place's region and side, or NULL. */
static struct evc_region *region_at(struct evc_client *client, uint32_t i,
                                    uint32_t *side)
{
    struct evc_place *place = &client->home->place[i];
    uint32_t id = evc_a32_load_acq(&place->id);

    if (id == 0)
        return NULL;
    *side = evc_a32_load_rlx(&place->side) & 1;
    return evc_client_region(client, i, id);
}

static uint32_t places(struct evc_client *client)
{
    uint32_t n = evc_a32_load_acq(&client->home->places);

    return n < EVC_SHARE_PLACES ? n : EVC_SHARE_PLACES;
}

static void collect(struct evc_client *client)
{
    struct evc_home *home = client->home;
    uint32_t from = evc_a32_load_rlx(&home->tail), side;

    for (uint32_t i = 0; i < places(client) && !is_full(home); i++) {
        struct evc_region *region = region_at(client, i, &side);

        if (region != NULL)
            collect_region(client, &home->place[i], region, side);
    }
    sort(home, from);
}

/* Without the lock: is there anything to collect? */
static bool has_news(struct evc_client *client)
{
    uint32_t side;

    if (!is_empty(client->home))
        return true;
    for (uint32_t i = 0; i < places(client); i++) {
        struct evc_region *region = region_at(client, i, &side);

        if (region != NULL && evc_a64_load_sc(&region->side[side].summary) != 0)
            return true;
    }
    return false;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* ---- the descriptor ----------------------------------------------------- */

/* Was any other than that? */
static bool set_bells(struct evc_client *client, uint32_t armed)
{
    bool changed = false;
    uint32_t side;

    for (uint32_t i = 0; i < places(client); i++) {
        struct evc_region *region = region_at(client, i, &side);

        if (region == NULL || (evc_a32_load_rlx(&region->side[side].bell) &
                               EVC_SIDE_ARMED) == armed)
            continue;
        next_bell(&region->side[side], armed);
        changed = true;
    }
    return changed;
}

static bool is_lit(struct evc_client *client)
{
    char byte;

    return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void empty_descriptor(struct evc_client *client)
{
    char bytes[64];
    int saved = errno;

    (void)recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    errno = saved;
}

static int tell_daemon(struct evc_client *client, enum evc_wire_op op)
{
    struct evc_wire_request request = {.op = op};
    struct evc_wire_reply reply;

    return evc_client_call(op == EVC_WIRE_FLUSH ? NULL : client, &request,
                           &reply);
}

/* The ring is not empty any more, and perhaps nobody has said so. */
static int light(struct evc_client *client)
{
    return is_lit(client) ? 0 : tell_daemon(client, EVC_WIRE_RAISE);
}

void evc_client_collect(struct evc_client *client)
{
    bool was_empty;

    evc_client_lock(client);
    was_empty = is_empty(client->home);
    collect(client);
    if (was_empty && !is_empty(client->home))
        (void)light(client);
    evc_client_unlock(client);
}

/* R5, pairs with O1: until the daemon has answered the bell it is at, if any. */
static void await_daemon(struct evc_client *client)
{
    const evc_a32 *intent = &client->home->intent;

    /* It takes a few us, if it runs; else it is asked to have done. */
    for (unsigned i = 0; i < 1000 && evc_a32_load_sc(intent) & 1; i++)
        relax();
    if (evc_a32_load_sc(intent) & 1)
        (void)tell_daemon(client, EVC_WIRE_FLUSH);
}

/*
 * The ring is empty: the descriptor is not readable until the next event.  What
 * is written after arming is for an event that is collected here; so emptying
 * comes after all that is older, and throws away nothing that is needed.
 *
 * News that is no event (of a port that is masked, or taken already) disarms the
 * bell it came by, and all is looked at again.  An honest peer runs out of it.
 * With one that does not, the last turn arms its bell without another look: what
 * is missed then is its own, for no other bell has been disarmed.
 */
static int settle(struct evc_client *client)
{
    set_bells(client, EVC_SIDE_ARMED);
    for (unsigned i = 0; i < TRIES; i++) {
        await_daemon(client);
        empty_descriptor(client);
        collect(client); /* disarms where a summary has news, true or not */
        if (!is_empty(client->home))
            return light(client);
        if (!set_bells(client, EVC_SIDE_ARMED))
            break;
    }
    return 0;
}

/* ---- unmask ------------------------------------------------------------- */

/* Events that came while it was masked are one, delivered now. */
static void deliver_kept(struct evc_home *home, struct evc_region *region,
                         uint64_t entry, uint32_t port)
{
    uint32_t slot = evc_entry_slot(entry), side = evc_entry_side(entry);
    struct evc_way *way = &region->way[slot][side];
    /* R3, pairs with H1 */
    uint32_t old = evc_a32_clear_sc(&way->word, EVC_WAY_MASKED);

    if ((old & EVC_WAY_COUNT) == 0)
        return;
    if (is_full(home)) { /* it is collected when there is room */
        (void)evc_a64_set_sc(&region->side[side].summary, UINT64_C(1) << slot);
        return;
    }
    push(home, port, evc_client_clock());
    evc_a8_store_rlx(&home->masked[port], 1);
    old &= ~EVC_WAY_MASKED;
    if (!evc_a32_cas_sc(&way->word, &old, EVC_WAY_MASKED))
        evc_a32_store_sc(&way->word, EVC_WAY_MASKED | 1);
}

static void unmask(struct evc_client *client, uint32_t port, uint64_t entry)
{
    struct evc_home *home = client->home;
    uint32_t place = evc_entry_place(entry), side = evc_entry_side(entry);
    struct evc_region *region = NULL;
    struct evc_way *way;

    if (entry & EVC_ENTRY_SLOT)
        region = evc_client_region(client, place,
                                   evc_a32_load_acq(&home->place[place].id));
    if (region == NULL) {
        evc_a8_store_rlx(&home->masked[port], 0);
        return;
    }
    way = &region->way[evc_entry_slot(entry)][side];
    if (evc_a8_load_rlx(&home->masked[port]) == 0 &&
        evc_a32_load_sc(&way->word) & EVC_WAY_COUNT)
        collect(client); /* an event that waits unread arms the port again */
    evc_a8_store_rlx(&home->masked[port], 0);
    deliver_kept(home, region, entry, port);
}

int evc_client_unmask(struct evc_client *client, uint32_t port)
{
    bool was_empty;
    uint64_t entry;
    int r = 0;

    if (port >= EVC_SHARE_PORTS)
        return 0;
    evc_client_lock(client);
    entry = evc_a64_load_acq(&client->home->entry[port]);
    if (entry & EVC_ENTRY_OPEN) {
        was_empty = is_empty(client->home);
        unmask(client, port, entry);
        if (was_empty && !is_empty(client->home))
            r = light(client);
    }
    evc_client_unlock(client);
    return r;
}

/* ---- pending ------------------------------------------------------------ */

/* A port; 0: there is none, and the descriptor says so; or an error. */
static int take_one(struct evc_client *client)
{
    struct evc_home *home = client->home;
    bool fresh;
    int port, r;

    evc_client_lock(client);
    fresh = is_empty(home);
    if (fresh) {
        if (places(client) <= FEW_PLACES)
            set_bells(client, 0);
        collect(client);
    }
    port = is_empty(home) ? 0 : (int)pop(home);
    if (is_empty(home))
        r = settle(client);
    else
        r = fresh ? light(client) : 0;
    evc_client_unlock(client);
    return port != 0 ? port : r;
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As long as it has been worth it: <evc/bell.h> does the same. */
static bool spin(struct evc_client *client)
{
    uint32_t window = evc_a32_load_rlx(&client->spin);
    uint64_t end;

    if (window < SPIN_MIN)
        window = client->waits++ % SPIN_TRIAL == 0 ? SPIN_MAX / 2 : 0;
    if (window == 0 || fcntl(client->fd, F_GETFL) & O_NONBLOCK)
        return false;
    evc_client_lock(client);
    set_bells(client, 0);
    evc_client_unlock(client);
    for (end = now() + window; now() < end;)
        for (unsigned i = 0; i < 16; i++, relax())
            if (has_news(client)) {
                evc_a32_store_rlx(&client->spin, SPIN_MAX);
                return true;
            }
    evc_a32_store_rlx(&client->spin, window / 2);
    evc_client_lock(client);
    if (is_empty(client->home))
        (void)settle(client);
    evc_client_unlock(client);
    return false;
}

/* 0: look again. The daemon's end closes with the daemon. */
static int sleep_on(struct evc_client *client)
{
    char byte;
    ssize_t n = recv(client->fd, &byte, 1, MSG_PEEK);

    return n < 0 ? -errno : n == 0 ? -ECONNRESET : 0;
}

int evc_client_pending(struct evc_client *client)
{
    int r;

    for (;;) {
        r = take_one(client);
        if (r != 0)
            return r;
        if (spin(client))
            continue;
        r = sleep_on(client);
        if (r < 0)
            return r;
    }
}
