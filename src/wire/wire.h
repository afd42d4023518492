/* SPDX-License-Identifier: MIT */
/*
 * What evcd and its clients say to each other: messages of one size over a
 * SOCK_SEQPACKET socket, one request at a time, each but EVC_WIRE_KICK answered.
 *
 * Decoding is strict: a message that has a field it does not use set, or a value
 * no request can mean, is none.  The memory that they share is in share.h.
 */
#ifndef EVC_WIRE_WIRE_H
#define EVC_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVC_WIRE_MAGIC 0x31637665u /* "evc1": the version is part of it */
#define EVC_WIRE_SIZE  64u
#define EVC_WIRE_FDS   2u /* at most, with one message */

enum evc_wire_op {
    EVC_WIRE_OPEN = 1,    /* a: domain. Reply: handle; fds: its own end, home */
    EVC_WIRE_JOIN,        /* fd: a handle's own end. Reply: handle; fd: home */
    EVC_WIRE_CLOSE,       /* handle: this process has let go of it */
    EVC_WIRE_UNBOUND,     /* handle, a: remote domain. Reply: a: port */
    EVC_WIRE_INTERDOMAIN, /* handle, a: domain, b: port. Reply: a: port */
    EVC_WIRE_VIRQ,        /* handle, a: virq. Reply: a: port */
    EVC_WIRE_UNBIND,      /* handle, a: port */
    EVC_WIRE_RESTRICT,    /* handle, a: domain */
    EVC_WIRE_REGION,      /* handle, a: index. Reply: a: its id; fd */
    EVC_WIRE_RAISE,       /* handle: make its descriptor readable */
    EVC_WIRE_FLUSH,       /* nothing: the answer says that all before is done */
    EVC_WIRE_KICK,        /* handle, a: region, b: slot, c: bell. No reply */
    EVC_WIRE_DOMAIN,      /* c: id + 1, 0: first. Reply: c: the next, 0: none */
    EVC_WIRE_PORT,       /* a: domain, b: port. Reply: the next port, or b: 0 */
    EVC_WIRE_RAISE_VIRQ, /* a: domain, b: virq */
    EVC_WIRE_OPS
};

struct evc_wire_request {
    uint32_t op;
    uint32_t a, b, c;
    uint64_t handle;
};

/* What EVC_WIRE_PORT tells; unused by others. */
struct evc_wire_port {
    uint8_t status; /* EVTCHNSTAT_* */
    uint8_t pending, masked;
    uint16_t remote_domain;
    uint32_t remote_port, virq;
    uint32_t pid; /* of who opened its handle */
    uint64_t events;
};

struct evc_wire_reply {
    int32_t result; /* 0 or -errno; whatever else: only if 0 */
    uint32_t a, b, c;
    uint64_t handle;
    struct evc_wire_port port;
};

void evc_wire_encode_request(const struct evc_wire_request *request,
                             uint8_t to[EVC_WIRE_SIZE]);
void evc_wire_encode_reply(const struct evc_wire_reply *reply,
                           uint8_t to[EVC_WIRE_SIZE]);

/* -EPROTO: no such message. `fds`: how many descriptors came with it. */
int evc_wire_decode_request(const uint8_t *from, size_t size, unsigned fds,
                            struct evc_wire_request *out);
int evc_wire_decode_reply(const uint8_t *from, size_t size, unsigned fds,
                          struct evc_wire_reply *out);

/*
 * One message with descriptors, which stay the sender's and become the
 * receiver's.  -EAGAIN when MSG_DONTWAIT in `flags` says so; receive: 0: end.
 */
int evc_wire_send(int socket, const uint8_t message[EVC_WIRE_SIZE],
                  const int *fds, unsigned n, int flags);
int evc_wire_receive(int socket, uint8_t message[EVC_WIRE_SIZE], int *fds,
                     unsigned *n, int flags);

#endif /* EVC_WIRE_WIRE_H */
