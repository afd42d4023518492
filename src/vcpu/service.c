/* SPDX-License-Identifier: MIT */
/*
 * The engine's own thread, for embedders that have none to spare: it fires
 * timers where there is no evc_ops.timer, and reads the descriptors that
 * evc_host_send_fd() has given away.  Started when first needed.
 */
#include "vcpu.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct watch {
    int fd;
    struct evc_host *host;
};

struct evc_service {
    struct evc_engine *engine;
    pthread_t thread;
    int bell[2]; /* a pipe: something below has changed */
    pthread_mutex_t lock;
    uint64_t alarm; /* ns of system time, 0: none */
    bool stopping;
    struct watch *watches;
    size_t n, room;
};

static struct evc_service *service_of(struct evc_engine *engine)
{
    return atomic_load(&engine->service);
}

static void ring(struct evc_service *service)
{
    ssize_t n = write(service->bell[1], "", 1);

    (void)n; /* full: it is ringing already */
}

/* ---- the loop ----------------------------------------------------------- */

static int timeout_of(struct evc_service *service)
{
    uint64_t now, ms;

    if (service->alarm == 0)
        return -1;
    now = evc_engine_now(service->engine);
    if (now >= service->alarm)
        return 0;
    ms = (service->alarm - now + 999999) / 1000000;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* What to poll, copied: it may change while we sleep. Under the lock. */
static struct pollfd *list(struct evc_service *service, nfds_t *n)
{
    struct pollfd *fds = calloc(service->n + 1, sizeof(*fds));

    *n = 0;
    if (fds == NULL)
        return NULL;
    fds[0] = (struct pollfd){.fd = service->bell[0], .events = POLLIN};
    for (size_t i = 0; i < service->n; i++)
        fds[i + 1] =
            (struct pollfd){.fd = service->watches[i].fd, .events = POLLIN};
    *n = service->n + 1;
    return fds;
}

/* The watch of a descriptor: mostly still at the place it was listed from. */
static struct watch *watch_of(struct evc_service *service, int fd, size_t place)
{
    if (place < service->n && service->watches[place].fd == fd)
        return &service->watches[place];
    for (size_t i = 0; i < service->n; i++) {
        if (service->watches[i].fd == fd)
            return &service->watches[i];
    }
    return NULL;
}

/*
 * Under the lock, so that an end cannot be closed while it is served; a host's
 * callback is not among what a send to a guest can lead to.
 */
static void serve(struct evc_service *service, const struct pollfd *fds,
                  nfds_t n)
{
    for (nfds_t f = 1; f < n; f++) {
        const struct watch *watch;

        if (!(fds[f].revents & POLLIN))
            continue;
        watch = watch_of(service, fds[f].fd, f - 1);
        if (watch != NULL && evc_eventfd_read(watch->fd))
            (void)evc_host_send(watch->host);
    }
}

static void turn(struct evc_service *service)
{
    struct pollfd *fds;
    char rings[64];
    nfds_t n;
    int timeout;

    pthread_mutex_lock(&service->lock);
    fds = list(service, &n);
    timeout = timeout_of(service);
    pthread_mutex_unlock(&service->lock);
    if (fds == NULL) { /* no memory: look at the alarm alone, soon again */
        (void)poll(NULL, 0, timeout >= 0 && timeout < 10 ? timeout : 10);
        n = 0;
    } else {
        (void)poll(fds, n, timeout);
    }
    while (read(service->bell[0], rings, sizeof(rings)) > 0)
        ;

    pthread_mutex_lock(&service->lock);
    if (fds != NULL)
        serve(service, fds, n);
    timeout = timeout_of(service);
    pthread_mutex_unlock(&service->lock);
    free(fds);
    if (timeout == 0)
        (void)evc_timers_run(service->engine);
}

static void *loop(void *arg)
{
    struct evc_service *service = arg;
    bool stopping = false;

    while (!stopping) {
        turn(service);
        pthread_mutex_lock(&service->lock);
        stopping = service->stopping;
        pthread_mutex_unlock(&service->lock);
    }
    return NULL;
}

/* ---- starting and stopping ---------------------------------------------- */

static int open_bell(int bell[2])
{
    if (pipe(bell) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        (void)fcntl(bell[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(bell[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

/* Signals are the embedder's: its own threads take them. */
static int start_thread(struct evc_service *service)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&service->thread, NULL, loop, service);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? 0 : -ENOMEM; /* that is what no thread means */
}

static struct evc_service *service_create(struct evc_engine *engine, int *r)
{
    struct evc_service *service = calloc(1, sizeof(*service));

    *r = -ENOMEM;
    if (service == NULL)
        return NULL;
    service->engine = engine;
    *r = open_bell(service->bell);
    if (*r < 0) {
        free(service);
        return NULL;
    }
    pthread_mutex_init(&service->lock, NULL);
    *r = start_thread(service);
    if (*r == 0)
        return service;
    close(service->bell[0]);
    close(service->bell[1]);
    pthread_mutex_destroy(&service->lock);
    free(service);
    return NULL;
}

int evc_service_start(struct evc_engine *engine)
{
    int r = 0;

    if (service_of(engine) != NULL)
        return 0;
    pthread_mutex_lock(&engine->starting);
    if (service_of(engine) == NULL)
        atomic_store(&engine->service, service_create(engine, &r));
    pthread_mutex_unlock(&engine->starting);
    return r;
}

void evc_service_stop(struct evc_engine *engine)
{
    struct evc_service *service = service_of(engine);

    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    service->stopping = true;
    pthread_mutex_unlock(&service->lock);
    ring(service);
    pthread_join(service->thread, NULL);
    close(service->bell[0]);
    close(service->bell[1]);
    pthread_mutex_destroy(&service->lock);
    free(service->watches);
    free(service);
    atomic_store(&engine->service, NULL);
}

/* ---- what it looks after ------------------------------------------------ */

void evc_service_alarm(struct evc_engine *engine, uint64_t deadline)
{
    struct evc_service *service = service_of(engine);

    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    service->alarm = deadline;
    pthread_mutex_unlock(&service->lock);
    ring(service);
}

int evc_service_watch(struct evc_engine *engine, int fd, struct evc_host *host)
{
    int r = evc_service_start(engine);
    struct evc_service *service = service_of(engine);

    if (r < 0)
        return r;
    pthread_mutex_lock(&service->lock);
    if (service->n == service->room) {
        size_t room = service->room ? 2 * service->room : 8;
        struct watch *more = realloc(service->watches, room * sizeof(*more));

        if (more != NULL) {
            service->watches = more;
            service->room = room;
        }
    }
    if (service->n < service->room)
        service->watches[service->n++] = (struct watch){fd, host};
    else
        r = -ENOMEM;
    pthread_mutex_unlock(&service->lock);
    ring(service);
    return r;
}

void evc_service_unwatch(struct evc_engine *engine, int fd)
{
    struct evc_service *service = service_of(engine);

    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    for (size_t i = 0; i < service->n; i++) {
        if (service->watches[i].fd == fd)
            service->watches[i--] = service->watches[--service->n];
    }
    pthread_mutex_unlock(&service->lock);
    ring(service);
}
