/* SPDX-License-Identifier: MIT */
/*
 * A block ring and the file behind it.
 *
 *  label  here                        there (the guest)        if weaker
 *  D1     acquire req_prod            release req_prod         old entries read
 *  D2     release rsp_prod            acquire rsp_prod         answers seen
 *                                                              before they are
 *                                                              there
 *  D3     sc store req_event, then    sc store req_prod, then  a request that
 *         sc load req_prod            load req_event           nobody tells of
 *  D4     sc store rsp_prod, then     sc store rsp_event,      an answer that
 *         sc load rsp_event           then load rsp_prod       nobody tells of
 *
 * A batch is what was in the ring at one moment.  It is carried out in order,
 * and answered as a whole before the next is fetched: a flush is therefore
 * behind every write that the guest sent before it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the file --------------------------------------------------------------- */

static int open_file(struct evc_disk *disk, const char *path)
{
    disk->fd = -1;
    if (!disk->read_only) {
        disk->fd = open(path, O_RDWR | O_CLOEXEC);
        if (disk->fd < 0 && (errno == EACCES || errno == EROFS ||
                             errno == EPERM || errno == ETXTBSY))
            disk->read_only = true;
    }
    if (disk->read_only)
        disk->fd = open(path, O_RDONLY | O_CLOEXEC);
    return disk->fd < 0 ? -errno : 0;
}

