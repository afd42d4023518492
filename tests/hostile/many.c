/* SPDX-License-Identifier: MIT */
/*
 * As many as there can be: ports of a domain, domains of an engine, vCPUs of a
 * domain.  What it takes in time and memory: ./dev bench --scale.
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#include <evc/abi/vcpu.h>

#define PORTS   131071u
#define DOMAINS 1000u
#define VCPUS   128u

/* ---- ports -------------------------------------------------------------- */

static void go_fifo(struct guest *g)
{
    enter_fifo(g, 1);
    for (int i = 0; i < 128; i++)
        assert_int_equal(grow(g), 0);
}

static void count(struct guest *g, uint32_t port, void *data)
{
    uint8_t *times = data;

    (void)g;
    times[port]++;
}

/* Each port of g has had exactly one event. */
static void assert_one_event_each(struct guest *g)
{
    uint8_t *times = calloc(PORTS + 1, 1);

    assert_int_equal(upcall(g, 0, count, times), PORTS);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(times[p], 1);
    free(times);
}

static void open_all(struct guest *a, struct guest *b)
{
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(alloc_unbound(a, DOMID_SELF, b->id), p);
    assert_int_equal(alloc_unbound(a, DOMID_SELF, b->id), -XEN_ENOSPC);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(bind_interdomain(b, a->id, p), p);
    assert_int_equal(bind_ipi(b, 0), -XEN_ENOSPC);
}

static void assert_all_joined(struct guest *a, struct guest *b)
{
    struct evtchn_status now;

    for (uint32_t p = 1; p <= PORTS; p++) {
        assert_int_equal(status(a, DOMID_SELF, p, &now), 0);
        assert_int_equal(now.status, EVTCHNSTAT_interdomain);
        assert_int_equal(now.u.interdomain.dom, b->id);
        assert_int_equal(now.u.interdomain.port, p);
    }
}

static void test_domain_opens_joins_and_closes_131071_ports(void **state)
{
    struct world *w = *state;
    struct guest *a = w->d1, *b = w->d2;

    go_fifo(a);
    go_fifo(b);
    open_all(a, b);
    assert_all_joined(a, b);
    assert_one_event_each(b); /* binding raises it */
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(send_port(b, p), 0);
    assert_one_event_each(a);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(close_port(b, p), 0);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(state_of(a, p), EVTCHNSTAT_unbound);
    for (uint32_t p = PORTS; p >= 1; p--)
        assert_int_equal(close_port(a, p), 0);
    assert_int_equal(evc_port_next(a->dom, 0), 0);
    assert_int_equal(bind_ipi(a, 0), 1);
    assert_int_equal(bind_ipi(b, 0), 1);
}

static void test_events_of_131071_ports_wait_for_their_pages(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    enter_fifo(g, 1);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(bind_ipi(g, 0), p);
    for (uint32_t p = 1; p <= PORTS; p++)
        assert_int_equal(send_port(g, p), 0);
    for (int i = 0; i < 128; i++)
        assert_int_equal(grow(g), 0);
    assert_one_event_each(g);
}

/* ---- domains ------------------------------------------------------------ */

struct crowd {
    struct evc_engine *engine;
    uint8_t (*page)[PAGE];
    struct evc_domain *domain[DOMAINS];
};

static struct crowd *crowd_create(void)
{
    struct crowd *c = calloc(1, sizeof(*c));

    assert_int_equal(
        evc_engine_create(NULL, NULL, EVC_COMPAT_DEFAULT, &c->engine), 0);
    c->page = aligned_alloc(PAGE, DOMAINS * PAGE);
    memset(c->page, 0, DOMAINS * PAGE);
    for (unsigned i = 0; i < DOMAINS; i++) {
        const struct evc_domain_config config = {
            .size = sizeof(config),
            .id = (evc_domid)(i * 32), /* up to the last id but a few */
            .vcpus = 1,
            .max_port = UINT32_MAX,
            .shared_info = c->page[i],
        };

        assert_int_equal(evc_domain_create(c->engine, &config, &c->domain[i]),
                         0);
    }
    return c;
}

static void crowd_destroy(struct crowd *c)
{
    evc_engine_destroy(c->engine);
    free(c->page);
    free(c);
}

/* Port 2 of each is bound to port 1 of the one before. */
static void join_with_next(struct crowd *c, unsigned i)
{
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF,
                                         .remote_dom = (domid_t)((i + 1) * 32)};
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)(i * 32)};

    assert_int_equal(
        evc_event_channel_op(c->domain[i], EVTCHNOP_alloc_unbound, &offer), 0);
    bind.remote_port = offer.port;
    assert_int_equal(evc_event_channel_op(c->domain[i + 1],
                                          EVTCHNOP_bind_interdomain, &bind),
                     0);
}

