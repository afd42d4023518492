/* SPDX-License-Identifier: MIT */
/*
 * The naive engine's hypercalls: arguments in the shadow, and what is done with
 * them.
 */
#include <string.h>

#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>

#include "naive.h"

/* ---- guest addresses ---------------------------------------------------- */

static bool reachable(const struct naive_domain *d, uint64_t at, size_t size,
                      enum access worst)
{
    if (at >= FRAMES * PAGE || size > FRAMES * PAGE - at)
        return false;
    for (uint64_t f = at / PAGE; f <= (at + size - 1) / PAGE; f++)
        if (d->guest->access[f] > worst)
            return false;
    return true;
}

static int copy_from(struct naive_domain *d, void *to, uint64_t at, size_t size)
{
    if (!reachable(d, at, size, READ_ONLY))
        return -XEN_EFAULT;
    memcpy(to, d->shadow + at, size);
    return 0;
}

static int copy_to(struct naive_domain *d, uint64_t at, const void *from,
                   size_t size)
{
    if (!reachable(d, at, size, READ_WRITE))
        return -XEN_EFAULT;
    naive_store(d, d->shadow + at, from, size);
    return 0;
}

/* ---- event_channel_op --------------------------------------------------- */

static const struct {
    uint8_t size;
    bool answers;
} operations[] = {
    [EVTCHNOP_bind_interdomain] = {sizeof(struct evtchn_bind_interdomain), 1},
    [EVTCHNOP_bind_virq] = {sizeof(struct evtchn_bind_virq), 1},
    [EVTCHNOP_bind_pirq] = {sizeof(struct evtchn_bind_pirq), 1},
    [EVTCHNOP_close] = {sizeof(struct evtchn_close), 0},
    [EVTCHNOP_send] = {sizeof(struct evtchn_send), 0},
    [EVTCHNOP_status] = {sizeof(struct evtchn_status), 1},
    [EVTCHNOP_alloc_unbound] = {sizeof(struct evtchn_alloc_unbound), 1},
    [EVTCHNOP_bind_ipi] = {sizeof(struct evtchn_bind_ipi), 1},
    [EVTCHNOP_bind_vcpu] = {sizeof(struct evtchn_bind_vcpu), 0},
    [EVTCHNOP_unmask] = {sizeof(struct evtchn_unmask), 0},
    [EVTCHNOP_reset] = {sizeof(struct evtchn_reset), 0},
    [EVTCHNOP_init_control] = {sizeof(struct evtchn_init_control), 1},
    [EVTCHNOP_expand_array] = {sizeof(struct evtchn_expand_array), 0},
    [EVTCHNOP_set_priority] = {sizeof(struct evtchn_set_priority), 0},
    [14] = {sizeof(struct evtchn_reset), 0},
};

static int64_t event_channel_op(struct naive_domain *d, uint32_t cmd,
                                uint64_t at)
{
    _Alignas(8) uint8_t arg[64];
    int r;

    if (cmd >= (d->all->xen_417 ? 15 : 14))
        return -XEN_ENOSYS;
    r = copy_from(d, arg, at, operations[cmd].size);
    if (r == 0)
        r = naive_op(d, cmd, arg);
    if (r == 0 && operations[cmd].answers)
        r = copy_to(d, at, arg, operations[cmd].size);
    return r;
}

static int64_t event_channel_op_compat(struct naive_domain *d, uint64_t at)
{
    struct evtchn_op op;
    int r = copy_from(d, &op, at, sizeof(op));

    if (r < 0)
        return r;
    return op.cmd <= EVTCHNOP_unmask
               ? event_channel_op(d, op.cmd, at + offsetof(struct evtchn_op, u))
               : -XEN_ENOSYS;
}

/* ---- vcpu_op and timers ------------------------------------------------- */

static int64_t set_timer(struct naive_domain *d, unsigned vcpu,
                         const uint64_t args[6])
{
    uint64_t deadline = args[0];

    if (d->abi.word == 4)
        deadline = (args[0] & UINT32_MAX) | args[1] << 32;
    naive_set_timer(d, vcpu, 0, deadline, 0);
    return 0;
}

static int64_t set_singleshot(struct naive_domain *d, unsigned self,
                              unsigned vcpu, uint64_t at)
{
    struct {
        uint64_t deadline;
        uint32_t flags;
    } arg;

    if (vcpu != self)
        return -XEN_EINVAL;
    if (copy_from(d, &arg, at, 12) < 0)
        return -XEN_EFAULT;
    if ((arg.flags & VCPU_SSHOTTMR_future) && arg.deadline < d->all->w->now)
        return -XEN_ETIME;
    naive_set_timer(d, vcpu, 0, arg.deadline ? arg.deadline : 1, 0);
    return 0;
}

static int64_t set_periodic(struct naive_domain *d, unsigned vcpu, uint64_t at)
{
    uint64_t period;

    if (copy_from(d, &period, at, 8) < 0)
        return -XEN_EFAULT;
    if (period < 1000000 || period > UINT64_C(1) << 56)
        return -XEN_EINVAL;
    naive_set_timer(d, vcpu, 1, d->all->w->now + period, period);
    return 0;
}

static int64_t register_info(struct naive_domain *d, unsigned self,
                             unsigned vcpu, uint64_t at)
{
    struct vcpu_register_vcpu_info arg;
    uint8_t *page;
    int r;

    if (copy_from(d, &arg, at, sizeof(arg)) < 0)
        return -XEN_EFAULT;
    if (arg.offset % d->abi.word != 0 ||
        arg.offset > PAGE - d->abi.vcpu_info_size)
        return -XEN_ENXIO;
    if (d->vcpu[vcpu].moved || (vcpu != self && d->vcpu[vcpu].online))
        return -XEN_EINVAL;
    r = naive_map(d, arg.mfn, &page);
    if (r < 0)
        return r;
    naive_move_info(d, vcpu, page + arg.offset);
    d->kicks[vcpu]++;
    return 0;
}

