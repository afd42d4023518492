/* SPDX-License-Identifier: MIT */
/*
 * The console, on everything that a guest's words can come from and go to.
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct world {
    struct front front;
    int in[2], out[2]; /* pipes, or whatever: we write in[1], read out[0] */
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    front_init(&w->front);
    w->front.config.console = EVC_CONSOLE_STDIO;
    assert_int_equal(pipe2(w->in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(w->out, O_CLOEXEC), 0);
    w->front.config.in = w->in[0];
    w->front.config.out = w->out[1];
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    front_finish(&w->front);
    for (int i = 0; i < 2; i++) {
        if (w->in[i] >= 0)
            close(w->in[i]);
        if (w->out[i] >= 0)
            close(w->out[i]);
    }
    free(w);
    return 0;
}

static struct evc_console_ring *ring(struct world *w)
{
    return front_page(&w->front, CONSOLE_FRAME);
}

/* As a guest: what there is room for; how much that was. */
static size_t guest_says(struct world *w, const char *text, size_t size)
{
    uint32_t prod = evc_a32_load_rlx(&ring(w)->out_prod);
    size_t n = 0;

    while (n < size &&
           prod - evc_a32_load_acq(&ring(w)->out_cons) < EVC_CONSOLE_OUT)
        ring(w)->out[prod++ % EVC_CONSOLE_OUT] = (uint8_t)text[n++];
    evc_a32_store_rel(&ring(w)->out_prod, prod);
    evc_send(w->front.domain, EVC_BACKEND_CONSOLE_PORT);
    return n;
}

static void guest_hears(struct world *w, const char *text)
{
    for (; *text != '\0'; text++) {
        uint32_t cons = evc_a32_load_rlx(&ring(w)->in_cons);

        WAIT_UNTIL(evc_a32_load_acq(&ring(w)->in_prod) != cons);
        assert_int_equal(ring(w)->in[cons % EVC_CONSOLE_IN], *text);
        evc_a32_store_rel(&ring(w)->in_cons, cons + 1);
        if (cons % 100 == 0)
            evc_send(w->front.domain, EVC_BACKEND_CONSOLE_PORT);
    }
    evc_send(w->front.domain, EVC_BACKEND_CONSOLE_PORT);
}

static bool guest_has_no_input(struct world *w)
{
    return evc_a32_load_acq(&ring(w)->in_prod) ==
           evc_a32_load_rlx(&ring(w)->in_cons);
}

static void reads(int fd, const char *text)
{
    for (size_t size = strlen(text); size > 0;) {
        char bytes[256];
        ssize_t n =
            read(fd, bytes, size < sizeof(bytes) ? size : sizeof(bytes));

        assert_true(n > 0);
        assert_memory_equal(bytes, text, (size_t)n);
        text += n;
        size -= (size_t)n;
    }
}

