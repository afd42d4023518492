/* SPDX-License-Identifier: MIT */
/*
 * A block ring and its file, in one thread: fetch, run, answer.
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTORS 64u

struct world {
    struct front front;
    struct evc_disk disk;
    const struct evc_blk_abi *abi;
    int fd; /* the file, for the test */
    char path[64];
};

static void open_disk(struct world *w, const char *path, bool read_only)
{
    const struct evc_log log = {front_ops.log, &w->front};

    assert_int_equal(evc_disk_open(&w->disk,
                                   &(struct evc_backend_disk){
                                       .path = path, .read_only = read_only},
                                   &w->front.backend->grants, &log),
                     0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    front_init(&w->front);
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     0);
    block_ring_init(&w->front);
    w->fd = scratch_file(SECTORS * 512, w->path);
    w->abi = evc_blk_abi_find("x86_64-abi");
    open_disk(w, w->path, false);
    evc_disk_attach(&w->disk, front_page(&w->front, RING_FRAME), w->abi);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    evc_disk_close(&w->disk);
    close(w->fd);
    front_finish(&w->front);
    free(w);
    return 0;
}

static void turn(struct world *w)
{
    while (evc_disk_fetch(&w->disk) > 0) {
        evc_disk_run(&w->disk);
        (void)evc_disk_answer(&w->disk);
    }
}

static int do_one(struct world *w, struct block_request request)
{
    uint64_t id = block_put(&w->front, w->abi, &request), answered;
    int status;

    turn(w);
    assert_true(block_take(&w->front, w->abi, &answered, &status));
    assert_true(answered == id);
    return status;
}

static char *data(struct world *w, unsigned page)
{
    return front_page(&w->front, DATA_FRAME + page);
}

/* One segment: page 0, these sectors. */
static struct block_request simple(uint8_t op, uint64_t sector, uint8_t first,
                                   uint8_t last)
{
    return (struct block_request){op, 1, sector, {{DATA_REF, first, last}}};
}

/* ---- what works -------------------------------------------------------------------- */

static void test_what_is_written_is_in_the_file_and_read_back(void **state)
{
    struct world *w = *state;
    char sector[512];

    strcpy(data(w, 0) + 1024, "written");
    assert_int_equal(do_one(w, simple(EVC_BLK_WRITE, 10, 2, 3)), 0);
    assert_int_equal(pread(w->fd, sector, 512, 5120), 512);
    assert_string_equal(sector, "written");
    memset(data(w, 0), 'x', PAGE);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 10, 7, 7)), 0);
    assert_string_equal(data(w, 0) + 7 * 512, "written");
    assert_int_equal(data(w, 0)[7 * 512 - 1], 'x');
}

static void do_eleven(struct world *w, uint8_t op)
{
    struct block_request request = {op, EVC_BLK_SEGMENTS, 3, {{0}}};

    for (uint8_t i = 0; i < EVC_BLK_SEGMENTS; i++)
        request.segment[i] = (struct block_segment){DATA_REF + i, i % 8, i % 8};
    assert_int_equal(do_one(w, request), 0);
}

static void try_eleven_segments(struct world *w)
{
    char sector[512];

    for (unsigned i = 0; i < EVC_BLK_SEGMENTS; i++)
        sprintf(data(w, i) + i % 8 * 512, "segment %u", i);
    do_eleven(w, EVC_BLK_WRITE);
    for (unsigned i = 0; i < EVC_BLK_SEGMENTS; i++) {
        char wanted[32];

        sprintf(wanted, "segment %u", i);
        assert_int_equal(pread(w->fd, sector, 512, (3 + i) * 512), 512);
        assert_string_equal(sector, wanted);
        memset(data(w, i), 0, PAGE);
    }
    do_eleven(w, EVC_BLK_READ);
    assert_string_equal(data(w, 10) + 2 * 512, "segment 10");
}

static void test_eleven_segments_go_where_they_say(void **state)
{
    try_eleven_segments(*state);
}

static void test_32_bit_ring_has_its_own_offsets(void **state)
{
    struct world *w = *state;

    block_ring_init(&w->front);
    w->abi = evc_blk_abi_find("x86_32-abi");
    evc_disk_attach(&w->disk, front_page(&w->front, RING_FRAME), w->abi);
    try_eleven_segments(w);
}

static void test_unknown_protocol_is_not_served(void **state)
{
    (void)state;
    assert_null(evc_blk_abi_find("arm-abi"));
    assert_null(evc_blk_abi_find(""));
}

static void test_last_sector_is_the_last(void **state)
{
    struct world *w = *state;

    assert_int_equal(do_one(w, simple(EVC_BLK_READ, SECTORS - 1, 0, 0)), 0);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, SECTORS - 8, 0, 7)), 0);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, SECTORS, 0, 0)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, SECTORS - 7, 0, 7)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, UINT64_MAX, 0, 0)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, UINT64_MAX / 512, 0, 7)),
                     -1);
}

