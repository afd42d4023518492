/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op: a guest starts and stops its vCPUs; and the one top-level page table
 * that they share.
 *
 * Whether a vCPU is up changes under the domain's lock.  The runner is told
 * after that (hooks->look), and the vCPU looks before it runs its guest.
 */
#include "pv.h"

#include <errno.h>

#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>

static void look(const struct evc_pv_vcpu *vcpu)
{
    const struct evc_pv_domain *domain = vcpu->domain;

    if (domain->hooks->look)
        domain->hooks->look(domain->runner, vcpu->id);
}

static void refuse(const struct evc_pv_domain *domain, const char *line)
{
    if (domain->hooks->refused)
        domain->hooks->refused(domain->runner, line);
}

static unsigned count_up(const struct evc_pv_domain *domain)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < domain->nr_vcpus; i++)
        n += domain->vcpu[i].up;
    return n;
}

/* ---- page tables ------------------------------------------------------------- */

static int change_base(struct evc_pv_domain *domain, uint64_t mfn)
{
    int r = 0;

    pthread_mutex_lock(&domain->lock);
    if (mfn != domain->base && count_up(domain) > 1)
        r = -EOPNOTSUPP;
    else
        domain->base = mfn;
    pthread_mutex_unlock(&domain->lock);
    return r;
}

int evc_pv_set_base(struct evc_pv_vcpu *vcpu, uint64_t mfn)
{
    struct evc_pv_domain *domain = vcpu->domain;
    int r;

    if (!evc_pv_frame(&domain->frames, mfn))
        return -EINVAL;
    r = change_base(domain, mfn);
    if (r == 0)
        domain->tlb->flush(domain->cpu);
    else
        refuse(domain, "the guest wants page tables of its own for a vCPU; "
                       "all vCPUs that are up share one");
    return r;
}

/* ---- starting ------------------------------------------------------------------ */

static void set_regs(struct evc_pv_vcpu *vcpu,
                     const struct evc_pv_user_regs *from)
{
    vcpu->start = (struct evc_pv_regs){
        .r15 = from->r15,
        .r14 = from->r14,
        .r13 = from->r13,
        .r12 = from->r12,
        .rbp = from->rbp,
        .rbx = from->rbx,
        .r11 = from->r11,
        .r10 = from->r10,
        .r9 = from->r9,
        .r8 = from->r8,
        .rax = from->rax,
        .rcx = from->rcx,
        .rdx = from->rdx,
        .rsi = from->rsi,
        .rdi = from->rdi,
        .rip = from->rip,
        .cs = EVC_PV_CS,
        .rflags = evc_pv_flags(from->rflags),
        .rsp = from->rsp,
        .ss = EVC_PV_SS,
    };
}

static void set_handlers(struct evc_pv_vcpu *vcpu,
                         const struct evc_pv_context *context)
{
    for (unsigned i = 0; i < 256; i++)
        vcpu->trap[i] = (struct evc_pv_handler){
            .address = context->trap[i].address,
            .masks = (context->trap[i].flags & EVC_TRAP_MASKS) != 0,
        };
    vcpu->event = (struct evc_pv_handler){context->event_callback, true};
    vcpu->failsafe.address = context->failsafe_callback;
    vcpu->syscall.address = context->syscall_callback;
}

static void set_context(struct evc_pv_vcpu *vcpu,
                        const struct evc_pv_context *context)
{
    set_regs(vcpu, &context->regs);
    set_handlers(vcpu, context);
    for (unsigned i = 0; i < 8; i++)
        vcpu->debug[i] = context->debug[i];
    vcpu->fs = context->fs;
    vcpu->gs = context->gs_kernel;
    vcpu->gs_user = context->gs_user;
    vcpu->segments_changed = true;
    vcpu->initialised = true;
}

static bool is_usable(const struct evc_pv_domain *domain,
                      const struct evc_pv_context *context)
{
    const uint64_t end = UINT64_C(1) << 47;

    if (!(context->flags & EVC_CONTEXT_IN_KERNEL) || context->fs >= end ||
        context->gs_kernel >= end)
        return false;
    if (context->control[3] >> EVC_PV_PAGE_SHIFT == domain->base)
        return true;
    refuse(domain, "the guest wants page tables of its own for a vCPU; "
                   "it must have those of the others");
    return false;
}

/* Its vector registers are zero at first, whatever the context says of them. */
static int64_t initialise(struct evc_pv_vcpu *self, struct evc_pv_vcpu *vcpu,
                          uint64_t at)
{
    struct evc_pv_domain *domain = vcpu->domain;
    struct evc_pv_context context;
    int64_t r = 0;

    if (evc_pv_copy_from(self, &context, at, sizeof(context)) < 0)
        return -EFAULT;
    if (!is_usable(domain, &context))
        return -EINVAL;
    pthread_mutex_lock(&domain->lock);
    if (vcpu->initialised)
        r = -EEXIST;
    else
        set_context(vcpu, &context);
    pthread_mutex_unlock(&domain->lock);
    return r;
}

/* ---- up and down ----------------------------------------------------------------- */

static int64_t bring_up(struct evc_pv_vcpu *vcpu)
{
    struct evc_pv_domain *domain = vcpu->domain;
    int64_t r = 0;

    pthread_mutex_lock(&domain->lock);
    if (vcpu->initialised) {
        evc_pv_find_info(vcpu);
        evc_vcpu_update_time(domain->events, vcpu->id);
        evc_vcpu_set_online(domain->events, vcpu->id, true);
        vcpu->up = true;
    } else {
        r = -EINVAL;
    }
    pthread_mutex_unlock(&domain->lock);
    look(vcpu);
    return r;
}

/* With the last one, the domain is off. */
static int64_t take_down(struct evc_pv_vcpu *vcpu)
{
    struct evc_pv_domain *domain = vcpu->domain;
    bool was_last;

    pthread_mutex_lock(&domain->lock);
    was_last = vcpu->up && count_up(domain) == 1;
    vcpu->up = false;
    evc_vcpu_set_online(domain->events, vcpu->id, false);
    pthread_mutex_unlock(&domain->lock);
    if (was_last) {
        evc_domain_shutdown(domain->events, SHUTDOWN_poweroff);
        evc_pv_end(domain, EVC_PV_SHUTDOWN, SHUTDOWN_poweroff);
    }
    look(vcpu);
    return 0;
}

static int64_t send_nmi(struct evc_pv_vcpu *vcpu)
{
    vcpu->nmi = true;
    look(vcpu);
    return 0;
}

int64_t evc_pv_vcpu_op(struct evc_pv_vcpu *self, const uint64_t args[6])
{
    struct evc_pv_domain *domain = self->domain;
    uint32_t command = (uint32_t)args[0], id = (uint32_t)args[1];

    if (id >= domain->nr_vcpus)
        return -ENOENT;
    switch (command) {
    case VCPUOP_initialise:
        return initialise(self, &domain->vcpu[id], args[2]);
    case VCPUOP_up:
        return bring_up(&domain->vcpu[id]);
    case VCPUOP_down:
        return take_down(&domain->vcpu[id]);
    case VCPUOP_send_nmi:
        return send_nmi(&domain->vcpu[id]);
    case VCPUOP_get_physid: /* for who is pinned to a processor */
        return -EINVAL;
    default:
        self->unknown[__HYPERVISOR_vcpu_op]++;
        return -ENOSYS;
    }
}
