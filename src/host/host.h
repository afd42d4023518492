/* SPDX-License-Identifier: MIT */
/*
 * The machine below the engine: its clock, its threads, its descriptors.
 *
 * The only layer of libevc that knows an operating system.  POSIX throughout;
 * eventfd is Linux's and answers -ENOSYS elsewhere.
 */
#ifndef EVC_HOST_HOST_H
#define EVC_HOST_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* ns since some moment, never going back. */
uint64_t evc_host_clock(void);

/* A place to sleep: one sleeper at a time, woken by anyone, once or early. */
struct evc_sleeper {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken; /* since the last sleep began */
};

int evc_sleeper_init(struct evc_sleeper *sleeper);
void evc_sleeper_finish(struct evc_sleeper *sleeper);
/* Until woken, or `deadline` of evc_host_clock(); 0: as long as it takes. */
void evc_sleeper_sleep(struct evc_sleeper *sleeper, uint64_t deadline);
void evc_sleeper_wake(struct evc_sleeper *sleeper);

/* A non-blocking, close-on-exec eventfd, or a negative errno. */
int evc_eventfd_create(void);
void evc_eventfd_write(int fd);
/* Empty it. True: it was not empty. */
bool evc_eventfd_read(int fd);

#endif /* EVC_HOST_HOST_H */
