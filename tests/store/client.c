/* SPDX-License-Identifier: MIT */
/* A connection of a test: client.h. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void client_init(struct client *client, struct evc_store *store,
                 uint16_t domain)
{
    memset(client, 0, sizeof(*client));
    client->store = store;
    assert_int_equal(
        evc_store_connect(store, domain, NULL, NULL, &client->conn), 0);
}

static size_t take(struct client *client, struct evc_xs_header *header,
                   char text[EVC_XS_PAYLOAD + 1])
{
    size_t n = evc_store_output(client->conn, header, sizeof(*header));

    if (n == 0)
        return 0;
    assert_int_equal(n, sizeof(*header));
    assert_int_equal(evc_store_output(client->conn, text, header->len),
                     header->len);
    for (uint32_t i = 0; i < header->len; i++)
        if (text[i] == '\0')
            text[i] = '|';
    text[header->len] = '\0';
    return n;
}

static void take_messages(struct client *client, uint32_t type)
{
    char text[EVC_XS_PAYLOAD + 1];
    struct evc_xs_header header;

    while (take(client, &header, text) > 0) {
        if (header.type == EVC_XS_WATCH_EVENT) {
            assert_true(strlen(client->events) + header.len + 2 <
                        sizeof(client->events));
            strcat(strcat(client->events, text), "\n");
            continue;
        }
        assert_int_equal(header.req_id, 42);
        assert_int_equal(header.tx_id, client->tx);
        assert_true(header.type == type || header.type == EVC_XS_ERROR);
        sprintf(client->reply, "%s%s", header.type == EVC_XS_ERROR ? "!" : "",
                text);
    }
}

void take_events(struct client *client)
{
    if (client->store != NULL && evc_store_fd(client->store) >= 0)
        assert_true(evc_store_serve(client->store));
    take_messages(client, EVC_XS_ERROR);
}

const char *ask_bytes(struct client *client, enum evc_xs_type type,
                      const void *payload, size_t size)
{
    const struct evc_xs_header header = {(uint32_t)type, 42, client->tx,
                                         (uint32_t)size};

    take_events(client);
    strcpy(client->reply, "(no reply)");
    assert_int_equal(evc_store_input(client->conn, &header, sizeof(header)),
                     sizeof(header));
    if (size > 0)
        assert_int_equal(evc_store_input(client->conn, payload, size), size);
    take_messages(client, type);
    return client->reply;
}

const char *ask(struct client *client, enum evc_xs_type type,
                const char *payload)
{
    size_t size = strlen(payload);
    char bytes[EVC_XS_PAYLOAD];

    assert_true(size <= sizeof(bytes));
    for (size_t i = 0; i < size; i++)
        bytes[i] = payload[i] == '|' ? '\0' : payload[i];
    return ask_bytes(client, type, bytes, size);
}

void begin(struct client *client)
{
    client->tx =
        (uint32_t)strtoul(ask(client, EVC_XS_TRANSACTION_START, "|"), NULL, 10);
    assert_true(client->tx != 0);
}

const char *end(struct client *client, const char *how)
{
    const char *reply = ask(client, EVC_XS_TRANSACTION_END, how);

    client->tx = 0;
    return reply;
}
