/* SPDX-License-Identifier: MIT */
/*
 * The connection of this process to the daemon.
 *
 * There is one, made when first needed, with one request under way at a time.  A
 * child made by fork must not speak on its parent's: it is told so when it comes
 * into being (or when its pid is not the one that connected), and makes its own,
 * on which it names its handles anew by their descriptors.
 */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    int fd;
    pid_t pid;
    uint64_t number; /* how many there have been */
} us = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

pthread_mutex_t evc_client_mapping = PTHREAD_MUTEX_INITIALIZER;

/* ---- after fork --------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&evc_client_mapping);
    pthread_mutex_lock(&us.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&us.lock);
    pthread_mutex_unlock(&evc_client_mapping);
}

static void forget_connection(void)
{
    if (us.fd >= 0)
        close(us.fd);
    us.fd = -1;
}

static void after_fork_in_child(void)
{
    forget_connection();
    after_fork();
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* ---- connecting --------------------------------------------------------- */

int evc_client_socket_path(char *to, size_t size)
{
    const char *named = getenv("EVC_SOCKET");
    const char *run = getenv("XDG_RUNTIME_DIR");
    int n;

    if (named != NULL && named[0] != 0)
        n = snprintf(to, size, "%s", named);
    else if (geteuid() == 0)
        n = snprintf(to, size, "/run/evc/evcd.sock");
    else if (run != NULL && run[0] == '/')
        n = snprintf(to, size, "%s/evc/evcd.sock", run);
    else
        n = snprintf(to, size, "/tmp/evc-%lu/evcd.sock",
                     (unsigned long)geteuid());
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/*
 * In /tmp anybody could have put a socket there: only one of root's or our own
 * is spoken to.
 */
static int check_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (getenv("EVC_SOCKET") != NULL || peer.uid == 0 || peer.uid == geteuid())
        return 0;
    return -EPERM;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r = 0;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        r = -errno;
    if (r == 0)
        r = check_peer(fd);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static bool may_start(void)
{
    const char *said = getenv("EVC_AUTOSTART");

    return said == NULL || strcmp(said, "0") != 0;
}

/* With the lock. */
static int connect_now(bool start)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int r;

    if (us.fd >= 0 && us.pid == getpid())
        return 0;
    forget_connection();
    r = evc_client_socket_path(path, sizeof(path));
    if (r < 0)
        return r;
    r = connect_to(path);
    if ((r == -ENOENT || r == -ECONNREFUSED) && start && may_start()) {
        r = evc_client_spawn(path);
        if (r == 0)
            r = connect_to(path);
    }
    if (r < 0)
        return r;
    us.fd = r;
    us.pid = getpid();
    us.number++;
    return 0;
}

int evc_client_connect(bool start)
{
    int r;

    pthread_mutex_lock(&us.lock);
    r = connect_now(start);
    pthread_mutex_unlock(&us.lock);
    return r;
}

/* ---- asking ------------------------------------------------------------- */

/* The daemon is gone, or does not speak as it should. */
static int lost(int r)
{
    forget_connection();
    return r == -EPIPE || r == 0 ? -ECONNRESET : r;
}

static int exchange(struct evc_wire_request *request, int send_fd,
                    struct evc_wire_reply *reply, int *fds, unsigned *n)
{
    uint8_t message[EVC_WIRE_SIZE];
    int r;

    evc_wire_encode_request(request, message);
    r = evc_wire_send(us.fd, message, &send_fd, send_fd >= 0, 0);
    if (r < 0)
        return lost(r);
    if (request->op == EVC_WIRE_KICK)
        return 0;
    r = evc_wire_receive(us.fd, message, fds, n, 0);
    if (r <= 0)
        return lost(r);
    r = evc_wire_decode_reply(message, (size_t)r, *n, reply);
    return r < 0 ? lost(r) : reply->result;
}

static void shut(int *fds, unsigned from, unsigned n)
{
    for (unsigned i = from; i < n; i++)
        close(fds[i]);
}

/* The daemon knows the handle by its descriptor, whoever asks. */
static int join(struct evc_client *client)
{
    struct evc_wire_request request = {.op = EVC_WIRE_JOIN};
    struct evc_wire_reply reply;
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    if (client->connection == us.number)
        return 0;
    if (client->fd < 0)
        return -EBADF; /* closed; somebody else may have it */
    r = exchange(&request, client->fd, &reply, fds, &n);
    shut(fds, 0, n);
    if (r == 0 && reply.handle != client->id)
        r = -ESTALE;
    if (r == 0)
        client->connection = us.number;
    return r == -ENOTTY || r == -ESTALE ? -ECONNRESET : r;
}

int evc_client_call_fd(struct evc_client *client,
                       struct evc_wire_request *request,
                       struct evc_wire_reply *reply, int *fd)
{
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    pthread_mutex_lock(&us.lock);
    r = connect_now(false);
    if (r == 0 && client != NULL)
        r = join(client);
    if (client != NULL)
        request->handle = client->id;
    if (r == 0)
        r = exchange(request, -1, reply, fds, &n);
    pthread_mutex_unlock(&us.lock);
    /* Whose daemon has gone learns that, not that there is no new one. */
    if (client != NULL && (r == -ENOENT || r == -ECONNREFUSED))
        r = client->connection != 0 && us.fd < 0 ? -ECONNRESET : r;
    if (fd != NULL)
        *fd = n > 0 ? fds[0] : -1;
    shut(fds, fd != NULL, n);
    return r;
}

int evc_client_call(struct evc_client *client, struct evc_wire_request *request,
                    struct evc_wire_reply *reply)
{
    return evc_client_call_fd(client, request, reply, NULL);
}

/* ---- open, join --------------------------------------------------------- */

/* These two hand over descriptors of their own kind (handle.c). */
int evc_client_introduce(struct evc_wire_request *request, int send_fd,
                         bool start, struct evc_wire_reply *reply, int *fds,
                         unsigned *n, uint64_t *connection)
{
    int r;

    pthread_mutex_lock(&us.lock);
    r = connect_now(start);
    if (r == 0)
        r = exchange(request, send_fd, reply, fds, n);
    if (r == -ECONNRESET && start) { /* it was about to end */
        r = connect_now(start);
        if (r == 0)
            r = exchange(request, send_fd, reply, fds, n);
    }
    *connection = us.number;
    pthread_mutex_unlock(&us.lock);
    return r;
}
