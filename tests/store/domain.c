/* SPDX-License-Identifier: MIT */
/*
 * A domain that is not domain 0: what it may see, change and use up.
 *
 *   domain [served | SOCKET]
 *
 * in a store of our own; or in one whose tree is in the xenstored behind SOCKET,
 * or in another of ours behind one, where it must be the same.
 */
#include "client.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct evc_store *store;
    struct client d0, d1, d2;
};

static const char *far; /* the socket, or NULL */

/* It had these from the test before. */
static void clear(struct evc_store *store)
{
    static const char *const all[] = {
        "/local/domain/1", "/local/domain/2", "/secret", "/big", "/zero", "/a"};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        evc_store_remove(store, all[i]);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    if (far == NULL) {
        assert_int_equal(evc_store_create(&w->store), 0);
    } else {
        assert_int_equal(evc_store_create_remote(far, &w->store), 0);
        clear(w->store);
    }
    client_init(&w->d0, w->store, 0);
    client_init(&w->d1, w->store, 1);
    client_init(&w->d2, w->store, 2);
    assert_int_equal(evc_store_set(w->store, "/local/domain/1", "", "n0,r1"),
                     0);
    assert_int_equal(
        evc_store_set(w->store, "/local/domain/1/name", "one", "n0,r1"), 0);
    assert_int_equal(evc_store_set(w->store, "/local/domain/1/data", "", "n1"),
                     0);
    assert_int_equal(evc_store_set(w->store, "/secret/of/0", "x", "n0"), 0);
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

#define EXPECT(client, type, payload, reply) \
    assert_string_equal(ask(&w->client, EVC_XS_##type, payload), reply)

/* ---- permissions ---------------------------------------------------------- */

static void test_domain_reads_its_home_by_relative_paths(void **state)
{
    struct world *w = *state;

    EXPECT(d1, READ, "name|", "one");
    EXPECT(d1, READ, "/local/domain/1/name|", "one");
    EXPECT(d1, DIRECTORY, "/local/domain/1|", "name|data|");
}

static void test_domain_does_not_read_what_it_may_not(void **state)
{
    struct world *w = *state;

    EXPECT(d1, READ, "/secret/of/0|", "!EACCES|");
    EXPECT(d1, DIRECTORY, "/secret|", "!EACCES|");
    EXPECT(d1, GET_PERMS, "/secret/of/0|", "!EACCES|");
    EXPECT(d2, READ, "/local/domain/1/name|", "!EACCES|");
}

static void
test_missing_name_is_not_told_where_it_could_not_be_read(void **state)
{
    struct world *w = *state;

    EXPECT(d1, READ, "none|", "!ENOENT|");
    EXPECT(d1, READ, "/secret/none|", "!EACCES|");
    EXPECT(d1, READ, "/none|", "!EACCES|");
}

static void test_domain_writes_only_where_it_may(void **state)
{
    struct world *w = *state;

    EXPECT(d1, WRITE, "data/x|1", "OK|");
    EXPECT(d1, WRITE, "name|mine", "!EACCES|");
    EXPECT(d1, WRITE, "new|1", "!EACCES|");
    EXPECT(d1, MKDIR, "new|", "!EACCES|");
    EXPECT(d1, RM, "name|", "!EACCES|");
    EXPECT(d1, RM, "/local/domain/1|", "!EACCES|");
    EXPECT(d0, READ, "/local/domain/1/name|", "one");
    EXPECT(d0, READ, "/local/domain/1/data/x|", "1");
}

static void test_new_nodes_belong_to_their_maker(void **state)
{
    struct world *w = *state;

    EXPECT(d0, SET_PERMS, "/local/domain/1/data|n1|b2|", "OK|");
    EXPECT(d2, WRITE, "/local/domain/1/data/deep/er|1", "OK|");
    EXPECT(d0, GET_PERMS, "/local/domain/1/data/deep|", "n2|b2|");
    EXPECT(d0, GET_PERMS, "/local/domain/1/data/deep/er|", "n2|b2|");
    EXPECT(d1, READ, "data/deep/er|", "!EACCES|");
    EXPECT(d0, WRITE, "/local/domain/1/data/zero|1", "OK|");
    EXPECT(d0, GET_PERMS, "/local/domain/1/data/zero|", "n1|b2|");
}

static void test_each_letter_allows_what_it_says(void **state)
{
    struct world *w = *state;

    EXPECT(d1, WRITE, "data/x|1", "OK|");
    EXPECT(d1, SET_PERMS, "data/x|n1|r2|", "OK|");
    EXPECT(d2, READ, "/local/domain/1/data/x|", "1");
    EXPECT(d2, WRITE, "/local/domain/1/data/x|2", "!EACCES|");
    EXPECT(d1, SET_PERMS, "data/x|n1|w2|", "OK|");
    EXPECT(d2, READ, "/local/domain/1/data/x|", "!EACCES|");
    EXPECT(d2, WRITE, "/local/domain/1/data/x|2", "OK|");
    EXPECT(d1, SET_PERMS, "data/x|n1|b2|", "OK|");
    EXPECT(d2, READ, "/local/domain/1/data/x|", "2");
    EXPECT(d1, SET_PERMS, "data/x|r1|", "OK|"); /* everybody else's */
    EXPECT(d2, READ, "/local/domain/1/data/x|", "2");
    EXPECT(d2, WRITE, "/local/domain/1/data/x|3", "!EACCES|");
}

static void test_only_the_owner_sets_permissions_and_stays_owner(void **state)
{
    struct world *w = *state;

    EXPECT(d1, WRITE, "data/x|1", "OK|");
    EXPECT(d1, SET_PERMS, "data/x|n1|b2|", "OK|");
    EXPECT(d2, SET_PERMS, "/local/domain/1/data/x|n2|", "!EACCES|");
    EXPECT(d1, SET_PERMS, "data/x|n2|", "!EPERM|");
    EXPECT(d1, SET_PERMS, "name|n1|", "!EACCES|");
    EXPECT(d1, SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|", "!ENOSPC|");
    EXPECT(d0, GET_PERMS, "/local/domain/1/data/x|", "n1|b2|");
}

static void test_toolstack_requests_are_refused(void **state)
{
    struct world *w = *state;

    EXPECT(d1, INTRODUCE, "1|2|3|", "!EACCES|");
    EXPECT(d1, RELEASE, "1|", "!EACCES|");
    EXPECT(d1, CONTROL, "help|", "!EACCES|");
    EXPECT(d1, SET_TARGET, "1|2|", "!EACCES|");
}

/* ---- watches --------------------------------------------------------------- */

static void test_watcher_hears_only_of_what_it_may_read(void **state)
{
    struct world *w = *state;

    EXPECT(d1, WATCH, "/secret|s|", "OK|");
    EXPECT(d1, WATCH, "/local/domain/1|h|", "OK|");
    w->d1.events[0] = '\0';
    EXPECT(d0, WRITE, "/secret/of/0|y", "OK|");
    EXPECT(d0, WRITE, "/local/domain/1/name|uno", "OK|");
    EXPECT(d0, RM, "/secret|", "OK|");
    take_events(&w->d1);
    assert_string_equal(w->d1.events, "/local/domain/1/name|h|\n");
}

static void test_relative_watch_hears_relative_names(void **state)
{
    struct world *w = *state;

    EXPECT(d1, WATCH, "data|d|", "OK|");
    assert_string_equal(w->d1.events, "data|d|\n");
    w->d1.events[0] = '\0';
    EXPECT(d0, WRITE, "/local/domain/1/data/x|1", "OK|");
    take_events(&w->d1);
    assert_string_equal(w->d1.events, "data/x|d|\n");
}

static void test_watches_have_a_limit(void **state)
{
    struct world *w = *state;
    char payload[32];

    for (unsigned i = 0; i < EVC_STORE_WATCHES; i++) {
        sprintf(payload, "data|%u|", i);
        assert_string_equal(ask(&w->d1, EVC_XS_WATCH, payload), "OK|");
        w->d1.events[0] = '\0';
    }
    EXPECT(d1, WATCH, "data|more|", "!E2BIG|");
    EXPECT(d1, UNWATCH, "data|3|", "OK|");
    EXPECT(d1, WATCH, "data|more|", "OK|");
}

static void test_events_that_nobody_takes_have_a_limit(void **state)
{
    struct world *w = *state;
    char path[1000], payload[1100], bytes[4096];
    size_t all = 0, n;

    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    EXPECT(d1, WATCH, "data|d|", "OK|");
    snprintf(payload, sizeof(payload), "/local/domain/1/data/%s|x", path);
    for (int i = 0; i < 3000; i++)
        assert_string_equal(ask(&w->d0, EVC_XS_WRITE, payload), "OK|");
    while ((n = evc_store_output(w->d1.conn, bytes, sizeof(bytes))) > 0)
        all += n;
    assert_true(all <= EVC_STORE_UNREAD);
    assert_true(all > EVC_STORE_UNREAD / 2);
    EXPECT(d1, READ, "name|", "one");
}

/* ---- quotas ---------------------------------------------------------------- */

static void test_nodes_have_a_limit(void **state)
{
    struct world *w = *state;
    char payload[32];

    /* `data` is one of them */
    for (unsigned i = 1; i < EVC_STORE_NODES; i++) {
        sprintf(payload, "data/%u|x", i);
        assert_string_equal(ask(&w->d1, EVC_XS_WRITE, payload), "OK|");
    }
    EXPECT(d1, WRITE, "data/more|x", "!ENOSPC|");
    EXPECT(d1, MKDIR, "data/more|", "!ENOSPC|");
    EXPECT(d1, WRITE, "data/5|y", "OK|");
    EXPECT(d1, RM, "data/5|", "OK|");
    EXPECT(d1, WRITE, "data/a/b|x", "!ENOSPC|"); /* two */
    EXPECT(d1, WRITE, "data/more|x", "OK|");
    EXPECT(d0, WRITE, "/local/domain/1/name|x", "OK|");
}

static void test_nodes_have_a_limit_in_transactions_too(void **state)
{
    struct world *w = *state;
    char payload[32];

    for (unsigned i = 1; i < EVC_STORE_NODES; i++) {
        sprintf(payload, "data/%u|x", i);
        assert_string_equal(ask(&w->d1, EVC_XS_WRITE, payload), "OK|");
    }
    begin(&w->d1);
    EXPECT(d1, WRITE, "data/more|x", "!ENOSPC|");
    EXPECT(d1, RM, "data/7|", "OK|");
    EXPECT(d1, WRITE, "data/more|x", "OK|");
    assert_string_equal(end(&w->d1, "T|"), "OK|");
}

static void test_node_has_a_size_limit(void **state)
{
    struct world *w = *state;
    char payload[EVC_XS_PAYLOAD];

    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "data/x", 7);
    assert_string_equal(
        ask_bytes(&w->d1, EVC_XS_WRITE, payload, sizeof(payload)), "!ENOSPC|");
    assert_string_equal(ask_bytes(&w->d1, EVC_XS_WRITE, payload, 1900), "OK|");
    memcpy(payload, "/zero", 6);
    assert_string_equal(
        ask_bytes(&w->d0, EVC_XS_WRITE, payload, sizeof(payload)), "OK|");
}

static void test_transactions_have_a_limit(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < EVC_STORE_TRANSACTIONS; i++) {
        w->d1.tx = 0;
        begin(&w->d1);
    }
    w->d1.tx = 0;
    EXPECT(d1, TRANSACTION_START, "|", "!ENOSPC|");
    EXPECT(d1, RESET_WATCHES, "|", "OK|");
    begin(&w->d1);
}

static void test_transaction_has_a_limit_of_steps(void **state)
{
    struct world *w = *state;

    begin(&w->d1);
    for (unsigned i = 0; i < EVC_STORE_STEPS; i++)
        EXPECT(d1, READ, "name|", "one");
    EXPECT(d1, READ, "name|", "!ENOSPC|");
    assert_string_equal(end(&w->d1, "T|"), "OK|");
}

static void test_directory_that_does_not_fit_is_read_in_parts(void **state)
{
    struct world *w = *state;
    char payload[300], all[8192] = "";

    for (unsigned i = 0; i < 30; i++) {
        sprintf(payload, "/big/%0200u|x", i);
        assert_string_equal(ask(&w->d0, EVC_XS_WRITE, payload), "OK|");
    }
    EXPECT(d0, DIRECTORY, "/big|", "!E2BIG|");
    do {
        sprintf(payload, "/big|%zu|", strlen(all));
        strcat(all,
               1 + strchr(ask(&w->d0, EVC_XS_DIRECTORY_PART, payload), '|'));
    } while (strstr(all, "||") == NULL);
    assert_int_equal(strlen(all), 30 * 201 + 1);
}

/* ---- transactions ------------------------------------------------------------ */

static void test_transaction_does_not_get_round_permissions(void **state)
{
    struct world *w = *state;

    begin(&w->d1);
    EXPECT(d1, READ, "/secret/of/0|", "!EACCES|");
    EXPECT(d1, WRITE, "name|x", "!EACCES|");
    EXPECT(d1, WRITE, "data/x|1", "OK|");
    assert_string_equal(end(&w->d1, "T|"), "OK|");
    EXPECT(d0, READ, "/local/domain/1/data/x|", "1");
}

static void test_permission_lost_meanwhile_is_a_conflict(void **state)
{
    struct world *w = *state;

    begin(&w->d1);
    EXPECT(d1, WRITE, "data/x|1", "OK|");
    EXPECT(d0, SET_PERMS, "/local/domain/1/data|n0|", "OK|");
    assert_string_equal(end(&w->d1, "T|"), far ? "!EAGAIN|" : "!EACCES|");
    EXPECT(d0, READ, "/local/domain/1/data/x|", "!ENOENT|");
}

static void test_transactions_of_another_are_unknown(void **state)
{
    struct world *w = *state;

    begin(&w->d1);
    w->d2.tx = w->d1.tx;
    EXPECT(d2, READ, "name|", "!ENOENT|");
    EXPECT(d2, TRANSACTION_END, "T|", "!ENOENT|");
    assert_string_equal(end(&w->d1, "T|"), "OK|");
}

/* ---- domain 0's own functions ------------------------------------------------- */

static void changed(void *data)
{
    ++*(unsigned *)data;
}

static void test_listener_hears_of_what_is_below_and_what_goes(void **state)
{
    struct world *w = *state;
    unsigned n = 0;
    struct evc_store_listener listener = {
        .changed = changed, .data = &n, .path = "/local/domain/1/data"};

    evc_store_listen(w->store, &listener);
    EXPECT(d0, READ, "/local/domain/1/name|", "one");
    take_events(&w->d1);
    n = 0; /* a remote one begins with an event, behind its answer */
    EXPECT(d1, WRITE, "data/x|1", "OK|");
    assert_int_equal(n, 1);
    EXPECT(d0, WRITE, "/local/domain/1/name|x", "OK|");
    assert_int_equal(n, 1);
    evc_store_remove(w->store, "/local/domain/1");
    take_events(&w->d1);
    assert_int_equal(n, 2);
    assert_null(evc_store_get(w->store, "/local/domain/1/data/x"));
}

static void
test_set_makes_what_is_missing_with_the_given_permissions(void **state)
{
    struct world *w = *state;
    char *value;

    assert_int_equal(evc_store_set(w->store, "/a/b/c", "v", "n0,r1"), 0);
    EXPECT(d0, GET_PERMS, "/a|", "n0|r1|");
    EXPECT(d1, READ, "/a/b/c|", "v");
    value = evc_store_get(w->store, "/a/b/c");
    assert_string_equal(value, "v");
    free(value);
    assert_int_equal(evc_store_set(w->store, "a.b", "v", NULL), -EINVAL);
    assert_int_equal(evc_store_set(w->store, "/new", "v", "q0"), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_domain_reads_its_home_by_relative_paths),
        TEST(test_domain_does_not_read_what_it_may_not),
        TEST(test_missing_name_is_not_told_where_it_could_not_be_read),
        TEST(test_domain_writes_only_where_it_may),
        TEST(test_new_nodes_belong_to_their_maker),
        TEST(test_each_letter_allows_what_it_says),
        TEST(test_only_the_owner_sets_permissions_and_stays_owner),
        TEST(test_toolstack_requests_are_refused),
        TEST(test_watcher_hears_only_of_what_it_may_read),
        TEST(test_relative_watch_hears_relative_names),
        TEST(test_watches_have_a_limit),
        TEST(test_events_that_nobody_takes_have_a_limit),
        TEST(test_nodes_have_a_limit),
        TEST(test_nodes_have_a_limit_in_transactions_too),
        TEST(test_node_has_a_size_limit),
        TEST(test_transactions_have_a_limit),
        TEST(test_transaction_has_a_limit_of_steps),
        TEST(test_directory_that_does_not_fit_is_read_in_parts),
        TEST(test_transaction_does_not_get_round_permissions),
        TEST(test_permission_lost_meanwhile_is_a_conflict),
        TEST(test_transactions_of_another_are_unknown),
        TEST(test_listener_hears_of_what_is_below_and_what_goes),
        TEST(test_set_makes_what_is_missing_with_the_given_permissions),
    };

    struct server server;
    int failed;

    far = argc > 1 ? argv[1] : NULL;
    if (far == NULL || strcmp(far, "served") != 0)
        return cmocka_run_group_tests(tests, NULL, NULL);
    server_start(&server);
    far = server.path;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_stop(&server);
    return failed;
}
