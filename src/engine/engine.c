/* SPDX-License-Identifier: MIT */
/*
 * The engine itself: making it, and its defaults.
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "evc_version.h"

const char *evc_version(void)
{
    return EVC_VERSION_STRING;
}

/* ---- default callbacks -------------------------------------------------- */

static void no_kick(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
}

static int no_map(void *dom, uint64_t gfn, void **page)
{
    (void)dom;
    (void)gfn;
    (void)page;
    return -EINVAL;
}

static void no_unmap(void *dom, uint64_t gfn, void *page)
{
    (void)dom;
    (void)gfn;
    (void)page;
}

static int no_copy_from(void *dom, uint32_t vcpu, void *to, uint64_t from,
                        size_t size)
{
    (void)dom;
    (void)vcpu;
    (void)to;
    (void)from;
    (void)size;
    return -EFAULT;
}

static int no_copy_to(void *dom, uint32_t vcpu, uint64_t to, const void *from,
                      size_t size)
{
    (void)dom;
    (void)vcpu;
    (void)to;
    (void)from;
    (void)size;
    return -EFAULT;
}

static int no_pirq_bind(void *dom, uint32_t pirq, bool share)
{
    (void)dom;
    (void)pirq;
    (void)share;
    return -EPERM;
}

static void no_pirq(void *dom, uint32_t pirq)
{
    (void)dom;
    (void)pirq;
}

static void no_pirq_affinity(void *dom, uint32_t pirq, uint32_t vcpu)
{
    (void)dom;
    (void)pirq;
    (void)vcpu;
}

static void host_clock(void *host, struct evc_time *now)
{
    (void)host;
    now->system_time = evc_host_clock();
    now->tsc_timestamp = now->system_time;
    now->tsc_to_system_mul = UINT32_C(1) << 31; /* (1 << 1) * mul >> 32 = 1 */
    now->tsc_shift = 1;
    now->flags = 0;
}

static void no_shutdown(void *dom, uint32_t vcpu, uint32_t reason)
{
    (void)dom;
    (void)vcpu;
    (void)reason;
}

static int64_t no_hypercall(void *dom, uint32_t vcpu, uint64_t nr,
                            const uint64_t args[6])
{
    (void)dom;
    (void)vcpu;
    (void)nr;
    (void)args;
    return -ENOSYS;
}

static void no_log(void *host, const char *line)
{
    (void)host;
    (void)line;
}

/* `timer`, `wait` and `wake` stay NULL: their users ask (timer.c, wait.c). */
static void fill_defaults(struct evc_ops *ops)
{
#define DEFAULT(member, function) \
    ops->member = ops->member ? ops->member : function
    DEFAULT(kick, no_kick);
    DEFAULT(map, no_map);
    DEFAULT(unmap, no_unmap);
    DEFAULT(copy_from, no_copy_from);
    DEFAULT(copy_to, no_copy_to);
    DEFAULT(pirq_bind, no_pirq_bind);
    DEFAULT(pirq_unbind, no_pirq);
    DEFAULT(pirq_eoi, no_pirq);
    DEFAULT(pirq_affinity, no_pirq_affinity);
    DEFAULT(clock, host_clock);
    DEFAULT(shutdown, no_shutdown);
    DEFAULT(hypercall, no_hypercall);
    DEFAULT(log, no_log);
#undef DEFAULT
}

/* ---- creating and destroying -------------------------------------------- */

static bool ops_are_usable(const struct evc_ops *ops)
{
    if (ops->size < sizeof(ops->size) || ops->size > sizeof(*ops))
        return false;
    return true;
}

static bool ops_are_paired(const struct evc_ops *ops)
{
    return !ops->wait == !ops->wake && !ops->map == !ops->unmap &&
           !ops->pirq_bind == !ops->pirq_unbind;
}

int evc_engine_create(const struct evc_ops *ops, void *host,
                      enum evc_compat compat, struct evc_engine **out)
{
    struct evc_engine *engine;

    if (compat != EVC_COMPAT_DEFAULT && compat != EVC_COMPAT_XEN_4_17)
        return -EINVAL;
    if (ops != NULL && !ops_are_usable(ops))
        return -EINVAL;
    engine = calloc(1, sizeof(*engine));
    if (engine == NULL)
        return -ENOMEM;

    if (ops != NULL)
        memcpy(&engine->ops, ops, ops->size);
    if (!ops_are_paired(&engine->ops)) {
        free(engine);
        return -EINVAL;
    }
    fill_defaults(&engine->ops);
    engine->host = host;
    engine->compat = compat;
    pthread_mutex_init(&engine->admin, NULL);
    pthread_mutex_init(&engine->timers, NULL);
    pthread_mutex_init(&engine->starting, NULL);
    *out = engine;
    return 0;
}

void evc_engine_destroy(struct evc_engine *engine)
{
    if (engine == NULL)
        return;
    for (unsigned id = 0; id < EVC_DOMIDS; id++)
        evc_domain_destroy(evc_engine_peer(engine, (evc_domid)id));
    while (engine->hosts != NULL)
        evc_host_close(engine->hosts);
    evc_service_stop(engine);
    free(engine->heap);
    pthread_mutex_destroy(&engine->starting);
    pthread_mutex_destroy(&engine->timers);
    pthread_mutex_destroy(&engine->admin);
    free(engine);
}
