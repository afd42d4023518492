/* SPDX-License-Identifier: MIT */
/*
 * Saving a domain and restoring it: the same again, and nothing that is not
 * what saving makes.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <evc/abi/vcpu.h>

#define MS   UINT64_C(1000000)
#define ROOM 65536u

struct saved {
    struct evc_domain_config config;
    uint8_t bytes[ROOM];
    int size;
};

/* Both domains, as they were: what is restored belongs to the same guest. */
static struct saved saved[2];

static struct saved save(struct guest *g)
{
    struct saved s = {
        .config = guest_domain_config(g, (struct guest_config){.id = g->id})};

    s.size = evc_domain_save(g->dom, s.bytes, sizeof(s.bytes));
    assert_true(s.size > 0);
    return s;
}

static int restore(struct guest *g, const struct saved *s)
{
    return evc_domain_restore(g->world->engine, &s->config, s->bytes,
                              (size_t)s->size, &g->dom);
}

/* Gone, but for its memory, which dying would have changed. */
static void lose(struct guest *g)
{
    uint8_t *copy = malloc(FRAMES * PAGE);

    memcpy(copy, g->memory, FRAMES * PAGE);
    guest_destroy(g);
    memcpy(g->memory, copy, FRAMES * PAGE);
    free(copy);
}

static void save_and_lose(struct guest *g, struct saved *s)
{
    *s = save(g);
    lose(g);
}

static void move(struct guest *g)
{
    save_and_lose(g, &saved[0]);
    assert_int_equal(restore(g, &saved[0]), 0);
}

/* A bit of everything. */
static void live(struct guest *g)
{
    struct vcpu_register_vcpu_info info = {.mfn = 9, .offset = 128};

    enter_fifo(g, 2);
    assert_int_equal(grow(g), 0);
    put(g, SCRATCH, &info, sizeof(info));
    assert_int_equal(hypercall(g, 3, 24, VCPUOP_register_vcpu_info, 3, SCRATCH),
                     0);
    assert_int_equal(bind_ipi(g, 1), 1);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 1), 2);
    assert_int_equal(bind_virq(g, VIRQ_ARGO, 0), 3);
    assert_int_equal(alloc_unbound(g, DOMID_SELF, 7), 4);
    assert_int_equal(alloc_unbound(g, DOMID_SELF, DOMID_SELF), 5);
    assert_int_equal(bind_interdomain(g, DOMID_SELF, 5), 6);
    assert_int_equal(set_priority(g, 6, 2), 0);
    assert_int_equal(evc_bind_static(g->dom, 1500, 7), 0); /* has no word yet */
    evc_domain_pause(g->dom);
    evc_domain_set_target(g->dom, 2);
    evc_vcpu_set_online(g->dom, 2, true);
    assert_int_equal(evc_set_virq_handler(g->dom, VIRQ_CONSOLE), 0);
    assert_int_equal(hypercall(g, 1, 15, g->world->now + 5 * MS, 0, 0), 0);
}

/* ---- the same again ----------------------------------------------------- */

static void test_restored_domain_saves_as_the_same_bytes(void **state)
{
    struct world *w = *state;
    struct saved now;

    live(w->d1);
    send_port(w->d1, 1);
    move(w->d1);
    now = save(w->d1);
    assert_int_equal(now.size, saved[0].size);
    assert_memory_equal(now.bytes, saved[0].bytes, (size_t)now.size);
}

static void test_restored_domain_is_as_it_was(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct evc_domain_info before, after;

    live(g);
    evc_domain_info(g->dom, &before);
    move(g);
    evc_domain_info(g->dom, &after);
    assert_int_equal(after.open_ports, before.open_ports);
    assert_int_equal(after.valid_ports, before.valid_ports);
    assert_int_equal(after.paused, 1);
    assert_true(after.fifo);
    assert_int_equal(g->mapped, 4); /* a block page twice, words, vcpu_info */
    assert_int_equal(hypercall(g, 0, 24, VCPUOP_is_up, 2, 0), 1);
    assert_int_equal(hypercall(g, 0, 24, VCPUOP_is_up, 1, 0), 0);
    assert_ptr_equal(evc_vcpu_info(g->dom, 3), at(g, 9 * PAGE + 128));
    assert_int_equal(bind_virq(w->d0, VIRQ_CONSOLE, 0), -XEN_EBUSY);
    assert_int_equal(bind_virq(g, VIRQ_TIMER, 1), -XEN_EEXIST);
}

static void test_nothing_is_written_by_saving_and_restoring(void **state)
{
    struct world *w = *state;
    uint8_t *before = malloc(FRAMES * PAGE);

    live(w->d1);
    memcpy(before, w->d1->memory, FRAMES * PAGE);
    move(w->d1);
    assert_memory_equal(w->d1->memory, before, FRAMES * PAGE);
    free(before);
}

