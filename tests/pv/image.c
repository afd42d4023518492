/* SPDX-License-Identifier: MIT */
/*
 * Images: what is wrong with them, said in one line; and where things lie.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tinyimage.h"

static uint8_t bytes[TINY_SIZE] __attribute__((aligned(16)));
static struct evc_pv_image image;
static struct evc_pv_error error;

static Elf64_Ehdr *head(void)
{
    return (Elf64_Ehdr *)bytes;
}

static Elf64_Phdr *segment(unsigned i)
{
    return (Elf64_Phdr *)(bytes + sizeof(Elf64_Ehdr)) + i;
}

static int setup(void **state)
{
    (void)state;
    tiny_image(bytes);
    return 0;
}

static int parse(size_t size)
{
    const struct evc_pv_file file = {bytes, size};

    return evc_pv_image_parse("tiny", &file, &image, &error);
}

static void assert_refused(const char *why)
{
    assert_int_equal(parse(sizeof(bytes)), -ENOEXEC);
    assert_non_null(strstr(error.text, why));
    assert_non_null(strstr(error.text, "tiny: "));
}

static void test_a_good_image_is_understood(void **state)
{
    (void)state;
    assert_int_equal(parse(sizeof(bytes)), 0);
    assert_int_equal(image.virt_base, TINY_BASE);
    assert_int_equal(image.entry, TINY_BASE);
    assert_int_equal(image.end, TINY_BASE + 0x3000);
    assert_int_equal(image.nr_segments, 1);
    assert_string_equal(image.notes.guest_os, "tiny");
}

static void test_other_kinds_of_files_are_refused(void **state)
{
    (void)state;
    head()->e_ident[EI_CLASS] = ELFCLASS32;
    assert_refused("32-bit");
    head()->e_ident[EI_CLASS] = ELFCLASS64;
    head()->e_machine = EM_AARCH64;
    assert_refused("x86-64");
    bytes[0] = 'x';
    assert_refused("not an ELF image");
}

static void test_the_upper_half_is_refused(void **state)
{
    const uint64_t base = UINT64_C(0xffffffff80000000);
    uint8_t *note = memmem(bytes, sizeof(bytes), "\3\0\0\0Xen", 8);

    (void)state;
    assert_non_null(note);
    memcpy(note + 8, &base, 8);
    assert_refused("upper half");
}

static void test_without_notes_it_is_no_guest(void **state)
{
    (void)state;
    segment(1)->p_type = PT_NULL;
    assert_refused("no Xen notes");
}

static void test_another_loader_is_refused(void **state)
{
    uint8_t *loader = memmem(bytes, sizeof(bytes), "generic", 7);

    (void)state;
    loader[0] = 'G';
    assert_refused("'Generic'");
}

static void test_a_truncated_segment_is_refused(void **state)
{
    (void)state;
    segment(0)->p_filesz = TINY_SIZE;
    assert_refused("not in the file");
    segment(0)->p_filesz = UINT64_MAX;
    assert_refused("not in the file");
}

static void test_an_entry_outside_is_refused(void **state)
{
    (void)state;
    segment(0)->p_memsz = 0x1000;
    segment(0)->p_paddr += 0x1000;
    assert_refused("entry point");
}

static void test_a_far_segment_is_refused(void **state)
{
    (void)state;
    segment(0)->p_paddr = 0;
    assert_refused("more than 1 GiB");
}

/* ---- start of day ----------------------------------------------------------- */

static void test_the_layout_grows_until_its_tables_fit(void **state)
{
    struct evc_pv_start start = {.image = &image};
    struct evc_pv_layout layout;

    (void)state;
    assert_int_equal(parse(sizeof(bytes)), 0);
    for (uint64_t mib = 4; mib <= 65536; mib *= 2) {
        uint64_t pages = mib << 8, covered;

        if (evc_pv_layout_plan(&start, pages, &layout, &error) < 0)
            continue;
        covered = (layout.end - TINY_BASE) / EVC_PV_PAGE;
        assert_true(layout.nr_tables >= 3 + (covered + 511) / 512);
        assert_int_equal(layout.end % (4u << 20), 0);
        assert_true(covered <= pages);
    }
    assert_int_equal(evc_pv_layout_plan(&start, 1024, &layout, &error), 0);
    assert_int_equal(evc_pv_layout_plan(&start, 512, &layout, &error), -ENOMEM);
}

/* ---- gzip ----------------------------------------------------------------------- */

static struct evc_pv_file packed(void)
{
    struct evc_pv_file file = {malloc(4096), 0};
    z_stream stream = {.next_in = bytes,
                       .avail_in = sizeof(bytes),
                       .next_out = file.bytes,
                       .avail_out = 4096};

    assert_non_null(file.bytes);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    file.size = stream.total_out;
    deflateEnd(&stream);
    return file;
}

static void test_gzip_is_unpacked(void **state)
{
    struct evc_pv_file file = packed();

    (void)state;
    assert_int_equal(evc_pv_file_unpack(&file, "x.gz", &error), 0);
    assert_int_equal(file.size, sizeof(bytes));
    assert_memory_equal(file.bytes, bytes, sizeof(bytes));
    evc_pv_file_free(&file);
}

static void test_damaged_gzip_is_said_to_be_damaged(void **state)
{
    struct evc_pv_file file = packed();

    (void)state;
    file.size -= 9;
    assert_int_equal(evc_pv_file_unpack(&file, "x.gz", &error), -EBADMSG);
    assert_string_equal(error.text, "x.gz: the gzip data are damaged");
    evc_pv_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_good_image_is_understood, setup),
        cmocka_unit_test_setup(test_other_kinds_of_files_are_refused, setup),
        cmocka_unit_test_setup(test_the_upper_half_is_refused, setup),
        cmocka_unit_test_setup(test_without_notes_it_is_no_guest, setup),
        cmocka_unit_test_setup(test_another_loader_is_refused, setup),
        cmocka_unit_test_setup(test_a_truncated_segment_is_refused, setup),
        cmocka_unit_test_setup(test_an_entry_outside_is_refused, setup),
        cmocka_unit_test_setup(test_a_far_segment_is_refused, setup),
        cmocka_unit_test_setup(test_the_layout_grows_until_its_tables_fit,
                               setup),
        cmocka_unit_test_setup(test_gzip_is_unpacked, setup),
        cmocka_unit_test_setup(test_damaged_gzip_is_said_to_be_damaged, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
