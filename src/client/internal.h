/* SPDX-License-Identifier: MIT */
/* What the files of this layer share. */
#ifndef EVC_CLIENT_INTERNAL_H
#define EVC_CLIENT_INTERNAL_H

#include <time.h>

#include "client.h"

/* One exchange that opens or joins a handle; connects first. */
int evc_client_introduce(struct evc_wire_request *request, int send_fd,
                         bool start, struct evc_wire_reply *reply, int *fds,
                         unsigned *n, uint64_t *connection);

/* One thread at a time maps regions; outside the connection's lock. */
extern pthread_mutex_t evc_client_mapping;

/* The region of a peer at a place, if it is the one that is mapped there. */
static inline struct evc_region *
evc_client_mapped(const struct evc_client *client, uint32_t place, uint32_t id)
{
    if (place == 0 || evc_a32_load_acq(&client->mapped[place]) != id)
        return NULL;
    return (void *)(client->regions + (size_t)place * EVC_PAGE);
}

void evc_client_lock(struct evc_client *client);
void evc_client_unlock(struct evc_client *client);

/* A moment; only the order of moments matters. */
static inline uint64_t evc_client_clock(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#else
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

#endif /* EVC_CLIENT_INTERNAL_H */
