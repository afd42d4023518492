/* SPDX-License-Identifier: MIT */
/*
 * Bytes as steps: a hostile guest at a block ring, its grant table and its
 * hypercall.
 *
 * Each request that is fetched is answered; in the end no grant is left mapped,
 * and the file has its size.  The guest's memory lies between pages that nobody
 * may touch.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "internal.h"

#define STEPS_MAX   300u
#define FRAMES      16u
#define TABLE_FRAME 15u /* and downwards */
#define RING_FRAME  0u
#define SECTORS     24u

struct world {
    uint8_t *memory;
    uint32_t allocated;
    struct evc_engine *engine;
    struct evc_grants grants;
    struct evc_disk disk;
};

/* ---- the guest's memory ---------------------------------------------------- */

static void *frame_of(void *guest, uint64_t frame)
{
    struct world *w = guest;

    return frame < FRAMES ? w->memory + frame * PAGE : NULL;
}

static int alloc(void *guest, uint64_t *frame)
{
    struct world *w = guest;

    if (w->allocated == 4)
        return -ENOMEM;
    *frame = TABLE_FRAME - w->allocated++;
    return 0;
}

static int copy_from(void *guest, void *to, uint64_t from, size_t size)
{
    struct world *w = guest;

    if (from > FRAMES * PAGE || size > FRAMES * PAGE - from)
        return -EFAULT;
    memcpy(to, w->memory + from, size);
    return 0;
}

static int copy_to(void *guest, uint64_t to, const void *from, size_t size)
{
    struct world *w = guest;

    if (to > FRAMES * PAGE || size > FRAMES * PAGE - to)
        return -EFAULT;
    memcpy(w->memory + to, from, size);
    return 0;
}

static const struct evc_backend_ops ops = {
    .frame = frame_of,
    .alloc = alloc,
    .copy_from = copy_from,
    .copy_to = copy_to,
};

/* ---- what it does ------------------------------------------------------------ */

static struct evc_blk_ring *ring_of(struct world *w)
{
    return frame_of(w, RING_FRAME);
}

static void put_request(struct world *w, struct input *in)
{
    struct evc_blk_ring *ring = ring_of(w);
    uint32_t prod = evc_a32_load_rlx(&ring->req_prod);
    uint8_t *entry =
        ring->entries + prod % EVC_BLK_ENTRIES * w->disk.abi->entry;
    uint64_t sector = byte(in) % (SECTORS + 4);

    entry[0] = byte(in) % 7;
    entry[1] = byte(in) % 14;
    if (byte(in) == 0)
        sector = (uint64_t)word(in) << 32 | word(in);
    memcpy(entry + w->disk.abi->sector, &sector, 8);
    for (unsigned i = 0; i < EVC_BLK_SEGMENTS; i++) {
        uint8_t *segment = entry + w->disk.abi->segments + i * EVC_BLK_SEGMENT;
        uint32_t ref = byte(in) % 16;

        memcpy(segment, &ref, 4);
        segment[4] = byte(in) % 9;
        segment[5] = byte(in) % 9;
    }
    evc_a32_store_sc(&ring->req_prod, prod + 1);
}

static void grant(struct world *w, struct input *in)
{
    struct evc_grant_entry *entry =
        (struct evc_grant_entry *)frame_of(w, TABLE_FRAME) + byte(in) % 16;
    uint8_t how = byte(in);

    evc_a32_store_rlx(&entry->frame, how & 0x80 ? word(in) : how % 18);
    evc_a32_store_rlx(&entry->who, how & 0x40 ? word(in) : (how & 4) | 1);
}

/* Any word of its memory: ring, table, data. */
static void scribble(struct world *w, struct input *in)
{
    static const uint8_t frames[] = {0, 0, 0, 15, 15, 14, 1, 2};
    evc_a32 *page = frame_of(w, frames[byte(in) % 8]);
    uint8_t how = byte(in);

    evc_a32_store_rlx(&page[how & 1 ? byte(in) * 4u : byte(in) % 32],
                      how & 2 ? word(in) : how);
}

