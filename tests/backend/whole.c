/* SPDX-License-Identifier: MIT */
/*
 * All of it at work: what a guest finds, disks that come and go, and a guest
 * that does it all wrong.
 */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRONT "device/vbd/51712"
#define BACK  "/local/domain/0/backend/vbd/1/51712"

struct world {
    struct front front;
    const struct evc_blk_abi *abi;
    int fd;
    char path[64];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    front_init(&w->front);
    w->fd = scratch_file(1u << 20, w->path);
    w->front.config.disks[0].path = w->path;
    w->front.config.nr_disks = 1;
    w->abi = evc_blk_abi_find("x86_64-abi");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    front_finish(&w->front);
    close(w->fd);
    free(w);
    return 0;
}

static bool back_is(struct world *w, const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", BACK, name);
    return strcmp(node(&w->front, path), value) == 0;
}

static const struct block_request read_one = {
    EVC_BLK_READ, 1, 0, {{DATA_REF, 0, 7}}};

/* ---- what a guest finds -------------------------------------------------------- */

/* As recorded on real Xen with GRUB's xen_ls. */
static void test_home_lists_what_a_toolstack_writes(void **state)
{
    struct world *w = *state;

    w->front.config.vcpus = 2;
    front_start(&w->front);
    assert_string_equal(ask(&w->front, EVC_XS_DIRECTORY, "/local/domain/1|"),
                        "vm|name|cpu|memory|device|control|data|drivers|"
                        "feature|attr|error|domid|store|console|");
    assert_string_equal(node(&w->front, "name"), "front");
    assert_string_equal(node(&w->front, "domid"), "1");
    assert_string_equal(node(&w->front, "memory/target"), "65536");
    assert_string_equal(node(&w->front, "cpu/1/availability"), "online");
    assert_string_equal(node(&w->front, "cpu/2/availability"), "!ENOENT|");
    assert_string_equal(node(&w->front, "store/port"), "1");
    assert_string_equal(node(&w->front, "console/port"), "2");
    assert_string_equal(node(&w->front, "console/ring-ref"), "5002");
    assert_string_equal(node(&w->front, "console/limit"), "1048576");
    assert_string_equal(ask(&w->front, EVC_XS_GET_PERMS, "/local/domain/1|"),
                        "n0|r1|");
    assert_string_equal(ask(&w->front, EVC_XS_GET_PERMS, "data|"), "n1|");
}

static void test_vm_path_leads_to_its_uuid(void **state)
{
    struct world *w = *state;
    char path[128], uuid[64];

    front_start(&w->front);
    snprintf(path, sizeof(path), "%s/uuid", node(&w->front, "vm"));
    snprintf(uuid, sizeof(uuid), "%s", node(&w->front, path));
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(strncmp(path, "/vm/", 4), 0);
    assert_memory_equal(path + 4, uuid, 36);
}

static void test_disk_is_described_and_waits(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    assert_string_equal(ask(&w->front, EVC_XS_DIRECTORY, "device/vbd|"),
                        "51712|");
    assert_string_equal(node(&w->front, FRONT "/backend"), BACK);
    assert_string_equal(node(&w->front, FRONT "/state"), "1");
    assert_string_equal(node(&w->front, FRONT "/virtual-device"), "51712");
    assert_true(back_is(w, "state", "2"));
    assert_true(back_is(w, "sectors", "2048"));
    assert_true(back_is(w, "sector-size", "512"));
    assert_true(back_is(w, "feature-flush-cache", "1"));
    assert_true(back_is(w, "info", "0"));
    assert_true(back_is(w, "mode", "w"));
    assert_true(back_is(w, "dev", "xvda"));
    assert_string_equal(ask(&w->front, EVC_XS_WRITE, BACK "/state|4"),
                        "!EACCES|");
}

static void test_asking_the_guest_to_go_writes_control_shutdown(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    ask(&w->front, EVC_XS_WATCH, "control/shutdown|t|");
    evc_backend_ask(w->front.backend, "poweroff");
    WAIT_UNTIL(strcmp(node(&w->front, "control/shutdown"), "poweroff") == 0);
    node(&w->front, "name");
    assert_string_equal(w->front.events,
                        "control/shutdown|t|\ncontrol/shutdown|t|\n");
}

/* ---- disks ------------------------------------------------------------------------ */

