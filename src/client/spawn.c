/* SPDX-License-Identifier: MIT */
/*
 * Starting a daemon for this user.
 *
 * It is found beside this library, in bin/ next to its folder, or on PATH; it
 * leaves the program's session and goes into the background when it listens.  If
 * two processes start one at the same time, one of the daemons finds the other
 * and ends, which is as good.
 */
#include "client.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Relative to where this library lies. */
static const char *const places[] = {"evcd", "../bin/evcd", "../../bin/evcd",
                                     "../../../bin/evcd"};

/* The daemon's path; just "evcd": let PATH say. */
static void find(char *path, size_t size)
{
    const char *slash;
    Dl_info here;

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (dladdr((void *)(uintptr_t)&evc_client_spawn, &here) == 0 ||
            (slash = strrchr(here.dli_fname, '/')) == NULL)
            break;
        if (snprintf(path, size, "%.*s/%s", (int)(slash - here.dli_fname),
                     here.dli_fname, places[i]) < (int)size &&
            access(path, X_OK) == 0)
            return;
    }
    snprintf(path, size, "evcd");
}

/* Nothing of the program's is to stay open in the daemon. */
static int prepare(posix_spawn_file_actions_t *actions,
                   posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0) ||
        posix_spawn_file_actions_adddup2(actions, 0, 1) ||
        posix_spawn_file_actions_adddup2(actions, 0, 2) ||
        posix_spawn_file_actions_addclosefrom_np(actions, 3) ||
        posix_spawnattr_setsigmask(attributes, &none) ||
        posix_spawnattr_setsigdefault(attributes, &all) ||
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
                                                 POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF))
        return -ENOMEM;
    return 0;
}

/* Until the one that was started has gone into the background. */
static int await(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno == ECHILD) /* the program waits for all its children */
            return 0;
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : 0;
}

int evc_client_spawn(const char *socket)
{
    char path[PATH_MAX], option[PATH_MAX];
    char *argv[] = {path, (char *)(uintptr_t) "--autostarted", option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    int r;

    find(path, sizeof(path));
    snprintf(option, sizeof(option), "--socket=%s", socket);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    r = prepare(&actions, &attributes);
    if (r == 0)
        r = -posix_spawnp(&pid, path, &actions, &attributes, argv, environ);
    if (r == 0)
        r = await(pid);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}
