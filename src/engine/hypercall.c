/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: event_channel_op with its arguments in host memory or at guest
 * addresses, its compat form, multicall, vcpu_op and the timers.
 *
 * Guest memory is read once, into a local copy, which is checked and used.
 */
#include "engine.h"

#include <string.h>

#include <evc/abi/layouts.h>
#include <evc/abi/vcpu.h>

/* ---- event_channel_op --------------------------------------------------- */

#define OP_RESET_CONT 14u /* Xen 4.17's own, which guests can reach */

union argument {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

static const struct {
    uint8_t size;
    bool answers; /* the struct has an OUT field */
} operations[] = {
    [EVTCHNOP_bind_interdomain] = {sizeof(struct evtchn_bind_interdomain),
                                   true},
    [EVTCHNOP_bind_virq] = {sizeof(struct evtchn_bind_virq), true},
    [EVTCHNOP_bind_pirq] = {sizeof(struct evtchn_bind_pirq), true},
    [EVTCHNOP_close] = {sizeof(struct evtchn_close), false},
    [EVTCHNOP_send] = {sizeof(struct evtchn_send), false},
    [EVTCHNOP_status] = {sizeof(struct evtchn_status), true},
    [EVTCHNOP_alloc_unbound] = {sizeof(struct evtchn_alloc_unbound), true},
    [EVTCHNOP_bind_ipi] = {sizeof(struct evtchn_bind_ipi), true},
    [EVTCHNOP_bind_vcpu] = {sizeof(struct evtchn_bind_vcpu), false},
    [EVTCHNOP_unmask] = {sizeof(struct evtchn_unmask), false},
    [EVTCHNOP_reset] = {sizeof(struct evtchn_reset), false},
    [EVTCHNOP_init_control] = {sizeof(struct evtchn_init_control), true},
    [EVTCHNOP_expand_array] = {sizeof(struct evtchn_expand_array), false},
    [EVTCHNOP_set_priority] = {sizeof(struct evtchn_set_priority), false},
    [OP_RESET_CONT] = {sizeof(struct evtchn_reset), false},
};

static bool is_operation(const struct evc_engine *engine, uint32_t cmd)
{
    return cmd < OP_RESET_CONT ||
           (cmd == OP_RESET_CONT && evc_is_xen_417(engine));
}

static int operate(struct evc_domain *domain, uint32_t cmd, union argument *arg)
{
    switch (cmd) {
    case EVTCHNOP_bind_interdomain:
        return evc_op_bind_interdomain(domain, &arg->bind_interdomain);
    case EVTCHNOP_bind_virq:
        return evc_op_bind_virq(domain, &arg->bind_virq);
    case EVTCHNOP_bind_pirq:
        return evc_op_bind_pirq(domain, &arg->bind_pirq);
    case EVTCHNOP_close:
        return evc_op_close(domain, arg->close.port);
    case EVTCHNOP_send:
        return evc_send(domain, arg->send.port);
    case EVTCHNOP_status:
        return evc_op_status(domain, &arg->status);
    case EVTCHNOP_alloc_unbound:
        return evc_op_alloc_unbound(domain, &arg->alloc_unbound);
    case EVTCHNOP_bind_ipi:
        return evc_op_bind_ipi(domain, &arg->bind_ipi);
    case EVTCHNOP_bind_vcpu:
        return evc_op_bind_vcpu(domain, &arg->bind_vcpu);
    case EVTCHNOP_unmask:
        return evc_unmask(domain, arg->unmask.port);
    case EVTCHNOP_reset:
        return evc_op_reset(domain, arg->reset.dom);
    case EVTCHNOP_init_control:
        return evc_op_init_control(domain, &arg->init_control);
    case EVTCHNOP_expand_array:
        return evc_op_expand_array(domain, &arg->expand_array);
    case EVTCHNOP_set_priority:
        return evc_op_set_priority(domain, &arg->set_priority);
    case OP_RESET_CONT:
        return evc_is_xen_417(domain->engine)
                   ? evc_op_reset_cont(domain, arg->reset.dom)
                   : -ENOSYS;
    default:
        return -ENOSYS;
    }
}

int evc_event_channel_op(struct evc_domain *domain, uint32_t cmd, void *arg)
{
    return operate(domain, cmd, arg);
}

static int64_t event_channel_op(struct evc_domain *domain, uint32_t vcpu,
                                uint32_t cmd, uint64_t at)
{
    union argument arg;
    int r;

    if (!is_operation(domain->engine, cmd))
        return -ENOSYS;
    r = evc_copy_from(domain, vcpu, &arg, at, operations[cmd].size);
    if (r == 0)
        r = operate(domain, cmd, &arg);
    if (r == 0 && operations[cmd].answers)
        r = evc_copy_to(domain, vcpu, at, &arg, operations[cmd].size);
    return r;
}

/* Hypercall 16: command and argument in one struct, first ten operations. */
static int64_t event_channel_op_compat(struct evc_domain *domain, uint32_t vcpu,
                                       uint64_t at)
{
    struct evtchn_op op;
    int r = evc_copy_from(domain, vcpu, &op, at, sizeof(op));

    if (r < 0)
        return r;
    if (op.cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return event_channel_op(domain, vcpu, op.cmd,
                            at + offsetof(struct evtchn_op, u));
}

/* ---- timers and vcpu_op ------------------------------------------------- */

/* A 32-bit guest passes the deadline in two registers, low half first. */
static int64_t set_timer_op(struct evc_vcpu *vcpu, const uint64_t args[6])
{
    bool wide = evc_domain_is_wide(vcpu->domain);
    uint64_t deadline = wide ? args[0] : (args[0] & UINT32_MAX) | args[1] << 32;

    return evc_timer_set(vcpu, EVC_TIMER_ONCE, deadline, 0);
}

/* The first twelve bytes are the same in every layout. */
struct singleshot {
    uint64_t timeout_abs_ns;
    uint32_t flags;
};

static int64_t set_singleshot(struct evc_domain *domain, uint32_t self,
                              struct evc_vcpu *vcpu, uint64_t arg)
{
    struct singleshot raw;
    int r;

    if (vcpu->id != self)
        return -EINVAL;
    r = evc_copy_from(domain, self, &raw, arg, 12);
    if (r < 0)
        return r;
    if ((raw.flags & VCPU_SSHOTTMR_future) &&
        raw.timeout_abs_ns < evc_engine_now(domain->engine))
        return -ETIME;
    /* 0 ns of system time is long past: due at once. */
    return evc_timer_set(vcpu, EVC_TIMER_ONCE,
                         raw.timeout_abs_ns ? raw.timeout_abs_ns : 1, 0);
}

static int64_t set_periodic(struct evc_domain *domain, uint32_t self,
                            struct evc_vcpu *vcpu, uint64_t arg)
{
    uint64_t period;
    int r = evc_copy_from(domain, self, &period, arg, sizeof(period));

    if (r < 0)
        return r;
    if (!evc_is_period(period))
        return -EINVAL;
    return evc_timer_set(vcpu, EVC_TIMER_PERIODIC,
                         evc_engine_now(domain->engine) + period, period);
}

static int64_t register_info(struct evc_domain *domain, uint32_t self,
                             struct evc_vcpu *vcpu, uint64_t arg)
{
    struct vcpu_register_vcpu_info raw;
    int r = evc_copy_from(domain, self, &raw, arg, sizeof(raw));

    if (r < 0)
        return r;
    return evc_vcpu_register_info(vcpu, self, raw.mfn, raw.offset);
}

static int64_t vcpu_op(struct evc_domain *domain, uint32_t self,
                       const uint64_t args[6])
{
    struct evc_vcpu *vcpu;

    if ((uint32_t)args[1] >= domain->vcpus)
        return -ENOENT;
    vcpu = &domain->vcpu[(uint32_t)args[1]];
    switch ((uint32_t)args[0]) {
    case VCPUOP_is_up:
        return evc_a32_load_acq(&vcpu->online);
    case VCPUOP_set_periodic_timer:
        return set_periodic(domain, self, vcpu, args[2]);
    case VCPUOP_stop_periodic_timer:
        return evc_timer_set(vcpu, EVC_TIMER_PERIODIC, 0, 0);
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(domain, self, vcpu, args[2]);
    case VCPUOP_stop_singleshot_timer:
        return vcpu->id == self ? evc_timer_set(vcpu, EVC_TIMER_ONCE, 0, 0)
                                : -EINVAL;
    case VCPUOP_register_vcpu_info:
        return register_info(domain, self, vcpu, args[2]);
    default: /* starting and stopping vCPUs is the embedder's */
        return domain->engine->ops.hypercall(domain->cookie, self,
                                             __HYPERVISOR_vcpu_op, args);
    }
}

/* ---- all of them -------------------------------------------------------- */

static int64_t dispatch(struct evc_domain *domain, uint32_t vcpu, uint64_t nr,
                        const uint64_t args[6])
{
    switch (nr) {
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(domain, vcpu, (uint32_t)args[0], args[1]);
    case __HYPERVISOR_event_channel_op_compat:
        return event_channel_op_compat(domain, vcpu, args[0]);
    case __HYPERVISOR_set_timer_op:
        return set_timer_op(&domain->vcpu[vcpu], args);
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(domain, vcpu, args);
    case __HYPERVISOR_sched_op:
        return evc_sched_op(domain, vcpu, (uint32_t)args[0], args[1]);
    default:
        return domain->engine->ops.hypercall(domain->cookie, vcpu, nr, args);
    }
}

/* ---- multicall ---------------------------------------------------------- */

struct entry {
    uint64_t op, args[6];
};

static int read_entry(struct evc_domain *domain, uint32_t vcpu, uint64_t at,
                      size_t word, struct entry *entry)
{
    uint64_t wide[8];
    uint32_t narrow[8];
    int r = evc_copy_from(domain, vcpu, word == 8 ? (void *)wide : narrow, at,
                          8 * word);

    if (r < 0)
        return r;
    for (unsigned i = 0; word == 4 && i < 8; i++)
        wide[i] = narrow[i];
    entry->op = wide[0];
    memcpy(entry->args, wide + 2, sizeof(entry->args));
    return 0;
}

static int write_result(struct evc_domain *domain, uint32_t vcpu, uint64_t at,
                        size_t word, int64_t result)
{
    uint32_t narrow = (uint32_t)result;

    return evc_copy_to(domain, vcpu, at + word,
                       word == 8 ? (void *)&result : &narrow, word);
}

/*
 * Of a list of millions, every so often: is it worth going on?  Whoever has
 * killed the domain waits for its vCPUs to come back.
 */
static bool is_over(struct evc_domain *domain, uint32_t done)
{
    return done % 64 == 63 && evc_domain_is_dying(domain);
}

/* Each readable entry is run; a list that ends early ends the call. */
static int64_t multicall(struct evc_domain *domain, uint32_t vcpu, uint64_t at,
                         uint32_t calls)
{
    size_t word = evc_domain_is_wide(domain) ? 8 : 4;
    int r = 0;

    for (uint32_t i = 0; i < calls && r == 0; i++, at += 8 * word) {
        struct entry entry;
        int64_t result = -EINVAL;

        if (is_over(domain, i))
            return -EINVAL;
        r = read_entry(domain, vcpu, at, word, &entry);
        if (r < 0)
            break;
        if (entry.op != __HYPERVISOR_multicall)
            result = dispatch(domain, vcpu, entry.op, entry.args);
        r = write_result(domain, vcpu, at, word, result);
    }
    return r;
}

int64_t evc_hypercall(struct evc_domain *domain, uint32_t vcpu, uint64_t nr,
                      const uint64_t args[6])
{
    if (vcpu >= domain->vcpus)
        return -ENOENT;
    if (nr == __HYPERVISOR_multicall)
        return multicall(domain, vcpu, args[0], (uint32_t)args[1]);
    return dispatch(domain, vcpu, nr, args);
}
