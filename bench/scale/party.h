/* SPDX-License-Identifier: MIT */
/*
 * A party: a domain and its guest's memory, in this process.
 *
 * The memory comes from mmap(), so that what the heap grows by is the engine's.
 */
#ifndef EVC_BENCH_SCALE_PARTY_H
#define EVC_BENCH_SCALE_PARTY_H

#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

#define PAGE      4096u
#define PORTS     131071u /* the most a domain can have open */
#define VCPUS_MAX 128u

struct party {
    _Alignas(PAGE) struct evc_abi_shared_info_x86_64 page;
    _Alignas(PAGE) uint8_t info[VCPUS_MAX][64]; /* for vCPUs without a slot */
    _Alignas(PAGE) uint32_t control[VCPUS_MAX][32];
    _Alignas(PAGE) uint32_t words[PORTS + 1];
    struct evc_domain *domain;
    evc_domid id;
};

/* An engine whose guests' frames are addresses of this program. */
struct evc_engine *engine_create(void);

struct party *party_create(struct evc_engine *engine, evc_domid id,
                           uint32_t vcpus);
/* Its domain is gone with it, if it has not gone before. */
void party_destroy(struct party *party);

/* Ends the program if the operation fails: nothing here may. */
void check(int r, const char *what);

/* The port, where the operation makes one. */
uint32_t alloc_unbound(struct party *party, evc_domid remote);
uint32_t bind_interdomain(struct party *party, evc_domid remote, uint32_t port);
uint32_t bind_ipi(struct party *party, uint32_t vcpu);
void close_port(struct party *party, uint32_t port);
void bind_vcpu(struct party *party, uint32_t port, uint32_t vcpu);
void reset(struct party *party);

/* FIFO: the control block of a vCPU; all pages of event words. */
void init_control(struct party *party, uint32_t vcpu);
void expand_all(struct party *party);
/* Both, for the first vCPU. */
void go_fifo(struct party *party);

#endif /* EVC_BENCH_SCALE_PARTY_H */
