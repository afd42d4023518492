/* SPDX-License-Identifier: MIT */
/*
 * What is measured of our engine alone, and of the machine: the units.
 */
#ifndef EVC_BENCH_OWN_H
#define EVC_BENCH_OWN_H

#include "cell.h"
#include "guests.h"

/* A pair of guests; with a party, somebody else on another CPU. */
struct evc_own {
    struct evc_bench_guests *guests;
    struct evc_party *party;
    bool fifo;
    EVC_LINES uint64_t handled; /* events, counted by who dispatches */
    evc_port last;              /* of these */
};

int evc_own_open(const struct evc_machine *machine, bool fifo,
                 uint32_t channels, enum evc_place place, struct evc_own **out);
void evc_own_close(struct evc_own *own);

/* Of struct evc_own; ended by one without a name. */
extern const struct evc_case evc_own_cases[];

/* One locked read-modify-write that nobody else wants; any subject. */
extern const struct evc_case evc_case_rmw;

/* A cache line there and back; a struct evc_party is the subject. */
extern const struct evc_case evc_case_bounce;

#endif /* EVC_BENCH_OWN_H */