/* A file that grows or shrinks later keeps the size that it had. */
static int measure(struct evc_disk *disk, const char **why)
{
    struct stat st;
    off_t size;

    *why = "not a file, nor a block device";
    if (fstat(disk->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return -EINVAL;
    size = lseek(disk->fd, 0, SEEK_END);
    *why = "smaller than a sector";
    disk->sectors = size > 0 ? (uint64_t)size / EVC_BLK_SECTOR : 0;
    return disk->sectors > 0 ? 0 : -EINVAL;
}

int evc_disk_open(struct evc_disk *disk, const struct evc_backend_disk *config,
                  struct evc_grants *grants, const struct evc_log *log)
{
    const char *why = NULL;
    int r;

    *disk = (struct evc_disk){.read_only = config->read_only, .grants = grants};
    r = open_file(disk, config->path);
    if (r == 0) {
        r = measure(disk, &why);
        /* Two guests that write to one file would ruin it. */
        if (r == 0 &&
            flock(disk->fd, LOCK_NB | (disk->read_only ? LOCK_SH : LOCK_EX)) <
                0) {
            r = -errno;
            why = "in use by somebody else";
        }
    }
    if (r < 0) {
        evc_log(log, "disk '%s': %s", config->path, why ? why : strerror(-r));
        evc_disk_close(disk);
    } else if (disk->read_only && !config->read_only) {
        evc_log(log, "disk '%s': cannot be written to; it is read-only",
                config->path);
    }
    return r;
}

void evc_disk_close(struct evc_disk *disk)
{
    if (disk->fd < 0)
        return;
    if (!disk->read_only)
        (void)fdatasync(disk->fd);
    close(disk->fd);
    disk->fd = -1;
}

/* ---- the ring ----------------------------------------------------------------- */

static const struct evc_blk_abi abis[] = {
    {"x86_64-abi", 112, 8, 16, 24, 16},
    {"x86_32-abi", 108, 4, 12, 20, 12},
};

const struct evc_blk_abi *evc_blk_abi_find(const char *name)
{
    for (size_t i = 0; i < sizeof(abis) / sizeof(*abis); i++)
        if (strcmp(abis[i].name, name) == 0)
            return &abis[i];
    return NULL;
}

void evc_disk_attach(struct evc_disk *disk, void *page,
                     const struct evc_blk_abi *abi)
{
    disk->ring = page;
    disk->abi = abi;
    disk->req_cons = 0;
    disk->rsp_prod = 0;
    disk->broken = false;
    disk->nr_batch = 0;
}

static uint8_t *entry_of(const struct evc_disk *disk, uint32_t index)
{
    return disk->ring->entries + index % EVC_BLK_ENTRIES * disk->abi->entry;
}

/* Out of the shared page once, and from then on from our own memory. */
static void read_request(const struct evc_disk *disk, uint32_t index,
                         struct evc_blk_request *request)
{
    const struct evc_blk_abi *abi = disk->abi;
    uint8_t entry[112];
    const uint8_t *segment = entry + abi->segments;

    memcpy(entry, entry_of(disk, index), abi->entry);
    request->op = entry[0];
    request->nr_segments = entry[1];
    memcpy(&request->id, entry + abi->id, 8);
    memcpy(&request->sector, entry + abi->sector, 8);
    for (unsigned i = 0; i < EVC_BLK_SEGMENTS; i++) {
        memcpy(&request->segment[i].ref, segment, 4);
        request->segment[i].first = segment[4];
        request->segment[i].last = segment[5];
        segment += EVC_BLK_SEGMENT;
    }
}

static uint32_t count_requests(struct evc_disk *disk)
{
    uint32_t n = evc_a32_load_acq(&disk->ring->req_prod) - /* D1 */
                 disk->req_cons;

    if (n > EVC_BLK_ENTRIES)
        disk->broken = true;
    return disk->broken ? 0 : n;
}

/* None are left: the guest is to tell of the next, unless it is there by now. */
static uint32_t count_or_arm(struct evc_disk *disk)
{
    uint32_t n = count_requests(disk);

    if (n > 0 || disk->broken)
        return n;
    evc_a32_store_sc(&disk->ring->req_event, disk->req_cons + 1); /* D3 */
    n = evc_a32_load_sc(&disk->ring->req_prod) - disk->req_cons;
    return n == 0 ? 0 : count_requests(disk);
}

unsigned evc_disk_fetch(struct evc_disk *disk)
{
    uint32_t n;

    if (disk->broken)
        return 0;
    n = count_or_arm(disk);
    for (uint32_t i = 0; i < n; i++)
        read_request(disk, disk->req_cons++, &disk->batch[i]);
    disk->nr_batch = n;
    return n;
}

static void write_answer(const struct evc_disk *disk, uint32_t index,
                         const struct evc_blk_request *request)
{
    uint8_t *entry = entry_of(disk, index);

    memcpy(entry, &request->id, 8);
    entry[8] = request->op;
    memcpy(entry + 10, &request->status, 2);
}

bool evc_disk_answer(struct evc_disk *disk)
{
    uint32_t before = disk->rsp_prod, wanted;

    for (unsigned i = 0; i < disk->nr_batch; i++)
        write_answer(disk, disk->rsp_prod++, &disk->batch[i]);
    disk->nr_batch = 0;
    evc_a32_store_sc(&disk->ring->rsp_prod, disk->rsp_prod); /* D2, D4 */
    wanted = evc_a32_load_sc(&disk->ring->rsp_event);        /* D4 */
    return disk->rsp_prod - wanted < disk->rsp_prod - before;
}

/* ---- requests ------------------------------------------------------------------- */

#define SECTORS_PER_PAGE (PAGE / EVC_BLK_SECTOR)

/* Bytes of a read or write; 0: it is not a good one. */
static uint64_t size_of(const struct evc_disk *disk,
                        const struct evc_blk_request *request)
{
    uint64_t sectors = 0;

    if (request->nr_segments > EVC_BLK_SEGMENTS)
        return 0;
    for (unsigned i = 0; i < request->nr_segments; i++) {
        unsigned first = request->segment[i].first;
        unsigned last = request->segment[i].last;

        if (first > last || last >= SECTORS_PER_PAGE)
            return 0;
        sectors += last - first + 1;
    }
    if (request->sector > disk->sectors ||
        sectors > disk->sectors - request->sector)
        return 0;
    return sectors * EVC_BLK_SECTOR;
}

static void unmap_segments(struct evc_disk *disk,
                           const struct evc_blk_request *request, unsigned n,
                           bool to_guest)
{
    while (n-- > 0)
        evc_grant_unmap(disk->grants, request->segment[n].ref, to_guest);
}

static int map_segments(struct evc_disk *disk,
                        const struct evc_blk_request *request, bool to_guest,
                        struct iovec *at)
{
    for (unsigned i = 0; i < request->nr_segments; i++) {
        unsigned first = request->segment[i].first;
        void *page;

        if (evc_grant_map(disk->grants, request->segment[i].ref, 0, to_guest,
                          &page) < 0) {
            unmap_segments(disk, request, i, to_guest);
            return -EINVAL;
        }
        at[i].iov_base = (uint8_t *)page + first * EVC_BLK_SECTOR;
        at[i].iov_len =
            (request->segment[i].last - first + 1u) * EVC_BLK_SECTOR;
    }
    return 0;
}

/* All of it or nothing that counts: what a file gives in parts is an error. */
static ssize_t transfer(const struct evc_disk *disk,
                        const struct evc_blk_request *request, bool to_guest,
                        const struct iovec *at)
{
    off_t offset = (off_t)(request->sector * EVC_BLK_SECTOR);
    ssize_t done;

    do
        done = to_guest ? preadv(disk->fd, at, request->nr_segments, offset)
                        : pwritev(disk->fd, at, request->nr_segments, offset);
    while (done < 0 && errno == EINTR);
    return done;
}

static int read_or_write(struct evc_disk *disk,
                         const struct evc_blk_request *request)
{
    bool to_guest = request->op == EVC_BLK_READ;
    struct iovec at[EVC_BLK_SEGMENTS];
    uint64_t size = size_of(disk, request);
    ssize_t done;

    if (size == 0 || (!to_guest && disk->read_only))
        return EVC_BLK_ERROR;
    if (map_segments(disk, request, to_guest, at) < 0)
        return EVC_BLK_ERROR;
    done = transfer(disk, request, to_guest, at);
    unmap_segments(disk, request, request->nr_segments, to_guest);
    return done >= 0 && (uint64_t)done == size ? EVC_BLK_OKAY : EVC_BLK_ERROR;
}

static int carry_out(struct evc_disk *disk,
                     const struct evc_blk_request *request)
{
    switch (request->op) {
    case EVC_BLK_READ:
    case EVC_BLK_WRITE:
        return read_or_write(disk, request);
    case EVC_BLK_FLUSH:
        if (!disk->read_only && fdatasync(disk->fd) < 0)
            return EVC_BLK_ERROR;
        return EVC_BLK_OKAY;
    default: /* barriers, discard, indirect segments: nobody offered them */
        return EVC_BLK_NOT_SUPPORTED;
    }
}

void evc_disk_run(struct evc_disk *disk)
{
    for (unsigned i = 0; i < disk->nr_batch; i++)
        disk->batch[i].status = (int16_t)carry_out(disk, &disk->batch[i]);
}
