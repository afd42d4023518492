/* SPDX-License-Identifier: MIT */
/*
 * Operations that race with each other: resets, changes of ABI, growth, close
 * and rebind, against senders, lookers and pollers.
 */
#include "hostile.h"

#include <string.h>
#include <sys/mman.h>

#include <evc/abi/vcpu.h>

/* ---- everything against reset and a new ABI (XSA-343, XSA-505) ---------- */

static void change_abi(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    int r = reset(g, DOMID_SELF);

    WRONG_IF(crew, r != 0 && r != -XEN_EAGAIN && r != -XEN_EBUSY);
    for (unsigned v = 0; v < 4; v++)
        if (roll(dice, 4) != 0)
            (void)raw_init_control(g, BLOCK_FRAME, v * 128, v);
    if (roll(dice, 4) != 0)
        (void)raw_expand_array(g, ARRAY_FRAME);
}

static void open_ports(struct crew *crew, uint64_t *dice)
{
    struct guest *d1 = crew->w->d1, *d2 = crew->w->d2;
    int a = alloc_unbound(d1, DOMID_SELF, d2->id);
    int b = a > 0 ? bind_interdomain(d2, d1->id, (uint32_t)a) : 0;

    (void)bind_virq(d1, VIRQ_TIMER, roll(dice, 4));
    (void)bind_virq(d1, VIRQ_ARGO, 0);
    (void)bind_ipi(d1, roll(dice, 4));
    if (b > 0 && roll(dice, 2))
        WRONG_IF(crew, close_port(d2, (uint32_t)b) != 0);
    (void)close_port(d1, 1 + roll(dice, 16));
    (void)close_port(d2, 1 + roll(dice, 32));
}

static void send_all(struct crew *crew, uint64_t *dice)
{
    struct guest *d1 = crew->w->d1, *d2 = crew->w->d2;

    for (uint32_t port = 1; port < 32; port++) {
        (void)send_port(d2, port);
        (void)send_port(d1, port);
        (void)unmask_port(d1, port);
    }
    (void)evc_raise_vcpu_virq(d1->dom, roll(dice, 4), VIRQ_TIMER);
    (void)evc_raise_domain_virq(d1->dom, VIRQ_ARGO);
}

static void look_and_poll(struct crew *crew, uint64_t *dice)
{
    struct guest *d0 = crew->w->d0, *d1 = crew->w->d1;
    uint32_t port = roll(dice, 70);
    struct evtchn_status now;
    struct evc_port_info info;
    struct evc_domain_info all;
    int64_t r;

    (void)status(d0, d1->id, port, &now);
    (void)evc_port_info(d1->dom, port, &info);
    evc_domain_info(d1->dom, &all);
    (void)set_priority(d1, port, roll(dice, 16));
    (void)bind_vcpu(d1, port, roll(dice, 4));
    r = poll_ports(d1, 3, &port, 1, 1); /* a deadline long past */
    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
}

static void assert_works_again(struct guest *g)
{
    uint32_t port;

    assert_int_equal(reset(g, DOMID_SELF), 0);
    forget_fifo(g);
    memset(g->memory, 0, PAGE);
    port = (uint32_t)bind_ipi(g, 1);
    assert_int_equal(port, 1); /* the lowest: all are free */
    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(take(g, 1).port[0], port);
}

static void test_all_operations_race_with_reset_and_a_new_ABI(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};

    crew_add(&crew, change_abi);
    crew_add(&crew, open_ports);
    crew_add(&crew, send_all);
    crew_add(&crew, look_and_poll);
    crew_run(&crew, 500);
    assert_works_again(w->d1);
    assert_int_equal(reset(w->d2, DOMID_SELF), 0);
}

static void only_reset(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    WRONG_IF(crew, reset(crew->w->d1, DOMID_SELF) == -XEN_EAGAIN);
}

static void only_grow(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    int r = raw_init_control(g, BLOCK_FRAME, 0, 0);

    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
    for (int i = 0; i < 8; i++) {
        r = raw_expand_array(g, ARRAY_FRAME + roll(dice, 100));
        WRONG_IF(crew, r != 0 && r != -XEN_EOPNOTSUPP && r != -XEN_ENOSPC);
    }
}

