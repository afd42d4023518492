/* SPDX-License-Identifier: MIT */
/*
 * What adapters of descriptors share.
 */
#ifndef EVC_BENCH_DESCRIPTOR_H
#define EVC_BENCH_DESCRIPTOR_H

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

/* Read what a blocking descriptor has, if anything. Return: bytes, -errno. */
static inline ssize_t evc_read_now(int fd, void *data, size_t size)
{
    struct iovec vector = {.iov_base = data, .iov_len = size};
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n = preadv2(fd, &vector, 1, -1, RWF_NOWAIT);

    if (n < 0 && errno == EOPNOTSUPP) { /* an older kernel */
        if (poll(&ready, 1, 0) <= 0)
            return -EAGAIN;
        n = read(fd, data, size);
    }
    return n < 0 ? -errno : n;
}

static inline void evc_close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

#endif /* EVC_BENCH_DESCRIPTOR_H */
