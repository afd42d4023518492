/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing routes.
 */
#include <errno.h>
#include <stdlib.h>

#include "route.h"

#define OWN_DESCRIPTORS 64u /* of a link, whatever its channels take */

static void on_event(void *data, uint32_t channel)
{
    struct evc_route *route = data;

    (void)channel;
    route->handled++;
}

static int open_one(const struct evc_adapter *adapter, enum evc_place place,
                    uint32_t channels, struct evc_route **out)
{
    struct evc_route *route = evc_alloc_lines(sizeof(*route));
    const struct evc_adapter_config config = {
        .channels = channels,
        .processes = place == EVC_PLACE_PROCESSES,
        .handler = on_event,
        .data = route,
    };
    int r;

    if (!route)
        return -ENOMEM;
    route->adapter = adapter;
    route->place = place;
    route->channels = channels;
    r = adapter->open(&config, &route->link);
    if (r < 0)
        free(route);
    else
        *out = route;
    return r;
}

/* In the receiver's thread or process. */
static int enter(struct evc_board *board, void *data, uint64_t arg)
{
    struct evc_route *route = data;

    (void)board;
    (void)arg;
    return route->adapter->enter ? route->adapter->enter(route->link) : 0;
}

/* The way back has one channel: it is for ping-pong. */
static int add_receiver(const struct evc_machine *machine,
                        struct evc_route *route)
{
    int r = open_one(route->adapter, route->place, 1, &route->back);

    if (r == 0)
        r = evc_party_start(machine, route->place, route, &route->party);
    if (r == 0)
        r = evc_party_do(route->party, enter, 0);
    return r == 0 ? enter(NULL, route->back, 0) : r;
}

int evc_route_open(const struct evc_machine *machine,
                   const struct evc_adapter *adapter, enum evc_place place,
                   uint32_t channels, struct evc_route **out)
{
    uint64_t descriptors = (uint64_t)adapter->descriptors * channels;
    struct evc_route *route = NULL;
    int r;

    r = evc_machine_descriptors(descriptors + OWN_DESCRIPTORS);
    if (r == 0)
        r = open_one(adapter, place, channels, &route);
    if (r < 0)
        return r;
    r = place == EVC_PLACE_ONE ? enter(NULL, route, 0)
                               : add_receiver(machine, route);
    if (r < 0)
        evc_route_close(route);
    else
        *out = route;
    return r;
}

void evc_route_close(struct evc_route *route)
{
    if (!route || evc_party_stop(route->party) < 0)
        return; /* whoever does not answer keeps what it may be using */
    evc_route_close(route->back);
    route->adapter->close(route->link);
    free(route);
}
