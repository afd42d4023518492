/* SPDX-License-Identifier: MIT */
/*
 * The back ends' thread: a loop of libuv's, and what is to be served in it.
 *
 * Whoever wants something served sets `rung` of its source and rings the one
 * bell (S1); the thread takes each `rung` back before it serves (S2), so what
 * happens during a serve is served again.
 */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 1000u

void evc_log(const struct evc_log *log, const char *format, ...)
{
    char line[512];
    va_list args;

    if (log->line == NULL)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log->line(log->guest, line);
}

/* ---- sources -------------------------------------------------------------------- */

void evc_source_add(struct evc_backend *backend, struct evc_source *source,
                    bool (*serve)(void *data), void *data)
{
    source->backend = backend;
    source->serve = serve;
    source->data = data;
    source->next = backend->sources;
    backend->sources = source;
}

void evc_source_ring(void *data)
{
    struct evc_source *source = data;

    if (!atomic_exchange(&source->rung, true) && /* S1 */
        source->backend->has_loop)
        (void)uv_async_send(&source->backend->bell);
}

static void stop_if_done(struct evc_backend *backend);

static void heard(uv_async_t *bell)
{
    struct evc_backend *backend = bell->data;

    for (struct evc_source *s = backend->sources; s != NULL; s = s->next)
        if (atomic_exchange(&s->rung, false) && s->serve(s->data)) /* S2 */
            evc_source_ring(s);
    if (atomic_load(&backend->stopping))
        stop_if_done(backend);
}

/* ---- the store's ring ------------------------------------------------------------ */

static bool serve_store(void *data)
{
    struct evc_backend *backend = data;
    unsigned result;

    if (backend->ring.broken)
        return false;
    result = evc_store_ring_serve(&backend->ring);
    if (result & EVC_STORE_RING_MOVED)
        (void)evc_host_send(backend->store_host);
    if (result & EVC_STORE_RING_BROKEN)
        evc_log(&backend->log, "store: the guest breaks the ring's protocol");
    return result & EVC_STORE_RING_MORE;
}

/* ---- a store elsewhere -------------------------------------------------------------- */

static void close_store_poll(struct evc_backend *backend)
{
    if (backend->polls_store)
        uv_close((uv_handle_t *)&backend->store_poll, NULL);
    backend->polls_store = false;
}

static bool serve_changes(void *data)
{
    struct evc_backend *backend = data;

    if (!evc_store_serve(backend->store) && backend->polls_store) {
        close_store_poll(backend);
        evc_log(&backend->log, "store: it has gone: nothing can be read or "
                               "written there any more");
    }
    return false;
}

static void store_ready(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows in recv() */
    (void)events;
    (void)serve_changes(poll->data);
}

static int start_store_poll(struct evc_backend *backend)
{
    int r;

    if (evc_store_fd(backend->store) < 0)
        return 0;
    backend->store_poll.data = backend;
    r = uv_poll_init(&backend->loop, &backend->store_poll,
                     evc_store_fd(backend->store));
    if (r < 0)
        return r;
    backend->polls_store = true;
    return uv_poll_start(&backend->store_poll, UV_READABLE, store_ready);
}

static int connect_store(struct evc_backend *backend, const char *path)
{
    int r = evc_store_create_remote(path, &backend->store);

    if (r < 0) {
        evc_log(&backend->log, "store: %s: %s", path, strerror(-r));
        return r;
    }
    evc_source_add(backend, &backend->changed, serve_changes, backend);
    evc_store_on_events(backend->store, evc_source_ring, &backend->changed);
    return 0;
}

static int open_store(struct evc_backend *backend,
                      const struct evc_backend_config *config)
{
    void *page = config->ops->frame(config->guest, config->store_frame);
    int r;

    if (page == NULL)
        return -EFAULT;
    r = config->store != NULL ? connect_store(backend, config->store)
                              : evc_store_create(&backend->store);
    if (r == 0)
        r = evc_store_connect(backend->store, (uint16_t)backend->id,
                              evc_source_ring, &backend->store_source,
                              &backend->conn);
    if (r < 0)
        return r;
    evc_store_ring_init(&backend->ring, page, backend->conn);
    evc_source_add(backend, &backend->store_source, serve_store, backend);
    return evc_host_connect(config->domain, EVC_BACKEND_STORE_PORT, 0,
                            evc_source_ring, &backend->store_source,
                            &backend->store_host);
}

/* ---- asking the guest to go -------------------------------------------------------- */

static bool serve_ask(void *data)
{
    struct evc_backend *backend = data;
    const char *what = atomic_exchange(&backend->asked, NULL);
    char path[64];

    if (what == NULL)
        return false;
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown",
             backend->id);
    (void)evc_store_set(backend->store, path, what, NULL);
    return false;
}

void evc_backend_ask(struct evc_backend *backend, const char *what)
{
    atomic_store(&backend->asked, what);
    evc_source_ring(&backend->ask_source);
}

/* ---- making --------------------------------------------------------------------------- */

static int open_ports(const struct evc_backend_config *config)
{
    int r = evc_bind_static(config->domain, EVC_BACKEND_STORE_PORT, 0);

    if (r < 0)
        return r;
    return evc_bind_static(config->domain, EVC_BACKEND_CONSOLE_PORT, 0);
}

static int open_loop(struct evc_backend *backend)
{
    int r = uv_loop_init(&backend->loop);

    if (r < 0)
        return r;
    backend->has_loop = true;
    backend->bell.data = backend;
    backend->patience.data = backend;
    r = uv_async_init(&backend->loop, &backend->bell, heard);
    return r < 0 ? r : uv_timer_init(&backend->loop, &backend->patience);
}