static void hypercall(struct world *w, struct input *in)
{
    uint64_t at = PAGE + byte(in) % 64;
    uint32_t *arg = (uint32_t *)(void *)(w->memory + PAGE);

    for (unsigned i = 0; i < 10; i++)
        arg[i] = byte(in) & 1 ? byte(in) : 0x7ff0;
    if (byte(in) == 0)
        at = word(in);
    w->grants.guest_32bit = byte(in) & 1;
    (void)evc_grants_op(&w->grants, NULL, byte(in) % 14, at, byte(in) % 4);
}

/* ---- what the host does ---------------------------------------------------------- */

static void serve(struct world *w)
{
    while (evc_disk_fetch(&w->disk) > 0) {
        uint32_t answered = w->disk.rsp_prod + w->disk.nr_batch;

        assert(w->disk.nr_batch <= EVC_BLK_ENTRIES);
        evc_disk_run(&w->disk);
        (void)evc_disk_answer(&w->disk);
        assert(w->disk.rsp_prod == answered);
        assert(w->disk.rsp_prod == w->disk.req_cons);
    }
}

static void attach(struct world *w, uint8_t how)
{
    memset(ring_of(w), 0, 64);
    evc_disk_attach(&w->disk, ring_of(w),
                    evc_blk_abi_find(how & 0x80 ? "x86_32-abi" : "x86_64-abi"));
}

static void check(struct world *w)
{
    struct stat st;

    for (uint32_t i = 0; i < w->grants.nr_frames; i++)
        for (uint32_t j = 0; j < EVC_GRANTS_PER_PAGE; j++)
            assert(w->grants.uses[i][j].readers == 0 &&
                   w->grants.uses[i][j].writers == 0);
    assert(fstat(w->disk.fd, &st) == 0);
    assert(st.st_size == SECTORS * EVC_BLK_SECTOR);
}

static void step(struct world *w, uint8_t what, struct input *in)
{
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        put_request(w, in);
        break;
    case 3:
    case 4:
        grant(w, in);
        break;
    case 5:
        scribble(w, in);
        break;
    case 6:
        hypercall(w, in);
        break;
    case 7:
        if (what & 0x40)
            attach(w, what);
        break;
    }
    serve(w);
}

/* ---- running an input --------------------------------------------------------------- */

static int scratch(void)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);

    assert(fd >= 0 && ftruncate(fd, SECTORS * EVC_BLK_SECTOR) == 0);
    return fd;
}

static void open_world(struct world *w)
{
    struct evc_domain_config config = {
        .size = sizeof(config), .id = 1, .vcpus = 1, .max_port = 100};
    struct evc_backend_config backend = {.ops = &ops, .guest = w};

    w->memory = mmap(NULL, (FRAMES + 2) * PAGE, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(w->memory != MAP_FAILED);
    w->memory += PAGE;
    assert(mprotect(w->memory, FRAMES * PAGE, PROT_READ | PROT_WRITE) == 0);
    config.shared_info = w->memory + 3 * PAGE;
    assert(evc_engine_create(NULL, NULL, EVC_COMPAT_DEFAULT, &w->engine) == 0);
    assert(evc_domain_create(w->engine, &config, &backend.domain) == 0);
    assert(evc_grants_init(&w->grants, &backend) == 0);
    w->disk = (struct evc_disk){
        .fd = scratch(), .sectors = SECTORS, .grants = &w->grants};
    attach(w, 0);
}

static void close_world(struct world *w)
{
    evc_disk_close(&w->disk);
    evc_grants_finish(&w->grants);
    evc_engine_destroy(w->engine);
    munmap(w->memory - PAGE, (FRAMES + 2) * PAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w = {0};

    open_world(&w);
    for (unsigned i = 0; i < STEPS_MAX && in.size > 0; i++)
        step(&w, byte(&in), &in);
    check(&w);
    close_world(&w);
    return 0;
}
