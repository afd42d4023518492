/* SPDX-License-Identifier: MIT */
/*
 * Host ends: listening and connecting, events both ways, descriptors, and
 * closing at every awkward moment.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static void count(void *data)
{
    ++*(_Atomic unsigned *)data;
}

/* A listening end in d1, to which d2 has bound. */
struct ends {
    struct evc_host *host;
    uint32_t port; /* d2's */
    _Atomic unsigned events;
};

static void listen_for_d2(struct world *w, struct ends *ends)
{
    int port;

    ends->events = 0;
    assert_int_equal(evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, count,
                                     &ends->events, &ends->host),
                     0);
    port = bind_interdomain(w->d2, 1, evc_host_port(ends->host));
    assert_true(port > 0);
    ends->port = (uint32_t)port;
    clear_pending(w->d2, ends->port);
}

/* An end connected to d1's port, in the name of d0. */
static struct evc_host *connect_d1(struct world *w, uint32_t *port,
                                   _Atomic unsigned *events)
{
    struct evc_host *host = NULL;

    *port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);
    assert_int_equal(
        evc_host_connect(w->d1->dom, *port, 0, count, events, &host), 0);
    return host;
}

/* ---- listening -------------------------------------------------------------------- */

static void test_guests_send_calls_notify(void **state)
{
    struct world *w = *state;
    struct ends ends;

    listen_for_d2(w, &ends);
    assert_int_equal(send_port(w->d2, ends.port), 0);
    assert_int_equal(send_port(w->d2, ends.port), 0);
    assert_int_equal(ends.events, 2);
    assert_false(is_pending(w->d1, evc_host_port(ends.host)));
    evc_host_close(ends.host);
}

static void test_hosts_send_raises_the_guests_end(void **state)
{
    struct world *w = *state;
    struct ends ends;

    listen_for_d2(w, &ends);
    assert_int_equal(evc_host_send(ends.host), 0);
    assert_true(is_pending(w->d2, ends.port));
    assert_int_equal(ends.events, 0);
    evc_host_close(ends.host);
}

static void test_hosts_send_to_nobody_succeeds(void **state)
{
    struct world *w = *state;
    struct evc_host *host;

    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NULL, NULL, &host), 0);
    assert_int_equal(evc_host_send(host), 0);
    evc_host_close(host);
}

static void test_guest_may_not_touch_the_hosts_port(void **state)
{
    struct world *w = *state;
    struct ends ends;
    uint32_t port;

    listen_for_d2(w, &ends);
    port = evc_host_port(ends.host);
    assert_int_equal(send_port(w->d1, port), -XEN_EINVAL);
    assert_int_equal(close_port(w->d1, port), -XEN_EINVAL);
    assert_int_equal(bind_vcpu(w->d1, port, 1), -XEN_EINVAL);
    assert_int_equal(bind_interdomain(w->d2, 1, port), -XEN_EINVAL);
    assert_int_equal(poll_ports(w->d1, 0, &port, 1, 0), -XEN_EINVAL);
    enter_fifo(w->d1, 1);
    assert_int_equal(set_priority(w->d1, port, 3), -XEN_EACCES);
    evc_host_close(ends.host);
}

static void test_only_the_domain_it_is_offered_to_may_bind(void **state)
{
    struct world *w = *state;
    struct evc_host *host;

    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NULL, NULL, &host), 0);
    assert_int_equal(bind_interdomain(w->d0, 1, evc_host_port(host)),
                     -XEN_EINVAL);
    assert_true(bind_interdomain(w->d2, 1, evc_host_port(host)) > 0);
    evc_host_close(host);
}

static void test_guest_may_leave_and_come_back(void **state)
{
    struct world *w = *state;
    struct ends ends;

    listen_for_d2(w, &ends);
    assert_int_equal(close_port(w->d2, ends.port), 0);
    assert_int_equal(evc_host_send(ends.host), 0);
    ends.port = (uint32_t)bind_interdomain(w->d2, 1, evc_host_port(ends.host));
    send_port(w->d2, ends.port);
    assert_int_equal(ends.events, 1);
    evc_host_close(ends.host);
}

static void test_close_leaves_the_guest_unbound(void **state)
{
    struct world *w = *state;
    struct ends ends;
    uint32_t port;

    listen_for_d2(w, &ends);
    port = evc_host_port(ends.host);
    evc_host_close(ends.host);
    assert_int_equal(state_of(w->d2, ends.port), EVTCHNSTAT_unbound);
    assert_int_equal(state_of(w->d1, port), EVTCHNSTAT_closed);
    assert_int_equal(send_port(w->d2, ends.port), 0);
    assert_int_equal(ends.events, 0);
    assert_int_equal(bind_ipi(w->d1, 0), port);
}