static void test_expand_array_races_with_reset(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};

    crew_add(&crew, only_reset);
    crew_add(&crew, only_grow);
    crew_add(&crew, only_grow);
    crew_run(&crew, 200);
    assert_works_again(w->d1);
    assert_int_equal(w->d1->mapped, 0);
}

/* ---- init_control against a peer's send (XSA-358, XSA-359) -------------- */

struct early {
    struct channel c;
};

/* The block appears under the hands of a sender; afterwards events arrive. */
static void add_block(struct crew *crew, uint64_t *dice)
{
    struct early *e = crew->data;
    struct guest *g = crew->w->d1;
    _Atomic uint32_t *word = at(g, ARRAY_FRAME * PAGE + e->c.a * 4);
    _Atomic uint32_t *block = at(g, BLOCK_FRAME * PAGE + 128);

    (void)dice;
    for (int i = 0; i < 18; i++)
        atomic_store(block + i, 0);
    WRONG_IF(crew, raw_init_control(g, BLOCK_FRAME, 0, 0) != 0);
    WRONG_IF(crew, raw_expand_array(g, ARRAY_FRAME) != 0);
    e->c.a = (uint32_t)alloc_unbound(g, DOMID_SELF, crew->w->d2->id);
    WRONG_IF(crew, bind_vcpu(g, e->c.a, 1) != 0);
    e->c.b = (uint32_t)bind_interdomain(crew->w->d2, g->id, e->c.a);
    nap(20);

    WRONG_IF(crew, raw_init_control(g, BLOCK_FRAME, 128, 1) != 0);
    WRONG_IF(crew, send_port(crew->w->d2, e->c.b) != 0);
    word = at(g, ARRAY_FRAME * PAGE + e->c.a * 4);
    WRONG_IF(crew, !(*word & PENDING) || !(*word & LINKED));
    while (atomic_load(block + 2 + 7) != e->c.a && !crew->stop)
        ; /* another sender may be about to link it */
    WRONG_IF(crew, !crew->stop && atomic_load(block + 2 + 7) != e->c.a);

    WRONG_IF(crew, close_port(g, e->c.a) != 0);
    WRONG_IF(crew, close_port(crew->w->d2, e->c.b) != 0);
    WRONG_IF(crew, reset(g, DOMID_SELF) != 0);
    atomic_store(word, 0);
}

static void send_to_any(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    for (uint32_t port = 1; port < 4; port++)
        (void)send_port(crew->w->d2, port);
}

static void test_peer_sends_exactly_while_init_control_runs(void **state)
{
    struct world *w = *state;
    struct early e = {{0, 0}};
    struct crew crew = {.w = w, .data = &e};

    crew_add(&crew, add_block);
    crew_add(&crew, send_to_any);
    crew_add(&crew, send_to_any);
    crew_run(&crew, 300);
}

/* ---- allocation against lock-free lookers (XSA-340) --------------------- */

struct growing {
    _Atomic uint32_t top; /* the last port opened */
};

static void look_from(struct crew *crew, unsigned vcpu, uint64_t *dice)
{
    struct growing *growing = crew->data;
    struct guest *g = crew->w->d1;
    uint32_t port = growing->top + roll(dice, 130);
    struct evtchn_status now;
    int r = status(g, DOMID_SELF, port, &now);

    /* Open, closed or beyond the end; never anything else. */
    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
    WRONG_IF(crew, r == 0 && now.status != EVTCHNSTAT_ipi &&
                       now.status != EVTCHNSTAT_closed);
    WRONG_IF(crew, r == 0 && now.status == EVTCHNSTAT_ipi && now.vcpu != 2);
    r = send_port(g, port);
    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
    r = unmask_port(g, port);
    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
    r = (int)poll_ports(g, vcpu, &port, 1, 1);
    WRONG_IF(crew, r != 0 && r != -XEN_EINVAL);
}

