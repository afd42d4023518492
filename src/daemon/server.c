/* SPDX-License-Identifier: MIT */
/*
 * The event loop: connections come, ask, and go.
 *
 * One message is served at a time of each connection, so that none can keep the
 * others waiting; who does not read its answers is cut off.  Handles that hung up
 * come before requests: what a process did before another one heard of it is done.
 */
#include "daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static bool to_syslog;

void evc_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (to_syslog) {
        vsyslog(LOG_NOTICE, format, args);
    } else {
        fputs("evcd: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    va_end(args);
}

/* ---- connections -------------------------------------------------------- */

static void conn_close(struct evc_conn *conn)
{
    struct evc_daemon *daemon = conn->daemon;
    struct evc_member *member;

    while ((member = LIST_FIRST(&conn->members)) != NULL) {
        struct evc_owner *owner = member->owner;

        evc_member_drop(member);
        evc_wake_repair(owner);
    }
    LIST_REMOVE(conn, next);
    event_free(conn->readable);
    close(conn->fd);
    free(conn);
    evc_daemon_idle(daemon);
}

static int answer(struct evc_conn *conn, const struct evc_wire_request *request,
                  int fd)
{
    struct evc_wire_reply reply = {0};
    uint8_t message[EVC_WIRE_SIZE];
    int fds[EVC_WIRE_FDS], theirs, r = 0;
    unsigned n;

    if (evc_request(conn, request, fd, &reply, fds, &n, &theirs)) {
        evc_wire_encode_reply(&reply, message);
        r = evc_wire_send(conn->fd, message, fds, n, MSG_DONTWAIT);
    }
    if (theirs >= 0)
        close(theirs);
    return r;
}

static void on_message(int fd, short what, void *arg)
{
    struct evc_conn *conn = arg;
    struct evc_wire_request request;
    uint8_t message[EVC_WIRE_SIZE];
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    (void)what;
    r = evc_wire_receive(fd, message, fds, &n, MSG_DONTWAIT);
    if (r == -EAGAIN)
        return;
    if (r > 0) {
        r = evc_wire_decode_request(message, (size_t)r, n, &request);
        if (r == 0)
            r = answer(conn, &request, n > 0 ? fds[0] : -1);
        for (unsigned i = 0; i < n; i++)
            close(fds[i]);
        if (r == 0)
            return;
        if (r != -EPIPE)
            evc_log("process %d is cut off: %s", (int)conn->pid, strerror(-r));
    }
    conn_close(conn);
}

static int conn_create(struct evc_daemon *daemon, int fd)
{
    struct evc_conn *conn;
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (!evc_rules_allow(&daemon->settings->join, peer.uid, peer.gid))
        return -EACCES;
    conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return -ENOMEM;
    *conn = (struct evc_conn){.daemon = daemon,
                              .fd = fd,
                              .uid = peer.uid,
                              .gid = peer.gid,
                              .pid = peer.pid};
    conn->readable =
        event_new(daemon->base, fd, EV_READ | EV_PERSIST, on_message, conn);
    if (conn->readable == NULL || event_add(conn->readable, NULL) < 0) {
        if (conn->readable != NULL)
            event_free(conn->readable);
        free(conn);
        return -ENOMEM;
    }
    LIST_INSERT_HEAD(&daemon->conns, conn, next);
    evc_daemon_idle(daemon);
    return 0;
}

static void listen_again(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_add(arg, NULL);
}

/* Out of descriptors: those who wait get in when others have left. */
static void pause_listening(struct evc_daemon *daemon)
{
    static const struct timeval moment = {.tv_usec = 100000};

    if (event_base_once(daemon->base, -1, EV_TIMEOUT, listen_again,
                        daemon->listening, &moment) == 0)
        event_del(daemon->listening);
}

static void on_connect(int fd, short what, void *arg)
{
    struct evc_daemon *daemon = arg;
    int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

    (void)what;
    if (conn < 0) {
        if (errno == EMFILE || errno == ENFILE)
            pause_listening(daemon);
        return;
    }
    r = conn_create(daemon, conn);
    if (r < 0)
        close(conn);
}

/* ---- the end ------------------------------------------------------------ */

static void on_idle(int fd, short what, void *arg)
{
    struct evc_daemon *daemon = arg;

    (void)fd;
    (void)what;
    if (LIST_EMPTY(&daemon->conns) && LIST_EMPTY(&daemon->owners))
        event_base_loopbreak(daemon->base);
}

void evc_daemon_idle(struct evc_daemon *daemon)
{
    struct timeval linger = {.tv_sec = daemon->settings->linger};

    if (!daemon->settings->autostarted || daemon->idle == NULL)
        return;
    if (LIST_EMPTY(&daemon->conns) && LIST_EMPTY(&daemon->owners))
        event_add(daemon->idle, &linger);
    else
        event_del(daemon->idle);
}

static void on_signal(int sig, short what, void *arg)
{
    struct evc_daemon *daemon = arg;

    (void)what;
    evc_log("ends: %s", strsignal(sig));
    event_base_loopbreak(daemon->base);
}

/* ---- the socket --------------------------------------------------------- */

static bool is_activated(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

    return pid != NULL && fds != NULL && atol(pid) == (long)getpid() &&
           atol(fds) >= 1;
}

/* Whoever else may come has to get at the socket. */
static bool is_for_all(const struct evc_settings *settings)
{
    return settings->join.n != 0;
}

static int make_folder(const struct evc_settings *settings)
{
    char path[EVC_PATH_MAX], *slash;
    struct stat about;

    memcpy(path, settings->socket, sizeof(path));
    slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return 0;
    *slash = 0;
    if (mkdir(path, is_for_all(settings) ? 0755 : 0700) < 0 && errno != EEXIST)
        return -errno;
    /* In /tmp somebody else may have made it, for us to fall into. */
    if (lstat(path, &about) < 0)
        return -errno;
    if (strncmp(path, "/tmp/evc-", 9) == 0 &&
        (!S_ISDIR(about.st_mode) || about.st_uid != geteuid()))
        return -EPERM;
    return 0;
}

static bool answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool does = fd >= 0 && connect(fd, (const struct sockaddr *)address,
                                   sizeof(*address)) == 0;

    if (fd >= 0)
        close(fd);
    return does;
}

