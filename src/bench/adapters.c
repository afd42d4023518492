/* SPDX-License-Identifier: MIT */
/*
 * The list, and loading more of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapters.h"

#define MOST 32u

static const struct evc_adapter *adapters[MOST + 1] = {
    &evc_adapter_fifo,      &evc_adapter_twolevel, &evc_adapter_xenevtchn,
    &evc_adapter_bitmap,    &evc_adapter_futex,    &evc_adapter_eventfd,
    &evc_adapter_epoll,     &evc_adapter_pipe,     &evc_adapter_mq,
    &evc_adapter_seqpacket, &evc_adapter_uring,
};

const struct evc_adapter *evc_adapter_at(unsigned index)
{
    return index < MOST ? adapters[index] : NULL;
}

const struct evc_adapter *evc_adapter_find(const char *name, size_t length)
{
    for (unsigned i = 0; adapters[i]; i++)
        if (strlen(adapters[i]->name) == length &&
            memcmp(adapters[i]->name, name, length) == 0)
            return adapters[i];
    return NULL;
}

const char *evc_adapter_missing(const struct evc_adapter *adapter)
{
    return adapter->missing ? adapter->missing() : NULL;
}

/* A word that fits into a table and into --adapters. */
static bool is_word(const char *name)
{
    size_t length = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789-_.+")
                         : 0;

    return length > 0 && length < 32 && name[length] == '\0';
}

static const char *fault_of(const struct evc_adapter *adapter)
{
    if (!adapter)
        return "it exports no evc_adapter";
    if (adapter->version != EVC_ADAPTER_VERSION)
        return "its adapter is of another version";
    if (!is_word(adapter->name))
        return "its adapter's name is not one word";
    if (evc_adapter_find(adapter->name, strlen(adapter->name)))
        return "there is an adapter of that name";
    if (!adapter->about || !adapter->open || !adapter->close ||
        !adapter->send || !adapter->take || !adapter->wait)
        return "its adapter lacks a function, or says nothing about itself";
    return NULL;
}

static int add(const struct evc_adapter *adapter, const char **why)
{
    unsigned count = 0;

    *why = fault_of(adapter);
    while (adapters[count])
        count++;
    if (!*why && count == MOST)
        *why = "too many adapters";
    if (*why)
        return -EINVAL;
    adapters[count] = adapter;
    return 0;
}

int evc_adapter_load(const char *path, const char **why)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    int r;

    if (!object) {
        *why = dlerror();
        return -EINVAL;
    }
    r = add(dlsym(object, "evc_adapter"), why);
    if (r < 0)
        dlclose(object);
    return r;
}