static void test_flush_is_done_and_others_are_not_offered(void **state)
{
    struct world *w = *state;

    assert_int_equal(do_one(w, (struct block_request){.op = EVC_BLK_FLUSH}), 0);
    assert_int_equal(do_one(w, (struct block_request){.op = 2}),
                     -2); /* barrier */
    assert_int_equal(do_one(w, (struct block_request){.op = 5}),
                     -2); /* discard */
    assert_int_equal(do_one(w, (struct block_request){.op = 6}),
                     -2); /* indirect */
    assert_int_equal(do_one(w, (struct block_request){.op = 255}), -2);
}

static void test_answers_come_in_order_and_the_ring_goes_round(void **state)
{
    struct world *w = *state;
    const struct block_request request = simple(EVC_BLK_READ, 0, 0, 0);

    for (int round = 0; round < 10; round++) {
        uint64_t ids[EVC_BLK_ENTRIES], id;
        int status;

        for (unsigned i = 0; i < EVC_BLK_ENTRIES; i++)
            ids[i] = block_put(&w->front, w->abi, &request);
        turn(w);
        for (unsigned i = 0; i < EVC_BLK_ENTRIES; i++) {
            assert_true(block_take(&w->front, w->abi, &id, &status));
            assert_true(id == ids[i]);
            assert_int_equal(status, 0);
        }
        assert_false(block_take(&w->front, w->abi, &id, &status));
    }
}

static void test_guest_is_told_when_it_asked_to_be(void **state)
{
    struct world *w = *state;
    struct evc_blk_ring *ring = w->disk.ring;
    const struct block_request request = simple(EVC_BLK_READ, 0, 0, 0);

    evc_a32_store_rlx(&ring->rsp_event, 3); /* the third answer */
    for (uint32_t i = 1; i <= 4; i++) {
        block_put(&w->front, w->abi, &request);
        assert_int_equal(evc_disk_fetch(&w->disk), 1);
        evc_disk_run(&w->disk);
        assert_int_equal(evc_disk_answer(&w->disk), i == 3);
        assert_int_equal(evc_disk_fetch(&w->disk), 0);
        assert_int_equal(evc_a32_load_rlx(&ring->req_event), i + 1);
    }
}

/* ---- what does not -------------------------------------------------------------------- */

static void test_bad_segments_are_errors(void **state)
{
    struct world *w = *state;
    struct block_request request = simple(EVC_BLK_READ, 0, 3, 2);

    assert_int_equal(do_one(w, request), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 0, 0, 8)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_WRITE, 0, 255, 255)), -1);
    request = simple(EVC_BLK_READ, 0, 0, 0);
    request.nr_segments = 0;
    assert_int_equal(do_one(w, request), -1);
    request.nr_segments = EVC_BLK_SEGMENTS + 1;
    assert_int_equal(do_one(w, request), -1);
    request.nr_segments = 255;
    assert_int_equal(do_one(w, request), -1);
}

static void test_bad_grants_are_errors_and_leave_no_marks(void **state)
{
    struct world *w = *state;
    struct block_request request = {
        EVC_BLK_WRITE,
        3,
        0,
        {{DATA_REF, 0, 7}, {DATA_REF + 1, 0, 7}, {4000000000u, 0, 7}}};

    assert_int_equal(do_one(w, request), -1);
    front_grant(&w->front, 40, FIRST + FRAMES + 5, 0);
    request.segment[2].ref = 40;
    assert_int_equal(do_one(w, request), -1);
    front_grant(&w->front, 40, DATA_FRAME, 5u << EVC_GTF_DOMAIN_SHIFT);
    assert_int_equal(do_one(w, request), -1);
    assert_int_equal(front_grant_flags(&w->front, DATA_REF),
                     EVC_GTF_PERMIT_ACCESS);
}

static void
test_read_only_pages_can_be_written_to_disk_but_not_read_into(void **state)
{
    struct world *w = *state;

    front_grant(&w->front, DATA_REF, DATA_FRAME, EVC_GTF_READONLY);
    assert_int_equal(do_one(w, simple(EVC_BLK_WRITE, 0, 0, 7)), 0);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 0, 0, 7)), -1);
}

static void test_read_only_disk_is_not_written(void **state)
{
    struct world *w = *state;
    char sector[512];

    evc_disk_close(&w->disk);
    open_disk(w, w->path, true);
    evc_disk_attach(&w->disk, front_page(&w->front, RING_FRAME), w->abi);
    strcpy(data(w, 0), "not to be written");
    assert_int_equal(do_one(w, simple(EVC_BLK_WRITE, 0, 0, 0)), -1);
    assert_int_equal(do_one(w, (struct block_request){.op = EVC_BLK_FLUSH}), 0);
    assert_int_equal(pread(w->fd, sector, 512, 0), 512);
    assert_int_equal(sector[0], 0);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 0, 0, 0)), 0);
}