static void test_disk_is_connected_used_and_closed(void **state)
{
    struct world *w = *state;
    struct block_request request = read_one;

    front_start(&w->front);
    assert_int_equal(pwrite(w->fd, "on disk", 7, 0), 7);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    assert_int_equal(block_do(&w->front, w->abi, &request), 0);
    assert_string_equal(front_page(&w->front, DATA_FRAME), "on disk");
    assert_true(is_pending(&w->front, w->front.disk_port));
    request.op = EVC_BLK_WRITE;
    request.sector = 8;
    assert_int_equal(block_do(&w->front, w->abi, &request), 0);
    set_node(&w->front, FRONT "/state", "5");
    WAIT_UNTIL(back_is(w, "state", "5"));
    set_node(&w->front, FRONT "/state", "6");
    WAIT_UNTIL(back_is(w, "state", "6"));
    assert_int_equal(front_grant_flags(&w->front, RING_REF),
                     EVC_GTF_PERMIT_ACCESS);
}

/* One driver after the other, as a boot loader and its kernel. */
static void test_disk_is_connected_again_and_again(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    for (int i = 0; i < 5; i++) {
        const char *protocol = i % 2 ? "x86_32-abi" : "x86_64-abi";

        w->abi = evc_blk_abi_find(protocol);
        block_connect(&w->front, FRONT, protocol);
        WAIT_UNTIL(back_is(w, "state", "4"));
        assert_int_equal(block_do(&w->front, w->abi, &read_one), 0);
        set_node(&w->front, FRONT "/state", "6");
        WAIT_UNTIL(back_is(w, "state", "6"));
        set_node(&w->front, FRONT "/state", "1");
        WAIT_UNTIL(back_is(w, "state", "2"));
    }
}

static void test_driver_that_just_begins_again_is_let_in(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    for (int i = 0; i < 3; i++) {
        block_connect(&w->front, FRONT, "x86_64-abi");
        WAIT_UNTIL(back_is(w, "state", "4"));
        assert_int_equal(block_do(&w->front, w->abi, &read_one), 0);
        set_node(&w->front, FRONT "/state", "1");
        WAIT_UNTIL(back_is(w, "state", "2"));
    }
}

static void test_requests_put_before_connecting_are_served(void **state)
{
    struct world *w = *state;
    struct evc_blk_ring *ring = front_page(&w->front, RING_FRAME);
    uint64_t id;
    int status;

    front_start(&w->front);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    set_node(&w->front, FRONT "/state", "6");
    WAIT_UNTIL(back_is(w, "state", "6"));
    block_ring_init(&w->front);
    block_put(&w->front, w->abi, &read_one);
    assert_int_equal(evc_a32_load_rlx(&ring->req_prod), 1);
    set_node(&w->front, FRONT "/state", "3");
    WAIT_UNTIL(block_take(&w->front, w->abi, &id, &status));
    assert_int_equal(status, 0);
}

static void test_sixteen_disks_have_sixteen_names(void **state)
{
    struct world *w = *state;
    char path[EVC_BACKEND_DISKS][64];
    int fds[EVC_BACKEND_DISKS];

    for (unsigned i = 0; i < EVC_BACKEND_DISKS; i++) {
        fds[i] = scratch_file(1024, path[i]);
        w->front.config.disks[i].path = path[i];
    }
    w->front.config.nr_disks = EVC_BACKEND_DISKS;
    front_start(&w->front);
    assert_string_equal(
        node(&w->front, "/local/domain/0/backend/vbd/1/51952/dev"), "xvdp");
    for (unsigned i = 0; i < EVC_BACKEND_DISKS; i++)
        close(fds[i]);
}

static void test_disks_can_be_named(void **state)
{
    struct world *w = *state;

    w->front.config.disks[0].name = "hda";
    front_start(&w->front);
    assert_string_equal(
        node(&w->front, "/local/domain/0/backend/vbd/1/768/dev"), "hda");
    assert_string_equal(node(&w->front, "device/vbd/768/virtual-device"),
                        "768");
}

static void test_names_of_disks_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(evc_backend_disk_number("xvda"), 51712);
    assert_int_equal(evc_backend_disk_number("xvdp"), 51952);
    assert_int_equal(evc_backend_disk_number("hdb"), 832);
    assert_int_equal(evc_backend_disk_number("hdc"), 5632);
    assert_int_equal(evc_backend_disk_number("sdc"), 2080);
    assert_int_equal(evc_backend_disk_number("hde"), 0);
    assert_int_equal(evc_backend_disk_number("xvdq"), 0);
    assert_int_equal(evc_backend_disk_number("xvda1"), 0);
    assert_int_equal(evc_backend_disk_number(""), 0);
}

