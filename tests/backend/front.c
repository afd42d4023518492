/* SPDX-License-Identifier: MIT */
/* A guest without a processor: front.h. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/xen.h>

/* ---- memory ----------------------------------------------------------------- */

static void *frame_of(void *guest, uint64_t frame)
{
    struct front *f = guest;

    if (frame < FIRST || frame >= FIRST + FRAMES)
        return NULL;
    return f->memory + (frame - FIRST) * PAGE;
}

static int alloc(void *guest, uint64_t *frame)
{
    struct front *f = guest;

    if (f->allocated == f->alloc_limit)
        return -ENOMEM;
    *frame = FIRST + FRAMES - ++f->allocated;
    return 0;
}

/* "Addresses" of this guest: the frame times the size of a page. */
static void *address_of(struct front *f, uint64_t address, size_t size)
{
    uint64_t offset = address - (uint64_t)FIRST * PAGE;

    if (offset > FRAMES * PAGE || size > FRAMES * PAGE - offset)
        return NULL;
    return f->memory + offset;
}

static int copy_from(void *guest, void *to, uint64_t from, size_t size)
{
    void *at = address_of(guest, from, size);

    if (at == NULL)
        return -EFAULT;
    memcpy(to, at, size);
    return 0;
}

static int copy_to(void *guest, uint64_t to, const void *from, size_t size)
{
    void *at = address_of(guest, to, size);

    if (at == NULL)
        return -EFAULT;
    memcpy(at, from, size);
    return 0;
}

/* What a peer's frame was mapped as, for the test to see. */
static int map_peer(void *guest, uint64_t address, uint64_t frame, bool write)
{
    struct front *f = guest;

    if (address_of(f, address, PAGE) == NULL)
        return -EINVAL;
    f->mapped = (struct front_mapping){address, frame, write};
    return 0;
}

static void *peer_frame(void *guest, uint64_t frame)
{
    struct front *f = guest;

    return frame_of(f->peer, frame);
}

static void unmap_peer(void *guest, uint64_t address)
{
    struct front *f = guest;

    assert_true(f->mapped.address == address);
    f->mapped.address = 0;
}

static void note_line(void *guest, const char *line)
{
    struct front *f = guest;

    strncat(f->log, line, sizeof(f->log) - strlen(f->log) - 2);
    strcat(f->log, "\n");
}

static void leave(void *guest)
{
    struct front *f = guest;

    atomic_fetch_add(&f->left, 1);
}

const struct evc_backend_ops front_ops = {
    .frame = frame_of,
    .alloc = alloc,
    .copy_from = copy_from,
    .copy_to = copy_to,
    .map_peer = map_peer,
    .unmap_peer = unmap_peer,
    .peer_frame = peer_frame,
    .log = note_line,
    .leave = leave,
};

static uint8_t *fenced_memory(void)
{
    uint8_t *at = mmap(NULL, (FRAMES + 2) * PAGE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(at, MAP_FAILED);
    assert_int_equal(mprotect(at + PAGE, FRAMES * PAGE, PROT_READ | PROT_WRITE),
                     0);
    return at + PAGE;
}

void front_init_as(struct front *f, evc_domid id)
{
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = id,
        .vcpus = 1,
        .max_port = UINT32_MAX,
    };

    memset(f, 0, sizeof(*f));
    f->alloc_limit = 40;
    f->memory = fenced_memory();
    config.shared_info = f->memory;
    assert_int_equal(
        evc_engine_create(NULL, NULL, EVC_COMPAT_DEFAULT, &f->engine), 0);
    assert_int_equal(evc_domain_create(f->engine, &config, &f->domain), 0);
    f->config = (struct evc_backend_config){
        .domain = f->domain,
        .ops = &front_ops,
        .guest = f,
        .name = "front",
        .memory_kib = 65536,
        .vcpus = 1,
        .store_frame = STORE_FRAME,
        .console_frame = CONSOLE_FRAME,
        .console = EVC_CONSOLE_PTY,
    };
}

void front_init(struct front *f)
{
    front_init_as(f, GUEST_ID);
}

void front_start(struct front *f)
{
    assert_int_equal(evc_backend_create(&f->config, &f->backend), 0);
    assert_int_equal(evc_backend_start(f->backend), 0);
}

void front_finish(struct front *f)
{
    evc_backend_destroy(f->backend);
    f->backend = NULL;
    evc_engine_destroy(f->engine);
    munmap(f->memory - PAGE, (FRAMES + 2) * PAGE);
}

