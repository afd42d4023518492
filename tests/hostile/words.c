/* SPDX-License-Identifier: MIT */
/*
 * A guest that writes what it likes, when it likes, into everything it shares.
 *
 * The host must finish every operation in bounded time, touch nothing outside
 * that guest's own pages, and serve everybody else as before.
 */
#include "hostile.h"

#include <string.h>

#define CHANNELS 12u

struct victim { /* d1 is hostile, d2 sends to it, d0 and d2 go on working */
    struct channel to[CHANNELS]; /* .a in d1, .b in d2 */
    struct channel honest;       /* .a in d0, .b in d2 */
};

static _Atomic uint32_t *any_word(struct guest *g, uint64_t *dice)
{
    uint32_t port = roll(dice, 4) ? 1 + roll(dice, CHANNELS) : roll(dice, 1024);

    return (_Atomic uint32_t *)at(g, ARRAY_FRAME * PAGE) + port;
}

/* A LINK to itself, to nothing, to a neighbour (cycles!), to far outside. */
static uint32_t any_link(uint64_t *dice)
{
    switch (roll(dice, 5)) {
    case 0:
        return 0;
    case 1:
        return LINK_MASK;
    case 2:
        return 1024 + roll(dice, 100000); /* no page there */
    default:
        return 1 + roll(dice, CHANNELS);
    }
}

static uint32_t any_value(uint64_t *dice)
{
    uint32_t bits = roll(dice, 16) << 28;

    return roll(dice, 8) ? bits | any_link(dice) : roll(dice, UINT32_MAX);
}

static void write_words(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;

    for (int i = 0; i < 64; i++) {
        _Atomic uint32_t *word = any_word(g, dice);

        switch (roll(dice, 4)) {
        case 0:
            atomic_store(word, any_value(dice));
            break;
        case 1:
            atomic_fetch_xor(word, 1u << roll(dice, 32));
            break;
        case 2: /* as if it had consumed it */
            atomic_fetch_and(word, ~(LINKED | LINK_MASK | PENDING));
            break;
        default:
            atomic_fetch_xor(word, MASKED);
            break;
        }
    }
}

static void write_control(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    _Atomic uint32_t *block =
        (_Atomic uint32_t *)at(g, BLOCK_FRAME * PAGE + roll(dice, 4) * 128);

    for (int i = 0; i < 64; i++)
        atomic_store(block + roll(dice, 18), any_value(dice));
    for (unsigned v = 0; v < 4; v++) {
        atomic_store(upcall_pending(g, v), (uint8_t)roll(dice, 256));
        atomic_store(upcall_mask(g, v), (uint8_t)roll(dice, 256));
    }
}

/* Everything a host does to a guest's words, by the peer and by itself. */
static void send_and_change(struct crew *crew, uint64_t *dice)
{
    struct victim *v = crew->data;
    struct channel *c = &v->to[roll(dice, CHANNELS)];
    struct guest *g = crew->w->d1;
    struct evc_port_info info;

    WRONG_IF(crew, send_port(crew->w->d2, c->b) != 0);
    switch (roll(dice, 8)) {
    case 0:
        WRONG_IF(crew, set_priority(g, c->a, roll(dice, 16)) != 0);
        break;
    case 1:
        WRONG_IF(crew, bind_vcpu(g, c->a, roll(dice, 4)) != 0);
        break;
    case 2:
        WRONG_IF(crew, unmask_port(g, c->a) != 0);
        break;
    case 3:
        WRONG_IF(crew, evc_port_info(g->dom, c->a, &info) != 0);
        break;
    default:
        break;
    }
}

/* Ports come and go: allocation looks at LINKED, close clears PENDING. */
static void open_and_close(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    int port = bind_ipi(g, roll(dice, 4));

    WRONG_IF(crew, port <= 0 && port != -XEN_ENOSPC);
    if (port <= 0)
        return;
    WRONG_IF(crew, send_port(g, (uint32_t)port) != 0);
    WRONG_IF(crew, close_port(g, (uint32_t)port) != 0);
}

static void serve_others(struct crew *crew, uint64_t *dice)
{
    struct victim *v = crew->data;
    struct guest *d0 = crew->w->d0;

    (void)dice;
    WRONG_IF(crew, send_port(crew->w->d2, v->honest.b) != 0);
    WRONG_IF(crew, !is_pending(d0, v->honest.a));
    clear_pending(d0, v->honest.a);
}

static void join_all(struct world *w, struct victim *v)
{
    for (unsigned i = 0; i < CHANNELS; i++)
        v->to[i] = join_guests(w->d1, w->d2);
    v->honest = join_guests(w->d0, w->d2);
}

/* Only the guest itself may suffer, and after a reset not even that. */
static void assert_only_d1_suffered(struct world *w)
{
    uint32_t port;

    assert_true(frames_are_clear(w->d0, 1, FRAMES));
    assert_true(frames_are_clear(w->d2, 1, FRAMES));
    assert_true(frames_are_clear(w->d1, 1, BLOCK_FRAME));
    assert_true(frames_are_clear(w->d1, BLOCK_FRAME + 1, ARRAY_FRAME));
    assert_true(frames_are_clear(w->d1, ARRAY_FRAME + 1, FRAMES));

    assert_int_equal(reset(w->d1, DOMID_SELF), 0);
    forget_fifo(w->d1);
    memset(w->d1->memory, 0, 4 * PAGE);
    port = (uint32_t)bind_ipi(w->d1, 2);
    assert_int_equal(send_port(w->d1, port), 0);
    assert_int_equal(take(w->d1, 2).port[0], port);
}

