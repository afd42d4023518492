/* SPDX-License-Identifier: MIT */
/*
 * Sending: from a port to its other end, without a lock.
 *
 * The channel word names the other end; delivery/ sets its bits; what is left
 * is to kick the vCPU and to wake who polls.  A send that overlaps a close may
 * still reach the port that is being closed, and surface as one spurious event;
 * it is never taken back, for by then it may have merged with a real one.
 */
#include "event.h"

/* Once per vCPU-less drop it is news; guests must not fill a log with it. */
static __attribute__((noinline)) void log_drop(struct evc_domain *domain,
                                               unsigned vcpu)
{
    if (!evc_is_xen_417(domain->engine)) {
        if (evc_a32_load_rlx(&domain->logged_drop) != 0 ||
            evc_a32_swap_sc(&domain->logged_drop, 1) != 0)
            return;
    }
    evc_engine_log(domain->engine,
                   "d%u v%u: no FIFO control block, event dropped", domain->id,
                   vcpu);
}

void evc_domain_raise(struct evc_domain *domain, uint32_t port)
{
    unsigned post = evc_domain_post(domain, port);

    if (evc_is_counting(domain))
        evc_count(domain, port, post);
}

void evc_domain_follow(struct evc_domain *domain, uint32_t port, unsigned post)
{
    if (post & EVC_POST_KICK)
        evc_vcpu_kick(domain, evc_post_vcpu(post));
    /* Last: a poller finds what woke it.  W2, pairs with W1 */
    if ((post & EVC_POST_EDGE) && evc_a32_load_sc(&domain->pollers) != 0)
        evc_wake_pollers(domain, port);
    if (post & EVC_POST_DROPPED)
        log_drop(domain, evc_post_vcpu(post));
}

/*
 * The other end of an interdomain channel.  It is still in the table, and has
 * the port: a domain that goes closes its ports, and waits for senders that
 * could have read this channel word, before its id is taken out.
 */
static inline struct evc_domain *peer_of(const struct evc_domain *domain,
                                         uint64_t chan)
{
    return evc_engine_bound(domain->engine, evc_chan_domid(chan));
}

/* A counted channel: the same, and one more for who counts. */
static void send_counted(struct evc_domain *domain, uint32_t port,
                         uint64_t chan)
{
    if (evc_chan_kind(chan) == EVC_INTERDOMAIN) {
        domain = peer_of(domain, chan);
        port = evc_chan_number(chan);
    }
    evc_count(domain, port, evc_domain_post(domain, port));
}

/* The host end that a channel leads to: kept with this port or the other. */
static struct evc_host *take_host(struct evc_domain *domain, uint32_t port,
                                  uint64_t chan)
{
    if (chan & EVC_CHAN_TO_HOST)
        return evc_host_take(domain, port);
    return evc_host_take(peer_of(domain, chan), evc_chan_number(chan));
}

/* The ways that are not every day's. Leaves RCU. */
static int send_other(struct evc_domain *domain, uint32_t port, uint64_t chan)
{
    struct evc_host *host = NULL;
    int r = 0;

    /* A host consumer's end is sent on by evc_host_send(). */
    if (evc_chan_kind(chan) == EVC_FREE || (chan & EVC_CHAN_HOST))
        r = -EINVAL;
    else if (chan & (EVC_CHAN_TO_HOST | EVC_CHAN_TO_XEN))
        host = take_host(domain, port, chan);
    else if (chan & EVC_CHAN_COUNTED)
        send_counted(domain, port, chan);
    else /* a VIRQ, a PIRQ, port 0 */
        r = -EINVAL;
    evc_rcu_unlock();
    if (host != NULL)
        evc_host_notify(host);
    return r;
}

