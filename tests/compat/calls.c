/* SPDX-License-Identifier: MIT */
/*
 * What makes no system call: notify to a receiver that is awake, pending and
 * unmask while more is queued, and all but the first of several notifies to a
 * receiver that sleeps.
 *
 * Each story is told twice, in a process of its own: once to see that the
 * events come, once with every system call from some point on being fatal.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#define DOMAIN   0
#define CHANNELS 4
#define PATIENCE 60000 /* ms */
#define SKIP     77

static xenevtchn_handle *from, *to;
static uint32_t at[CHANNELS], port[CHANNELS]; /* of the two ends */

/* Leaves without a word to libc, which could have system calls of its own. */
static _Noreturn void leave(int status)
{
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

static void check(bool good, int line)
{
    if (good)
        return;
    leave(line <= 255 && line != SKIP ? line : 1);
}
#define CHECK(what) check(what, __LINE__)

/* ---- the world ---------------------------------------------------------- */

static bool is_readable(xenevtchn_handle *h, int patience)
{
    struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

    return poll(&p, 1, patience) == 1;
}

static void take(uint32_t which)
{
    CHECK(xenevtchn_pending(to) == (int)port[which]);
    CHECK(xenevtchn_unmask(to, port[which]) == 0);
}

static void notify(uint32_t which)
{
    CHECK(xenevtchn_notify(from, at[which]) == 0);
}

/* Channels that have been used: all is mapped, and the receiver sleeps. */
static void connect_them(void)
{
    from = xenevtchn_open(NULL, 0);
    to = xenevtchn_open(NULL, 0);
    CHECK(from != NULL && to != NULL);
    for (uint32_t i = 0; i < CHANNELS; i++) {
        int there = xenevtchn_bind_unbound_port(to, DOMAIN), here;

        CHECK(there > 0);
        here = xenevtchn_bind_interdomain(from, DOMAIN, (uint32_t)there);
        CHECK(here > 0);
        port[i] = (uint32_t)there;
        at[i] = (uint32_t)here;
        notify(i);
        CHECK(is_readable(to, PATIENCE));
        take(i);
    }
    CHECK(!is_readable(to, 0));
}

static void forbid_system_calls(bool really)
{
    struct sock_filter but_exit[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(but_exit) / sizeof(but_exit[0]),
                                 .filter = but_exit};

    if (!really)
        return;
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        leave(SKIP);
}

/* ---- the stories -------------------------------------------------------- */

static void awake(bool forbidden)
{
    notify(0);
    notify(1);
    notify(2);
    CHECK(is_readable(to, PATIENCE));
    take(0); /* two are left: it does not sleep */
    forbid_system_calls(forbidden);
    for (int i = 0; i < 1000; i++)
        notify(3);
    take(1);
    notify(1);
    if (forbidden)
        return;
    take(2);
    take(3);
    take(1);
    take(3); /* 1,000 are two: one was taken, more came */
    CHECK(!is_readable(to, 0));
}

static void asleep(bool forbidden)
{
    int bytes = 0;

    notify(0);
    forbid_system_calls(forbidden);
    for (uint32_t i = 1; i < CHANNELS; i++)
        notify(i);
    if (forbidden)
        return;
    CHECK(is_readable(to, PATIENCE));
    CHECK(ioctl(xenevtchn_fd(to), FIONREAD, &bytes) == 0 && bytes == 1);
    for (uint32_t i = 0; i < CHANNELS; i++)
        take(i);
    CHECK(!is_readable(to, 0));
}

/* The one that has to wake it; so that it is known that one would be seen. */
static void waking(bool forbidden)
{
    forbid_system_calls(forbidden);
    notify(0);
    if (forbidden)
        return;
    CHECK(is_readable(to, PATIENCE));
    take(0);
}

/* ---- telling them ------------------------------------------------------- */

static int tell(void (*story)(bool), bool forbidden)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        connect_them();
        story(forbidden);
        leave(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return status;
}

static bool is_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool goes_well(const char *name, void (*story)(bool), bool forbidden)
{
    int status = tell(story, forbidden);

    if (status == 0)
        return true;
    if (is_killed(status))
        printf("%s: there was a system call\n", name);
    else
        printf("%s: line %d (status %#x)\n", name, WEXITSTATUS(status),
               (unsigned)status);
    return false;
}

int main(void)
{
    int control = tell(waking, true);

    if (WIFEXITED(control) && WEXITSTATUS(control) == SKIP) {
        puts("no seccomp filters here");
        return SKIP;
    }
    if (!is_killed(control)) {
        printf("waking: no system call was seen (status %#x)\n",
               (unsigned)control);
        return 1;
    }
    return goes_well("waking", waking, false) &&
                   goes_well("awake", awake, false) &&
                   goes_well("awake", awake, true) &&
                   goes_well("asleep", asleep, false) &&
                   goes_well("asleep", asleep, true)
               ? 0
               : 1;
}
