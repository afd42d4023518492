/* SPDX-License-Identifier: MIT */
/*
 * A tree in a store elsewhere: that it cannot be reached, ends, or makes no
 * sense.  What guests may do with it is domain.c's.
 */
#include "client.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one that is not there ------------------------------------------------------ */

static void test_store_that_cannot_be_reached_is_an_error(void **state)
{
    struct evc_store *store;
    char path[300];

    (void)state;
    assert_int_equal(evc_store_create_remote("/nowhere/socket", &store),
                     -ENOENT);
    assert_int_equal(evc_store_create_remote("/dev/null", &store),
                     -ECONNREFUSED);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(evc_store_create_remote(path, &store), -ENAMETOOLONG);
}

/* ---- one that ends ---------------------------------------------------------------- */

static void test_everything_is_eio_when_it_has_ended(void **state)
{
    struct server server;
    struct evc_store *store;
    struct client d1;

    (void)state;
    server_start(&server);
    assert_int_equal(evc_store_create_remote(server.path, &store), 0);
    assert_int_equal(evc_store_set(store, "/local/domain/1", "", "n1"), 0);
    client_init(&d1, store, 1);
    assert_string_equal(ask(&d1, EVC_XS_WRITE, "x|1"), "OK|");
    assert_string_equal(ask(&d1, EVC_XS_WATCH, "x|w|"), "OK|");
    assert_true(evc_store_serve(store));
    server_stop(&server);
    d1.store = NULL; /* take_events() is not to serve it any more */
    assert_false(evc_store_serve(store));
    assert_string_equal(ask(&d1, EVC_XS_READ, "x|"), "!EIO|");
    assert_string_equal(ask(&d1, EVC_XS_WRITE, "x|2"), "!EIO|");
    assert_string_equal(ask(&d1, EVC_XS_RM, "x|"), "!EIO|");
    assert_string_equal(ask(&d1, EVC_XS_WATCH, "y|w|"), "!EIO|");
    assert_string_equal(ask(&d1, EVC_XS_TRANSACTION_START, "|"), "!EIO|");
    assert_string_equal(ask(&d1, EVC_XS_RESET_WATCHES, "|"), "OK|");
    assert_null(evc_store_get(store, "/local/domain/1"));
    assert_int_equal(evc_store_set(store, "/x", "", NULL), -EIO);
    assert_int_equal(evc_store_claim(store), -EIO);
    evc_store_destroy(store);
}

/* ---- one that makes no sense --------------------------------------------------------- */

struct message {
    struct evc_xs_header header;
    char payload[32];
};

/* It answers the first real question with these bytes, and hangs up. */
static void answered(const void *bytes, size_t size, bool survives)
{
    struct server server;
    struct evc_store *store;
    char *value;

    server_start_scripted(&server, bytes, size);
    assert_int_equal(evc_store_create_remote(server.path, &store), 0);
    value = evc_store_get(store, "/x");
    if (survives)
        assert_string_equal(value, "value");
    else
        assert_null(value);
    free(value);
    server_stop_scripted(&server);
    assert_false(evc_store_serve(store)); /* it has hung up, at the latest */
    evc_store_destroy(store);
}

#define READ_2(type_, req_, len_)             \
    {                                         \
        {(type_), (req_), 0, (len_)}, "value" \
    }

static void test_answers_that_make_no_sense_are_the_end(void **state)
{
    const struct message wrong[] = {
        READ_2(EVC_XS_READ, 3, 5),          /* of another question */
        READ_2(EVC_XS_WRITE, 2, 5),         /* to another one */
        READ_2(EVC_XS_READ, 2, 4097),       /* longer than allowed */
        READ_2(EVC_XS_READ, 2, UINT32_MAX), /* and much longer */
        READ_2(EVC_XS_READ, 2, 4000),       /* than what comes */
        READ_2(EVC_XS_WATCH_EVENT, 0, 5),   /* no zero behind the path */
        READ_2(EVC_XS_WATCH_EVENT, 0, 6),   /* no token */
        READ_2(EVC_XS_WATCH_EVENT, 0, 0),   /* nothing */
        READ_2(EVC_XS_ERROR, 2, 0),         /* an error without a name */
        READ_2(77, 2, 5),
    };
    const struct message good = READ_2(EVC_XS_READ, 2, 5);

    (void)state;
    answered(&good, sizeof(good.header) + 5, true);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        answered(&wrong[i], sizeof(wrong[i]), false);
    answered(&good, sizeof(good.header) + 2, false); /* and no more */
    answered(&good, 3, false);
    answered(&good, 0, false);
}

