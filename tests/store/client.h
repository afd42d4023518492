/* SPDX-License-Identifier: MIT */
/* A connection of a test: requests and answers as text, '|' for a zero byte. */
#ifndef EVC_TESTS_STORE_CLIENT_H
#define EVC_TESTS_STORE_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store.h"

struct client {
    struct evc_store *store;
    struct evc_store_conn *conn;
    uint32_t tx;                    /* of the next requests */
    char reply[EVC_XS_PAYLOAD + 2]; /* errors begin with '!' */
    char events[8192];              /* "path|token|" and a newline each */
};

void client_init(struct client *client, struct evc_store *store,
                 uint16_t domain);
/* The reply; what events came is added to client->events. */
const char *ask(struct client *client, enum evc_xs_type type,
                const char *payload);
const char *ask_bytes(struct client *client, enum evc_xs_type type,
                      const void *payload, size_t size);
/* Only take the events that are there. */
void take_events(struct client *client);
/* START, and let what follows be part of it. */
void begin(struct client *client);
const char *end(struct client *client, const char *how);

#endif /* EVC_TESTS_STORE_CLIENT_H */