static void test_listen_errors(void **state)
{
    struct world *w = *state;
    struct evc_host *host = NULL;
    struct guest *g =
        guest_create(w, (struct guest_config){.id = 7, .max_port = 1});

    assert_int_equal(evc_host_listen(g->dom, 4, 2, NULL, NULL, &host),
                     -XEN_ENOENT);
    bind_ipi(g, 0);
    assert_int_equal(evc_host_listen(g->dom, 0, 2, NULL, NULL, &host),
                     -XEN_ENOSPC);
    evc_domain_kill(g->dom);
    assert_int_equal(evc_host_listen(g->dom, 0, 2, NULL, NULL, &host),
                     -XEN_EINVAL);
    assert_null(host);
}

static void test_status_of_a_hosts_port_is_its_true_state(void **state)
{
    struct world *w = *state;
    struct ends ends;

    listen_for_d2(w, &ends);
    assert_int_equal(state_of(w->d1, evc_host_port(ends.host)),
                     EVTCHNSTAT_interdomain);
    evc_host_close(ends.host);
}

static void test_status_of_a_hosts_port_is_EACCES_in_xen(void **state)
{
    struct world *w = *state;
    struct ends ends;

    listen_for_d2(w, &ends);
    assert_int_equal(state_of(w->d1, evc_host_port(ends.host)), -XEN_EACCES);
    assert_int_equal(state_of(w->d2, ends.port), EVTCHNSTAT_interdomain);
    evc_host_close(ends.host);
}

/* ---- connecting -------------------------------------------------------------------- */

static void
test_connected_end_is_an_interdomain_channel_to_the_guest(void **state)
{
    struct world *w = *state;
    _Atomic unsigned events = 0;
    struct evtchn_status now;
    uint32_t port;
    struct evc_host *host = connect_d1(w, &port, &events);

    assert_int_equal(status(w->d1, DOMID_SELF, port, &now), 0);
    assert_int_equal(now.status, EVTCHNSTAT_interdomain);
    assert_int_equal(now.u.interdomain.dom, 0);
    assert_int_equal(now.u.interdomain.port, 0);
    assert_int_equal(send_port(w->d1, port), 0);
    assert_int_equal(events, 1);
    evc_host_send(host);
    assert_true(is_pending(w->d1, port));
    assert_int_equal(evc_host_port(host), port);
    evc_host_close(host);
}

static void test_connect_errors(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);
    uint32_t ipi = (uint32_t)bind_ipi(w->d1, 0);
    struct evc_host *host = NULL, *again = NULL;

#define CONNECT(number, id, out) \
    evc_host_connect(w->d1->dom, number, id, NULL, NULL, out)
    assert_int_equal(CONNECT(port, 2, &host), -XEN_EINVAL);
    assert_int_equal(CONNECT(ipi, 0, &host), -XEN_EINVAL);
    assert_int_equal(CONNECT(63, 0, &host), -XEN_EINVAL);
    assert_int_equal(CONNECT(64, 0, &host), -XEN_EINVAL);
    assert_int_equal(CONNECT(UINT32_MAX, 0, &host), -XEN_EINVAL);
    assert_null(host);
    assert_int_equal(CONNECT(port, 0, &host), 0);
    assert_int_equal(CONNECT(port, 0, &again), -XEN_EINVAL);
#undef CONNECT
    evc_host_close(host);
}

static void test_closed_connection_can_be_taken_up_again(void **state)
{
    struct world *w = *state;
    _Atomic unsigned events = 0;
    uint32_t port;
    struct evc_host *host = connect_d1(w, &port, &events);

    evc_host_close(host);
    assert_int_equal(state_of(w->d1, port), EVTCHNSTAT_unbound);
    assert_int_equal(send_port(w->d1, port), 0);
    assert_int_equal(events, 0);
    assert_int_equal(
        evc_host_connect(w->d1->dom, port, 0, count, &events, &host), 0);
    evc_host_close(host);
    assert_int_equal(bind_interdomain(w->d0, 1, port), 1);
}

static void test_guest_closes_its_end_first(void **state)
{
    struct world *w = *state;
    _Atomic unsigned events = 0;
    uint32_t port;
    struct evc_host *host = connect_d1(w, &port, &events);

    assert_int_equal(close_port(w->d1, port), 0);
    assert_int_equal(bind_ipi(w->d1, 0), port); /* somebody else's now */
    assert_int_equal(evc_host_send(host), 0);
    assert_false(is_pending(w->d1, port));
    evc_host_close(host);
    assert_int_equal(state_of(w->d1, port), EVTCHNSTAT_ipi);
}

static void test_reset_takes_the_guests_end_away(void **state)
{
    struct world *w = *state;
    _Atomic unsigned events = 0;
    uint32_t port;
    struct evc_host *host = connect_d1(w, &port, &events);

    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    assert_int_equal(evc_host_send(host), 0);
    evc_host_close(host);
}