static int open_grants(struct evc_backend *backend,
                       const struct evc_backend_config *config)
{
    int r = evc_grants_init(&backend->grants, config);

    if (r < 0)
        return r;
    evc_grants_offer(&backend->grants, EVC_GRANT_CONSOLE, 0,
                     config->console_frame);
    evc_grants_offer(&backend->grants, EVC_GRANT_STORE, 0, config->store_frame);
    return 0;
}

static int open_disks(struct evc_backend *backend,
                      const struct evc_backend_config *config)
{
    for (unsigned i = 0; i < config->nr_disks; i++) {
        int r = evc_vbd_open(&backend->vbds[i], backend, i, &config->disks[i]);

        if (r < 0)
            return r;
        backend->nr_vbds++;
    }
    return 0;
}

static int open_all(struct evc_backend *backend,
                    const struct evc_backend_config *config)
{
    int r;

    if ((r = open_ports(config)) < 0 || (r = open_loop(backend)) < 0 ||
        (r = open_grants(backend, config)) < 0 ||
        (r = open_store(backend, config)) < 0 ||
        (r = evc_console_open(&backend->console, backend, config)) < 0 ||
        (r = evc_world_fill(backend, config)) < 0)
        evc_log(&backend->log, "back ends: %s", strerror(-r));
    else
        r = open_disks(backend, config); /* says what and why */
    return r;
}

int evc_backend_create(const struct evc_backend_config *config,
                       struct evc_backend **out)
{
    struct evc_backend *backend;
    int r;

    if (config->nr_disks > EVC_BACKEND_DISKS)
        return -EINVAL;
    backend = calloc(1, sizeof(*backend));
    if (backend == NULL)
        return -ENOMEM;
    backend->ops = config->ops;
    backend->guest = config->guest;
    backend->log = (struct evc_log){config->ops->log, config->guest};
    backend->domain = config->domain;
    backend->id = evc_domain_id(config->domain);
    evc_peer_open(&backend->peer, backend, config);
    backend->console.in = backend->console.out = backend->console.slave = -1;
    evc_source_add(backend, &backend->ask_source, serve_ask, backend);
    r = open_all(backend, config);
    if (r < 0)
        evc_backend_destroy(backend);
    else
        *out = backend;
    return r;
}

/* ---- the thread ------------------------------------------------------------------------- */

static void *run(void *data)
{
    struct evc_backend *backend = data;

    (void)uv_run(&backend->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* Signals are others': also the workers', which this thread will start. */
static int start_thread(struct evc_backend *backend)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&backend->thread, NULL, run, backend);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

int evc_backend_start(struct evc_backend *backend)
{
    int r = evc_console_start(&backend->console);

    if (r == 0)
        r = evc_peer_start(&backend->peer);
    if (r == 0)
        r = start_store_poll(backend);
    if (r == 0)
        r = start_thread(backend);
    backend->started = r == 0;
    return r;
}

static void out_of_patience(uv_timer_t *timer)
{
    struct evc_backend *backend = timer->data;

    backend->console.size = 0;
    evc_source_ring(&backend->console.source);
}

/* With `stopping`: end the loop when workers and the console's reader are done. */
static void stop_if_done(struct evc_backend *backend)
{
    bool busy = evc_console_drain(&backend->console);

    if (busy)
        (void)uv_timer_start(&backend->patience, out_of_patience, PATIENCE_MS,
                             0);
    for (unsigned i = 0; i < backend->nr_vbds; i++)
        busy |= evc_vbd_stop(&backend->vbds[i]);
    if (busy)
        return;
    evc_console_stop(&backend->console);
    evc_peer_stop(&backend->peer);
    close_store_poll(backend);
    if (!uv_is_closing((uv_handle_t *)&backend->bell)) {
        uv_close((uv_handle_t *)&backend->bell, NULL);
        uv_close((uv_handle_t *)&backend->patience, NULL);
    }
}

void evc_backend_stop(struct evc_backend *backend)
{
    if (!backend->started)
        return;
    atomic_store(&backend->stopping, true);
    (void)uv_async_send(&backend->bell);
    pthread_join(backend->thread, NULL);
    backend->started = false;
}

/* ---- freeing ------------------------------------------------------------------------------ */

/* Of a loop that never ran: close what it has. */
static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct evc_backend *backend)
{
    if (!backend->has_loop)
        return;
    uv_walk(&backend->loop, close_handle, NULL);
    (void)uv_run(&backend->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&backend->loop);
}

void evc_backend_destroy(struct evc_backend *backend)
{
    if (backend == NULL)
        return;
    evc_backend_stop(backend);
    for (unsigned i = 0; i < backend->nr_vbds; i++)
        evc_vbd_close(&backend->vbds[i]);
    evc_peer_close(&backend->peer);
    evc_console_close(&backend->console);
    evc_host_close(backend->store_host);
    close_loop(backend);
    evc_store_destroy(backend->store);
    evc_grants_finish(&backend->grants);
    free(backend);
}

/* ---- asking it ------------------------------------------------------------------------------ */

const char *evc_backend_console_path(const struct evc_backend *backend)
{
    return backend->console.path[0] != '\0' ? backend->console.path : NULL;
}

int64_t evc_backend_grant_op(struct evc_backend *backend, uint32_t cmd,
                             uint64_t arg, uint32_t count)
{
    return evc_grants_op(&backend->grants,
                         backend->has_peer ? &backend->peer : NULL, cmd, arg,
                         count);
}
