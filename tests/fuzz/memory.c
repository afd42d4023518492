/* SPDX-License-Identifier: MIT */
/*
 * The naive engine's delivery: which bits of the shadow change with an event.
 */
#include <string.h>

#include "naive.h"

#define HEAD(priority) (8 + 4 * (priority)) /* in a control block */

/* ---- loading and storing ------------------------------------------------ */

uint32_t naive_load(const void *at, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, at, size);
    return value;
}

void naive_store(struct naive_domain *d, void *at, const void *from,
                 size_t size)
{
    uintptr_t offset = (uintptr_t)at - (uintptr_t)d->shadow;

    memcpy(at, from, size);
    if (offset >= FRAMES * PAGE || size == 0)
        return;
    for (uintptr_t f = offset / PAGE; f <= (offset + size - 1) / PAGE; f++)
        d->touched[f] = true;
}

void naive_store32(struct naive_domain *d, void *at, uint32_t value)
{
    naive_store(d, at, &value, 4);
}

static void store8(struct naive_domain *d, uint8_t *at, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    naive_store(d, at, &byte, 1);
}

/* The bit as it was. */
static bool set_bit(struct naive_domain *d, uint8_t *bits, uint32_t n)
{
    bool was = bits[n / 8] >> n % 8 & 1;

    store8(d, &bits[n / 8], bits[n / 8] | 1u << n % 8);
    return was;
}

static bool clear_bit(struct naive_domain *d, uint8_t *bits, uint32_t n)
{
    bool was = bits[n / 8] >> n % 8 & 1;

    store8(d, &bits[n / 8], bits[n / 8] & ~(1u << n % 8));
    return was;
}

/* ---- telling a vCPU ----------------------------------------------------- */

static void raise_upcall(struct naive_domain *d, unsigned vcpu)
{
    if (!set_bit(d, d->vcpu[vcpu].info, 0))
        d->kicks[vcpu]++;
}

bool naive_is_due(struct naive_domain *d, unsigned vcpu)
{
    const uint8_t *info = d->vcpu[vcpu].info;

    return info[0] != 0 && !(d->abi.has_upcall_mask && info[1] != 0);
}

/* ---- two-level ---------------------------------------------------------- */

static void tell_word(struct naive_domain *d, uint32_t port)
{
    unsigned vcpu = d->port[port].vcpu;

    if (!set_bit(d, d->vcpu[vcpu].info + d->abi.pending_sel,
                 port / (8u * d->abi.word)))
        raise_upcall(d, vcpu);
}

static void post_bit(struct naive_domain *d, uint32_t port)
{
    if (port >= d->abi.twolevel_ports)
        return;
    if (set_bit(d, d->shadow + d->abi.pending, port))
        return;
    if (!naive_is_masked(d, port))
        tell_word(d, port);
}

static void unmask_bit(struct naive_domain *d, uint32_t port)
{
    if (port >= d->abi.twolevel_ports)
        return;
    if (clear_bit(d, d->shadow + d->abi.mask, port) &&
        naive_is_pending(d, port))
        tell_word(d, port);
}

/* ---- FIFO --------------------------------------------------------------- */

static uint8_t *word_of(struct naive_domain *d, uint32_t port)
{
    if (port / 1024 >= d->pages)
        return NULL;
    return d->shadow + d->page[port / 1024] * PAGE + port % 1024 * 4;
}

static uint32_t bits_of(struct naive_domain *d, uint32_t port)
{
    uint8_t *word = word_of(d, port);

    return word != NULL ? naive_load(word, 4) : 0;
}

/* Behind the old tail if that is still on the queue, else a new list. */
static void append(struct naive_domain *d, struct naive_vcpu *v,
                   unsigned priority, uint32_t port)
{
    uint32_t tail = v->tail[priority], word = 0;

    if (tail != 0 && tail != port)
        word = bits_of(d, tail);
    v->tail[priority] = port;
    if (word & LINKED) {
        naive_store32(d, word_of(d, tail), (word & ~(BUSY | LINK_MASK)) | port);
        return;
    }
    naive_store32(d, v->block + HEAD(priority), port);
    if (!set_bit(d, v->block, priority))
        raise_upcall(d, (unsigned)(v - d->vcpu));
}

static void link_port(struct naive_domain *d, uint32_t port)
{
    struct naive_port *p = &d->port[port];
    unsigned priority = p->away ^ 7u;
    uint32_t to = p->vcpu * QUEUES + priority;

    if (p->queue != 0 && p->queue - 1 != to) {
        struct naive_vcpu *old = &d->vcpu[(p->queue - 1) / QUEUES];
        uint32_t *tail = &old->tail[(p->queue - 1) % QUEUES];

        if (old->block != NULL && *tail == port)
            *tail = 0;
    }
    append(d, &d->vcpu[p->vcpu], priority, port);
    p->queue = to + 1;
}