/* ---- the domain goes first ------------------------------------------------------------- */

static void test_end_outlives_its_domain(void **state)
{
    struct world *w = *state;
    _Atomic unsigned events = 0;
    struct ends ends;
    uint32_t port;
    struct evc_host *connected = connect_d1(w, &port, &events);

    listen_for_d2(w, &ends);
    guest_destroy(w->d1);
    assert_int_equal(evc_host_send(ends.host), 0);
    assert_int_equal(evc_host_send(connected), 0);
    assert_int_equal(send_port(w->d2, ends.port), 0);
    evc_host_close(ends.host);
    evc_host_close(connected);
}

static void test_end_does_not_reach_the_next_domain_of_the_id(void **state)
{
    struct world *w = *state;
    struct ends ends;
    struct guest *next;
    uint32_t port;
    _Atomic unsigned events = 0;
    struct evc_host *connected = connect_d1(w, &port, &events);

    listen_for_d2(w, &ends);
    guest_destroy(w->d1);
    next = guest_create(w, (struct guest_config){.id = 1});
    for (uint32_t p = 1; p <= 3; p++)
        bind_ipi(next, 0);
    evc_host_send(ends.host);
    evc_host_send(connected);
    assert_int_equal(next->kicks[0], 0);
    evc_host_close(ends.host);
    evc_host_close(connected);
    for (uint32_t p = 1; p <= 3; p++)
        assert_int_equal(state_of(next, p), EVTCHNSTAT_ipi);
}

static void test_engine_takes_open_ends_along(void **state)
{
    struct world *w = world_create((struct world_config){.real_clock = true});
    struct evc_host *a, *b;
    int port, fds[3];

    (void)state;
    w->d1 = guest_create(w, (struct guest_config){.id = 1});
    port = alloc_unbound(w->d1, DOMID_SELF, 0);
    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NULL, NULL, &a), 0);
    assert_int_equal(
        evc_host_connect(w->d1->dom, (uint32_t)port, 0, NULL, NULL, &b), 0);
    fds[0] = evc_host_fd(a);
    fds[1] = evc_host_send_fd(a);
    fds[2] = evc_host_fd(b);
    world_destroy(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
        assert_int_equal(errno, EBADF);
    }
}

/* ---- descriptors ------------------------------------------------------------------------- */

static uint64_t read_fd(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_fd_counts_guests_sends(void **state)
{
    struct world *w = *state;
    struct ends ends;
    int fd;

    listen_for_d2(w, &ends);
    send_port(w->d2, ends.port); /* before there is one: only notify */
    fd = evc_host_fd(ends.host);
    assert_true(fd >= 0);
    assert_int_equal(evc_host_fd(ends.host), fd);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(read_fd(fd), 0);
    send_port(w->d2, ends.port);
    send_port(w->d2, ends.port);
    assert_int_equal(read_fd(fd), 2);
    assert_int_equal(ends.events, 3);
    evc_host_close(ends.host);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static bool soon(struct guest *g, uint32_t port)
{
    for (int i = 0; i < 5000; i++) {
        if (is_pending(g, port))
            return true;
        usleep(1000);
    }
    return false;
}

static void test_write_to_the_send_fd_raises_the_guests_end(void **state)
{
    struct world *w = *state;
    const uint64_t one = 1;
    struct ends ends;
    int fd;

    listen_for_d2(w, &ends);
    fd = evc_host_send_fd(ends.host);
    assert_true(fd >= 0);
    assert_int_equal(evc_host_send_fd(ends.host), fd);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
        assert_true(soon(w->d2, ends.port));
        clear_pending(w->d2, ends.port);
    }
    evc_host_close(ends.host);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_many_send_fds_are_served(void **state)
{
    struct world *w = *state;
    const uint64_t one = 1;
    struct ends ends[20];

    for (int i = 0; i < 20; i++) {
        listen_for_d2(w, &ends[i]);
        assert_true(evc_host_send_fd(ends[i].host) >= 0);
    }
    for (int i = 0; i < 20; i += 2)
        evc_host_close(ends[i].host);
    for (int i = 1; i < 20; i += 2) {
        int fd = evc_host_send_fd(ends[i].host);

        assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
        assert_true(soon(w->d2, ends[i].port));
        evc_host_close(ends[i].host);
    }
}

/* ---- closing at awkward moments ------------------------------------------------------------- */

struct closer {
    struct world *w;
    struct evc_host *host;
    uint32_t port;
    unsigned depth, runs;
};

/* Sends to itself as the guest, `depth` times; the innermost closes. */
static void close_from_inside(void *data)
{
    struct closer *c = data;

    c->runs++;
    if (c->depth-- > 0)
        (void)send_port(c->w->d2, c->port);
    else
        evc_host_close(c->host);
}

static void close_at_depth(struct world *w, unsigned depth)
{
    struct closer c = {.w = w, .depth = depth};
    int port;

    assert_int_equal(evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2,
                                     close_from_inside, &c, &c.host),
                     0);
    port = bind_interdomain(w->d2, 1, evc_host_port(c.host));
    c.port = (uint32_t)port;
    alarm(20);
    assert_int_equal(send_port(w->d2, c.port), 0);
    alarm(0);
    assert_int_equal(c.runs, depth + 1);
    assert_int_equal(state_of(w->d2, c.port), EVTCHNSTAT_unbound);
}

static void test_close_from_inside_its_own_callback(void **state)
{
    close_at_depth(*state, 0);
}

static void test_close_from_inside_a_nested_callback(void **state)
{
    close_at_depth(*state, 1);
    close_at_depth(*state, 3);
}

static void bind_from_inside(void *data)
{
    struct closer *c = data;

    c->runs++;
    assert_true(bind_ipi(c->w->d1, 0) > 0);
    assert_true(bind_ipi(c->w->d2, 0) > 0);
    assert_int_equal(evc_host_send(c->host), 0);
}

static void test_callback_may_call_back_into_the_engine(void **state)
{
    struct world *w = *state;
    struct closer c = {.w = w};

    assert_int_equal(evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2,
                                     bind_from_inside, &c, &c.host),
                     0);
    c.port = (uint32_t)bind_interdomain(w->d2, 1, evc_host_port(c.host));
    clear_pending(w->d2, c.port);
    send_port(w->d2, c.port);
    assert_int_equal(c.runs, 1);
    assert_true(is_pending(w->d2, c.port));
    evc_host_close(c.host);
}

