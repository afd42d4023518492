/* SPDX-License-Identifier: MIT */
/*
 * The grant table: marks, limits, and the guest's hypercall about it.
 */
#include "front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARG    ((uint64_t)DATA_FRAME * PAGE) /* the guest's address */
#define LIST   (ARG + 2048)
#define NO_REF 100000u

static int setup(void **state)
{
    struct front *f = malloc(sizeof(*f));

    front_init(f);
    assert_int_equal(evc_backend_create(&f->config, &f->backend), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    front_finish(*state);
    free(*state);
    return 0;
}

static struct evc_grants *table(struct front *f)
{
    return &f->backend->grants;
}

static int map(struct front *f, uint32_t ref, uint16_t domain, bool write)
{
    void *page;
    int r = evc_grant_map(table(f), ref, domain, write, &page);

    if (r == 0)
        assert_ptr_equal(page, front_page(f, DATA_FRAME));
    return r;
}

/* ---- mapping ------------------------------------------------------------------ */

static void test_console_and_store_are_granted_from_the_start(void **state)
{
    struct front *f = *state;
    void *page;

    assert_int_equal(evc_grant_map(table(f), EVC_GRANT_CONSOLE, 0, true, &page),
                     0);
    assert_ptr_equal(page, front_page(f, CONSOLE_FRAME));
    evc_grant_unmap(table(f), EVC_GRANT_CONSOLE, true);
    assert_int_equal(evc_grant_map(table(f), EVC_GRANT_STORE, 0, true, &page),
                     0);
    assert_ptr_equal(page, front_page(f, STORE_FRAME));
    evc_grant_unmap(table(f), EVC_GRANT_STORE, true);
}

static void test_marks_say_how_it_is_mapped(void **state)
{
    struct front *f = *state;

    front_grant(f, DATA_REF, DATA_FRAME, 0);
    assert_int_equal(map(f, DATA_REF, 0, false), 0);
    assert_int_equal(front_grant_flags(f, DATA_REF),
                     EVC_GTF_PERMIT_ACCESS | EVC_GTF_READING);
    assert_int_equal(map(f, DATA_REF, 0, true), 0);
    assert_int_equal(front_grant_flags(f, DATA_REF),
                     EVC_GTF_PERMIT_ACCESS | EVC_GTF_READING | EVC_GTF_WRITING);
    evc_grant_unmap(table(f), DATA_REF, false);
    assert_int_equal(front_grant_flags(f, DATA_REF),
                     EVC_GTF_PERMIT_ACCESS | EVC_GTF_READING | EVC_GTF_WRITING);
    evc_grant_unmap(table(f), DATA_REF, true);
    assert_int_equal(front_grant_flags(f, DATA_REF), EVC_GTF_PERMIT_ACCESS);
}

static void test_marks_stay_until_the_last_user_has_gone(void **state)
{
    struct front *f = *state;

    front_grant(f, DATA_REF, DATA_FRAME, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(map(f, DATA_REF, 0, true), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(front_grant_flags(f, DATA_REF) & EVC_GTF_WRITING);
        evc_grant_unmap(table(f), DATA_REF, true);
    }
    assert_int_equal(front_grant_flags(f, DATA_REF), EVC_GTF_PERMIT_ACCESS);
}

static void test_read_only_grant_is_not_written(void **state)
{
    struct front *f = *state;

    front_grant(f, DATA_REF, DATA_FRAME, EVC_GTF_READONLY);
    assert_int_equal(map(f, DATA_REF, 0, true), -EACCES);
    assert_int_equal(map(f, DATA_REF, 0, false), 0);
    evc_grant_unmap(table(f), DATA_REF, false);
}

static void test_grant_to_another_domain_is_not_ours(void **state)
{
    struct front *f = *state;

    front_grant(f, DATA_REF, DATA_FRAME, 7u << EVC_GTF_DOMAIN_SHIFT);
    assert_int_equal(map(f, DATA_REF, 0, false), -EACCES);
    assert_int_equal(map(f, DATA_REF, 7, false), 0);
    evc_grant_unmap(table(f), DATA_REF, false);
}

static void test_what_is_no_grant_is_refused(void **state)
{
    struct front *f = *state;

    assert_int_equal(map(f, DATA_REF, 0, false), -EINVAL); /* never filled */
    assert_int_equal(map(f, NO_REF, 0, false), -EINVAL);
    assert_int_equal(map(f, EVC_GRANTS_PER_PAGE, 0, false), -EINVAL);
    assert_int_equal(map(f, UINT32_MAX, 0, false), -EINVAL);
    evc_a32_store_rlx(&front_grant_entry(f, DATA_REF)->who, 2); /* transfer */
    assert_int_equal(map(f, DATA_REF, 0, false), -EINVAL);
}

static void test_frame_that_is_none_leaves_no_mark(void **state)
{
    struct front *f = *state;

    front_grant(f, DATA_REF, FIRST + FRAMES, 0);
    assert_int_equal(map(f, DATA_REF, 0, true), -EFAULT);
    assert_int_equal(front_grant_flags(f, DATA_REF), EVC_GTF_PERMIT_ACCESS);
    front_grant(f, DATA_REF, UINT32_MAX, 0);
    assert_int_equal(map(f, DATA_REF, 0, true), -EFAULT);
}

/* A guest that rewrites an entry all the time. */
static void *rewrite(void *data)
{
    struct front *f = data;

    for (unsigned i = 0; atomic_load(&f->left) == 0; i++) {
        front_grant(f, DATA_REF, i % 3 ? DATA_FRAME : i, i % 64);
        evc_a32_store_rlx(&front_grant_entry(f, DATA_REF)->who, i);
    }
    return NULL;
}

static void test_restless_entry_is_mapped_or_not_but_never_astray(void **state)
{
    struct front *f = *state;
    pthread_t guest;
    unsigned mapped = 0;

    assert_int_equal(pthread_create(&guest, NULL, rewrite, f), 0);
    for (int i = 0; i < 20000; i++) {
        void *page;

        if (evc_grant_map(table(f), DATA_REF, 0, i % 2, &page) < 0)
            continue;
        mapped++;
        assert_true((uint8_t *)page >= f->memory);
        assert_true((uint8_t *)page < f->memory + FRAMES * PAGE);
        evc_grant_unmap(table(f), DATA_REF, i % 2);
    }
    atomic_store(&f->left, 1);
    pthread_join(guest, NULL);
    front_grant(f, DATA_REF, DATA_FRAME, 0);
    assert_int_equal(map(f, DATA_REF, 0, true), 0);
    evc_grant_unmap(table(f), DATA_REF, true);
    assert_int_equal(front_grant_flags(f, DATA_REF), EVC_GTF_PERMIT_ACCESS);
}

/* ---- the hypercall --------------------------------------------------------------- */

static void put_arg(struct front *f, const void *bytes, size_t size)
{
    memcpy(front_page(f, DATA_FRAME), bytes, size);
}

static int16_t status_at(struct front *f, size_t offset)
{
    int16_t status;

    memcpy(&status, (uint8_t *)front_page(f, DATA_FRAME) + offset, 2);
    return status;
}

struct setup_64 {
    uint16_t dom;
    uint32_t nr_frames;
    int16_t status;
    uint64_t list;
};

static int64_t setup_table(struct front *f, struct setup_64 arg)
{
    put_arg(f, &arg, sizeof(arg));
    return evc_backend_grant_op(f->backend, EVC_GNTTAB_SETUP_TABLE, ARG, 1);
}

static void test_setup_table_tells_the_frames(void **state)
{
    struct front *f = *state;
    uint64_t *list = (uint64_t *)front_page(f, DATA_FRAME) + 256;

    assert_int_equal(setup_table(f, (struct setup_64){0x7ff0, 4, 9, LIST}), 0);
    assert_int_equal(status_at(f, 8), EVC_GNTST_OKAY);
    for (int i = 0; i < 4; i++)
        assert_int_equal(list[i], FIRST + FRAMES - 1 - (unsigned)i);
    assert_int_equal(setup_table(f, (struct setup_64){GUEST_ID, 2, 9, LIST}),
                     0);
    assert_int_equal(status_at(f, 8), EVC_GNTST_OKAY);
    assert_int_equal(map(f, 4 * EVC_GRANTS_PER_PAGE, 0, false), -EINVAL);
}

static void test_references_of_new_frames_work(void **state)
{
    struct front *f = *state;
    struct evc_grant_entry *entry;

    setup_table(f, (struct setup_64){0x7ff0, 3, 9, LIST});
    entry = (struct evc_grant_entry *)front_page(f, FIRST + FRAMES - 3) + 5;
    evc_a32_store_rlx(&entry->frame, DATA_FRAME);
    evc_a32_store_rlx(&entry->who, EVC_GTF_PERMIT_ACCESS);
    assert_int_equal(map(f, 2 * EVC_GRANTS_PER_PAGE + 5, 0, true), 0);
    assert_true(evc_a32_load_rlx(&entry->who) & EVC_GTF_WRITING);
    evc_grant_unmap(table(f), 2 * EVC_GRANTS_PER_PAGE + 5, true);
}

static void test_setup_table_refuses_what_it_cannot_do(void **state)
{
    struct front *f = *state;

    setup_table(f, (struct setup_64){0x7ff0, EVC_GRANT_FRAMES + 1, 9, LIST});
    assert_int_equal(status_at(f, 8), EVC_GNTST_GENERAL_ERROR);
    setup_table(f, (struct setup_64){0x7ff0, UINT32_MAX, 9, LIST});
    assert_int_equal(status_at(f, 8), EVC_GNTST_GENERAL_ERROR);
    setup_table(f, (struct setup_64){5, 1, 9, LIST});
    assert_int_equal(status_at(f, 8), EVC_GNTST_BAD_DOMAIN);
    assert_int_equal(setup_table(f, (struct setup_64){0x7ff0, 1, 9, 16}),
                     -EFAULT);
    f->alloc_limit = f->allocated + 2;
    setup_table(f, (struct setup_64){0x7ff0, 10, 9, LIST});
    assert_int_equal(status_at(f, 8), EVC_GNTST_GENERAL_ERROR);
}

static void test_query_size_and_versions(void **state)
{
    struct front *f = *state;
    uint32_t arg[4] = {0x7ff0, 9, 9, 0x99};

    put_arg(f, arg, sizeof(arg));
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_QUERY_SIZE, ARG, 1), 0);
    memcpy(arg, front_page(f, DATA_FRAME), sizeof(arg));
    assert_int_equal(arg[1], 1);
    assert_int_equal(arg[2], EVC_GRANT_FRAMES);
    assert_int_equal(status_at(f, 12), EVC_GNTST_OKAY);

    put_arg(f, (uint32_t[]){1}, 4);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_SET_VERSION, ARG, 1), 0);
    put_arg(f, (uint32_t[]){2}, 4);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_SET_VERSION, ARG, 1),
        -EINVAL);
    put_arg(f, (uint32_t[]){0x7ff0, 77}, 8);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_GET_VERSION, ARG, 1), 0);
    memcpy(arg, front_page(f, DATA_FRAME), 8);
    assert_int_equal(arg[1], 1);
}

