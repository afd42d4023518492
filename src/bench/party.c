/* SPDX-License-Identifier: MIT */
/*
 * Orders are given by counting board->order up, and carried out when
 * board->done has the same number.  An idle party spins a little and then sleeps
 * on board->order, so that between samples it costs nobody anything.
 *
 *   here                   there                if it were weaker
 *   ---------------------  -------------------  ------------------------------
 *   B1 store order    rel  B2 load order   acq  an old letter is read
 *   B3 store done     rel  B4 load done    acq  answer and stamp are not there
 */
#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "party.h"

#define SPINS    2000u /* of an idle party, before it sleeps */
#define TOO_LONG 20    /* s; nothing here takes one */

/* What is to be done; written before board->order is. */
struct evc_letter {
    evc_order *run; /* NULL: go */
    uint64_t arg;
};

struct shared {
    struct evc_board board;
    struct evc_letter letter;
};

int evc_patience(struct evc_patience *patience)
{
    evc_relax();
    if (++patience->turns % 4096 != 0)
        return 0;
    if (patience->since == 0)
        patience->since = evc_now_ns();
    return evc_now_ns() - patience->since > TOO_LONG * 1e9 ? -ETIMEDOUT : 0;
}

static volatile sig_atomic_t rang;
static struct sigaction before_alarm;

static void ring(int signal)
{
    (void)signal;
    rang = 1;
}

void evc_alarm_set(void)
{
    const struct sigaction action = {.sa_handler = ring}; /* no SA_RESTART */

    rang = 0;
    sigaction(SIGALRM, &action, &before_alarm);
    alarm(TOO_LONG);
}

void evc_alarm_clear(void)
{
    alarm(0);
    sigaction(SIGALRM, &before_alarm, NULL);
}

bool evc_alarm_rang(void)
{
    return rang;
}

/* ---- the party's own side ------------------------------------------------ */

static uint32_t await_order(struct evc_board *board, uint32_t last)
{
    uint32_t order;

    for (unsigned spins = 0;; spins++) {
        order = atomic_load_explicit(&board->order, memory_order_acquire);
        if (order != last) /* B2, pairs with B1 */
            return order;
        if (spins < SPINS)
            evc_relax();
        else
            syscall(SYS_futex, &board->order, FUTEX_WAIT, last, NULL, NULL, 0);
    }
}

static void serve(struct evc_party *party)
{
    struct evc_board *board = party->board;
    uint32_t order = 0;

    evc_machine_enter(party->machine, party->machine->receiver);
    atomic_store(&board->tid, (int)syscall(SYS_gettid));
    for (;;) {
        struct evc_letter letter;
        int r;

        order = await_order(board, order);
        letter = *party->letter;
        r = letter.run ? letter.run(board, party->data, letter.arg) : 0;
        atomic_store_explicit(&board->error, r, memory_order_relaxed);
        atomic_store_explicit(&board->switches, evc_switches(),
                              memory_order_relaxed);
        atomic_store_explicit(&board->done, order, memory_order_release);
        if (!letter.run) /* B3, pairs with B4 */
            return;
    }
}

static void *run_thread(void *party)
{
    sigset_t others;

    sigemptyset(&others);
    sigaddset(&others, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &others, NULL);
    serve(party);
    return NULL;
}

static int start_thread(struct evc_party *party)
{
    return -pthread_create(&party->thread, NULL, run_thread, party);
}

static int start_process(struct evc_party *party)
{
    pid_t parent = getpid();

    fflush(NULL);
    party->pid = fork();
    if (party->pid < 0)
        return -errno;
    if (party->pid > 0)
        return 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        serve(party);
    _exit(0);
}

/* ---- ours ---------------------------------------------------------------- */

static void release(struct evc_party *party)
{
    if (party->board)
        munmap(party->board, sizeof(struct shared));
    free(party);
}

/* Not by spinning: until it has entered its CPU, it may need ours. */
static void await_entry(const struct evc_party *party)
{
    const struct timespec pause = {.tv_nsec = 20000};

    while (atomic_load(&party->board->tid) == 0)
        nanosleep(&pause, NULL);
}

