/* SPDX-License-Identifier: MIT */
/*
 * The parent: it makes the terminal raw, has a child run the guest, and puts
 * the terminal back whatever became of that.
 */
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child;

/* The child ends by itself, with its guest. */
static void pass_on(int signal)
{
    (void)signal;
    if (child > 0)
        kill((pid_t)child, SIGTERM);
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = pass_on};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* Nobody else could put the terminal back, or would know of the guest. */
static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EVC_RUN_BROKEN);
}

static enum evc_run_end wait_for(const char *name, pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EVC_RUN_BROKEN;
    evc_terminal_restore();
    if (WIFEXITED(status))
        return (enum evc_run_end)WEXITSTATUS(status);
    fprintf(stderr, "%s: the guest's process ended by signal %d (%s)\n", name,
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    return EVC_RUN_BROKEN;
}

static void block(int how, sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigprocmask(how, set, NULL);
}

enum evc_run_end evc_run(const char *name,
                         const struct evc_run_options *options)
{
    pid_t parent = getpid(), pid;
    sigset_t set;
    int r = 0;

    if (options->console == EVC_CONSOLE_STDIO)
        r = evc_terminal_raw(STDIN_FILENO);
    if (r < 0) {
        fprintf(stderr, "%s: cannot make the terminal raw: %s\n", name,
                strerror(-r));
        return EVC_RUN_UNUSABLE;
    }
    fflush(NULL);
    block(SIG_BLOCK, &set); /* until it is known whom to pass them on to */
    pid = fork();
    if (pid == 0) {
        die_with_parent(parent);
        fflush(NULL);
        _exit((int)evc_machine_run(name, options));
    }
    child = pid;
    handle_signals();
    block(SIG_UNBLOCK, &set);
    if (pid > 0)
        return wait_for(name, pid);
    evc_terminal_restore();
    fprintf(stderr, "%s: fork: %s\n", name, strerror(errno));
    return EVC_RUN_UNUSABLE;
}
