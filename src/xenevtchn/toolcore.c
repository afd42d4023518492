/* SPDX-License-Identifier: MIT */
/*
 * libxentoolcore's restrict-all: that library keeps a list of the handles of all
 * Xen libraries in a process, and has each restricted when a program asks for it.
 * It is used if it is there; a system without Xen's tools has it not.
 */
#include "toolcore.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

static struct {
    pthread_once_t once;
    void (*add)(struct evc_toolcore *);
    void (*drop)(struct evc_toolcore *);
} toolcore = {.once = PTHREAD_ONCE_INIT};

static void find(void)
{
    void *library = dlopen("libxentoolcore.so.1", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return;
    *(void **)&toolcore.add =
        dlsym(library, "xentoolcore__register_active_handle");
    *(void **)&toolcore.drop =
        dlsym(library, "xentoolcore__deregister_active_handle");
}

static int restrict_handle(struct evc_toolcore *self, domid_t domid)
{
    xenevtchn_handle *xce = (xenevtchn_handle *)self;

    if (xce->client == NULL && xce->fd < 0)
        return 0;
    return xenevtchn_restrict(xce, domid);
}

void evc_toolcore_register(xenevtchn_handle *xce)
{
    int saved = errno;

    pthread_once(&toolcore.once, find);
    xce->toolcore.restrict_handle = restrict_handle;
    if (toolcore.add != NULL && toolcore.drop != NULL)
        toolcore.add(&xce->toolcore);
    errno = saved;
}

void evc_toolcore_deregister(xenevtchn_handle *xce)
{
    if (toolcore.add != NULL && toolcore.drop != NULL)
        toolcore.drop(&xce->toolcore);
}
