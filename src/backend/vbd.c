/* SPDX-License-Identifier: MIT */
/*
 * A disk as the store shows it, and how front ends come and go.
 *
 *     the front end writes        we write
 *     1 initialising              2 waiting for it
 *     3 initialised, 4 connected  4 connected: its ring and port are ours
 *     5 closing                   5 closing
 *     6 closed                    6 closed, until it begins again with 1
 *
 * A front end that cannot be connected finds 5, and a reason in `error`.  A ring
 * with a batch under way is let go when that is done.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the store ------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int
publish(struct evc_vbd *vbd, const char *node, const char *format, ...)
{
    char path[112], value[512];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", vbd->back, node);
    return evc_store_set(vbd->backend->store, path, value, NULL);
}

static void set_state(struct evc_vbd *vbd, enum evc_xenbus_state state)
{
    if (vbd->state == (unsigned)state)
        return;
    vbd->state = state;
    (void)publish(vbd, "state", "%d", state);
}

/* A node of the front end's; to be freed; or NULL. */
static char *front_text(struct evc_vbd *vbd, const char *node)
{
    char path[112];

    snprintf(path, sizeof(path), "%s/%s", vbd->front, node);
    return evc_store_get(vbd->backend->store, path);
}

/* As the guest wrote it: anything is possible. */
static bool front_number(struct evc_vbd *vbd, const char *node,
                         uint32_t *number)
{
    char *text = front_text(vbd, node), *end;
    unsigned long value;
    bool good;

    if (text == NULL)
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    good = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
           value <= UINT32_MAX;
    free(text);
    if (good)
        *number = (uint32_t)value;
    return good;
}

/* ---- coming --------------------------------------------------------------------- */

static const struct evc_blk_abi *protocol_of(struct evc_vbd *vbd)
{
    char *name = front_text(vbd, "protocol");
    const struct evc_blk_abi *abi;

    abi = evc_blk_abi_find(name != NULL                       ? name
                           : vbd->backend->grants.guest_32bit ? "x86_32-abi"
                                                              : "x86_64-abi");
    free(name);
    return abi;
}

static const char *map_ring(struct evc_vbd *vbd)
{
    const struct evc_blk_abi *abi = protocol_of(vbd);
    void *page;

    if (abi == NULL)
        return "unknown protocol";
    if (!front_number(vbd, "ring-ref", &vbd->ring_ref))
        return "no ring-ref";
    if (evc_grant_map(&vbd->backend->grants, vbd->ring_ref, 0, true, &page) < 0)
        return "ring-ref is no grant to domain 0, or not to write";
    evc_disk_attach(&vbd->disk, page, abi);
    return NULL;
}

static void unmap_ring(struct evc_vbd *vbd)
{
    evc_grant_unmap(&vbd->backend->grants, vbd->ring_ref, true);
    vbd->disk.ring = NULL;
}

/* NULL, or why not. */
static const char *try_to_connect(struct evc_vbd *vbd)
{
    uint32_t port;
    const char *why;

    if (!front_number(vbd, "event-channel", &port))
        return "no event-channel";
    why = map_ring(vbd);
    if (why != NULL)
        return why;
    if (evc_host_connect(vbd->backend->domain, port, 0, evc_source_ring,
                         &vbd->requests, &vbd->host) == 0)
        return NULL;
    unmap_ring(vbd);
    return "event-channel is not offered to domain 0";
}

static void connect_front(struct evc_vbd *vbd)
{
    const char *why;

    if (vbd->connected || vbd->state == EVC_XENBUS_CLOSING)
        return;
    why = try_to_connect(vbd);
    if (why != NULL) {
        evc_log(&vbd->backend->log, "%s: %s", vbd->front, why);
        (void)publish(vbd, "error", "%s", why);
        set_state(vbd, EVC_XENBUS_CLOSING);
        return;
    }
    vbd->connected = true;
    set_state(vbd, EVC_XENBUS_CONNECTED);
    evc_source_ring(&vbd->requests); /* it may have sent some before */
}

/* ---- going ----------------------------------------------------------------------- */

static void disconnect(struct evc_vbd *vbd)
{
    if (!vbd->connected)
        return;
    evc_host_close(vbd->host);
    vbd->host = NULL;
    unmap_ring(vbd);
    vbd->connected = false;
}

