/* SPDX-License-Identifier: MIT */
/*
 * Counters: what became of each event, per port and per peer.
 */
#include "unit.h"

#include <pthread.h>

static struct evc_counts port_counts(struct guest *g, uint32_t port)
{
    struct evc_counts c;

    assert_int_equal(evc_port_counts(g->dom, port, &c), 0);
    assert_int_equal(c.sent, c.delivered + c.coalesced + c.masked + c.dropped);
    return c;
}

static struct evc_counts peer_counts(struct guest *g, evc_domid peer)
{
    struct evc_counts c;

    assert_int_equal(evc_peer_counts(g->dom, peer, &c), 0);
    assert_int_equal(c.sent, c.delivered + c.coalesced + c.masked + c.dropped);
    return c;
}

static void test_counters_are_off_at_first(void **state)
{
    struct world *w = *state;
    struct evc_counts c = {.sent = 77};

    assert_int_equal(evc_port_counts(w->d1->dom, 1, &c), -XEN_ENODATA);
    assert_int_equal(evc_port_counts(w->d1->dom, 64, &c), -XEN_EINVAL);
    assert_int_equal(evc_peer_counts(w->d1->dom, 2, &c), -XEN_ENODATA);
    assert_int_equal(c.sent, 77);
}

static void test_each_outcome_is_counted(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    struct evc_counts n;

    assert_int_equal(evc_counting(w->d1->dom, true), 0);
    send_port(w->d2, c.b); /* delivered */
    send_port(w->d2, c.b); /* coalesced */
    send_port(w->d2, c.b);
    take(w->d1, 0);
    mask(w->d1, c.a);
    send_port(w->d2, c.b); /* masked */
    n = port_counts(w->d1, c.a);
    assert_int_equal(n.sent, 4);
    assert_int_equal(n.delivered, 1);
    assert_int_equal(n.coalesced, 2);
    assert_int_equal(n.masked, 1);
    assert_int_equal(n.dropped, 0);
}

static void test_event_for_a_vcpu_without_block_is_dropped(void **state)
{
    struct world *w = *state;
    uint32_t port;

    enter_fifo(w->d1, 1);
    grow(w->d1);
    port = (uint32_t)bind_ipi(w->d1, 2);
    evc_counting(w->d1->dom, true);
    send_port(w->d1, port);
    assert_int_equal(port_counts(w->d1, port).dropped, 1);
}

static void
test_event_kept_back_for_want_of_a_word_is_not_coalesced(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);
    struct evc_counts n;

    enter_fifo(w->d1, 1);
    evc_counting(w->d1->dom, true);
    send_port(w->d1, port);
    send_port(w->d1, port);
    n = port_counts(w->d1, port);
    assert_int_equal(n.sent, 2);
    assert_int_equal(n.delivered, 1);
    assert_int_equal(n.coalesced, 1);
}

static void test_events_of_a_channel_bound_later_are_counted(void **state)
{
    struct world *w = *state;
    struct channel c;

    evc_counting(w->d1->dom, true);
    c = join_guests(w->d1, w->d2);
    send_port(w->d2, c.b);
    assert_int_equal(port_counts(w->d1, c.a).sent, 1);
    c = join_guests(w->d2, w->d1);
    send_port(w->d2, c.a);
    assert_int_equal(port_counts(w->d1, c.b).sent, 1);
}

static void test_other_domains_ports_are_not_counted(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    struct evc_counts n;

    evc_counting(w->d1->dom, true);
    send_port(w->d1, c.a);
    assert_int_equal(evc_port_counts(w->d2->dom, c.b, &n), -XEN_ENODATA);
    assert_int_equal(port_counts(w->d1, c.a).sent, 0);
}

static void test_interrupts_and_ipis_are_counted(void **state)
{
    struct world *w = *state;
    uint32_t ipi = (uint32_t)bind_ipi(w->d0, 1);
    uint32_t virq = (uint32_t)bind_virq(w->d0, VIRQ_DEBUG, 0);
    uint32_t pirq = (uint32_t)bind_pirq(w->d0, 3, 0);

    evc_counting(w->d0->dom, true);
    send_port(w->d0, ipi);
    evc_raise_vcpu_virq(w->d0->dom, 0, VIRQ_DEBUG);
    evc_raise_pirq(w->d0->dom, 3);
    assert_int_equal(port_counts(w->d0, ipi).delivered, 1);
    assert_int_equal(port_counts(w->d0, virq).delivered, 1);
    assert_int_equal(port_counts(w->d0, pirq).delivered, 1);
}

static void test_the_hosts_sends_are_counted(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);
    struct evc_host *host;

    evc_host_connect(w->d1->dom, port, 0, NULL, NULL, &host);
    evc_counting(w->d1->dom, true);
    evc_host_send(host);
    evc_host_send(host);
    assert_int_equal(port_counts(w->d1, port).sent, 2);
    evc_host_close(host);
}

