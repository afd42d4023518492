/* SPDX-License-Identifier: MIT */
/* A handle, as the library's files see it; and libxentoolcore. */
#ifndef EVC_XENEVTCHN_TOOLCORE_H
#define EVC_XENEVTCHN_TOOLCORE_H

#include <xenevtchn.h>

#include "client.h"

struct xenevtchn_handle {
    /*
     * What libxentoolcore keeps: a function to call for restrict-all, and two
     * words of its own (found out by watching it).  First, so that the address
     * it hands back is the handle's.
     */
    struct evc_toolcore {
        int (*restrict_handle)(struct evc_toolcore *self, domid_t domid);
        void *theirs[2];
    } toolcore;
    struct evc_client *client; /* NULL: the descriptor is none of evcd's */
    int fd;
};

/* If that library is in the process, or can be had. */
void evc_toolcore_register(xenevtchn_handle *xce);
void evc_toolcore_deregister(xenevtchn_handle *xce);

#endif /* EVC_XENEVTCHN_TOOLCORE_H */