static void test_host_survives_any_event_word_and_control_block(void **state)
{
    struct world *w = *state;
    struct victim v;
    struct crew crew = {.w = w, .data = &v};

    enter_fifo(w->d1, 4);
    assert_int_equal(grow(w->d1), 0);
    join_all(w, &v);
    crew_add(&crew, write_words);
    crew_add(&crew, write_control);
    crew_add(&crew, send_and_change);
    crew_add(&crew, send_and_change);
    crew_add(&crew, open_and_close);
    crew_add(&crew, serve_others);
    crew_run(&crew, 400);
    assert_only_d1_suffered(w);
}

/* ---- the unlimited retry (XSA-295; dae2a1c5f9) -------------------------- */

/* The tail of the queue that the host links behind. */
static void flip_mask_of_all(struct crew *crew, uint64_t *dice)
{
    (void)dice;
    for (uint32_t port = 1; port <= CHANNELS; port++)
        atomic_fetch_xor(event_word(crew->w->d1, port), MASKED);
}

static void link_and_take(struct crew *crew, uint64_t *dice)
{
    struct victim *v = crew->data;
    struct guest *g = crew->w->d1;

    (void)dice;
    for (unsigned i = 0; i < CHANNELS; i++)
        WRONG_IF(crew, send_port(crew->w->d2, v->to[i].b) != 0);
    for (unsigned i = 0; i < CHANNELS; i++)
        atomic_fetch_and(event_word(g, v->to[i].a),
                         ~(PENDING | LINKED | LINK_MASK));
}

static void test_linking_ends_while_the_guest_flips_the_tails_mask(void **state)
{
    struct world *w = *state;
    struct victim v;
    struct crew crew = {.w = w, .data = &v};

    enter_fifo(w->d1, 4);
    assert_int_equal(grow(w->d1), 0);
    join_all(w, &v);
    crew_add(&crew, flip_mask_of_all);
    crew_add(&crew, flip_mask_of_all);
    crew_add(&crew, link_and_take);
    crew_run(&crew, 200);
    for (unsigned i = 0; i < CHANNELS; i++) /* BUSY is given back */
        assert_false(*event_word(w->d1, v.to[i].a) & BUSY);
}

static void hammer_bitmaps(struct crew *crew, uint64_t *dice)
{
    struct guest *g = crew->w->d1;
    _Atomic uint64_t *page = at(g, 0);

    for (int i = 0; i < 64; i++) {
        unsigned word = roll(dice, 2) ? 2048 / 8 + roll(dice, 128)
                                      : roll(dice, 32) * 8 + roll(dice, 2);

        atomic_store(&page[word], roll(dice, 2) ? UINT64_MAX : 0);
    }
}

static void
test_two_level_operations_end_while_the_guest_hammers_its_page(void **state)
{
    struct world *w = *state;
    struct victim v;
    struct crew crew = {.w = w, .data = &v};

    join_all(w, &v);
    crew_add(&crew, hammer_bitmaps);
    crew_add(&crew, hammer_bitmaps);
    crew_add(&crew, open_and_close);
    crew_add(&crew, serve_others);
    crew_run(&crew, 200);
    assert_true(frames_are_clear(w->d1, 1, FRAMES));
    assert_true(frames_are_clear(w->d0, 1, FRAMES));
    assert_true(frames_are_clear(w->d2, 1, FRAMES));
}

/* ---- single steps, on one thread ---------------------------------------- */

static void test_tail_that_links_to_itself_is_not_followed(void **state)
{
    static const uint32_t links[] = {0, 1, 2, 3, 1023, 1024, 99999, LINK_MASK};
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t a, b;

    enter_fifo(g, 1);
    assert_int_equal(grow(g), 0);
    a = (uint32_t)bind_ipi(g, 0);
    b = (uint32_t)bind_ipi(g, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(links); i++) {
        *event_word(g, a) = *event_word(g, b) = 0;
        send_port(g, a);
        *event_word(g, a) |= links[i]; /* of the tail, which has none */
        *ready_word(g, 0) = UINT32_MAX;
        *head_word(g, 0, 7) = links[i];
        send_port(g, b);
        assert_int_equal(*event_word(g, a) & LINK_MASK, b);
        assert_int_equal(*event_word(g, b), PENDING | LINKED);
    }
    assert_true(frames_are_clear(g, ARRAY_FRAME + 1, FRAMES));
}

static void test_block_and_words_are_where_the_guest_said(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    assert_int_equal(init_control(g, 21, 4096 - 72, 0), 0);
    assert_int_equal(expand_array(g, 23), 0);
    send_port(g, port);
    assert_int_equal(read32(g, 21 * PAGE + 4096 - 72), 1u << 7);
    assert_int_equal(read32(g, 21 * PAGE + 4096 - 72 + 8 + 4 * 7), port);
    assert_int_equal(read32(g, 23 * PAGE + 4 * port), PENDING | LINKED);
    assert_true(frames_are_clear(g, 1, 21));
    assert_true(frames_are_clear(g, 22, 23));
    assert_true(frames_are_clear(g, 24, FRAMES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_host_survives_any_event_word_and_control_block),
        TEST(test_linking_ends_while_the_guest_flips_the_tails_mask),
        TEST(test_two_level_operations_end_while_the_guest_hammers_its_page),
        TEST(test_tail_that_links_to_itself_is_not_followed),
        TEST(test_block_and_words_are_where_the_guest_said),
    };

    return RUN(tests);
}
