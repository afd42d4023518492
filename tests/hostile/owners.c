/* SPDX-License-Identifier: MIT */
/*
 * Whose an event is: VIRQs of the machine and who handles them, channels whose
 * consumer is the host, and hosts that leave out what others have.
 */
#include "hostile.h"

#define NO_HANDLER ((void (*)(void *))NULL)

/* ---- VIRQs (XSA-496; 4d8acc9c1c, 980822c5ed, eba922abdb, bb1accab69) ---- */

static void test_bind_virq_without_ports_leaves_the_owner_alone(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_virq(w->d0, VIRQ_DOM_EXC, 0);
    uint32_t timer = (uint32_t)bind_virq(w->d1, VIRQ_TIMER, 0);

    while (bind_ipi(w->d1, 0) > 0)
        ;
    while (bind_ipi(w->d0, 0) > 0)
        ;
    for (uint32_t virq = 0; virq < 26; virq++) {
        assert_true(bind_virq(w->d0, virq, 0) < 0);
        assert_true(bind_virq(w->d1, virq, 0) < 0);
    }
    assert_int_equal(evc_raise_global_virq(w->engine, VIRQ_DOM_EXC), 0);
    assert_int_equal(take(w->d0, 0).port[0], port);
    assert_int_equal(evc_raise_vcpu_virq(w->d1->dom, 0, VIRQ_TIMER), 0);
    assert_int_equal(take(w->d1, 0).port[0], timer);
    /* And it can be given away and back. */
    assert_int_equal(close_port(w->d0, port), 0);
    assert_int_equal(bind_virq(w->d0, VIRQ_DOM_EXC, 0), port);
}

static void test_global_virq_is_bound_by_its_handler_only(void **state)
{
    struct world *w = *state;
    uint32_t port;

    assert_int_equal(bind_virq(w->d1, VIRQ_CONSOLE, 0), -XEN_EBUSY);
    assert_int_equal(evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE), 0);
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), -XEN_EBUSY);
    port = (uint32_t)bind_virq(w->d1, VIRQ_CONSOLE, 0);
    evc_raise_global_virq(w->engine, VIRQ_CONSOLE);
    assert_int_equal(take(w->d1, 0).port[0], port);
    /* Handed over only while unbound. */
    assert_int_equal(evc_set_virq_handler(w->d2->dom, VIRQ_CONSOLE),
                     -XEN_EBUSY);
    assert_int_equal(close_port(w->d1, port), 0);
    assert_int_equal(evc_set_virq_handler(w->d2->dom, VIRQ_CONSOLE), 0);
}

/* ---- a domain whose lock is taken --------------------------------------- */

static _Atomic bool mapping, others_are_done, gave_up;

/* A host whose answer takes as long as it takes others. */
static int map_slowly(void *dom, uint64_t gfn, void **page)
{
    struct guest *g = dom;

    mapping = true;
    for (int i = 0; i < 30000 && !others_are_done; i++)
        nap(1000);
    gave_up = gave_up || !others_are_done;
    *page = at(g, gfn * PAGE);
    return 0;
}

static void never_unmap(void *dom, uint64_t gfn, void *page)
{
    (void)dom;
    (void)gfn;
    (void)page;
}

static void enter_fifo_slowly(struct crew *crew, uint64_t *dice)
{
    (void)raw_init_control(crew->w->d1, BLOCK_FRAME, 0, 0);
    (void)reset(crew->w->d1, DOMID_SELF);
    (void)dice;
}

static void bind_meanwhile(struct crew *crew, uint64_t *dice)
{
    while (!mapping && !crew->stop)
        nap(100);
    (void)bind_virq(crew->w->d1, VIRQ_TIMER, 0);
    (void)bind_virq(crew->w->d1, VIRQ_CONSOLE, 0);
    (void)dice;
}