static uint64_t pending(struct crowd *c, unsigned i)
{
    static const struct evc_abi_layout abi = EVC_ABI_LAYOUT_INIT(X86_64);
    uint64_t word;

    memcpy(&word, c->page[i] + abi.pending, sizeof(word));
    return word;
}

static void test_thousand_domains_send_each_to_the_next(void **state)
{
    struct crowd *c = crowd_create();
    unsigned n = 0;

    (void)state;
    for (int id = -1; (id = evc_domain_next(c->engine, id)) >= 0; n++)
        assert_int_equal(id, n * 32);
    assert_int_equal(n, DOMAINS);
    for (unsigned i = 0; i + 1 < DOMAINS; i++)
        join_with_next(c, i);
    memset(c->page, 0, DOMAINS * PAGE);
    /* The first offers its port 1; the others' port 1 leads to the one before,
     * their port 2 to the next. */
    for (unsigned i = 0; i + 1 < DOMAINS; i++)
        assert_int_equal(evc_send(c->domain[i], i ? 2 : 1), 0);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(pending(c, i), i ? 2 : 0);
    crowd_destroy(c);
}

static void test_neighbours_of_500_destroyed_domains_are_unbound(void **state)
{
    struct crowd *c = crowd_create();

    (void)state;
    for (unsigned i = 0; i + 1 < DOMAINS; i++)
        join_with_next(c, i);
    for (unsigned i = 1; i < DOMAINS; i += 2)
        evc_domain_destroy(c->domain[i]);
    for (unsigned i = 0; i < DOMAINS; i += 2) {
        for (evc_port port = 0; (port = evc_port_next(c->domain[i], port));) {
            struct evc_port_info info;

            assert_int_equal(evc_port_info(c->domain[i], port, &info), 0);
            assert_int_equal(info.status, EVTCHNSTAT_unbound);
            assert_int_equal(evc_send(c->domain[i], port), 0);
        }
    }
    crowd_destroy(c);
}

/* ---- vCPUs -------------------------------------------------------------- */

static uint32_t control_of(unsigned vcpu)
{
    return BLOCK_FRAME * PAGE + vcpu * 128;
}

/* Nobody has been told anything but `vcpu`, whose only event is `port`. */
static void assert_told(struct guest *g, unsigned vcpu, uint32_t port)
{
    for (unsigned v = 0; v < VCPUS; v++) {
        uint8_t *info = evc_vcpu_info(g->dom, v);

        assert_int_equal(*info, v == vcpu);
        assert_int_equal(read32(g, control_of(v)), v == vcpu ? 1u << 7 : 0);
        *info = 0;
    }
    assert_int_equal(read32(g, control_of(vcpu) + (2 + 7) * 4), port);
    memset(at(g, control_of(vcpu)), 0, 128);
    memset(at(g, ARRAY_FRAME * PAGE), 0, PAGE);
}

static void test_each_of_128_vcpus_gets_its_own_timer_and_ipi(void **state)
{
    struct guest *g =
        guest_create(*state, (struct guest_config){.id = 7, .vcpus = VCPUS});
    uint32_t timer[VCPUS], ipi[VCPUS];

    for (unsigned v = 0; v < VCPUS; v++) {
        struct vcpu_register_vcpu_info raw = {.mfn = 30 + v / 64,
                                              .offset = v % 64 * 64};

        put(g, SCRATCH, &raw, sizeof(raw));
        assert_int_equal(
            hypercall(g, v, 24, VCPUOP_register_vcpu_info, v, SCRATCH), 0);
        assert_int_equal(
            raw_init_control(g, BLOCK_FRAME + v / 32, v % 32 * 128, v), 0);
        *(uint8_t *)evc_vcpu_info(g->dom, v) = 0; /* moving it raises it */
        timer[v] = (uint32_t)bind_virq(g, VIRQ_TIMER, v);
        ipi[v] = (uint32_t)bind_ipi(g, v);
    }
    assert_int_equal(raw_expand_array(g, ARRAY_FRAME), 0);
    for (unsigned v = 0; v < VCPUS; v++) {
        assert_int_equal(evc_raise_vcpu_virq(g->dom, v, VIRQ_TIMER), 0);
        assert_told(g, v, timer[v]);
        assert_int_equal(send_port(g, ipi[v]), 0);
        assert_told(g, v, ipi[v]);
    }
    assert_int_equal(bind_ipi(g, VCPUS), -XEN_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_domain_opens_joins_and_closes_131071_ports),
        TEST(test_events_of_131071_ports_wait_for_their_pages),
        cmocka_unit_test(test_thousand_domains_send_each_to_the_next),
        cmocka_unit_test(test_neighbours_of_500_destroyed_domains_are_unbound),
        TEST(test_each_of_128_vcpus_gets_its_own_timer_and_ipi),
    };

    return RUN(tests);
}
