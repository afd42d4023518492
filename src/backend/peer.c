/* SPDX-License-Identifier: MIT */
/*
 * A guest in another process: channels to it, and grants of its memory.
 *
 * A channel is a host end in each of two engines.  What the one's guest sends
 * is a bit for the other's port and a ring of its bell; its thread sends on.
 *
 *  label  here                       there                    if weaker
 *  E1     set pending, then ring     take the bell, then E2   an event that
 *                                                             nobody looks for
 *  E2     take all of pending        E1                       an event twice
 *
 * Binding, closing, mapping and unmapping are questions.  A vCPU's thread asks
 * and waits; the other process' back ends answer, who wait for no vCPU.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/xen.h>

enum question { BIND, CLOSE, MAP, UNMAP };

struct asked {
    uint32_t what; /* enum question */
    uint32_t a, b; /* BIND, CLOSE: your port, mine; MAP: ref, write; handle */
};

struct answer {
    int32_t status; /* 0; a negative errno; MAP: an evc_gntst */
    uint32_t handle;
    uint64_t frame;
};

/* ---- events ----------------------------------------------------------------------- */

/* The guest sends: its thread, or whoever raised the other end. */
static void send_on(void *data)
{
    const struct evc_channel *channel = data;
    const struct evc_peer *peer = channel->peer;
    evc_a64 *words = peer->link->shared->pending[!peer->side];
    uint64_t bit = UINT64_C(1) << channel->remote % 64;
    const uint64_t one = 1;
    ssize_t n;

    if (evc_a64_set_sc(&words[channel->remote / 64], bit) & bit) /* E1 */
        return;
    n = write(peer->link->side[!peer->side].bell, &one, sizeof(one));
    (void)n; /* full: it is ringing already */
}

/* Under the lock. */
static struct evc_channel *find_local(struct evc_peer *peer, evc_port local)
{
    for (unsigned i = 0; i < EVC_PEER_CHANNELS; i++)
        if (peer->channels[i].host != NULL && peer->channels[i].local == local)
            return &peer->channels[i];
    return NULL;
}

static void raise_ports(struct evc_peer *peer, unsigned word, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        evc_port port = word * 64 + (unsigned)__builtin_ctzll(bits);
        const struct evc_channel *channel = find_local(peer, port);

        if (channel != NULL)
            (void)evc_host_send(channel->host);
    }
}

static void bell_rings(uv_poll_t *poll, int status, int events)
{
    struct evc_peer *peer = poll->data;
    evc_a64 *words = peer->link->shared->pending[peer->side];
    uint64_t rings;
    ssize_t n = read(peer->link->side[peer->side].bell, &rings, sizeof(rings));

    (void)n; /* empty: somebody was early, and is served */
    (void)status;
    (void)events;
    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; i < EVC_LINK_PORTS / 64; i++)
        raise_ports(peer, i, evc_a64_clear_sc(&words[i], UINT64_MAX)); /* E2 */
    pthread_mutex_unlock(&peer->lock);
}

/* ---- channels ------------------------------------------------------------------------ */

/* Join `local`, which is offered to the peer, to its port; under the lock. */
static int open_channel(struct evc_peer *peer, evc_port local, evc_port remote)
{
    struct evc_domain *domain = peer->backend->domain;

    if (local >= EVC_LINK_PORTS || remote >= EVC_LINK_PORTS)
        return -EINVAL;
    for (unsigned i = 0; i < EVC_PEER_CHANNELS; i++) {
        struct evc_channel *channel = &peer->channels[i];

        if (channel->host != NULL)
            continue;
        *channel = (struct evc_channel){
            .peer = peer, .local = local, .remote = remote};
        return evc_host_connect(domain, local, peer->id, send_on, channel,
                                &channel->host);
    }
    return -ENOSPC;
}

static void close_channel(struct evc_channel *channel)
{
    evc_host_close(channel->host);
    channel->host = NULL;
}

static int answer_bind(struct evc_peer *peer, evc_port local, evc_port remote)
{
    int r;

    pthread_mutex_lock(&peer->lock);
    r = open_channel(peer, local, remote);
    pthread_mutex_unlock(&peer->lock);
    return r;
}

static int answer_close(struct evc_peer *peer, evc_port local)
{
    struct evc_channel *channel;

    pthread_mutex_lock(&peer->lock);
    channel = find_local(peer, local);
    if (channel != NULL)
        close_channel(channel);
    pthread_mutex_unlock(&peer->lock);
    return 0;
}

/* ---- grants ---------------------------------------------------------------------------- */

static int status_of(int error)
{
    switch (error) {
    case 0:
        return EVC_GNTST_OKAY;
    case -EACCES:
        return EVC_GNTST_PERMISSION_DENIED;
    case -EFAULT:
        return EVC_GNTST_BAD_PAGE;
    default:
        return EVC_GNTST_BAD_GNTREF;
    }
}

