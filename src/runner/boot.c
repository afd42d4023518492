/* SPDX-License-Identifier: MIT */
/*
 * The parent: it makes the terminal raw, has a child run the guest, and puts
 * the terminal back whatever became of that.  Two guests have a child each, and
 * a link between them; the terminal is the first one's.
 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
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

static void block(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(how, &set, NULL);
}

static enum evc_run_end cannot(const char *name, const char *what, int error)
{
    fprintf(stderr, "%s: %s: %s\n", name, what, strerror(error));
    return EVC_RUN_UNUSABLE;
}

/* A child that runs one guest; -1: there is none. */
static pid_t start(const char *name, const struct evc_run_options *options,
                   const struct evc_run_place *place)
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    die_with_parent(parent);
    if (place->link)
        evc_link_keep(place->link, place->side);
    fflush(NULL);
    _exit((int)evc_machine_run(name, options, place));
}

static enum evc_run_end run_one(const char *name,
                                const struct evc_run_options *options,
                                const evc_domid ids[2])
{
    const struct evc_run_place alone = {
        .id = ids[0], .in = STDIN_FILENO, .out = STDOUT_FILENO};
    pid_t pid = start(name, options, &alone);

    if (pid < 0)
        return cannot(name, "fork", errno);
    child = pid;
    handle_signals();
    block(SIG_UNBLOCK);
    return wait_for(name, pid);
}

/* ---- two guests ------------------------------------------------------------------ */

struct pair {
    struct evc_run_place place[2];
    struct evc_run_options peer; /* what the second is run with */
};

/* Nothing is typed to the peer; what it says goes where messages go. */
static int open_pair(struct pair *pair, const struct evc_run_options *options,
                     const evc_domid ids[2], struct evc_pv_error *error)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct evc_link *link = NULL;

    pair->peer = *options;
    pair->peer.image = options->peer_image;
    pair->peer.command_line = options->peer_command_line;
    pair->peer.module = NULL;
    pair->peer.nr_disks = 0;
    pair->peer.console = EVC_CONSOLE_STDIO;
    if (null < 0 || evc_link_create(&link) < 0)
        return evc_pv_fail(error, -errno, "cannot link two guests: %s",
                           strerror(errno));
    for (unsigned i = 0; i < 2; i++) {
        int memory =
            evc_pv_memory_create(options->memory >> EVC_PV_PAGE_SHIFT, error);

        if (memory < 0)
            return memory;
        pair->place[i] = (struct evc_run_place){
            .id = ids[i],
            .link = link,
            .side = i,
            .peer = ids[!i],
            .memory = memory,
            .in = i == 0 ? STDIN_FILENO : null,
            .out = i == 0 ? STDOUT_FILENO : STDERR_FILENO,
        };
    }
    pair->place[0].peer_memory = pair->place[1].memory;
    pair->place[1].peer_memory = pair->place[0].memory;
    return 0;
}

/* The parent has no part in it: an end that it kept would never seem closed. */
static void give_up(const struct pair *pair)
{
    evc_link_destroy(pair->place[0].link);
    close(pair->place[0].memory);
    close(pair->place[1].memory);
    close(pair->place[1].in);
}

/* The first guest's end is the end of both. */
static enum evc_run_end wait_for_both(const char *name, pid_t first,
                                      pid_t second)
{
    enum evc_run_end end = wait_for(name, first), peer;

    kill(second, SIGTERM);
    peer = wait_for(name, second);
    if (end == EVC_RUN_POWEROFF && peer != EVC_RUN_LEFT)
        end = peer;
    return end;
}

static enum evc_run_end run_two(const char *name,
                                const struct evc_run_options *options,
                                const evc_domid ids[2])
{
    struct pair pair;
    struct evc_pv_error error;
    pid_t first, second;

    if (open_pair(&pair, options, ids, &error) < 0) {
        fprintf(stderr, "%s: %s\n", name, error.text);
        return EVC_RUN_UNUSABLE;
    }
    second = start(name, &pair.peer, &pair.place[1]);
    if (second < 0)
        return cannot(name, "fork", errno);
    first = start(name, options, &pair.place[0]);
    if (first < 0) {
        kill(second, SIGKILL);
        return cannot(name, "fork", errno);
    }
    give_up(&pair);
    child = first;
    handle_signals();
    block(SIG_UNBLOCK);
    return wait_for_both(name, first, second);
}

/* ---- any number ------------------------------------------------------------------ */

static void release(const struct evc_run_options *options,
                    const evc_domid ids[2], unsigned n)
{
    for (unsigned i = 0; options->store && i < n; i++)
        evc_world_release(options->store, ids[i]);
}

/* 1 and 2; in a store that others use as well, those that nobody has. */
static int claim(const struct evc_run_options *options, evc_domid ids[2],
                 unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int r = options->store ? evc_world_claim(options->store) : (int)i + 1;

        if (r < 0) {
            release(options, ids, i);
            return r;
        }
        ids[i] = (evc_domid)r;
    }
    return 0;
}

/* With the terminal raw meanwhile. */
static enum evc_run_end run(const char *name,
                            const struct evc_run_options *options,
                            const evc_domid ids[2])
{
    enum evc_run_end end;
    int r = 0;

    if (options->console == EVC_CONSOLE_STDIO)
        r = evc_terminal_raw(STDIN_FILENO);
    if (r < 0)
        return cannot(name, "cannot make the terminal raw", -r);
    end = options->peer_image ? run_two(name, options, ids)
                              : run_one(name, options, ids);
    evc_terminal_restore();
    return end;
}

enum evc_run_end evc_run(const char *name,
                         const struct evc_run_options *options)
{
    unsigned n = options->peer_image ? 2 : 1;
    evc_domid ids[2];
    enum evc_run_end end;
    int r;

    block(SIG_BLOCK); /* until it is known whom to pass them on to */
    r = claim(options, ids, n);
    if (r < 0) {
        fprintf(stderr, "%s: --store: %s: %s\n", name, options->store,
                strerror(-r));
        return EVC_RUN_UNUSABLE;
    }
    end = run(name, options, ids);
    release(options, ids, n);
    return end;
}
