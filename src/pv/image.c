/* SPDX-License-Identifier: MIT */
/*
 * An ELF image: which bytes of it go where.
 *
 * Every number is checked against the file before it is used; what an image
 * claims about itself may be anything.
 */
#include "pv.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Beyond this, user space has no addresses. */
#define UPPER_HALF (UINT64_C(1) << 47)

struct elf {
    const struct evc_pv_file *file;
    Elf64_Ehdr head;
    struct evc_pv_image *image;
    struct evc_pv_error *error;
};

static int bad(struct elf *elf, const char *what)
{
    return evc_pv_fail(elf->error, -ENOEXEC, "%s: %s", elf->image->name, what);
}

static bool inside(const struct elf *elf, uint64_t offset, uint64_t size)
{
    return offset <= elf->file->size && size <= elf->file->size - offset;
}

/* ---- headers -------------------------------------------------------------------- */

static int check_ident(struct elf *elf)
{
    const uint8_t *ident = elf->head.e_ident;

    if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        return bad(elf, "not an ELF image (nor a gzip of one)");
    if (ident[EI_CLASS] == ELFCLASS32)
        return bad(elf, "a 32-bit image: evc boot runs 64-bit guests only");
    if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
        return bad(elf, "not a little-endian 64-bit ELF image");
    if (elf->head.e_machine != EM_X86_64)
        return bad(elf, "not an image for x86-64");
    return 0;
}

static int check_tables(struct elf *elf)
{
    const Elf64_Ehdr *head = &elf->head;

    if (head->e_phnum == 0 || head->e_phentsize != sizeof(Elf64_Phdr) ||
        !inside(elf, head->e_phoff,
                (uint64_t)head->e_phnum * sizeof(Elf64_Phdr)))
        return bad(elf, "its program headers are not in the file");
    if (head->e_shnum != 0 &&
        (head->e_shentsize != sizeof(Elf64_Shdr) ||
         !inside(elf, head->e_shoff,
                 (uint64_t)head->e_shnum * sizeof(Elf64_Shdr))))
        return bad(elf, "its section headers are not in the file");
    return 0;
}

static int read_head(struct elf *elf)
{
    int r;

    if (elf->file->size < sizeof(elf->head))
        return bad(elf, "too short for an ELF image");
    memcpy(&elf->head, elf->file->bytes, sizeof(elf->head));
    r = check_ident(elf);
    return r < 0 ? r : check_tables(elf);
}

static void program_header(const struct elf *elf, unsigned i, Elf64_Phdr *out)
{
    memcpy(out, elf->file->bytes + elf->head.e_phoff + i * sizeof(*out),
           sizeof(*out));
}

static void section_header(const struct elf *elf, unsigned i, Elf64_Shdr *out)
{
    memcpy(out, elf->file->bytes + elf->head.e_shoff + i * sizeof(*out),
           sizeof(*out));
}

/* ---- notes ------------------------------------------------------------------------ */

static int read_notes_at(struct elf *elf, uint64_t offset, uint64_t size,
                         const char *what)
{
    struct evc_pv_error inner;

    if (!inside(elf, offset, size))
        return evc_pv_fail(elf->error, -ENOEXEC,
                           "%s: its %s are not in the file", elf->image->name,
                           what);
    if (evc_pv_notes_read(&elf->image->notes,
                          (struct evc_pv_span){elf->file->bytes + offset, size},
                          &inner) < 0)
        return bad(elf, inner.text);
    return 0;
}