/* Neither a domain that binds a VIRQ, nor one that comes, waits for d1. */
static void test_guest_that_waits_to_bind_a_virq_holds_up_no_other(void **state)
{
    struct world *w = world_create((struct world_config){0});
    struct evc_ops ops = world_ops((struct world_config){0});
    struct crew crew = {.w = w};

    (void)state;
    ops.map = map_slowly;
    ops.unmap = never_unmap;
    evc_engine_destroy(w->engine);
    assert_int_equal(evc_engine_create(&ops, w, 0, &w->engine), 0);
    w->d0 = guest_create(w, (struct guest_config){.id = 0});
    w->d1 = guest_create(w, (struct guest_config){.id = 1});
    mapping = others_are_done = gave_up = false;
    crew_add(&crew, enter_fifo_slowly);
    crew_add(&crew, bind_meanwhile);
    crew_start(&crew);
    while (!mapping)
        nap(100);
    nap(20000); /* let the other one get as far as it can */
    (void)bind_virq(w->d0, VIRQ_CONSOLE, 0);
    (void)guest_create(w, (struct guest_config){.id = 2});
    others_are_done = true;
    crew_stop(&crew);
    assert_false(gave_up);
    assert_int_equal(state_of(w->d0, 1), EVTCHNSTAT_virq);
    assert_int_equal(w->guests, 3);
    assert_true(world_destroy(w));
}

/* ---- handing over ------------------------------------------------------- */

static void hand_over(struct crew *crew, uint64_t *dice)
{
    struct guest *to = roll(dice, 2) ? crew->w->d1 : crew->w->d2;
    int r = evc_set_virq_handler(to->dom, VIRQ_CONSOLE);

    WRONG_IF(crew, r != 0 && r != -XEN_EBUSY);
}

static void bind_and_close(struct crew *crew, uint64_t *dice)
{
    struct guest *g = roll(dice, 2) ? crew->w->d1 : crew->w->d2;
    int port = bind_virq(g, VIRQ_CONSOLE, 0);

    WRONG_IF(crew, port < 0 && port != -XEN_EBUSY);
    if (port > 0)
        WRONG_IF(crew, close_port(g, (uint32_t)port) != 0);
}

static void raise_console(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    WRONG_IF(crew, evc_raise_global_virq(crew->w->engine, VIRQ_CONSOLE) != 0);
}

static void test_global_virq_is_handed_over_under_raisers(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};
    uint32_t port;

    crew_add(&crew, hand_over);
    crew_add(&crew, bind_and_close);
    crew_add(&crew, raise_console);
    crew_run(&crew, 150);
    assert_int_equal(evc_set_virq_handler(w->d0->dom, VIRQ_CONSOLE), 0);
    port = (uint32_t)bind_virq(w->d0, VIRQ_CONSOLE, 0);
    evc_raise_global_virq(w->engine, VIRQ_CONSOLE);
    assert_int_equal(take(w->d0, 0).port[0], port);
}

/*
 * Binding asks whether the caller is the handler, handing over asks whether the
 * handler has bound: one of the two must be told no.
 */
struct handing {
    _Atomic unsigned turn;
    _Atomic int bound; /* d1's port, or why not */
};

static void bind_in_turn(struct crew *crew, uint64_t *dice)
{
    struct handing *h = crew->data;

    (void)dice;
    if (h->turn != 1)
        return;
    h->bound = bind_virq(crew->w->d1, VIRQ_CONSOLE, 0);
    h->turn = 2;
}

static void test_bound_global_virq_is_its_handlers(void **state)
{
    struct world *w = *state;
    struct handing h = {.turn = 0};
    struct crew crew = {.w = w, .data = &h};
    unsigned both = 0;

    crew_add(&crew, bind_in_turn);
    crew_start(&crew);
    for (unsigned i = 0; i < scaled(1000); i++) {
        int r;

        (void)evc_set_virq_handler(w->d1->dom, VIRQ_CONSOLE);
        h.turn = 1;
        for (unsigned k = i % 64; k > 0; k--)
            (void)h.turn;
        r = evc_set_virq_handler(w->d2->dom, VIRQ_CONSOLE);
        while (h.turn != 2)
            ;
        both += r == 0 && h.bound > 0; /* d1 has it, d2 handles it */
        if (h.bound > 0)
            (void)close_port(w->d1, (uint32_t)h.bound);
    }
    crew_stop(&crew);
    assert_int_equal(both, 0);
}