static int64_t vcpu_op(struct naive_domain *d, unsigned self,
                       const uint64_t args[6])
{
    uint32_t vcpu = (uint32_t)args[1];

    if (vcpu >= VCPUS)
        return -XEN_ENOENT;
    switch ((uint32_t)args[0]) {
    case VCPUOP_is_up:
        return d->vcpu[vcpu].online;
    case VCPUOP_set_periodic_timer:
        return set_periodic(d, vcpu, args[2]);
    case VCPUOP_stop_periodic_timer:
        naive_set_timer(d, vcpu, 1, 0, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(d, self, vcpu, args[2]);
    case VCPUOP_stop_singleshot_timer:
        if (vcpu != self)
            return -XEN_EINVAL;
        naive_set_timer(d, vcpu, 0, 0, 0);
        return 0;
    case VCPUOP_register_vcpu_info:
        return register_info(d, self, vcpu, args[2]);
    default:
        return -XEN_ENOSYS;
    }
}

/* ---- sched_op: nobody sleeps in this world ------------------------------ */

static int64_t block_vcpu(struct naive_domain *d, unsigned vcpu)
{
    static const uint8_t open;

    if (d->abi.has_upcall_mask)
        naive_store(d, d->vcpu[vcpu].info + 1, &open, 1);
    return 0;
}

static int64_t poll_list(struct naive_domain *d, unsigned vcpu,
                         const uint32_t *ports, uint32_t n)
{
    if (naive_is_due(d, vcpu) || d->dying || d->shut_down != 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct naive_port *p = naive_port(d, ports[i]);

        if (p == NULL || p->what == EVTCHNSTAT_closed || p->host)
            return -XEN_EINVAL;
        if (naive_is_pending(d, ports[i]))
            return 0;
    }
    return 0;
}

static int64_t poll_op(struct naive_domain *d, unsigned vcpu, uint64_t at)
{
    bool wide = d->abi.word == 8;
    uint32_t ports[128], n;
    uint8_t arg[24];
    uint64_t list = 0;

    if (copy_from(d, arg, at, wide ? 24 : 16) < 0)
        return -XEN_EFAULT;
    memcpy(&list, arg, d->abi.word);
    memcpy(&n, arg + d->abi.word, 4);
    if (n > 128)
        return -XEN_EINVAL;
    if (n != 0 && copy_from(d, ports, list, n * 4) < 0)
        return -XEN_EFAULT;
    return poll_list(d, vcpu, ports, n);
}

static int64_t shutdown_op(struct naive_domain *d, uint64_t at)
{
    uint32_t reason;

    if (copy_from(d, &reason, at, 4) < 0)
        return -XEN_EFAULT;
    naive_shutdown(d, reason);
    d->shutdowns++;
    return 0;
}

static int64_t remote_shutdown(struct naive_domain *d, uint64_t at)
{
    struct {
        uint16_t id, pad;
        uint32_t reason;
    } arg;
    struct naive_domain *target;

    if (copy_from(d, &arg, at, 8) < 0)
        return -XEN_EFAULT;
    target = naive_find(d->all, arg.id);
    if (target == NULL)
        return -XEN_ESRCH;
    if (!d->privileged && d->target != target->id)
        return -XEN_EPERM;
    naive_shutdown(target, arg.reason);
    return 0;
}

static int64_t sched_op(struct naive_domain *d, unsigned vcpu, uint32_t cmd,
                        uint64_t at)
{
    switch (cmd) {
    case SCHEDOP_yield:
        return 0;
    case SCHEDOP_block:
        return block_vcpu(d, vcpu);
    case SCHEDOP_shutdown:
        return shutdown_op(d, at);
    case SCHEDOP_poll:
        return poll_op(d, vcpu, at);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(d, at);
    default:
        return -XEN_ENOSYS;
    }
}

/* ---- all of them -------------------------------------------------------- */

static int64_t call(struct naive_domain *d, unsigned vcpu, uint64_t nr,
                    const uint64_t args[6])
{
    switch (nr) {
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(d, (uint32_t)args[0], args[1]);
    case __HYPERVISOR_event_channel_op_compat:
        return event_channel_op_compat(d, args[0]);
    case __HYPERVISOR_set_timer_op:
        return set_timer(d, vcpu, args);
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(d, vcpu, args);
    case __HYPERVISOR_sched_op:
        return sched_op(d, vcpu, (uint32_t)args[0], args[1]);
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t multicall(struct naive_domain *d, unsigned vcpu, uint64_t at,
                         uint32_t calls)
{
    unsigned word = d->abi.word;

    for (uint32_t i = 0; i < calls; i++, at += 8 * word) {
        uint64_t entry[8] = {0};
        int64_t result = -XEN_EINVAL;
        uint8_t raw[64];

        if (copy_from(d, raw, at, 8 * word) < 0)
            return -XEN_EFAULT;
        for (unsigned k = 0; k < 8; k++)
            memcpy(&entry[k], raw + k * word, word);
        if (entry[0] != __HYPERVISOR_multicall)
            result = call(d, vcpu, entry[0], entry + 2);
        if (copy_to(d, at + word, &result, word) < 0)
            return -XEN_EFAULT;
    }
    return 0;
}

int64_t naive_call(struct naive_domain *d, unsigned vcpu, uint64_t nr,
                   const uint64_t args[6])
{
    if (vcpu >= VCPUS)
        return -XEN_ENOENT;
    if (nr == __HYPERVISOR_multicall)
        return multicall(d, vcpu, args[0], (uint32_t)args[1]);
    return call(d, vcpu, nr, args);
}
