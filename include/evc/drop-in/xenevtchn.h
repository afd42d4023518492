/* SPDX-License-Identifier: MIT */
/**
 * @file xenevtchn.h
 *
 * Event channels for a process: the interface of Xen's libxenevtchn, which
 * evc's libxenevtchn.so.1 offers where there is no Xen.  A program built with
 * either header runs with either library.  libxenevtchn(7) says what differs.
 *
 * A handle stands for a set of ports of one domain (EVC_DOMID in the
 * environment, else 0).  Functions return -1 and set errno when they fail.
 */
#ifndef XENEVTCHN_H
#define XENEVTCHN_H

#include <stdint.h>

#ifdef __has_include
#if __has_include(<xen/event_channel.h>)
#include <xen/event_channel.h>
#define EVC_XENEVTCHN_TYPES
#endif
#endif
#ifndef EVC_XENEVTCHN_TYPES
#include <evc/abi/event_channel.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xenevtchn_handle xenevtchn_handle;
typedef int xenevtchn_port_or_error_t; /* a port, or -1 */
struct xentoollog_logger;

/* For xenevtchn_open(): programs that are run get the descriptor, too. */
#define XENEVTCHN_NO_CLOEXEC (1 << 0)

/** xenevtchn_open() - a handle without ports. @logger may be NULL. */
xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags);

/** xenevtchn_fdopen() - the handle of a descriptor that came from elsewhere */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
                                   unsigned open_flags);

/**
 * xenevtchn_close() - close the descriptor, free the handle
 *
 * The ports are closed with the last copy of the descriptor.
 */
int xenevtchn_close(xenevtchn_handle *xce);

/** xenevtchn_fd() - readable exactly while an event waits */
int xenevtchn_fd(xenevtchn_handle *xce);

/** xenevtchn_notify() - send to the other end of @port */
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port);

/** xenevtchn_bind_unbound_port() - a port that @domid may bind to */
xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce,
                                                      uint32_t domid);

/** xenevtchn_bind_interdomain() - a port connected to @remote_port */
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
                                                     uint32_t domid,
                                                     evtchn_port_t remote_port);

/** xenevtchn_bind_virq() - a port at which a virtual interrupt arrives */
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
                                              unsigned int virq);

/** xenevtchn_unbind() - close a port */
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port);

/** xenevtchn_pending() - the next event's port, which is masked from now on */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce);

/** xenevtchn_unmask() - let the port have its next event */
int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port);

/** xenevtchn_restrict() - bind to @domid only, from now on */
int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid);

#ifdef __cplusplus
}
#endif

#endif /* XENEVTCHN_H */
