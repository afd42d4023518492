/* SPDX-License-Identifier: MIT */
/*
 * One table of facts from our headers and one from Xen's, made from one list.
 *
 * The headers declare the same names and cannot meet in one file.  So ours.c
 * and theirs.c each include their own headers and then entries.inc, which lists
 * what is to be measured; test_xen.c compares the two, row by row.
 */
#ifndef TESTS_ABI_TABLE_H
#define TESTS_ABI_TABLE_H

#include <stddef.h>

struct fact {
    const char *name; /* "struct evtchn_send.port" */
    const char *what; /* "value", "size", "offset", "sign" */
    long long value;
};

struct table {
    const struct fact *facts;
    size_t count;
};

/* The names as everybody knows them, and the layouts of foreign guests. */
extern const struct table ours, theirs;

/* What entries.inc and layout_entries.inc are written in. */
#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)
#define IS_SIGNED(type, member)   ((__typeof__(((type *)0)->member))-1 < 0)
#define NUMBER(name)              {#name, "value", (long long)(name)},
#define SIZE(type)                {#type, "size", (long long)sizeof(type)},
#define FIELD(type, member)                                           \
    {#type "." #member, "offset", (long long)offsetof(type, member)}, \
        {#type "." #member, "size", (long long)MEMBER_SIZE(type, member)},
#define SIGNED(type, member) \
    {#type "." #member, "sign", IS_SIGNED(type, member)},

#endif /* TESTS_ABI_TABLE_H */