#define PATIENCE \
    500u /* times 10 ms, for another daemon that is just starting */

/*
 * The lock, or -EALREADY: another daemon has it.  One that was autostarted waits
 * until that one answers, for its caller is going to connect.
 */
static int take_lock(struct evc_daemon *daemon,
                     const struct sockaddr_un *address)
{
    char path[EVC_PATH_MAX + 8];

    snprintf(path, sizeof(path), "%s.lock", daemon->settings->socket);
    daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock < 0)
        return -errno;
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (flock(daemon->lock, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (!daemon->settings->autostarted || answers(address))
            break;
        usleep(10000);
    }
    return -EALREADY;
}

static int listen_at(struct evc_daemon *daemon)
{
    const struct evc_settings *settings = daemon->settings;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r = make_folder(settings);

    if (r < 0)
        return r;
    memcpy(address.sun_path, settings->socket, sizeof(address.sun_path));
    r = take_lock(daemon, &address);
    if (r < 0)
        return r;
    unlink(settings->socket); /* nobody has the lock: nobody listens there */
    daemon->socket =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (daemon->socket < 0 ||
        bind(daemon->socket, (struct sockaddr *)&address, sizeof(address)) <
            0 ||
        chmod(settings->socket, is_for_all(settings) ? 0666 : 0600) < 0 ||
        listen(daemon->socket, SOMAXCONN) < 0)
        return -errno;
    return 0;
}

#define GIVEN 3 /* the first descriptor of those that LISTEN_FDS counts */

static int option_of_given(int option)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(GIVEN, SOL_SOCKET, option, &value, &size) < 0 ? -errno
                                                                    : value;
}

static int check_given(void)
{
    int domain = option_of_given(SO_DOMAIN);

    if (domain < 0)
        return domain;
    if (domain != AF_UNIX || option_of_given(SO_TYPE) != SOCK_SEQPACKET)
        return -EPROTOTYPE;
    return option_of_given(SO_ACCEPTCONN) == 1 ? 0 : -EINVAL;
}

