/* SPDX-License-Identifier: MIT */
/*
 * In the place of dom0's kernel, for a xenstored without Xen: offers it a ring,
 * asks it many things over that ring, and holds each answer against what it must
 * be.
 *
 *   kernel [--recorded] PORTFILE PAGEFILE
 *
 * With --recorded, it asks what was asked on a real Xen system, and prints the
 * answers as they were recorded there (conformance/libxenevtchn/xsd-peer.txt).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

#define NODES  300u
#define ROUNDS 100u
#define LARGE  4000u /* four times what is in the ring at once */

static struct ring ring;

/* ---- asking, with an answer in mind ------------------------------------- */

/* Strings one after the other, each with its 0, and then bytes without one. */
static int ask(enum evc_xs_type type, uint32_t transaction, const char *path,
               const char *more, size_t size)
{
    char body[EVC_XS_PAYLOAD];
    size_t n = strlen(path) + 1;

    memcpy(body, path, n);
    memcpy(body + n, more, size);
    return ring_ask(&ring, type, transaction, body, n + size);
}

static void expect(const char *what, const char *path, int got,
                   const char *want, size_t size)
{
    if (got < 0 && strcmp(want, ring.reply) != 0)
        fail("%s of %s: %s", what, path, ring.reply);
    if (got >= 0 &&
        ((size_t)got != size || memcmp(ring.reply, want, size) != 0))
        fail("%s of %s: %d bytes '%.40s', not %zu bytes '%.40s'", what, path,
             got, ring.reply, size, want);
}

static void write_node(uint32_t transaction, const char *path,
                       const char *value, size_t size)
{
    expect("write", path, ask(EVC_XS_WRITE, transaction, path, value, size),
           "OK", 3);
}

static void read_node(uint32_t transaction, const char *path, const char *value,
                      size_t size)
{
    expect("read", path, ask(EVC_XS_READ, transaction, path, "", 0), value,
           size);
}

static void expect_error(enum evc_xs_type type, uint32_t transaction,
                         const char *path, const char *more, const char *name)
{
    int got = ask(type, transaction, path, more, *more ? strlen(more) + 1 : 0);

    if (got >= 0 || strcmp(ring.reply, name) != 0)
        fail("request %u of %s: '%.40s', not %s", (unsigned)type, path,
             ring.reply, name);
}

static uint32_t begin(void)
{
    int got = ring_ask(&ring, EVC_XS_TRANSACTION_START, 0, "", 1);

    if (got < 2)
        fail("begin of a transaction: %s", ring.reply);
    return (uint32_t)strtoul(ring.reply, NULL, 10);
}

static int end(uint32_t transaction)
{
    return ring_ask(&ring, EVC_XS_TRANSACTION_END, transaction, "T", 2);
}

/* ---- many questions ----------------------------------------------------- */

static const char *watched_path; /* the one whose change must be told next */

static void check_watch(const char *path, const char *token)
{
    if (watched_path == NULL)
        fail("a watch event of %s that nothing was done for", path);
    if (strcmp(path, watched_path) != 0 || strcmp(token, "token") != 0)
        fail("a watch event of %s, '%s', not of %s", path, token, watched_path);
    watched_path = NULL;
}

/* Each change is told, once. */
static void change_and_be_told(const char *path, const char *value, size_t size)
{
    uint32_t before = ring.watched;

    watched_path = path;
    write_node(0, path, value, size);
    ring_await_watches(&ring, before + 1);
}

static void try_watches(void)
{
    char path[32], value[LARGE];

    ring.on_watch = check_watch;
    watched_path = "/many";
    expect("watch", "/many", ask(EVC_XS_WATCH, 0, "/many", "token", 6), "OK",
           3);
    ring_await_watches(&ring, 1); /* it begins with one */
    for (unsigned i = 0; i < NODES; i++) {
        size_t size = i * LARGE / NODES;

        snprintf(path, sizeof(path), "/many/%u", i);
        memset(value, (int)('a' + i % 26), sizeof(value));
        change_and_be_told(path, value, size);
        read_node(0, path, value, size);
    }
    expect("unwatch", "/many", ask(EVC_XS_UNWATCH, 0, "/many", "token", 6),
           "OK", 3);
    write_node(0, "/many/0", "nobody looks", 12);
}