static void test_queue_goes_on_where_it_was(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct taken taken;
    uint32_t port[3];

    enter_fifo(g, 1);
    grow(g);
    for (int i = 0; i < 3; i++)
        port[i] = (uint32_t)bind_ipi(g, 0);
    send_port(g, port[1]);
    send_port(g, port[0]);
    move(g);
    send_port(g, port[2]);
    taken = take(g, 0);
    assert_int_equal(taken.count, 3);
    assert_int_equal(taken.port[0], port[1]);
    assert_int_equal(taken.port[1], port[0]);
    assert_int_equal(taken.port[2], port[2]);
}

static void test_event_without_a_word_is_kept_back_on(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    enter_fifo(g, 1);
    bind_ipi(g, 0);
    send_port(g, 1);
    move(g);
    assert_int_equal(grow(g), 0);
    assert_int_equal(take(g, 0).port[0], 1);
}

static void test_timer_fires_in_the_restored_domain(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    live(g);
    move(g);
    assert_int_equal(w->deadline, w->now + 5 * MS);
    w->now += 5 * MS;
    (void)evc_timers_run(w->engine);
    assert_int_equal(take(g, 1).port[0], 2);
}

/* ---- channels ----------------------------------------------------------- */

static void test_channel_is_joined_when_its_second_domain_comes(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    saved[0] = save(w->d1);
    saved[1] = save(w->d2);
    lose(w->d1);
    lose(w->d2);
    assert_int_equal(restore(w->d1, &saved[0]), 0);
    assert_int_equal(state_of(w->d1, c.a), EVTCHNSTAT_unbound);
    assert_int_equal(send_port(w->d1, c.a), 0);
    assert_int_equal(restore(w->d2, &saved[1]), 0);
    assert_int_equal(state_of(w->d1, c.a), EVTCHNSTAT_interdomain);
    assert_false(is_pending(w->d1, c.a)); /* neither end is notified */
    assert_int_equal(send_port(w->d2, c.b), 0);
    assert_int_equal(take(w->d1, 0).port[0], c.a);
    assert_int_equal(send_port(w->d1, c.a), 0);
    assert_int_equal(take(w->d2, 0).port[0], c.b);
}

static void test_channel_to_one_that_has_stayed_is_lost(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    save_and_lose(w->d1, &saved[0]); /* d2's end is nobody's now */
    assert_int_equal(restore(w->d1, &saved[0]), 0);
    assert_int_equal(state_of(w->d1, c.a), EVTCHNSTAT_unbound);
    assert_int_equal(state_of(w->d2, c.b), EVTCHNSTAT_unbound);
}

static void test_channel_is_not_joined_to_what_others_offer(void **state)
{
    struct world *w = *state;
    struct channel c = join_guests(w->d1, w->d2);

    save_and_lose(w->d1, &saved[0]);
    close_port(w->d2, c.b);
    assert_int_equal(alloc_unbound(w->d2, DOMID_SELF, 0), c.b); /* d0's */
    assert_int_equal(restore(w->d1, &saved[0]), 0);
    assert_int_equal(state_of(w->d1, c.a), EVTCHNSTAT_unbound);
    assert_int_equal(state_of(w->d2, c.b), EVTCHNSTAT_unbound);
}

static void test_ends_of_the_host_are_left_behind(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct evc_host *listening, *connected;
    uint32_t own, offered = (uint32_t)alloc_unbound(g, DOMID_SELF, 0);

    assert_int_equal(
        evc_host_listen(g->dom, EVC_NO_VCPU, 1, NULL, NULL, &listening), 0);
    own = (uint32_t)bind_interdomain(g, 1, evc_host_port(listening));
    assert_int_equal(
        evc_host_connect(g->dom, offered, 0, NULL, NULL, &connected), 0);
    move(g);
    assert_int_equal(state_of(g, evc_host_port(listening)), EVTCHNSTAT_closed);
    assert_int_equal(state_of(g, own), EVTCHNSTAT_unbound);
    assert_int_equal(state_of(g, offered), EVTCHNSTAT_unbound);
    evc_host_close(listening);
    evc_host_close(connected);
    assert_int_equal(
        evc_host_connect(g->dom, offered, 0, NULL, NULL, &connected), 0);
    evc_host_close(connected);
}

/* ---- what is refused ---------------------------------------------------- */

