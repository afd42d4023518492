/* SPDX-License-Identifier: MIT */
/*
 * Print what a guest finds in its store, as `xenstore-ls -fp` does: for world.sh
 * to hold against what a guest on Xen found.
 */
#include "front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct evc_store_conn *conn;

/* Domain 0 asks; the answer's size, a zero behind it. */
static uint32_t ask_store(enum evc_xs_type type, const char *path,
                          char answer[EVC_XS_PAYLOAD + 1])
{
    struct evc_xs_header header = {.type = type,
                                   .len = (uint32_t)strlen(path) + 1};

    assert_true(evc_store_input(conn, &header, sizeof(header)) > 0);
    assert_true(evc_store_input(conn, path, header.len) > 0);
    assert_int_equal(evc_store_output(conn, &header, sizeof(header)),
                     sizeof(header));
    assert_int_equal(header.type, type);
    assert_int_equal(evc_store_output(conn, answer, header.len), header.len);
    answer[header.len] = '\0';
    return header.len;
}

static void print_perms(const char *path)
{
    char perms[EVC_XS_PAYLOAD + 1];
    uint32_t size = ask_store(EVC_XS_GET_PERMS, path, perms);

    for (uint32_t i = 0; i + 1 < size; i++)
        if (perms[i] == '\0')
            perms[i] = ',';
    printf("   (%s)\n", perms);
}

static void print_below(const char *path)
{
    char names[EVC_XS_PAYLOAD + 1], value[EVC_XS_PAYLOAD + 1], below[200];
    uint32_t size = ask_store(EVC_XS_DIRECTORY, *path ? path : "/", names);

    for (uint32_t at = 0; at < size; at += (uint32_t)strlen(names + at) + 1) {
        snprintf(below, sizeof(below), "%s/%s", path, names + at);
        (void)ask_store(EVC_XS_READ, below, value);
        printf("%s = \"%s\"", below, value);
        print_perms(below);
        print_below(below);
    }
}

int main(void)
{
    struct front f;

    if (!has_terminals())
        return 77;
    front_init(&f);
    f.config.name = "grub";
    f.config.image = "/in/grub-x86_64-xen.bin";
    if (evc_backend_create(&f.config, &f.backend) < 0 ||
        evc_store_connect(f.backend->store, 0, NULL, NULL, &conn) < 0)
        return 1;
    print_below("");
    fflush(stdout);
    front_finish(&f);
    return 0;
}
