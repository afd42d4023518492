/* SPDX-License-Identifier: MIT */
/*
 * Handles: opened, found again by their descriptor, mapped, closed; and what is
 * asked of the daemon in their name.
 *
 * A region is mapped at an address that its place has for good, over whatever was
 * there: a thread that is still sending through the old one writes into one page
 * or the other, never into a hole.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the lock ----------------------------------------------------------- */

void evc_client_lock(struct evc_client *client)
{
    /* Each step of what is done under it leaves things in order. */
    if (pthread_mutex_lock(&client->home->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&client->home->lock);
}

void evc_client_unlock(struct evc_client *client)
{
    pthread_mutex_unlock(&client->home->lock);
}

static int make_lock(struct evc_home *home)
{
    pthread_mutexattr_t attribute;
    int r = pthread_mutexattr_init(&attribute);

    if (r != 0)
        return -r;
    pthread_mutexattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST);
    r = pthread_mutex_init(&home->lock, &attribute);
    pthread_mutexattr_destroy(&attribute);
    return -r;
}

/* ---- mapping ------------------------------------------------------------ */

static void unmap(struct evc_client *client)
{
    if (client->regions != NULL)
        munmap(client->regions, (size_t)EVC_SHARE_PLACES * EVC_PAGE);
    if (client->home != NULL)
        munmap(client->home, sizeof(*client->home));
    free(client->mapped);
    free(client);
}

static int map(struct evc_client *client, int home)
{
    void *p = mmap(NULL, sizeof(*client->home), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, home, 0);

    if (p == MAP_FAILED)
        return -errno;
    client->home = p;
    p = mmap(NULL, (size_t)EVC_SHARE_PLACES * EVC_PAGE, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    client->regions = p;
    client->mapped = calloc(EVC_SHARE_PLACES, sizeof(*client->mapped));
    return client->mapped != NULL ? 0 : -ENOMEM;
}

/* With evc_client_mapping, so that of two answers the later one stays. */
static int map_region(struct evc_client *client, uint32_t place)
{
    struct evc_wire_request request = {.op = EVC_WIRE_REGION, .a = place};
    struct evc_wire_reply reply;
    int fd = -1, r = evc_client_call_fd(client, &request, &reply, &fd);

    if (r == 0 && fd < 0)
        r = -EPROTO;
    if (r == 0 && mmap(client->regions + (size_t)place * EVC_PAGE, EVC_PAGE,
                       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                       0) == MAP_FAILED)
        r = -errno;
    if (r == 0)
        evc_a32_store_rel(&client->mapped[place], reply.a);
    if (fd >= 0)
        close(fd);
    return r;
}

struct evc_region *evc_client_region(struct evc_client *client, uint32_t place,
                                     uint32_t id)
{
    evc_a32 *mapped = &client->mapped[place];

    if (place == 0)
        return &client->home->own;
    if (evc_a32_load_acq(mapped) != id) {
        pthread_mutex_lock(&evc_client_mapping);
        if (evc_a32_load_acq(mapped) != id)
            (void)map_region(client, place);
        pthread_mutex_unlock(&evc_client_mapping);
    }
    return evc_client_mapped(client, place, id); /* or gone, or no memory */
}

/* ---- open, adopt, close ------------------------------------------------- */

static int create(int fd, int home, const struct evc_wire_reply *reply,
                  uint64_t connection, struct evc_client **out)
{
    struct evc_client *client = calloc(1, sizeof(*client));
    int r;

    if (client == NULL)
        return -ENOMEM;
    client->fd = fd;
    client->id = reply->handle;
    client->connection = connection;
    r = map(client, home);
    if (r < 0)
        unmap(client);
    else
        *out = client;
    return r;
}

int evc_client_open(uint16_t domain, bool cloexec, struct evc_client **out)
{
    struct evc_wire_request request = {.op = EVC_WIRE_OPEN, .a = domain};
    struct evc_wire_reply reply;
    uint64_t connection;
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    r = evc_client_introduce(&request, -1, true, &reply, fds, &n, &connection);
    if (r == 0 && n != 2)
        r = -EPROTO;
    if (r == 0 && !cloexec && fcntl(fds[0], F_SETFD, 0) < 0)
        r = -errno;
    if (r == 0)
        r = create(fds[0], fds[1], &reply, connection, out);
    if (r == 0)
        r = make_lock((*out)->home);
    for (unsigned i = r == 0; i < n; i++)
        close(fds[i]);
    return r;
}

int evc_client_adopt(int fd, struct evc_client **out)
{
    struct evc_wire_request request = {.op = EVC_WIRE_JOIN};
    struct evc_wire_reply reply;
    struct stat about;
    uint64_t connection;
    int fds[EVC_WIRE_FDS], r;
    unsigned n = 0;

    if (fstat(fd, &about) < 0)
        return -errno;
    if (!S_ISSOCK(about.st_mode))
        return -ENOTTY;
    r = evc_client_introduce(&request, fd, false, &reply, fds, &n, &connection);
    if (r == 0 && n != 1)
        r = -EPROTO;
    if (r == 0)
        r = create(fd, fds[0], &reply, connection, out);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    return r == -ENOENT || r == -ECONNREFUSED ? -ENOTTY : r;
}

int evc_client_close(struct evc_client *client)
{
    struct evc_wire_request request = {.op = EVC_WIRE_CLOSE};
    struct evc_wire_reply reply;
    int r = close(client->fd) < 0 ? -errno : 0;

    /* When it answers, the ports are closed, if that was the last copy. */
    client->fd = -1;
    (void)evc_client_call(client, &request, &reply);
    unmap(client);
    return r;
}

/* ---- what the daemon does ----------------------------------------------- */

static int ask(struct evc_client *client, struct evc_wire_request request)
{
    struct evc_wire_reply reply;
    int r = evc_client_call(client, &request, &reply);

    return r < 0 ? r : (int)reply.a;
}

int evc_client_bind_unbound(struct evc_client *client, uint32_t domain)
{
    return ask(client,
               (struct evc_wire_request){.op = EVC_WIRE_UNBOUND, .a = domain});
}

int evc_client_bind_interdomain(struct evc_client *client, uint32_t domain,
                                uint32_t port)
{
    return ask(client, (struct evc_wire_request){
                           .op = EVC_WIRE_INTERDOMAIN, .a = domain, .b = port});
}

int evc_client_bind_virq(struct evc_client *client, uint32_t virq)
{
    return ask(client,
               (struct evc_wire_request){.op = EVC_WIRE_VIRQ, .a = virq});
}

int evc_client_unbind(struct evc_client *client, uint32_t port)
{
    evc_client_collect(client); /* what waits is read later all the same */
    return ask(client,
               (struct evc_wire_request){.op = EVC_WIRE_UNBIND, .a = port});
}

int evc_client_restrict(struct evc_client *client, uint16_t domain)
{
    return ask(client,
               (struct evc_wire_request){.op = EVC_WIRE_RESTRICT, .a = domain});
}
