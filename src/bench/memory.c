/* SPDX-License-Identifier: MIT */
/*
 * A second link is opened, with as many channels as the first, and one with four
 * times as many; what more the latter took is divided by what more it has.  So
 * what a link takes, however few channels it has, is in no figure.
 *
 * The heap is looked at; what is mapped, the adapter says; the kernel's memory
 * is not known.
 */
#include <errno.h>
#include <malloc.h>
#include <math.h>

#include "memory.h"
#include "route.h"

#define MORE 4u

struct footprint {
    double private, shared, receiver, descriptors;
};

/* Bytes; a sanitizer's allocator says 0. */
static double heap(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)info.uordblks + (double)info.hblkhd;
}

static void ignore(void *data, uint32_t channel)
{
    (void)data;
    (void)channel;
}

/* What a link of so many channels takes. */
static int look(const struct evc_adapter *adapter, uint32_t channels,
                struct footprint *print)
{
    const struct evc_adapter_config config = {
        .channels = channels,
        .handler = ignore,
    };
    struct evc_adapter_memory memory = {0};
    double before = heap(), fds = evc_machine_open_descriptors();
    void *link;
    int r = adapter->open(&config, &link);

    if (r == -EMFILE) { /* a second link is too much: nobody knows */
        *print = (struct footprint){NAN, NAN, NAN, NAN};
        return 0;
    }
    if (r < 0)
        return r;
    if (adapter->memory)
        adapter->memory(link, &memory);
    *print = (struct footprint){
        .private = before > 0 ? heap() - before : NAN,
        .shared = (double)memory.shared,
        .receiver = (double)memory.receiver,
        .descriptors = evc_machine_open_descriptors() - fds,
    };
    adapter->close(link);
    return 0;
}

/* Of one more channel, on average. */
static int look_twice(const struct evc_route *route, struct footprint *print)
{
    const struct evc_adapter *adapter = route->adapter;
    uint32_t few = route->channels, many = MORE * few;
    struct footprint base = {0};
    double more;
    int r = 0;

    if (adapter->channels && many > adapter->channels)
        many = adapter->channels;
    if (evc_machine_descriptors((uint64_t)adapter->descriptors * many) < 0)
        many = few;
    if (many > few)
        r = look(adapter, few, &base);
    if (r == 0)
        r = look(adapter, many, print);
    more = many > few ? many - few : few;
    print->private = (print->private - base.private) / more;
    print->shared = (print->shared - base.shared) / more;
    print->receiver = (print->receiver - base.receiver) / more;
    print->descriptors = (print->descriptors - base.descriptors) / more;
    return r;
}

#define BODY(name)                                                    \
    int evc_memory_##name(void *subject, const struct evc_cell *cell, \
                          uint64_t reps, struct evc_sample *sample)   \
    {                                                                 \
        struct footprint print = {0};                                 \
        int r = look_twice(subject, &print);                          \
                                                                      \
        (void)cell;                                                   \
        (void)reps;                                                   \
        if (r == 0)                                                   \
            *sample = (struct evc_sample){print.name, 1};             \
        return r;                                                     \
    }

BODY(private)
BODY(shared)
BODY(receiver)
BODY(descriptors)