static void post_word(struct naive_domain *d, uint32_t port)
{
    uint8_t *at = word_of(d, port);
    uint32_t word;

    if (at == NULL) {
        d->port[port].saved = true;
        return;
    }
    if (d->vcpu[d->port[port].vcpu].block == NULL)
        return;
    word = naive_load(at, 4);
    if (word & (MASKED | LINKED)) {
        naive_store32(d, at, word | PENDING);
        return;
    }
    naive_store32(d, at, word | PENDING | LINKED);
    link_port(d, port);
}

static void unmask_word(struct naive_domain *d, uint32_t port)
{
    uint8_t *at = word_of(d, port);
    uint32_t word;

    if (at == NULL)
        return;
    word = naive_load(at, 4) & ~MASKED;
    naive_store32(d, at, word);
    if ((word & (PENDING | LINKED)) != PENDING ||
        d->vcpu[d->port[port].vcpu].block == NULL)
        return;
    naive_store32(d, at, word | LINKED);
    link_port(d, port);
}

/* ---- either ------------------------------------------------------------- */

void naive_post(struct naive_domain *d, uint32_t port)
{
    if (d->fifo)
        post_word(d, port);
    else
        post_bit(d, port);
}

void naive_unmask(struct naive_domain *d, uint32_t port)
{
    if (d->fifo)
        unmask_word(d, port);
    else
        unmask_bit(d, port);
}

void naive_forget(struct naive_domain *d, uint32_t port)
{
    if (!d->fifo) {
        if (port < d->abi.twolevel_ports)
            (void)clear_bit(d, d->shadow + d->abi.pending, port);
        return;
    }
    if (word_of(d, port) != NULL)
        naive_store32(d, word_of(d, port), bits_of(d, port) & ~PENDING);
    if (!d->all->xen_417)
        d->port[port].saved = false;
}

static bool test_bit(struct naive_domain *d, unsigned bits, uint32_t port)
{
    return port < d->abi.twolevel_ports &&
           (d->shadow[bits + port / 8] >> port % 8 & 1);
}

bool naive_is_pending(struct naive_domain *d, uint32_t port)
{
    return d->fifo ? bits_of(d, port) & PENDING
                   : test_bit(d, d->abi.pending, port);
}

bool naive_is_masked(struct naive_domain *d, uint32_t port)
{
    return d->fifo ? bits_of(d, port) & MASKED : test_bit(d, d->abi.mask, port);
}

bool naive_is_linked(struct naive_domain *d, uint32_t port)
{
    return d->fifo && (bits_of(d, port) & LINKED);
}

/* ---- clocks, and where vcpu_info is ------------------------------------- */

static void store64(struct naive_domain *d, uint8_t *at, uint64_t value)
{
    naive_store32(d, at, (uint32_t)value);
    naive_store32(d, at + 4, (uint32_t)(value >> 32));
}

void naive_write_time(struct naive_domain *d, unsigned vcpu)
{
    const struct world *w = d->all->w;
    uint8_t *at = d->vcpu[vcpu].info + d->abi.time;
    uint32_t odd = naive_load(at, 4) | 1;

    naive_store32(d, at, odd);
    store64(d, at + 8, w->rate.tsc_timestamp + w->now);
    store64(d, at + 16, w->now);
    naive_store32(d, at + 24, w->rate.tsc_to_system_mul);
    naive_store32(d, at + 28,
                  (uint8_t)w->rate.tsc_shift | (uint32_t)w->rate.flags << 8);
    naive_store32(d, at, odd + 1);
}

void naive_write_wallclock(struct naive_domain *d, uint64_t ns)
{
    uint8_t *at = d->shadow + d->abi.wc_version;
    uint32_t odd = naive_load(at, 4) | 1;

    naive_store32(d, at, odd);
    naive_store32(d, d->shadow + d->abi.wc_sec, (uint32_t)(ns / 1000000000u));
    naive_store32(d, d->shadow + d->abi.wc_nsec, (uint32_t)(ns % 1000000000u));
    if (d->abi.wc_sec_hi != 0)
        naive_store32(d, d->shadow + d->abi.wc_sec_hi,
                      (uint32_t)(ns / 1000000000u >> 32));
    naive_store32(d, at, odd + 1);
}

/* Copied as it stands, and everything announced: the guest is to rescan. */
void naive_move_info(struct naive_domain *d, unsigned vcpu, uint8_t *to)
{
    struct naive_vcpu *v = &d->vcpu[vcpu];
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    uint8_t copy[64];

    memcpy(copy, v->info, d->abi.vcpu_info_size);
    if (vcpu >= d->abi.vcpu_slots && d->abi.has_upcall_mask)
        copy[1] = 1;
    naive_store(d, to, copy, d->abi.vcpu_info_size);
    v->info = to;
    v->moved = true;
    naive_write_time(d, vcpu);
    naive_store(d, to + d->abi.pending_sel, ones, d->abi.word);
    store8(d, to, *to | 1u);
}
