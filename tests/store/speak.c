/* SPDX-License-Identifier: MIT */
/*
 * Say what a script says to a store, and print what it answers.
 *
 *     speak < SCRIPT               to the store of this tree
 *     speak SOCKET < SCRIPT        to a xenstored that listens there
 *
 * A line is "CONNECTION REQUEST TRANSACTION PAYLOAD", '|' in the payload is a
 * zero byte: "a WRITE 0 /x|hello".  Connections are made when first named, all
 * of them domain 0's.  A reply is printed as "= TYPE PAYLOAD", an event as
 * "! CONNECTION PATH|TOKEN|", before or after the reply as it came.  Numbers
 * that any store may choose freely have names: transactions T1, T2..., the
 * count in front of a part of a directory G.  Lines with '=' or '!' are left
 * out, so that what is printed can be said again.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store.h"

static const char *const types[] = {
    [EVC_XS_CONTROL] = "CONTROL",
    [EVC_XS_DIRECTORY] = "DIRECTORY",
    [EVC_XS_READ] = "READ",
    [EVC_XS_GET_PERMS] = "GET_PERMS",
    [EVC_XS_WATCH] = "WATCH",
    [EVC_XS_UNWATCH] = "UNWATCH",
    [EVC_XS_TRANSACTION_START] = "TRANSACTION_START",
    [EVC_XS_TRANSACTION_END] = "TRANSACTION_END",
    [EVC_XS_INTRODUCE] = "INTRODUCE",
    [EVC_XS_RELEASE] = "RELEASE",
    [EVC_XS_GET_DOMAIN_PATH] = "GET_DOMAIN_PATH",
    [EVC_XS_WRITE] = "WRITE",
    [EVC_XS_MKDIR] = "MKDIR",
    [EVC_XS_RM] = "RM",
    [EVC_XS_SET_PERMS] = "SET_PERMS",
    [EVC_XS_WATCH_EVENT] = "WATCH_EVENT",
    [EVC_XS_ERROR] = "ERROR",
    [EVC_XS_IS_DOMAIN_INTRODUCED] = "IS_DOMAIN_INTRODUCED",
    [EVC_XS_RESUME] = "RESUME",
    [EVC_XS_SET_TARGET] = "SET_TARGET",
    [EVC_XS_RESET_WATCHES] = "RESET_WATCHES",
    [EVC_XS_DIRECTORY_PART] = "DIRECTORY_PART",
};

#define TYPES        (sizeof(types) / sizeof(*types))
#define CONNECTIONS  26u
#define TRANSACTIONS 100u

struct connection {
    bool open;
    int fd;                      /* of a socket; or */
    struct evc_store_conn *conn; /* in this process, and what it has said */
    char heard[65536];
    size_t nr_heard;
};

static struct connection connections[CONNECTIONS];
static uint32_t transactions[TRANSACTIONS], nr_transactions;
static struct evc_store *store;
static const char *socket_path;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "speak: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- the two kinds of store --------------------------------------------- */

static void open_connection(struct connection *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    c->open = true;
    if (socket_path == NULL) {
        if (evc_store_connect(store, 0, NULL, NULL, &c->conn) < 0)
            die("connect");
        return;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die(socket_path);
}

/* Our own takes no requests while it has something to say. */
static ssize_t say_here(struct connection *c, const void *bytes, size_t size)
{
    c->nr_heard += evc_store_output(c->conn, c->heard + c->nr_heard,
                                    sizeof(c->heard) - c->nr_heard);
    return evc_store_input(c->conn, bytes, size);
}

static ssize_t hear_here(struct connection *c, void *bytes, size_t size)
{
    c->nr_heard += evc_store_output(c->conn, c->heard + c->nr_heard,
                                    sizeof(c->heard) - c->nr_heard);
    if (size > c->nr_heard)
        size = c->nr_heard;
    memcpy(bytes, c->heard, size);
    c->nr_heard -= size;
    memmove(c->heard, c->heard + size, c->nr_heard);
    return (ssize_t)size;
}

static void say(struct connection *c, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t n = socket_path == NULL ? say_here(c, at, size)
                                        : write(c->fd, at, size);

        if (n <= 0)
            die("said");
        at += n;
        size -= (size_t)n;
    }
}