static void test_peer_counts_add_up_its_ports(void **state)
{
    struct world *w = *state;
    struct channel a = join_guests(w->d1, w->d2), b = join_guests(w->d1, w->d2);
    struct channel other = join_guests(w->d1, w->d0);

    evc_counting(w->d1->dom, true);
    send_port(w->d2, a.b);
    send_port(w->d2, b.b);
    send_port(w->d2, b.b);
    send_port(w->d0, other.b);
    assert_int_equal(peer_counts(w->d1, 2).sent, 3);
    assert_int_equal(peer_counts(w->d1, 2).coalesced, 1);
    assert_int_equal(peer_counts(w->d1, 0).sent, 1);
    assert_int_equal(peer_counts(w->d1, 5).sent, 0);
}

static void test_peer_counts_outlive_a_close_by_either_side(void **state)
{
    struct world *w = *state;
    struct channel a, b;

    evc_counting(w->d1->dom, true);
    a = join_guests(w->d1, w->d2);
    b = join_guests(w->d1, w->d2);
    send_port(w->d2, a.b);
    send_port(w->d2, b.b);
    close_port(w->d1, a.a);
    close_port(w->d2, b.b);
    assert_int_equal(peer_counts(w->d1, 2).sent, 2);
    a = join_guests(w->d1, w->d2);
    send_port(w->d2, a.b);
    assert_int_equal(peer_counts(w->d1, 2).sent, 3);
}

static void test_next_owner_of_a_port_starts_from_zero(void **state)
{
    struct world *w = *state;
    struct channel c;
    uint32_t ipi;

    evc_counting(w->d1->dom, true);
    c = join_guests(w->d1, w->d2);
    send_port(w->d2, c.b);
    close_port(w->d1, c.a);
    ipi = (uint32_t)bind_ipi(w->d1, 0);
    assert_int_equal(ipi, c.a);
    assert_int_equal(port_counts(w->d1, ipi).sent, 0);
    send_port(w->d1, ipi);
    close_port(w->d1, ipi);
    assert_int_equal(bind_virq(w->d1, VIRQ_TIMER, 0), ipi);
    assert_int_equal(port_counts(w->d1, ipi).sent, 0);
}

static void test_switching_on_again_starts_from_zero(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    evc_counting(w->d1->dom, true);
    send_port(w->d2, c.b);
    evc_counting(w->d1->dom, true);
    assert_int_equal(port_counts(w->d1, c.a).sent, 0);
    assert_int_equal(peer_counts(w->d1, 2).sent, 0);
    send_port(w->d2, c.b);
    assert_int_equal(port_counts(w->d1, c.a).sent, 1);
}

static void test_events_arrive_the_same_with_counters(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    for (int on = 1; on >= 0; on--) {
        evc_counting(w->d1->dom, on);
        evc_counting(w->d2->dom, on);
        send_port(w->d2, c.b);
        send_port(w->d1, c.a);
        assert_int_equal(take(w->d1, 0).port[0], c.a);
        assert_int_equal(take(w->d2, 0).port[0], c.b);
    }
}

static void test_counted_channel_can_be_closed_and_connected(void **state)
{
    struct world *w = *state;
    struct evc_host *host;
    struct channel c;

    evc_counting(w->d1->dom, true);
    evc_counting(w->d2->dom, true);
    c = join_guests(w->d1, w->d2);
    close_port(w->d2, c.b);
    assert_int_equal(state_of(w->d1, c.a), EVTCHNSTAT_unbound);
    assert_int_equal(send_port(w->d1, c.a), 0);
    assert_int_equal(evc_host_connect(w->d1->dom, c.a, 2, NULL, NULL, &host),
                     0);
    evc_host_close(host);
}

#define SENDERS 8
#define SENDS   2000

struct sends {
    struct guest *g;
    uint32_t port;
};

static void *send_many(void *arg)
{
    const struct sends *sends = arg;

    for (int i = 0; i < SENDS; i++)
        (void)send_port(sends->g, sends->port);
    return NULL;
}

static void test_no_send_is_missed_with_many_threads(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);
    struct sends arg = {w->d2, c.b};
    pthread_t thread[SENDERS];

    evc_counting(w->d1->dom, true);
    for (int i = 0; i < SENDERS; i++)
        pthread_create(&thread[i], NULL, send_many, &arg);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(port_counts(w->d1, c.a).sent, SENDERS * SENDS);
    assert_int_equal(port_counts(w->d1, c.a).delivered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counters_are_off_at_first),
        TEST(test_each_outcome_is_counted),
        TEST(test_event_for_a_vcpu_without_block_is_dropped),
        TEST(test_event_kept_back_for_want_of_a_word_is_not_coalesced),
        TEST(test_events_of_a_channel_bound_later_are_counted),
        TEST(test_other_domains_ports_are_not_counted),
        TEST(test_interrupts_and_ipis_are_counted),
        TEST(test_the_hosts_sends_are_counted),
        TEST(test_peer_counts_add_up_its_ports),
        TEST(test_peer_counts_outlive_a_close_by_either_side),
        TEST(test_next_owner_of_a_port_starts_from_zero),
        TEST(test_switching_on_again_starts_from_zero),
        TEST(test_events_arrive_the_same_with_counters),
        TEST(test_counted_channel_can_be_closed_and_connected),
        TEST(test_no_send_is_missed_with_many_threads),
    };

    return RUN(tests);
}