static void test_read_only_disk_says_so(void **state)
{
    struct world *w = *state;

    w->front.config.disks[0].read_only = true;
    front_start(&w->front);
    assert_true(back_is(w, "info", "4"));
    assert_true(back_is(w, "mode", "r"));
    assert_string_equal(w->front.log, "");
}

static void test_disk_that_cannot_be_opened_ends_it_all(void **state)
{
    struct world *w = *state;

    w->front.config.disks[1].path = "/nowhere";
    w->front.config.nr_disks = 2;
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     -ENOENT);
    assert_string_equal(w->front.log,
                        "disk '/nowhere': No such file or directory\n");
    w->front.backend = NULL;
}

/* The worker waits for the lock of the grants, which nobody else needs here. */
static void test_store_and_console_go_on_while_a_disk_is_slow(void **state)
{
    struct world *w = *state;
    struct evc_disk *disk;
    uint64_t id;
    int status;

    front_start(&w->front);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    disk = &w->front.backend->vbds[0].disk;
    pthread_mutex_lock(&disk->grants->lock);
    block_put(&w->front, w->abi, &read_one);
    evc_send(w->front.domain, w->front.disk_port);
    for (int i = 0; i < 200; i++)
        assert_string_equal(node(&w->front, "name"), "front");
    assert_false(block_take(&w->front, w->abi, &id, &status));
    set_node(&w->front, FRONT "/state", "6"); /* meanwhile it wants to go */
    for (int i = 0; i < 20; i++)
        assert_true(back_is(w, "state", "4"));
    pthread_mutex_unlock(&disk->grants->lock);
    WAIT_UNTIL(block_take(&w->front, w->abi, &id, &status));
    assert_int_equal(status, 0);
    WAIT_UNTIL(back_is(w, "state", "6"));
}

static void test_stopping_waits_for_requests_under_way(void **state)
{
    struct world *w = *state;
    struct block_request request = read_one;
    char byte;

    front_start(&w->front);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    request.op = EVC_BLK_WRITE;
    memset(front_page(&w->front, DATA_FRAME), 'w', PAGE);
    assert_int_equal(block_do(&w->front, w->abi, &request), 0);
    for (int i = 0; i < 20; i++) {
        request.sector = (uint64_t)i * 8;
        block_put(&w->front, w->abi, &request);
    }
    evc_send(w->front.domain, w->front.disk_port);
    evc_backend_stop(w->front.backend);
    assert_int_equal(front_grant_flags(&w->front, DATA_REF),
                     EVC_GTF_PERMIT_ACCESS);
    assert_int_equal(front_grant_flags(&w->front, RING_REF),
                     EVC_GTF_PERMIT_ACCESS);
    assert_int_equal(pread(w->fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'w');
}

/* ---- a guest that does it wrong -------------------------------------------------------- */

static void expect_refused(struct world *w, const char *why)
{
    set_node(&w->front, FRONT "/state", "3");
    WAIT_UNTIL(back_is(w, "state", "5"));
    assert_true(back_is(w, "error", why));
    assert_int_equal(front_grant_flags(&w->front, RING_REF) &
                         (EVC_GTF_READING | EVC_GTF_WRITING),
                     0);
    /* and it may try again */
    set_node(&w->front, FRONT "/state", "6");
    WAIT_UNTIL(back_is(w, "state", "6"));
    set_node(&w->front, FRONT "/state", "1");
    WAIT_UNTIL(back_is(w, "state", "2"));
}

static void connect_and_leave(struct world *w)
{
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    set_node(&w->front, FRONT "/state", "6");
    WAIT_UNTIL(back_is(w, "state", "6"));
    set_node(&w->front, FRONT "/state", "1");
    WAIT_UNTIL(back_is(w, "state", "2"));
}

static void test_connecting_wrongly_is_refused_with_a_reason(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    expect_refused(w, "no event-channel");
    connect_and_leave(w);
    set_node(&w->front, FRONT "/protocol", "pdp11-abi");
    expect_refused(w, "unknown protocol");
    set_node(&w->front, FRONT "/protocol", "x86_64-abi");
    set_node(&w->front, FRONT "/ring-ref", "99999999999");
    expect_refused(w, "no ring-ref");
    set_node(&w->front, FRONT "/ring-ref", "-8");
    expect_refused(w, "no ring-ref");
    set_node(&w->front, FRONT "/ring-ref", "77");
    expect_refused(w, "ring-ref is no grant to domain 0, or not to write");
    set_node(&w->front, FRONT "/ring-ref", "8");
    set_node(&w->front, FRONT "/event-channel", "4000");
    expect_refused(w, "event-channel is not offered to domain 0");
    set_node(&w->front, FRONT "/event-channel", "1"); /* the store's */
    expect_refused(w, "event-channel is not offered to domain 0");
    set_node(&w->front, FRONT "/event-channel", "3x");
    expect_refused(w, "no event-channel");
    connect_and_leave(w);
}

static void test_broken_disk_ring_leaves_the_rest_alone(void **state)
{
    struct world *w = *state;
    struct evc_blk_ring *ring = front_page(&w->front, RING_FRAME);

    front_start(&w->front);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    evc_a32_store_sc(&ring->req_prod, 12345);
    evc_send(w->front.domain, w->front.disk_port);
    for (int i = 0; i < 20; i++)
        assert_string_equal(node(&w->front, "name"), "front");
    set_node(&w->front, FRONT "/state", "6");
    WAIT_UNTIL(back_is(w, "state", "6"));
    set_node(&w->front, FRONT "/state", "1");
    WAIT_UNTIL(back_is(w, "state", "2"));
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    assert_int_equal(block_do(&w->front, w->abi, &read_one), 0);
    evc_backend_stop(w->front.backend);
    assert_string_equal(w->front.log, "/local/domain/1/" FRONT
                                      ": the ring's indices make no sense\n");
}

static void test_front_end_that_removes_its_nodes_hurts_nobody(void **state)
{
    struct world *w = *state;

    front_start(&w->front);
    block_connect(&w->front, FRONT, "x86_64-abi");
    WAIT_UNTIL(back_is(w, "state", "4"));
    assert_string_equal(ask(&w->front, EVC_XS_RM, FRONT "|"), "OK|");
    assert_int_equal(block_do(&w->front, w->abi, &read_one), 0);
    assert_string_equal(node(&w->front, "name"), "front");
}

static void test_ports_in_use_are_an_error(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_bind_static(w->front.domain, 2, 0), 0);
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     -EBUSY);
    w->front.backend = NULL;
}