static void look_at_the_edge(struct crew *crew, uint64_t *dice)
{
    look_from(crew, 3, dice);
}

static void look_as_another(struct crew *crew, uint64_t *dice)
{
    look_from(crew, 1, dice);
}

static void test_ports_are_found_while_the_table_grows(void **state)
{
    struct world *w = *state;
    struct growing growing = {0};
    struct crew crew = {.w = w, .data = &growing};

    enter_fifo(w->d1, 4);
    crew_add(&crew, look_at_the_edge);
    crew_add(&crew, look_as_another);
    crew_start(&crew);
    for (uint32_t port = 1; port <= 131071; port++) {
        if (bind_ipi(w->d1, 2) != (int)port) {
            crew.wrong = __LINE__;
            break;
        }
        growing.top = port;
    }
    crew_stop(&crew);
}

/* ---- reset of a full domain (XSA-344) ----------------------------------- */

struct full {
    struct channel honest;
    _Atomic bool begun, ended;
    _Atomic int answer;
    _Atomic uint64_t served; /* while it ran */
};

static void reset_full(struct crew *crew, uint64_t *dice)
{
    struct full *full = crew->data;

    (void)dice;
    if (full->ended) {
        nap(100);
        return;
    }
    full->begun = true;
    full->answer = reset(crew->w->d1, DOMID_SELF);
    full->ended = true;
}

static void serve(struct crew *crew, uint64_t *dice)
{
    struct full *full = crew->data;
    struct guest *d0 = crew->w->d0;

    (void)dice;
    WRONG_IF(crew, send_port(crew->w->d2, full->honest.b) != 0);
    WRONG_IF(crew, !is_pending(d0, full->honest.a));
    clear_pending(d0, full->honest.a);
    if (full->begun && !full->ended)
        full->served++;
}

static void fill(struct guest *g)
{
    int port;

    do
        port = bind_ipi(g, 0);
    while (port > 0);
    if (port != -XEN_ENOSPC)
        fail();
}

/* One reset of 131,071 ports. Was it seen from all sides? */
static bool see_a_reset(struct world *w, struct full *full)
{
    struct crew crew = {.w = w, .data = full};
    bool busy = false, opened = false;

    full->begun = full->ended = false;
    full->served = 0;
    (void)raw_init_control(w->d1, BLOCK_FRAME, 0, 0);
    fill(w->d1);
    crew_add(&crew, reset_full);
    crew_add(&crew, serve);
    crew_start(&crew);
    while (!full->ended && !(busy && opened)) {
        busy = busy || (full->begun && reset(w->d1, DOMID_SELF) == -XEN_EBUSY);
        opened = opened || (busy && bind_ipi(w->d1, 0) > 0);
    }
    while (!full->ended)
        nap(1000);
    crew_stop(&crew);
    return busy && opened && full->served > 0 && full->answer == -XEN_EAGAIN;
}

static void test_reset_of_131071_ports_lets_others_work(void **state)
{
    struct world *w = *state;
    struct full full = {.honest = join_guests(w->d0, w->d2)};
    bool seen = false;

    /* On a busy machine a whole reset may pass between two looks. */
    for (int i = 0; i < 2000 && !seen; i++)
        seen = see_a_reset(w, &full);
    assert_true(seen);
    assert_works_again(w->d1);
}

/* ---- close and rebind against send -------------------------------------- */

struct closing {
    struct channel c;
    _Atomic uint64_t rounds; /* of the sender */
};

static void keep_sending(struct crew *crew, uint64_t *dice)
{
    struct closing *closing = crew->data;

    (void)dice;
    for (uint32_t port = 1; port < 4; port++)
        (void)send_port(crew->w->d2, port);
    closing->rounds++;
}

/* Sends that had begun by now have ended. */
static void let_sends_end(struct crew *crew)
{
    struct closing *closing = crew->data;
    uint64_t then = closing->rounds;

    while (closing->rounds < then + 2 && !crew->stop)
        ;
}