/* All of it, by the long way. */
static __attribute__((noinline)) int send(struct evc_domain *domain,
                                          uint32_t port)
{
    uint64_t chan;

    evc_rcu_lock();
    chan = evc_table_look(&domain->table, port); /* C2, pairs with C1 */
    switch (evc_chan_way(chan)) {
    case EVC_INTERDOMAIN:
        (void)evc_domain_post(peer_of(domain, chan), evc_chan_number(chan));
        break;
    case EVC_IPI:
        (void)evc_domain_post(domain, port);
        break;
    case EVC_UNBOUND: /* nobody is there as yet: dropped */
        break;
    default:
        return send_other(domain, port, chan);
    }
    evc_rcu_unlock();
    return 0;
}

static __attribute__((noinline)) int send_otherwise(struct evc_domain *domain,
                                                    uint32_t port,
                                                    struct evc_reader reader)
{
    evc_rcu_leave(reader);
    return send(domain, port);
}

/* The end of the quick way: nothing more, a kick, or more than that. */
static inline int send_end(struct evc_domain *peer, uint32_t port,
                           unsigned post, struct evc_reader reader)
{
    if (post != EVC_POST_EDGE || evc_a32_load_sc(&peer->pollers) != 0) {
        if (evc_domain_is_plain(peer, post))
            peer->engine->ops.kick(peer->cookie, evc_post_vcpu(post));
        else
            evc_domain_follow(peer, port, post);
    }
    evc_rcu_leave(reader);
    return 0;
}

/* A two-level guest, whose vCPU may have to be told. */
static __attribute__((noinline)) int
send_tell(struct evc_domain *peer, uint32_t port, struct evc_reader reader)
{
    return send_end(peer, port, evc_twolevel_end(&peer->delivery, port),
                    reader);
}

/* A FIFO guest, whose event word is to be linked. */
static __attribute__((noinline)) int send_link(struct evc_domain *peer,
                                               struct evc_fifo *fifo,
                                               uint32_t port, evc_a32 *word,
                                               struct evc_reader reader)
{
    return send_end(peer, port,
                    evc_fifo_link(&peer->delivery, fifo, port, word), reader);
}

/* Anything else. */
static __attribute__((noinline)) int send_on(struct evc_domain *peer,
                                             struct evc_link link,
                                             uint32_t port, unsigned post,
                                             struct evc_reader reader)
{
    if (post & EVC_POST_UNDONE)
        post = evc_post_end(&peer->delivery, &link, port, post);
    return send_end(peer, port, post, reader);
}

/* ---- who merges with whom ----------------------------------------------- */

/*
 * Sending to a port that is pending writes to the guest's line for nothing.  One
 * sender alone keeps that line, and pays little; several take it from each other,
 * and do better to look first.  So a byte beside the port says who merged last,
 * and SEVERAL once that is somebody else.  It is a hint, and may be overwritten.
 */
#define SEVERAL 0xffu

/* A name for a thread, that few others have. */
static inline uint8_t name_of(struct evc_reader reader)
{
    return (uint8_t)((uintptr_t)reader.inside / 128);
}

static __attribute__((noinline)) int send_noted(evc_a8 *merging,
                                                struct evc_reader reader)
{
    evc_a8_store_rlx(merging,
                     evc_a8_load_rlx(merging) == 0 ? name_of(reader) : SEVERAL);
    evc_rcu_leave(reader);
    return 0;
}

/* One of several: what is pending is left as it is. */
static __attribute__((noinline)) int send_looking(struct evc_domain *peer,
                                                  uint32_t port,
                                                  evc_a8 *merging,
                                                  struct evc_reader reader)
{
    if (!evc_post_is_merged(&peer->delivery, port)) {
        evc_a8_store_rlx(merging, 0);
        (void)evc_domain_post(peer, port);
    }
    evc_rcu_leave(reader);
    return 0;
}

/* ---- everyday's --------------------------------------------------------- */

/*
 * What nearly every send is: to another domain, merging with an event on its
 * way or of a masked port.  No call, no stack; whatever else it turns out to be
 * goes on elsewhere.
 */
