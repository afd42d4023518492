/* SPDX-License-Identifier: MIT */
/* The kernel's end of a store's ring, on libxenevtchn. */
#ifndef EXAMPLE_RING_H
#define EXAMPLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wire.h> /* of src/store */

struct ring {
    struct xenevtchn_handle *events;
    int port;
    struct evc_xs_ring *page;
    uint32_t asked;   /* requests so far; the last one's number */
    uint32_t watched; /* watch events so far */
    void (*on_watch)(const char *path, const char *token);
    char reply[EVC_XS_PAYLOAD + 1]; /* the last one; with a 0 at its end */
};

/*
 * Offer it: a page in one file, the number of a port in another, which comes
 * into being last.  Whatever goes wrong, here and below, ends the program.
 */
void ring_offer(struct ring *ring, const char *port_file,
                const char *page_file);
/* Until the store says something. */
void ring_wait(struct ring *ring);

/*
 * One request and its reply, whose length is returned; -1: it is an error, whose
 * name is the reply.  Watch events that come before it are told.
 */
int ring_ask(struct ring *ring, enum evc_xs_type type, uint32_t transaction,
             const void *body, size_t size);
/* Until there have been so many watch events. */
void ring_await_watches(struct ring *ring, uint32_t watched);

void fail(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif /* EXAMPLE_RING_H */
