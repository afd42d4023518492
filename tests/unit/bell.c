/* SPDX-License-Identifier: MIT */
/*
 * The bell: who waits wakes, who is awake costs no system call, and whoever
 * dies in the middle is not missed.
 */
#include "unit.h"

#include <errno.h>
#include <evc/bell.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS     INT64_C(1000000)
#define AGES   (60000 * MS)
#define ASLEEP 1u
#define ARMED  2u

struct place {
    struct evc_bell bell;
    _Atomic uint32_t news, taken;
    int fd;
};

static uint32_t word(struct place *w)
{
    return __atomic_load_n(&w->bell.word, __ATOMIC_SEQ_CST);
}

static bool has_news(void *data)
{
    struct place *w = data;

    return atomic_load(&w->news) != atomic_load(&w->taken);
}

/* Shared with children. */
static struct place *make(void)
{
    struct place *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(w != MAP_FAILED);
    w->fd = -1;
    return w;
}

static void drop(struct place *w)
{
    if (w->fd >= 0)
        close(w->fd);
    munmap(w, sizeof(*w));
}

static int tell(struct place *w)
{
    (void)atomic_fetch_add(&w->news, 1);
    return evc_bell_ring(&w->bell, w->fd);
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

/* ---- nobody waits ------------------------------------------------------- */

static void test_ringing_with_nobody_there_wakes_nobody(void **state)
{
    struct place *w = make();

    (void)state;
    assert_int_equal(tell(w), 0);
    assert_int_equal(evc_bell_ring_rmw(&w->bell, -1), 0);
    drop(w);
}

/* In strict mode any other system call than read, write and exit is fatal. */
static void ring_without_system_calls(struct place *w)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        syscall(SYS_exit, 77);
    for (int i = 0; i < 1000; i++) {
        (void)evc_bell_ring(&w->bell, -1);
        (void)evc_bell_ring_rmw(&w->bell, -1);
    }
    syscall(SYS_exit, 0);
}

static void test_ringing_an_awake_waiter_makes_no_system_call(void **state)
{
#ifdef EVC_SANITIZED
    skip(); /* a sanitizer has system calls of its own */
#endif
    struct place *w = make();
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0)
        ring_without_system_calls(w);
    waitpid(child, &status, 0);
    drop(w);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* no seccomp here */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- waiting ------------------------------------------------------------ */

static void test_waiting_returns_at_once_when_there_is_news(void **state)
{
    struct place *w = make();

    (void)state;
    tell(w);
    assert_int_equal(evc_bell_wait(&w->bell, NULL, has_news, w, -1), 0);
    assert_int_equal(w->bell.word, 0);
    drop(w);
}

static void test_waiting_without_time_only_looks(void **state)
{
    struct place *w = make();

    (void)state;
    assert_int_equal(evc_bell_wait(&w->bell, NULL, has_news, w, 0), -ETIMEDOUT);
    assert_int_equal(w->bell.word, 0);
    drop(w);
}

static void test_waiting_ends_in_time_and_leaves_nothing_behind(void **state)
{
    struct place *w = make();
    struct evc_bell_spin spin = {0};

    (void)state;
    assert_int_equal(evc_bell_wait(&w->bell, &spin, has_news, w, MS),
                     -ETIMEDOUT);
    assert_int_equal(w->bell.word & ASLEEP, 0);
    assert_int_equal(tell(w), 0); /* nobody sleeps any more */
    drop(w);
}

static void test_the_longest_timeout_is_as_good_as_none(void **state)
{
    struct place *w = make();

    (void)state;
    tell(w);
    assert_int_equal(evc_bell_wait(&w->bell, NULL, has_news, w, INT64_MAX), 0);
    drop(w);
}

static void *tell_a_sleeper(void *arg)
{
    struct place *w = arg;

    while (!(word(w) & ASLEEP))
        usleep(100);
    return (void *)(intptr_t)tell(w);
}

