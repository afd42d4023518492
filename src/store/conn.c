/* SPDX-License-Identifier: MIT */
/*
 * Connections: bytes to requests, replies and events to bytes; and the store
 * that they are connections of.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes that come in --------------------------------------------------- */

static bool has_output(const struct evc_store_conn *conn)
{
    return conn->reply_size > 0 || conn->events != NULL;
}

/* Where the next byte of a request goes, and how many belong there. */
static uint8_t *next_input(struct evc_store_conn *conn, size_t *room)
{
    if (conn->in < sizeof(conn->header)) {
        *room = sizeof(conn->header) - conn->in;
        return (uint8_t *)&conn->header + conn->in;
    }
    *room = sizeof(conn->header) + conn->header.len - conn->in;
    return (uint8_t *)conn->payload + (conn->in - sizeof(conn->header));
}

static bool is_complete(const struct evc_store_conn *conn)
{
    return conn->in >= sizeof(conn->header) &&
           conn->in == sizeof(conn->header) + conn->header.len;
}

int evc_store_input(struct evc_store_conn *conn, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t taken = 0, room;

    if (has_output(conn))
        return 0;
    while (taken < size && !is_complete(conn)) {
        uint8_t *to = next_input(conn, &room);

        if (room > size - taken)
            room = size - taken;
        memcpy(to, from + taken, room);
        taken += room;
        conn->in += room;
        if (conn->in >= sizeof(conn->header) &&
            conn->header.len > EVC_XS_PAYLOAD)
            return -EPROTO;
    }
    if (is_complete(conn)) {
        conn->payload[conn->header.len] = '\0';
        evc_conn_request(conn);
        conn->in = 0;
    }
    return (int)taken;
}

/* ---- bytes that go out ---------------------------------------------------- */

void evc_conn_event(struct evc_store_conn *conn, const char *path,
                    const char *token)
{
    size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
    const struct evc_xs_header header = {
        .type = EVC_XS_WATCH_EVENT, .len = (uint32_t)(path_size + token_size)};
    size_t size = sizeof(header) + path_size + token_size;
    struct event *event;

    if (conn->unread + size > EVC_STORE_UNREAD)
        return;
    event = malloc(sizeof(*event) + size);
    if (event == NULL)
        return;
    event->next = NULL;
    event->size = size;
    memcpy(event->bytes, &header, sizeof(header));
    memcpy(event->bytes + sizeof(header), path, path_size);
    memcpy(event->bytes + sizeof(header) + path_size, token, token_size);
    *conn->last_event = event;
    conn->last_event = &event->next;
    conn->unread += size;
    if (conn->ready != NULL)
        conn->ready(conn->data);
}

static void drop_event(struct evc_store_conn *conn)
{
    struct event *event = conn->events;

    conn->events = event->next;
    if (conn->events == NULL)
        conn->last_event = &conn->events;
    conn->unread -= event->size;
    free(event);
}

/* What is to be taken next, from where it was left; NULL: nothing. */
static const uint8_t *next_output(struct evc_store_conn *conn, size_t *size)
{
    if (conn->taken == 0)
        conn->taking_event = conn->reply_size == 0 || conn->before_reply > 0;
    if (conn->taking_event) {
        if (conn->events == NULL)
            return NULL;
        *size = conn->events->size - conn->taken;
        return conn->events->bytes + conn->taken;
    }
    if (conn->taken < sizeof(conn->reply_header)) {
        *size = sizeof(conn->reply_header) - conn->taken;
        return (const uint8_t *)&conn->reply_header + conn->taken;
    }
    *size = conn->reply_size - conn->taken;
    return (const uint8_t *)conn->reply +
           (conn->taken - sizeof(conn->reply_header));
}

static void output_taken(struct evc_store_conn *conn, size_t size)
{
    conn->taken += size;
    if (conn->taking_event && conn->taken == conn->events->size) {
        drop_event(conn);
        conn->taken = 0;
        conn->before_reply -= conn->before_reply > 0;
    } else if (!conn->taking_event && conn->taken == conn->reply_size) {
        conn->reply_size = 0;
        conn->taken = 0;
    }
}

size_t evc_store_output(struct evc_store_conn *conn, void *bytes, size_t room)
{
    size_t done = 0, size;
    const uint8_t *from;

    while (done < room && (from = next_output(conn, &size)) != NULL) {
        if (size > room - done)
            size = room - done;
        memcpy((uint8_t *)bytes + done, from, size);
        done += size;
        output_taken(conn, size);
    }
    return done;
}

/* ---- coming and going ----------------------------------------------------- */

int evc_store_connect(struct evc_store *store, uint16_t domain,
                      void (*ready)(void *data), void *data,
                      struct evc_store_conn **out)
{
    struct evc_store_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL)
        return -ENOMEM;
    conn->store = store;
    conn->domain = domain;
    conn->ready = ready;
    conn->data = data;
    conn->last_event = &conn->events;
    conn->next = store->conns;
    store->conns = conn;
    *out = conn;
    return 0;
}

void evc_store_reset(struct evc_store_conn *conn)
{
    evc_watch_remove_all(conn);
    evc_trans_end_all(conn);
    while (conn->events != NULL)
        drop_event(conn);
    conn->taken = 0;
    conn->reply_size = 0;
    conn->before_reply = 0;
    conn->in = 0;
}

void evc_store_disconnect(struct evc_store_conn *conn)
{
    struct evc_store_conn **slot;

    if (conn == NULL)
        return;
    slot = &conn->store->conns;
    while (*slot != conn)
        slot = &(*slot)->next;
    *slot = conn->next;
    evc_store_reset(conn);
    free(conn);
}
