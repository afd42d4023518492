/* SPDX-License-Identifier: MIT */
/*
 * Two guests on one engine, and channels from one to the other: what is
 * measured of evc, as an adapter and by itself.
 *
 * What a guest shares with its host is mapped as shared, so that a process
 * forked off may be the receiving guest, and the other go on being the host.
 */
#ifndef EVC_BENCH_GUESTS_H
#define EVC_BENCH_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/abi/layouts.h>
#include <evc/evc.h>
#include <evc/guest.h>

/* Domains. */
#define EVC_RECEIVER 1u
#define EVC_SENDER   2u

struct evc_bench_guest {
    struct evc_domain *domain;
    struct evc_guest guest;
    struct evc_guest_vcpu *vcpu;  /* in shared memory, with its control block */
    struct evc_guest_port *ports; /* private */
    struct evc_abi_shared_info_x86_64 *info;
    uint32_t *events; /* FIFO words; shared */
    uint32_t nr_ports;
    size_t shared_size, private_size;
};

struct evc_bench_guests {
    struct evc_engine *engine;
    struct evc_bench_guest receiver, sender;
    uint32_t channels;
    /* Channel c has port `to` + c in the receiver, `from` + c in the sender. */
    evc_port to, from;
};

struct evc_bench_guests_config {
    bool fifo;
    uint32_t channels;
    evc_guest_handler *handler;              /* of the receiver's ports */
    void (*kick)(void *data, uint32_t vcpu); /* of the receiver, or NULL */
    void *data;                              /* of both */
};

#define EVC_TWOLEVEL_CHANNELS 4000u
#define EVC_FIFO_CHANNELS     131000u

int evc_bench_guests_open(const struct evc_bench_guests_config *config,
                          struct evc_bench_guests **out);
void evc_bench_guests_close(struct evc_bench_guests *guests);

/* Open one more channel, both ends, and close it. */
int evc_bench_guests_cycle(struct evc_bench_guests *guests);

#endif /* EVC_BENCH_GUESTS_H */