static void close_and_watch(struct crew *crew, uint64_t *dice)
{
    struct guest *d1 = crew->w->d1;
    struct channel c = join_guests(d1, crew->w->d2);

    WRONG_IF(crew, close_port(d1, c.a) != 0);
    let_sends_end(crew); /* one of those may surface: that is allowed */
    clear_pending(d1, c.a);
    let_sends_end(crew);
    WRONG_IF(crew, is_pending(d1, c.a));
    WRONG_IF(crew, close_port(crew->w->d2, c.b) != 0);
    (void)dice;
}

/* The peer binds to d1's port and closes its end, for ever. */
static void bind_and_close(struct crew *crew, uint64_t *dice)
{
    int port = bind_interdomain(crew->w->d2, crew->w->d1->id, 1);

    if (port > 0)
        WRONG_IF(crew, close_port(crew->w->d2, (uint32_t)port) != 0);
    (void)dice;
}

static void offer_and_close(struct crew *crew, uint64_t *dice)
{
    struct guest *d1 = crew->w->d1;

    WRONG_IF(crew, alloc_unbound(d1, DOMID_SELF, crew->w->d2->id) != 1);
    for (unsigned n = roll(dice, 200); n > 0; n--)
        (void)send_port(d1, 1); /* meanwhile it is bound, and unbound */
    WRONG_IF(crew, close_port(d1, 1) != 0);
    WRONG_IF(crew, state_of(d1, 1) != EVTCHNSTAT_closed);
}

static void test_port_is_closed_while_its_peer_binds_and_closes(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};

    crew_add(&crew, bind_and_close);
    crew_add(&crew, bind_and_close);
    crew_add(&crew, offer_and_close);
    crew_run(&crew, 300);
    assert_int_equal(evc_port_next(w->d1->dom, 0), 0);
    for (evc_port p = 0; (p = evc_port_next(w->d2->dom, p)) != 0;)
        assert_int_equal(close_port(w->d2, p), 0);
}

static void handle_virq(struct crew *crew, uint64_t *dice)
{
    (void)evc_set_virq_handler(crew->w->d1->dom, VIRQ_CONSOLE);
    (void)dice;
}

static void raise_console(struct crew *crew, uint64_t *dice)
{
    (void)evc_raise_global_virq(crew->w->engine, VIRQ_CONSOLE);
    (void)dice;
}

/* Whoever dies meanwhile is the handler no more. */
static void test_dying_domain_does_not_stay_a_virqs_handler(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};

    crew_add(&crew, handle_virq);
    crew_add(&crew, raise_console);
    crew_start(&crew);
    nap(20000);
    evc_domain_kill(w->d1->dom);
    crew_stop(&crew);
    assert_true(bind_virq(w->d0, VIRQ_CONSOLE, 0) > 0); /* it is d0's again */
}

static void test_no_send_after_close_has_an_effect(void **state)
{
    struct world *w = *state;
    struct closing closing = {.rounds = 0};
    struct crew crew = {.w = w, .data = &closing};

    crew_add(&crew, close_and_watch);
    crew_add(&crew, keep_sending);
    crew_run(&crew, 200);
}

static void rebind_and_send(struct crew *crew, uint64_t *dice)
{
    struct guest *d1 = crew->w->d1, *d2 = crew->w->d2;
    struct channel c = join_guests(d1, d2);

    (void)dice;
    WRONG_IF(crew, close_port(d2, c.b) != 0);
    WRONG_IF(crew, state_of(d1, c.a) != EVTCHNSTAT_unbound);
    c.b = (uint32_t)bind_interdomain(d2, d1->id, c.a);
    clear_pending(d1, c.a);
    WRONG_IF(crew, send_port(d2, c.b) != 0);
    WRONG_IF(crew, !is_pending(d1, c.a)); /* none is lost */
    WRONG_IF(crew, close_port(d1, c.a) != 0);
    WRONG_IF(crew, close_port(d2, c.b) != 0);
}

