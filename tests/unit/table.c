/* SPDX-License-Identifier: MIT */
/*
 * The port table: lowest free port, growth, busy ports.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "port.h"

#define NO_LIMIT (EVC_PORTS_MAX - 1)

struct words {
    bool linked[256];
};

static bool is_linked(const void *arg, uint32_t port)
{
    const struct words *words = arg;

    return port < 256 && words->linked[port];
}

static int lowest(struct evc_table *table, uint32_t max,
                  const struct words *words)
{
    return evc_table_lowest(table, max, is_linked, words);
}

static struct words none;

static uint32_t take_lowest(struct evc_table *table)
{
    int port = lowest(table, NO_LIMIT, &none);

    assert_true(port > 0);
    evc_table_set_chan(table, (uint32_t)port, evc_chan(EVC_IPI, 0, 0));
    evc_table_take(table, (uint32_t)port);
    return (uint32_t)port;
}

static void drop(struct evc_table *table, uint32_t port)
{
    evc_table_set_chan(table, port, evc_chan(EVC_FREE, 0, 0));
    evc_table_release(table, port);
}

static int setup(void **state)
{
    struct evc_table *table = malloc(sizeof(*table));

    assert_int_equal(evc_table_init(table), 0);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    evc_table_finish(*state);
    free(*state);
    return 0;
}

static void test_new_table_has_one_bucket_and_port_0_reserved(void **state)
{
    struct evc_table *table = *state;

    assert_int_equal(evc_table_valid(table), 64);
    assert_int_equal(evc_chan_kind(evc_table_chan(table, 0)), EVC_RESERVED);
    assert_int_equal(table->open, 0);
    assert_int_equal(evc_table_next(table, 0), 0);
}

static void test_lowest_starts_at_1(void **state)
{
    assert_int_equal(lowest(*state, NO_LIMIT, &none), 1);
}

static void test_lowest_stays_the_same_until_taken(void **state)
{
    struct evc_table *table = *state;

    assert_int_equal(lowest(table, NO_LIMIT, &none), 1);
    assert_int_equal(lowest(table, NO_LIMIT, &none), 1);
    take_lowest(table);
    assert_int_equal(lowest(table, NO_LIMIT, &none), 2);
}

static void test_lowest_is_the_lowest_hole(void **state)
{
    struct evc_table *table = *state;

    for (uint32_t p = 1; p < 300; p++)
        assert_int_equal(take_lowest(table), p);
    drop(table, 200);
    drop(table, 70);
    drop(table, 71);
    assert_int_equal(take_lowest(table), 70);
    assert_int_equal(take_lowest(table), 71);
    assert_int_equal(take_lowest(table), 200);
    assert_int_equal(take_lowest(table), 300);
}

static void test_table_grows_by_64_ports(void **state)
{
    struct evc_table *table = *state;

    for (uint32_t p = 1; p < 64; p++)
        take_lowest(table);
    assert_int_equal(evc_table_valid(table), 64);
    take_lowest(table);
    assert_int_equal(evc_table_valid(table), 128);
}

static void test_table_never_shrinks(void **state)
{
    struct evc_table *table = *state;

    assert_int_equal(evc_table_grow(table, 1000), 0);
    assert_int_equal(evc_table_valid(table), 1024);
    assert_int_equal(evc_table_grow(table, 3), 0);
    assert_int_equal(evc_table_valid(table), 1024);
}

static void test_grown_ports_are_free_with_default_delivery(void **state)
{
    struct evc_table *table = *state;
    const struct evc_bucket *bucket;
    uint32_t delivery;

    assert_int_equal(evc_table_grow(table, 130), 0);
    bucket = evc_table_bucket(table, 130);
    delivery = evc_a32_load_rlx(&bucket->delivery[130 % 64]);
    assert_int_equal(evc_chan_kind(evc_table_chan(table, 130)), EVC_FREE);
    assert_int_equal(evc_delivery_vcpu(delivery), 0);
    assert_int_equal(evc_delivery_priority(delivery), EVC_DEFAULT_PRIORITY);
}

static void test_find_says_no_beyond_the_table(void **state)
{
    static const volatile uint32_t beyond[] = {64, EVC_PORTS_MAX, UINT32_MAX};
    struct evc_table *table = *state;

    assert_non_null(evc_table_find(table, 63));
    for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_null(evc_table_find(table, beyond[i]));
}

static void test_lowest_is_ENOSPC_above_the_limit(void **state)
{
    struct evc_table *table = *state;

    assert_int_equal(lowest(table, 0, &none), -ENOSPC);
    take_lowest(table);
    take_lowest(table);
    assert_int_equal(lowest(table, 2, &none), -ENOSPC);
    assert_int_equal(lowest(table, 3, &none), 3);
    drop(table, 1);
    assert_int_equal(lowest(table, 2, &none), 1);
}

static void test_linked_ports_are_skipped(void **state)
{
    struct words words = {.linked = {[1] = true, [2] = true, [4] = true}};
    struct evc_table *table = *state;

    assert_int_equal(lowest(table, NO_LIMIT, &words), 3);
    take_lowest(table);
}

static void test_busy_port_comes_back_when_unlinked(void **state)
{
    struct words words = {.linked = {[1] = true, [2] = true}};
    struct evc_table *table = *state;

    assert_int_equal(lowest(table, NO_LIMIT, &words), 3);
    words.linked[2] = false;
    assert_int_equal(lowest(table, NO_LIMIT, &words), 2);
    words.linked[1] = false;
    assert_int_equal(lowest(table, NO_LIMIT, &words), 1);
}

static void test_lowest_of_free_and_unlinked_is_lowest_of_both(void **state)
{
    struct words words = {.linked = {[5] = true}};
    struct evc_table *table = *state;

    for (uint32_t p = 1; p < 10; p++)
        take_lowest(table);
    drop(table, 5);
    assert_int_equal(lowest(table, NO_LIMIT, &words), 10); /* 5 is busy now */
    drop(table, 3);
    words.linked[5] = false;
    assert_int_equal(lowest(table, NO_LIMIT, &words), 3);
    take_lowest(table);
    assert_int_equal(lowest(table, NO_LIMIT, &words), 5);
}