static void test_saving_says_how_much_room_it_wants(void **state)
{
    struct world *w = *state;
    int size = evc_domain_save(w->d1->dom, NULL, 0);

    assert_true(size > 0);
    assert_int_equal(evc_domain_save(w->d1->dom, saved[0].bytes, 10),
                     -XEN_ENOSPC);
    assert_int_equal(
        evc_domain_save(w->d1->dom, saved[0].bytes, (size_t)size - 1),
        -XEN_ENOSPC);
    assert_int_equal(evc_domain_save(w->d1->dom, saved[0].bytes, (size_t)size),
                     size);
    evc_domain_kill(w->d1->dom);
    assert_int_equal(evc_domain_save(w->d1->dom, NULL, 0), -XEN_EINVAL);
}

static void test_domain_is_not_restored_as_another(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    live(g);
    saved[0] = save(g);
    assert_int_equal(restore(g, &saved[0]), -XEN_EEXIST);
    assert_int_equal(g->mapped, 4);
    lose(g);
    saved[0].config.id = 5;
    assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
    saved[0].config.id = 1;
    saved[0].config.vcpus = 5;
    assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
    saved[0].config.vcpus = 4;
    saved[0].config.layout = EVC_LAYOUT_ARM;
    assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
    saved[0].config.layout = EVC_LAYOUT_X86_64;
    saved[0].config.max_port = 1499; /* 1500 is open */
    assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
    saved[0].config.max_port = 1500;
    assert_int_equal(g->mapped, 0);
    assert_int_equal(restore(g, &saved[0]), 0);
}

static void test_frame_that_refuses_to_map_leaves_nothing(void **state)
{
    static const uint8_t frames[] = {BLOCK_FRAME, ARRAY_FRAME, 9};
    struct world *w = *state;
    struct guest *g = w->d1;

    live(g);
    save_and_lose(g, &saved[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
        g->access[frames[i]] = READ_ONLY;
        assert_int_equal(restore(g, &saved[0]), -XEN_EACCES);
        assert_int_equal(g->mapped, 0);
        assert_null(evc_domain_find(w->engine, 1));
        g->access[frames[i]] = READ_WRITE;
    }
    assert_int_equal(restore(g, &saved[0]), 0);
}

static void test_bytes_of_another_length_are_EINVAL(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    int size;

    live(g);
    save_and_lose(g, &saved[0]);
    size = saved[0].size;
    for (saved[0].size = 0; saved[0].size < size; saved[0].size++) {
        assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
        assert_int_equal(g->mapped, 0);
    }
    saved[0].size = size + 1;
    assert_int_equal(restore(g, &saved[0]), -XEN_EINVAL);
    saved[0].size = size;
    assert_int_equal(restore(g, &saved[0]), 0);
}

/* Whatever comes of it lives, and dies, as any other. */
static void use(struct guest *g)
{
    struct evtchn_expand_array page = {.array_gfn = ARRAY_FRAME};

    for (evc_port p = 0; (p = evc_port_next(g->dom, p)) != 0;) {
        (void)send_port(g, p);
        (void)unmask_port(g, p);
    }
    for (unsigned v = 0; v < 4; v++)
        (void)evc_raise_vcpu_virq(g->dom, v, VIRQ_TIMER);
    (void)evc_event_channel_op(g->dom, EVTCHNOP_expand_array, &page);
    (void)bind_ipi(g, 0);
}

static void test_any_bit_changed_is_refused_or_another_domain(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    unsigned taken = 0;

    live(g);
    save_and_lose(g, &saved[0]);
    for (int bit = 0; bit < saved[0].size * 8; bit++) {
        saved[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (restore(g, &saved[0]) == 0) {
            use(g);
            lose(g);
            taken++;
        }
        assert_int_equal(g->mapped, 0);
        saved[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(taken > 0);
    assert_int_equal(restore(g, &saved[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_restored_domain_saves_as_the_same_bytes),
        TEST(test_restored_domain_is_as_it_was),
        TEST(test_nothing_is_written_by_saving_and_restoring),
        TEST(test_queue_goes_on_where_it_was),
        TEST(test_event_without_a_word_is_kept_back_on),
        TEST(test_timer_fires_in_the_restored_domain),
        TEST(test_channel_is_joined_when_its_second_domain_comes),
        TEST(test_channel_to_one_that_has_stayed_is_lost),
        TEST(test_channel_is_not_joined_to_what_others_offer),
        TEST(test_ends_of_the_host_are_left_behind),
        TEST(test_saving_says_how_much_room_it_wants),
        TEST(test_domain_is_not_restored_as_another),
        TEST(test_frame_that_refuses_to_map_leaves_nothing),
        TEST(test_bytes_of_another_length_are_EINVAL),
        TEST(test_any_bit_changed_is_refused_or_another_domain),
    };

    return RUN(tests);
}