static void test_no_send_after_a_rebind_is_lost(void **state)
{
    struct world *w = *state;
    struct closing closing = {.rounds = 0};
    struct crew crew = {.w = w, .data = &closing};

    crew_add(&crew, rebind_and_send);
    crew_add(&crew, keep_sending);
    crew_run(&crew, 200);
}

/* ---- a page appears under a sender (917c123029) ------------------------- */

static void grow_under_send(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    _Atomic uint32_t *word = at(g, ARRAY_FRAME * PAGE + 4);
    int port;

    (void)dice;
    atomic_store(word, 0);
    WRONG_IF(crew, raw_init_control(g, BLOCK_FRAME, 0, 0) != 0);
    port = alloc_unbound(g, DOMID_SELF, crew->w->d2->id);
    WRONG_IF(crew, port != 1);
    /* Binding raises d2's end, not ours; the sender raises ours. */
    port = bind_interdomain(crew->w->d2, g->id, 1);
    WRONG_IF(crew, port <= 0 || send_port(crew->w->d2, (uint32_t)port) != 0);
    WRONG_IF(crew, raw_expand_array(g, ARRAY_FRAME) != 0);
    /* Sent before; another sender may be about to raise it. */
    for (int i = 0; i < 2000 && !(atomic_load(word) & PENDING); i++)
        nap(1000);
    WRONG_IF(crew, !(atomic_load(word) & PENDING));
    WRONG_IF(crew, close_port(crew->w->d2, (uint32_t)port) != 0);
    WRONG_IF(crew, reset(g, DOMID_SELF) != 0);
}

static void test_no_event_is_lost_while_its_page_appears(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};

    crew_add(&crew, grow_under_send);
    crew_add(&crew, send_to_any);
    crew_run(&crew, 200);
}

/* ---- moving vcpu_info under a sender ------------------------------------ */

struct moving {
    struct guest *g;
    uint32_t port[4];
};

static void send_to_movers(struct crew *crew, uint64_t *dice)
{
    struct moving *m = crew->data;

    (void)dice;
    for (unsigned v = 0; v < 4; v++)
        WRONG_IF(crew, send_port(m->g, m->port[v]) != 0);
}

static int move_info(struct guest *g, unsigned v)
{
    struct vcpu_register_vcpu_info raw = {.mfn = 1, .offset = v * 64};

    put(g, SCRATCH, &raw, sizeof(raw));
    return (int)hypercall(g, v, 24, VCPUOP_register_vcpu_info, v, SCRATCH);
}

/* However busy the machine is: the senders get their turn. */
static void await_pending(struct guest *g, uint32_t port)
{
    for (unsigned i = 0; i < 10000 && !is_pending(g, port); i++)
        nap(1000);
}

static void test_no_event_is_lost_while_vcpu_info_moves(void **state)
{
    struct world *w = *state;
    struct moving m = {.g = w->d1};
    struct crew crew = {.w = w, .data = &m};

    for (unsigned v = 0; v < 4; v++)
        m.port[v] = (uint32_t)bind_ipi(w->d1, v);
    crew_add(&crew, send_to_movers);
    crew_add(&crew, send_to_movers);
    crew_start(&crew);
    for (unsigned v = 0; v < 4; v++) {
        await_pending(w->d1, m.port[v]);
        if (move_info(w->d1, v) != 0)
            crew.wrong = __LINE__;
        if (take(w->d1, v).count == 0) /* it was pending before the move */
            crew.wrong = __LINE__;
    }
    crew_stop(&crew);
    for (unsigned v = 0; v < 4; v++) /* whatever is pending is announced */
        (void)take(w->d1, v);
    for (unsigned v = 0; v < 4; v++)
        assert_false(is_pending(w->d1, m.port[v]));
}

/* ---- destroying under a sender ------------------------------------------ */

static void send_anywhere(struct crew *crew, uint64_t *dice)
{
    uint32_t port = 1 + roll(dice, 8);

    (void)send_port(crew->w->d2, port);
    (void)evc_raise_global_virq(crew->w->engine, VIRQ_CONSOLE);
}

