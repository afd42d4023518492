/* SPDX-License-Identifier: MIT */
/*
 * Making a handle's descriptor readable: one byte in its socket, at most.
 *
 * A sender that rings says which bell it saw.  By the time it is served the
 * receiver may be awake, have taken the event and gone to sleep again; so the
 * bell is compared, and the event looked for, before the byte is sent.  And as
 * the receiver may be doing all that at this very moment, it is told so:
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    O1 store intent   sc  R5 look at intent   sc  readable with nothing there
 *    O2 look at bell   sc  R4 arm              sc  (client/take.c)
 *
 * Either the new bell is seen here, or the intent there, and then the receiver
 * waits until the byte is there, and takes it away.
 */
#include "daemon.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* ---- the descriptor ----------------------------------------------------- */

void evc_wake_raise(struct evc_owner *owner)
{
    int unread = 0;

    if (ioctl(owner->fd, SIOCOUTQ, &unread) == 0 && unread != 0)
        return;
    (void)send(owner->fd, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void intend(struct evc_owner *owner, bool on)
{
    evc_a32_store_sc(&owner->home->intent, on); /* O1, pairs with R5 */
}

/* ---- is there something to wake for? ------------------------------------ */

static bool is_due(const struct evc_owner *owner, const struct evc_way *way,
                   uint32_t port)
{
    return port != 0 && evc_a32_load_sc(&way->word) & EVC_WAY_COUNT &&
           evc_a8_load_rlx(&owner->home->masked[port]) == 0;
}

/* Of those that the summary says, and of one more. */
static bool is_any_due(const struct evc_shared *shared, uint32_t side,
                       uint64_t more)
{
    uint64_t bits = evc_a64_load_sc(&shared->region->side[side].summary);

    for (bits = (bits | more) & shared->used; bits != 0; bits &= bits - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(bits);

        if (is_due(shared->owner[side], &shared->region->way[slot][side],
                   shared->port[slot][side]))
            return true;
    }
    return false;
}

/* ---- others send -------------------------------------------------------- */

void evc_wake_kick(struct evc_owner *owner, uint32_t place, uint32_t slot,
                   uint32_t bell)
{
    struct evc_shared *shared;
    struct evc_owner *to;
    struct evc_side *at;
    uint32_t side;

    if (place == 0 || place >= owner->places || owner->place[place] == NULL)
        return;
    shared = owner->place[place];
    side = shared->owner[0] == owner && shared->place[0] == place;
    to = shared->owner[side];
    if (to == NULL)
        return;
    at = &shared->region->side[side];
    intend(to, true);
    /* O2, pairs with R4 */
    if ((bell & EVC_SIDE_ARMED) && evc_a32_load_sc(&at->bell) == bell) {
        if (is_any_due(shared, side, UINT64_C(1) << slot))
            evc_wake_raise(to);
        else /* a masked port: the next sender rings again */
            evc_a32_store_sc(&at->rung, 0);
    }
    intend(to, false);
}

/* ---- one end ------------------------------------------------------------ */

void evc_wake_look(struct evc_end *end)
{
    struct evc_region *region = evc_region_of(end);
    struct evc_way *way = &region->way[end->slot][end->side];
    struct evc_side *side = &region->side[end->side];

    if (!end->has_slot || !(evc_a32_load_sc(&way->word) & EVC_WAY_COUNT))
        return;
    (void)evc_a64_set_sc(&side->summary, UINT64_C(1) << end->slot);
    intend(end->owner, true);
    if ((evc_a32_load_sc(&side->bell) & EVC_SIDE_ARMED) && /* O2, with R4 */
        is_due(end->owner, way, end->port))
        evc_wake_raise(end->owner);
    intend(end->owner, false);
}

/* ---- we send ------------------------------------------------------------ */

void evc_wake_post(struct evc_end *end)
{
    struct evc_way *way = &evc_region_of(end)->way[end->slot][end->side];
    uint32_t old = evc_a32_load_rlx(&way->word);

    if (!end->has_slot)
        return;
    if (!(old & EVC_WAY_COUNT)) {
        (void)evc_a32_add_sc(&way->word, 1);
        evc_a64_store_rlx(&way->when, 0); /* before all others */
    } else {
        (void)evc_a32_set_sc(&way->word, 2);
    }
    evc_wake_look(end);
}

/* ---- somebody died ------------------------------------------------------ */

/* All that was counted is in the summary, whoever was to put it there. */
static void complete(struct evc_shared *shared, uint32_t side)
{
    uint64_t bits = 0;

    for (unsigned slot = 0; slot < EVC_SHARE_SLOTS; slot++)
        if (evc_a32_load_sc(&shared->region->way[slot][side].word) &
            EVC_WAY_COUNT)
            bits |= UINT64_C(1) << slot;
    (void)evc_a64_set_sc(&shared->region->side[side].summary,
                         bits & shared->used);
}

static void repair(struct evc_shared *shared, uint32_t side, bool always)
{
    struct evc_owner *to = shared->owner[side];
    struct evc_side *at = &shared->region->side[side];

    if (to == NULL)
        return;
    complete(shared, side);
    evc_a32_store_sc(&at->rung, 0);
    intend(to, true);
    if ((always || evc_a32_load_sc(&at->bell) & EVC_SIDE_ARMED) &&
        is_any_due(shared, side, 0))
        evc_wake_raise(to);
    intend(to, false);
}

void evc_wake_repair(struct evc_owner *owner)
{
    struct evc_home *home = owner->home;

    for (uint32_t i = 1; i < owner->places; i++) {
        struct evc_shared *shared = owner->place[i];

        if (shared != NULL)
            for (uint32_t side = 0; side < 2; side++)
                repair(shared, side, shared->owner[side] == owner);
    }
    if (evc_a32_load_rlx(&home->head) != evc_a32_load_rlx(&home->tail))
        evc_wake_raise(owner);
}
