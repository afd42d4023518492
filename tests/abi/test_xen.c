/* SPDX-License-Identifier: MIT */
/*
 * Our public ABI is Xen's: every number, size and offset, in every layout.
 *
 * What differs is named, with both values.  So that a green run means
 * something, each row is then spoiled in turn, and the comparison must find
 * exactly that row.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* Rows where the two say something else; `first` is the lowest of them. */
static size_t compare(const struct table *a, const struct table *b, bool loud,
                      size_t *first)
{
    size_t differences = 0;

    for (size_t i = 0; i < a->count; i++) {
        if (a->facts[i].value == b->facts[i].value)
            continue;
        if (differences++ == 0)
            *first = i;
        if (loud)
            printf("%s: %s is %lld here and %lld in Xen\n", a->facts[i].name,
                   a->facts[i].what, a->facts[i].value, b->facts[i].value);
    }
    return differences;
}

/* The two tables list the same things, or comparing them says nothing. */
static bool same_rows(const struct table *a, const struct table *b)
{
    if (a->count != b->count) {
        printf("%zu rows here, %zu in Xen\n", a->count, b->count);
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->facts[i].name, b->facts[i].name) != 0 ||
            strcmp(a->facts[i].what, b->facts[i].what) != 0) {
            printf("row %zu: %s here, %s in Xen\n", i, a->facts[i].name,
                   b->facts[i].name);
            return false;
        }
    }
    return true;
}

static bool every_row_counts(const struct table *good, const struct table *b)
{
    struct fact *facts = malloc(good->count * sizeof(*facts));
    struct table spoiled = {facts, good->count};
    size_t i, found = 0;

    if (!facts)
        return false;
    memcpy(facts, good->facts, good->count * sizeof(*facts));
    for (i = 0; i < good->count; i++) {
        facts[i].value++;
        if (compare(&spoiled, b, false, &found) != 1 || found != i)
            break;
        facts[i].value--;
    }
    free(facts);
    if (i < good->count)
        printf("%s: spoiling it went unnoticed\n", good->facts[i].name);
    return i == good->count;
}

int main(void)
{
    size_t first = 0;

    if (!same_rows(&ours, &theirs))
        return 1;
    if (compare(&ours, &theirs, true, &first) != 0)
        return 1;
    if (!every_row_counts(&ours, &theirs))
        return 1;
    printf("%zu facts agree\n", ours.count);
    return 0;
}
