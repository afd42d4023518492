/* SPDX-License-Identifier: MIT */
/*
 * An open link of an adapter with somebody at each end, and what is measured of
 * it: the cases that are the same for every adapter.
 */
#ifndef EVC_BENCH_ROUTE_H
#define EVC_BENCH_ROUTE_H

#include <evc/adapter.h>

#include "cell.h"

struct evc_route {
    const struct evc_adapter *adapter;
    enum evc_place place;
    uint32_t channels;
    void *link;
    struct evc_route *back;  /* two parties: from the receiver to the sender */
    struct evc_party *party; /* two parties: the receiver */
    EVC_LINES uint64_t handled; /* events, counted by the receiver */
};

int evc_route_open(const struct evc_machine *machine,
                   const struct evc_adapter *adapter, enum evc_place place,
                   uint32_t channels, struct evc_route **out);
void evc_route_close(struct evc_route *route);

/* Of all adapters; ended by one without a name.  Subjects are routes. */
extern const struct evc_case evc_route_cases[];

/* Can this be measured of it at all? */
bool evc_route_has(const struct evc_case *what,
                   const struct evc_adapter *adapter);

#endif /* EVC_BENCH_ROUTE_H */
