/* SPDX-License-Identifier: MIT */
/*
 * The process in the background.
 *
 * It serves one asker after the other, and waits for none: who connects and says
 * nothing at once is hung up on.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PATIENCE 1000 /* ms, for one that has connected to say what it wants */

/* ---- serving ------------------------------------------------------------ */

static bool says_something(int asker)
{
    struct pollfd it = {.fd = asker, .events = POLLIN};

    return poll(&it, 1, PATIENCE) == 1;
}

/* False: that was the last one. */
static bool serve(int asker, int listening, struct evc_client *client)
{
    uint8_t message[EVC_WIRE_SIZE];
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    if (!evc_keeper_trusts(asker) || !says_something(asker))
        return true;
    r = evc_wire_receive(asker, message, fds, &n, MSG_DONTWAIT);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    if (r != EVC_WIRE_SIZE)
        return true;
    if (message[0] == EVC_KEEPER_LEND)
        (void)evc_wire_send(asker, message, &client->fd, 1, MSG_DONTWAIT);
    if (message[0] != EVC_KEEPER_END)
        return true;
    (void)evc_client_close(client);
    close(listening); /* who hears that it is closed finds nobody here */
    (void)evc_wire_send(asker, message, NULL, 0, MSG_DONTWAIT);
    return false;
}

/* Until it is told to end, or the daemon has. */
static void keep(int listening, struct evc_client *client)
{
    struct pollfd it[] = {{.fd = listening, .events = POLLIN},
                          {.fd = client->fd}};
    bool more = true;

    while (more) {
        int asker;

        if (poll(it, 2, -1) < 0 && errno != EINTR)
            return;
        if (it[1].revents & (POLLHUP | POLLERR))
            return;
        asker = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (asker < 0)
            continue;
        more = serve(asker, listening, client);
        close(asker);
    }
}

/* ---- coming into being -------------------------------------------------- */

static int bind_port(struct evc_client *client,
                     const struct evc_keeper_bind *bind)
{
    switch (bind->kind) {
    case EVC_KEEPER_UNBOUND:
        return evc_client_bind_unbound(client, bind->a);
    case EVC_KEEPER_INTERDOMAIN:
        return evc_client_bind_interdomain(client, bind->a, bind->b);
    default:
        return evc_client_bind_virq(client, bind->a);
    }
}

static int listen_for(uint16_t domain, uint32_t port)
{
    struct sockaddr_un name;
    int fd, r = evc_keeper_name(domain, port, &name);

    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&name, (socklen_t)r) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

/* The port; the handle and the socket are open then. */
static int begin(uint16_t domain, const struct evc_keeper_bind *bind,
                 struct evc_client **client, int *listening)
{
    int port, r = evc_client_open(domain, true, client);

    if (r < 0)
        return r;
    port = bind_port(*client, bind);
    if (port < 0)
        return port;
    *listening = listen_for(domain, (uint32_t)port);
    if (*listening < 0)
        return *listening;
    if (fcntl((*client)->fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return port;
}

/* Nothing of the script's stays open, so that `$(evc bind 1)` comes to an end. */
static int leave(int tell)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    tell = fcntl(tell, F_DUPFD_CLOEXEC, 3);
    null = fcntl(null, F_DUPFD_CLOEXEC, 3);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    tell = dup2(tell, 3);
    closefrom(4);
    setsid();
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "evc keeper");
    return chdir("/") < 0 ? -errno : tell;
}

static _Noreturn void be_keeper(uint16_t domain,
                                const struct evc_keeper_bind *bind, int tell)
{
    struct evc_client *client;
    int listening = -1, port;

    tell = leave(tell);
    port = begin(domain, bind, &client, &listening);
    if (write(tell, &port, sizeof(port)) != (ssize_t)sizeof(port) || port < 0)
        _exit(1);
    close(tell);
    keep(listening, client);
    _exit(0);
}

int evc_keeper_start(uint16_t domain, const struct evc_keeper_bind *bind)
{
    int tell[2], port = -EIO;
    pid_t pid;

    if (pipe2(tell, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        be_keeper(domain, bind, tell[1]);
    close(tell[1]);
    if (pid < 0)
        port = -errno;
    else if (read(tell[0], &port, sizeof(port)) != (ssize_t)sizeof(port))
        port = -EIO;
    close(tell[0]);
    return port;
}
