/* SPDX-License-Identifier: MIT */
/*
 * A program as a child of ours that is as near to being us as it gets: what is
 * sent to us reaches it, its end is our end, and if we are killed it is too.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Those that somebody may send in order to say something. */
static const int passed_on[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
                                SIGUSR2, SIGALRM, SIGWINCH, SIGCONT};

int evc_program_become(char **argv)
{
    execvp(argv[0], argv);
    return -errno;
}

static void await_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (unsigned i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        sigaddset(set, passed_on[i]);
}

/*
 * A terminal's signals reach the program by themselves, for it is in our group;
 * what somebody sends, to us alone, is passed on.
 */
static void pass_on(pid_t program, const siginfo_t *signal)
{
    if (signal->si_code <= 0)
        kill(program, signal->si_signo);
}

static int await(pid_t program, const sigset_t *set)
{
    siginfo_t signal;
    int status;

    for (;;) {
        if (sigwaitinfo(set, &signal) < 0)
            continue; /* EINTR: stopped, and continued */
        if (signal.si_signo != SIGCHLD)
            pass_on(program, &signal);
        else if (waitpid(program, &status, WNOHANG) == program)
            return status;
    }
}

/* The child tells through the pipe, which is closed on exec, why it is none. */
static _Noreturn void be_program(char **argv, const sigset_t *mask, int tell,
                                 pid_t parent)
{
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigprocmask(SIG_SETMASK, mask, NULL);
    r = evc_program_become(argv);
    (void)!write(tell, &r, sizeof(r));
    _exit(1);
}

int evc_program_run(char **argv, int *status)
{
    sigset_t set, before;
    pid_t parent = getpid(), program;
    int tell[2], r = 0;

    if (pipe2(tell, O_CLOEXEC) < 0)
        return -errno;
    signal(SIGCHLD, SIG_DFL);
    await_set(&set);
    sigprocmask(SIG_BLOCK, &set, &before);
    program = fork();
    if (program == 0)
        be_program(argv, &before, tell[1], parent);
    if (program < 0)
        r = -errno;
    close(tell[1]);
    if (r == 0 && read(tell[0], &r, sizeof(r)) != (ssize_t)sizeof(r))
        r = 0; /* it has become the program */
    close(tell[0]);
    if (r == 0)
        *status = await(program, &set);
    else if (program > 0)
        waitpid(program, NULL, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

int evc_program_end_like(int status)
{
    static const struct rlimit none = {0, 0};
    sigset_t set;
    int sig;

    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    sig = WTERMSIG(status);
    setrlimit(RLIMIT_CORE, &none); /* one core is enough */
    signal(sig, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), sig);
    return 128 + sig;
}