static void test_one_ring_wakes_and_the_next_need_not(void **state)
{
    struct place *w = make();
    pthread_t ringer;
    void *woke;

    (void)state;
    assert_int_equal(pthread_create(&ringer, NULL, tell_a_sleeper, w), 0);
    assert_int_equal(evc_bell_wait(&w->bell, NULL, has_news, w, AGES), 0);
    assert_int_equal(pthread_join(ringer, &woke), 0);
    assert_int_equal((intptr_t)woke, 1);
    assert_int_equal(tell(w), 0);
    drop(w);
}

static void test_two_sleepers_wake_from_one_ring(void **state)
{
    struct place *w = make();
    pid_t child[2];
    int status;

    (void)state;
    for (int i = 0; i < 2; i++) {
        child[i] = fork();
        if (child[i] == 0)
            _exit(-evc_bell_wait(&w->bell, NULL, has_news, w, AGES));
    }
    tell_a_sleeper(w);
    for (int i = 0; i < 2; i++) {
        waitpid(child[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    drop(w);
}

static void nothing(int sig)
{
    (void)sig;
}

static void *interrupt(void *arg)
{
    struct place *w = ((void **)arg)[0];

    while (!(word(w) & ASLEEP))
        usleep(100);
    while (atomic_load(&w->taken) == 0) { /* until it has noticed */
        pthread_kill(*(pthread_t *)((void **)arg)[1], SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

static bool never(void *data)
{
    (void)data;
    return false;
}

static void test_waiting_ends_when_a_signal_was_handled(void **state)
{
    struct place *w = make();
    struct sigaction action = {.sa_handler = nothing}, old;
    pthread_t self = pthread_self(), other;
    void *arg[2] = {w, &self};
    int r;

    (void)state;
    sigaction(SIGUSR1, &action, &old);
    assert_int_equal(pthread_create(&other, NULL, interrupt, arg), 0);
    r = evc_bell_wait(&w->bell, NULL, never, w, AGES);
    atomic_store(&w->taken, 1);
    pthread_join(other, NULL);
    sigaction(SIGUSR1, &old, NULL);
    assert_int_equal(r, -EINTR);
    drop(w);
}

static void test_spinning_stops_when_it_never_helps(void **state)
{
    struct place *w = make();
    struct evc_bell_spin spin = {.window = 50000};

    (void)state;
    for (int i = 0; i < 8; i++)
        evc_bell_wait(&w->bell, &spin, has_news, w, 1);
    assert_true(spin.window < 1000);
    drop(w);
}

/* ---- descriptors -------------------------------------------------------- */

static void test_armed_descriptor_is_readable_from_the_ring_on(void **state)
{
    struct place *w = make();

    (void)state;
    w->fd = evc_bell_fd();
    assert_true(w->fd >= 0);
    assert_int_equal(evc_bell_arm(&w->bell, w->fd, has_news, w), 0);
    assert_false(is_readable(w->fd));
    assert_int_equal(tell(w), 1);
    assert_true(is_readable(w->fd));
    assert_int_equal(tell(w), 0); /* written once */
    drop(w);
}

static void test_arming_with_news_makes_it_readable(void **state)
{
    struct place *w = make();

    (void)state;
    w->fd = evc_bell_fd();
    tell(w);
    assert_false(is_readable(w->fd)); /* nobody had armed it */
    assert_int_equal(evc_bell_arm(&w->bell, w->fd, has_news, w), 1);
    assert_true(is_readable(w->fd));
    assert_int_equal(tell(w), 0);
    drop(w);
}

static void test_disarmed_descriptor_is_not_written(void **state)
{
    struct place *w = make();

    (void)state;
    w->fd = evc_bell_fd();
    evc_bell_arm(&w->bell, w->fd, has_news, w);
    evc_bell_disarm(&w->bell, w->fd);
    assert_int_equal(tell(w), 0);
    assert_false(is_readable(w->fd));
    drop(w);
}

static void test_rearming_forgets_what_was_taken(void **state)
{
    struct place *w = make();

    (void)state;
    w->fd = evc_bell_fd();
    evc_bell_arm(&w->bell, w->fd, has_news, w);
    tell(w);
    atomic_store(&w->taken, atomic_load(&w->news));
    assert_int_equal(evc_bell_arm(&w->bell, w->fd, has_news, w), 0);
    assert_false(is_readable(w->fd));
    drop(w);
}

static void test_ringer_without_the_descriptor_is_told(void **state)
{
    struct place *w = make();
    int fd = evc_bell_fd();

    (void)state;
    evc_bell_arm(&w->bell, fd, has_news, w);
    assert_int_equal(evc_bell_ring(&w->bell, -1), -EBADF);
    w->fd = fd;
    assert_int_equal(tell(w), 1); /* the one after it can */
    assert_true(is_readable(fd));
    drop(w);
}

static void test_bad_descriptors_are_errors(void **state)
{
    struct place *w = make();

    (void)state;
    assert_int_equal(evc_bell_arm(&w->bell, -1, has_news, w), -EBADF);
    assert_int_equal(w->bell.word & ARMED, 0);
    drop(w);
}

static void test_sleeper_and_descriptor_are_woken_by_one_ring(void **state)
{
    struct place *w = make();
    pthread_t ringer;

    (void)state;
    w->fd = evc_bell_fd();
    evc_bell_arm(&w->bell, w->fd, has_news, w);
    assert_int_equal(pthread_create(&ringer, NULL, tell_a_sleeper, w), 0);
    assert_int_equal(evc_bell_wait(&w->bell, NULL, has_news, w, AGES), 0);
    pthread_join(ringer, NULL);
    assert_true(is_readable(w->fd));
    drop(w);
}

/* ---- death and malice --------------------------------------------------- */

static void ring_for_ever(struct place *w)
{
    for (;;)
        evc_bell_ring(&w->bell, w->fd);
}

/* Sleep until there is news, in one way or the other. */
static bool sleep_well(struct place *w, bool by_descriptor)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};

    if (!by_descriptor)
        return evc_bell_wait(&w->bell, NULL, has_news, w, AGES) == 0;
    while (evc_bell_arm(&w->bell, w->fd, has_news, w) == 0)
        if (poll(&p, 1, (int)(AGES / MS)) != 1)
            return false;
    return true;
}

/* Killed anywhere, also between looking and waking: the next ringer wakes. */
static void test_ringers_killed_at_any_moment_are_not_missed(void **state)
{
    struct place *w = make();

    (void)state;
    w->fd = evc_bell_fd();
    for (int i = 0; i < 200; i++) {
        pid_t ringer = fork(), teller;

        if (ringer == 0)
            ring_for_ever(w);
        evc_bell_wait(&w->bell, NULL, never, w, rand() % 200 * 1000);
        teller = fork();
        if (teller == 0) {
            kill(ringer, SIGKILL);
            usleep((useconds_t)(rand() % 500));
            _exit(tell(w) < 0);
        }
        assert_true(sleep_well(w, i % 2));
        atomic_store(&w->taken, atomic_load(&w->news));
        waitpid(ringer, NULL, 0);
        waitpid(teller, NULL, 0);
    }
    drop(w);
}

#define ROUNDS 3000u

/* One ring a round, the round being over when both were heard. */
static void *tell_once_a_round(void *arg)
{
    struct place *w = arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        (void)tell(w);
        while (atomic_load(&w->taken) / 2 == i)
            sched_yield();
    }
    return NULL;
}

static void test_slow_ringer_does_not_undo_the_next_arming(void **state)
{
    struct place *w = make();
    pthread_t ringer[2];

    (void)state;
    w->fd = evc_bell_fd();
    for (int i = 0; i < 2; i++)
        pthread_create(&ringer[i], NULL, tell_once_a_round, w);
    while (atomic_load(&w->taken) < 2 * ROUNDS) {
        assert_true(sleep_well(w, true));
        atomic_store(&w->taken, atomic_load(&w->news));
    }
    for (int i = 0; i < 2; i++)
        pthread_join(ringer[i], NULL);
    drop(w);
}

static void test_a_waiter_that_died_costs_one_wake(void **state)
{
    struct place *w = make();
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(evc_bell_wait(&w->bell, NULL, never, w, -1));
    while (!(word(w) & ASLEEP))
        usleep(100);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(tell(w), 1);
    assert_int_equal(tell(w), 0);
    drop(w);
}

static void *scribble(void *arg)
{
    struct place *w = ((void **)arg)[0];
    _Atomic bool *stop = ((void **)arg)[1];
    uint32_t x = 1;

    while (!atomic_load(stop)) {
        x = x * 1664525 + 1013904223;
        __atomic_store_n(&w->bell.word, x, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void test_scribbling_on_the_word_ends_when_its_writer_does(void **state)
{
    struct place *w = make();
    _Atomic bool stop = false;
    void *arg[2] = {w, &stop};
    pthread_t other;

    (void)state;
    w->fd = evc_bell_fd();
    assert_int_equal(pthread_create(&other, NULL, scribble, arg), 0);
    for (int i = 0; i < 2000; i++) {
        evc_bell_wait(&w->bell, NULL, never, w, 1000);
        evc_bell_arm(&w->bell, w->fd, never, w);
        evc_bell_ring(&w->bell, w->fd);
    }
    atomic_store(&stop, true);
    pthread_join(other, NULL);

    atomic_store(&w->taken, atomic_load(&w->news));
    evc_bell_arm(&w->bell, w->fd, has_news, w);
    assert_int_equal(tell(w), 1);
    assert_true(is_readable(w->fd));
    drop(w);
}

/* As another one would, who shares the page: between the look and the sleep. */
static bool changes_the_word(void *data)
{
    struct place *w = data;

    __atomic_fetch_add(&w->bell.word, 4, __ATOMIC_SEQ_CST);
    return false;
}

static void test_waiting_ends_in_time_although_the_word_changes(void **state)
{
    struct place *w = make();

    (void)state;
    alarm(60);
    assert_int_equal(evc_bell_wait(&w->bell, NULL, changes_the_word, w, MS),
                     -ETIMEDOUT);
    alarm(0);
    drop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ringing_with_nobody_there_wakes_nobody),
        cmocka_unit_test(test_ringing_an_awake_waiter_makes_no_system_call),
        cmocka_unit_test(test_waiting_returns_at_once_when_there_is_news),
        cmocka_unit_test(test_waiting_without_time_only_looks),
        cmocka_unit_test(test_waiting_ends_in_time_and_leaves_nothing_behind),
        cmocka_unit_test(test_the_longest_timeout_is_as_good_as_none),
        cmocka_unit_test(test_one_ring_wakes_and_the_next_need_not),
        cmocka_unit_test(test_two_sleepers_wake_from_one_ring),
        cmocka_unit_test(test_waiting_ends_when_a_signal_was_handled),
        cmocka_unit_test(test_spinning_stops_when_it_never_helps),
        cmocka_unit_test(test_armed_descriptor_is_readable_from_the_ring_on),
        cmocka_unit_test(test_arming_with_news_makes_it_readable),
        cmocka_unit_test(test_disarmed_descriptor_is_not_written),
        cmocka_unit_test(test_rearming_forgets_what_was_taken),
        cmocka_unit_test(test_ringer_without_the_descriptor_is_told),
        cmocka_unit_test(test_bad_descriptors_are_errors),
        cmocka_unit_test(test_sleeper_and_descriptor_are_woken_by_one_ring),
        cmocka_unit_test(test_ringers_killed_at_any_moment_are_not_missed),
        cmocka_unit_test(test_slow_ringer_does_not_undo_the_next_arming),
        cmocka_unit_test(test_a_waiter_that_died_costs_one_wake),
        cmocka_unit_test(test_scribbling_on_the_word_ends_when_its_writer_does),
        cmocka_unit_test(test_waiting_ends_in_time_although_the_word_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
