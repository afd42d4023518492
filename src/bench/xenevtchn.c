/* SPDX-License-Identifier: MIT */
/*
 * Finding the library and the daemon: in a build tree they are bin/evc,
 * bin/evcd and lib/libxenevtchn.so.1; installed, the library is in evc/ below
 * where libraries are.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "xenevtchn.h"

#define LIBRARY "libxenevtchn.so.1"

/* Beside the program.  Return: 0; -ENAMETOOLONG, -errno. */
static int beside(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return -errno;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    n = snprintf(path, size, "%s/%s", self, name);
    return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* ---- the library --------------------------------------------------------- */

static void *load(void)
{
    static const char *const places[] = {"../lib/" LIBRARY,
                                         "../" EVC_LIBDIR "/evc/" LIBRARY};
    void *library = NULL;
    char path[PATH_MAX];

    for (unsigned i = 0; !library && i < 2; i++)
        if (beside(places[i], path, sizeof(path)) == 0)
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library ? library : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

static struct evc_xenevtchn functions;

static const struct {
    const char *name;
    void *to; /* a pointer to a pointer to a function */
} symbols[] = {
    {"xenevtchn_open", &functions.open},
    {"xenevtchn_close", &functions.close},
    {"xenevtchn_fd", &functions.fd},
    {"xenevtchn_notify", &functions.notify},
    {"xenevtchn_bind_unbound_port", &functions.bind_unbound},
    {"xenevtchn_bind_interdomain", &functions.bind_interdomain},
    {"xenevtchn_unbind", &functions.unbind},
    {"xenevtchn_pending", &functions.pending},
    {"xenevtchn_unmask", &functions.unmask},
};

const struct evc_xenevtchn *evc_xenevtchn(const char **why)
{
    static void *library;
    char path[PATH_MAX];

    *why = "no evcd beside this program";
    if (beside("evcd", path, sizeof(path)) < 0 || access(path, X_OK) != 0)
        return NULL;
    *why = "no " LIBRARY;
    if (!library)
        library = load();
    if (!library)
        return NULL;
    for (unsigned i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *symbol = dlsym(library, symbols[i].name);

        memcpy(symbols[i].to, &symbol, sizeof(symbol));
        if (!symbol)
            return NULL;
    }
    return &functions;
}

/* ---- the daemon ---------------------------------------------------------- */

static struct {
    unsigned users;
    pid_t pid;
    char folder[32], socket[48];
} evcd;

static void be_daemon(const char *path, const struct evc_machine *machine)
{
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (machine && machine->cpus > 1)
        evc_machine_enter(machine, machine->receiver);
    else
        evc_machine_unpin();
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(path, "evcd", "--foreground", "--socket", evcd.socket, (char *)NULL);
    _exit(127);
}

static bool listens(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

    memcpy(address.sun_path, evcd.socket, sizeof(evcd.socket));
    r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    close(fd);
    return r == 0;
}

/* Until it listens, or has ended. */
static int await_daemon(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    while (!listens()) {
        if (waitpid(evcd.pid, NULL, WNOHANG) != 0) {
            evcd.pid = 0;
            return -ECHILD;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

int evc_daemon_start(const struct evc_machine *machine)
{
    char path[PATH_MAX];
    int r;

    if (evcd.users++ > 0)
        return 0;
    strcpy(evcd.folder, "/tmp/evc-bench-XXXXXX");
    r = beside("evcd", path, sizeof(path));
    if (r == 0 && !mkdtemp(evcd.folder))
        r = -errno;
    if (r < 0) {
        evcd.users = 0;
        return r;
    }
    snprintf(evcd.socket, sizeof(evcd.socket), "%s/socket", evcd.folder);
    setenv("EVC_SOCKET", evcd.socket, 1);
    setenv("EVC_AUTOSTART", "0", 1);
    fflush(NULL);
    evcd.pid = fork();
    if (evcd.pid == 0)
        be_daemon(path, machine);
    r = evcd.pid < 0 ? -errno : await_daemon();
    if (r < 0)
        evc_daemon_stop();
    return r;
}

void evc_daemon_stop(void)
{
    char lock[sizeof(evcd.socket) + 8];

    if (evcd.users == 0 || --evcd.users > 0)
        return;
    if (evcd.pid > 0) {
        kill(evcd.pid, SIGTERM);
        waitpid(evcd.pid, NULL, 0);
    }
    unlink(evcd.socket);
    snprintf(lock, sizeof(lock), "%s.lock", evcd.socket);
    unlink(lock);
    rmdir(evcd.folder);
}
