/* SPDX-License-Identifier: MIT */
/*
 * Asking the daemon, beside a bare question and answer between two processes:
 * an echo that does nothing else.  Daemon and echo are on the receiver's CPU,
 * where there is one, and we wait asleep for both.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "drop.h"
#include "xenevtchn.h"

#define ONE   (1u << EVC_PLACE_ONE)
#define DOM   0u
#define PORTS 16u
#define BYTES 32 /* of a question, and of an answer */

/* Two handles, channels from the first to the second. */
struct pair {
    const struct evc_xenevtchn *lib;
    struct xenevtchn_handle *from, *to;
    uint32_t port[PORTS]; /* of `from` */
};

struct evc_drop {
    struct pair pair;
    int socket, eventfd;
    pid_t echo;
};

/* ---- the pair ------------------------------------------------------------ */

static void close_pair(struct pair *pair)
{
    if (pair->from)
        pair->lib->close(pair->from);
    if (pair->to)
        pair->lib->close(pair->to);
}

static int open_pair(struct pair *pair)
{
    const char *why;

    pair->lib = evc_xenevtchn(&why);
    if (!pair->lib)
        return -ENOENT;
    pair->from = pair->lib->open(NULL, 0);
    pair->to = pair->from ? pair->lib->open(NULL, 0) : NULL;
    if (!pair->to)
        return -errno;
    for (unsigned i = 0; i < PORTS; i++) {
        int to = pair->lib->bind_unbound(pair->to, DOM), from;

        if (to < 0)
            return -errno;
        from = pair->lib->bind_interdomain(pair->from, DOM, (uint32_t)to);
        if (from < 0)
            return -errno;
        pair->port[i] = (uint32_t)from;
    }
    return 0;
}

/* Take the next event, for which it may wait. */
static int take(struct pair *pair)
{
    int port = pair->lib->pending(pair->to);

    if (port < 0)
        return -errno;
    return pair->lib->unmask(pair->to, (uint32_t)port) < 0 ? -errno : 0;
}

static int notify(struct pair *pair, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        if (pair->lib->notify(pair->from, pair->port[i]) < 0)
            return -errno;
    return 0;
}

/* One has been taken, and others wait: the receiver is awake. */
static int be_busy(struct pair *pair)
{
    int r = notify(pair, 0, PORTS);

    return r < 0 ? r : take(pair);
}

/* ---- the echo ------------------------------------------------------------ */

static void answer(int fd)
{
    char bytes[BYTES];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
            break;
    _exit(0);
}

static int start_echo(struct evc_drop *drop, const struct evc_machine *machine)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return -errno;
    fflush(NULL);
    drop->echo = fork();
    if (drop->echo == 0) {
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (machine->cpus > 1)
            evc_machine_enter(machine, machine->receiver);
        answer(fds[1]);
    }
    close(fds[1]);
    drop->socket = fds[0];
    return drop->echo < 0 ? -errno : 0;
}

/* ---- open, close --------------------------------------------------------- */

int evc_drop_open(const struct evc_machine *machine, struct evc_drop **out)
{
    struct evc_drop *drop = calloc(1, sizeof(*drop));
    int r;

    if (!drop)
        return -ENOMEM;
    drop->socket = -1;
    drop->eventfd = eventfd(0, EFD_CLOEXEC);
    r = drop->eventfd < 0 ? -errno : start_echo(drop, machine);
    if (r == 0)
        r = evc_daemon_start(machine);
    if (r < 0) {
        evc_drop_close(drop);
        return r;
    }
    r = open_pair(&drop->pair);
    if (r < 0)
        evc_drop_close(drop);
    else
        *out = drop;
    return r;
}

void evc_drop_close(struct evc_drop *drop)
{
    if (!drop)
        return;
    if (drop->pair.lib)
        close_pair(&drop->pair);
    evc_daemon_stop();
    if (drop->socket >= 0)
        close(drop->socket);
    if (drop->eventfd >= 0)
        close(drop->eventfd);
    if (drop->echo > 0)
        waitpid(drop->echo, NULL, 0); /* its socket has no other end now */
    free(drop);
}

/* ---- asking -------------------------------------------------------------- */

static int ask_echo(void *subject, const struct evc_cell *cell, uint64_t reps,
                    struct evc_sample *sample)
{
    struct evc_drop *drop = subject;
    double begin = evc_now_ns();
    char bytes[BYTES] = {0};

