/* SPDX-License-Identifier: MIT */
/*
 * Bytes go round in two small circles, one for each direction; who has put some
 * in or taken some out sends an event, and who finds nothing to do waits for one.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>

#define PATIENCE 60000 /* ms, for a store that is just slow */

void fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("kernel: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- events ------------------------------------------------------------- */

static void send(struct ring *ring)
{
    if (xenevtchn_notify(ring->events, (evtchn_port_t)ring->port) < 0)
        fail("notify: %s", strerror(errno));
}

void ring_wait(struct ring *ring)
{
    struct pollfd it = {.fd = xenevtchn_fd(ring->events), .events = POLLIN};
    int n = poll(&it, 1, PATIENCE), port;

    if (n == 0)
        fail("the store has been silent for %d s, at request %u",
             PATIENCE / 1000, ring->asked);
    if (n < 0 || (port = xenevtchn_pending(ring->events)) < 0)
        fail("waiting for an event: %s", strerror(errno));
    if (port != ring->port)
        fail("an event of port %d, which nobody has", port);
    if (xenevtchn_unmask(ring->events, (evtchn_port_t)port) < 0)
        fail("unmask: %s", strerror(errno));
}

/* ---- bytes -------------------------------------------------------------- */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static void put(struct ring *ring, const void *data, size_t size)
{
    struct evc_xs_ring *page = ring->page;
    uint32_t at = evc_a32_load_rlx(&page->req_prod);
    const char *from = data;

    while (size > 0) {
        uint32_t used = at - evc_a32_load_acq(&page->req_cons);
        uint32_t begin = at % EVC_XS_RING;
        size_t n;

        if (used > EVC_XS_RING)
            fail("the store took what was not there");
        n = least(size, EVC_XS_RING - used, EVC_XS_RING - begin);
        if (n == 0) {
            send(ring); /* take some! */
            ring_wait(ring);
            continue;
        }
        memcpy(page->req + begin, from, n);
        from += n;
        size -= n;
        at += (uint32_t)n;
        evc_a32_store_rel(&page->req_prod, at);
    }
}

static void get(struct ring *ring, void *data, size_t size)
{
    struct evc_xs_ring *page = ring->page;
    uint32_t at = evc_a32_load_rlx(&page->rsp_cons);
    char *to = data;

    while (size > 0) {
        uint32_t there = evc_a32_load_acq(&page->rsp_prod) - at;
        uint32_t begin = at % EVC_XS_RING;
        size_t n;

        if (there > EVC_XS_RING)
            fail("the store put in more than there is room for");
        n = least(size, there, EVC_XS_RING - begin);
        if (n == 0) {
            ring_wait(ring);
            continue;
        }
        memcpy(to, page->rsp + begin, n);
        to += n;
        size -= n;
        at += (uint32_t)n;
        evc_a32_store_rel(&page->rsp_cons, at);
        send(ring); /* there is room again */
    }
}

/* ---- messages ----------------------------------------------------------- */

static struct evc_xs_header receive(struct ring *ring)
{
    struct evc_xs_header header;

    get(ring, &header, sizeof(header));
    if (header.len > EVC_XS_PAYLOAD)
        fail("a message of %u bytes", header.len);
    get(ring, ring->reply, header.len);
    ring->reply[header.len] = 0;
    return header;
}

/* A path and a token. */
static void take_watch(struct ring *ring, const struct evc_xs_header *header)
{
    size_t path = strlen(ring->reply) + 1;

    if (path >= header->len || ring->reply[header->len - 1] != 0)
        fail("a watch event that is none: '%s'", ring->reply);
    ring->watched++;
    if (ring->on_watch != NULL)
        ring->on_watch(ring->reply, ring->reply + path);
}

int ring_ask(struct ring *ring, enum evc_xs_type type, uint32_t transaction,
             const void *body, size_t size)
{
    struct evc_xs_header header = {.type = type,
                                   .req_id = ++ring->asked,
                                   .tx_id = transaction,
                                   .len = (uint32_t)size};

    put(ring, &header, sizeof(header));
    put(ring, body, size);
    send(ring);
    while ((header = receive(ring)).type == EVC_XS_WATCH_EVENT)
        take_watch(ring, &header);
    if (header.req_id != ring->asked || header.tx_id != transaction ||
        (header.type != type && header.type != EVC_XS_ERROR))
        fail("request %u, of type %u, is answered by one to %u, of type %u",
             ring->asked, type, header.req_id, header.type);
    return header.type == EVC_XS_ERROR ? -1 : (int)header.len;
}

void ring_await_watches(struct ring *ring, uint32_t watched)
{
    while (ring->watched < watched) {
        struct evc_xs_header header = receive(ring);

        if (header.type != EVC_XS_WATCH_EVENT)
            fail("nobody asked for a message of type %u", header.type);
        take_watch(ring, &header);
    }
}

/* ---- the offer ---------------------------------------------------------- */

static struct evc_xs_ring *make_page(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    void *page = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, 4096) == 0)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        fail("%s: %s", path, strerror(errno));
    close(fd);
    return page;
}

/* Whole, or not at all: somebody waits for it. */
static void tell_port(const char *path, int port)
{
    char part[4096];
    FILE *out;

    snprintf(part, sizeof(part), "%s.part", path);
    out = fopen(part, "we");
    if (out == NULL || fprintf(out, "%d", port) < 0 || fclose(out) != 0 ||
        rename(part, path) < 0)
        fail("%s: %s", path, strerror(errno));
}

void ring_offer(struct ring *ring, const char *port_file, const char *page_file)
{
    *ring = (struct ring){.page = make_page(page_file)};
    ring->events = xenevtchn_open(NULL, 0);
    if (ring->events == NULL)
        fail("event channels: %s", strerror(errno));
    ring->port = xenevtchn_bind_unbound_port(ring->events, 0);
    if (ring->port < 0)
        fail("a port for domain 0: %s", strerror(errno));
    tell_port(port_file, ring->port);
}
