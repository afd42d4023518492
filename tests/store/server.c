/* SPDX-License-Identifier: MIT */
/* A store that listens at a socket: server.h. */
#include "server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store.h"

#define CONNECTIONS 4u

static void listen_somewhere(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *server = (struct server){.folder = "/tmp/evc-store-XXXXXX"};
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->path, sizeof(server->path), "%s/socket", server->folder);
    strcpy(address.sun_path, server->path);
    server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listening >= 0);
    assert_int_equal(
        bind(server->listening, (struct sockaddr *)&address, sizeof(address)),
        0);
    assert_int_equal(listen(server->listening, 8), 0);
}

static void forget(struct server *server)
{
    close(server->listening);
    unlink(server->path);
    rmdir(server->folder);
}

/* ---- a store of ours ---------------------------------------------------------- */

struct client {
    int fd;
    struct evc_store_conn *conn;
    uint8_t bytes[4096];
    size_t size; /* read, and not taken yet */
};

static bool give(struct client *c)
{
    char bytes[4096];
    size_t n;

    while ((n = evc_store_output(c->conn, bytes, sizeof(bytes))) > 0)
        if (write(c->fd, bytes, n) != (ssize_t)n)
            return false;
    return true;
}

static bool take(struct client *c)
{
    ssize_t n = read(c->fd, c->bytes, sizeof(c->bytes));

    if (n <= 0)
        return false;
    for (c->size = (size_t)n; c->size > 0;) {
        int taken = give(c) ? evc_store_input(c->conn, c->bytes, c->size) : -1;

        if (taken < 0)
            return false;
        c->size -= (size_t)taken;
        memmove(c->bytes, c->bytes + taken, c->size);
    }
    return true;
}

static void accept_one(struct evc_store *store, int listening,
                       struct client clients[CONNECTIONS])
{
    int fd = accept(listening, NULL, NULL);

    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (clients[i].fd < 0) {
            clients[i].fd = fd;
            if (evc_store_connect(store, 0, NULL, NULL, &clients[i].conn) < 0)
                _exit(1);
            return;
        }
    close(fd);
}

static void hang_up(struct client *c)
{
    evc_store_disconnect(c->conn);
    close(c->fd);
    c->fd = -1;
}

static _Noreturn void serve(int listening)
{
    struct client clients[CONNECTIONS];
    struct pollfd polls[CONNECTIONS + 1];
    struct evc_store *store;

    if (evc_store_create(&store) < 0)
        _exit(1);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        clients[i] = (struct client){.fd = -1};
    for (;;) {
        for (unsigned i = 0; i < CONNECTIONS; i++)
            polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        polls[CONNECTIONS] = (struct pollfd){.fd = listening, .events = POLLIN};
        if (poll(polls, CONNECTIONS + 1, -1) < 0 && errno != EINTR)
            _exit(1);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            if (polls[i].revents != 0 && !take(&clients[i]))
                hang_up(&clients[i]);
        if (polls[CONNECTIONS].revents != 0)
            accept_one(store, listening, clients);
        for (unsigned i = 0; i < CONNECTIONS; i++) /* events of each other */
            if (clients[i].fd >= 0)
                (void)give(&clients[i]);
    }
}

void server_start(struct server *server)
{
    pid_t parent = getpid();

    listen_somewhere(server);
    fflush(NULL);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (getppid() == parent)
        serve(server->listening);
    _exit(1);
}

void server_stop(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    forget(server);
}

/* ---- one that answers as it is told --------------------------------------------- */

static void read_question(int fd, struct evc_xs_header *header)
{
    char payload[EVC_XS_PAYLOAD];

    if (recv(fd, header, sizeof(*header), MSG_WAITALL) != sizeof(*header))
        header->len = 0;
    else if (header->len > 0)
        (void)!recv(fd, payload, header->len, MSG_WAITALL);
}

static void *answer(void *data)
{
    const struct server *server = data;
    int fd = accept(server->listening, NULL, NULL);
    struct evc_xs_header header;
    struct {
        struct evc_xs_header header;
        char perms[3];
    } first = {.perms = "n0"};

    read_question(fd, &header);
    first.header = header;
    first.header.len = sizeof(first.perms);
    (void)!write(fd, &first, sizeof(header) + sizeof(first.perms));
    read_question(fd, &header);
    if (server->size > 0)
        (void)!write(fd, server->answer, server->size);
    close(fd);
    return NULL;
}

void server_start_scripted(struct server *server, const void *bytes,
                           size_t size)
{
    listen_somewhere(server);
    server->answer = bytes;
    server->size = size;
    assert_int_equal(pthread_create(&server->thread, NULL, answer, server), 0);
}

void server_stop_scripted(struct server *server)
{
    pthread_join(server->thread, NULL);
    forget(server);
}
