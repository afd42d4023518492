/* SPDX-License-Identifier: MIT */
/*
 * Who may read and write a node: "n0" (owner 0, nobody else), "r1" (domain 1
 * may read), "w", "b" (both).
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool evc_perms_allow(const struct perms *perms, uint16_t domain, unsigned bits)
{
    if (domain == 0 || domain == perms->of[0].domain)
        return true;
    for (unsigned i = 1; i < perms->n; i++)
        if (perms->of[i].domain == domain)
            return (perms->of[i].bits & bits) == bits;
    return (perms->of[0].bits & bits) == bits;
}

static const char letters[] = {'n', 'r', 'w', 'b'}; /* by READ | WRITE */

static int parse_one(struct perm *perm, const char *text)
{
    const char *letter = memchr(letters, text[0], sizeof(letters));
    unsigned domain = 0, digits = 0;

    if (letter == NULL)
        return -EINVAL;
    for (; text[1 + digits] != '\0'; digits++) {
        unsigned digit = (unsigned char)text[1 + digits] - '0';

        if (digit > 9 || digits == 5)
            return -EINVAL;
        domain = domain * 10 + digit;
    }
    if (digits == 0 || domain > UINT16_MAX)
        return -EINVAL;
    perm->domain = (uint16_t)domain;
    perm->bits = (uint8_t)(letter - letters);
    return 0;
}

int evc_perms_parse(struct perms *perms, const char *text, size_t size)
{
    struct perms new = {0};

    if (size == 0 || text[size - 1] != '\0')
        return -EINVAL;
    for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
        int r;

        if (new.n == PERMS_MAX)
            return -ENOSPC;
        r = parse_one(&new.of[new.n++], text + at);
        if (r < 0)
            return r;
    }
    *perms = new;
    return 0;
}

size_t evc_perms_text(const char *perms, char *text)
{
    size_t size = strlen(perms) + 1;

    if (size > PERMS_TEXT)
        return 0;
    memcpy(text, perms, size);
    for (char *c = text; *c != '\0'; c++)
        if (*c == ',')
            *c = '\0';
    return size;
}

size_t evc_perms_print(const struct perms *perms, char *text)
{
    size_t size = 0;

    for (unsigned i = 0; i < perms->n; i++)
        size += 1u + (size_t)sprintf(text + size, "%c%u",
                                     letters[perms->of[i].bits],
                                     perms->of[i].domain);
    return size;
}