    (void)cell;
    for (uint64_t i = 0; i < reps; i++)
        if (send(drop->socket, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0 ||
            recv(drop->socket, bytes, sizeof(bytes), 0) != sizeof(bytes))
            return -errno;
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    return 0;
}

/* What each of the steps of a channel's life took. */
struct life {
    double alloc, bind, unbind;
};

static int live(struct pair *pair, struct life *life)
{
    double t[4] = {evc_now_ns()};
    int to, from;

    to = pair->lib->bind_unbound(pair->to, DOM);
    t[1] = evc_now_ns();
    if (to < 0)
        return -errno;
    from = pair->lib->bind_interdomain(pair->from, DOM, (uint32_t)to);
    t[2] = evc_now_ns();
    if (from < 0 || pair->lib->unbind(pair->from, (uint32_t)from) < 0)
        return -errno;
    t[3] = evc_now_ns();
    life->alloc += t[1] - t[0];
    life->bind += t[2] - t[1];
    life->unbind += t[3] - t[2];
    return pair->lib->unbind(pair->to, (uint32_t)to) < 0 ? -errno : 0;
}

static int live_often(struct evc_drop *drop, uint64_t reps, struct life *life)
{
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < reps; i++)
        r = live(&drop->pair, life);
    return r;
}

#define STEP(step)                                                    \
    static int ask_##step(void *subject, const struct evc_cell *cell, \
                          uint64_t reps, struct evc_sample *sample)   \
    {                                                                 \
        struct life life = {0};                                       \
        int r = live_often(subject, reps, &life);                     \
                                                                      \
        (void)cell;                                                   \
        *sample = (struct evc_sample){life.step, reps};               \
        return r;                                                     \
    }

STEP(alloc)
STEP(bind)
STEP(unbind)

/* ---- notifying ----------------------------------------------------------- */

static int notify_awake(void *subject, const struct evc_cell *cell,
                        uint64_t reps, struct evc_sample *sample)
{
    struct evc_drop *drop = subject;
    struct pair *pair = &drop->pair;
    double begin;
    int r = be_busy(pair);

    (void)cell;
    begin = evc_now_ns();
    for (uint64_t i = 0; r == 0 && i < reps; i++)
        r = notify(pair, 1, 2);
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    for (unsigned i = 1; r == 0 && i < PORTS; i++)
        r = take(pair);
    return r;
}

static int write_eventfd(void *subject, const struct evc_cell *cell,
                         uint64_t reps, struct evc_sample *sample)
{
    static const uint64_t one = 1;
    struct evc_drop *drop = subject;
    double begin = evc_now_ns();

    (void)cell;
    for (uint64_t i = 0; i < reps; i++)
        if (write(drop->eventfd, &one, sizeof(one)) < 0)
            return -errno;
    sample->ns = evc_now_ns() - begin;
    sample->events = reps;
    return 0;
}

/* ---- counting ------------------------------------------------------------ */

static int count_notify(void *data)
{
    struct pair pair = {0};
    int r = open_pair(&pair);

    (void)data;
    if (r == 0)
        r = be_busy(&pair);
    evc_calls_mark();
    if (r == 0)
        r = notify(&pair, 1, PORTS);
    evc_calls_mark();
    return r;
}

/* All but the last, after which there is nothing more. */
static int count_take(void *data)
{
    struct pair pair = {0};
    int r = open_pair(&pair);

    (void)data;
    if (r == 0)
        r = be_busy(&pair);
    evc_calls_mark();
    for (unsigned i = 2; r == 0 && i < PORTS; i++)
        r = take(&pair);
    evc_calls_mark();
    return r;
}

static int calls_notify(void *subject, const struct evc_cell *cell,
                        uint64_t reps, struct evc_sample *sample)
{
    (void)cell;
    (void)reps;
    *sample =
        (struct evc_sample){evc_calls_of(count_notify, subject), PORTS - 1};
    return 0;
}

static int calls_take(void *subject, const struct evc_cell *cell, uint64_t reps,
                      struct evc_sample *sample)
{
    (void)cell;
    (void)reps;
    *sample = (struct evc_sample){evc_calls_of(count_take, subject), PORTS - 2};
    return 0;
}

/* ---- the list ------------------------------------------------------------ */

const struct evc_case evc_drop_cases[] = {
    {"ask-echo", "a bare question and answer between processes", "ns", ONE, 0,
     20, 0, ask_echo},
    {"ask-alloc", "the daemon: xenevtchn_bind_unbound_port", "ns", ONE, 0, 20,
     0, ask_alloc},
    {"ask-bind", "the daemon: xenevtchn_bind_interdomain", "ns", ONE, 0, 20, 0,
     ask_bind},
    {"ask-unbind", "the daemon: xenevtchn_unbind", "ns", ONE, 0, 20, 0,
     ask_unbind},
    {"xen-notify", "xenevtchn_notify, receiver awake", "ns", ONE, 0, 0, 0,
     notify_awake},
    {"write", "a write to an eventfd", "ns", ONE, 0, 0, 0, write_eventfd},
    {"calls-notify", "system calls of xenevtchn_notify, receiver awake",
     "calls", ONE, 0, 1, 1, calls_notify},
    {"calls-take", "... of xenevtchn_pending and _unmask, more queued", "calls",
     ONE, 0, 1, 1, calls_take},
    {0},
};
