/* SPDX-License-Identifier: MIT */
/*
 * What two processes share: a page of event bits, an eventfd each, and a pair
 * of sockets in each direction, for questions that are answered at once.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_side(struct evc_link *link, unsigned side)
{
    int pair[2];

    link->side[side].bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->side[side].bell < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    link->side[side].call = pair[0];
    link->side[!side].serve = pair[1];
    return 0;
}

int evc_link_create(struct evc_link **out)
{
    struct evc_link *link = malloc(sizeof(*link));
    int r;

    if (link == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < 2; i++)
        link->side[i] = (struct evc_link_side){-1, -1, -1};
    link->shared = mmap(NULL, sizeof(*link->shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    r = link->shared != MAP_FAILED ? open_side(link, 0) : -ENOMEM;
    if (r == 0)
        r = open_side(link, 1);
    if (r < 0)
        evc_link_destroy(link);
    else
        *out = link;
    return r;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* So that the other one's end is seen as such; its bell is still rung. */
void evc_link_keep(struct evc_link *link, unsigned side)
{
    close_if_open(&link->side[!side].call);
    close_if_open(&link->side[!side].serve);
}

void evc_link_destroy(struct evc_link *link)
{
    if (link == NULL)
        return;
    for (unsigned i = 0; i < 2; i++) {
        close_if_open(&link->side[i].call);
        close_if_open(&link->side[i].serve);
        close_if_open(&link->side[i].bell);
    }
    if (link->shared != MAP_FAILED)
        munmap(link->shared, sizeof(*link->shared));
    free(link);
}
