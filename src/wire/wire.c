/* SPDX-License-Identifier: MIT */
/*
 * Messages to bytes and back.  Little-endian, as all of evc; every byte of the 64
 * has a meaning or is zero, so that whatever decodes encodes to the same bytes.
 */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the layout --------------------------------------------------------- */

struct bytes_of_request {
    uint32_t magic, op, a, b, c, zero;
    uint64_t handle;
    uint64_t rest[4];
};

struct bytes_of_reply {
    uint32_t magic;
    int32_t result;
    uint32_t a, b, c, zero;
    uint64_t handle;
    uint8_t status, pending, masked, none;
    uint16_t remote_domain, nothing;
    uint32_t remote_port, virq, pid, no_more;
    uint64_t events;
};

_Static_assert(sizeof(struct bytes_of_request) == EVC_WIRE_SIZE &&
                   sizeof(struct bytes_of_reply) == EVC_WIRE_SIZE,
               "one size for all");

/* ---- what each request may have ----------------------------------------- */

#define HANDLE 1u
#define A      2u
#define B      4u
#define C      8u

static const struct shape {
    uint8_t has, fds;
    uint32_t max_a, max_b;
} shape[EVC_WIRE_OPS] = {
    [EVC_WIRE_OPEN] = {A, 0, 0x7fef, 0},
    [EVC_WIRE_JOIN] = {0, 1, 0, 0},
    [EVC_WIRE_CLOSE] = {HANDLE, 0, 0, 0},
    [EVC_WIRE_UNBOUND] = {HANDLE | A, 0, UINT32_MAX, 0},
    [EVC_WIRE_INTERDOMAIN] = {HANDLE | A | B, 0, UINT32_MAX, UINT32_MAX},
    [EVC_WIRE_VIRQ] = {HANDLE | A, 0, UINT32_MAX, 0},
    [EVC_WIRE_UNBIND] = {HANDLE | A, 0, UINT32_MAX, 0},
    [EVC_WIRE_RESTRICT] = {HANDLE | A, 0, 0xffff, 0},
    [EVC_WIRE_REGION] = {HANDLE | A, 0, UINT32_MAX, 0},
    [EVC_WIRE_RAISE] = {HANDLE, 0, 0, 0},
    [EVC_WIRE_FLUSH] = {0, 0, 0, 0},
    [EVC_WIRE_KICK] = {HANDLE | A | B | C, 0, UINT32_MAX, 63},
    [EVC_WIRE_DOMAIN] = {C, 0, 0, 0},
    [EVC_WIRE_PORT] = {A | B, 0, 0x7fef, UINT32_MAX},
    [EVC_WIRE_RAISE_VIRQ] = {A | B, 0, 0x7fef, UINT32_MAX},
};

static bool fits(const struct evc_wire_request *r, unsigned fds)
{
    const struct shape *s;

    if (r->op == 0 || r->op >= EVC_WIRE_OPS)
        return false;
    s = &shape[r->op];
    return fds == s->fds && (s->has & HANDLE || r->handle == 0) &&
           (s->has & A || r->a == 0) && (s->has & B || r->b == 0) &&
           (s->has & C || r->c == 0) && r->a <= s->max_a &&
           (!(s->has & B) || r->b <= s->max_b);
}

/* ---- encode, decode ----------------------------------------------------- */

void evc_wire_encode_request(const struct evc_wire_request *request,
                             uint8_t to[EVC_WIRE_SIZE])
{
    struct bytes_of_request raw = {.magic = EVC_WIRE_MAGIC,
                                   .op = request->op,
                                   .a = request->a,
                                   .b = request->b,
                                   .c = request->c,
                                   .handle = request->handle};

    memcpy(to, &raw, sizeof(raw));
}

int evc_wire_decode_request(const uint8_t *from, size_t size, unsigned fds,
                            struct evc_wire_request *out)
{
    struct bytes_of_request raw;
    struct evc_wire_request r;

    if (size != sizeof(raw))
        return -EPROTO;
    memcpy(&raw, from, sizeof(raw));
    r = (struct evc_wire_request){
        .op = raw.op, .a = raw.a, .b = raw.b, .c = raw.c, .handle = raw.handle};
    if (raw.magic != EVC_WIRE_MAGIC || raw.zero != 0 ||
        (raw.rest[0] | raw.rest[1] | raw.rest[2] | raw.rest[3]) != 0 ||
        !fits(&r, fds))
        return -EPROTO;
    *out = r;
    return 0;
}

void evc_wire_encode_reply(const struct evc_wire_reply *reply,
                           uint8_t to[EVC_WIRE_SIZE])
{
    struct bytes_of_reply raw = {
        .magic = EVC_WIRE_MAGIC,
        .result = reply->result,
        .a = reply->a,
        .b = reply->b,
        .c = reply->c,
        .handle = reply->handle,
        .status = reply->port.status,
        .pending = reply->port.pending,
        .masked = reply->port.masked,
        .remote_domain = reply->port.remote_domain,
        .remote_port = reply->port.remote_port,
        .virq = reply->port.virq,
        .pid = reply->port.pid,
        .events = reply->port.events,
    };

    memcpy(to, &raw, sizeof(raw));
}

int evc_wire_decode_reply(const uint8_t *from, size_t size, unsigned fds,
                          struct evc_wire_reply *out)
{
    struct bytes_of_reply raw;

    if (size != sizeof(raw) || fds > EVC_WIRE_FDS)
        return -EPROTO;
    memcpy(&raw, from, sizeof(raw));
    if (raw.magic != EVC_WIRE_MAGIC || raw.zero != 0 || raw.none != 0 ||
        raw.nothing != 0 || raw.no_more != 0 || raw.result > 0)
        return -EPROTO;
    *out = (struct evc_wire_reply){
        .result = raw.result,
        .a = raw.a,
        .b = raw.b,
        .c = raw.c,
        .handle = raw.handle,
        .port = {.status = raw.status,
                 .pending = raw.pending,
                 .masked = raw.masked,
                 .remote_domain = raw.remote_domain,
                 .remote_port = raw.remote_port,
                 .virq = raw.virq,
                 .pid = raw.pid,
                 .events = raw.events},
    };
    return 0;
}

/* ---- the socket --------------------------------------------------------- */

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(EVC_WIRE_FDS * sizeof(int))];
};

int evc_wire_send(int socket, const uint8_t message[EVC_WIRE_SIZE],
                  const int *fds, unsigned n, int flags)
{
    struct iovec io = {.iov_base = (void *)(uintptr_t)message,
                       .iov_len = EVC_WIRE_SIZE};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    union control control;
    ssize_t sent;

    if (n != 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    do {
        sent = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* All that came, as far as there is room; what there is no room for is shut. */
static unsigned take_fds(struct msghdr *m, int *fds)
{
    unsigned n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        size_t many = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < many; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (n < EVC_WIRE_FDS)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

static void shut(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
}

int evc_wire_receive(int socket, uint8_t message[EVC_WIRE_SIZE], int *fds,
                     unsigned *n, int flags)
{
    struct iovec io = {.iov_base = message, .iov_len = EVC_WIRE_SIZE};
    union control control;
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t got;

    do {
        got = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    *n = take_fds(&m, fds);
    if (got != 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return (int)got;
    shut(fds, *n);
    *n = 0;
    return got == 0 ? 0 : -EPROTO;
}