static void types(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* ---- pipes ------------------------------------------------------------------- */

static void test_words_go_both_ways(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    guest_says(w, "hello\r\n", 7);
    reads(w->out[0], "hello\r\n");
    types(w->in[1], "ls\r");
    guest_hears(w, "ls\r");
    assert_true(is_pending(&w->front, EVC_BACKEND_CONSOLE_PORT));
}

static void test_more_than_the_rings_hold_arrives_whole(void **state)
{
    struct world *w = *state;
    char text[20000];
    size_t said = 0;
    char *got = malloc(sizeof(text));

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    front_start(&w->front);
    for (size_t read_ = 0; read_ < sizeof(text);) {
        ssize_t n;

        said += guest_says(w, text + said, sizeof(text) - said);
        n = read(w->out[0], got + read_, 700);
        assert_true(n > 0);
        read_ += (size_t)n;
    }
    assert_memory_equal(got, text, sizeof(text));
    free(got);

    text[3000] = '\0';
    types(w->in[1], text);
    guest_hears(w, text);
}

static void test_reader_who_takes_nothing_stops_only_the_console(void **state)
{
    struct world *w = *state;
    char *text = calloc(1, 500000);
    size_t said = 0;

    front_start(&w->front);
    for (int i = 0; i < 300; i++) { /* pipe, buffer and ring fill up */
        said += guest_says(w, text, 2048);
        assert_string_equal(node(&w->front, "name"), "front");
    }
    assert_true(said < 300 * 2048);
    assert_int_equal(guest_says(w, text, 2048), 0);
    types(w->in[1], "x");
    guest_hears(w, "x");
    free(text);
}

static void test_slow_reader_gets_all_of_it(void **state)
{
    struct world *w = *state;
    char *text = calloc(1, 200000), byte;
    size_t said = 0, got = 0;

    front_start(&w->front);
    for (int i = 0; i < 200; i++)
        said += guest_says(w, text, 2048);
    while (got < said) {
        ssize_t n = read(w->out[0], text, 10000);

        assert_true(n > 0);
        got += (size_t)n;
        WAIT_UNTIL(true);
    }
    assert_int_equal(fcntl(w->out[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(w->out[0], &byte, 1), -1);
    free(text);
}

static void test_end_of_input_is_no_end_of_output(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    types(w->in[1], "last");
    close(w->in[1]);
    w->in[1] = -1;
    guest_hears(w, "last");
    guest_says(w, "still here", 10);
    reads(w->out[0], "still here");
}

static void test_guest_talks_on_when_nobody_reads_any_more(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    close(w->out[0]);
    w->out[0] = -1;
    for (int i = 0; i < 50; i++)
        WAIT_UNTIL(guest_says(w, "to nobody", 9) == 9);
    types(w->in[1], "y");
    guest_hears(w, "y");
    evc_backend_stop(w->front.backend);
    assert_non_null(strstr(w->front.log, "console: cannot write: Broken pipe"));
}

static void test_last_words_are_written_at_the_end(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    guest_says(w, "good", 4);
    /* without an event: the guest stopped in the middle */
    memcpy(ring(w)->out + 4, "bye", 3);
    evc_a32_store_rel(&ring(w)->out_prod, 7);
    evc_backend_stop(w->front.backend);
    reads(w->out[0], "goodbye");
}

static void test_stopping_does_not_wait_for_ever(void **state)
{
    struct world *w = *state;
    char *text = calloc(1, 4096);

    front_start(&w->front);
    for (int i = 0; i < 300; i++)
        guest_says(w, text, 2048);
    evc_backend_stop(w->front.backend); /* or the test's time is out */
    free(text);
}

static void test_escape_is_a_byte_like_any_other_from_a_pipe(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    types(w->in[1], "a\x1d"
                    "b");
    guest_hears(w, "a\x1d"
                   "b");
    assert_int_equal(atomic_load(&w->front.left), 0);
}

static void test_descriptors_of_others_stay_blocking(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    guest_says(w, "x", 1);
    reads(w->out[0], "x");
    assert_int_equal(fcntl(w->in[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(w->out[1], F_GETFL) & O_NONBLOCK, 0);
}

/* ---- files and sockets ---------------------------------------------------------- */

static void test_files_are_read_and_written(void **state)
{
    struct world *w = *state;
    char path[64], script[3001], bytes[32] = "";
    int in = scratch_file(0, path), out = scratch_file(0, path);

    memset(script, 's', 3000);
    script[3000] = '\0';
    types(in, script);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    types(out, "before\n"); /* stays */
    w->front.config.in = in;
    w->front.config.out = out;
    front_start(&w->front);
    guest_hears(w, script);
    guest_says(w, "after\n", 6);
    evc_backend_stop(w->front.backend);
    assert_int_equal(pread(out, bytes, 31, 0), 13);
    assert_string_equal(bytes, "before\nafter\n");
    close(in);
    close(out);
}

static void test_nothing_can_be_read_from_dev_null(void **state)
{
    struct world *w = *state;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    w->front.config.in = w->front.config.out = null;
    front_start(&w->front);
    for (int i = 0; i < 50; i++)
        WAIT_UNTIL(guest_says(w, "x", 1) == 1);
    assert_true(guest_has_no_input(w));
    close(null);
}

static void test_socket_that_is_full_stops_only_the_console(void **state)
{
    struct world *w = *state;
    char *text = calloc(1, 4096);
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    w->front.config.in = w->front.config.out = pair[0];
    front_start(&w->front);
    for (int i = 0; i < 1000; i++)
        guest_says(w, text, 2048);
    assert_string_equal(node(&w->front, "name"), "front");
    types(pair[1], "in");
    guest_hears(w, "in");
    close(pair[0]);
    close(pair[1]);
    free(text);
}

static void test_descriptor_that_is_none_is_an_error(void **state)
{
    struct world *w = *state;

    w->front.config.in = 9999;
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     -EBADF);
    assert_non_null(strstr(w->front.log, "Bad file descriptor"));
    w->front.backend = NULL;
}

/* ---- terminals ------------------------------------------------------------------- */

static int open_reader(struct world *w)
{
    const char *path = evc_backend_console_path(w->front.backend);
    int fd;

    assert_non_null(path);
    fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_pty_has_a_name_and_passes_bytes_as_they_are(void **state)
{
    struct world *w = *state;
    char first;
    int fd;

    w->front.config.console = EVC_CONSOLE_PTY;
    front_start(&w->front);
    assert_string_equal(node(&w->front, "console/tty"),
                        evc_backend_console_path(w->front.backend));
    fd = open_reader(w);
    guest_says(w, "\nno carriage return", 19);
    assert_int_equal(read(fd, &first, 1), 1);
    assert_int_equal(first, '\n');
    reads(fd, "no carriage return");
    types(fd, "\003\x1d\r"); /* neither a signal, nor leaving */
    guest_hears(w, "\003\x1d\r");
    close(fd);
}

static void test_pty_survives_its_readers(void **state)
{
    struct world *w = *state;

    w->front.config.console = EVC_CONSOLE_PTY;
    front_start(&w->front);
    for (int i = 0; i < 3; i++) {
        int fd = open_reader(w);

        types(fd, "who");
        guest_hears(w, "who");
        guest_says(w, "me", 2);
        reads(fd, "me");
        close(fd);
    }
}

static void test_pty_without_reader_never_makes_the_guest_wait(void **state)
{
    struct world *w = *state;
    char *text = calloc(1, 2048);

    w->front.config.console = EVC_CONSOLE_PTY;
    front_start(&w->front);
    for (int i = 0; i < 1500; i++) { /* 3 MB */
        size_t said = 0;

        WAIT_UNTIL((said += guest_says(w, text + said, 2048 - said)) == 2048);
    }
    free(text);
}

/* A terminal whose other side is the test. */
static int make_terminal(int *slave)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char path[64];

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, path, sizeof(path)), 0);
    *slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*slave >= 0);
    return master;
}

static void test_escape_at_a_terminal_means_leaving(void **state)
{
    struct world *w = *state;
    int slave, master = make_terminal(&slave);

    assert_int_equal(evc_terminal_raw(slave), 0);
    w->front.config.in = w->front.config.out = slave;
    front_start(&w->front);
    types(master, "ab\x1d");
    guest_hears(w, "ab");
    WAIT_UNTIL(atomic_load(&w->front.left) == 1);
    assert_true(guest_has_no_input(w));
    guest_says(w, "\n", 1);
    reads(master, "\n");
    evc_backend_stop(w->front.backend);
    evc_terminal_restore();
    close(slave);
    close(master);
}

static void test_terminal_is_as_before_also_from_the_parent(void **state)
{
    int slave, master = make_terminal(&slave);
    struct termios before, during, after;
    pid_t child;

    (void)state;
    assert_int_equal(tcgetattr(slave, &before), 0);
    assert_int_equal(evc_terminal_raw(slave), 0);
    assert_int_equal(evc_terminal_raw(slave), 0); /* keeps the first */
    assert_int_equal(tcgetattr(slave, &during), 0);
    assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
    child = fork();
    if (child == 0) {
        raise(SIGKILL); /* says nothing */
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    evc_terminal_restore();
    assert_int_equal(tcgetattr(slave, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_iflag, before.c_iflag);
    assert_int_equal(after.c_oflag, before.c_oflag);
    evc_terminal_restore();
    close(slave);
    close(master);
}

static void test_what_is_no_terminal_is_left_alone(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_terminal_raw(w->in[0]), 0);
    assert_int_equal(evc_terminal_raw(9999), -EBADF);
}

/* ---- hostile ---------------------------------------------------------------------- */

static void expect_broken(struct world *w)
{
    evc_send(w->front.domain, EVC_BACKEND_CONSOLE_PORT);
    types(w->in[1], "x"); /* the thread has been there when this is taken */
    for (int i = 0; i < 20; i++)
        assert_string_equal(node(&w->front, "name"), "front");
    evc_backend_stop(w->front.backend);
    assert_string_equal(w->front.log,
                        "console: the ring's indices make no sense\n");
}

static void test_output_index_out_of_reach_breaks_the_ring(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    evc_a32_store_rel(&ring(w)->out_prod, EVC_CONSOLE_OUT + 1);
    expect_broken(w);
}

static void test_input_index_out_of_reach_breaks_the_ring(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    evc_a32_store_rel(&ring(w)->in_cons, 1);
    expect_broken(w);
}

static void test_our_own_indices_are_not_read_back(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    evc_a32_store_rel(&ring(w)->in_prod, 500);
    evc_a32_store_rel(&ring(w)->out_cons, 500);
    types(w->in[1], "x");
    WAIT_UNTIL(evc_a32_load_acq(&ring(w)->in_prod) == 1);
    guest_hears(w, "x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_words_go_both_ways),
        TEST(test_more_than_the_rings_hold_arrives_whole),
        TEST(test_reader_who_takes_nothing_stops_only_the_console),
        TEST(test_slow_reader_gets_all_of_it),
        TEST(test_end_of_input_is_no_end_of_output),
        TEST(test_guest_talks_on_when_nobody_reads_any_more),
        TEST(test_last_words_are_written_at_the_end),
        TEST(test_stopping_does_not_wait_for_ever),
        TEST(test_escape_is_a_byte_like_any_other_from_a_pipe),
        TEST(test_descriptors_of_others_stay_blocking),
        TEST(test_files_are_read_and_written),
        TEST(test_nothing_can_be_read_from_dev_null),
        TEST(test_socket_that_is_full_stops_only_the_console),
        TEST(test_descriptor_that_is_none_is_an_error),
        TEST(test_pty_has_a_name_and_passes_bytes_as_they_are),
        TEST(test_pty_survives_its_readers),
        TEST(test_pty_without_reader_never_makes_the_guest_wait),
        TEST(test_escape_at_a_terminal_means_leaving),
        TEST(test_terminal_is_as_before_also_from_the_parent),
        TEST(test_what_is_no_terminal_is_left_alone),
        TEST(test_output_index_out_of_reach_breaks_the_ring),
        TEST(test_input_index_out_of_reach_breaks_the_ring),
        TEST(test_our_own_indices_are_not_read_back),
    };

    return FRONT_RUN(tests);
}
