/* SPDX-License-Identifier: MIT */
/*
 * Regions and slots: where the events of a channel go.
 *
 * A region belongs to two handles.  It goes when its last slot does, and a slot
 * when both ends have left it: the end that stays behind when its peer closes
 * keeps its slot, in which an event may still wait, until it is bound anew.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- places in a home --------------------------------------------------- */

static int place_grow(struct evc_owner *owner)
{
    uint32_t room = owner->room ? owner->room * 2 : 8;
    void *bigger = reallocarray(owner->place, room, sizeof(*owner->place));

    if (bigger == NULL)
        return -ENOMEM;
    owner->place = bigger;
    memset(owner->place + owner->room, 0,
           (room - owner->room) * sizeof(*owner->place));
    owner->room = room;
    return 0;
}

static int place_find(struct evc_owner *owner)
{
    uint32_t i = 1;

    while (i < owner->places && owner->place[i] != NULL)
        i++;
    if (i >= EVC_SHARE_PLACES)
        return -ENOSPC;
    if (i >= owner->room && place_grow(owner) < 0)
        return -ENOMEM;
    return (int)i;
}

static int place_take(struct evc_shared *shared, uint32_t side)
{
    struct evc_owner *owner = shared->owner[side];
    int i = place_find(owner);
    struct evc_place *place;

    if (i < 0)
        return i;
    owner->place[i] = shared;
    shared->place[side] = (uint32_t)i;
    place = &owner->home->place[i];
    evc_a32_store_rlx(&place->side, side);
    evc_a32_store_rel(&place->id, shared->id);
    if ((uint32_t)i >= owner->places) {
        owner->places = (uint32_t)i + 1;
        evc_a32_store_rel(&owner->home->places, owner->places);
    }
    return 0;
}

static void place_give(struct evc_shared *shared, uint32_t side)
{
    struct evc_owner *owner = shared->owner[side];
    uint32_t i = shared->place[side];

    if (owner == NULL || i == 0)
        return;
    evc_a32_store_rel(&owner->home->place[i].id, 0);
    owner->place[i] = NULL;
    while (owner->places > 1 && owner->place[owner->places - 1] == NULL)
        owner->places--;
    evc_a32_store_rel(&owner->home->places, owner->places);
    shared->owner[side] = NULL;
    shared->place[side] = 0;
}

/* ---- regions ------------------------------------------------------------ */

static void region_free(struct evc_shared *shared)
{
    place_give(shared, 0);
    place_give(shared, 1);
    if (shared->region != NULL)
        munmap(shared->region, EVC_PAGE);
    if (shared->fd >= 0)
        close(shared->fd);
    free(shared);
}

