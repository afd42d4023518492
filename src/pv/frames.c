/* SPDX-License-Identifier: MIT */
/*
 * Machine memory: one file in memory, mapped whole for the host.
 *
 *     frame 0         nobody's
 *     1 .. 0x3fe      handed out to the guest one by one (grant table)
 *     0x3ff           shared_info
 *     0x400 ..        the guest's own memory
 *     behind `end`    the machine-to-physical table
 */
#include "pv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* newer than the headers here */
#endif

/* vm.memfd_noexec=2 refuses; an unlinked file can still be mapped to run. */
static int unlinked_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[256];
    int fd, n;

    n = snprintf(path, sizeof(path), "%s/evc-boot.XXXXXX",
                 folder ? folder : "/tmp");
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

static int open_memory(void)
{
    int fd = memfd_create("evc boot", MFD_CLOEXEC | MFD_EXEC);

    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 there is no MFD_EXEC */
        fd = memfd_create("evc boot", MFD_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        fd = unlinked_file();
    return fd < 0 ? (fd == -1 ? -errno : fd) : fd;
}

static uint64_t size_of(uint64_t nr_pages)
{
    struct evc_pv_frames frames = {.end = EVC_PV_FIRST_MFN + nr_pages};

    return frames.end * EVC_PV_PAGE + evc_pv_m2p_size(&frames);
}

static int map_file(int fd, uint64_t size, uint8_t **memory)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    *memory = at;
    return 0;
}

static int map_memory(struct evc_pv_frames *frames)
{
    uint64_t size = size_of(frames->nr_pages);
    int r = map_file(frames->fd, size, &frames->memory);

    if (r == 0 && frames->peer_fd >= 0)
        r = map_file(frames->peer_fd, size, &frames->peer);
    if (r == 0)
        frames->m2p = (uint64_t *)(frames->memory + frames->end * EVC_PV_PAGE);
    return r;
}

/* The host's own frames belong to no page of the guest's. */
static void fill_m2p(struct evc_pv_frames *frames)
{
    for (uint64_t mfn = 0; mfn < EVC_PV_FIRST_MFN; mfn++)
        frames->m2p[mfn] = EVC_PV_NO_PFN;
    for (uint64_t pfn = 0; pfn < frames->nr_pages; pfn++)
        frames->m2p[EVC_PV_FIRST_MFN + pfn] = pfn;
}

static int cannot_have(uint64_t nr_pages, int r, struct evc_pv_error *error)
{
    return evc_pv_fail(error, r, "cannot have %llu MiB of guest memory: %s",
                       (unsigned long long)nr_pages >> 8, strerror(-r));
}

int evc_pv_memory_create(uint64_t nr_pages, struct evc_pv_error *error)
{
    int fd;

    if (nr_pages < EVC_PV_PAGES_MIN || nr_pages > EVC_PV_PAGES_MAX)
        return evc_pv_fail(error, -EINVAL,
                           "a guest has between 4 MiB and 1 TiB of memory");
    fd = open_memory();
    if (fd >= 0 && ftruncate(fd, (off_t)size_of(nr_pages)) < 0) {
        int r = -errno;

        close(fd);
        fd = r;
    }
    return fd >= 0 ? fd : cannot_have(nr_pages, fd, error);
}

int evc_pv_frames_open(uint64_t nr_pages, int own_fd, int peer_fd,
                       struct evc_pv_frames *frames, struct evc_pv_error *error)
{
    int r;

    *frames = (struct evc_pv_frames){
        .fd = own_fd,
        .peer_fd = peer_fd,
        .nr_pages = nr_pages,
        .end = EVC_PV_FIRST_MFN + nr_pages,
        .spare = EVC_PV_FIRST_SPARE_MFN,
    };
    r = map_memory(frames);
    if (r < 0) {
        evc_pv_frames_destroy(frames);
        return cannot_have(nr_pages, r, error);
    }
    fill_m2p(frames);
    return 0;
}

int evc_pv_frames_create(uint64_t nr_pages, struct evc_pv_frames *frames,
                         struct evc_pv_error *error)
{
    int fd = evc_pv_memory_create(nr_pages, error);

    *frames = (struct evc_pv_frames){.fd = -1, .peer_fd = -1};
    return fd < 0 ? fd : evc_pv_frames_open(nr_pages, fd, -1, frames, error);
}

void evc_pv_frames_destroy(struct evc_pv_frames *frames)
{
    if (frames->memory)
        munmap(frames->memory, size_of(frames->nr_pages));
    if (frames->peer)
        munmap(frames->peer, size_of(frames->nr_pages));
    if (frames->fd >= 0)
        close(frames->fd);
    if (frames->peer_fd >= 0)
        close(frames->peer_fd);
    *frames = (struct evc_pv_frames){.fd = -1, .peer_fd = -1};
}

int evc_pv_frames_alloc(struct evc_pv_frames *frames, uint64_t *mfn)
{
    if (frames->spare == EVC_PV_SHARED_INFO_MFN)
        return -ENOMEM;
    *mfn = frames->spare++;
    return 0;
}