/* In messages: its path, or what it should have been. */
static void name_given(struct evc_settings *settings, bool good)
{
    struct sockaddr_un at = {0};
    socklen_t size = sizeof(at) - 1;

    if (good && getsockname(GIVEN, (struct sockaddr *)&at, &size) == 0 &&
        at.sun_path[0] != 0)
        memcpy(settings->socket, at.sun_path, sizeof(at.sun_path));
    else
        snprintf(settings->socket, sizeof(settings->socket),
                 "descriptor %d of LISTEN_FDS, a listening Unix socket of "
                 "type SOCK_SEQPACKET",
                 GIVEN);
}

static int listen_at_given(struct evc_daemon *daemon)
{
    int r = check_given();

    name_given(daemon->settings, r == 0);
    if (r < 0)
        return r;
    daemon->socket = GIVEN;
    if (fcntl(GIVEN, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(GIVEN, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static int start_listening(struct evc_daemon *daemon)
{
    return is_activated() ? listen_at_given(daemon) : listen_at(daemon);
}

/* The path goes before the lock, so that the next daemon finds it free. */
static void stop_listening(struct evc_daemon *daemon)
{
    if (daemon->lock >= 0 && daemon->socket >= 0)
        unlink(daemon->settings->socket);
    if (daemon->socket >= 0)
        close(daemon->socket);
    if (daemon->lock >= 0)
        close(daemon->lock);
}

/* ---- running ------------------------------------------------------------ */

/* The parent's exit says: it listens. */
static void go_into_background(void)
{
    pid_t child = fork();

    if (child > 0)
        _exit(0);
    openlog("evcd", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

static void allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int make_events(struct evc_daemon *daemon)
{
    static const int signals[] = {SIGTERM, SIGINT};

    daemon->base = event_base_new();
    if (daemon->base == NULL || event_base_priority_init(daemon->base, 2) < 0)
        return -ENOMEM;
    daemon->idle = evtimer_new(daemon->base, on_idle, daemon);
    daemon->listening = event_new(daemon->base, daemon->socket,
                                  EV_READ | EV_PERSIST, on_connect, daemon);
    if (daemon->idle == NULL || daemon->listening == NULL ||
        event_add(daemon->listening, NULL) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < 2; i++) {
        daemon->stop[i] =
            evsignal_new(daemon->base, signals[i], on_signal, daemon);
        if (daemon->stop[i] == NULL || event_add(daemon->stop[i], NULL) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void free_events(struct evc_daemon *daemon)
{
    struct event *all[] = {daemon->idle, daemon->listening, daemon->stop[0],
                           daemon->stop[1]};

    daemon->idle = NULL;
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] != NULL)
            event_free(all[i]);
    if (daemon->base != NULL)
        event_base_free(daemon->base);
    libevent_global_shutdown();
}

static void finish(struct evc_daemon *daemon)
{
    stop_listening(daemon);
    daemon->settings->autostarted = false;
    while (LIST_FIRST(&daemon->conns) != NULL)
        conn_close(LIST_FIRST(&daemon->conns));
    while (LIST_FIRST(&daemon->owners) != NULL)
        evc_owner_close(LIST_FIRST(&daemon->owners));
    free_events(daemon);
    if (daemon->engine != NULL)
        evc_doms_finish(daemon);
}

static int start(struct evc_daemon *daemon)
{
    int r;

    allow_many_descriptors();
    signal(SIGPIPE, SIG_IGN);
    r = start_listening(daemon);
    if (r < 0)
        return r;
    if (daemon->settings->autostarted)
        go_into_background();
    r = make_events(daemon);
    if (r == 0)
        r = evc_doms_init(daemon);
    return r;
}

int evc_daemon_run(struct evc_settings *settings)
{
    struct evc_daemon daemon = {.settings = settings, .socket = -1, .lock = -1};
    int r = start(&daemon);

    if (r == -EALREADY) {
        if (!settings->autostarted)
            evc_log("another evcd serves %s already", settings->socket);
        close(daemon.lock);
        return settings->autostarted ? 0 : 1;
    }
    if (r < 0) {
        evc_log("%s: %s", settings->socket, strerror(-r));
        finish(&daemon);
        return 1;
    }
    evc_log("listens at %s", settings->socket);
    evc_daemon_idle(&daemon);
    event_base_dispatch(daemon.base);
    finish(&daemon);
    return 0;
}
