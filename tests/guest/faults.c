/* SPDX-License-Identifier: MIT */
/*
 * What other guests got wrong, one test each, in the order of the list of
 * hostile tests: published advisories, then faults seen by reading.  The rest of
 * that list is in the tests of the behaviour itself.
 */
#include "pair.h"

#include <pthread.h>
#include <unistd.h>

#define PATIENCE 20u /* s */

/* ---- a channel is closed while the upcall uses it --------------------------------- */

struct stage {
    struct side *side;
    evc_port port;
    _Atomic int step;
    _Atomic int returned; /* unbind has */
};

static void await(_Atomic int *step, int value)
{
    while (atomic_load(step) < value)
        sched_yield();
}

static void *unbind_when_told(void *arg)
{
    struct stage *stage = arg;

    await(&stage->step, 1);
    atomic_store(&stage->step, 2);
    (void)evc_guest_unbind(&stage->side->vcpu[1], stage->port);
    atomic_store(&stage->returned, 1);
    return NULL;
}

/* The handler is on its vCPU's stack when another vCPU closes the port. */
static void stay_a_while(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    struct stage *stage = arg;

    (void)self;
    (void)port;
    atomic_store(&stage->step, 1);
    await(&stage->step, 2);
    usleep(20000);
    assert_int_equal(atomic_load(&stage->returned), 0);
}

static void test_unbind_waits_for_the_handler_on_another_vcpu(void **state)
{
    struct pair *pair = *state;
    struct stage stage = {.side = pair->a};
    struct seen seen = {.then = stay_a_while, .arg = &stage};
    struct link link = pair_link(pair, &seen, 0);
    pthread_t thread;

    alarm(PATIENCE);
    stage.port = link.here;
    pthread_create(&thread, NULL, unbind_when_told, &stage);
    pair_send(pair, link);
    side_run(pair->a, 0);
    pthread_join(thread, NULL);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], link.here), -XEN_EINVAL);
    alarm(0);
}

/* Between the scan and the handler: the first handler of the same word waits
 * until the second port is being closed. */
static void let_it_be_closed(struct evc_guest_vcpu *self, evc_port port,
                             void *arg)
{
    struct stage *stage = arg;

    (void)self;
    (void)port;
    atomic_store(&stage->step, 1);
    await(&stage->step, 2);
    usleep(20000);
}

static void test_port_closed_after_the_scan_is_not_called(void **state)
{
    struct pair *pair = *state;
    struct stage stage = {.side = pair->a};
    struct seen first = {.then = let_it_be_closed, .arg = &stage};
    struct seen second = {0};
    struct link one = pair_link(pair, &first, 0);
    struct link two = pair_link(pair, &second, 0);
    pthread_t thread;

    alarm(PATIENCE);
    stage.port = two.here;
    pthread_create(&thread, NULL, unbind_when_told, &stage);
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    pthread_join(thread, NULL);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    alarm(0);
}

/* Each closes the port whose handler the other is in: nobody waits. */
struct crossing {
    struct side *side;
    evc_port port[2];
    _Atomic int inside;
    int answer[2];
};

static void close_each_other(struct evc_guest_vcpu *self, evc_port port,
                             void *arg)
{
    struct crossing *crossing = arg;
    unsigned me = port == crossing->port[1];

    atomic_fetch_add(&crossing->inside, 1);
    await(&crossing->inside, 2);
    crossing->answer[me] = evc_guest_unbind(self, crossing->port[1 - me]);
    atomic_fetch_add(&crossing->inside, 1);
    await(&crossing->inside, 4);
}

/* Its kicks do not tell: binding the port may have been one. */
static void *dispatch_on_one(void *arg)
{
    struct crossing *crossing = arg;

    while (atomic_load(&crossing->inside) < 4) {
        side_run(crossing->side, 1);
        sched_yield();
    }
    return NULL;
}

static void test_handlers_that_close_each_other_do_not_deadlock(void **state)
{
    struct pair *pair = *state;
    struct crossing crossing = {.side = pair->a};
    struct seen seen[2] = {{.then = close_each_other, .arg = &crossing},
                           {.then = close_each_other, .arg = &crossing}};
    struct link one = pair_link(pair, &seen[0], 0);
    struct link two = pair_link(pair, &seen[1], 1);
    pthread_t thread;

    alarm(PATIENCE);
    crossing.port[0] = one.here;
    crossing.port[1] = two.here;
    pthread_create(&thread, NULL, dispatch_on_one, &crossing);
    pair_send(pair, one);
    pair_send(pair, two);
    side_run(pair->a, 0);
    pthread_join(thread, NULL);
    side_run(pair->a, 0);
    side_run(pair->a, 1);
    assert_int_equal(crossing.answer[0], 1);
    assert_int_equal(crossing.answer[1], 1);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], one.here), -XEN_EINVAL);
    assert_int_equal(evc_guest_send(&pair->a->vcpu[0], two.here), -XEN_EINVAL);
    alarm(0);
}

