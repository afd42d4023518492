/* SPDX-License-Identifier: MIT */
/*
 * Parties, and their operations in short.
 */
#include "party.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <evc/guest/libevc.h>

void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "scale: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

struct evc_engine *engine_create(void)
{
    static const struct evc_ops ops = {.size = sizeof(ops),
                                       EVC_GUEST_LIBEVC_OPS};
    struct evc_engine *engine;

    check(evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine), "engine");
    return engine;
}

struct party *party_create(struct evc_engine *engine, evc_domid id,
                           uint32_t vcpus)
{
    struct party *party = mmap(NULL, sizeof(*party), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = id,
        .layout = EVC_LAYOUT_X86_64,
        .vcpus = vcpus,
        .max_port = UINT32_MAX,
    };

    if (party == MAP_FAILED)
        check(-XEN_ENOMEM, "a guest's memory");
    config.shared_info = &party->page;
    config.cookie = party;
    party->id = id;
    check(evc_domain_create(engine, &config, &party->domain), "domain");
    return party;
}

void party_destroy(struct party *party)
{
    evc_domain_destroy(party->domain);
    munmap(party, sizeof(*party));
}

/* ---- operations --------------------------------------------------------- */

uint32_t alloc_unbound(struct party *party, evc_domid remote)
{
    struct evtchn_alloc_unbound arg = {.dom = DOMID_SELF, .remote_dom = remote};

    check(evc_event_channel_op(party->domain, EVTCHNOP_alloc_unbound, &arg),
          "alloc_unbound");
    return arg.port;
}

uint32_t bind_interdomain(struct party *party, evc_domid remote, uint32_t port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = remote,
                                          .remote_port = port};

    check(evc_event_channel_op(party->domain, EVTCHNOP_bind_interdomain, &arg),
          "bind_interdomain");
    return arg.local_port;
}

uint32_t bind_ipi(struct party *party, uint32_t vcpu)
{
    struct evtchn_bind_ipi arg = {.vcpu = vcpu};

    check(evc_event_channel_op(party->domain, EVTCHNOP_bind_ipi, &arg),
          "bind_ipi");
    return arg.port;
}

void close_port(struct party *party, uint32_t port)
{
    struct evtchn_close arg = {.port = port};

    check(evc_event_channel_op(party->domain, EVTCHNOP_close, &arg), "close");
}

void bind_vcpu(struct party *party, uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu arg = {.port = port, .vcpu = vcpu};

    check(evc_event_channel_op(party->domain, EVTCHNOP_bind_vcpu, &arg),
          "bind_vcpu");
}

void reset(struct party *party)
{
    struct evtchn_reset arg = {.dom = DOMID_SELF};

    check(evc_event_channel_op(party->domain, EVTCHNOP_reset, &arg), "reset");
}

static uint64_t frame_of(const void *address)
{
    return (uintptr_t)address / PAGE;
}

void init_control(struct party *party, uint32_t vcpu)
{
    struct evtchn_init_control arg = {
        .control_gfn = frame_of(party->control[vcpu]),
        .offset = (uint32_t)((uintptr_t)party->control[vcpu] % PAGE),
        .vcpu = vcpu,
    };

    check(evc_event_channel_op(party->domain, EVTCHNOP_init_control, &arg),
          "init_control");
}

void expand_all(struct party *party)
{
    for (uint32_t port = 0; port <= PORTS; port += PAGE / 4) {
        struct evtchn_expand_array arg = {.array_gfn =
                                              frame_of(&party->words[port])};

        check(evc_event_channel_op(party->domain, EVTCHNOP_expand_array, &arg),
              "expand_array");
    }
}

void go_fifo(struct party *party)
{
    init_control(party, 0);
    expand_all(party);
}