void *front_page(struct front *f, uint64_t frame)
{
    void *page = frame_of(f, frame);

    assert_non_null(page);
    return page;
}

bool is_pending(struct front *f, evc_port port)
{
    evc_a64 *words = (evc_a64 *)(void *)(f->memory + 2048);
    uint64_t bit = UINT64_C(1) << port % 64;

    return evc_a64_clear_sc(&words[port / 64], bit) & bit;
}

void front_turn(unsigned turns)
{
    const struct timespec nap = {.tv_nsec = 1000000};

    if (turns < 100)
        sched_yield();
    else
        nanosleep(&nap, NULL);
    if (turns > 60000)
        fail_msg("nothing happens");
}

/* ---- the store ------------------------------------------------------------ */

static struct evc_xs_ring *store_ring(struct front *f)
{
    return front_page(f, STORE_FRAME);
}

static void store_say(struct front *f, const void *bytes, size_t size)
{
    struct evc_xs_ring *ring = store_ring(f);
    uint32_t prod = evc_a32_load_rlx(&ring->req_prod);

    for (size_t i = 0; i < size; i++) {
        if (prod - evc_a32_load_acq(&ring->req_cons) == EVC_XS_RING) {
            evc_a32_store_rel(&ring->req_prod, prod);
            evc_send(f->domain, EVC_BACKEND_STORE_PORT);
            WAIT_UNTIL(prod - evc_a32_load_acq(&ring->req_cons) < EVC_XS_RING);
        }
        ring->req[prod++ % EVC_XS_RING] = ((const uint8_t *)bytes)[i];
    }
    evc_a32_store_rel(&ring->req_prod, prod);
    evc_send(f->domain, EVC_BACKEND_STORE_PORT);
}

static void store_hear(struct front *f, void *bytes, size_t size)
{
    struct evc_xs_ring *ring = store_ring(f);
    uint32_t cons = evc_a32_load_rlx(&ring->rsp_cons);

    for (size_t i = 0; i < size; i++) {
        WAIT_UNTIL(evc_a32_load_acq(&ring->rsp_prod) != cons);
        ((uint8_t *)bytes)[i] = ring->rsp[cons++ % EVC_XS_RING];
        evc_a32_store_rel(&ring->rsp_cons, cons);
        if (cons % 512 == 0)
            evc_send(f->domain, EVC_BACKEND_STORE_PORT);
    }
    evc_send(f->domain, EVC_BACKEND_STORE_PORT);
}

static void make_printable(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = '|';
    text[size] = '\0';
}

const char *ask(struct front *f, enum evc_xs_type type, const char *payload)
{
    struct evc_xs_header header = {(uint32_t)type, 77, f->tx,
                                   (uint32_t)strlen(payload)};
    char bytes[EVC_XS_PAYLOAD + 1];
    char *text = f->reply;

    for (size_t i = 0; i <= header.len; i++)
        bytes[i] = payload[i] == '|' ? '\0' : payload[i];
    store_say(f, &header, sizeof(header));
    store_say(f, bytes, header.len);
    for (;;) {
        store_hear(f, &header, sizeof(header));
        assert_true(header.len <= EVC_XS_PAYLOAD);
        store_hear(f, bytes, header.len);
        make_printable(bytes, header.len);
        if (header.type != EVC_XS_WATCH_EVENT)
            break;
        strcat(strcat(f->events, bytes), "\n");
    }
    assert_int_equal(header.req_id, 77);
    assert_int_equal(header.tx_id, f->tx);
    if (header.type == EVC_XS_ERROR)
        *text++ = '!';
    else
        assert_int_equal(header.type, type);
    memcpy(text, bytes, header.len + 1);
    return f->reply;
}

const char *node(struct front *f, const char *path)
{
    char payload[256];

    snprintf(payload, sizeof(payload), "%s|", path);
    return ask(f, EVC_XS_READ, payload);
}

void set_node(struct front *f, const char *path, const char *value)
{
    char payload[512];

    snprintf(payload, sizeof(payload), "%s|%s", path, value);
    assert_string_equal(ask(f, EVC_XS_WRITE, payload), "OK|");
}

/* ---- grants ----------------------------------------------------------------- */

struct evc_grant_entry *front_grant_entry(struct front *f, uint32_t ref)
{
    return (struct evc_grant_entry *)front_page(f, FIRST + FRAMES - 1) + ref;
}