int evc_send(struct evc_domain *domain, evc_port port)
{
    struct evc_link link = {0};
    struct evc_reader reader;
    struct evc_bucket *from;
    struct evc_domain *peer;
    evc_a8 *merging;
    uint64_t chan;
    unsigned post;

    if (!evc_rcu_try(&reader))
        return send(domain, port);
    if (!evc_table_is_quick(&domain->table, port))
        return send_otherwise(domain, port, reader);
    from = evc_table_bucket(&domain->table, port);
    chan = evc_bucket_chan(from, port); /* C2, pairs with C1 */
    if (evc_chan_way(chan) != EVC_INTERDOMAIN)
        return send_otherwise(domain, port, reader);
    merging = &from->merging[port % 64];
    peer = peer_of(domain, chan);
    port = evc_chan_number(chan);
    if (EVC_LOOK_BEFORE && evc_a8_load_rlx(merging) == SEVERAL)
        return send_looking(peer, port, merging, reader);
    post = evc_post_begin(&peer->delivery, port, &link);
    if (post == (EVC_POST_EDGE | EVC_POST_UNDONE))
        return send_tell(peer, port, reader);
    if (post == (EVC_POST_LINK | EVC_POST_UNDONE))
        return send_link(peer, link.fifo, port, link.word, reader);
    if (evc_domain_is_todo(peer, post))
        return send_on(peer, link, port, post, reader);
    if (EVC_LOOK_BEFORE && post == 0 &&
        evc_a8_load_rlx(merging) != name_of(reader))
        return send_noted(merging, reader);
    evc_rcu_leave(reader);
    return 0;
}

/* All of it, by the long way. */
static __attribute__((noinline)) int unmask(struct evc_domain *domain,
                                            uint32_t port)
{
    if (port >= evc_table_valid(&domain->table))
        return -EINVAL;
    evc_rcu_lock();
    if (evc_chan_kind(evc_table_chan(&domain->table, port)) > EVC_RESERVED)
        evc_domain_posted(domain, port,
                          evc_post_unmask(&domain->delivery, port));
    evc_rcu_unlock();
    return 0;
}

/* An event that came while the port was masked: the vCPU may have to be told. */
static __attribute__((noinline)) int unmask_tell(struct evc_domain *domain,
                                                 uint32_t port)
{
    const struct evc_delivery *to = &domain->delivery;
    unsigned post = 0;

    evc_rcu_lock();
    if (evc_delivery_is_wide(to, port)) /* not where the ABI has changed */
        post = evc_unmask_tell(to, port);
    evc_domain_posted(domain, port, post);
    evc_rcu_unlock();
    return 0;
}

/* The same for a FIFO guest; or one that is neither. */
static __attribute__((noinline)) int unmask_link(struct evc_domain *domain,
                                                 struct evc_fifo *fifo,
                                                 uint32_t port,
                                                 struct evc_reader reader)
{
    if (fifo == NULL) {
        evc_rcu_leave(reader);
        return unmask(domain, port);
    }
    evc_domain_posted(domain, port,
                      evc_unmask_link(&domain->delivery, fifo, port));
    evc_rcu_leave(reader);
    return 0;
}

/*
 * As evc_send(): the everyday way without a call.  A domain's own ports stay,
 * and so does its shared_info: only the pages of a FIFO guest may go meanwhile.
 */
int evc_unmask(struct evc_domain *domain, evc_port port)
{
    const struct evc_delivery *to = &domain->delivery;
    struct evc_reader reader;
    struct evc_fifo *fifo;

    if (!evc_table_is_quick(&domain->table, port) ||
        evc_chan_kind(evc_table_chan(&domain->table, port)) <= EVC_RESERVED)
        return unmask(domain, port);
    if (evc_delivery_is_wide(to, port))
        return evc_twolevel_unmask_begin(to, port) ? unmask_tell(domain, port)
                                                   : 0;
    if (!evc_rcu_try(&reader))
        return unmask(domain, port);
    fifo = evc_delivery_linking(to);
    if (fifo == NULL || evc_fifo_unmask_begin(fifo, port))
        return unmask_link(domain, fifo, port, reader);
    evc_rcu_leave(reader);
    return 0;
}