static void test_frames_that_are_none_are_an_error(void **state)
{
    struct world *w = *state;

    w->front.config.store_frame = 3;
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     -EFAULT);
    w->front.backend = NULL;
}

static void test_no_memory_for_grants_is_an_error(void **state)
{
    struct world *w = *state;

    w->front.alloc_limit = 0;
    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     -ENOMEM);
    w->front.backend = NULL;
}

static void test_what_was_never_started_can_be_destroyed(void **state)
{
    struct world *w = *state;

    assert_int_equal(evc_backend_create(&w->front.config, &w->front.backend),
                     0);
    evc_backend_stop(w->front.backend);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_home_lists_what_a_toolstack_writes),
        TEST(test_vm_path_leads_to_its_uuid),
        TEST(test_disk_is_described_and_waits),
        TEST(test_asking_the_guest_to_go_writes_control_shutdown),
        TEST(test_disk_is_connected_used_and_closed),
        TEST(test_disk_is_connected_again_and_again),
        TEST(test_driver_that_just_begins_again_is_let_in),
        TEST(test_requests_put_before_connecting_are_served),
        TEST(test_sixteen_disks_have_sixteen_names),
        TEST(test_disks_can_be_named),
        TEST(test_names_of_disks_have_numbers),
        TEST(test_read_only_disk_says_so),
        TEST(test_disk_that_cannot_be_opened_ends_it_all),
        TEST(test_store_and_console_go_on_while_a_disk_is_slow),
        TEST(test_stopping_waits_for_requests_under_way),
        TEST(test_connecting_wrongly_is_refused_with_a_reason),
        TEST(test_broken_disk_ring_leaves_the_rest_alone),
        TEST(test_front_end_that_removes_its_nodes_hurts_nobody),
        TEST(test_ports_in_use_are_an_error),
        TEST(test_frames_that_are_none_are_an_error),
        TEST(test_no_memory_for_grants_is_an_error),
        TEST(test_what_was_never_started_can_be_destroyed),
    };

    return FRONT_RUN(tests);
}
