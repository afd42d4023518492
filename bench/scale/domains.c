/* SPDX-License-Identifier: MIT */
/*
 * A thousand domains, and one of 128 vCPUs.
 */
#include "scale.h"

#include <stdlib.h>

#include <evc/abi/vcpu.h>

#include "party.h"
#include "report.h"

#define DOMAINS 1000u

/* ---- domains ------------------------------------------------------------ */

static struct party *parties[DOMAINS];

/* Every one to the next, as between a front end and its back end. */
static void join_all(void)
{
    for (unsigned i = 0; i + 1 < DOMAINS; i++) {
        uint32_t port = alloc_unbound(parties[i], parties[i + 1]->id);

        (void)bind_interdomain(parties[i + 1], parties[i]->id, port);
    }
}

static void send_round(void)
{
    for (unsigned i = 0; i + 1 < DOMAINS; i++)
        check(evc_send(parties[i]->domain, i ? 2 : 1), "send");
}

void measure_domains(void)
{
    struct evc_engine *engine = engine_create();

    section("1,000 domains of one vCPU");
    begin();
    for (unsigned i = 0; i < DOMAINS; i++)
        parties[i] = party_create(engine, (evc_domid)i, 1);
    end("create", DOMAINS);
    begin();
    join_all();
    end("a channel from each to the next", DOMAINS - 1);
    begin();
    send_round();
    end("each sends to the next", DOMAINS - 1);
    begin();
    for (unsigned i = 0; i < DOMAINS; i++)
        init_control(parties[i], 0);
    end("first init_control", DOMAINS);
    begin();
    for (unsigned i = 0; i < DOMAINS; i++)
        party_destroy(parties[i]);
    end("destroy", DOMAINS);
    evc_engine_destroy(engine);
}

/* ---- vCPUs -------------------------------------------------------------- */

static void register_info(struct party *party, uint32_t vcpu)
{
    struct vcpu_register_vcpu_info raw = {
        .mfn = (uintptr_t)party->info / PAGE + vcpu / 64,
        .offset = vcpu % 64 * 64,
    };
    const uint64_t args[6] = {VCPUOP_register_vcpu_info, vcpu, (uintptr_t)&raw};

    check((int)evc_hypercall(party->domain, vcpu, __HYPERVISOR_vcpu_op, args),
          "register_vcpu_info");
}

static void bind_timer(struct party *party, uint32_t vcpu)
{
    struct evtchn_bind_virq arg = {.virq = VIRQ_TIMER, .vcpu = vcpu};

    check(evc_event_channel_op(party->domain, EVTCHNOP_bind_virq, &arg),
          "bind_virq");
}

static void set_timer(struct party *party, uint32_t vcpu, uint64_t deadline)
{
    const uint64_t args[6] = {deadline};

    check((int)evc_hypercall(party->domain, vcpu, __HYPERVISOR_set_timer_op,
                             args),
          "set_timer_op");
}

#define FOR_EACH(call)                           \
    do {                                         \
        for (uint32_t v = 0; v < VCPUS_MAX; v++) \
            call;                                \
    } while (0)

static void raise_timer(struct party *party, uint32_t vcpu)
{
    check(evc_raise_vcpu_virq(party->domain, vcpu, VIRQ_TIMER), "virq");
}

void measure_vcpus(void)
{
    struct evc_engine *engine = engine_create();
    struct party *party;
    uint32_t ipi[VCPUS_MAX];

    section("one domain of 128 vCPUs, FIFO");
    begin();
    party = party_create(engine, 1, VCPUS_MAX);
    end("create", 1);
    begin();
    FOR_EACH(register_info(party, v));
    end("register_vcpu_info", VCPUS_MAX);
    begin();
    FOR_EACH(init_control(party, v));
    end("init_control", VCPUS_MAX);
    expand_all(party);
    begin();
    FOR_EACH(bind_timer(party, v));
    end("bind_virq, a timer each", VCPUS_MAX);
    begin();
    FOR_EACH(ipi[v] = bind_ipi(party, v));
    end("bind_ipi", VCPUS_MAX);
    begin();
    FOR_EACH(raise_timer(party, v));
    end("a timer's event each", VCPUS_MAX);
    begin();
    FOR_EACH(check(evc_send(party->domain, ipi[v]), "IPI"));
    end("an IPI each", VCPUS_MAX);
    /* An hour from now: the engine's thread has nothing to do. */
    begin();
    FOR_EACH(set_timer(party, v, (uint64_t)wall_ns() + 3600000000000u + v));
    end("set_timer_op", VCPUS_MAX);
    begin();
    party_destroy(party);
    end("destroy", 1);
    evc_engine_destroy(engine);
}