static struct answer answer_map(struct evc_peer *peer, uint32_t ref, bool write)
{
    struct answer answer = {.status = EVC_GNTST_NO_SPACE};

    for (uint32_t i = 0; i < EVC_PEER_MAPS; i++) {
        if (peer->theirs[i].used)
            continue;
        answer.handle = i;
        answer.status = status_of(evc_grant_map_frame(
            &peer->backend->grants, ref, peer->id, write, &answer.frame));
        peer->theirs[i] =
            (struct evc_peer_map){answer.status == EVC_GNTST_OKAY, write, ref};
        break;
    }
    return answer;
}

static int answer_unmap(struct evc_peer *peer, uint32_t handle)
{
    struct evc_peer_map *map;

    if (handle >= EVC_PEER_MAPS || !peer->theirs[handle].used)
        return -EINVAL;
    map = &peer->theirs[handle];
    map->used = false;
    evc_grant_unmap(&peer->backend->grants, map->ref, map->write);
    return 0;
}

/* ---- being asked ----------------------------------------------------------------------- */

static struct answer answer_to(struct evc_peer *peer, const struct asked *asked)
{
    switch (asked->what) {
    case BIND:
        return (struct answer){answer_bind(peer, asked->a, asked->b), 0, 0};
    case CLOSE:
        return (struct answer){answer_close(peer, asked->a), 0, 0};
    case MAP:
        return answer_map(peer, asked->a, asked->b & 1);
    case UNMAP:
        return (struct answer){answer_unmap(peer, asked->a), 0, 0};
    default:
        return (struct answer){-ENOSYS, 0, 0};
    }
}

/* As if it had closed and unmapped everything. */
static void peer_ended(struct evc_peer *peer)
{
    uv_poll_stop(&peer->serve);
    pthread_mutex_lock(&peer->lock);
    peer->gone = true;
    for (unsigned i = 0; i < EVC_PEER_CHANNELS; i++)
        if (peer->channels[i].host != NULL)
            close_channel(&peer->channels[i]);
    pthread_mutex_unlock(&peer->lock);
    for (uint32_t i = 0; i < EVC_PEER_MAPS; i++)
        (void)answer_unmap(peer, i);
}

static void is_asked(uv_poll_t *poll, int status, int events)
{
    struct evc_peer *peer = poll->data;
    int serve = peer->link->side[peer->side].serve;
    struct asked asked;
    struct answer answer;
    ssize_t n = recv(serve, &asked, sizeof(asked), MSG_DONTWAIT);

    (void)status; /* an error shows in recv() */
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != sizeof(asked)) {
        peer_ended(peer);
        return;
    }
    answer = answer_to(peer, &asked);
    (void)send(serve, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- asking ------------------------------------------------------------------------------ */

/* Return: 0; -ESRCH: nobody is there, or nobody any more. */
static int ask_alone(struct evc_peer *peer, struct asked asked,
                     struct answer *answer)
{
    int call = peer->link->side[peer->side].call;
    ssize_t n;

    do
        n = send(call, &asked, sizeof(asked), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(asked))
        return -ESRCH;
    do
        n = recv(call, answer, sizeof(*answer), 0);
    while (n < 0 && errno == EINTR);
    return n == sizeof(*answer) ? 0 : -ESRCH;
}

static int ask(struct evc_peer *peer, struct asked asked, struct answer *answer)
{
    int r;

    pthread_mutex_lock(&peer->asking);
    r = ask_alone(peer, asked, answer);
    pthread_mutex_unlock(&peer->asking);
    return r;
}

int evc_peer_map(struct evc_peer *peer, uint32_t ref, bool write,
                 uint32_t *handle, uint64_t *frame)
{
    struct answer answer;

    if (ask(peer, (struct asked){MAP, ref, write}, &answer) < 0)
        return EVC_GNTST_BAD_DOMAIN;
    if (answer.status == EVC_GNTST_OKAY && answer.handle >= EVC_PEER_MAPS)
        return EVC_GNTST_GENERAL_ERROR;
    *handle = answer.handle;
    *frame = answer.frame;
    return answer.status;
}

void evc_peer_unmap(struct evc_peer *peer, uint32_t handle)
{
    struct answer answer;

    (void)ask(peer, (struct asked){UNMAP, handle, 0}, &answer);
}

static int make_port(struct evc_peer *peer, evc_port *port)
{
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF,
                                         .remote_dom = peer->id};
    int r = evc_event_channel_op(peer->backend->domain, EVTCHNOP_alloc_unbound,
                                 &offer);

    if (r == 0)
        *port = offer.port;
    return r;
}

