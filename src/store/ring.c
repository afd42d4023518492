/* SPDX-License-Identifier: MIT */
/*
 * A connection by a page shared with a guest.
 *
 *  label  here                       there (the guest)          if weaker
 *  R1     acquire req_prod           release req_prod           old bytes read
 *  R2     release req_cons           acquire req_cons           bytes
 *                                                               overwritten
 *                                                               before read
 *  R3     acquire rsp_cons           release rsp_cons           as R2
 *  R4     release rsp_prod           acquire rsp_prod           as R1
 *
 * The guest is told after R2 and R4, and tells us after its two: nobody sleeps
 * on a ring that has something for him.
 */
#include "store.h"

#include <errno.h>
#include <string.h>

#define PASSES 32u /* in one call; then others have their turn */

void evc_store_ring_init(struct evc_store_ring *ring, void *page,
                         struct evc_store_conn *conn)
{
    *ring = (struct evc_store_ring){.page = page, .conn = conn};
    evc_a32_store_rlx(&ring->page->features,
                      EVC_XS_FEATURE_RECONNECT | EVC_XS_FEATURE_ERROR);
}

static unsigned break_off(struct evc_store_ring *ring, uint32_t error)
{
    evc_a32_store_rlx(&ring->page->error, error);
    ring->broken = true;
    return EVC_STORE_RING_BROKEN | EVC_STORE_RING_MOVED;
}

/* A run of `size` bytes from `index` on that does not go round the end. */
static uint32_t run_of(uint32_t index, uint32_t size)
{
    uint32_t rest = EVC_XS_RING - index % EVC_XS_RING;

    return size < rest ? size : rest;
}

static unsigned read_requests(struct evc_store_ring *ring)
{
    struct evc_xs_ring *page = ring->page;
    uint32_t prod = evc_a32_load_acq(&page->req_prod); /* R1 */
    uint32_t size = prod - ring->req_cons;
    int taken;

    if (size > EVC_XS_RING)
        return break_off(ring, EVC_XS_RING_BAD_INDEX);
    if (size == 0)
        return 0;
    taken =
        evc_store_input(ring->conn, page->req + ring->req_cons % EVC_XS_RING,
                        run_of(ring->req_cons, size));
    if (taken < 0)
        return break_off(ring, EVC_XS_RING_PROTOCOL);
    ring->req_cons += (uint32_t)taken;
    evc_a32_store_rel(&page->req_cons, ring->req_cons); /* R2 */
    return taken > 0 ? EVC_STORE_RING_MOVED : 0;
}

static unsigned write_replies(struct evc_store_ring *ring)
{
    struct evc_xs_ring *page = ring->page;
    uint32_t cons = evc_a32_load_acq(&page->rsp_cons); /* R3 */
    uint32_t used = ring->rsp_prod - cons;
    size_t put;

    if (used > EVC_XS_RING)
        return break_off(ring, EVC_XS_RING_BAD_INDEX);
    put = evc_store_output(ring->conn, page->rsp + ring->rsp_prod % EVC_XS_RING,
                           run_of(ring->rsp_prod, EVC_XS_RING - used));
    ring->rsp_prod += (uint32_t)put;
    evc_a32_store_rel(&page->rsp_prod, ring->rsp_prod); /* R4 */
    return put > 0 ? EVC_STORE_RING_MOVED : 0;
}

/* The guest has forgotten everything, as after loading another kernel. */
static unsigned reconnect(struct evc_store_ring *ring)
{
    struct evc_xs_ring *page = ring->page;

    evc_store_reset(ring->conn);
    evc_store_ring_init(ring, page, ring->conn);
    evc_a32_store_rlx(&page->req_cons, 0);
    evc_a32_store_rlx(&page->req_prod, 0);
    evc_a32_store_rlx(&page->rsp_cons, 0);
    evc_a32_store_rlx(&page->rsp_prod, 0);
    evc_a32_store_rlx(&page->error, 0);
    evc_a32_store_rel(&page->connection, 0);
    return EVC_STORE_RING_MOVED;
}

unsigned evc_store_ring_serve(struct evc_store_ring *ring)
{
    unsigned moved, result = 0;

    if (evc_a32_load_acq(&ring->page->connection) == EVC_XS_RECONNECT)
        result = reconnect(ring);
    for (unsigned pass = 0; pass < PASSES; pass++) {
        if (ring->broken)
            return result;
        moved = read_requests(ring);
        if (!ring->broken)
            moved |= write_replies(ring);
        result |= moved;
        if (!(moved & EVC_STORE_RING_MOVED))
            return result;
    }
    return result | EVC_STORE_RING_MORE;
}
