/* SPDX-License-Identifier: MIT */
/*
 * Looking: port and domain info, and walking over what is open.
 */
#include "unit.h"

static struct evc_port_info look(struct guest *g, uint32_t port)
{
    struct evc_port_info info;

    assert_int_equal(evc_port_info(g->dom, port, &info), 0);
    assert_int_equal(info.port, port);
    return info;
}

static void test_port_info_of_each_state(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d0, w->d1);
    uint32_t unbound = (uint32_t)alloc_unbound(w->d0, DOMID_SELF, 2);
    uint32_t ipi = (uint32_t)bind_ipi(w->d0, 3);
    uint32_t virq = (uint32_t)bind_virq(w->d0, VIRQ_DEBUG, 2);
    uint32_t pirq = (uint32_t)bind_pirq(w->d0, 9, 0);

    assert_int_equal(look(w->d0, 0).status, EVTCHNSTAT_closed);
    assert_int_equal(look(w->d0, 60).status, EVTCHNSTAT_closed);
    assert_int_equal(look(w->d0, c.a).status, EVTCHNSTAT_interdomain);
    assert_int_equal(look(w->d0, c.a).remote_domain, 1);
    assert_int_equal(look(w->d0, c.a).remote_port, c.b);
    assert_int_equal(look(w->d0, unbound).status, EVTCHNSTAT_unbound);
    assert_int_equal(look(w->d0, unbound).remote_domain, 2);
    assert_int_equal(look(w->d0, ipi).status, EVTCHNSTAT_ipi);
    assert_int_equal(look(w->d0, ipi).vcpu, 3);
    assert_int_equal(look(w->d0, virq).irq, VIRQ_DEBUG);
    assert_int_equal(look(w->d0, virq).vcpu, 2);
    assert_int_equal(look(w->d0, pirq).irq, 9);
}

static void test_port_info_beyond_the_table_is_EINVAL(void **state)
{
    struct world *w = *state;
    struct evc_port_info info = {.port = 77};

    assert_int_equal(evc_port_info(w->d1->dom, 64, &info), -XEN_EINVAL);
    assert_int_equal(evc_port_info(w->d1->dom, UINT32_MAX, &info), -XEN_EINVAL);
    assert_int_equal(info.port, 77);
}

static void test_port_info_shows_two_level_bits(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    assert_false(look(w->d1, port).pending || look(w->d1, port).masked);
    mask(w->d1, port);
    send_port(w->d1, port);
    assert_true(look(w->d1, port).pending && look(w->d1, port).masked);
    assert_false(look(w->d1, port).linked);
    assert_int_equal(look(w->d1, port).priority, 7);
}

static void test_port_info_shows_fifo_words(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    enter_fifo(w->d1, 1);
    send_port(w->d1, port);
    assert_true(look(w->d1, port).saved);
    assert_false(look(w->d1, port).pending);
    set_priority(w->d1, port, 3);
    grow(w->d1);
    assert_true(look(w->d1, port).pending && look(w->d1, port).linked);
    assert_false(look(w->d1, port).saved);
    assert_int_equal(look(w->d1, port).priority, 3);
}

static void test_port_info_knows_the_hosts_ports(void **state)
{
    struct world *w = *state;
    struct evc_host *host;
    uint32_t port;

    evc_host_listen(w->d1->dom, 2, 0, NULL, NULL, &host);
    port = evc_host_port(host);
    assert_true(look(w->d1, port).host_consumer);
    assert_int_equal(look(w->d1, port).vcpu, 2);
    assert_int_equal(look(w->d1, port).remote_domain, 0);
    evc_host_close(host);
}

static void test_open_ports_are_walked_in_order(void **state)
{
    static const uint32_t ports[] = {1, 2, 63, 64, 500, 4095};
    struct world *w = *state;
    uint32_t port = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        assert_int_equal(evc_bind_static(w->d1->dom, ports[i], 2), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        port = evc_port_next(w->d1->dom, port);
        assert_int_equal(port, ports[i]);
    }
    assert_int_equal(evc_port_next(w->d1->dom, port), 0);
    assert_int_equal(evc_port_next(w->d1->dom, 131071), 0);
    assert_int_equal(evc_port_next(w->d1->dom, UINT32_MAX), 0);
}

static void test_closed_but_linked_port_is_not_walked(void **state)
{
    struct world *w = *state;
    uint32_t port;

    enter_fifo(w->d1, 1);
    grow(w->d1);
    port = (uint32_t)bind_ipi(w->d1, 0);
    send_port(w->d1, port);
    close_port(w->d1, port);
    assert_int_equal(bind_ipi(w->d1, 0), port + 1); /* it is busy */
    assert_int_equal(evc_port_next(w->d1->dom, 0), port + 1);
}

static void test_domain_info_says_what_the_config_said(void **state)
{
    struct world *w = *state;
    struct evc_domain_info info;
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7,
                                              .layout = EVC_LAYOUT_ARM,
                                              .vcpus = 9,
                                              .max_port = 300,
                                              .flags = EVC_DOMAIN_PRIVILEGED});

    evc_domain_info(g->dom, &info);
    assert_int_equal(info.id, 7);
    assert_int_equal(info.layout, EVC_LAYOUT_ARM);
    assert_int_equal(info.vcpus, 9);
    assert_int_equal(info.max_port, 300);
    assert_int_equal(info.valid_ports, 64);
    assert_int_equal(info.open_ports, 0);
    assert_true(info.privileged);
    assert_false(info.dying || info.shut_down || info.fifo);
    evc_domain_info(w->d1->dom, &info);
    assert_int_equal(info.max_port, 4095);
    assert_false(info.privileged);
}

static void test_domain_info_follows_its_life(void **state)
{
    struct world *w = *state;
    struct evc_domain_info info;

    for (int i = 0; i < 70; i++)
        bind_ipi(w->d1, 0);
    enter_fifo(w->d1, 1);
    grow(w->d1);
    grow(w->d1);
    evc_domain_info(w->d1->dom, &info);
    assert_int_equal(info.open_ports, 70);
    assert_int_equal(info.valid_ports, 128);
    assert_int_equal(info.max_port, 131071);
    assert_true(info.fifo);
    assert_int_equal(info.fifo_pages, 2);
    close_port(w->d1, 5);
    evc_domain_info(w->d1->dom, &info);
    assert_int_equal(info.open_ports, 69);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_info_of_each_state),
        TEST(test_port_info_beyond_the_table_is_EINVAL),
        TEST(test_port_info_shows_two_level_bits),
        TEST(test_port_info_shows_fifo_words),
        TEST(test_port_info_knows_the_hosts_ports),
        TEST(test_open_ports_are_walked_in_order),
        TEST(test_closed_but_linked_port_is_not_walked),
        TEST(test_domain_info_says_what_the_config_said),
        TEST(test_domain_info_follows_its_life),
    };

    return RUN(tests);
}
