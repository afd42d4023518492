/* SPDX-License-Identifier: MIT */
/*
 * The store's ring: bytes in any portions, and a guest that breaks the rules.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

struct world {
    struct evc_store *store;
    struct evc_store_conn *conn;
    struct evc_store_ring ring;
    _Alignas(4096) struct evc_xs_ring page;
};

static int setup(void **state)
{
    struct world *w = aligned_alloc(4096, sizeof(*w));

    memset(w, 0, sizeof(*w));
    assert_int_equal(evc_store_create(&w->store), 0);
    assert_int_equal(evc_store_connect(w->store, 1, NULL, NULL, &w->conn), 0);
    assert_int_equal(evc_store_set(w->store, "/local/domain/1", "", "n1"), 0);
    evc_store_ring_init(&w->ring, &w->page, w->conn);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    evc_store_destroy(w->store);
    free(w);
    return 0;
}

/* As much as there is room for; how much that was. */
static size_t put(struct world *w, const void *bytes, size_t size)
{
    uint32_t prod = evc_a32_load_rlx(&w->page.req_prod);
    size_t n = 0;

    for (; n < size; n++, prod++) {
        if (prod - evc_a32_load_rlx(&w->page.req_cons) == EVC_XS_RING)
            break;
        w->page.req[prod % EVC_XS_RING] = ((const uint8_t *)bytes)[n];
    }
    evc_a32_store_rlx(&w->page.req_prod, prod);
    return n;
}

static size_t get(struct world *w, void *bytes, size_t size)
{
    uint32_t cons = evc_a32_load_rlx(&w->page.rsp_cons);
    size_t n = 0;

    for (; n < size; n++, cons++) {
        if (cons == evc_a32_load_rlx(&w->page.rsp_prod))
            break;
        ((uint8_t *)bytes)[n] = w->page.rsp[cons % EVC_XS_RING];
    }
    evc_a32_store_rlx(&w->page.rsp_cons, cons);
    return n;
}

static size_t message(char *to, uint32_t type, const void *payload, size_t size)
{
    const struct evc_xs_header header = {type, 9, 0, (uint32_t)size};

    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), payload, size);
    return sizeof(header) + size;
}

/* Send all of it, `step` bytes at a time, and collect what is answered. */
static size_t talk(struct world *w, const char *bytes, size_t size, size_t step,
                   char *answer, size_t room)
{
    size_t sent = 0, got = 0;

    for (unsigned turn = 0; turn < 100000; turn++) {
        size_t left = size - sent < step ? size - sent : step;

        sent += put(w, bytes + sent, left);
        (void)evc_store_ring_serve(&w->ring);
        got += get(w, answer + got, room - got < step ? room - got : step);
    }
    assert_int_equal(sent, size);
    return got;
}

static void try_step(struct world *w, size_t step)
{
    char *bytes = malloc(8192), *answer = malloc(8192), *value = malloc(2000);
    size_t size = 0, got;

    memset(value, 'v', 2000);
    memcpy(value, "x", 2);
    size += message(bytes + size, EVC_XS_WRITE, value, 2000);
    size += message(bytes + size, EVC_XS_READ, "x", 2);
    size += message(bytes + size, EVC_XS_READ, "none", 5);
    got = talk(w, bytes, size, step, answer, 8192);
    assert_int_equal(got, 16 + 3 + 16 + 1998 + 16 + 7);
    assert_memory_equal(answer + 16, "OK", 3);
    assert_memory_equal(answer + 35, value + 2, 1998);
    assert_memory_equal(answer + 35 + 1998, ((uint32_t[4]){16, 9, 0, 7}), 16);
    assert_memory_equal(answer + 51 + 1998, "ENOENT", 7);
    free(bytes);
    free(answer);
    free(value);
}

static void test_messages_come_and_go_in_portions_of_any_size(void **state)
{
    static const size_t steps[] = {1, 3, 16, 17, 100, 1000, 1024, 5000};

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        try_step(*state, steps[i]);
}

static void test_indices_wrap(void **state)
{
    struct world *w = *state;
    const uint32_t start = UINT32_MAX - 1000;

    w->ring.req_cons = w->ring.rsp_prod = start;
    evc_a32_store_rlx(&w->page.req_cons, start);
    evc_a32_store_rlx(&w->page.req_prod, start);
    evc_a32_store_rlx(&w->page.rsp_cons, start);
    evc_a32_store_rlx(&w->page.rsp_prod, start);
    try_step(w, 700);
    assert_true(evc_a32_load_rlx(&w->page.rsp_prod) < start);
}