struct sender {
    struct guest *g;
    uint32_t port;
    _Atomic bool stop;
};

static void *send_on(void *arg)
{
    struct sender *s = arg;

    while (!s->stop)
        (void)send_port(s->g, s->port);
    return NULL;
}

struct guarded {
    _Atomic bool closed;
    _Atomic unsigned after, runs;
};

static void note_late_call(void *data)
{
    struct guarded *guarded = data;

    if (guarded->closed)
        guarded->after++;
    guarded->runs++;
}

static void
test_no_callback_after_close_while_another_thread_sends(void **state)
{
    struct world *w = *state;
    struct sender s = {.g = w->d2};
    struct guarded guarded = {false, 0, 0};
    pthread_t thread;

    s.port = (uint32_t)alloc_unbound(w->d2, DOMID_SELF, 1);
    pthread_create(&thread, NULL, send_on, &s);
    alarm(50);
    for (int i = 0; i < 200; i++) {
        struct evc_host *host;
        unsigned before = guarded.runs;

        guarded.closed = false;
        assert_int_equal(evc_host_connect(w->d2->dom, s.port, 1, note_late_call,
                                          &guarded, &host),
                         0);
        while (guarded.runs == before)
            sched_yield();
        evc_host_close(host);
        guarded.closed = true;
    }
    s.stop = true;
    pthread_join(thread, NULL);
    alarm(0);
    assert_int_equal(guarded.after, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_guests_send_calls_notify),
        TEST(test_hosts_send_raises_the_guests_end),
        TEST(test_hosts_send_to_nobody_succeeds),
        TEST(test_guest_may_not_touch_the_hosts_port),
        TEST(test_only_the_domain_it_is_offered_to_may_bind),
        TEST(test_guest_may_leave_and_come_back),
        TEST(test_close_leaves_the_guest_unbound),
        TEST(test_listen_errors),
        TEST(test_status_of_a_hosts_port_is_its_true_state),
        TEST_417(test_status_of_a_hosts_port_is_EACCES_in_xen),
        TEST(test_connected_end_is_an_interdomain_channel_to_the_guest),
        TEST(test_connect_errors),
        TEST(test_closed_connection_can_be_taken_up_again),
        TEST(test_guest_closes_its_end_first),
        TEST(test_reset_takes_the_guests_end_away),
        TEST(test_end_outlives_its_domain),
        TEST(test_end_does_not_reach_the_next_domain_of_the_id),
        cmocka_unit_test(test_engine_takes_open_ends_along),
        TEST(test_fd_counts_guests_sends),
        TEST(test_write_to_the_send_fd_raises_the_guests_end),
        TEST(test_many_send_fds_are_served),
        TEST(test_close_from_inside_its_own_callback),
        TEST(test_close_from_inside_a_nested_callback),
        TEST(test_callback_may_call_back_into_the_engine),
        TEST(test_no_callback_after_close_while_another_thread_sends),
    };

    return RUN(tests);
}
