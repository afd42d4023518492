/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: which function answers which number.
 *
 * Events, vCPUs, timers, waiting and multicalls are libevc's.  It calls back
 * for every other number (evc_ops.hypercall), so that those also work inside a
 * multicall; the counting is done there, and here for its own.
 */
#include "pv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>

/* ---- the end of a domain ----------------------------------------------------------- */

static bool end(struct evc_pv_domain *domain, enum evc_pv_end how,
                uint32_t reason)
{
    int none = EVC_PV_RUNNING;

    if (!atomic_compare_exchange_strong(&domain->end, &none, (int)how))
        return false;
    domain->reason = reason & 0xff; /* as Xen has it */
    if (domain->hooks && domain->hooks->ended)
        domain->hooks->ended(domain->runner);
    return true;
}

void evc_pv_end(struct evc_pv_domain *domain, enum evc_pv_end how,
                uint32_t reason)
{
    (void)end(domain, how, reason);
}

/* Of several vCPUs that crash at once, the first one is said. */
void evc_pv_crash(struct evc_pv_vcpu *vcpu, const char *format, ...)
{
    struct evc_pv_domain *domain = vcpu->domain;
    va_list list;

    if (!end(domain, EVC_PV_CRASHED, SHUTDOWN_crash))
        return;
    domain->who = vcpu->id;
    va_start(list, format);
    vsnprintf(domain->why, sizeof(domain->why), format, list);
    va_end(list);
}

/* ---- small ones ---------------------------------------------------------------------- */

static int64_t accept(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    (void)vcpu;
    (void)args;
    return 0;
}

static int64_t fpu_taskswitch(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    vcpu->ts = args[0] != 0;
    return 0;
}

static int64_t set_debugreg(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    if (args[0] > 7 || args[0] == 4 || args[0] == 5)
        return -EINVAL;
    vcpu->debug[args[0]] = args[1];
    return 0;
}

static int64_t get_debugreg(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    return args[0] > 7 ? -EINVAL : (int64_t)vcpu->debug[args[0]];
}

static int64_t set_segment_base(struct evc_pv_vcpu *vcpu,
                                const uint64_t args[6])
{
    if ((uint32_t)args[0] > EVC_SEGBASE_GS_USER_SEL ||
        ((uint32_t)args[0] != EVC_SEGBASE_GS_USER_SEL &&
         !evc_pv_is_base(args[1])))
        return -EINVAL;
    if ((uint32_t)args[0] == EVC_SEGBASE_FS)
        vcpu->fs = args[1];
    else if ((uint32_t)args[0] == EVC_SEGBASE_GS_KERNEL)
        vcpu->gs = args[1];
    else if ((uint32_t)args[0] == EVC_SEGBASE_GS_USER)
        vcpu->gs_user = args[1];
    vcpu->segments_changed = true;
    return 0;
}

static int64_t grant_table_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    struct evc_pv_domain *domain = vcpu->domain;

    if (!domain->hooks->grant)
        return -ENOSYS;
    return domain->hooks->grant(domain->runner, (uint32_t)args[0], args[1],
                                (uint32_t)args[2]);
}

static void shut_down(void *cookie, uint32_t vcpu, uint32_t reason)
{
    struct evc_pv_domain *domain = cookie;

    if (end(domain, EVC_PV_SHUTDOWN, reason))
        domain->who = vcpu;
}

/* The old sched_op: the argument is a value, not an address. */
static int64_t sched_op_compat(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    struct evc_pv_domain *domain = vcpu->domain;

    if ((uint32_t)args[0] == SCHEDOP_shutdown) {
        evc_domain_shutdown(domain->events, (uint32_t)args[1]);
        shut_down(domain, vcpu->id, (uint32_t)args[1]);
        return 0;
    }
    if ((uint32_t)args[0] > SCHEDOP_block)
        return -ENOSYS;
    return evc_hypercall(domain->events, vcpu->id, __HYPERVISOR_sched_op, args);
}

/* ---- the table ------------------------------------------------------------------------- */

#define PLAIN(name, function) [__HYPERVISOR_##name] = {#name, function, true}
#define OWN(name, function)   [__HYPERVISOR_##name] = {#name, function, false}
#define LIBEVC(name)          [__HYPERVISOR_##name] = {#name, NULL, false}

