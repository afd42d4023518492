/* SPDX-License-Identifier: MIT */
/* Where the library and the daemon are, seen from this program. */
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder that this program is in. */
static int own_folder(char to[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", to, PATH_MAX - 1);
    char *slash;

    if (n < 0)
        return -errno;
    to[n] = 0;
    slash = strrchr(to, '/');
    if (slash == NULL)
        return -ENOENT;
    *slash = 0;
    return 0;
}

/* Is it a folder with the library?  Then its shortest name. */
static bool has_library(const char *folder, char to[PATH_MAX])
{
    char file[PATH_MAX];

    if (realpath(folder, to) == NULL)
        return false;
    return snprintf(file, sizeof(file), "%s/libxenevtchn.so.1", to) <
               PATH_MAX &&
           access(file, R_OK) == 0;
}

int evc_launch_libraries(char to[PATH_MAX])
{
    static const char *const places[] = {"../" EVC_LIBDIR "/evc", "../lib"};
    char own[PATH_MAX], folder[PATH_MAX];
    int r = own_folder(own);

    if (r < 0)
        return r;
    if (EVC_LIBDIR[0] == '/' && has_library(EVC_LIBDIR "/evc", to))
        return 0;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (snprintf(folder, sizeof(folder), "%s/%s", own, places[i]) <
                PATH_MAX &&
            has_library(folder, to))
            return 0;
    return -ENOENT;
}

int evc_launch_daemon(char to[PATH_MAX])
{
    char own[PATH_MAX];
    int r = own_folder(own);

    if (r < 0)
        return r;
    if (snprintf(to, PATH_MAX, "%s/evcd", own) >= PATH_MAX ||
        access(to, X_OK) < 0)
        strcpy(to, "evcd");
    return 0;
}

int evc_launch_put_first(const char *folder)
{
    const char *before = getenv("LD_LIBRARY_PATH");
    char *path;
    int r;

    if (strpbrk(folder, ":;") != NULL)
        return -EINVAL; /* it would be two */
    if (before == NULL || before[0] == 0)
        return setenv("LD_LIBRARY_PATH", folder, 1) < 0 ? -errno : 0;
    if (asprintf(&path, "%s:%s", folder, before) < 0)
        return -ENOMEM;
    r = setenv("LD_LIBRARY_PATH", path, 1) < 0 ? -errno : 0;
    free(path);
    return r;
}
