/* SPDX-License-Identifier: MIT */
/*
 * A terminal that is raw while a guest has it, and as before afterwards.
 *
 * What it was like is kept in static memory: a child made by fork has a copy,
 * its parent still has the original, and a signal handler can reach it.
 */
#include "backend.h"

#include <errno.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile int raw_fd = -1;

int evc_terminal_raw(int fd)
{
    struct termios raw;

    if (tcgetattr(fd, &raw) < 0)
        return errno == ENOTTY ? 0 : -errno;
    if (raw_fd < 0)
        before = raw;
    raw_fd = fd;
    cfmakeraw(&raw);
    return tcsetattr(fd, TCSADRAIN, &raw) < 0 ? -errno : 0;
}

void evc_terminal_restore(void)
{
    int kept = errno;

    if (raw_fd >= 0)
        (void)tcsetattr(raw_fd, TCSANOW, &before);
    errno = kept;
}