static void test_domains_are_destroyed_under_senders(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};
    unsigned rounds = scaled(60);

    crew_add(&crew, send_anywhere);
    crew_add(&crew, send_anywhere);
    crew_start(&crew);
    for (unsigned i = 0; i < rounds; i++) {
        struct guest *g = guest_create(w, (struct guest_config){.id = 9});
        int a = alloc_unbound(g, DOMID_SELF, 2);
        int b = bind_interdomain(w->d2, 9, (uint32_t)a);

        if (i % 2)
            (void)raw_init_control(g, BLOCK_FRAME, 0, 0);
        nap(50);
        guest_destroy(g);
        munmap(g->memory - PAGE, (FRAMES + 2) * PAGE);
        w->guests--;
        if (state_of(w->d2, (uint32_t)b) != EVTCHNSTAT_unbound ||
            close_port(w->d2, (uint32_t)b) != 0)
            crew.wrong = __LINE__;
    }
    crew_stop(&crew);
}

static void bind_to_it(struct crew *crew, uint64_t *dice)
{
    int port = bind_interdomain(crew->w->d2, 9, 1 + roll(dice, 3));

    if (port > 0)
        WRONG_IF(crew, close_port(crew->w->d2, (uint32_t)port) != 0);
}

/* Who is allowed to opens ports of it. */
static void open_for_it(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    (void)alloc_unbound(crew->w->d0, 9, 2);
}

static void test_domains_are_destroyed_under_binders(void **state)
{
    struct world *w = *state;
    struct crew crew = {.w = w};
    unsigned rounds = scaled(60);

    crew_add(&crew, bind_to_it);
    crew_add(&crew, open_for_it);
    crew_start(&crew);
    for (unsigned i = 0; i < rounds; i++) {
        struct guest *g = guest_create(w, (struct guest_config){.id = 9});

        (void)alloc_unbound(g, DOMID_SELF, 2);
        nap(50);
        guest_destroy(g);
        munmap(g->memory - PAGE, (FRAMES + 2) * PAGE);
        w->guests--;
    }
    crew_stop(&crew);
    assert_works_again(w->d2);
}

static void raise_for_nobody_yet(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    (void)evc_raise_global_virq(crew->w->engine, VIRQ_CONSOLE);
}

/* Domain 0 handles the machine's VIRQs from the moment it exists. */
static void test_domain_appears_under_those_who_raise_for_it(void **state)
{
    struct world *w = world_create((struct world_config){0});
    struct crew crew = {.w = w};
    unsigned rounds = scaled(100);

    (void)state;
    crew_add(&crew, raise_for_nobody_yet);
    crew_start(&crew);
    for (unsigned i = 0; i < rounds; i++) {
        struct guest *g = guest_create(w, (struct guest_config){.id = 0});
        int port = bind_virq(g, VIRQ_CONSOLE, 0);

        if (port != 1)
            crew.wrong = __LINE__;
        nap(50);
        guest_destroy(g);
        munmap(g->memory - PAGE, (FRAMES + 2) * PAGE);
        w->guests--;
    }
    crew_stop(&crew);
    assert_true(world_destroy(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_operations_race_with_reset_and_a_new_ABI),
        TEST(test_expand_array_races_with_reset),
        TEST(test_peer_sends_exactly_while_init_control_runs),
        TEST(test_ports_are_found_while_the_table_grows),
        TEST(test_reset_of_131071_ports_lets_others_work),
        TEST(test_port_is_closed_while_its_peer_binds_and_closes),
        TEST(test_dying_domain_does_not_stay_a_virqs_handler),
        TEST(test_no_send_after_close_has_an_effect),
        TEST(test_no_send_after_a_rebind_is_lost),
        TEST(test_no_event_is_lost_while_its_page_appears),
        TEST(test_no_event_is_lost_while_vcpu_info_moves),
        TEST(test_domains_are_destroyed_under_senders),
        TEST(test_domains_are_destroyed_under_binders),
        TEST(test_domain_appears_under_those_who_raise_for_it),
    };

    return RUN(tests);
}