static void try_transactions(void)
{
    uint32_t one = begin(), other;

    write_node(one, "/two/inside", "1", 1);
    expect_error(EVC_XS_READ, 0, "/two/inside", "", "ENOENT");
    read_node(one, "/two/inside", "1", 1);
    expect("end", "one", end(one), "OK", 3);
    read_node(0, "/two/inside", "1", 1);

    one = begin();
    other = begin();
    write_node(one, "/two/inside", "one", 3);
    read_node(other, "/two/inside", "1", 1);
    write_node(other, "/two/inside", "other", 5);
    expect("end", "one", end(one), "OK", 3);
    if (end(other) >= 0 || strcmp(ring.reply, "EAGAIN") != 0)
        fail("the end of the transaction that came too late: %s", ring.reply);
    read_node(0, "/two/inside", "one", 3);
}

static void try_refusals(void)
{
    expect_error(EVC_XS_READ, 0, "/none", "", "ENOENT");
    expect_error(EVC_XS_READ, 0, "/not//a/path", "", "EINVAL");
    expect_error(EVC_XS_RM, 0, "/none/of/it", "", "ENOENT");
    expect_error(EVC_XS_UNWATCH, 0, "/many", "token", "ENOENT");
}

static void try_removal(void)
{
    expect("rm", "/many", ask(EVC_XS_RM, 0, "/many", "", 0), "OK", 3);
    expect_error(EVC_XS_READ, 0, "/many/7", "", "ENOENT");
    expect("directory", "/two", ask(EVC_XS_DIRECTORY, 0, "/two", "", 0),
           "inside", 7);
    write_node(0, "/by-ring", "there", 5);
}

static void ask_much(void)
{
    try_watches();
    try_transactions();
    try_refusals();
    try_removal();
    printf("%u requests over its ring, each answered as it must be; "
           "%u watch events\n",
           ring.asked, ring.watched);
}

/* ---- what was recorded -------------------------------------------------- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("peer: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static void say_watch(const char *path, const char *token)
{
    (void)token;
    say("watch event %s", path);
}

static void say_answer(const char *what, int got)
{
    for (int i = 0; i < got - 1; i++)
        if (ring.reply[i] == 0)
            ring.reply[i] = ' ';
    if (got < 0)
        say("%s: error %s", what, ring.reply);
    else
        say("%s: %d bytes '%s'", what, got, ring.reply);
}

/* The watch is seen once more, and then given up. */
static unsigned say_rounds(void)
{
    char value[16];
    unsigned i;

    for (i = 0; i < ROUNDS; i++) {
        size_t size = (size_t)snprintf(value, sizeof(value), "%u", i);

        if (ask(EVC_XS_WRITE, 0, "/peer/n", value, size) < 0 ||
            ask(EVC_XS_READ, 0, "/peer/n", "", 0) != (int)size ||
            memcmp(ring.reply, value, size) != 0)
            break;
        if (i == 0)
            say_answer("unwatch", ask(EVC_XS_UNWATCH, 0, "/peer", "tok", 4));
    }
    return i;
}

static void ask_as_recorded(void)
{
    char big[3000];
    int got;

    ring.on_watch = say_watch;
    say("xenstored's first notify: came");
    say_answer("write /peer/a", ask(EVC_XS_WRITE, 0, "/peer/a", "hello", 5));
    say_answer("read /peer/a", ask(EVC_XS_READ, 0, "/peer/a", "", 0));
    say_answer("read /none", ask(EVC_XS_READ, 0, "/none", "", 0));
    say_answer("watch /peer", ask(EVC_XS_WATCH, 0, "/peer", "tok", 4));
    memset(big, 'x', sizeof(big));
    say_answer("write 3000 bytes",
               ask(EVC_XS_WRITE, 0, "/peer/big", big, sizeof(big)));
    got = ask(EVC_XS_READ, 0, "/peer/big", "", 0);
    say("read it back: %d bytes, %s", got,
        got == 3000 && memcmp(ring.reply, big, 3000) == 0 ? "same"
                                                          : "different");
    say("rounds of write and read: %u of %u", say_rounds(), ROUNDS);
    say_answer("directory /peer", ask(EVC_XS_DIRECTORY, 0, "/peer", "", 0));
}

int main(int argc, char **argv)
{
    bool recorded = argc == 4 && strcmp(argv[1], "--recorded") == 0;

    if (argc != 3 + recorded) {
        fputs("usage: kernel [--recorded] PORTFILE PAGEFILE\n", stderr);
        return 2;
    }
    ring_offer(&ring, argv[argc - 2], argv[argc - 1]);
    ring_wait(&ring);
    if (recorded)
        ask_as_recorded();
    else
        ask_much();
    return 0;
}
