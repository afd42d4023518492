/* SPDX-License-Identifier: MIT */
/*
 * Polling: for ports that are not there, while others appear; and being woken
 * neither too early nor never.
 */
#include "hostile.h"

#define PAST 1u /* a timeout, in ns of system time: long gone */

/* ---- absurd ports (XSA-221; d4bfa0c78f) --------------------------------- */

static const uint32_t absurd[] = {
    0,
    1,
    62,
    63,
    64,
    4094,
    4095,
    4096,
    4097,
    131070,
    131071,
    131072,
    131073,
    1 << 20,
    0x7fffffffu,
    1u << 31,
    UINT32_MAX - 1,
    UINT32_MAX,
};

static int poll_one(struct guest *g, unsigned vcpu, uint32_t port)
{
    return (int)poll_ports(g, vcpu, &port, 1, PAST);
}

static void test_poll_of_a_port_never_opened_is_EINVAL(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < ARRAY_SIZE(absurd); i++)
        assert_int_equal(poll_one(w->d1, 0, absurd[i]), -XEN_EINVAL);
    enter_fifo(w->d1, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(absurd); i++)
        assert_int_equal(poll_one(w->d1, 0, absurd[i]), -XEN_EINVAL);
}

static void test_poll_of_a_closed_port_or_a_hosts_is_EINVAL(void **state)
{
    struct world *w = *state;
    struct evc_host *host;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    assert_int_equal(poll_one(w->d1, 0, port), 0);
    send_port(w->d1, port);
    close_port(w->d1, port);
    assert_int_equal(take(w->d1, 0).count, 0);
    assert_int_equal(poll_one(w->d1, 0, port), -XEN_EINVAL);
    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NULL, NULL, &host), 0);
    assert_int_equal(poll_one(w->d1, 0, evc_host_port(host)), -XEN_EINVAL);
    evc_host_close(host);
}

static void test_more_than_128_ports_are_EINVAL(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0), ports[256];

    for (unsigned i = 0; i < 256; i++)
        ports[i] = port;
    assert_int_equal(poll_ports(w->d1, 0, ports, 128, PAST), 0);
    assert_int_equal(poll_ports(w->d1, 0, ports, 129, PAST), -XEN_EINVAL);
    assert_int_equal(poll_ports(w->d1, 0, ports, UINT32_MAX, PAST),
                     -XEN_EINVAL);
    ports[127] = 4000; /* the last one counts too */
    assert_int_equal(poll_ports(w->d1, 0, ports, 128, PAST), -XEN_EINVAL);
}

static void poll_absurd(struct crew *crew, uint64_t *dice)
{
    uint32_t port = roll(dice, 3) ? roll(dice, 5000)
                                  : absurd[roll(dice, ARRAY_SIZE(absurd))];
    int r = poll_one(crew->w->d1, 3, port);

    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
}

static void open_until_full(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    if (bind_ipi(crew->w->d1, 2) < 0)
        WRONG_IF(crew, reset(crew->w->d1, DOMID_SELF) != 0);
}

static void test_poll_of_absurd_ports_while_another_vcpu_allocates(void **state)
{
    struct crew crew = {.w = *state};

    crew_add(&crew, poll_absurd);
    crew_add(&crew, open_until_full);
    crew_run(&crew, 200);
}

/* ---- woken too early, or never (6f6f07b64c, 71ac522909) ----------------- */

struct exchange {
    uint32_t port;
    _Atomic uint64_t sent, taken;
};

/* One event at a time; the next is sent when this one was taken. */
static void send_next(struct crew *crew, uint64_t *dice)
{
    struct exchange *e = crew->data;

    (void)dice;
    if (e->sent != e->taken)
        return;
    e->sent++;
    WRONG_IF(crew, send_port(crew->w->d1, e->port) != 0);
}

static void count(struct guest *g, uint32_t port, void *data)
{
    struct exchange *e = data;

    (void)g;
    if (port == e->port)
        e->taken++;
}

/* A guest that polls with its upcalls closed, then looks for itself. */
static void poll_and_take(struct crew *crew, uint64_t *dice)
{
    struct exchange *e = crew->data;
    struct guest *g = crew->w->d1;

    (void)dice;
    if (poll_ports(g, 1, &e->port, 1, 0) != 0)
        crew->wrong = __LINE__;
    (void)upcall(g, 1, count, e);
}

/* Until 3000 events have been taken; one that is lost hangs it. */
static void exchange_events(struct world *w, uint32_t port, work *receive)
{
    struct exchange e = {.port = port};
    struct crew crew = {.w = w, .data = &e};

    crew_add(&crew, receive);
    crew_add(&crew, send_next);
    crew_start(&crew);
    for (uint64_t want = scaled(3000); e.taken < want && !crew.wrong;)
        nap(200);
    crew.stop = true;
    do { /* nothing comes any more: out of bed */
        evc_vcpu_wake(w->d1->dom, 1);
        nap(100);
    } while (evc_vcpu_state(w->d1->dom, 1) != EVC_VCPU_RUNNING);
    crew_stop(&crew);
}

static void assert_polls_and_sends_meet(struct world *w)
{
    *upcall_mask(w->d1, 1) = 1;
    exchange_events(w, (uint32_t)bind_ipi(w->d1, 1), poll_and_take);
}

static void test_poller_finds_every_event_two_level(void **state)
{
    assert_polls_and_sends_meet(*state);
}

static void test_poller_finds_every_event_fifo(void **state)
{
    struct world *w = *state;

    enter_fifo(w->d1, 4);
    assert_int_equal(grow(w->d1), 0);
    assert_polls_and_sends_meet(w);
}

/* A masked event wakes a poller as well, and stays unlinked. */
static void mask_and_poll(struct crew *crew, uint64_t *dice)
{
    struct exchange *e = crew->data;
    struct guest *g = crew->w->d1;

    (void)dice;
    if (poll_ports(g, 1, &e->port, 1, 0) != 0)
        crew->wrong = __LINE__;
    if (is_pending(g, e->port)) {
        clear_pending(g, e->port);
        e->taken++;
    }
}

static void test_masked_event_wakes_its_poller(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 1);

    mask(w->d1, port);
    exchange_events(w, port, mask_and_poll);
}

/* ---- block against an upcall -------------------------------------------- */

static void block_and_take(struct crew *crew, uint64_t *dice)
{
    struct exchange *e = crew->data;
    struct guest *g = crew->w->d1;

    (void)dice;
    if (block(g, 1) != 0)
        crew->wrong = __LINE__;
    (void)upcall(g, 1, count, e);
}

static void test_blocked_vcpu_finds_every_event(void **state)
{
    struct world *w = *state;

    exchange_events(w, (uint32_t)bind_ipi(w->d1, 1), block_and_take);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_poll_of_a_port_never_opened_is_EINVAL),
        TEST(test_poll_of_a_closed_port_or_a_hosts_is_EINVAL),
        TEST(test_more_than_128_ports_are_EINVAL),
        TEST(test_poll_of_absurd_ports_while_another_vcpu_allocates),
        TEST(test_poller_finds_every_event_two_level),
        TEST(test_poller_finds_every_event_fifo),
        TEST(test_masked_event_wakes_its_poller),
        TEST(test_blocked_vcpu_finds_every_event),
    };

    return RUN(tests);
}
