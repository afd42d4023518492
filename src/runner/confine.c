/* SPDX-License-Identifier: MIT */
/*
 * What the guest's process may still ask of the kernel once the guest runs: what
 * its memory, its sleep, its console and its disks take, all of it with
 * descriptors that are open already.  No file can be opened, no program started,
 * nobody else signalled.
 *
 * A guest can reach all of its process, so this is what bounds it.  It does not
 * bound what is done with the descriptors: disks and terminal are the guest's.
 */
#include "runner.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <seccomp.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* With any arguments. */
static const int allowed[] = {
    /* memory: the guest's mappings, malloc, stacks of threads */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(membarrier),
    /* threads, sleeping, time */
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(getrandom),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    /* signals of its own */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    /* descriptors that are open */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(preadv2),
    SCMP_SYS(pwritev2),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(fcntl),
    SCMP_SYS(close),
    SCMP_SYS(fallocate),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(recvfrom),
};

/* A terminal may be asked and put back; nothing is typed into it (TIOCSTI). */
static const unsigned ioctls[] = {TCGETS,     TCSETS,   TCSETSW, TCSETSF,
                                  TIOCGWINSZ, FIONREAD, FIONBIO};

static int allow_all(scmp_filter_ctx filter)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(allowed) / sizeof(*allowed); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; r == 0 && i < sizeof(ioctls) / sizeof(*ioctls); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
    return r;
}

/* More threads, no processes; clone3 hides which, so clone is to be used. */
static int allow_threads(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    if (r < 0)
        return r;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
                            0);
}

static int allow_with_arguments(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid(), 0));

    if (r == 0) /* whoever is at the other end: of a socket, or a peer */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1,
                             SCMP_A4(SCMP_CMP_EQ, 0, 0));
    if (r == 0) /* read its own: how large stacks of threads are to be */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                             SCMP_A0(SCMP_CMP_EQ, 0, 0),
                             SCMP_A2(SCMP_CMP_EQ, 0, 0));
    if (r < 0)
        return r;
    return seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
        SCMP_A0(SCMP_CMP_EQ, PR_SET_SYSCALL_USER_DISPATCH, 0));
}

static int load(scmp_filter_ctx filter)
{
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (r == 0)
        r = allow_all(filter);
    if (r == 0)
        r = allow_threads(filter);
    if (r == 0)
        r = allow_with_arguments(filter);
    return r < 0 ? r : seccomp_load(filter);
}

int evc_run_confine(struct evc_pv_error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = filter ? load(filter) : -ENOMEM;

    if (filter)
        seccomp_release(filter);
    if (r < 0)
        return evc_pv_fail(error, r, "cannot confine the guest's process: %s",
                           strerror(-r));
    return 0;
}
