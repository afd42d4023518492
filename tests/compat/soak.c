/* SPDX-License-Identifier: MIT */
/*
 * A soak: eight processes bind, notify, take, unbind and are killed, at random,
 * through libxenevtchn, for as long as one says.
 *
 *   soak SECONDS
 *
 * What must hold: no event is lost between two ends that live.  Each pair has a
 * ledger in shared memory: a sender writes a number, then notifies; when it stops
 * it asks the receiver to have seen the last one, and waits.  Events merge, so
 * numbers are skipped, but the last one always arrives.
 *
 * In the end it prints what was done, and the daemon's descriptors and memory
 * before and after (EVC_DAEMON_PID says which process that is).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>

#define PROCESSES 8u
#define PORTS     6u
#define PATIENCE  60u /* s, until an event counts as lost */

/* What one process offers, for others to bind to. */
struct offer {
    _Atomic uint32_t port; /* 0: none */
    _Atomic uint32_t sent, seen;
    _Atomic uint32_t life; /* another number for another binding */
};

static struct ledger {
    struct offer offer[PROCESSES][PORTS];
    _Atomic uint64_t binds, notifies, events, kills, settled, gone;
    _Atomic uint32_t lost;
    _Atomic bool stop;
} * ledger;

static uint32_t dice;

static uint32_t roll(uint32_t n)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice % n;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a process ---------------------------------------------------------- */

static unsigned self;
static xenevtchn_handle *h;
static int offered[PORTS]; /* our ports that others may bind to */

/* Bound to somebody's offer. */
static struct bound {
    int port;
    struct offer *to;
    uint32_t life;
} bound[PORTS];

static void offer(unsigned i)
{
    struct offer *o = &ledger->offer[self][i];

    offered[i] = xenevtchn_bind_unbound_port(h, 0);
    if (offered[i] <= 0)
        return;
    o->sent = o->seen = 0;
    (void)atomic_fetch_add(&o->life, 1);
    o->port = (uint32_t)offered[i];
}

static void withdraw(unsigned i)
{
    ledger->offer[self][i].port = 0;
    (void)atomic_fetch_add(&ledger->offer[self][i].life, 1);
    xenevtchn_unbind(h, (evtchn_port_t)offered[i]);
    offered[i] = 0;
}

static void bind_one(struct bound *b)
{
    struct offer *o = &ledger->offer[roll(PROCESSES)][roll(PORTS)];
    uint32_t life = o->life, port = o->port;

    if (port == 0 || b->port > 0)
        return;
    b->port = xenevtchn_bind_interdomain(h, 0, port);
    if (b->port <= 0) {
        b->port = 0;
        return;
    }
    b->to = o;
    b->life = life;
    (void)atomic_fetch_add(&ledger->binds, 1);
}

/* All that waits, for at most so long. */
static void take_events(int ms)
{
    struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

    while (poll(&p, 1, ms) == 1) {
        int port = xenevtchn_pending(h);

        if (port < 0) {
            printf("pending: %s\n", strerror(errno));
            _exit(1);
        }
        xenevtchn_unmask(h, (evtchn_port_t)port);
        (void)atomic_fetch_add(&ledger->events, 1);
        for (unsigned i = 0; i < PORTS; i++)
            if (offered[i] == port)
                ledger->offer[self][i].seen = ledger->offer[self][i].sent;
        ms = 0;
    }
}

/* Is the other end the one that we bound to, and alive? */
static bool lives(const struct bound *b)
{
    return b->to->life == b->life && b->to->port != 0;
}

static void notify(struct bound *b)
{
    if (b->port == 0)
        return;
    (void)atomic_fetch_add(&b->to->sent, 1);
    if (xenevtchn_notify(h, (evtchn_port_t)b->port) < 0) {
        printf("notify: %s\n", strerror(errno));
        _exit(1);
    }
    (void)atomic_fetch_add(&ledger->notifies, 1);
}

/* The last event is seen by whoever is there to see it. */
static void settle(struct bound *b)
{
    double end = now() + PATIENCE;
    uint32_t last;

    if (b->port == 0)
        return;
    notify(b);
    last = b->to->sent;
    while (lives(b) && (int32_t)(b->to->seen - last) < 0) {
        take_events(1);
        if (now() > end) {
            printf("process %u: event %u of port %d was not seen (%u)\n", self,
                   last, b->port, b->to->seen);
            (void)atomic_fetch_add(&ledger->lost, 1);
            return;
        }
    }
    (void)atomic_fetch_add(lives(b) ? &ledger->settled : &ledger->gone, 1);
}

