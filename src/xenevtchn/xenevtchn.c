/* SPDX-License-Identifier: MIT */
/*
 * libxenevtchn.so.1: Xen's interface to event channels for a process, on evcd.
 *
 * A descriptor that is none of ours can still be made a handle of, as with the
 * original, which just reads and writes it; here as there, nothing else works.
 */
#include <xenevtchn.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toolcore.h"

/* In one place: how results become -1 and errno. */
static int result(int r)
{
    if (r >= 0)
        return r;
    errno = -r;
    return -1;
}

/* Why a descriptor that is not ours cannot do it. */
static int foreign(const xenevtchn_handle *xce)
{
    return fcntl(xce->fd, F_GETFD) < 0 ? -errno : -ENOTTY;
}

/* ---- open, close -------------------------------------------------------- */

/* EVC_DOMID, or 0; -EINVAL: it is no domain's number. */
static int own_domain(void)
{
    const char *said = getenv("EVC_DOMID");
    unsigned long n;
    char *end;

    if (said == NULL || said[0] == 0)
        return 0;
    errno = 0;
    n = strtoul(said, &end, 10);
    if (said[0] < '0' || said[0] > '9' || *end != 0 || errno != 0 || n > 0x7fef)
        return -EINVAL;
    return (int)n;
}

static xenevtchn_handle *create(int fd, struct evc_client *client)
{
    xenevtchn_handle *xce = calloc(1, sizeof(*xce));

    if (xce == NULL)
        return NULL;
    xce->fd = fd;
    xce->client = client;
    evc_toolcore_register(xce);
    return xce;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    struct evc_client *client = NULL;
    xenevtchn_handle *xce;
    int r = own_domain();

    (void)logger;
    if (flags & ~(unsigned)XENEVTCHN_NO_CLOEXEC)
        r = -EINVAL;
    if (r >= 0)
        r = evc_client_open((uint16_t)r, !(flags & XENEVTCHN_NO_CLOEXEC),
                            &client);
    if (r < 0) {
        errno = -r;
        return NULL;
    }
    xce = create(client->fd, client);
    if (xce == NULL)
        (void)evc_client_close(client);
    return xce;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
                                   unsigned open_flags)
{
    struct evc_client *client = NULL;
    int r = open_flags != 0 ? -EINVAL : evc_client_adopt(fd, &client);

    (void)logger;
    if (r < 0 && r != -ENOTTY && r != -EBADF) {
        errno = -r;
        return NULL;
    }
    return create(fd, client);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    int r = 0;

    if (xce == NULL)
        return 0;
    evc_toolcore_deregister(xce);
    if (xce->client != NULL)
        r = evc_client_close(xce->client);
    else if (xce->fd >= 0 && close(xce->fd) < 0)
        r = -errno;
    free(xce);
    return result(r);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

/* ---- ports -------------------------------------------------------------- */

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce,
                                                      uint32_t domid)
{
    return result(xce->client ? evc_client_bind_unbound(xce->client, domid)
                              : foreign(xce));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
                                                     uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    return result(xce->client ? evc_client_bind_interdomain(xce->client, domid,
                                                            remote_port)
                              : foreign(xce));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
                                              unsigned int virq)
{
    return result(xce->client ? evc_client_bind_virq(xce->client, virq)
                              : foreign(xce));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return result(xce->client ? evc_client_unbind(xce->client, port)
                              : foreign(xce));
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    return result(xce->client ? evc_client_restrict(xce->client, domid)
                              : foreign(xce));
}

/* ---- events ------------------------------------------------------------- */

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    return result(xce->client ? evc_client_notify(xce->client, port)
                              : foreign(xce));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    evtchn_port_t port;

    if (xce->client != NULL)
        return result(evc_client_pending(xce->client));
    return read(xce->fd, &port, sizeof(port)) == (ssize_t)sizeof(port)
               ? (int)port
               : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    if (xce->client != NULL)
        return result(evc_client_unmask(xce->client, port));
    return write(xce->fd, &port, sizeof(port)) == (ssize_t)sizeof(port) ? 0
                                                                        : -1;
}
