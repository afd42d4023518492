/* SPDX-License-Identifier: MIT */
/*
 * Handles: made when a process asks, gone when nobody has their descriptor.
 *
 * The descriptor is one end of a socket pair, and the daemon has the other: when
 * the last copy closes (those of dup, fork, SCM_RIGHTS and exec included), ours
 * hangs up, and the ports are closed.  Nobody need say good-bye.
 */
#include "daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- finding ------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    const struct evc_owner *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

struct evc_owner *evc_owner_find(struct evc_daemon *daemon, uint64_t id)
{
    struct evc_owner key = {.id = id};
    struct evc_owner **found = tfind(&key, &daemon->by_id, by_id);

    return found != NULL ? *found : NULL;
}

static int cookie_of(int fd, uint64_t *cookie)
{
    socklen_t size = sizeof(*cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &size) < 0)
        return -errno;
    return 0;
}

struct evc_owner *evc_owner_by_fd(struct evc_daemon *daemon, int fd)
{
    struct evc_owner *owner;
    uint64_t cookie;

    if (cookie_of(fd, &cookie) < 0)
        return NULL;
    LIST_FOREACH(owner, &daemon->owners, next)
    if (owner->cookie == cookie)
        return owner;
    return NULL;
}

bool evc_owner_is_gone(const struct evc_owner *owner)
{
    struct pollfd p = {.fd = owner->fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

/* ---- making ------------------------------------------------------------- */

static int make_home(struct evc_owner *owner)
{
    void *home;

    owner->home_fd =
        memfd_create("evc-handle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (owner->home_fd < 0 ||
        ftruncate(owner->home_fd, sizeof(*owner->home)) < 0 ||
        fcntl(owner->home_fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    home = mmap(NULL, sizeof(*owner->home), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE, owner->home_fd, 0);
    if (home == MAP_FAILED)
        return -errno;
    owner->home = home;
    owner->places = 1;
    evc_a32_store_rlx(&owner->home->place[0].id, UINT32_MAX);
    evc_a32_store_rlx(&owner->home->own.side[0].bell, EVC_SIDE_ARMED);
    evc_a32_store_rel(&owner->home->places, 1);
    return 0;
}

/*
 * With a byte unread at their end, closing it is an error here, and an error is
 * told as something to read.  Nothing else is ever to be read.
 */
static void on_gone(int fd, short what, void *arg)
{
    struct evc_owner *owner = arg;
    char bytes[64];

    if (what & EV_CLOSED || evc_owner_is_gone(owner))
        evc_owner_close(owner);
    else
        (void)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static int make_descriptor(struct evc_owner *owner, int *theirs)
{
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    owner->fd = pair[0];
    r = cookie_of(pair[1], &owner->cookie);
    if (r == 0) {
        owner->gone =
            event_new(owner->daemon->base, pair[0],
                      EV_READ | EV_CLOSED | EV_PERSIST, on_gone, owner);
        r = owner->gone != NULL && event_priority_set(owner->gone, 0) == 0 &&
                    event_add(owner->gone, NULL) == 0
                ? 0
                : -ENOMEM;
    }
    if (r < 0)
        close(pair[1]);
    else
        *theirs = pair[1];
    return r;
}

static void owner_free(struct evc_owner *owner)
{
    if (owner->gone != NULL)
        event_free(owner->gone);
    if (owner->home != NULL)
        munmap(owner->home, sizeof(*owner->home));
    if (owner->home_fd >= 0)
        close(owner->home_fd);
    if (owner->fd >= 0)
        close(owner->fd);
    free(owner->place);
    free(owner);
}

static int owner_create(struct evc_daemon *daemon, struct evc_owner **out,
                        int *theirs)
{
    struct evc_owner *owner = calloc(1, sizeof(*owner));
    int r;

    if (owner == NULL)
        return -ENOMEM;
    owner->daemon = daemon;
    owner->fd = owner->home_fd = -1;
    owner->id = ++daemon->next_id;
    r = make_home(owner);
    if (r == 0)
        r = make_descriptor(owner, theirs);
    if (r == 0 && tsearch(owner, &daemon->by_id, by_id) == NULL) {
        close(*theirs);
        r = -ENOMEM;
    }
    if (r < 0)
        owner_free(owner);
    else
        *out = owner;
    return r;
}

int evc_owner_open(struct evc_daemon *daemon, uint16_t domain, pid_t pid,
                   struct evc_owner **out, int *theirs)
{
    struct evc_owner *owner;
    struct evc_dom *dom;
    int r = evc_dom_get(daemon, domain, &dom);

    if (r < 0)
        return r;
    dom->handles++;
    if (dom->handles > dom->settings->max_handles)
        r = -EMFILE;
    if (r == 0)
        r = owner_create(daemon, &owner, theirs);
    if (r < 0) {
        evc_dom_put(dom);
        return r;
    }
    owner->dom = dom;
    owner->pid = pid;
    LIST_INSERT_HEAD(&daemon->owners, owner, next);
    *out = owner;
    return 0;
}

/* ---- going -------------------------------------------------------------- */

void evc_owner_close(struct evc_owner *owner)
{
    struct evc_daemon *daemon = owner->daemon;
    struct evc_dom *dom = owner->dom;

    while (LIST_FIRST(&owner->ends) != NULL)
        evc_port_drop(LIST_FIRST(&owner->ends));
    while (LIST_FIRST(&owner->members) != NULL)
        evc_member_drop(LIST_FIRST(&owner->members));
    evc_region_forget(owner);
    LIST_REMOVE(owner, next);
    tdelete(owner, &daemon->by_id, by_id);
    owner_free(owner);
    evc_dom_put(dom);
    evc_daemon_idle(daemon);
}