static void unbind(struct bound *b)
{
    if (b->port != 0)
        xenevtchn_unbind(h, (evtchn_port_t)b->port);
    b->port = 0;
}

static void step(void)
{
    unsigned i = roll(PORTS);

    switch (roll(12)) {
    case 0:
        if (offered[i] == 0)
            offer(i);
        else if (roll(4) == 0)
            withdraw(i);
        break;
    case 1:
        settle(&bound[i]);
        unbind(&bound[i]);
        break;
    case 2:
        bind_one(&bound[i]);
        break;
    case 3:
    case 4:
        take_events((int)roll(3));
        break;
    default:
        notify(&bound[i]);
        take_events(0);
    }
}

static void live(unsigned n)
{
    self = n;
    dice = (uint32_t)getpid() * 2654435761u | 1;
    for (unsigned i = 0; i < PORTS; i++) { /* what a dead one left */
        ledger->offer[n][i].port = 0;
        (void)atomic_fetch_add(&ledger->offer[n][i].life, 1);
    }
    h = xenevtchn_open(NULL, 0);
    if (h == NULL) {
        printf("open: %s\n", strerror(errno));
        _exit(1);
    }
    for (unsigned i = 0; i < PORTS; i++)
        offer(i);
    while (!ledger->stop)
        step();
    for (unsigned i = 0; i < PORTS; i++) {
        ledger->offer[n][i].port = 0;
        (void)atomic_fetch_add(&ledger->offer[n][i].life, 1);
    }
    xenevtchn_close(h);
    _exit(0);
}

/* ---- the parent --------------------------------------------------------- */

static pid_t start(unsigned n)
{
    pid_t child = fork();

    if (child == 0)
        live(n);
    return child;
}

static void kill_one(pid_t *child)
{
    unsigned n = roll(PROCESSES);

    kill(child[n], SIGKILL);
    waitpid(child[n], NULL, 0);
    for (unsigned i = 0; i < PORTS; i++) {
        ledger->offer[n][i].port = 0;
        (void)atomic_fetch_add(&ledger->offer[n][i].life, 1);
    }
    (void)atomic_fetch_add(&ledger->kills, 1);
    child[n] = start(n);
}

static void tell_daemon(const char *when)
{
    const char *pid = getenv("EVC_DAEMON_PID");
    char command[200];

    if (pid == NULL || atoi(pid) <= 0)
        return;
    printf("%s: ", when);
    fflush(stdout);
    snprintf(command, sizeof(command),
             "echo $(find /proc/%d/fd -type l | wc -l) descriptors, "
             "$(awk '/VmRSS/ { print $2 }' /proc/%d/status) kB",
             atoi(pid), atoi(pid));
    if (system(command) != 0)
        puts("?");
}

int main(int argc, char **argv)
{
    double end = now() + (argc > 1 ? atof(argv[1]) : 5);
    pid_t child[PROCESSES];
    int status, failed = 0;

    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        return 1;
    dice = (uint32_t)getpid() | 1;
    tell_daemon("before");
    for (unsigned n = 0; n < PROCESSES; n++)
        child[n] = start(n);
    while (now() < end && ledger->lost == 0) {
        usleep(20000 + roll(60000));
        kill_one(child);
    }
    ledger->stop = true;
    for (unsigned n = 0; n < PROCESSES; n++) {
        waitpid(child[n], &status, 0);
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    printf(
        "%llu binds, %llu notifies, %llu events, %llu kills\n",
        (unsigned long long)ledger->binds, (unsigned long long)ledger->notifies,
        (unsigned long long)ledger->events, (unsigned long long)ledger->kills);
    printf("%llu last events seen, %llu whose receiver went first, %u lost\n",
           (unsigned long long)ledger->settled,
           (unsigned long long)ledger->gone, ledger->lost);
    usleep(300000); /* the daemon closes what the last ones had */
    tell_daemon("after");
    return failed || ledger->lost != 0;
}
