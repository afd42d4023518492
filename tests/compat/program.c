/* SPDX-License-Identifier: MIT */
/*
 * A program for libxenevtchn that does one thing, as its first argument says.
 * Exit 0: as it should be; else it has said what is wrong.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>

#define CHECK(what)                                                        \
    do {                                                                   \
        if (!(what)) {                                                     \
            printf("line %d: %s: %s\n", __LINE__, #what,                   \
                   strerrorname_np(errno) ? strerrorname_np(errno) : "0"); \
            exit(1);                                                       \
        }                                                                  \
    } while (0)

#define PATIENCE 60000 /* ms */

static xenevtchn_handle *open_one(void)
{
    xenevtchn_handle *h = xenevtchn_open(NULL, 0);

    CHECK(h != NULL);
    return h;
}

static int next(xenevtchn_handle *h)
{
    struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

    if (poll(&p, 1, PATIENCE) != 1)
        return 0;
    return xenevtchn_pending(h);
}

/* Open, and say so; then close when there is a line to read. */
static void hold(void)
{
    xenevtchn_handle *h = open_one();

    CHECK(xenevtchn_bind_unbound_port(h, 0) > 0);
    puts("holds");
    fflush(stdout);
    (void)getchar();
    CHECK(xenevtchn_close(h) == 0);
}

/* What a first call to open says. */
static void try_open(void)
{
    xenevtchn_handle *h = xenevtchn_open(NULL, 0);

    puts(h != NULL ? "opened" : strerrorname_np(errno));
}

/* ---- many --------------------------------------------------------------- */