static void test_all_busy_is_ENOSPC(void **state)
{
    struct words words = {.linked = {[1] = true, [2] = true, [3] = true}};

    assert_int_equal(lowest(*state, 3, &words), -ENOSPC);
    words.linked[3] = false;
    assert_int_equal(lowest(*state, 3, &words), 3);
}

/* Words of a guest that leaves all of them LINKED but one. */
struct stubborn {
    uint32_t unlinked; /* 0: none */
    unsigned looks;
};

static bool is_left_linked(const void *arg, uint32_t port)
{
    struct stubborn *stubborn = (struct stubborn *)(uintptr_t)arg;

    stubborn->looks++;
    return port <= 10000 && port != stubborn->unlinked;
}

static int lowest_of_stubborn(struct evc_table *table,
                              struct stubborn *stubborn)
{
    return evc_table_lowest(table, NO_LIMIT, is_left_linked, stubborn);
}

static void test_search_ends_soon_among_thousands_of_busy_ports(void **state)
{
    struct stubborn stubborn = {0};

    assert_int_equal(lowest_of_stubborn(*state, &stubborn), 10001);
    stubborn.looks = 0;
    assert_int_equal(lowest_of_stubborn(*state, &stubborn), 10001);
    assert_in_range(stubborn.looks, 256, 600);
}