static void test_events_before_an_answer_are_kept(void **state)
{
    struct {
        struct message event;
        struct evc_xs_header header;
        char value[5];
    } both = {.event = {{EVC_XS_WATCH_EVENT, 0, 0, 32}, "/p"},
              .header = {EVC_XS_READ, 2, 0, 5}};

    (void)state;
    memcpy(both.event.payload + 3, "L99", 4);
    memcpy(both.value, "value", 5);
    answered(&both, sizeof(both), true); /* of a watch that nobody has */
}

/* ---- several ------------------------------------------------------------------------- */

static void test_each_gets_a_domain_of_its_own(void **state)
{
    struct server server;
    struct evc_store *one, *two;
    char *value;

    (void)state;
    server_start(&server);
    assert_int_equal(evc_store_create_remote(server.path, &one), 0);
    assert_int_equal(evc_store_create_remote(server.path, &two), 0);
    assert_int_equal(evc_store_claim(one), 1);
    assert_int_equal(evc_store_claim(two), 2);
    assert_int_equal(evc_store_claim(one), 3);
    evc_store_remove(two, "/local/domain/2");
    assert_int_equal(evc_store_claim(one), 2);
    assert_int_equal(evc_store_set(one, "/a/b", "seen", "n0"), 0);
    value = evc_store_get(two, "/a/b");
    assert_string_equal(value, "seen");
    free(value);
    evc_store_destroy(one);
    evc_store_destroy(two);
    server_stop(&server);
}

static void count(void *data)
{
    ++*(unsigned *)data;
}

static void test_one_hears_of_what_the_other_changes(void **state)
{
    struct server server;
    struct evc_store *one, *two;
    struct client d1, d2;
    unsigned n = 0;
    struct evc_store_listener listener = {
        .changed = count, .data = &n, .path = "/local/domain/1/data"};

    (void)state;
    server_start(&server);
    assert_int_equal(evc_store_create_remote(server.path, &one), 0);
    assert_int_equal(evc_store_create_remote(server.path, &two), 0);
    assert_int_equal(evc_store_set(one, "/local/domain/1/data", "", "n1"), 0);
    client_init(&d1, one, 1);
    client_init(&d2, two, 2);
    evc_store_listen(two, &listener);
    assert_string_equal(ask(&d1, EVC_XS_SET_PERMS, "data|n1|r2|"), "OK|");
    assert_string_equal(ask(&d2, EVC_XS_WATCH, "/local/domain/1/data|their|"),
                        "OK|");
    take_events(&d2);
    d2.events[0] = '\0';
    n = 0;
    assert_string_equal(ask(&d1, EVC_XS_WRITE, "data/port|3"), "OK|");
    assert_string_equal(ask(&d1, EVC_XS_SET_PERMS, "data/port|n1|"), "OK|");
    assert_string_equal(ask(&d1, EVC_XS_WRITE, "data/none|of your business"),
                        "OK|");
    while (n < 3) /* in the order in which they were made */
        assert_true(evc_store_serve(two));
    take_events(&d2);
    assert_string_equal(ask(&d2, EVC_XS_READ, "/local/domain/1/data/none|"),
                        "of your business");
    assert_string_equal(ask(&d2, EVC_XS_READ, "/local/domain/1/data/port|"),
                        "!EACCES|");
    assert_non_null(strstr(d2.events, "/local/domain/1/data/none|their|"));
    evc_store_destroy(one);
    evc_store_destroy(two);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_that_cannot_be_reached_is_an_error),
        cmocka_unit_test(test_everything_is_eio_when_it_has_ended),
        cmocka_unit_test(test_answers_that_make_no_sense_are_the_end),
        cmocka_unit_test(test_events_before_an_answer_are_kept),
        cmocka_unit_test(test_each_gets_a_domain_of_its_own),
        cmocka_unit_test(test_one_hears_of_what_the_other_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
