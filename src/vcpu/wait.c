/* SPDX-License-Identifier: MIT */
/*
 * Waiting: SCHEDOP_block and SCHEDOP_poll.
 *
 * A waiter first says that it waits, then looks whether there is something to
 * wait for; whoever makes something happen does it first, then looks for
 * waiters (event/wake.c).  One of the two always sees the other.
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    K1 count waiter   sc  K2 read waiters     sc  sleeps over its upcall
 *    W1 count poller   sc  W2 read pollers     sc  sleeps over its event
 *    W3 test pending   sc  P1/F1 set pending   sc  (delivery/)
 */
#include "vcpu.h"

#include <string.h>

#include <evc/abi/layouts.h>
#include <evc/abi/sched.h>

#define POLL_PORTS_MAX 128u

/* ---- sleeping ----------------------------------------------------------- */

/* The same moment by the host's clock; far off stays far off. */
static uint64_t host_deadline(uint64_t deadline, uint64_t now)
{
    uint64_t host = evc_host_clock(), left = deadline - now;

    return left < UINT64_MAX / 2 - host ? host + left : UINT64_MAX / 2;
}

static void sleep_once(struct evc_vcpu *vcpu, uint64_t deadline, uint64_t now)
{
    struct evc_domain *domain = vcpu->domain;
    const struct evc_ops *ops = &domain->engine->ops;

    if (ops->wait != NULL)
        ops->wait(domain->cookie, vcpu->id, deadline);
    else
        evc_sleeper_sleep(&vcpu->sleeper,
                          deadline ? host_deadline(deadline, now) : 0);
}

/* `waiting` is set, and nothing had happened after that. */
static void sleep_until(struct evc_vcpu *vcpu, uint64_t deadline)
{
    struct evc_engine *engine = vcpu->domain->engine;
    uint64_t now = 0;

    while (evc_a32_load_sc(&vcpu->woken) == 0) {
        if (deadline != 0)
            now = evc_engine_now(engine);
        if (deadline != 0 && now >= deadline)
            break;
        sleep_once(vcpu, deadline, now);
    }
}

static void wait_begin(struct evc_vcpu *vcpu, enum evc_vcpu_state state)
{
    evc_a32_store_sc(&vcpu->woken, 0);
    evc_a32_store_sc(&vcpu->waiting, state);
    (void)evc_a32_add_sc(&vcpu->domain->waiters, 1); /* K1, pairs with K2 */
}

static void wait_end(struct evc_vcpu *vcpu)
{
    (void)evc_a32_sub_sc(&vcpu->domain->waiters, 1);
    evc_a32_store_sc(&vcpu->waiting, EVC_VCPU_RUNNING);
}

/* A domain that is not to run any more does not wait either. */
static bool is_stopped(struct evc_domain *domain)
{
    return evc_domain_is_dying(domain) ||
           evc_a32_load_sc(&domain->shut_down) != 0;
}

/* ---- block -------------------------------------------------------------- */

static void open_upcalls(struct evc_vcpu *vcpu)
{
    struct evc_domain *domain = vcpu->domain;
    uint8_t *info;

    evc_rcu_lock();
    info = atomic_load(&domain->info[vcpu->id]);
    if (evc_delivery_shape(&domain->delivery)->has_mask)
        evc_a8_store_rlx((evc_a8 *)(void *)(info + 1), 0);
    evc_rcu_unlock();
}

static int64_t block(struct evc_vcpu *vcpu)
{
    struct evc_domain *domain = vcpu->domain;

    open_upcalls(vcpu);
    wait_begin(vcpu, EVC_VCPU_BLOCKED);
    if (!evc_vcpu_deliverable(domain, vcpu->id) && !is_stopped(domain))
        sleep_until(vcpu, 0);
    wait_end(vcpu);
    return 0;
}

/* ---- poll --------------------------------------------------------------- */

/* 1: pending; 0: not; -EINVAL: no such open port. Inside RCU. */
static int look_at(struct evc_domain *domain, uint32_t port)
{
    uint64_t chan;

    if (evc_table_find(&domain->table, port) == NULL)
        return -EINVAL;
    chan = evc_table_chan(&domain->table, port);
    if (evc_chan_kind(chan) <= EVC_RESERVED || (chan & EVC_CHAN_HOST))
        return -EINVAL;
    return evc_post_is_pending(&domain->delivery, port);
}