int evc_party_start(const struct evc_machine *machine, enum evc_place place,
                    void *data, struct evc_party **out)
{
    struct evc_party *party = calloc(1, sizeof(*party));
    struct shared *shared;
    int r;

    if (!party)
        return -ENOMEM;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        free(party);
        return -ENOMEM;
    }
    party->board = &shared->board;
    party->letter = &shared->letter;
    party->machine = machine;
    party->place = place;
    party->data = data;
    r = place == EVC_PLACE_THREADS ? start_thread(party) : start_process(party);
    if (r < 0) {
        release(party);
        return r;
    }
    await_entry(party);
    *out = party;
    return 0;
}

void evc_party_order(struct evc_party *party, evc_order *run, uint64_t arg)
{
    struct evc_board *board = party->board;
    uint32_t next = atomic_load(&board->order) + 1;

    atomic_store_explicit(&board->stop, 0, memory_order_relaxed);
    atomic_store_explicit(&board->ready, 0, memory_order_relaxed);
    *party->letter = (struct evc_letter){run, arg};
    atomic_store_explicit(&board->order, next, memory_order_release);
    /* B1, pairs with B2 */
    syscall(SYS_futex, &board->order, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int evc_party_finish(struct evc_party *party)
{
    struct evc_board *board = party->board;
    struct evc_patience patience = {0};
    uint32_t order = atomic_load_explicit(&board->order, memory_order_relaxed);

    while (atomic_load_explicit(&board->done, memory_order_acquire) != order)
        if (evc_patience(&patience) < 0) /* B4, pairs with B3 */
            return -ETIMEDOUT;
    return atomic_load_explicit(&board->error, memory_order_relaxed);
}

int evc_party_ready(struct evc_party *party)
{
    struct evc_patience patience = {0};

    while (!atomic_load_explicit(&party->board->ready, memory_order_acquire))
        if (evc_patience(&patience) < 0)
            return -ETIMEDOUT;
    return 0;
}

int evc_party_do(struct evc_party *party, evc_order *run, uint64_t arg)
{
    evc_party_order(party, run, arg);
    return evc_party_finish(party);
}

/* Is it still in an order, one that does not end? */
static bool is_stuck(const struct evc_party *party)
{
    return atomic_load(&party->board->done) !=
           atomic_load(&party->board->order);
}

int evc_party_stop(struct evc_party *party)
{
    bool stuck;

    if (!party)
        return 0;
    stuck = is_stuck(party) || evc_party_do(party, NULL, 0) < 0;
    if (stuck && party->pid == 0)
        return -ETIMEDOUT; /* a thread cannot be killed */
    if (stuck)
        kill(party->pid, SIGKILL);
    if (party->pid > 0)
        waitpid(party->pid, NULL, 0);
    else
        pthread_join(party->thread, NULL);
    release(party);
    return 0;
}

/* ---- looking at it ------------------------------------------------------- */

/* The state letter of /proc/TID/stat: behind the name, which has brackets. */
static char state_of(int tid)
{
    char path[64], text[512];
    char *end = NULL;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", tid);
    file = fopen(path, "re");
    if (file && fgets(text, sizeof(text), file))
        end = strrchr(text, ')');
    if (file)
        fclose(file);
    return end && end[1] == ' ' ? end[2] : '?';
}

int evc_party_asleep(const struct evc_party *party)
{
    double since = evc_now_ns();
    int tid = atomic_load(&party->board->tid);

    while (state_of(tid) != 'S')
        if (evc_now_ns() - since > TOO_LONG * 1e9)
            return -ETIMEDOUT;
    return 0;
}

double evc_party_cpu_ns(const struct evc_party *party)
{
    struct timespec used;
    clockid_t clock;
    int r;

    r = party->pid > 0 ? clock_getcpuclockid(party->pid, &clock)
                       : pthread_getcpuclockid(party->thread, &clock);
    if (r != 0 || clock_gettime(clock, &used) != 0)
        return NAN;
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}