static void test_each_of_thousands_of_busy_ports_is_looked_at(void **state)
{
    static const uint32_t ports[] = {9999, 1, 5000, 1500, 10000, 3000};
    struct stubborn stubborn = {0};

    (void)lowest_of_stubborn(*state, &stubborn);
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        int port = 0;

        stubborn.unlinked = ports[i];
        for (int n = 0; n < 50 && port != (int)ports[i]; n++)
            port = lowest_of_stubborn(*state, &stubborn);
        assert_int_equal(port, ports[i]);
        stubborn.unlinked = 0;
    }
}

static void test_busy_port_can_be_taken_by_number(void **state)
{
    struct words words = {.linked = {[1] = true}};
    struct evc_table *table = *state;

    assert_int_equal(lowest(table, NO_LIMIT, &words), 2);
    evc_table_take(table, 1); /* a static port, unlinked meanwhile */
    words.linked[1] = false;
    assert_int_equal(lowest(table, NO_LIMIT, &words), 2);
    evc_table_release(table, 1);
    assert_int_equal(lowest(table, NO_LIMIT, &words), 1);
}

static void test_next_walks_over_used_ports(void **state)
{
    static const uint32_t used[] = {1, 63, 64, 65, 4095, 4096, 9000};
    struct evc_table *table = *state;
    uint32_t port = 0;

    assert_int_equal(evc_table_grow(table, 9000), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(used); i++)
        evc_table_take(table, used[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(used); i++) {
        port = evc_table_next(table, port);
        assert_int_equal(port, used[i]);
    }
    assert_int_equal(evc_table_next(table, port), 0);
}

static void test_every_port_there_is_can_be_opened(void **state)
{
    struct evc_table *table = *state;

    for (uint32_t p = 1; p <= NO_LIMIT; p++)
        assert_int_equal(take_lowest(table), p);
    assert_int_equal(table->open, NO_LIMIT);
    assert_int_equal(lowest(table, NO_LIMIT, &none), -ENOSPC);
    assert_int_equal(lowest(table, UINT32_MAX, &none), -ENOSPC);
    drop(table, 77777);
    assert_int_equal(lowest(table, NO_LIMIT, &none), 77777);
}

/* Each search counts the words it looks at, not the time it takes. */
static unsigned looks;

static bool count_looks(const void *arg, uint32_t port)
{
    (void)arg;
    (void)port;
    looks++;
    return false;
}

static void test_search_is_as_short_in_a_full_table(void **state)
{
    struct evc_table *table = *state;

    for (uint32_t p = 1; p < 100000; p++)
        take_lowest(table);
    looks = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(evc_table_lowest(table, NO_LIMIT, count_looks, NULL),
                         100000);
    assert_int_equal(looks, 100);
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(test_new_table_has_one_bucket_and_port_0_reserved),
        TABLE_TEST(test_lowest_starts_at_1),
        TABLE_TEST(test_lowest_stays_the_same_until_taken),
        TABLE_TEST(test_lowest_is_the_lowest_hole),
        TABLE_TEST(test_table_grows_by_64_ports),
        TABLE_TEST(test_table_never_shrinks),
        TABLE_TEST(test_grown_ports_are_free_with_default_delivery),
        TABLE_TEST(test_find_says_no_beyond_the_table),
        TABLE_TEST(test_lowest_is_ENOSPC_above_the_limit),
        TABLE_TEST(test_linked_ports_are_skipped),
        TABLE_TEST(test_busy_port_comes_back_when_unlinked),
        TABLE_TEST(test_lowest_of_free_and_unlinked_is_lowest_of_both),
        TABLE_TEST(test_all_busy_is_ENOSPC),
        TABLE_TEST(test_search_ends_soon_among_thousands_of_busy_ports),
        TABLE_TEST(test_each_of_thousands_of_busy_ports_is_looked_at),
        TABLE_TEST(test_busy_port_can_be_taken_by_number),
        TABLE_TEST(test_next_walks_over_used_ports),
        TABLE_TEST(test_every_port_there_is_can_be_opened),
        TABLE_TEST(test_search_is_as_short_in_a_full_table),
    };

    return RUN(tests);
}
