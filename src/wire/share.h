/* SPDX-License-Identifier: MIT */
/*
 * The memory that evcd and its clients share, and clients share with each other.
 *
 * A *handle* is what xenevtchn_open() gives.  Its *home* is memory of its own,
 * known to the daemon and to the processes that have the handle (after fork,
 * SCM_RIGHTS or exec there may be several): the ring of events that have arrived,
 * the masks, and, written by the daemon, what its ports are.
 *
 * Two handles with a channel between them share a *region*: one page with a slot
 * for each channel, and in each slot a word for each direction.  Nobody else has
 * that page, and what one of the two may do to the other by scribbling in it, it
 * could do by sending: each event is looked at by the receiver with masks that
 * are its own.  Regions have two *sides*; a direction is named by the side that
 * receives.
 *
 * Region 0 of a handle lies in its home; there the daemon is the other side, and
 * VIRQs arrive.
 */
#ifndef EVC_WIRE_SHARE_H
#define EVC_WIRE_SHARE_H

#include <pthread.h>
#include <stdint.h>

#include "atomic.h"

#define EVC_PAGE         4096u
#define EVC_SHARE_PORTS  131072u /* as many as a domain has */
#define EVC_SHARE_SLOTS  64u     /* of a region: a summary is one word */
#define EVC_SHARE_PLACES 8192u   /* for regions, in one handle */
#define EVC_SHARE_RING   (2 * EVC_SHARE_PORTS)

/* ---- regions ------------------------------------------------------------ */

/* One direction of a channel. */
struct evc_way {
    evc_a32 word; /* EVC_WAY_*; sender and receiver write */
    evc_a32 sent; /* how often, for who wants to know; sender writes */
    evc_a64 when; /* the sender's clock at the first event; sender writes */
};

#define EVC_WAY_MORE_BIT 1u
#define EVC_WAY_MORE     (1u << EVC_WAY_MORE_BIT)
#define EVC_WAY_COUNT    3u /* events since the receiver looked: 0, 1, more */
#define EVC_WAY_MASKED   4u /* a hint: the receiver does not want to be woken */

/* What all channels of one direction have in common. */
struct evc_side {
    evc_a64 summary; /* slots that have news; sender sets, receiver takes */
    evc_a32 bell;    /* EVC_BELL_*; the receiver writes, senders clear */
    evc_a32 rung;    /* the last bell that was rung; senders write */
    evc_a64 pad[6];
};

#define EVC_SIDE_ARMED 1u /* the receiver may be asleep: ring */
#define EVC_SIDE_NEXT  2u /* each arming and disarming is another bell */

struct evc_region {
    struct evc_side side[2];
    struct evc_way way[EVC_SHARE_SLOTS][2];
};

_Static_assert(sizeof(struct evc_side) == 64, "a cache line of its own");
_Static_assert(sizeof(struct evc_region) <= EVC_PAGE, "a region is a page");

/* ---- homes -------------------------------------------------------------- */

/* What a port is: written by the daemon, whole. */
#define EVC_ENTRY_OPEN      1u /* the port is this handle's */
#define EVC_ENTRY_CONNECTED 2u /* there is a peer to notify */
#define EVC_ENTRY_SLOT      4u /* events arrive in the slot below */

static inline uint64_t evc_entry(uint32_t flags, uint32_t place, uint32_t slot,
                                 uint32_t side)
{
    return flags | side << 3 | slot << 4 | (uint64_t)place << 16;
}

/* The side that this handle receives at; it sends to the other one. */
static inline uint32_t evc_entry_side(uint64_t entry)
{
    return entry >> 3 & 1;
}

static inline uint32_t evc_entry_slot(uint64_t entry)
{
    return entry >> 4 & (EVC_SHARE_SLOTS - 1);
}

static inline uint32_t evc_entry_place(uint64_t entry)
{
    return entry >> 16 & (EVC_SHARE_PLACES - 1);
}

/* Where a region is in a handle: written by the daemon. */
struct evc_place {
    evc_a32 id;   /* 0: none; another number for another region */
    evc_a32 side; /* the one that this handle receives at */
    evc_a32 port[EVC_SHARE_SLOTS]; /* of each slot; 0: none */
};

struct evc_arrival {
    uint64_t when;
    uint32_t port, pad;
};

struct evc_home {
    /* Of those who have the handle. */
    pthread_mutex_t lock; /* robust, between processes */
    evc_a32 head, tail;   /* of the ring, which begins anew when empty */
    /* Of the daemon. */
    evc_a32 places; /* above it there is no region */
    evc_a32 intent; /* odd while it makes the descriptor readable */
    uint8_t pad[EVC_PAGE - sizeof(pthread_mutex_t) - 4 * sizeof(evc_a32)];

    struct evc_region own; /* region 0 */
    uint8_t pad2[EVC_PAGE - sizeof(struct evc_region)];
    evc_a64 entry[EVC_SHARE_PORTS];
    evc_a8 masked[EVC_SHARE_PORTS]; /* the handle's; the daemon opens it */
    struct evc_place place[EVC_SHARE_PLACES];
    struct evc_arrival ring[EVC_SHARE_RING];
};

_Static_assert(EVC_SHARE_PLACES <= 1u << 16, "fits into an entry");

#endif /* EVC_WIRE_SHARE_H */