static void allow_many(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void handles(int n)
{
    xenevtchn_handle *center = open_one();
    xenevtchn_handle **h = calloc((size_t)n, sizeof(*h));
    int *mine = calloc((size_t)n, sizeof(int));
    int *theirs = calloc((size_t)n, sizeof(int));

    CHECK(h && mine && theirs);
    for (int i = 0; i < n; i++) {
        h[i] = open_one();
        CHECK((mine[i] = xenevtchn_bind_unbound_port(center, 0)) > 0);
        CHECK((theirs[i] = xenevtchn_bind_interdomain(
                   h[i], 0, (evtchn_port_t)mine[i])) > 0);
        CHECK(next(h[i]) == theirs[i]);
        CHECK(xenevtchn_unmask(h[i], (evtchn_port_t)theirs[i]) == 0);
    }
    for (int i = n; i-- > 0;)
        CHECK(xenevtchn_notify(h[i], (evtchn_port_t)theirs[i]) == 0);
    for (int i = n; i-- > 0;) /* in the order in which they were sent */
        CHECK(next(center) == mine[i]);
    for (int i = 0; i < n; i++) {
        CHECK(xenevtchn_notify(center, (evtchn_port_t)mine[i]) == 0);
        CHECK(next(h[i]) == theirs[i]);
    }
    for (int i = 0; i < n; i++)
        CHECK(xenevtchn_close(h[i]) == 0);
    CHECK(xenevtchn_close(center) == 0);
    free(h), free(mine), free(theirs);
}

static void ports(int n)
{
    xenevtchn_handle *a = open_one(), *b = open_one();
    struct pollfd p = {.fd = xenevtchn_fd(b), .events = POLLIN};
    int *of_a = calloc((size_t)n, sizeof(int));
    int *of_b = calloc((size_t)n, sizeof(int));

    for (int i = 0; i < n; i++) {
        CHECK((of_a[i] = xenevtchn_bind_unbound_port(a, 0)) > 0);
        CHECK((of_b[i] = xenevtchn_bind_interdomain(
                   b, 0, (evtchn_port_t)of_a[i])) > 0);
    }
    for (int i = 0; i < n; i++) { /* the first event of each */
        CHECK(next(b) == of_b[i]);
        CHECK(xenevtchn_unmask(b, (evtchn_port_t)of_b[i]) == 0);
    }
    CHECK(poll(&p, 1, 0) == 0);
    for (int i = 0; i < n; i++)
        CHECK(xenevtchn_notify(a, (evtchn_port_t)of_a[i]) == 0);
    for (int i = 0; i < n; i++)
        CHECK(next(b) == of_b[i]);
    CHECK(poll(&p, 1, 0) == 0);
    for (int i = 0; i < n; i += 2)
        CHECK(xenevtchn_unbind(b, (evtchn_port_t)of_b[i]) == 0);
    CHECK(xenevtchn_notify(a, (evtchn_port_t)of_a[1]) == 0);
    CHECK(xenevtchn_unmask(b, (evtchn_port_t)of_b[1]) == 0);
    CHECK(next(b) == of_b[1]);
    CHECK(xenevtchn_close(a) == 0 && xenevtchn_close(b) == 0);
    free(of_a), free(of_b);
}

/* ---- two processes that play ping-pong ---------------------------------- */

static void play(xenevtchn_handle *h, int port, int rounds, int first)
{
    for (int i = 0; i < rounds; i++) {
        if (first)
            CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
        CHECK(next(h) == port);
        CHECK(xenevtchn_unmask(h, (evtchn_port_t)port) == 0);
        if (!first)
            CHECK(xenevtchn_notify(h, (evtchn_port_t)port) == 0);
    }
}

static void ping_pong(int rounds)
{
    xenevtchn_handle *h = open_one();
    int port = xenevtchn_bind_unbound_port(h, 0), status;
    pid_t child = fork();

    CHECK(port > 0);
    if (child == 0) {
        xenevtchn_handle *c = open_one();
        int mine = xenevtchn_bind_interdomain(c, 0, (evtchn_port_t)port);

        CHECK(mine > 0 && next(c) == mine);
        CHECK(xenevtchn_unmask(c, (evtchn_port_t)mine) == 0);
        CHECK(xenevtchn_notify(c, (evtchn_port_t)mine) == 0);
        play(c, mine, rounds, 0);
        exit(0);
    }
    CHECK(next(h) == port); /* it is there */
    CHECK(xenevtchn_unmask(h, (evtchn_port_t)port) == 0);
    play(h, port, rounds, 1);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(xenevtchn_close(h) == 0);
}

/* ---- garbage ------------------------------------------------------------ */

static uint32_t dice;

static uint32_t roll(uint32_t n)
{
    dice = dice * 1664525 + 1013904223;
    return (dice >> 8) % n;
}

static int connect_raw(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

    strncpy(to.sun_path, getenv("EVC_SOCKET"), sizeof(to.sun_path) - 1);
    while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        CHECK(errno == EAGAIN && usleep(1000) == 0);
    return fd;
}

/* A message that is nearly right, or not at all, with descriptors or without. */
static void send_garbage(int fd)
{
    unsigned char bytes[256] = {'e', 'v', 'c', '1'};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control = {0};
    struct iovec io = {.iov_base = bytes, .iov_len = 64};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    struct cmsghdr *c;
    int fds[4] = {fd, 0, fd, 0};

    bytes[4] = (unsigned char)roll(18);
    for (unsigned i = roll(6); i > 0; i--)
        bytes[8 + roll(i == 5 ? 56 : 20)] = (unsigned char)roll(256);
    if (roll(3) == 0)
        bytes[24] = (unsigned char)roll(8); /* a handle that may exist */
    if (roll(10) == 0)
        io.iov_len = roll(sizeof(bytes));
    if (roll(4) == 0) {
        unsigned n = 1 + roll(4);

        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    (void)sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Any message, any number of them, answers read or not, half closed, closed. */
static void garbage(int rounds)
{
    char answer[64];

    for (int i = 0; i < rounds; i++) {
        int fd = connect_raw();

        for (unsigned n = roll(40); n > 0; n--) {
            send_garbage(fd);
            if (roll(2) == 0)
                (void)recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
        }
        if (roll(4) == 0)
            shutdown(fd, roll(2) ? SHUT_WR : SHUT_RD);
        close(fd);
    }
}

/* A good client that goes bad: its own memory and descriptors get scribbled on. */
static void scribble(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();

        if (child == 0) {
            xenevtchn_handle *h = open_one(), *g = open_one();
            int a = xenevtchn_bind_unbound_port(h, 0);
            int b = xenevtchn_bind_interdomain(g, 0, (evtchn_port_t)a);
            char line[512], name[300], junk[64];
            FILE *maps = fopen("/proc/self/maps", "r");

            CHECK(a > 0 && b > 0 && xenevtchn_notify(g, (evtchn_port_t)b) == 0);
            dice = (uint32_t)(i + getpid());
            (void)name;
            while (fgets(line, sizeof(line), maps)) {
                unsigned long from, to;

                if (!strstr(line, "evc-") ||
                    sscanf(line, "%lx-%lx", &from, &to) != 2)
                    continue;
                if (to - from > 65536)
                    to = from + 65536;
                for (unsigned n = 0; n < 200; n++)
                    ((uint32_t *)from)[roll((uint32_t)(to - from) / 4)] = dice;
            }
            memset(junk, 'x', sizeof(junk));
            for (int n = 0; n < 1000; n++) /* flood its own descriptor */
                (void)send(xenevtchn_fd(h), junk, sizeof(junk),
                           MSG_DONTWAIT | MSG_NOSIGNAL);
            if (i % 3 == 0)
                shutdown(xenevtchn_fd(g), SHUT_WR);
            signal(SIGSEGV, SIG_DFL);
            alarm(2);
            if (i % 2)
                for (int n = 0; n < 50; n++)
                    xenevtchn_notify(h, (evtchn_port_t)a);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

/* ---- the daemon dies ---------------------------------------------------- */

static void survive(void)
{
    xenevtchn_handle *h = open_one(), *g = open_one();
    int a = xenevtchn_bind_unbound_port(h, 0);
    int b = xenevtchn_bind_interdomain(g, 0, (evtchn_port_t)a);
    struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

    CHECK(a > 0 && b > 0);
    puts("ready");
    fflush(stdout);
    CHECK(poll(&p, 1, PATIENCE) == 1 && p.revents & POLLHUP);
    CHECK(xenevtchn_pending(h) == -1 && errno == ECONNRESET);
    CHECK(xenevtchn_bind_unbound_port(h, 0) == -1 && errno == ECONNRESET);
    CHECK(xenevtchn_unbind(h, (evtchn_port_t)a) == -1 && errno == ECONNRESET);
    /* One that was bound and is on its way asks nobody; it must not hang. */
    (void)xenevtchn_notify(g, (evtchn_port_t)b);
    CHECK(xenevtchn_unmask(h, (evtchn_port_t)a) == 0);
    CHECK(xenevtchn_close(h) == 0 && xenevtchn_close(g) == 0);
    CHECK(xenevtchn_open(NULL, 0) == NULL);
    puts("survived");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[2]) : 0;

    alarm(240);
    dice = (uint32_t)getpid();
    if (strcmp(what, "hold") == 0)
        hold();
    else if (strcmp(what, "open") == 0)
        try_open();
    else if (strcmp(what, "handles") == 0)
        allow_many(), handles(n);
    else if (strcmp(what, "ports") == 0)
        ports(n);
    else if (strcmp(what, "ping-pong") == 0)
        ping_pong(n);
    else if (strcmp(what, "garbage") == 0)
        garbage(n);
    else if (strcmp(what, "scribble") == 0)
        scribble(n);
    else if (strcmp(what, "survive") == 0)
        survive();
    else
        return 2;
    return 0;
}