static void test_calls_are_refused_whole(void **state)
{
    struct front *f = *state;

    assert_int_equal(evc_backend_grant_op(f->backend, 99, ARG, 1), -ENOSYS);
    assert_int_equal(evc_backend_grant_op(f->backend, UINT32_MAX, ARG, 1),
                     -ENOSYS);
    assert_int_equal(evc_backend_grant_op(f->backend, 4, ARG, 1), -ENOSYS);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_SETUP_TABLE, ARG, 2),
        -EINVAL);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_COPY, ARG, UINT32_MAX),
        -EINVAL);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_QUERY_SIZE, 8, 1), -EFAULT);
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_COPY, ARG, 100000),
        -EFAULT); /* beyond the guest's memory */
}

static void test_nobody_else_has_frames_to_map(void **state)
{
    struct front *f = *state;
    uint8_t arg[64] = {0};

    put_arg(f, arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_MAP, ARG, 2),
                     0);
    assert_int_equal(status_at(f, 18), EVC_GNTST_BAD_DOMAIN);
    assert_int_equal(status_at(f, 32 + 18), EVC_GNTST_BAD_DOMAIN);
    put_arg(f, arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_UNMAP, ARG, 1),
                     0);
    assert_int_equal(status_at(f, 20), EVC_GNTST_BAD_HANDLE);
}

