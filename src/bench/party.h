/* SPDX-License-Identifier: MIT */
/*
 * The other side of a measurement: a thread or a process that sits on a CPU of
 * its own and does what it is told, one order at a time.
 *
 *     evc_party_start(machine, EVC_PLACE_PROCESSES, data, &party);
 *     evc_party_order(party, receive, 1000);      here goes on meanwhile
 *     ...
 *     error = evc_party_finish(party);
 *     evc_party_stop(party);
 *
 * A process is forked off: it has what was there when it started, and shares
 * what was mapped as shared, and party->board.
 */
#ifndef EVC_BENCH_PARTY_H
#define EVC_BENCH_PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

/* Where sender and receiver are. */
enum evc_place {
    EVC_PLACE_ONE = 0,   /* one thread is both, in turn */
    EVC_PLACE_THREADS,   /* two threads, two CPUs */
    EVC_PLACE_PROCESSES, /* two processes, two CPUs */
    EVC_PLACES
};

/* Shared by both; a line for each word that somebody waits for. */
struct evc_board {
    _Alignas(128) _Atomic uint32_t order;   /* counts them */
    _Alignas(128) _Atomic uint32_t done;    /* the last one carried out */
    _Alignas(128) _Atomic uint32_t stop;    /* for orders that wait for it */
    _Alignas(128) _Atomic uint32_t ready;   /* for orders that tell it */
    _Alignas(128) _Atomic uint64_t handled; /* events, so far */
    _Alignas(128) _Atomic uint64_t ball;    /* bounced between the two */
    _Alignas(128) double stamp;             /* when something happened */
    _Atomic long switches;                  /* evc_switches() of the party */
    _Atomic int tid, error;
};

struct evc_party;

/* What an order does. data: as given at the start. Return: 0 or -errno. */
typedef int evc_order(struct evc_board *board, void *data, uint64_t arg);

struct evc_party {
    struct evc_board *board;
    /* private: */
    const struct evc_machine *machine;
    enum evc_place place;
    void *data;
    evc_order *run;
    uint64_t arg;
    struct evc_letter *letter;
    unsigned long thread;
    int pid;
};

int evc_party_start(const struct evc_machine *machine, enum evc_place place,
                    void *data, struct evc_party **out);

void evc_party_order(struct evc_party *party, evc_order *run, uint64_t arg);

/* Wait for the end of the last order. Return: its answer; -ETIMEDOUT. */
int evc_party_finish(struct evc_party *party);

/* Wait until the order that was given has set board->ready. */
int evc_party_ready(struct evc_party *party);

/* Give an order and wait for its end. */
int evc_party_do(struct evc_party *party, evc_order *run, uint64_t arg);

/* Wait until it sleeps in the kernel. Return: 0; -ETIMEDOUT. */
int evc_party_asleep(const struct evc_party *party);

/* CPU time it has used, in ns, or NaN. */
double evc_party_cpu_ns(const struct evc_party *party);

/*
 * End it; NULL is nothing.  A process that does not answer is killed.
 * Return: 0; -ETIMEDOUT (a thread that does not answer is left behind).
 */
int evc_party_stop(struct evc_party *party);

/* Waiting for the other CPU: has it taken too long? Return: 0; -ETIMEDOUT. */
struct evc_patience {
    double since;
    unsigned turns;
};
int evc_patience(struct evc_patience *patience);

/*
 * The same for who sleeps in the kernel: from evc_alarm_set() to
 * evc_alarm_clear(), what takes too long is interrupted (EINTR), and
 * evc_alarm_rang() is true.  The caller's thread only.
 */
void evc_alarm_set(void);
void evc_alarm_clear(void);
bool evc_alarm_rang(void);

#endif /* EVC_BENCH_PARTY_H */