/* As often as it is tried: the error stays, and the ring works on. */
static void test_file_that_has_shrunk_gives_errors(void **state)
{
    struct world *w = *state;

    assert_int_equal(ftruncate(w->fd, 512 * 10), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(do_one(w, simple(EVC_BLK_READ, 20, 0, 0)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 9, 0, 1)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 9, 0, 0)), 0);
}

static void test_device_that_fails_gives_errors(void **state)
{
    struct world *w = *state;
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);

    assert_true(full >= 0);
    close(w->disk.fd);
    w->disk.fd = full; /* every write is ENOSPC */
    for (int i = 0; i < 5; i++)
        assert_int_equal(do_one(w, simple(EVC_BLK_WRITE, 0, 0, 7)), -1);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 0, 0, 7)), 0);
    assert_int_equal(do_one(w, (struct block_request){.op = EVC_BLK_FLUSH}),
                     -1);
}

static void test_index_out_of_reach_breaks_the_ring(void **state)
{
    struct world *w = *state;

    evc_a32_store_rlx(&w->disk.ring->req_prod, EVC_BLK_ENTRIES + 1);
    assert_int_equal(evc_disk_fetch(&w->disk), 0);
    assert_true(w->disk.broken);
    evc_a32_store_rlx(&w->disk.ring->req_prod, 1);
    assert_int_equal(evc_disk_fetch(&w->disk), 0);
    block_ring_init(&w->front);
    evc_disk_attach(&w->disk, front_page(&w->front, RING_FRAME), w->abi);
    assert_int_equal(do_one(w, simple(EVC_BLK_READ, 0, 0, 7)), 0);
}

static void test_request_is_what_it_was_when_it_was_fetched(void **state)
{
    struct world *w = *state;
    const struct block_request request = simple(EVC_BLK_READ, 0, 0, 0);
    uint64_t id = block_put(&w->front, w->abi, &request), answered;
    int status;

    assert_int_equal(evc_disk_fetch(&w->disk), 1);
    memset(w->disk.ring->entries, 0xff, PAGE - 64);
    evc_disk_run(&w->disk);
    (void)evc_disk_answer(&w->disk);
    assert_true(block_take(&w->front, w->abi, &answered, &status));
    assert_true(answered == id);
    assert_int_equal(status, 0);
}

/* ---- opening ------------------------------------------------------------------------------ */

static void expect_refused(struct world *w, const char *path, const char *why)
{
    const struct evc_log log = {front_ops.log, &w->front};
    struct evc_disk disk;

    w->front.log[0] = '\0';
    assert_true(evc_disk_open(&disk, &(struct evc_backend_disk){.path = path},
                              &w->front.backend->grants, &log) < 0);
    assert_string_equal(w->front.log, why);
}

static void test_what_is_no_disk_is_refused_with_its_name(void **state)
{
    struct world *w = *state;

    expect_refused(w, "/nowhere/disk.img",
                   "disk '/nowhere/disk.img': No such file or directory\n");
    expect_refused(w, "/dev/null",
                   "disk '/dev/null': not a file, nor a block device\n");
    expect_refused(w, "/tmp", "disk '/tmp': Is a directory\n");
}

static void test_file_without_a_whole_sector_is_refused(void **state)
{
    struct world *w = *state;
    char path[64], line[128];
    int fd = scratch_file(511, path);

    snprintf(line, sizeof(line), "disk '%s': smaller than a sector\n", path);
    expect_refused(w, path, line);
    close(fd);
}

static void test_file_that_somebody_writes_is_refused(void **state)
{
    struct world *w = *state;
    char line[128];

    snprintf(line, sizeof(line), "disk '%s': in use by somebody else\n",
             w->path);
    expect_refused(w, w->path, line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_in_the_file_and_read_back),
        TEST(test_eleven_segments_go_where_they_say),
        TEST(test_32_bit_ring_has_its_own_offsets),
        TEST(test_unknown_protocol_is_not_served),
        TEST(test_last_sector_is_the_last),
        TEST(test_flush_is_done_and_others_are_not_offered),
        TEST(test_answers_come_in_order_and_the_ring_goes_round),
        TEST(test_guest_is_told_when_it_asked_to_be),
        TEST(test_bad_segments_are_errors),
        TEST(test_bad_grants_are_errors_and_leave_no_marks),
        TEST(test_read_only_pages_can_be_written_to_disk_but_not_read_into),
        TEST(test_read_only_disk_is_not_written),
        TEST(test_file_that_has_shrunk_gives_errors),
        TEST(test_device_that_fails_gives_errors),
        TEST(test_index_out_of_reach_breaks_the_ring),
        TEST(test_request_is_what_it_was_when_it_was_fetched),
        TEST(test_what_is_no_disk_is_refused_with_its_name),
        TEST(test_file_without_a_whole_sector_is_refused),
        TEST(test_file_that_somebody_writes_is_refused),
    };

    return FRONT_RUN(tests);
}