/* ---- copy ------------------------------------------------------------------------- */

struct copy_64 {
    struct {
        uint64_t what;
        uint16_t domid, offset;
    } source, dest;
    uint16_t len, flags;
    int16_t status;
};

_Static_assert(sizeof(struct copy_64) == 40, "the ABI's");

static int copy(struct front *f, struct copy_64 arg)
{
    put_arg(f, &arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_COPY, ARG, 1),
                     0);
    return status_at(f, offsetof(struct copy_64, status));
}

#define TO_REF 3u /* is source a reference, is dest one */

static void test_copy_goes_between_frames_and_references(void **state)
{
    struct front *f = *state;
    char *from = front_page(f, DATA_FRAME + 1);
    char *to = front_page(f, DATA_FRAME + 2);

    strcpy(from + 4000, "something");
    front_grant(f, 30, DATA_FRAME + 1,
                EVC_GTF_READONLY | (GUEST_ID << EVC_GTF_DOMAIN_SHIFT));
    front_grant(f, 31, DATA_FRAME + 2, GUEST_ID << EVC_GTF_DOMAIN_SHIFT);
    assert_int_equal(copy(f, (struct copy_64){{DATA_FRAME + 1, 0x7ff0, 4000},
                                              {DATA_FRAME + 2, 0x7ff0, 7},
                                              10,
                                              0,
                                              9}),
                     EVC_GNTST_OKAY);
    assert_string_equal(to + 7, "something");
    assert_int_equal(
        copy(f,
             (struct copy_64){
                 {30, GUEST_ID, 4000}, {31, GUEST_ID, 100}, 10, TO_REF, 9}),
        EVC_GNTST_OKAY);
    assert_string_equal(to + 100, "something");
    assert_false(front_grant_flags(f, 30) & EVC_GTF_READING);
    assert_false(front_grant_flags(f, 31) & EVC_GTF_WRITING);
}