/* ---- consumers in the host (1376ef90d3; f60ab5337f) --------------------- */

struct consumer {
    struct guest *g;
    struct evc_host *host;
    unsigned calls;
};

/* Does what a lock held by the sender would make impossible. */
static void consume_and_call_back(void *data)
{
    struct consumer *c = data;
    int port = bind_ipi(c->g, 0);
    struct evtchn_status now;

    if (++c->calls > 1)
        return;
    assert_int_equal(send_port(c->g, (uint32_t)port), 0);
    assert_int_equal(close_port(c->g, (uint32_t)port), 0);
    assert_int_equal(status(c->g, DOMID_SELF, 1, &now), 0);
    assert_int_equal(send_port(c->g, 1), 0); /* to ourselves again */
    evc_host_close(c->host);
}

static void test_host_consumer_is_called_without_locks(void **state)
{
    struct world *w = *state;
    struct consumer c = {.g = w->d1};
    uint32_t port = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, 0);

    assert_int_equal(port, 1);
    assert_int_equal(evc_host_connect(w->d1->dom, port, 0,
                                      consume_and_call_back, &c, &c.host),
                     0);
    assert_int_equal(send_port(w->d1, port), 0);
    assert_int_equal(c.calls, 2);
    assert_int_equal(state_of(w->d1, port), EVTCHNSTAT_unbound);
}

static void test_status_of_a_hosts_port_works(void **state)
{
    struct world *w = *state;
    struct evc_host *host;
    struct evtchn_status now;
    evc_port port;

    assert_int_equal(
        evc_host_listen(w->d1->dom, EVC_NO_VCPU, 2, NO_HANDLER, NULL, &host),
        0);
    port = evc_host_port(host);
    assert_int_equal(status(w->d1, DOMID_SELF, port, &now), 0);
    assert_int_equal(now.status, EVTCHNSTAT_unbound);
    assert_true(bind_interdomain(w->d2, 1, port) > 0);
    assert_int_equal(status(w->d0, 1, port, &now), 0);
    assert_int_equal(now.status, EVTCHNSTAT_interdomain);
    assert_int_equal(close_port(w->d1, port), -XEN_EINVAL);
    assert_int_equal(send_port(w->d1, port), -XEN_EINVAL);
    evc_host_close(host);
}

/* ---- hosts without something (XSA-256) ---------------------------------- */

static void test_event_for_a_host_that_cannot_kick_is_delivered(void **state)
{
    _Alignas(8) static uint8_t page[PAGE];
    struct evc_domain_config config = {.size = sizeof(config),
                                       .id = 1,
                                       .vcpus = 40,
                                       .max_port = UINT32_MAX,
                                       .shared_info = page};
    struct evtchn_bind_ipi ipi = {.vcpu = 2}, far = {.vcpu = 39};
    struct evc_engine *engine;
    struct evc_domain *dom;

    (void)state;
    assert_int_equal(evc_engine_create(NULL, NULL, 0, &engine), 0);
    assert_int_equal(evc_domain_create(engine, &config, &dom), 0);
    assert_int_equal(evc_event_channel_op(dom, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(evc_event_channel_op(dom, EVTCHNOP_bind_ipi, &far), 0);
    assert_int_equal(evc_send(dom, ipi.port), 0);
    assert_int_equal(evc_send(dom, far.port), 0); /* has no vcpu_info yet */
    assert_true(evc_vcpu_deliverable(dom, 2));
    assert_false(evc_vcpu_deliverable(dom, 1));
    evc_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bind_virq_without_ports_leaves_the_owner_alone),
        TEST(test_global_virq_is_bound_by_its_handler_only),
        cmocka_unit_test(
            test_guest_that_waits_to_bind_a_virq_holds_up_no_other),
        TEST(test_global_virq_is_handed_over_under_raisers),
        TEST(test_bound_global_virq_is_its_handlers),
        TEST(test_host_consumer_is_called_without_locks),
        TEST(test_status_of_a_hosts_port_works),
        TEST(test_event_for_a_host_that_cannot_kick_is_delivered),
    };

    return RUN(tests);
}
