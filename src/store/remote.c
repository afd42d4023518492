/* SPDX-License-Identifier: MIT */
/*
 * A connection to a xenstored: questions, answers, and watches' events, which
 * come between them.
 */
#include "remote.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_MAX 65536u /* not yet told: whatever comes then is lost */

/* ---- bytes -------------------------------------------------------------------- */

static int give_up(struct remote *remote)
{
    remote->gone = true;
    return -EIO;
}

/* Whoever waits for the descriptor elsewhere makes it non-blocking. */
static int wait_until(struct remote *remote, short events)
{
    struct pollfd it = {.fd = remote->fd, .events = events};
    int n;

    do
        n = poll(&it, 1, REMOTE_PATIENCE * 1000);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : give_up(remote);
}

/* After a call of send() or recv() that has done nothing: is it worth another? */
static int is_worth_it(struct remote *remote, ssize_t n, short events)
{
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0 && errno == EAGAIN)
        return wait_until(remote, events);
    return give_up(remote);
}

static int send_all(struct remote *remote, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = send(remote->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n <= 0 && is_worth_it(remote, n, POLLOUT) < 0)
            return -EIO;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int receive_all(struct remote *remote, void *bytes, size_t size)
{
    char *at = bytes;

    while (size > 0) {
        ssize_t n = recv(remote->fd, at, size, MSG_DONTWAIT);

        if (n <= 0 && is_worth_it(remote, n, POLLIN) < 0)
            return -EIO;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* ---- messages ------------------------------------------------------------------- */

static int receive(struct remote *remote, struct evc_xs_header *header)
{
    int r = receive_all(remote, header, sizeof(*header));

    if (r < 0)
        return r;
    if (header->len > EVC_XS_PAYLOAD)
        return give_up(remote);
    remote->size = header->len;
    remote->answer[header->len] = '\0';
    return receive_all(remote, remote->answer, header->len);
}

/* A path and a token, of the event that has just been received. */
static int keep_event(struct remote *remote)
{
    size_t path = strlen(remote->answer) + 1;
    struct remote_event *event;

    if (path >= remote->size || remote->answer[remote->size - 1] != '\0')
        return give_up(remote);
    if (remote->nr_events == EVENTS_MAX)
        return 0;
    event = malloc(sizeof(*event) + remote->size);
    if (event == NULL)
        return 0;
    memcpy(event->path, remote->answer, remote->size);
    event->token = event->path + path;
    event->next = NULL;
    *remote->last = event;
    remote->last = &event->next;
    remote->nr_events++;
    if (remote->ready != NULL)
        remote->ready(remote->data);
    return 0;
}

static int error_of(const struct remote *remote)
{
    int error = evc_store_error(remote->answer);

    return error != 0 ? -error : -EINVAL;
}

static int await_answer(struct remote *remote, enum evc_xs_type type)
{
    struct evc_xs_header header;
    int r;

    while ((r = receive(remote, &header)) == 0 &&
           header.type == EVC_XS_WATCH_EVENT)
        if (keep_event(remote) < 0)
            return -EIO;
    if (r < 0)
        return r;
    if (header.req_id != remote->request)
        return give_up(remote);
    if (header.type == EVC_XS_ERROR)
        return error_of(remote);
    return header.type == type ? 0 : give_up(remote);
}

int remote_ask(struct remote *remote, enum evc_xs_type type, uint32_t trans,
               const struct part *parts, unsigned n)
{
    struct {
        struct evc_xs_header header;
        char payload[EVC_XS_PAYLOAD];
    } message = {{type, ++remote->request, trans, 0}, {0}};

    if (remote->gone)
        return -EIO;
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].size > EVC_XS_PAYLOAD - message.header.len)
            return -E2BIG;
        if (parts[i].size > 0)
            memcpy(message.payload + message.header.len, parts[i].bytes,
                   parts[i].size);
        message.header.len += (uint32_t)parts[i].size;
    }
    if (send_all(remote, &message,
                 sizeof(message.header) + message.header.len) < 0)
        return -EIO;
    return await_answer(remote, type);
}

int remote_ask_about(struct remote *remote, enum evc_xs_type type,
                     uint32_t trans, const char *path, const char *more)
{
    const struct part parts[] = {
        {path, strlen(path) + 1},
        {more, more != NULL ? strlen(more) + 1 : 0},
    };

    return remote_ask(remote, type, trans, parts, 2);
}

int remote_begin(struct remote *remote, uint32_t *trans)
{
    int r = remote_ask_about(remote, EVC_XS_TRANSACTION_START, 0, "", NULL);

    if (r == 0)
        *trans = (uint32_t)strtoul(remote->answer, NULL, 10);
    return r;
}

int remote_end(struct remote *remote, uint32_t trans, bool commit)
{
    return remote_ask_about(remote, EVC_XS_TRANSACTION_END, trans,
                            commit ? "T" : "F", NULL);
}

/* ---- events ---------------------------------------------------------------------- */

static bool has_input(const struct remote *remote)
{
    struct pollfd it = {.fd = remote->fd, .events = POLLIN};

    return !remote->gone && poll(&it, 1, 0) == 1;
}

void remote_take(struct remote *remote)
{
    struct evc_xs_header header;

    for (unsigned i = 0; i < EVENTS_MAX && has_input(remote); i++)
        if (receive(remote, &header) < 0 || header.type != EVC_XS_WATCH_EVENT ||
            keep_event(remote) < 0) {
            (void)give_up(remote); /* nothing else comes unasked */
            return;
        }
}

struct remote_event *remote_next_event(struct remote *remote)
{
    struct remote_event *event = remote->events;

    if (event == NULL)
        return NULL;
    remote->events = event->next;
    if (remote->events == NULL)
        remote->last = &remote->events;
    remote->nr_events--;
    return event;
}

void remote_free_event(struct remote_event *event)
{
    free(event);
}

/* ---- coming and going --------------------------------------------------------------- */

static int connect_to(struct remote *remote, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    remote->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (remote->fd < 0 ||
        connect(remote->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

int remote_open(const char *path, struct remote **out)
{
    struct remote *remote = calloc(1, sizeof(*remote));
    int r;

    if (remote == NULL)
        return -ENOMEM;
    remote->fd = -1;
    remote->last = &remote->events;
    r = connect_to(remote, path);
    if (r == 0)
        r = remote_ask_about(remote, EVC_XS_GET_PERMS, 0, "/", NULL);
    if (r < 0)
        remote_close(remote);
    else
        *out = remote;
    return r;
}

void remote_close(struct remote *remote)
{
    struct remote_event *event;

    if (remote == NULL)
        return;
    while ((event = remote_next_event(remote)) != NULL)
        remote_free_event(event);
    if (remote->fd >= 0)
        close(remote->fd);
    free(remote);
}
