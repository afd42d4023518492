/* SPDX-License-Identifier: MIT */
/* Where a keeper is found, and who may talk to it. */
#include "internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A daemon is the file that it listens at; another one makes another file. */
int evc_keeper_name(uint16_t domain, uint32_t port, struct sockaddr_un *to)
{
    char path[sizeof(to->sun_path)];
    struct stat about;
    int r = evc_client_socket_path(path, sizeof(path)), n;

    if (r < 0)
        return r;
    if (stat(path, &about) < 0)
        return -errno;
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    n = snprintf(to->sun_path + 1, sizeof(to->sun_path) - 1,
                 "evc-port-%lx-%lx-%lx-%u-%u", (unsigned long)about.st_dev,
                 (unsigned long)about.st_ino,
                 (unsigned long)about.st_ctim.tv_nsec, domain, port);
    return (int)offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

static uid_t user_at(int socket)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);

    (void)getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    return peer.uid;
}

bool evc_keeper_is_ours(int socket)
{
    return user_at(socket) == geteuid();
}

bool evc_keeper_trusts(int socket)
{
    return user_at(socket) == 0 || evc_keeper_is_ours(socket);
}