/* ---- a peer that sends without limit ------------------------------------------------ */

struct flood {
    struct pair *pair;
    struct link link;
};

static void flood_again(struct evc_guest_vcpu *self, evc_port port, void *arg)
{
    struct flood *flood = arg;

    (void)self;
    (void)port;
    pair_send(flood->pair,
              flood->link); /* pending before the handler is done */
}

static void test_flood_does_not_hold_the_vcpu(void **state)
{
    struct flood flood = {*state, {0, 0}};
    struct seen seen = {.then = flood_again, .arg = &flood};
    struct pair *pair = *state;

    flood.link = pair_link(pair, &seen, 0);
    pair_send(pair, flood.link);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(evc_guest_dispatch(&pair->a->vcpu[0], 16, 0), 1);
        assert_int_equal(seen.count, 16 * i);
    }
}

/* Lower ports, higher ports, the same word and others: all have their turn
 * within one round, whatever the flood does. */
static void test_flood_starves_nobody(void **state)
{
    struct flood flood = {*state, {0, 0}};
    struct seen noisy = {.then = flood_again, .arg = &flood}, quiet[100] = {0};
    struct pair *pair = *state;
    struct link link[100];

    for (int i = 0; i < 100; i++) {
        if (i == 40)
            flood.link = pair_link(pair, &noisy, 0);
        link[i] = pair_link(pair, &quiet[i], 0);
    }
    pair_send(pair, flood.link);
    for (unsigned round = 1; round <= 5; round++) {
        for (int i = 0; i < 100; i++)
            pair_send(pair, link[i]);
        for (unsigned n = 0; n < 206; n++)
            (void)evc_guest_dispatch(&pair->a->vcpu[0], 1, 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(quiet[i].count, round);
    }
}

/* ---- PIRQs that come and go while they fire ------------------------------------------- */

static _Atomic int stop;

static void *raise_pirqs(void *arg)
{
    struct side *side = arg;

    while (!atomic_load(&stop))
        (void)evc_raise_pirq(side->dom, 3);
    return NULL;
}

static void test_pirq_is_bound_and_closed_while_it_fires(void **state)
{
    struct pair *pair = *state;
    struct side *side = pair->a;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    unsigned heard = 0;
    pthread_t thread;

    alarm(PATIENCE);
    atomic_store(&stop, 0);
    pthread_create(&thread, NULL, raise_pirqs, side);
    for (int i = 0; i < 2000 || heard < 10; i++) {
        int port = evc_guest_bind_pirq(&side->vcpu[0], 3, &how);
        unsigned before = seen.count;

        assert_true(port > 0);
        for (unsigned n = 0; n < 4; n++)
            (void)evc_guest_dispatch(&side->vcpu[0], 16, 0);
        heard += seen.count != before;
        assert_int_equal(evc_guest_unbind(&side->vcpu[0], (evc_port)port), 0);
        before = seen.count;
        (void)evc_guest_dispatch(&side->vcpu[0], 16, 0);
        assert_int_equal(seen.count, before);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    assert_true(heard > 0);
    alarm(0);
}

/* ---- every port the ABI can name is reachable ----------------------------------------- */

static void test_every_port_is_reachable(void **state)
{
    struct pair *pair = *state;
    struct side *side = pair->a;
    evc_port last = evc_guest_ports(&side->guest) - 1;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);

    for (evc_port p = 1; p <= last; p++) {
        assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), p);
        seen.count = 0;
        assert_int_equal(evc_guest_send(&side->vcpu[0], p), 0);
        side_run(side, 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.port[0], p);
    }
}

