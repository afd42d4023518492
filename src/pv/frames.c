/* SPDX-License-Identifier: MIT */
/*
 * Machine memory: one file in memory, mapped whole for the host.
 *
 *     frame 0         nobody's
 *     frame 1         shared_info
 *     2 .. 0x3ff      handed out to the guest one by one (grant table)
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

static int map_memory(struct evc_pv_frames *frames)
{
    uint64_t size = frames->end * EVC_PV_PAGE + evc_pv_m2p_size(frames);
    void *at;

    if (ftruncate(frames->fd, (off_t)size) < 0)
        return -errno;
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
              frames->fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    frames->memory = at;
    frames->m2p = (uint64_t *)(frames->memory + frames->end * EVC_PV_PAGE);
    return 0;
}

/* The host's own frames belong to no page of the guest's. */
static void fill_m2p(struct evc_pv_frames *frames)
{
    for (uint64_t mfn = 0; mfn < EVC_PV_FIRST_MFN; mfn++)
        frames->m2p[mfn] = EVC_PV_NO_PFN;
    for (uint64_t pfn = 0; pfn < frames->nr_pages; pfn++)
        frames->m2p[EVC_PV_FIRST_MFN + pfn] = pfn;
}

int evc_pv_frames_create(uint64_t nr_pages, struct evc_pv_frames *frames,
                         struct evc_pv_error *error)
{
    int r;

    *frames = (struct evc_pv_frames){
        .fd = -1,
        .nr_pages = nr_pages,
        .end = EVC_PV_FIRST_MFN + nr_pages,
        .spare = EVC_PV_FIRST_SPARE_MFN,
    };
    if (nr_pages < EVC_PV_PAGES_MIN || nr_pages > EVC_PV_PAGES_MAX)
        return evc_pv_fail(error, -EINVAL,
                           "a guest has between 4 MiB and 1 TiB of memory");
    frames->fd = open_memory();
    r = frames->fd < 0 ? frames->fd : map_memory(frames);
    if (r < 0) {
        evc_pv_frames_destroy(frames);
        return evc_pv_fail(error, r, "cannot have %llu MiB of guest memory: %s",
                           (unsigned long long)nr_pages >> 8, strerror(-r));
    }
    fill_m2p(frames);
    return 0;
}

void evc_pv_frames_destroy(struct evc_pv_frames *frames)
{
    if (frames->memory)
        munmap(frames->memory,
               frames->end * EVC_PV_PAGE + evc_pv_m2p_size(frames));
    if (frames->fd >= 0)
        close(frames->fd);
    *frames = (struct evc_pv_frames){.fd = -1};
}

int evc_pv_frames_alloc(struct evc_pv_frames *frames, uint64_t *mfn)
{
    if (frames->spare == EVC_PV_FIRST_MFN)
        return -ENOMEM;
    *mfn = frames->spare++;
    return 0;
}
