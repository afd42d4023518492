/* SPDX-License-Identifier: MIT */
/* What the commands of a script ask of a keeper. */
#include "internal.h"

#include <errno.h>
#include <unistd.h>

static int connect_to(uint16_t domain, uint32_t port)
{
    struct sockaddr_un name;
    int fd, r = evc_keeper_name(domain, port, &name);

    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&name, (socklen_t)r) < 0)
        r = -errno;
    else /* anybody can take a name; root need not fear, and may ask all */
        r = evc_keeper_trusts(fd) || geteuid() == 0 ? 0 : -EPERM;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* The descriptor that comes with the answer, or -1 in it. */
static int ask(uint16_t domain, uint32_t port, uint8_t what, int *lent)
{
    uint8_t message[EVC_WIRE_SIZE] = {what};
    int fds[EVC_WIRE_FDS], fd = connect_to(domain, port), r;
    unsigned n = 0;

    if (fd < 0)
        return fd;
    r = evc_wire_send(fd, message, NULL, 0, 0);
    if (r == 0)
        r = evc_wire_receive(fd, message, fds, &n, 0);
    if (r == 0 || r == -ECONNRESET || r == -EPIPE) /* it has hung up */
        r = evc_keeper_is_ours(fd) ? -ECONNREFUSED : -EPERM;
    close(fd);
    *lent = n > 0 ? fds[0] : -1;
    for (unsigned i = 1; i < n; i++)
        close(fds[i]);
    return r < 0 ? r : 0;
}

int evc_keeper_borrow(uint16_t domain, uint32_t port, struct evc_client **out)
{
    int lent = -1, r = ask(domain, port, EVC_KEEPER_LEND, &lent);

    if (r < 0)
        return r;
    if (lent < 0)
        return -EPROTO;
    r = evc_client_adopt(lent, out);
    if (r < 0)
        close(lent);
    return r;
}

int evc_keeper_end(uint16_t domain, uint32_t port)
{
    int lent = -1, r = ask(domain, port, EVC_KEEPER_END, &lent);

    if (lent >= 0)
        close(lent);
    return r;
}