static void test_port_numbers_beyond_the_end_are_refused(void **state)
{
    struct pair *pair = *state;
    struct evc_guest_vcpu *self = &pair->a->vcpu[0];
    evc_port ports = evc_guest_ports(&pair->a->guest);
    const evc_port bad[] = {0, ports, ports + 1, 131072, 0x80000000u, ~0u};
    struct evc_guest_counts counts;

    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(evc_guest_mask(self, bad[i]), -XEN_EINVAL);
        assert_int_equal(evc_guest_unmask(self, bad[i]), -XEN_EINVAL);
        assert_int_equal(evc_guest_unbind(self, bad[i]), -XEN_EINVAL);
        assert_int_equal(evc_guest_move(self, bad[i], 1), -XEN_EINVAL);
        assert_int_equal(evc_guest_take(self, bad[i]), -XEN_EINVAL);
        assert_int_equal(evc_guest_poll(self, bad[i], 0), -XEN_EINVAL);
        assert_int_equal(evc_guest_quiesce(self, bad[i]), -XEN_EINVAL);
        assert_int_equal(evc_guest_counts(&pair->a->guest, bad[i], &counts),
                         -XEN_EINVAL);
    }
}

/* ---- two-level scans by words of the guest's width -------------------------------------- */

static void test_words_are_as_wide_as_the_layout_says(void **state)
{
    static const evc_port ports[] = {1, 31, 32, 33, 63, 64, 95, 96, 1023};
    struct pair *pair = *state;
    struct side *side = pair->a;
    static const struct evc_guest_binding silent = {0};
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    unsigned n = 0;

    for (evc_port p = 1; p <= 1023; p++) {
        bool one = p == ports[n];

        assert_int_equal(
            evc_guest_bind_ipi(&side->vcpu[0], one ? &how : &silent), p);
        n += one;
    }
    for (unsigned i = 0; i < n; i++)
        evc_guest_send(&side->vcpu[0], ports[i]);
    side_run(side, 0);
    assert_int_equal(seen.count, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(seen.port[i], ports[i]);
}

/* ---- a closed port that is still LINKED -------------------------------------------------- */

static void test_closed_port_leaves_its_queue(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    struct evc_guest_vcpu *self = &pair->a->vcpu[0];
    int one = evc_guest_bind_ipi(self, &how);
    int two = evc_guest_bind_ipi(self, &how);

    evc_guest_send(self, (evc_port)one);
    evc_guest_send(self, (evc_port)two);
    assert_int_equal(evc_guest_unbind(self, (evc_port)one), 0);
    assert_true(side_linked(pair->a, (evc_port)one));
    assert_int_equal(evc_guest_bind_ipi(self, &how), 3); /* `one` is busy */
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.port[0], two); /* behind it, and not lost */
    assert_false(side_linked(pair->a, (evc_port)one));
    assert_int_equal(evc_guest_bind_ipi(self, &how), one);
}

/* A vCPU goes offline: its ports move away, and one last dispatch empties its
 * queues. */
static void test_queues_of_a_vcpu_that_goes_are_emptied(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link[20];

    for (int i = 0; i < 20; i++) {
        link[i] = pair_link(pair, &seen, 1);
        pair_send(pair, link[i]);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(evc_guest_move(&pair->a->vcpu[1], link[i].here, 0), 0);
    side_run(pair->a, 1);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(seen.vcpu[i], 0);
        pair_send(pair, link[i]);
    }
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 40);
}

int main(void)
{
    static const struct side_config pirqs_2l = {.abi = EVC_GUEST_ABI_TWOLEVEL,
                                                .pirqs = 16};
    static const struct side_config pirqs_fifo = {.abi = EVC_GUEST_ABI_FIFO,
                                                  .pirqs = 16};
    static const struct side_config arm = {.layout = EVC_GUEST_LAYOUT_ARM,
                                           .abi = EVC_GUEST_ABI_TWOLEVEL,
                                           .vcpus = 1};
    const struct CMUnitTest tests[] = {
        ON_ALL(test_unbind_waits_for_the_handler_on_another_vcpu),
        ON_ALL(test_port_closed_after_the_scan_is_not_called),
        ON_ALL(test_handlers_that_close_each_other_do_not_deadlock),
        ON_ALL(test_flood_does_not_hold_the_vcpu),
        ON_ALL(test_flood_starves_nobody),
        ON(pirqs_2l, test_pirq_is_bound_and_closed_while_it_fires),
        ON(pirqs_fifo, test_pirq_is_bound_and_closed_while_it_fires),
        ON_ALL(test_every_port_is_reachable),
        ON(arm, test_every_port_is_reachable),
        ON_ALL(test_port_numbers_beyond_the_end_are_refused),
        ON(twolevel_32, test_words_are_as_wide_as_the_layout_says),
        ON(twolevel_64, test_words_are_as_wide_as_the_layout_says),
        ON(arm, test_words_are_as_wide_as_the_layout_says),
        ON(fifo_64, test_closed_port_leaves_its_queue),
        ON_ALL(test_queues_of_a_vcpu_that_goes_are_emptied),
    };

    return RUN(tests);
}