static void drop_port(struct evc_peer *peer, evc_port port)
{
    struct evtchn_close close_ = {.port = port};

    (void)answer_close(peer, port);
    (void)evc_event_channel_op(peer->backend->domain, EVTCHNOP_close, &close_);
}

/* Our end first: the peer may send as soon as it has said yes. */
static int bind_to(struct evc_peer *peer, evc_port remote, evc_port local)
{
    struct answer answer;
    int r;

    pthread_mutex_lock(&peer->lock);
    r = peer->gone ? -ESRCH : open_channel(peer, local, remote);
    pthread_mutex_unlock(&peer->lock);
    if (r == 0)
        r = ask(peer, (struct asked){BIND, remote, local}, &answer);
    return r == 0 ? answer.status : r;
}

int evc_backend_bind_peer(struct evc_backend *backend, evc_port remote,
                          evc_port *local)
{
    struct evc_peer *peer = &backend->peer;
    int r = backend->has_peer ? make_port(peer, local) : -ESRCH;

    if (r < 0)
        return r;
    r = bind_to(peer, remote, *local);
    if (r < 0) {
        drop_port(peer, *local);
        return r;
    }
    pthread_mutex_lock(&peer->lock);
    if (find_local(peer, *local) != NULL) /* it might have ended by now */
        (void)evc_host_send(find_local(peer, *local)->host);
    pthread_mutex_unlock(&peer->lock);
    return 0;
}

/* Does the guest still have the port that this one began with? */
static bool is_open(const struct evc_channel *channel)
{
    struct evc_port_info info;

    return evc_port_info(channel->peer->backend->domain, channel->local,
                         &info) == 0 &&
           info.status == EVTCHNSTAT_interdomain;
}

/* The remote end of one that is closed now; 0: there is none. */
static evc_port take_closed(struct evc_peer *peer)
{
    evc_port remote = 0;

    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; remote == 0 && i < EVC_PEER_CHANNELS; i++) {
        struct evc_channel *channel = &peer->channels[i];

        if (channel->host == NULL || is_open(channel))
            continue;
        remote = channel->remote;
        close_channel(channel);
    }
    pthread_mutex_unlock(&peer->lock);
    return remote;
}

void evc_backend_closed(struct evc_backend *backend)
{
    struct evc_peer *peer = &backend->peer;
    struct answer answer;
    evc_port remote;

    while (backend->has_peer && (remote = take_closed(peer)) != 0)
        (void)ask(peer, (struct asked){CLOSE, remote, 0}, &answer);
}

/* ---- its life ------------------------------------------------------------------------------- */

void evc_peer_open(struct evc_peer *peer, struct evc_backend *backend,
                   const struct evc_backend_config *config)
{
    if (config->link == NULL)
        return;
    peer->backend = backend;
    peer->link = config->link;
    peer->side = config->side;
    peer->id = config->peer;
    pthread_mutex_init(&peer->mapping, NULL);
    pthread_mutex_init(&peer->asking, NULL);
    pthread_mutex_init(&peer->lock, NULL);
    backend->has_peer = true;
}

static int start_poll(struct evc_peer *peer, uv_poll_t *poll, int fd,
                      uv_poll_cb ready)
{
    int r = uv_poll_init(&peer->backend->loop, poll, fd);

    poll->data = peer;
    return r < 0 ? r : uv_poll_start(poll, UV_READABLE, ready);
}

int evc_peer_start(struct evc_peer *peer)
{
    const struct evc_link_side *side;
    int r;

    if (peer->link == NULL)
        return 0;
    side = &peer->link->side[peer->side];
    r = start_poll(peer, &peer->bell, side->bell, bell_rings);
    if (r == 0)
        r = start_poll(peer, &peer->serve, side->serve, is_asked);
    peer->polls = r == 0;
    return r;
}

void evc_peer_stop(struct evc_peer *peer)
{
    if (!peer->polls)
        return;
    peer->polls = false;
    uv_close((uv_handle_t *)&peer->bell, NULL);
    uv_close((uv_handle_t *)&peer->serve, NULL);
}

/* Our ends of the sockets go with it: that tells the peer. */
void evc_peer_close(struct evc_peer *peer)
{
    struct evc_link_side *side;

    if (peer->link == NULL)
        return;
    for (unsigned i = 0; i < EVC_PEER_CHANNELS; i++)
        if (peer->channels[i].host != NULL)
            close_channel(&peer->channels[i]);
    for (uint32_t i = 0; i < EVC_PEER_MAPS; i++)
        (void)answer_unmap(peer, i);
    side = &peer->link->side[peer->side];
    close(side->call);
    close(side->serve);
    side->call = side->serve = -1;
    pthread_mutex_destroy(&peer->lock);
    pthread_mutex_destroy(&peer->asking);
    pthread_mutex_destroy(&peer->mapping);
}
