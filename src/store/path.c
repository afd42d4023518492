/* SPDX-License-Identifier: MIT */
/*
 * Paths: "/" and names between slashes, of letters, digits and "-_@".  What
 * does not begin with a slash begins at the domain's own home.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_well_formed(const char *path)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789-_@/";
    size_t length = strlen(path);

    if (length > EVC_XS_ABS_PATH || path[0] != '/')
        return false;
    if (strspn(path, good) != length || strstr(path, "//") != NULL)
        return false;
    return length == 1 || path[length - 1] != '/';
}

int evc_path_canonical(const char *name, uint16_t domain, char path[PATH_ROOM])
{
    size_t length = strlen(name);

    if (name[0] == '/' && length <= EVC_XS_ABS_PATH)
        memcpy(path, name, length + 1);
    else if (name[0] != '/' && name[0] != '@' && length <= EVC_XS_REL_PATH)
        sprintf(path, "/local/domain/%u/%s", domain, name);
    else
        return -EINVAL;
    return is_well_formed(path) ? 0 : -EINVAL;
}

bool evc_path_within(const char *path, const char *above)
{
    size_t length = strlen(above);

    if (length == 1) /* the root; no special names are in it */
        return path[0] == '/';
    return strncmp(path, above, length) == 0 &&
           (path[length] == '\0' || path[length] == '/');
}

void evc_path_up(char *path)
{
    char *slash = strrchr(path, '/');

    slash[slash == path ? 1 : 0] = '\0';
}

size_t evc_path_home(uint16_t domain, const char *path)
{
    char home[32];
    size_t length = (size_t)sprintf(home, "/local/domain/%u/", domain);

    return strncmp(path, home, length) == 0 ? length : 0;
}
