/* SPDX-License-Identifier: MIT */
/*
 * The console: a ring on one side, a terminal, pipe, file or pty on the other.
 *
 *  label  here                  there (the guest)        if weaker
 *  C1     acquire out_prod      release out_prod         old bytes shown
 *  C2     release out_cons      acquire out_cons         bytes overwritten
 *                                                        before they are read
 *  C3     acquire in_cons       release in_cons          as C2
 *  C4     release in_prod       acquire in_prod          as C1
 *
 * Nothing here waits.  Descriptors that a terminal or pipe stands behind are
 * opened again, so that being non-blocking is nobody else's surprise; what
 * cannot be waited for (files, /dev/null) is always ready.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE       0x1d /* Ctrl-] */
#define KEPT         4096u
#define KEPT_FOR_PTY (1u << 20u) /* as `limit` in the store says */

/* ---- descriptors ------------------------------------------------------------ */

static int open_again(int fd, int access)
{
    char path[32];
    struct stat st;
    int again = -1;

    if (fstat(fd, &st) < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd)))
        again = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (again < 0)
        again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return again < 0 ? -errno : again;
}

static bool can_wait(int fd)
{
    struct epoll_event event = {.events = 0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool can = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;

    if (epoll >= 0)
        close(epoll);
    return can;
}

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The slave stays open: a master whose other side nobody has open is at EOF. */
static int open_slave(struct evc_console *console)
{
    struct termios raw;

    console->slave = open(console->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (console->slave < 0 || tcgetattr(console->slave, &raw) < 0)
        return -errno;
    cfmakeraw(&raw);
    return tcsetattr(console->slave, TCSANOW, &raw) < 0 ? -errno : 0;
}

static int open_pty(struct evc_console *console)
{
    console->in = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (console->in < 0 || grantpt(console->in) < 0 ||
        unlockpt(console->in) < 0)
        return -errno;
    if (ptsname_r(console->in, console->path, sizeof(console->path)) != 0)
        return -errno;
    console->out = fcntl(console->in, F_DUPFD_CLOEXEC, 3);
    if (console->out < 0)
        return -errno;
    console->may_lose = true;
    return open_slave(console);
}

static int open_stdio(struct evc_console *console, int in, int out)
{
    console->is_terminal = isatty(in);
    console->in = open_again(in, O_RDONLY);
    console->out = open_again(out, O_WRONLY);
    if (console->in < 0)
        return console->in;
    return console->out < 0 ? console->out : 0;
}

/* ---- what the guest says ------------------------------------------------------ */

static void lose_oldest(struct evc_console *console, size_t size)
{
    if (size > console->size)
        size = console->size;
    console->first = (console->first + size) % console->room;
    console->size -= size;
}

static void keep(struct evc_console *console, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t at = (console->first + console->size) % console->room;
        size_t run = console->room - at;

        if (run > size)
            run = size;
        memcpy(console->said + at, bytes, run);
        console->size += run;
        bytes += run;
        size -= run;
    }
}

static void break_off(struct evc_console *console)
{
    console->broken = true;
    evc_log(&console->backend->log,
            "console: the ring's indices make no sense");
}

/* From the ring, as much as there is room for. */
static bool listen_to_guest(struct evc_console *console)
{
    struct evc_console_ring *ring = console->ring;
    uint32_t size = evc_a32_load_acq(&ring->out_prod) - /* C1 */
                    console->out_cons;
    uint32_t rest = EVC_CONSOLE_OUT - console->out_cons % EVC_CONSOLE_OUT;

    if (size > EVC_CONSOLE_OUT) {
        break_off(console);
        return false;
    }
    if (size > rest)
        size = rest;
    if (console->may_lose && size > console->room - console->size)
        lose_oldest(console, size);
    if (size > console->room - console->size)
        size = (uint32_t)(console->room - console->size);
    keep(console, ring->out + console->out_cons % EVC_CONSOLE_OUT, size);
    console->out_cons += size;
    evc_a32_store_rel(&ring->out_cons, console->out_cons); /* C2 */
    return size > 0;
}

static void out_ready(uv_poll_t *poll, int status, int events);

static void close_poll(uv_poll_t *poll, bool *waits)
{
    if (*waits && !uv_is_closing((uv_handle_t *)poll))
        uv_close((uv_handle_t *)poll, NULL);
    *waits = false;
}

/* Nobody reads any more: the guest goes on talking, to nobody. */
static void out_ended(struct evc_console *console)
{
    evc_log(&console->backend->log, "console: cannot write: %s",
            strerror(errno));
    close_poll(&console->out_poll, &console->out_waits);
    console->size = 0;
    console->may_lose = true;
    close(console->out);
    console->out = -1;
}

static ssize_t write_some(struct evc_console *console, const uint8_t *bytes,
                          size_t size)
{
    if (console->out < 0)
        return (ssize_t)size;
    if (console->out_is_socket)
        return send(console->out, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(console->out, bytes, size);
}

/* To the terminal, until it takes no more. True: something was written. */
static bool show(struct evc_console *console)
{
    bool moved = false;

    while (console->size > 0) {
        size_t run = console->room - console->first;
        ssize_t n;

        if (run > console->size)
            run = console->size;
        n = write_some(console, console->said + console->first, run);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            out_ended(console);
        if (n <= 0)
            break;
        lose_oldest(console, (size_t)n);
        moved = true;
    }
    if (console->out_waits && console->size > 0)
        (void)uv_poll_start(&console->out_poll, UV_WRITABLE, out_ready);
    else if (console->out_waits)
        (void)uv_poll_stop(&console->out_poll);
    return moved;
}

static void out_ready(uv_poll_t *poll, int status, int events)
{
    struct evc_console *console = poll->data;

    (void)status; /* an error shows in write() */
    (void)events;
    if (show(console))
        evc_source_ring(&console->source); /* the ring may have more */
}

/* ---- what is typed --------------------------------------------------------------- */

static uint32_t room_to_type(struct evc_console *console)
{
    uint32_t used =
        console->in_prod - evc_a32_load_acq(&console->ring->in_cons); /* C3 */

    if (console->broken)
        return 0;
    if (used <= EVC_CONSOLE_IN)
        return EVC_CONSOLE_IN - used;
    break_off(console);
    return 0;
}

static void type(struct evc_console *console, const uint8_t *bytes, size_t size)
{
    struct evc_console_ring *ring = console->ring;

    for (size_t i = 0; i < size; i++)
        ring->in[console->in_prod++ % EVC_CONSOLE_IN] = bytes[i];
    evc_a32_store_rel(&ring->in_prod, console->in_prod); /* C4 */
    (void)evc_host_send(console->host);
}

/* Bytes up to the one that means leaving. */
static void typed(struct evc_console *console, const uint8_t *bytes,
                  size_t size)
{
    const struct evc_backend *backend = console->backend;
    const uint8_t *escape = NULL;

    if (console->is_terminal && backend->ops->leave != NULL)
        escape = memchr(bytes, ESCAPE, size);
    if (escape != NULL)
        size = (size_t)(escape - bytes);
    type(console, bytes, size);
    if (escape != NULL)
        backend->ops->leave(backend->guest);
}

static void in_ended(struct evc_console *console)
{
    close_poll(&console->in_poll, &console->in_waits);
    close(console->in);
    console->in = -1;
}

static void in_ready(uv_poll_t *poll, int status, int events);

/* Read what there is room for; true: there may be more at once. */
static bool read_typed(struct evc_console *console)
{
    uint8_t bytes[EVC_CONSOLE_IN];
    uint32_t room;
    ssize_t n;

    if (console->in < 0)
        return false;
    room = room_to_type(console);
    if (room == 0) { /* until the guest has read */
        if (console->in_waits)
            (void)uv_poll_stop(&console->in_poll);
        return false;
    }
    n = read(console->in, bytes, room);
    if (n > 0)
        typed(console, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        in_ended(console);
    return n > 0;
}

static void in_ready(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows in read() */
    (void)events;
    (void)read_typed(poll->data);
}

/* What is always ready is read now; the rest when it says so. */
static bool want_typed(struct evc_console *console)
{
    if (console->in < 0 || room_to_type(console) == 0)
        return false;
    if (!console->in_waits)
        return read_typed(console);
    (void)uv_poll_start(&console->in_poll, UV_READABLE, in_ready);
    return false;
}

/* ---- both ----------------------------------------------------------------------------- */

static bool serve(void *data)
{
    struct evc_console *console = data;
    bool moved;

    if (console->broken)
        return false;
    moved = listen_to_guest(console);
    if (moved)
        (void)evc_host_send(console->host);
    (void)show(console);
    return want_typed(console) || moved;
}

bool evc_console_drain(struct evc_console *console)
{
    while (!console->broken && listen_to_guest(console))
        (void)show(console);
    (void)show(console);
    return console->size > 0 && console->out_waits;
}

/* ---- its life ------------------------------------------------------------------------- */

static int open_ends(struct evc_console *console,
                     const struct evc_backend_config *config)
{
    int r;

    if (config->console == EVC_CONSOLE_PTY)
        r = open_pty(console);
    else
        r = open_stdio(console, config->in, config->out);
    if (r < 0)
        evc_log(&console->backend->log, "console: %s: %s",
                config->console == EVC_CONSOLE_PTY ? "cannot open a pty"
                                                   : "descriptors",
                strerror(-r));
    return r;
}

int evc_console_open(struct evc_console *console, struct evc_backend *backend,
                     const struct evc_backend_config *config)
{
    int r;

    *console = (struct evc_console){
        .backend = backend, .in = -1, .out = -1, .slave = -1};
    console->ring = config->ops->frame(config->guest, config->console_frame);
    if (console->ring == NULL)
        return -EFAULT;
    r = open_ends(console, config);
    if (r < 0)
        return r;
    console->room = console->may_lose ? KEPT_FOR_PTY : KEPT;
    console->said = malloc(console->room);
    if (console->said == NULL)
        return -ENOMEM;
    console->out_is_socket = is_socket(console->out);
    evc_source_add(backend, &console->source, serve, console);
    return evc_host_connect(config->domain, EVC_BACKEND_CONSOLE_PORT, 0,
                            evc_source_ring, &console->source, &console->host);
}

/* Two polls of one file description are fine; of one descriptor they are not. */
static int start_poll(struct evc_console *console, int fd, uv_poll_t *poll,
                      bool *waits)
{
    int r;

    if (!can_wait(fd))
        return 0;
    r = uv_poll_init(&console->backend->loop, poll, fd);
    poll->data = console;
    *waits = r == 0;
    return r;
}

int evc_console_start(struct evc_console *console)
{
    int r =
        start_poll(console, console->in, &console->in_poll, &console->in_waits);

    if (r == 0)
        r = start_poll(console, console->out, &console->out_poll,
                       &console->out_waits);
    evc_source_ring(&console->source);
    return r;
}

void evc_console_stop(struct evc_console *console)
{
    close_poll(&console->in_poll, &console->in_waits);
    close_poll(&console->out_poll, &console->out_waits);
}

void evc_console_close(struct evc_console *console)
{
    evc_host_close(console->host);
    if (console->in >= 0)
        close(console->in);
    if (console->out >= 0)
        close(console->out);
    if (console->slave >= 0)
        close(console->slave);
    free(console->said);
}
