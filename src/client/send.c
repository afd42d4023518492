/* SPDX-License-Identifier: MIT */
/*
 * Notify: the sender's half of a channel.
 *
 * The word of the channel's direction counts events up to "more than one"; who
 * makes the first one sets the channel's bit in the summary, and looks whether
 * the receiver may be asleep.  If so the daemon is told, once for each time that
 * the receiver has armed itself: it alone can make the receiver's descriptor
 * readable, and it looks first whether that is right.
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    H1 count event    sc  R2 take events      sc  an event without its payload
 *    H1                    R3 clear masked     sc  both think the other does it
 *    H2 set summary    sc  R1 take summary     sc  an event is not looked for
 *    H3 look at bell   sc  R4 arm              sc  sleeps over its event
 *    H4 store rung    rlx  (the same senders)      two rings instead of one
 *
 * H4 comes before the ring: who dies between the two has a connection, and the
 * daemon looks after what it was connected to when that breaks (daemon/wake.c).
 */
#include "internal.h"

#include <errno.h>

#define TRIES 64u /* to change a word that others change */

static __attribute__((noinline)) uint32_t count_on(struct evc_way *way,
                                                   uint32_t old)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t count = old & EVC_WAY_COUNT;

        if (count == 0)
            evc_a64_store_rlx(&way->when, evc_client_clock());
        /* H1, pairs with R2 and R3; also when it changes nothing */
        if (evc_a32_cas_sc(&way->word, &old, count < 2 ? old + 1 : old))
            return old;
    }
    /* Somebody keeps changing it; whoever does may get one event more. */
    (void)evc_a32_set_bit_sc(&way->word, EVC_WAY_MORE_BIT);
    return evc_a32_load_rlx(&way->word) & EVC_WAY_MASKED;
}

/* What the word was before, or, where that had to be asked again, after. */
static inline uint32_t count_event(struct evc_way *way)
{
    uint32_t old = evc_a32_load_rlx(&way->word);

    /* More than one remain more than one: H1 in a step that cannot fail. */
    if ((old & EVC_WAY_MORE) &&
        evc_a32_set_bit_sc(&way->word, EVC_WAY_MORE_BIT)) /* H1 */
        return evc_a32_load_rlx(&way->word);
    return count_on(way, old);
}

/* The bell to be rung, or 0: nobody need be told. */
static inline uint32_t post(struct evc_region *region, uint32_t slot,
                            uint32_t side)
{
    struct evc_side *to = &region->side[side];
    struct evc_way *way = &region->way[slot][side];
    uint64_t bit = UINT64_C(1) << slot;
    uint32_t old = count_event(way), bell;

    evc_a32_store_rlx(&way->sent, evc_a32_load_rlx(&way->sent) + 1);
    if (old & EVC_WAY_MASKED)
        return 0;
    /* Whoever made the first event may have died before it said so. */
    if (!(old & EVC_WAY_COUNT) || !(evc_a64_load_sc(&to->summary) & bit))
        (void)evc_a64_set_sc(&to->summary, bit); /* H2, pairs with R1 */
    bell = evc_a32_load_sc(&to->bell);           /* H3, pairs with R4 */
    if (!(bell & EVC_SIDE_ARMED) || evc_a32_load_rlx(&to->rung) == bell)
        return 0;
    return bell;
}

static __attribute__((noinline)) int ring(struct evc_client *client,
                                          uint32_t place, uint32_t slot,
                                          struct evc_side *to, uint32_t bell)
{
    struct evc_wire_request kick = {
        .op = EVC_WIRE_KICK, .a = place, .b = slot, .c = bell};
    int r;

    evc_a32_store_rlx(&to->rung, bell); /* H4 */
    r = evc_client_call(client, &kick, NULL);
    if (r < 0)
        evc_a32_store_rlx(&to->rung, 0);
    return r;
}

static inline int notify(struct evc_client *client, uint64_t entry,
                         struct evc_region *region)
{
    uint32_t slot = evc_entry_slot(entry), side = evc_entry_side(entry) ^ 1;
    uint32_t bell = post(region, slot, side);

    if (bell == 0)
        return 0;
    return ring(client, evc_entry_place(entry), slot, &region->side[side],
                bell);
}

/* A peer whose region is not mapped as yet; a handle's own. */
static __attribute__((noinline)) int notify_by(struct evc_client *client,
                                               uint64_t entry)
{
    uint32_t place = evc_entry_place(entry);
    struct evc_region *region;

    region = evc_client_region(
        client, place, evc_a32_load_acq(&client->home->place[place].id));
    if (region == NULL) /* the peer has just gone; or the daemon has */
        return evc_client_connect(false) < 0 ? -ECONNRESET : 0;
    return notify(client, entry, region);
}

int evc_client_notify(struct evc_client *client, uint32_t port)
{
    struct evc_region *region;
    uint32_t place;
    uint64_t entry;

    if (port >= EVC_SHARE_PORTS)
        return -ENOTCONN;
    entry = evc_a64_load_acq(&client->home->entry[port]);
    if (!(entry & EVC_ENTRY_OPEN))
        return -ENOTCONN;
    if (!(entry & EVC_ENTRY_CONNECTED))
        return 0;
    place = evc_entry_place(entry);
    region = evc_client_mapped(
        client, place, evc_a32_load_acq(&client->home->place[place].id));
    return region != NULL ? notify(client, entry, region)
                          : notify_by(client, entry);
}
