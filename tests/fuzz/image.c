/* SPDX-License-Identifier: MIT */
/*
 * Bytes as an image: whatever they are, they end in one line that says what is
 * wrong, or in a world whose parts are where they should be.
 *
 * Either they are the image, or, if the first is 0xee, changes to a good one:
 * where (two bytes) and what.  They lie at the end of an allocation of their
 * size, so that a sanitizer sees a read behind them.  The same file is a regression test (the tiny image,
 * cut short and with bytes changed) and, with -DEVC_LIBFUZZER, a fuzz target.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include <evc/abi/layouts.h>

#include "tinyimage.h"

#define PAGES 4096u

static void check_error(const struct evc_pv_error *error)
{
    size_t n = strnlen(error->text, sizeof(error->text));

    assert(n > 0 && n < sizeof(error->text));
    for (size_t i = 0; i < n; i++)
        assert(error->text[i] >= ' ' && error->text[i] <= '~');
}

/* Every page from the base to the end is mapped to the frame of its number. */
static void check_tables(const struct evc_pv_domain *domain,
                         const struct evc_pv_image *image,
                         const struct evc_pv_world *world)
{
    const struct evc_pv_layout *layout = &world->layout;
    struct evc_pv_page page;

    for (uint64_t va = image->virt_base; va < layout->end; va += EVC_PV_PAGE) {
        uint64_t pfn = (va - image->virt_base) / EVC_PV_PAGE;

        assert(evc_pv_walk(domain, va, &page) == 0);
        assert(page.mfn == EVC_PV_FIRST_MFN + pfn);
        assert(domain->frames.m2p[page.mfn] == pfn);
        assert(page.write == (va < layout->tables || va >= layout->stack));
    }
    assert(evc_pv_walk(domain, layout->end, &page) < 0);
}

static void check_world(const struct evc_pv_domain *domain,
                        const struct evc_pv_image *image,
                        const struct evc_pv_world *world)
{
    const struct evc_pv_layout *layout = &world->layout;
    const struct evc_pv_regs *regs = &domain->vcpu[0].start;
    struct evc_abi_start_info_x86_64 info;

    assert(image->start >= image->virt_base && image->end <= layout->module);
    assert(layout->end % (4u << 20) == 0);
    assert(layout->end - layout->stack >= EVC_PV_PAGE + (512u << 10));
    assert(regs->rsi == layout->start_info);
    assert(regs->rip >= image->start && regs->rip < image->end);
    assert(evc_pv_copy_from(&domain->vcpu[0], &info, layout->start_info,
                            sizeof(info)) == 0);
    assert(info.nr_pages == PAGES && info.pt_base == layout->tables);
    check_tables(domain, image, world);
}

static void build(const struct evc_pv_image *image)
{
    const struct evc_pv_start start = {.image = image, .command_line = "x=1"};
    struct evc_pv_domain domain = {0};
    struct evc_pv_world world;
    struct evc_pv_error error = {0};

    assert(evc_pv_frames_create(PAGES, &domain.frames, &error) == 0);
    if (evc_pv_build(&domain, &start, &world, &error) == 0)
        check_world(&domain, image, &world);
    else
        check_error(&error);
    evc_pv_frames_destroy(&domain.frames);
}

/* Bytes to change, three each; then the image, cut to what is wanted. */
static struct evc_pv_file changed(const uint8_t *data, size_t size)
{
    struct evc_pv_file file = {malloc(TINY_SIZE), TINY_SIZE};

    assert(file.bytes);
    tiny_image(file.bytes);
    for (; size >= 3; data += 3, size -= 3)
        file.bytes[(data[0] + 256u * data[1]) % TINY_CODE] = data[2];
    return file;
}

static struct evc_pv_file given(const uint8_t *data, size_t size)
{
    struct evc_pv_file file = {malloc(size ? size : 1), size};

    assert(file.bytes);
    if (size)
        memcpy(file.bytes, data, size);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evc_pv_file file = size && data[0] == 0xee
                                  ? changed(data + 1, size - 1)
                                  : given(data, size);
    struct evc_pv_image image;
    struct evc_pv_error error = {0};

    if (evc_pv_file_unpack(&file, "image", &error) < 0 ||
        evc_pv_image_parse("image", &file, &image, &error) < 0)
        check_error(&error);
    else
        build(&image);
    free(file.bytes);
    return 0;
}

#ifndef EVC_LIBFUZZER
static uint32_t random32(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

/* One to three bytes of the headers or notes are something else. */
static void run_number(uint64_t n)
{
    uint64_t seed = n;
    uint8_t data[10] = {0xee};
    size_t size = 1 + 3 * (n % 3 + 1);

    for (size_t i = 1; i < size; i++)
        data[i] = (uint8_t)random32(&seed);
    LLVMFuzzerTestOneInput(data, size);
}

/* A gzip header, and nothing that it promises. */
static const uint8_t bad_gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3,
                                   0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8};

int main(void)
{
    uint8_t bytes[TINY_SIZE];

    alarm(100);
    tiny_image(bytes);
    LLVMFuzzerTestOneInput(bytes, sizeof(bytes));
    LLVMFuzzerTestOneInput(bad_gzip, sizeof(bad_gzip));
    for (size_t size = 0; size < sizeof(bytes); size++)
        LLVMFuzzerTestOneInput(bytes, size);
    for (uint64_t n = 0; n < 5000; n++)
        run_number(n);
    return 0;
}
#endif