/* 1: do not wait; 0: wait; -EINVAL. */
static int look_at_all(struct evc_vcpu *vcpu, const uint32_t *ports, uint32_t n)
{
    struct evc_domain *domain = vcpu->domain;
    int r = 0;

    if (evc_vcpu_deliverable(domain, vcpu->id) || is_stopped(domain))
        return 1;
    evc_rcu_lock();
    for (uint32_t i = 0; i < n && r == 0; i++)
        r = look_at(domain, ports[i]); /* W3, pairs with P1 and F1 */
    evc_rcu_unlock();
    return r;
}

static int64_t poll_ports(struct evc_vcpu *vcpu, const uint32_t *ports,
                          uint32_t n, uint64_t timeout)
{
    struct evc_domain *domain = vcpu->domain;
    int r;

    evc_a32_store_sc(&vcpu->poll_port, n == 1 ? ports[0] : 0);
    wait_begin(vcpu, EVC_VCPU_POLLING);
    (void)evc_a32_add_sc(&domain->pollers, 1); /* W1, pairs with W2 */
    r = look_at_all(vcpu, ports, n);
    if (r == 0)
        sleep_until(vcpu, timeout);
    (void)evc_a32_sub_sc(&domain->pollers, 1);
    wait_end(vcpu);
    return r < 0 ? r : 0;
}

struct poll {
    uint64_t ports, timeout;
    uint32_t n;
};

static int copy_poll(struct evc_domain *domain, uint32_t vcpu, uint64_t arg,
                     struct poll *poll)
{
    union {
        struct evc_abi_sched_poll_x86_64 wide;
        struct evc_abi_sched_poll_x86_32 narrow;
    } raw;
    bool wide = evc_domain_is_wide(domain);
    int r;

    r = evc_copy_from(domain, vcpu, &raw, arg,
                      wide ? sizeof(raw.wide) : sizeof(raw.narrow));
    if (r < 0)
        return r;
    poll->ports = 0;
    if (wide)
        memcpy(&poll->ports, &raw.wide, 8);
    else
        memcpy(&poll->ports, &raw.narrow, 4);
    poll->n = wide ? raw.wide.nr_ports : raw.narrow.nr_ports;
    poll->timeout = wide ? raw.wide.timeout : raw.narrow.timeout;
    return 0;
}

static int64_t op_poll(struct evc_vcpu *vcpu, uint64_t arg)
{
    uint32_t ports[POLL_PORTS_MAX];
    struct poll poll;
    int r = copy_poll(vcpu->domain, vcpu->id, arg, &poll);

    if (r < 0)
        return r;
    if (poll.n > POLL_PORTS_MAX)
        return -EINVAL;
    if (poll.n != 0)
        r = evc_copy_from(vcpu->domain, vcpu->id, ports, poll.ports,
                          poll.n * sizeof(ports[0]));
    return r < 0 ? r : poll_ports(vcpu, ports, poll.n, poll.timeout);
}

/* ---- sched_op ----------------------------------------------------------- */

static int64_t op_shutdown(struct evc_vcpu *vcpu, uint64_t arg)
{
    struct evc_domain *domain = vcpu->domain;
    uint32_t reason;
    int r = evc_copy_from(domain, vcpu->id, &reason, arg, sizeof(reason));

    if (r < 0)
        return r;
    (void)evc_domain_shutdown(domain, reason);
    domain->engine->ops.shutdown(domain->cookie, vcpu->id, reason);
    return 0;
}

static int64_t op_remote_shutdown(struct evc_vcpu *vcpu, uint64_t arg)
{
    struct {
        uint16_t id;
        uint16_t pad;
        uint32_t reason;
    } raw;
    struct evc_domain *domain = vcpu->domain;
    struct evc_domain *target;
    int r = evc_copy_from(domain, vcpu->id, &raw, arg, sizeof(raw));

    if (r < 0)
        return r;
    target = evc_domain_get(domain->engine, raw.id);
    if (target == NULL)
        return -ESRCH;
    if (!domain->privileged && evc_a32_load_acq(&domain->target) != target->id)
        r = -EPERM;
    else
        (void)evc_domain_shutdown(target, raw.reason);
    evc_domain_put(target);
    return r;
}

int64_t evc_sched_op(struct evc_domain *domain, uint32_t vcpu, uint32_t cmd,
                     uint64_t arg)
{
    struct evc_vcpu *self = &domain->vcpu[vcpu];

    switch (cmd) {
    case SCHEDOP_yield:
        return 0;
    case SCHEDOP_block:
        return block(self);
    case SCHEDOP_shutdown:
        return op_shutdown(self, arg);
    case SCHEDOP_poll:
        return op_poll(self, arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(self, arg);
    default:
        return -ENOSYS;
    }
}