/* ---- what the front end has written -------------------------------------------- */

static bool look(void *data)
{
    struct evc_vbd *vbd = data;
    uint32_t front;

    if (vbd->working || !front_number(vbd, "state", &front))
        return false; /* done() looks again */
    switch (front) {
    case EVC_XENBUS_INITIALISING:
        disconnect(vbd);
        set_state(vbd, EVC_XENBUS_INIT_WAIT);
        break;
    case EVC_XENBUS_INITIALISED:
    case EVC_XENBUS_CONNECTED:
        connect_front(vbd);
        break;
    case EVC_XENBUS_CLOSING:
        disconnect(vbd);
        set_state(vbd, EVC_XENBUS_CLOSING);
        break;
    case EVC_XENBUS_CLOSED:
        disconnect(vbd);
        set_state(vbd, EVC_XENBUS_CLOSED);
        break;
    default:
        break;
    }
    return false;
}

/* ---- requests ---------------------------------------------------------------------- */

static void run(uv_work_t *work)
{
    struct evc_vbd *vbd = work->data;

    evc_disk_run(&vbd->disk);
}

static void done(uv_work_t *work, int status)
{
    struct evc_vbd *vbd = work->data;

    (void)status; /* nobody cancels it */
    vbd->working = false;
    if (evc_disk_answer(&vbd->disk))
        (void)evc_host_send(vbd->host);
    evc_source_ring(&vbd->requests);
    evc_source_ring(&vbd->look); /* what has it written meanwhile? */
}

static bool serve(void *data)
{
    struct evc_vbd *vbd = data;
    bool was_broken = vbd->disk.broken;

    if (!vbd->connected || vbd->working || atomic_load(&vbd->backend->stopping))
        return false;
    if (evc_disk_fetch(&vbd->disk) > 0) {
        vbd->working = true;
        vbd->work.data = vbd;
        (void)uv_queue_work(&vbd->backend->loop, &vbd->work, run, done);
    } else if (vbd->disk.broken && !was_broken) {
        evc_log(&vbd->backend->log, "%s: the ring's indices make no sense",
                vbd->front);
    }
    return false;
}

/* ---- names ------------------------------------------------------------------------- */

unsigned evc_backend_disk_number(const char *name)
{
    size_t length = strlen(name);
    unsigned nth;

    if (length < 3 || name[length - 1] < 'a')
        return 0;
    nth = (unsigned)(name[length - 1] - 'a');
    if (length == 4 && strncmp(name, "xvd", 3) == 0 && nth < 16)
        return 202u << 8 | nth << 4;
    if (length == 3 && strncmp(name, "sd", 2) == 0 && nth < 16)
        return 8u << 8 | nth << 4;
    if (length == 3 && strncmp(name, "hd", 2) == 0 && nth < 4)
        return (nth < 2 ? 3u : 22u) << 8 | (nth % 2) << 6;
    return 0;
}

static int name_it(struct evc_vbd *vbd, unsigned index, const char *name)
{
    if (name == NULL)
        snprintf(vbd->name, sizeof(vbd->name), "xvd%c", 'a' + (int)index);
    else
        snprintf(vbd->name, sizeof(vbd->name), "%s", name);
    vbd->number = evc_backend_disk_number(vbd->name);
    if (vbd->number != 0)
        return 0;
    evc_log(&vbd->backend->log, "%s: no name of a disk", name);
    return -EINVAL;
}

/* ---- its life ----------------------------------------------------------------------- */

/* What devices of all kinds are below of. */
static int make_parent(struct evc_vbd *vbd, const char *path, const char *perms)
{
    char above[80];

    snprintf(above, sizeof(above), "%s", path);
    *strrchr(above, '/') = '\0';
    return evc_store_set(vbd->backend->store, above, "", perms);
}