static void test_full_ring_of_replies_stops_requests(void **state)
{
    struct world *w = *state;
    char bytes[64], value[1008];
    size_t size = message(bytes, EVC_XS_READ, "x", 2);

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(evc_store_set(w->store, "/local/domain/1/x", value, "n1"),
                     0);
    for (int i = 0; i < 56; i++)
        assert_int_equal(put(w, bytes, size), size);
    while (evc_store_ring_serve(&w->ring) & EVC_STORE_RING_MOVED)
        ;
    assert_true(evc_a32_load_rlx(&w->page.rsp_prod) <= EVC_XS_RING);
    assert_true(evc_a32_load_rlx(&w->page.req_prod) !=
                evc_a32_load_rlx(&w->page.req_cons));
    assert_false(w->ring.broken);
}

static void test_work_of_one_call_is_bounded(void **state)
{
    struct world *w = *state;
    char bytes[64], answer[1024];
    size_t size = message(bytes, EVC_XS_READ, "", 1); /* EINVAL */
    unsigned result;

    for (int i = 0; i < 40; i++)
        put(w, bytes, size);
    result = evc_store_ring_serve(&w->ring);
    assert_true(result & EVC_STORE_RING_MORE);
    while (result & (EVC_STORE_RING_MORE | EVC_STORE_RING_MOVED)) {
        get(w, answer, sizeof(answer));
        result = evc_store_ring_serve(&w->ring);
    }
    assert_int_equal(evc_a32_load_rlx(&w->page.req_cons), 40 * size);
}

/* ---- hostile ---------------------------------------------------------------- */

static void expect_broken(struct world *w, uint32_t error)
{
    unsigned result = evc_store_ring_serve(&w->ring);

    assert_true(result & EVC_STORE_RING_BROKEN);
    assert_true(result & EVC_STORE_RING_MOVED); /* let it look at the error */
    assert_int_equal(evc_a32_load_rlx(&w->page.error), error);
    assert_int_equal(evc_store_ring_serve(&w->ring), 0); /* for good */
}

static void test_request_index_out_of_reach_breaks_the_ring(void **state)
{
    struct world *w = *state;

    evc_a32_store_rlx(&w->page.req_prod, EVC_XS_RING + 1);
    expect_broken(w, EVC_XS_RING_BAD_INDEX);
}

static void test_reply_index_out_of_reach_breaks_the_ring(void **state)
{
    struct world *w = *state;

    evc_a32_store_rlx(&w->page.rsp_cons, 1);
    expect_broken(w, EVC_XS_RING_BAD_INDEX);
}

static void test_payload_beyond_the_limit_breaks_the_ring(void **state)
{
    struct world *w = *state;
    const struct evc_xs_header header = {EVC_XS_WRITE, 0, 0,
                                         EVC_XS_PAYLOAD + 1};

    put(w, &header, sizeof(header));
    expect_broken(w, EVC_XS_RING_PROTOCOL);
}

static void test_our_own_indices_are_not_read_back(void **state)
{
    struct world *w = *state;

    evc_a32_store_rlx(&w->page.req_cons, 12345);
    evc_a32_store_rlx(&w->page.rsp_prod, 54321);
    (void)evc_store_ring_serve(&w->ring);
    assert_int_equal(evc_a32_load_rlx(&w->page.rsp_prod), 0);
    evc_a32_store_rlx(&w->page.req_cons, 0);
    evc_a32_store_rlx(&w->page.rsp_cons, 0);
    try_step(w, 50);
}

static void test_reconnecting_forgets_and_mends(void **state)
{
    struct world *w = *state;
    char bytes[64];

    evc_a32_store_rlx(&w->page.req_prod, 99999);
    expect_broken(w, EVC_XS_RING_BAD_INDEX);
    put(w, bytes, message(bytes, EVC_XS_WATCH, "x\0t", 4));
    assert_true(evc_a32_load_rlx(&w->page.features) & EVC_XS_FEATURE_RECONNECT);
    evc_a32_store_rlx(&w->page.connection, EVC_XS_RECONNECT);
    assert_int_equal(evc_store_ring_serve(&w->ring), EVC_STORE_RING_MOVED);
    assert_int_equal(evc_a32_load_rlx(&w->page.connection), 0);
    assert_int_equal(evc_a32_load_rlx(&w->page.req_prod), 0);
    assert_int_equal(evc_a32_load_rlx(&w->page.error), 0);
    try_step(w, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_messages_come_and_go_in_portions_of_any_size),
        TEST(test_indices_wrap),
        TEST(test_full_ring_of_replies_stops_requests),
        TEST(test_work_of_one_call_is_bounded),
        TEST(test_request_index_out_of_reach_breaks_the_ring),
        TEST(test_reply_index_out_of_reach_breaks_the_ring),
        TEST(test_payload_beyond_the_limit_breaks_the_ring),
        TEST(test_our_own_indices_are_not_read_back),
        TEST(test_reconnecting_forgets_and_mends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