static void test_copy_refuses_bad_ends(void **state)
{
    struct front *f = *state;
    const struct copy_64 good = {
        {DATA_FRAME + 1, 0x7ff0, 0}, {DATA_FRAME + 2, 0x7ff0, 0}, 16, 0, 9};
    struct copy_64 c;

    front_grant(f, 30, DATA_FRAME + 1,
                EVC_GTF_READONLY | (GUEST_ID << EVC_GTF_DOMAIN_SHIFT));
    c = good, c.source.offset = 4090;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_COPY_ARG);
    c = good, c.dest.offset = 65535;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_COPY_ARG);
    c = good, c.source.what = UINT64_MAX;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_PAGE);
    c = good, c.source.domid = 0;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_DOMAIN);
    c = good, c.flags = EVC_GNTCOPY_SOURCE_GREF, c.source.what = NO_REF;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_GNTREF);
    c = good, c.flags = EVC_GNTCOPY_DEST_GREF, c.dest.what = 30;
    assert_int_equal(copy(f, c), EVC_GNTST_PERMISSION_DENIED);
    c = good, c.flags = TO_REF, c.source.what = 30, c.dest.what = NO_REF;
    assert_int_equal(copy(f, c), EVC_GNTST_BAD_GNTREF);
    assert_false(front_grant_flags(f, 30) & EVC_GTF_READING);
}

/* ---- 32-bit guests -------------------------------------------------------------------- */

static void test_32_bit_structs_have_their_own_offsets(void **state)
{
    struct front *f = *state;
    const uint32_t setup[4] = {0x7ff0, 2, 99, (uint32_t)LIST};
    uint32_t *list = (uint32_t *)front_page(f, DATA_FRAME) + 512;
    struct {
        uint32_t source;
        uint16_t source_domid, source_offset;
        uint32_t dest;
        uint16_t dest_domid, dest_offset, len, flags;
        int16_t status;
    } arg = {DATA_FRAME + 1, 0x7ff0, 8, DATA_FRAME + 2, 0x7ff0, 16, 4, 0, 9};

    f->backend->grants.guest_32bit = true;
    put_arg(f, setup, sizeof(setup));
    assert_int_equal(
        evc_backend_grant_op(f->backend, EVC_GNTTAB_SETUP_TABLE, ARG, 1), 0);
    assert_int_equal(status_at(f, 8), EVC_GNTST_OKAY);
    assert_int_equal(list[0], FIRST + FRAMES - 1);
    assert_int_equal(list[1], FIRST + FRAMES - 2);
    assert_int_equal(list[2], 0);

    strcpy((char *)front_page(f, DATA_FRAME + 1) + 8, "abc");
    put_arg(f, &arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_COPY, ARG, 1),
                     0);
    assert_int_equal(status_at(f, 20), EVC_GNTST_OKAY);
    assert_string_equal((char *)front_page(f, DATA_FRAME + 2) + 16, "abc");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_console_and_store_are_granted_from_the_start),
        TEST(test_marks_say_how_it_is_mapped),
        TEST(test_marks_stay_until_the_last_user_has_gone),
        TEST(test_read_only_grant_is_not_written),
        TEST(test_grant_to_another_domain_is_not_ours),
        TEST(test_what_is_no_grant_is_refused),
        TEST(test_frame_that_is_none_leaves_no_mark),
        TEST(test_restless_entry_is_mapped_or_not_but_never_astray),
        TEST(test_setup_table_tells_the_frames),
        TEST(test_references_of_new_frames_work),
        TEST(test_setup_table_refuses_what_it_cannot_do),
        TEST(test_query_size_and_versions),
        TEST(test_calls_are_refused_whole),
        TEST(test_nobody_else_has_frames_to_map),
        TEST(test_copy_goes_between_frames_and_references),
        TEST(test_copy_refuses_bad_ends),
        TEST(test_32_bit_structs_have_their_own_offsets),
    };

    return FRONT_RUN(tests);
}