static int read_segment_notes(struct elf *elf)
{
    for (unsigned i = 0; i < elf->head.e_phnum; i++) {
        Elf64_Phdr header;
        int r;

        program_header(elf, i, &header);
        if (header.p_type != PT_NOTE)
            continue;
        r = read_notes_at(elf, header.p_offset, header.p_filesz, "notes");
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_section_notes(struct elf *elf)
{
    for (unsigned i = 0; i < elf->head.e_shnum; i++) {
        Elf64_Shdr header;
        int r;

        section_header(elf, i, &header);
        if (header.sh_type != SHT_NOTE)
            continue;
        r = read_notes_at(elf, header.sh_offset, header.sh_size,
                          "note sections");
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_named(const struct elf *elf, const Elf64_Shdr *names,
                     uint32_t name, const char *wanted)
{
    size_t size = strlen(wanted) + 1;

    return inside(elf, names->sh_offset, names->sh_size) &&
           name <= names->sh_size && size <= names->sh_size - name &&
           memcmp(elf->file->bytes + names->sh_offset + name, wanted, size) ==
               0;
}

static int read_legacy(struct elf *elf, const Elf64_Shdr *header)
{
    struct evc_pv_error inner;
    struct evc_pv_span span = {elf->file->bytes + header->sh_offset,
                               header->sh_size};

    if (!inside(elf, header->sh_offset, header->sh_size))
        return bad(elf, "section __xen_guest is not in the file");
    if (evc_pv_notes_read_legacy(&elf->image->notes, span, &inner) < 0)
        return bad(elf, inner.text);
    return 0;
}

static int find_legacy(struct elf *elf)
{
    Elf64_Shdr names, header;

    if (elf->head.e_shstrndx >= elf->head.e_shnum)
        return 0;
    section_header(elf, elf->head.e_shstrndx, &names);
    for (unsigned i = 0; i < elf->head.e_shnum; i++) {
        section_header(elf, i, &header);
        if (is_named(elf, &names, header.sh_name, "__xen_guest"))
            return read_legacy(elf, &header);
    }
    return 0;
}

static int read_notes(struct elf *elf)
{
    struct evc_pv_error inner;
    int r = read_segment_notes(elf);

    if (r == 0 && !elf->image->notes.any)
        r = read_section_notes(elf);
    if (r == 0 && !elf->image->notes.any)
        r = find_legacy(elf);
    if (r == 0 && evc_pv_notes_check(&elf->image->notes, &inner) < 0)
        r = bad(elf, inner.text);
    return r;
}

/* ---- segments ----------------------------------------------------------------------- */

static int add_segment(struct elf *elf, const Elf64_Phdr *header)
{
    struct evc_pv_image *image = elf->image;
    uint64_t at = header->p_paddr - image->notes.paddr_offset;

    if (image->nr_segments == EVC_PV_SEGMENTS)
        return bad(elf, "more than 32 segments to load");
    if (!inside(elf, header->p_offset, header->p_filesz))
        return bad(elf, "a segment is not in the file (truncated?)");
    if (header->p_filesz > header->p_memsz)
        return bad(elf, "a segment is larger in the file than in memory");
    if (at > EVC_PV_FILE_MAX || header->p_memsz > EVC_PV_FILE_MAX)
        return bad(elf, "a segment lies more than 1 GiB from its base");
    image->segments[image->nr_segments++] = (struct evc_pv_segment_of_image){
        .at = at,
        .offset = header->p_offset,
        .file_size = header->p_filesz,
        .size = header->p_memsz,
    };
    return 0;
}

static int read_segments(struct elf *elf)
{
    for (unsigned i = 0; i < elf->head.e_phnum; i++) {
        Elf64_Phdr header;
        int r;

        program_header(elf, i, &header);
        if (header.p_type != PT_LOAD || header.p_memsz == 0)
            continue;
        r = add_segment(elf, &header);
        if (r < 0)
            return r;
    }
    return elf->image->nr_segments ? 0 : bad(elf, "no segment to load");
}

/* ---- addresses ------------------------------------------------------------------------ */

static int check_base(struct elf *elf)
{
    uint64_t base = elf->image->notes.virt_base;

    if (base >= UPPER_HALF)
        return evc_pv_fail(
            elf->error, -ENOEXEC,
            "%s: linked at 0x%" PRIx64 ", in the upper half of the address "
            "space, where no process can map it (64-bit Linux and BSD kernels "
            "are like that; see evc-boot(1))",
            elf->image->name, base);
    if (base % EVC_PV_PAGE != 0)
        return bad(elf, "its virtual base is not the start of a page");
    return 0;
}

static void find_ends(struct evc_pv_image *image)
{
    uint64_t start = UINT64_MAX, end = 0;

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct evc_pv_segment_of_image *segment = &image->segments[i];

        if (segment->at < start)
            start = segment->at;
        if (segment->at + segment->size > end)
            end = segment->at + segment->size;
    }
    image->virt_base = image->notes.virt_base;
    image->start = image->virt_base + start;
    image->end = image->virt_base + end;
}

static bool in_image(const struct evc_pv_image *image, uint64_t at,
                     uint64_t size)
{
    return at >= image->start && at < image->end && size <= image->end - at;
}

static int find_addresses(struct elf *elf)
{
    struct evc_pv_image *image = elf->image;
    const struct evc_pv_notes *notes = &image->notes;

    find_ends(image);
    image->entry = notes->has_entry ? notes->entry : elf->head.e_entry;
    if (!in_image(image, image->entry, 1))
        return bad(elf, "its entry point is outside of the image");
    if (notes->has_hypercall_page &&
        (notes->hypercall_page % EVC_PV_PAGE != 0 ||
         !in_image(image, notes->hypercall_page, EVC_PV_PAGE)))
        return bad(elf, "its hypercall page is not a page of the image");
    return 0;
}

int evc_pv_image_parse(const char *name, const struct evc_pv_file *file,
                       struct evc_pv_image *out, struct evc_pv_error *error)
{
    struct elf elf = {.file = file, .image = out, .error = error};
    int r;

    *out = (struct evc_pv_image){.name = name, .bytes = file->bytes};
    r = read_head(&elf);
    if (r == 0)
        r = read_notes(&elf);
    if (r == 0)
        r = check_base(&elf);
    if (r == 0)
        r = read_segments(&elf);
    if (r == 0)
        r = find_addresses(&elf);
    return r;
}
