/* SPDX-License-Identifier: MIT */
/*
 * One port is sent at full rate, by a thread of its own and by its handler, and
 * all its events do "work"; nine others, before and behind it, now and then.
 * How long do those wait?
 *
 * The bound, in handlers: with one dispatch after the other of at most 16
 * handlers, an event of another port is served after at most two rounds of the
 * ports that are in use (two-level), or after those that were queued before it
 * (FIFO): here, 2 * 10 handlers, plus one for each of the quiet ports that are
 * sent meanwhile.
 *
 *   fairness twolevel|fifo [MS]     EVC_FAIRNESS_MS overrides
 *
 * Exit status: 0; 1: an event waited longer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"

#define QUIET 9u
#define BOUND (2u * (QUIET + 1))

static struct side *a, *b;
static struct link noisy, quiet[QUIET];
static _Atomic bool stop;
static uint64_t handled, sent_at[QUIET], longest, served, noise;

static int on_noise(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)port;
    (void)data;
    handled++;
    noise++;
    (void)evc_send(b->dom, noisy.there); /* pending again before we are gone */
    return EVC_GUEST_DONE;
}

static int on_quiet(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    uint64_t *at = data;

    (void)self;
    (void)port;
    if (*at != 0 && handled + 1 - *at > longest)
        longest = handled + 1 - *at;
    *at = 0;
    handled++;
    served++;
    return EVC_GUEST_DONE;
}

static void *send_noise(void *unused)
{
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        (void)evc_send(b->dom, noisy.there);
    return NULL;
}

static void open_ports(void)
{
    static const struct evc_guest_binding silent = {0};

    for (unsigned i = 0; i < QUIET; i++) {
        struct evc_guest_binding how = {.handler = on_quiet,
                                        .data = &sent_at[i]};
        struct evc_guest_binding loud = {.handler = on_noise};

        if (i == QUIET / 2)
            noisy = side_connect(a, b, &loud, &silent);
        quiet[i] = side_connect(a, b, &how, &silent);
    }
}

/* From the dispatching thread, so that the count of handlers is its own. */
static void send_quiet(unsigned i)
{
    if (sent_at[i] != 0)
        return;
    sent_at[i] = handled + 1;
    (void)evc_send(b->dom, quiet[i].there);
}

int main(int argc, char **argv)
{
    bool fifo = argc > 1 && strcmp(argv[1], "fifo") == 0;
    const char *override = getenv("EVC_FAIRNESS_MS");
    uint64_t ms = strtoull(override   ? override
                           : argc > 2 ? argv[2]
                                      : "1000",
                           NULL, 0);
    struct side_config config = {.abi = fifo ? EVC_GUEST_ABI_FIFO
                                             : EVC_GUEST_ABI_TWOLEVEL};
    uint64_t end = evc_guest_libevc_now(NULL) + ms * 1000000;
    pthread_t thread;

    a = side_create(config);
    b = side_create(config);
    open_ports();
    side_run(a, 0);
    pthread_create(&thread, NULL, send_noise, NULL);
    for (unsigned i = 0; evc_guest_libevc_now(NULL) < end; i++) {
        for (unsigned n = 0; n <= i % QUIET; n++)
            send_quiet(n);
        (void)evc_guest_dispatch(&a->vcpu[0], 16, 0);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    printf("fairness: %s: %llu noisy and %llu other events; longest wait %llu "
           "handlers, bound %u\n",
           fifo ? "FIFO" : "two-level", (unsigned long long)noise,
           (unsigned long long)served, (unsigned long long)longest, BOUND);
    return longest > BOUND || served == 0 || noise == 0;
}
