/* SPDX-License-Identifier: MIT */
/*
 * A daemon of one's own.
 *
 * Its socket listens before it runs (it is handed over as systemd would), so
 * nobody has to wait until it is there.  Its parent is not us but a janitor, who
 * has the other end of a pipe of ours: when that closes, because we want it or
 * because we were killed, he ends the daemon and takes the folder away.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 10000 /* ms, for a daemon that is asked to end */

/* ---- the daemon --------------------------------------------------------- */

static void set_number(const char *name, long n)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", n);
    setenv(name, text, 1);
}

/* In its process, which knows no signal but as usual. */
static _Noreturn void become_daemon(const struct evc_private *it,
                                    const char *evcd, const char *config,
                                    int listening)
{
    const char *argv[] = {"evcd", "--socket", it->socket, NULL, NULL, NULL};
    sigset_t none;

    if (config != NULL) {
        argv[3] = "--config";
        argv[4] = config;
    }
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (listening == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(listening, 3);
    closefrom(4);
    set_number("LISTEN_PID", getpid());
    set_number("LISTEN_FDS", 1);
    execvp(evcd, (char *const *)argv);
    fprintf(stderr, "evcd: %s\n", strerror(errno));
    _exit(127);
}

static void end_daemon(pid_t pid)
{
    struct pollfd it = {.fd = pidfd_open(pid, 0), .events = POLLIN};

    kill(pid, SIGTERM);
    if (it.fd >= 0 && poll(&it, 1, PATIENCE) == 0)
        kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- the janitor -------------------------------------------------------- */

static void remove_folder(const struct evc_private *it)
{
    unlink(it->socket);
    unlink(it->log);
    rmdir(it->folder);
}

static void redirect(const struct evc_private *it, bool verbose)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(it->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    dup2(null, 0);
    dup2(null, 1);
    if (!verbose)
        dup2(log >= 0 ? log : null, 2);
}

/* What is sent to our whole group, or by a terminal, is not for him. */
static _Noreturn void be_janitor(const struct evc_private *it, int line,
                                 int listening, const char *evcd,
                                 const char *config, bool verbose)
{
    pid_t daemon;
    char byte;

    setsid();
    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGCHLD)
            signal(sig, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_NAME, "evc janitor");
    redirect(it, verbose);
    daemon = fork();
    if (daemon == 0)
        become_daemon(it, evcd, config, listening);
    close(listening); /* when the daemon ends, nobody listens */
    while (read(line, &byte, 1) < 0 && errno == EINTR)
        ;
    if (daemon > 0)
        end_daemon(daemon);
    remove_folder(it);
    _exit(0);
}

/* ---- start, stop -------------------------------------------------------- */

/* Short, for a socket's path may not be long. */
static int make_folder(struct evc_private *it)
{
    const char *run = getenv("XDG_RUNTIME_DIR");

    if (run == NULL || run[0] != '/' || strlen(run) > 80 ||
        access(run, W_OK) < 0)
        run = "/tmp";
    snprintf(it->folder, sizeof(it->folder), "%s/evc-run-XXXXXX", run);
    if (mkdtemp(it->folder) == NULL)
        return -errno;
    snprintf(it->socket, sizeof(it->socket), "%s/evcd.sock", it->folder);
    snprintf(it->log, sizeof(it->log), "%s/log", it->folder);
    return 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

    if (fd < 0)
        return -errno;
    strcpy(address.sun_path, path); /* make_folder() has measured it */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

int evc_private_start(struct evc_private *it, const char *evcd,
                      const char *config, bool verbose)
{
    int line[2], listening, r = make_folder(it);

    if (r < 0)
        return r;
    listening = listen_at(it->socket);
    if (listening < 0 || pipe2(line, O_CLOEXEC) < 0) {
        r = listening < 0 ? listening : -errno;
        goto no_pipe;
    }
    it->janitor = fork();
    if (it->janitor == 0) {
        close(line[1]);
        be_janitor(it, line[0], listening, evcd, config, verbose);
    }
    r = it->janitor < 0 ? -errno : 0;
    close(line[0]);
    it->line = line[1];
    if (r < 0)
        close(line[1]);
no_pipe:
    if (listening >= 0)
        close(listening);
    if (r < 0)
        remove_folder(it);
    return r;
}

void evc_private_stop(struct evc_private *it)
{
    close(it->line);
    while (waitpid(it->janitor, NULL, 0) < 0 && errno == EINTR)
        ;
    remove_folder(it); /* if somebody has killed him */
}
