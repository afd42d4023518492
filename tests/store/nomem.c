/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out at each allocation in turn: a request is done or is
 * ENOMEM, and then it has changed nothing.
 *
 * The linker sends the store's allocations through this file.
 */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned countdown; /* to the one that fails; 0: none does */
static bool failed;

static bool refuse(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return refuse() ? NULL : __real_realloc(at, size);
}

char *__wrap_strdup(const char *text)
{
    return refuse() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return refuse() ? NULL : __real_strndup(text, size);
}

/* ---- a session -------------------------------------------------------------- */

/* Each can be said twice with the same outcome. */
static const struct {
    enum evc_xs_type type;
    const char *payload;
} session[] = {
    {EVC_XS_WRITE, "/a/b/c|value"},   {EVC_XS_MKDIR, "/a/d|"},
    {EVC_XS_WRITE, "/a/b/c|another"}, {EVC_XS_SET_PERMS, "/a/d|n0|r1|"},
    {EVC_XS_DIRECTORY, "/a|"},        {EVC_XS_DIRECTORY_PART, "/a|0|"},
    {EVC_XS_GET_PERMS, "/a/d|"},      {EVC_XS_RM, "/a/b|"},
    {EVC_XS_WRITE, "/a/b/c/d/e/f|x"}, {EVC_XS_READ, "/a/b/c/d/e/f|"},
};

#define REQUESTS (sizeof(session) / sizeof(*session))

static bool is_nomem(const char *reply)
{
    return strcmp(reply, "!ENOMEM|") == 0;
}

/* Say it; if there is no memory, say it again, when there is. */
static void say(struct client *client, enum evc_xs_type type,
                const char *payload)
{
    const char *reply = ask(client, type, payload);

    if (is_nomem(reply)) {
        assert_true(failed);
        reply = ask(client, type, payload);
    }
    if (reply[0] == '!')
        fail_msg("%s: %s", payload, reply);
}

static void say_all(struct client *client)
{
    for (size_t i = 0; i < REQUESTS; i++)
        say(client, session[i].type, session[i].payload);
}

static void say_all_in_a_transaction(struct client *client)
{
    const char *reply;

    do {
        reply = ask(client, EVC_XS_TRANSACTION_START, "|");
    } while (is_nomem(reply));
    client->tx = (uint32_t)strtoul(reply, NULL, 10);
    assert_true(client->tx != 0);
    say_all(client);
    reply = end(client, "T|");
    assert_true(strcmp(reply, "OK|") == 0 || is_nomem(reply));
    if (is_nomem(reply)) /* it is gone, and has changed nothing */
        assert_string_equal(ask(client, EVC_XS_READ, "/a|"), "!ENOENT|");
}

static void watch_and_forget(struct client *client)
{
    say(client, EVC_XS_WATCH, "/a|t|");
    say(client, EVC_XS_WRITE, "/a|x");
    say(client, EVC_XS_UNWATCH, "/a|t|");
}

/* With the n-th allocation failing, for all of them. */
static void for_each_allocation(void (*session_)(struct client *client))
{
    unsigned n = 0;

    do {
        struct evc_store *store;
        struct client client;

        assert_int_equal(evc_store_create(&store), 0);
        client_init(&client, store, 0);
        failed = false;
        countdown = ++n;
        session_(&client);
        countdown = 0;
        evc_store_destroy(store);
    } while (failed);
    assert_true(n > 5);
}

static void test_requests(void **state)
{
    (void)state;
    for_each_allocation(say_all);
}

static void test_transactions(void **state)
{
    (void)state;
    for_each_allocation(say_all_in_a_transaction);
}

static void test_watches(void **state)
{
    (void)state;
    for_each_allocation(watch_and_forget);
}

static void test_making_a_store(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        struct evc_store *store = NULL;
        int r;

        failed = false;
        countdown = n;
        r = evc_store_create(&store);
        assert_int_equal(r, failed ? -ENOMEM : 0);
        countdown = 0;
        evc_store_destroy(store);
    }
}

static void test_setting_from_here(void **state)
{
    unsigned n = 0;

    (void)state;
    do {
        struct evc_store *store;
        char *value;
        int r;

        assert_int_equal(evc_store_create(&store), 0);
        failed = false;
        countdown = ++n;
        r = evc_store_set(store, "/x/y/z", "value", "n0,r1");
        countdown = 0;
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(evc_store_set(store, "/x/y/z", "value", "n0,r1"), 0);
        value = evc_store_get(store, "/x/y/z");
        assert_string_equal(value, "value");
        free(value);
        evc_store_destroy(store);
    } while (failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_making_a_store),
        cmocka_unit_test(test_setting_from_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
