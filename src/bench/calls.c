/* SPDX-License-Identifier: MIT */
/*
 * A child does the work under ptrace and stops at every system call.  It does
 * nothing, then the work, then nothing, each framed by a call that nobody else
 * makes.  Where tracing is not allowed, the figure is NaN: not counted.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h> /* must follow <sys/ptrace.h> */

#include "calls.h"
#include "route.h"

#define COUNT 8      /* no more than fit into any link */
#define MARK  0x7e7c /* a descriptor that is none: closing it is the mark */

enum { FAILED = 1 };

/* ---- the child ----------------------------------------------------------- */

void evc_calls_mark(void)
{
    syscall(SYS_close, MARK);
}

static void be_traced(int (*work)(void *data), void *data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(FAILED);
    raise(SIGSTOP);
    _exit(work(data) < 0 ? FAILED : 0);
}

/* ---- the tracer ---------------------------------------------------------- */

/* To the entry of its next system call, past the exit of the last one. */
static int next_call(pid_t child, struct ptrace_syscall_info *info)
{
    int status;

    do {
        if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            return -ECHILD;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(*info), info) <= 0)
            return -ENOSYS;
    } while (info->op != PTRACE_SYSCALL_INFO_ENTRY);
    return 0;
}

static bool is_mark(const struct ptrace_syscall_info *info)
{
    return info->entry.nr == SYS_close && info->entry.args[0] == MARK;
}

/* System calls between the two marks. Return: -errno: not to be counted. */
static int count_calls(pid_t child)
{
    struct ptrace_syscall_info info;
    int calls = 0, r;

    /* Without it the kernel does not say which stops are system calls. */
    if (ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD) != 0)
        return -ENOSYS;
    do {
        r = next_call(child, &info);
    } while (r == 0 && !is_mark(&info));
    while (r == 0) {
        r = next_call(child, &info);
        if (r == 0 && is_mark(&info))
            return calls;
        calls++;
    }
    return r;
}

double evc_calls_of(int (*work)(void *data), void *data)
{
    int status, calls = -ENOSYS;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0)
        return NAN;
    if (child == 0)
        be_traced(work, data);
    if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        calls = count_calls(child);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return calls < 0 ? (double)NAN : calls;
}

/* ---- of an adapter ------------------------------------------------------- */

/* On a link of the child's own, so that nobody else finds what it leaves. */
static int open_own(const struct evc_route *like, struct evc_route **own)
{
    return evc_route_open(NULL, like->adapter, EVC_PLACE_ONE, 1, own);
}

static int notify(void *data)
{
    struct evc_route *route;
    int r = open_own(data, &route);

    evc_calls_mark();
    for (int i = 0; r >= 0 && i < COUNT; i++)
        r = route->adapter->send(route->link, 0);
    evc_calls_mark();
    return r;
}

static int notify_and_take(void *data)
{
    struct evc_route *route;
    int r = open_own(data, &route);

    evc_calls_mark();
    for (int i = 0; r >= 0 && i < COUNT; i++) {
        r = route->adapter->send(route->link, 0);
        if (r >= 0)
            r = route->adapter->take(route->link);
    }
    evc_calls_mark();
    return r;
}

int evc_calls_notify(void *subject, const struct evc_cell *cell, uint64_t reps,
                     struct evc_sample *sample)
{
    (void)cell;
    (void)reps;
    *sample = (struct evc_sample){evc_calls_of(notify, subject), COUNT};
    return 0;
}

int evc_calls_dispatch(void *subject, const struct evc_cell *cell,
                       uint64_t reps, struct evc_sample *sample)
{
    (void)cell;
    (void)reps;
    *sample =
        (struct evc_sample){evc_calls_of(notify_and_take, subject), COUNT};
    return 0;
}