static int region_map(struct evc_shared *shared)
{
    void *page;

    shared->fd = memfd_create("evc-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (shared->fd < 0 || ftruncate(shared->fd, EVC_PAGE) < 0 ||
        fcntl(shared->fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    page =
        mmap(NULL, EVC_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd, 0);
    if (page == MAP_FAILED)
        return -errno;
    shared->region = page;
    for (unsigned i = 0; i < 2; i++) /* whoever it is may be asleep */
        evc_a32_store_rlx(&shared->region->side[i].bell, EVC_SIDE_ARMED);
    return 0;
}

static int region_create(struct evc_owner *a, struct evc_owner *b,
                         struct evc_shared **out)
{
    struct evc_shared *shared = calloc(1, sizeof(*shared));
    int r;

    if (shared == NULL)
        return -ENOMEM;
    shared->fd = -1;
    shared->owner[0] = a;
    shared->owner[1] = b;
    do {
        shared->id = ++a->daemon->next_region;
    } while (shared->id == 0);
    r = region_map(shared);
    if (r == 0)
        r = place_take(shared, 0);
    if (r == 0)
        r = place_take(shared, 1);
    if (r < 0)
        region_free(shared);
    else
        *out = shared;
    return r;
}

/* One of theirs that has room. */
static struct evc_shared *region_find(struct evc_owner *a, struct evc_owner *b)
{
    struct evc_owner *few = a->places <= b->places ? a : b;

    for (uint32_t i = 1; i < few->places; i++) {
        struct evc_shared *s = few->place[i];

        if (s != NULL && s->used != UINT64_MAX &&
            ((s->owner[0] == a && s->owner[1] == b) ||
             (s->owner[0] == b && s->owner[1] == a)))
            return s;
    }
    return NULL;
}

/* ---- slots -------------------------------------------------------------- */

struct evc_region *evc_region_of(const struct evc_end *end)
{
    return end->shared != NULL ? end->shared->region : &end->owner->home->own;
}

void evc_region_publish(struct evc_end *end)
{
    struct evc_home *home = end->owner->home;
    uint32_t flags = EVC_ENTRY_OPEN, place = 0;

    if (end->has_slot) {
        flags |= EVC_ENTRY_SLOT;
        place = end->shared ? end->shared->place[end->side] : 0;
        evc_a32_store_rel(&home->place[place].port[end->slot], end->port);
    }
    if (end->connected)
        flags |= EVC_ENTRY_CONNECTED;
    evc_a64_store_rel(&home->entry[end->port],
                      evc_entry(flags, place, end->slot, end->side));
}

void evc_region_leave(struct evc_end *end)
{
    struct evc_shared *shared = end->shared;
    uint64_t bit = UINT64_C(1) << end->slot;

    if (!end->has_slot)
        return;
    end->has_slot = false;
    end->shared = NULL;
    if (shared == NULL) {
        evc_a32_store_rel(&end->owner->home->place[0].port[end->slot], 0);
        end->owner->own_used &= ~bit;
        return;
    }
    evc_a32_store_rel(
        &end->owner->home->place[shared->place[end->side]].port[end->slot], 0);
    shared->port[end->slot][end->side] = 0;
    if (--shared->ends[end->slot] == 0)
        shared->used &= ~bit;
    if (shared->used == 0)
        region_free(shared);
}

/* An event that waits where the end was goes along to where it is. */
static void slot_enter(struct evc_end *end, struct evc_shared *shared,
                       uint32_t slot, uint32_t side)
{
    uint32_t kept = 0;

    if (end->has_slot)
        kept = evc_a32_swap_sc(
                   &evc_region_of(end)->way[end->slot][end->side].word, 0) &
               EVC_WAY_COUNT;
    evc_region_leave(end);
    end->has_slot = end->connected = true;
    end->shared = shared;
    end->slot = slot;
    end->side = side;
    shared->port[slot][side] = end->port;
    evc_a32_store_rlx(&shared->region->way[slot][side].sent, 0);
    evc_a32_store_sc(&shared->region->way[slot][side].word, kept);
    evc_region_publish(end);
    if (kept != 0)
        (void)evc_a64_set_sc(&shared->region->side[side].summary, UINT64_C(1)
                                                                      << slot);
}

int evc_region_join(struct evc_end *a, struct evc_end *b)
{
    struct evc_shared *shared = region_find(a->owner, b->owner);
    uint32_t slot, side;
    int r = 0;

    if (shared == NULL)
        r = region_create(a->owner, b->owner, &shared);
    if (r < 0)
        return r;
    slot = (uint32_t)__builtin_ctzll(~shared->used);
    side = shared->owner[0] == a->owner ? 0 : 1;
    shared->used |= UINT64_C(1) << slot;
    shared->ends[slot] = 2;
    slot_enter(a, shared, slot, side);
    slot_enter(b, shared, slot, side ^ 1);
    return 0;
}

int evc_region_own(struct evc_end *end)
{
    struct evc_owner *owner = end->owner;

    if (owner->own_used == UINT64_MAX)
        return -ENOSPC;
    end->slot = (uint32_t)__builtin_ctzll(~owner->own_used);
    owner->own_used |= UINT64_C(1) << end->slot;
    end->has_slot = true;
    end->side = 0;
    evc_a32_store_sc(&owner->home->own.way[end->slot][0].word, 0);
    return 0;
}

void evc_region_forget(struct evc_owner *owner)
{
    for (uint32_t i = 1; i < owner->places; i++) {
        struct evc_shared *shared = owner->place[i];

        if (shared == NULL)
            continue;
        for (unsigned side = 0; side < 2; side++)
            if (shared->owner[side] == owner && shared->place[side] == i) {
                shared->owner[side] = NULL;
                shared->place[side] = 0;
            }
    }
}