void front_grant(struct front *f, uint32_t ref, uint64_t frame, uint32_t flags)
{
    struct evc_grant_entry *entry = front_grant_entry(f, ref);

    evc_a32_store_rlx(&entry->frame, (uint32_t)frame);
    evc_a32_store_rel(&entry->who, flags | EVC_GTF_PERMIT_ACCESS);
}

uint32_t front_grant_flags(struct front *f, uint32_t ref)
{
    return evc_a32_load_acq(&front_grant_entry(f, ref)->who) & 0xffff;
}

/* ---- a block front end --------------------------------------------------------- */

static struct evc_blk_ring *block_ring(struct front *f)
{
    return front_page(f, RING_FRAME);
}

void block_ring_init(struct front *f)
{
    struct evc_blk_ring *ring = block_ring(f);

    memset(ring, 0, PAGE);
    evc_a32_store_rlx(&ring->req_event, 1);
    evc_a32_store_rlx(&ring->rsp_event, 1);
    front_grant(f, RING_REF, RING_FRAME, 0);
    for (uint32_t i = 0; i < EVC_BLK_SEGMENTS; i++)
        front_grant(f, DATA_REF + i, DATA_FRAME + i, 0);
}

uint64_t block_put(struct front *f, const struct evc_blk_abi *abi,
                   const struct block_request *request)
{
    struct evc_blk_ring *ring = block_ring(f);
    uint32_t prod = evc_a32_load_rlx(&ring->req_prod);
    uint8_t *entry = ring->entries + prod % EVC_BLK_ENTRIES * abi->entry;
    uint64_t id = ++f->next_id << 32;

    memset(entry, 0xee, abi->entry);
    entry[0] = request->op;
    entry[1] = request->nr_segments;
    memcpy(entry + abi->id, &id, 8);
    memcpy(entry + abi->sector, &request->sector, 8);
    for (unsigned i = 0; i < EVC_BLK_SEGMENTS; i++) {
        uint8_t *at = entry + abi->segments + i * EVC_BLK_SEGMENT;

        memcpy(at, &request->segment[i].ref, 4);
        at[4] = request->segment[i].first;
        at[5] = request->segment[i].last;
    }
    evc_a32_store_sc(&ring->req_prod, prod + 1);
    return id;
}

bool block_take(struct front *f, const struct evc_blk_abi *abi, uint64_t *id,
                int *status)
{
    struct evc_blk_ring *ring = block_ring(f);
    uint32_t cons = evc_a32_load_rlx(&ring->rsp_event) - 1;
    const uint8_t *entry = ring->entries + cons % EVC_BLK_ENTRIES * abi->entry;
    int16_t answer;

    if (evc_a32_load_acq(&ring->rsp_prod) == cons)
        return false;
    memcpy(id, entry, 8);
    memcpy(&answer, entry + 10, 2);
    *status = answer;
    evc_a32_store_sc(&ring->rsp_event, cons + 2);
    return true;
}

void block_connect(struct front *f, const char *device, const char *protocol)
{
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF, .remote_dom = 0};
    char path[64], number[16];

    block_ring_init(f);
    assert_int_equal(
        evc_event_channel_op(f->domain, EVTCHNOP_alloc_unbound, &offer), 0);
    f->disk_port = offer.port;
    snprintf(path, sizeof(path), "%s/ring-ref", device);
    snprintf(number, sizeof(number), "%u", RING_REF);
    set_node(f, path, number);
    snprintf(path, sizeof(path), "%s/event-channel", device);
    snprintf(number, sizeof(number), "%u", f->disk_port);
    set_node(f, path, number);
    snprintf(path, sizeof(path), "%s/protocol", device);
    set_node(f, path, protocol);
    snprintf(path, sizeof(path), "%s/state", device);
    set_node(f, path, "3");
}

int block_do(struct front *f, const struct evc_blk_abi *abi,
             const struct block_request *request)
{
    uint64_t id = block_put(f, abi, request), answered = 0;
    int status = 1;

    evc_send(f->domain, f->disk_port);
    WAIT_UNTIL(block_take(f, abi, &answered, &status));
    assert_true(answered == id);
    return status;
}

int scratch_file(size_t size, char path[64])
{
    char name[] = "/tmp/evc-disk-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

bool has_terminals(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        printf("skipped: no pseudo-terminals here (is /dev/pts mounted?)\n");
    else
        close(fd);
    return fd >= 0;
}
