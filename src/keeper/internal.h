/* SPDX-License-Identifier: MIT */
/* What keepers and borrowers agree on. */
#ifndef EVC_KEEPER_INTERNAL_H
#define EVC_KEEPER_INTERNAL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "keeper.h"

/* The first byte of a message (of wire.h's size), there and back; else zeroes. */
#define EVC_KEEPER_LEND 'l' /* the answer has the descriptor */
#define EVC_KEEPER_END  'e' /* the answer comes when the port is closed */

/*
 * Where the keeper of a port listens: a name that is in no file system and ends
 * with the process, made of which daemon it is and which port.  Its size, or an
 * error.
 */
int evc_keeper_name(uint16_t domain, uint32_t port, struct sockaddr_un *to);
/* Is the process at the other end one of this user? */
bool evc_keeper_is_ours(int socket);
/* Is it that, or root's? */
bool evc_keeper_trusts(int socket);

#endif /* EVC_KEEPER_INTERNAL_H */
