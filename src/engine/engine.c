/* SPDX-License-Identifier: MIT */
/*
 * The engine itself: making it, its defaults, its policy and its log.
 */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evc_version.h"

const char *evc_version(void)
{
    return EVC_VERSION_STRING;
}

bool evc_is_xen_417(const struct evc_engine *engine)
{
    return engine->compat == EVC_COMPAT_XEN_4_17;
}

/* ---- default callbacks --------------------------------------------------- */

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

/* ---- creating and destroying --------------------------------------------- */

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

/* ---- policy and log ------------------------------------------------------- */

static int default_policy(const struct evc_domain *caller,
                          enum evc_action action,
                          const struct evc_domain *target)
{
    if (caller->privileged)
        return 0;
    if (action == EVC_ACTION_BIND_PIRQ)
        return -EPERM;
    if (caller == target || action == EVC_ACTION_BIND_INTERDOMAIN)
        return 0;
    return evc_a32_load_acq(&caller->target) == target->id ? 0 : -EPERM;
}

int evc_engine_policy(struct evc_domain *caller, enum evc_action action,
                      struct evc_domain *target, uint32_t detail)
{
    struct evc_engine *engine = caller->engine;

    if (engine->ops.policy == NULL)
        return default_policy(caller, action, target);
    return engine->ops.policy(engine->host, action, caller->id, target->id,
                              detail);
}

void evc_engine_log(struct evc_engine *engine, const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    engine->ops.log(engine->host, line);
}

uint64_t evc_engine_now(struct evc_engine *engine)
{
    struct evc_time now = {0};

    engine->ops.clock(engine->host, &now);
    return now.system_time;
}
