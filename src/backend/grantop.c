/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op: what a guest asks about its grant table.
 *
 * An argument is a struct in the guest's memory, copied whole, read at the
 * offsets that its width gives, and copied back.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define DOMID_SELF 0x7ff0u

/* ---- fields ---------------------------------------------------------------- */

#define ARG_MAX_SIZE 40u

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* A pointer, or a frame number. */
static uint64_t get_word(const struct evc_grants *grants, const uint8_t *at)
{
    uint64_t value;

    if (grants->guest_32bit)
        return get32(at);
    memcpy(&value, at, sizeof(value));
    return value;
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put_status(uint8_t *at, enum evc_gntst status)
{
    int16_t value = (int16_t)status;

    memcpy(at, &value, sizeof(value));
}

static bool is_self(const struct evc_grants *grants, uint16_t domain)
{
    return domain == DOMID_SELF || domain == grants->self;
}

struct caller {
    struct evc_grants *grants;
    struct evc_peer *peer; /* or NULL */
};

/* ---- one element of each ----------------------------------------------------- */

/* {u16 dom; u32 nr_frames; s16 status; ulong *frame_list} */
static int setup_table(const struct caller *c, uint8_t *arg)
{
    struct evc_grants *grants = c->grants;
    uint32_t n = get32(arg + 4);
    uint64_t list = get_word(grants, arg + (grants->guest_32bit ? 12 : 16));
    size_t width = grants->guest_32bit ? 4 : 8;

    if (!is_self(grants, get16(arg))) {
        put_status(arg + 8, EVC_GNTST_BAD_DOMAIN);
        return 0;
    }
    if (evc_grants_grow(grants, n) < 0) {
        put_status(arg + 8, EVC_GNTST_GENERAL_ERROR);
        return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        if (grants->ops->copy_to(grants->guest, list + i * width,
                                 &grants->frame[i], width) < 0)
            return -EFAULT;
    put_status(arg + 8, EVC_GNTST_OKAY);
    return 0;
}

/* {u16 dom; u32 nr_frames, max_nr_frames; s16 status} */
static int query_size(const struct caller *c, uint8_t *arg)
{
    struct evc_grants *grants = c->grants;
    bool self = is_self(grants, get16(arg));

    if (self) {
        pthread_mutex_lock(&grants->lock);
        put32(arg + 4, grants->nr_frames);
        pthread_mutex_unlock(&grants->lock);
        put32(arg + 8, EVC_GRANT_FRAMES);
    }
    put_status(arg + 12, self ? EVC_GNTST_OKAY : EVC_GNTST_BAD_DOMAIN);
    return 0;
}

/* {u32 version}: there is one. */
static int set_version(const struct caller *c, uint8_t *arg)
{
    (void)c;
    if (get32(arg) != 1)
        return -EINVAL;
    return 0;
}

/* {u16 dom, pad; u32 version} */
static int get_version(const struct caller *c, uint8_t *arg)
{
    struct evc_grants *grants = c->grants;
    if (!is_self(grants, get16(arg)))
        return -EPERM;
    put32(arg + 4, 1);
    return 0;
}

/* ---- frames of the peer's -------------------------------------------------------- */

#define GNTMAP_HOST     2u
#define GNTMAP_READONLY 4u

/* At an address of the guest's, and in no other way. */
static enum evc_gntst map_from(const struct caller *c, const uint8_t *arg,
                               uint32_t *handle)
{
    uint32_t flags = get32(arg + 8);
    uint64_t address, frame;
    bool write = !(flags & GNTMAP_READONLY);
    int r;

    memcpy(&address, arg, sizeof(address));
    if (c->peer == NULL || get16(arg + 16) != c->peer->id)
        return EVC_GNTST_BAD_DOMAIN;
    if ((flags & ~GNTMAP_READONLY) != GNTMAP_HOST || address % PAGE != 0)
        return EVC_GNTST_GENERAL_ERROR;
    r = evc_peer_map(c->peer, get32(arg + 12), write, handle, &frame);
    if (r != EVC_GNTST_OKAY)
        return (enum evc_gntst)r;
    if (c->grants->ops->map_peer(c->grants->guest, address, frame, write) ==
        0) {
        c->peer->ours[*handle] = address | 1;
        return EVC_GNTST_OKAY;
    }
    evc_peer_unmap(c->peer, *handle);
    return EVC_GNTST_BAD_VIRT_ADDR;
}

/* {u64 host_addr; u32 flags, ref; u16 dom; s16 status; u32 handle; u64 bus} */
static int map_one(const struct caller *c, uint8_t *arg)
{
    uint32_t handle = 0;
    enum evc_gntst status = map_from(c, arg, &handle);

    put_status(arg + 18, status);
    if (status == EVC_GNTST_OKAY)
        put32(arg + 20, handle);
    return 0;
}

/* {u64 host_addr, bus; u32 handle; s16 status} */
static int unmap_one(const struct caller *c, uint8_t *arg)
{
    uint32_t handle = get32(arg + 16);
    uint64_t address;

    memcpy(&address, arg, sizeof(address));
    if (c->peer == NULL || handle >= EVC_PEER_MAPS ||
        c->peer->ours[handle] == 0) {
        put_status(arg + 20, EVC_GNTST_BAD_HANDLE);
    } else if (address != 0 && (address | 1) != c->peer->ours[handle]) {
        put_status(arg + 20, EVC_GNTST_BAD_VIRT_ADDR);
    } else {
        c->grants->ops->unmap_peer(c->grants->guest,
                                   c->peer->ours[handle] & ~UINT64_C(1));
        c->peer->ours[handle] = 0;
        evc_peer_unmap(c->peer, handle);
        put_status(arg + 20, EVC_GNTST_OKAY);
    }
    return 0;
}

/* ---- copy -------------------------------------------------------------------- */

/* {ulong frame or u32 ref; u16 domid, offset} */
struct end {
    bool by_ref, write;
    uint64_t what;
    uint16_t domain, offset;
    void *page;
    bool is_peers;
    uint32_t handle; /* then */
};

static struct end end_of(const struct evc_grants *grants, const uint8_t *at,
                         bool by_ref, bool write)
{
    const uint8_t *rest = at + (grants->guest_32bit ? 4 : 8);

    return (struct end){
        .by_ref = by_ref,
        .write = write,
        .what = by_ref ? get32(at) : get_word(grants, at),
        .domain = get16(rest),
        .offset = get16(rest + 2),
    };
}

static enum evc_gntst open_own(struct evc_grants *grants, struct end *end)
{
    if (!end->by_ref) {
        end->page = grants->ops->frame(grants->guest, end->what);
        return end->page != NULL ? EVC_GNTST_OKAY : EVC_GNTST_BAD_PAGE;
    }
    switch (evc_grant_map(grants, (uint32_t)end->what, grants->self, end->write,
                          &end->page)) {
    case 0:
        return EVC_GNTST_OKAY;
    case -EACCES:
        return EVC_GNTST_PERMISSION_DENIED;
    case -EFAULT:
        return EVC_GNTST_BAD_PAGE;
    default:
        return EVC_GNTST_BAD_GNTREF;
    }
}

/* Of others, only what they grant. */
static enum evc_gntst open_peers(const struct caller *c, struct end *end)
{
    const struct evc_grants *grants = c->grants;
    uint64_t frame;
    int r;

    if (!end->by_ref)
        return EVC_GNTST_PERMISSION_DENIED;
    r = evc_peer_map(c->peer, (uint32_t)end->what, end->write, &end->handle,
                     &frame);
    if (r != EVC_GNTST_OKAY)
        return (enum evc_gntst)r;
    end->page = grants->ops->peer_frame(grants->guest, frame);
    if (end->page != NULL)
        return EVC_GNTST_OKAY;
    evc_peer_unmap(c->peer, end->handle);
    return EVC_GNTST_BAD_PAGE;
}

static enum evc_gntst open_end(const struct caller *c, struct end *end)
{
    end->is_peers = c->peer != NULL && end->domain == c->peer->id;
    if (end->is_peers)
        return open_peers(c, end);
    if (is_self(c->grants, end->domain))
        return open_own(c->grants, end);
    return EVC_GNTST_BAD_DOMAIN;
}

static void close_end(const struct caller *c, const struct end *end)
{
    if (end->is_peers)
        evc_peer_unmap(c->peer, end->handle);
    else if (end->by_ref)
        evc_grant_unmap(c->grants, (uint32_t)end->what, end->write);
}

static enum evc_gntst copy(const struct caller *c, struct end *from,
                           struct end *to, uint32_t size)
{
    enum evc_gntst status;

    if (from->offset + size > PAGE || to->offset + size > PAGE)
        return EVC_GNTST_BAD_COPY_ARG;
    status = open_end(c, from);
    if (status != EVC_GNTST_OKAY)
        return status;
    status = open_end(c, to);
    if (status == EVC_GNTST_OKAY) {
        memmove((uint8_t *)to->page + to->offset,
                (const uint8_t *)from->page + from->offset, size);
        close_end(c, to);
    }
    close_end(c, from);
    return status;
}

/* {end source, dest; u16 len, flags; s16 status} */
static int copy_one(const struct caller *c, uint8_t *arg)
{
    const struct evc_grants *grants = c->grants;
    size_t end = grants->guest_32bit ? 8 : 16;
    uint8_t *rest = arg + 2 * end;
    uint16_t flags = get16(rest + 2);
    struct end from =
        end_of(grants, arg, flags & EVC_GNTCOPY_SOURCE_GREF, false);
    struct end to =
        end_of(grants, arg + end, flags & EVC_GNTCOPY_DEST_GREF, true);

    put_status(rest + 4, copy(c, &from, &to, get16(rest)));
    return 0;
}

/* ---- all of them -------------------------------------------------------------- */

static const struct op {
    int (*one)(const struct caller *caller, uint8_t *arg);
    uint8_t size, size_32;
    bool alone; /* not an array */
} ops[] = {
    [EVC_GNTTAB_MAP] = {map_one, 32, 32, false},
    [EVC_GNTTAB_UNMAP] = {unmap_one, 24, 24, false},
    [EVC_GNTTAB_SETUP_TABLE] = {setup_table, 24, 16, true},
    [EVC_GNTTAB_COPY] = {copy_one, 40, 24, false},
    [EVC_GNTTAB_QUERY_SIZE] = {query_size, 16, 16, true},
    [EVC_GNTTAB_SET_VERSION] = {set_version, 4, 4, true},
    [EVC_GNTTAB_GET_VERSION] = {get_version, 8, 8, true},
};

static int64_t do_one(const struct caller *c, const struct op *op, uint64_t at,
                      size_t size)
{
    const struct evc_grants *grants = c->grants;
    uint8_t arg[ARG_MAX_SIZE];
    int r;

    if (grants->ops->copy_from(grants->guest, arg, at, size) < 0)
        return -EFAULT;
    if (c->peer != NULL)
        pthread_mutex_lock(&c->peer->mapping);
    r = op->one(c, arg);
    if (c->peer != NULL)
        pthread_mutex_unlock(&c->peer->mapping);
    if (r < 0)
        return r;
    return grants->ops->copy_to(grants->guest, at, arg, size) < 0 ? -EFAULT : 0;
}

int64_t evc_grants_op(struct evc_grants *grants, struct evc_peer *peer,
                      uint32_t cmd, uint64_t arg, uint32_t count)
{
    const struct caller caller = {grants, peer};
    const struct op *op = cmd < sizeof(ops) / sizeof(*ops) ? &ops[cmd] : NULL;
    size_t size;
    int64_t r = 0;

    if (op == NULL || op->one == NULL)
        return -ENOSYS;
    if (count > INT32_MAX || (op->alone && count != 1))
        return -EINVAL;
    size = grants->guest_32bit ? op->size_32 : op->size;
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = do_one(&caller, op, arg + i * size, size);
    return r;
}