static void hear(struct connection *c, void *bytes, size_t size)
{
    for (char *at = bytes; size > 0;) {
        ssize_t n = socket_path == NULL ? hear_here(c, at, size)
                                        : read(c->fd, at, size);

        if (n <= 0)
            die("heard");
        at += n;
        size -= (size_t)n;
    }
}

/* ---- printing ------------------------------------------------------------- */

static void print_payload(const char *payload, size_t size)
{
    for (size_t i = 0; i < size; i++)
        putchar(payload[i] == '\0' ? '|' : payload[i]);
    putchar('\n');
}

static void print_reply(const struct evc_xs_header *header, char *payload)
{
    size_t size = header->len;

    printf("= %s ", header->type < TYPES ? types[header->type] : "?");
    if (header->type == EVC_XS_TRANSACTION_START) {
        transactions[nr_transactions++ % TRANSACTIONS] =
            (uint32_t)strtoul(payload, NULL, 10);
        printf("T%u|\n", nr_transactions);
        return;
    }
    if (header->type == EVC_XS_DIRECTORY_PART) {
        putchar('G');
        size -= strlen(payload);
        payload += strlen(payload);
    }
    print_payload(payload, size);
}

/* Print messages up to the reply to request `id`; with `quiet`, not that one. */
static void print_until(char name, struct connection *c, uint32_t id,
                        bool quiet)
{
    static char payload[65536];
    struct evc_xs_header header;

    do {
        hear(c, &header, sizeof(header));
        if (header.len >= sizeof(payload))
            die("too much");
        hear(c, payload, header.len);
        payload[header.len] = '\0';
        if (header.type == EVC_XS_WATCH_EVENT) {
            printf("! %c ", name);
            print_payload(payload, header.len);
        } else if (!quiet) {
            print_reply(&header, payload);
        }
    } while (header.type == EVC_XS_WATCH_EVENT || header.req_id != id);
}

/* ---- requests ---------------------------------------------------------------- */

static uint32_t type_of(const char *name)
{
    for (uint32_t i = 0; i < TYPES; i++)
        if (types[i] != NULL && strcmp(types[i], name) == 0)
            return i;
    return (uint32_t)strtoul(name, NULL, 10);
}

static uint32_t transaction_of(const char *name)
{
    uint32_t n = (uint32_t)strtoul(name + (*name == 'T'), NULL, 10);

    return *name == 'T' && n > 0 ? transactions[(n - 1) % TRANSACTIONS] : n;
}

static void request(struct connection *c, uint32_t id, uint32_t type,
                    uint32_t transaction, const char *payload, size_t size)
{
    struct evc_xs_header header = {type, id, transaction, (uint32_t)size};

    say(c, &header, sizeof(header));
    say(c, payload, size);
}

/* Events that are on their way come before the reply to a harmless question. */
static void print_events(void)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        if (!connections[i].open)
            continue;
        request(&connections[i], 7, EVC_XS_GET_DOMAIN_PATH, 0, "0", 2);
        print_until((char)('a' + i), &connections[i], 7, true);
    }
}

static void do_line(const char *line)
{
    char name, type[32], transaction[16], payload[8192];
    int at = 0;
    size_t size;
    struct connection *c;

    if (sscanf(line, "%c %31s %15s%n", &name, type, transaction, &at) != 3 ||
        name < 'a' || name > 'z')
        die(line);
    c = &connections[name - 'a'];
    if (!c->open)
        open_connection(c);
    size = (size_t)snprintf(payload, sizeof(payload), "%s",
                            line[at] == ' ' ? line + at + 1 : "");
    for (size_t i = 0; i < size; i++)
        if (payload[i] == '|')
            payload[i] = '\0';
    request(c, 1, type_of(type), transaction_of(transaction), payload, size);
    print_until(name, c, 1, false);
    print_events();
}

int main(int argc, char **argv)
{
    static char line[8192];

    socket_path = argc > 1 ? argv[1] : NULL;
    if (evc_store_create(&store) < 0)
        die("store");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '=' || line[0] == '!')
            continue;
        printf("%s\n", line);
        if (line[0] != '#' && line[0] != '\0')
            do_line(line);
    }
    evc_store_destroy(store);
    return 0;
}