static const struct {
    const char *name;
    int64_t (*function)(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
    bool plain; /* calls nothing outside of src/pv, not even in libc */
} calls[EVC_PV_CALLS] = {
    OWN(set_trap_table, evc_pv_set_trap_table),
    PLAIN(mmu_update, evc_pv_mmu_update),
    PLAIN(set_gdt, accept),
    PLAIN(stack_switch, accept),
    PLAIN(set_callbacks, evc_pv_set_callbacks),
    PLAIN(fpu_taskswitch, fpu_taskswitch),
    OWN(sched_op_compat, sched_op_compat),
    LIBEVC(platform_op),
    PLAIN(set_debugreg, set_debugreg),
    PLAIN(get_debugreg, get_debugreg),
    PLAIN(update_descriptor, accept),
    OWN(memory_op, evc_pv_memory_op),
    LIBEVC(multicall),
    OWN(update_va_mapping, evc_pv_update_va_mapping),
    LIBEVC(set_timer_op),
    LIBEVC(event_channel_op_compat),
    OWN(xen_version, evc_pv_version),
    OWN(console_io, evc_pv_console_io),
    OWN(grant_table_op, grant_table_op),
    PLAIN(vm_assist, accept),
    LIBEVC(update_va_mapping_otherdomain),
    LIBEVC(iret),
    OWN(vcpu_op, evc_pv_vcpu_op),
    OWN(set_segment_base, set_segment_base),
    OWN(mmuext_op, evc_pv_mmuext_op),
    LIBEVC(xsm_op),
    LIBEVC(nmi_op),
    LIBEVC(sched_op),
    OWN(callback_op, evc_pv_callback_op),
    LIBEVC(xenoprof_op),
    LIBEVC(event_channel_op),
    LIBEVC(physdev_op),
    LIBEVC(hvm_op),
    LIBEVC(sysctl),
    LIBEVC(domctl),
    LIBEVC(kexec_op),
    LIBEVC(argo_op),
    LIBEVC(xenpmu_op),
    LIBEVC(dm_op),
    LIBEVC(hypfs_op),
};

const char *evc_pv_call_name(uint64_t nr)
{
    return nr < EVC_PV_CALLS ? calls[nr].name : NULL;
}

/* What libevc does not know itself; also the entries of a multicall. */
static int64_t other_call(void *cookie, uint32_t vcpu, uint64_t nr,
                          const uint64_t args[6])
{
    struct evc_pv_domain *domain = cookie;
    struct evc_pv_vcpu *self = &domain->vcpu[vcpu];

    if (nr < EVC_PV_CALLS && calls[nr].function)
        return calls[nr].function(self, args);
    if (nr < EVC_PV_CALLS)
        self->unknown[nr]++;
    else
        self->beyond++;
    return -ENOSYS;
}

/* ---- what libevc asks -------------------------------------------------------------------- */

static int copy_from(void *cookie, uint32_t vcpu, void *to, uint64_t from,
                     size_t size)
{
    struct evc_pv_domain *domain = cookie;

    return evc_pv_copy_from(&domain->vcpu[vcpu], to, from, size);
}

static int copy_to(void *cookie, uint32_t vcpu, uint64_t to, const void *from,
                   size_t size)
{
    struct evc_pv_domain *domain = cookie;

    return evc_pv_copy_to(&domain->vcpu[vcpu], to, from, size);
}

static int map(void *cookie, uint64_t gfn, void **page)
{
    struct evc_pv_domain *domain = cookie;
    void *at = evc_pv_frame(&domain->frames, gfn);

    if (!at)
        return -EINVAL;
    *page = at;
    return 0;
}

/* All of machine memory stays mapped for as long as the domain is there. */
static void unmap(void *cookie, uint64_t gfn, void *page)
{
    (void)cookie;
    (void)gfn;
    (void)page;
}

void evc_pv_events_ops(struct evc_ops *ops)
{
    ops->map = map;
    ops->unmap = unmap;
    ops->copy_from = copy_from;
    ops->copy_to = copy_to;
    ops->shutdown = shut_down;
    ops->hypercall = other_call;
}

/* ---- a call ---------------------------------------------------------------------------------- */

static void remember(struct evc_pv_vcpu *vcpu, uint64_t nr,
                     const struct evc_pv_regs *regs, int64_t answer)
{
    vcpu->past[vcpu->nr_past++ % EVC_PV_HISTORY] = (struct evc_pv_past){
        .nr = nr,
        .args = {regs->rdi, regs->rsi, regs->rdx},
        .answer = answer,
        .rip = regs->rip,
    };
}

static bool is_yield(uint64_t nr, const uint64_t args[6])
{
    return nr == __HYPERVISOR_sched_op && (uint32_t)args[0] == SCHEDOP_yield;
}

/* ---- ports of another guest ------------------------------------------------------------- */

/* True: it was about the peer, and *answer is the answer. */
static bool bind_to_peer(struct evc_pv_vcpu *vcpu, uint64_t at, int64_t *answer)
{
    struct evc_pv_domain *domain = vcpu->domain;
    struct evtchn_bind_interdomain arg;
    evc_port local;

    if (!domain->hooks->bind_peer ||
        evc_pv_copy_from(vcpu, &arg, at, sizeof(arg)) < 0 ||
        arg.remote_dom != domain->peer)
        return false;
    *answer = domain->hooks->bind_peer(domain->runner, arg.remote_port, &local);
    if (*answer < 0)
        return true;
    arg.local_port = local;
    *answer = evc_pv_copy_to(vcpu, at, &arg, sizeof(arg));
    return true;
}

static int64_t event_channel_op(struct evc_pv_vcpu *vcpu, uint64_t nr,
                                const uint64_t args[6])
{
    int64_t r;

    if ((uint32_t)args[0] == EVTCHNOP_bind_interdomain &&
        bind_to_peer(vcpu, args[1], &r))
        return r;
    return evc_hypercall(vcpu->domain->events, vcpu->id, nr, args);
}

/* Ports of the guest's own, some of which the peer may have the other ends of. */
static bool may_close(uint64_t nr, const uint64_t args[6])
{
    if (nr == __HYPERVISOR_event_channel_op)
        return (uint32_t)args[0] == EVTCHNOP_close ||
               (uint32_t)args[0] == EVTCHNOP_reset;
    return nr == __HYPERVISOR_multicall ||
           nr == __HYPERVISOR_event_channel_op_compat;
}

/* ---- a call ------------------------------------------------------------------------------ */

static int64_t answer(struct evc_pv_vcpu *vcpu, uint64_t nr,
                      const uint64_t args[6])
{
    struct evc_pv_domain *domain = vcpu->domain;
    int64_t r;

    if (is_yield(nr, args)) {
        if (domain->hooks->yield)
            domain->hooks->yield(domain->runner, vcpu->id);
        return 0;
    }
    r = nr == __HYPERVISOR_event_channel_op
            ? event_channel_op(vcpu, nr, args)
            : evc_hypercall(domain->events, vcpu->id, nr, args);
    if (domain->hooks->closed && may_close(nr, args))
        domain->hooks->closed(domain->runner);
    return r;
}

bool evc_pv_plain_call(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    uint64_t nr = (uint32_t)regs->rax;
    const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx,
                              regs->r10, regs->r8,  regs->r9};
    int64_t r;

    if (nr >= EVC_PV_CALLS || !calls[nr].plain)
        return false;
    vcpu->calls[nr]++;
    r = calls[nr].function(vcpu, args);
    remember(vcpu, nr, regs, r);
    regs->rax = (uint64_t)r;
    return true;
}

void evc_pv_call(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    uint64_t nr = (uint32_t)regs->rax;
    const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx,
                              regs->r10, regs->r8,  regs->r9};
    int64_t r;

    if (evc_pv_plain_call(vcpu, regs))
        return;
    if (nr < EVC_PV_CALLS)
        vcpu->calls[nr]++;
    if (nr == __HYPERVISOR_iret) {
        evc_pv_iret(vcpu, regs);
        return;
    }
    r = answer(vcpu, nr, args);
    if (nr == __HYPERVISOR_vcpu_op || nr == __HYPERVISOR_multicall)
        evc_pv_find_info(vcpu); /* it may have been moved */
    if (!is_yield(nr, args))    /* who polls would push out all others */
        remember(vcpu, nr, regs, r);
    regs->rax = (uint64_t)r;
}
