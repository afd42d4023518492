/* SPDX-License-Identifier: MIT */
/*
 * What an image says of itself in its Xen notes, or, in older ones, in a string
 * of section __xen_guest; and whether such a guest can run here.
 */
#include "pv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ------------------------------------------------------------------- */

static uint32_t read32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* 4 or 8 bytes; of more than 8 the first. */
static bool number(struct evc_pv_span desc, uint64_t *out)
{
    if (desc.size != 4 && desc.size < 8)
        return false;
    *out = 0;
    memcpy(out, desc.bytes, desc.size == 4 ? 4 : 8);
    return true;
}

/* As much as fits; what cannot be printed becomes a question mark. */
static void text(struct evc_pv_span desc, char *out, size_t room)
{
    size_t n = strnlen((const char *)desc.bytes, desc.size);

    if (n >= room)
        n = room - 1;
    for (size_t i = 0; i < n; i++) {
        char c = (char)desc.bytes[i];

        out[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    out[n] = 0;
}

/* ---- notes ---------------------------------------------------------------------- */

static bool take(struct evc_pv_notes *notes, uint32_t type,
                 struct evc_pv_span desc)
{
    switch (type) {
    case EVC_NOTE_VIRT_BASE:
        notes->has_virt_base = true;
        return number(desc, &notes->virt_base);
    case EVC_NOTE_PADDR_OFFSET:
        return number(desc, &notes->paddr_offset);
    case EVC_NOTE_ENTRY:
        notes->has_entry = true;
        return number(desc, &notes->entry);
    case EVC_NOTE_HYPERCALL_PAGE:
        notes->has_hypercall_page = true;
        return number(desc, &notes->hypercall_page);
    case EVC_NOTE_GUEST_OS:
        text(desc, notes->guest_os, sizeof(notes->guest_os));
        return true;
    case EVC_NOTE_GUEST_VERSION:
        text(desc, notes->guest_version, sizeof(notes->guest_version));
        return true;
    case EVC_NOTE_LOADER:
        text(desc, notes->loader, sizeof(notes->loader));
        return true;
    case EVC_NOTE_FEATURES:
        text(desc, notes->features, sizeof(notes->features));
        return true;
    default:
        return true; /* of no concern here */
    }
}

static size_t padded(uint32_t size)
{
    return ((size_t)size + 3) & ~(size_t)3;
}

/* A note of anybody's; *section then begins behind it. */
static int read_note(struct evc_pv_notes *notes, struct evc_pv_span *section,
                     struct evc_pv_error *error)
{
    uint32_t name_size = read32(section->bytes);
    uint32_t size = read32(section->bytes + 4);
    uint32_t type = read32(section->bytes + 8);
    size_t start = 12 + padded(name_size);
    bool is_xen;

    if (start > section->size || size > section->size - start)
        return evc_pv_fail(error, -ENOEXEC,
                           "a note is longer than its section");
    is_xen = name_size == 4 && memcmp(section->bytes + 12, "Xen", 4) == 0;
    notes->any |= is_xen;
    if (is_xen &&
        !take(notes, type, (struct evc_pv_span){section->bytes + start, size}))
        return evc_pv_fail(error, -ENOEXEC,
                           "Xen note %u has %u bytes instead of 8", type, size);
    start += padded(size);
    if (start > section->size)
        start = section->size;
    section->bytes += start;
    section->size -= start;
    return 0;
}

int evc_pv_notes_read(struct evc_pv_notes *notes, struct evc_pv_span section,
                      struct evc_pv_error *error)
{
    while (section.size >= 12) {
        int r = read_note(notes, &section, error);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the older string -------------------------------------------------------------- */

static void legacy_number(const char *value, uint64_t *out, bool *has)
{
    *out = strtoull(value, NULL, 0);
    *has = true;
}

static void legacy_text(const char *value, char *out, size_t room)
{
    text((struct evc_pv_span){(const uint8_t *)value, strlen(value)}, out,
         room);
}

static void legacy_field(struct evc_pv_notes *notes, const char *name,
                         const char *value)
{
    bool unused;

    if (strcmp(name, "GUEST_OS") == 0)
        legacy_text(value, notes->guest_os, sizeof(notes->guest_os));
    else if (strcmp(name, "GUEST_VER") == 0)
        legacy_text(value, notes->guest_version, sizeof(notes->guest_version));
    else if (strcmp(name, "LOADER") == 0)
        legacy_text(value, notes->loader, sizeof(notes->loader));
    else if (strcmp(name, "FEATURES") == 0)
        legacy_text(value, notes->features, sizeof(notes->features));
    else if (strcmp(name, "VIRT_BASE") == 0)
        legacy_number(value, &notes->virt_base, &notes->has_virt_base);
    else if (strcmp(name, "VIRT_ENTRY") == 0)
        legacy_number(value, &notes->entry, &notes->has_entry);
    else if (strcmp(name, "ELF_PADDR_OFFSET") == 0)
        legacy_number(value, &notes->paddr_offset, &unused);
    else if (strcmp(name, "HYPERCALL_PAGE") == 0) /* a page number, here */
        legacy_number(value, &notes->hypercall_page,
                      &notes->has_hypercall_page);
}

int evc_pv_notes_read_legacy(struct evc_pv_notes *notes,
                             struct evc_pv_span span,
                             struct evc_pv_error *error)
{
    char copy[1024], *rest = copy, *field;
    bool had_page = notes->has_hypercall_page;

    if (span.size >= sizeof(copy))
        return evc_pv_fail(error, -ENOEXEC,
                           "section __xen_guest has %zu bytes, 1023 at most",
                           span.size);
    memcpy(copy, span.bytes, span.size);
    copy[span.size] = 0;
    notes->any = true;
    notes->paddr_offset = UINT64_MAX; /* as VIRT_BASE, unless said */
    while ((field = strsep(&rest, ",")) != NULL) {
        char *value = strchr(field, '=');

        if (value)
            *value++ = 0;
        legacy_field(notes, field, value ? value : "");
    }
    if (notes->paddr_offset == UINT64_MAX)
        notes->paddr_offset = notes->virt_base;
    if (notes->has_hypercall_page && !had_page)
        notes->hypercall_page =
            notes->virt_base + (notes->hypercall_page << EVC_PV_PAGE_SHIFT);
    return 0;
}

/* ---- can it run here? ----------------------------------------------------------------- */

/* A feature that the guest cannot do without, and that is not had here. */
static bool is_missing(const char *feature)
{
    static const char *const had[] = {"pae_pgdir_above_4gb",
                                      "not_direct_mapped"};

    if (feature[0] != '!')
        return false;
    for (size_t i = 0; i < sizeof(had) / sizeof(*had); i++)
        if (strcmp(feature + 1, had[i]) == 0)
            return false;
    return true;
}

static int check_features(const struct evc_pv_notes *notes,
                          struct evc_pv_error *error)
{
    char copy[sizeof(notes->features)], *rest = copy, *feature;

    memcpy(copy, notes->features, sizeof(copy));
    while ((feature = strsep(&rest, "|")) != NULL)
        if (is_missing(feature))
            return evc_pv_fail(
                error, -ENOEXEC,
                "the image needs feature '%s', which evc boot does not offer",
                feature + 1);
    return 0;
}

int evc_pv_notes_check(const struct evc_pv_notes *notes,
                       struct evc_pv_error *error)
{
    if (!notes->any)
        return evc_pv_fail(error, -ENOEXEC,
                           "no Xen notes: not a paravirtual guest");
    if (notes->loader[0] && strcmp(notes->loader, "generic") != 0)
        return evc_pv_fail(error, -ENOEXEC,
                           "it wants loader '%s', there is only 'generic'",
                           notes->loader);
    return check_features(notes, error);
}