static int fill_front(struct evc_vbd *vbd)
{
    struct evc_store *store = vbd->backend->store;
    const struct {
        const char *node, *value;
    } nodes[] = {
        {"backend", vbd->back},
        {"backend-id", "0"},
        {"state", "1"},
        {"device-type", "disk"},
    };
    char path[112], perms[16], number[16];
    int r;

    snprintf(perms, sizeof(perms), "n0,r%u", vbd->backend->id);
    r = make_parent(vbd, vbd->front, perms);
    snprintf(perms, sizeof(perms), "n%u,r0", vbd->backend->id);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes) && r == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", vbd->front, nodes[i].node);
        r = evc_store_set(store, path, nodes[i].value, perms);
    }
    snprintf(path, sizeof(path), "%s/virtual-device", vbd->front);
    snprintf(number, sizeof(number), "%u", vbd->number);
    return r < 0 ? r : evc_store_set(store, path, number, perms);
}

static int fill_back(struct evc_vbd *vbd, bool first, const char *file)
{
    char perms[16];
    int r = make_parent(vbd, vbd->back, "n0");

    if (r < 0)
        return r;
    snprintf(perms, sizeof(perms), "n0,r%u", vbd->backend->id);
    r = evc_store_set(vbd->backend->store, vbd->back, "", perms);
    if (r < 0 || (r = publish(vbd, "frontend", "%s", vbd->front)) < 0 ||
        (r = publish(vbd, "frontend-id", "%u", vbd->backend->id)) < 0 ||
        (r = publish(vbd, "params", "%s", file)) < 0 ||
        (r = publish(vbd, "dev", "%s", vbd->name)) < 0 ||
        (r = publish(vbd, "type", "file")) < 0 ||
        (r = publish(vbd, "mode", vbd->disk.read_only ? "r" : "w")) < 0 ||
        (r = publish(vbd, "device-type", "disk")) < 0 ||
        (r = publish(vbd, "online", "1")) < 0 ||
        (r = publish(vbd, "removable", "0")) < 0 ||
        (r = publish(vbd, "bootable", "%d", first)) < 0 ||
        (r = publish(vbd, "feature-flush-cache", "1")) < 0 ||
        (r = publish(vbd, "feature-barrier", "0")) < 0 ||
        (r = publish(vbd, "feature-discard", "0")) < 0 ||
        (r = publish(vbd, "sector-size", "%u", EVC_BLK_SECTOR)) < 0 ||
        (r = publish(vbd, "sectors", "%llu",
                     (unsigned long long)vbd->disk.sectors)) < 0 ||
        (r = publish(vbd, "info", "%u",
                     vbd->disk.read_only ? EVC_VDISK_READONLY : 0)) < 0)
        return r;
    set_state(vbd, EVC_XENBUS_INIT_WAIT);
    return 0;
}

int evc_vbd_open(struct evc_vbd *vbd, struct evc_backend *backend,
                 unsigned index, const struct evc_backend_disk *config)
{
    int r;

    *vbd = (struct evc_vbd){.backend = backend};
    r = name_it(vbd, index, config->name);
    if (r < 0)
        return r;
    r = evc_disk_open(&vbd->disk, config, &backend->grants, &backend->log);
    if (r < 0)
        return r;
    snprintf(vbd->front, sizeof(vbd->front), "/local/domain/%u/device/vbd/%u",
             backend->id, vbd->number);
    snprintf(vbd->back, sizeof(vbd->back), "/local/domain/0/backend/vbd/%u/%u",
             backend->id, vbd->number);
    snprintf(vbd->front_state, sizeof(vbd->front_state), "%s/state",
             vbd->front);
    r = fill_front(vbd);
    if (r == 0)
        r = fill_back(vbd, index == 0, config->path);
    evc_source_add(backend, &vbd->look, look, vbd);
    evc_source_add(backend, &vbd->requests, serve, vbd);
    vbd->listener = (struct evc_store_listener){
        .changed = evc_source_ring,
        .data = &vbd->look,
        .path = vbd->front_state,
    };
    evc_store_listen(backend->store, &vbd->listener);
    if (r < 0)
        evc_disk_close(&vbd->disk);
    return r;
}

bool evc_vbd_stop(struct evc_vbd *vbd)
{
    if (!vbd->working)
        disconnect(vbd);
    return vbd->working;
}

void evc_vbd_close(struct evc_vbd *vbd)
{
    disconnect(vbd);
    evc_disk_close(&vbd->disk);
}
