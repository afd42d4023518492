/* SPDX-License-Identifier: MIT */
/*
 * The smallest image that evc boot takes: one segment at 1 GiB, notes, and a
 * page of zeroes for hypercalls.
 */
#ifndef TINYIMAGE_H
#define TINYIMAGE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include <pv.h>

#define TINY_BASE  UINT64_C(0x40000000)
#define TINY_NOTES 0x200u
#define TINY_CODE  0x400u
#define TINY_SIZE  0x600u

static inline size_t tiny_note(uint8_t *at, uint32_t type, const void *desc,
                               uint32_t size)
{
    const uint32_t head[3] = {4, size, type};

    memcpy(at, head, 12);
    memcpy(at + 12, "Xen", 4);
    memcpy(at + 16, desc, size);
    return 16 + ((size + 3) & ~3u);
}

static inline size_t tiny_notes(uint8_t *at)
{
    const uint64_t base = TINY_BASE, page = TINY_BASE + 0x1000;
    size_t n = 0;

    n += tiny_note(at + n, EVC_NOTE_LOADER, "generic", 8);
    n += tiny_note(at + n, EVC_NOTE_GUEST_OS, "tiny", 5);
    n += tiny_note(at + n, EVC_NOTE_VIRT_BASE, &base, 8);
    n += tiny_note(at + n, EVC_NOTE_PADDR_OFFSET, &base, 8);
    n += tiny_note(at + n, EVC_NOTE_ENTRY, &base, 8);
    n += tiny_note(at + n, EVC_NOTE_HYPERCALL_PAGE, &page, 8);
    return n;
}

static inline void tiny_image(uint8_t bytes[TINY_SIZE])
{
    Elf64_Ehdr head = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = TINY_BASE,
        .e_phoff = sizeof(head),
        .e_ehsize = sizeof(head),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 2,
    };
    Elf64_Phdr segments[2] = {
        {.p_type = PT_LOAD,
         .p_offset = TINY_CODE,
         .p_vaddr = TINY_BASE,
         .p_paddr = TINY_BASE,
         .p_filesz = TINY_SIZE - TINY_CODE,
         .p_memsz = 0x3000},
        {.p_type = PT_NOTE, .p_offset = TINY_NOTES},
    };

    memset(bytes, 0, TINY_SIZE);
    segments[1].p_filesz = tiny_notes(bytes + TINY_NOTES);
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + sizeof(head), segments, sizeof(segments));
}

#endif /* TINYIMAGE_H */
