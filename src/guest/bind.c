/* SPDX-License-Identifier: MIT */
/*
 * Opening ports and binding handlers to them.
 *
 * A port is masked until its record is complete (H1), and again from the moment
 * it is being closed: no dispatcher looks at a record in between.
 */
#include "internal.h"

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>

/* ---- the record ---------------------------------------------------------------- */

struct evc_guest_port *evc_g_port_find(struct evc_guest *guest, evc_port port)
{
    struct evc_guest_port *p = &guest->ports[port];

    if (port >= guest->nr_ports ||
        (evc_g32_load_acq(&p->state) & /* H2, pairs with H1 */
         (EVC_STATE_BOUND | EVC_STATE_CLOSING)) != EVC_STATE_BOUND)
        return 0;
    return p;
}

evc_abi_u32 evc_g_state_change(struct evc_guest_port *p, evc_abi_u32 set,
                               evc_abi_u32 clear)
{
    evc_abi_u32 state = evc_g32_load_rlx(&p->state);

    /* Ends when no other vCPU of this guest changes it at the same time. */
    do {
        if (!(state & EVC_STATE_BOUND))
            return 0;
    } while (
        !evc_g32_cas_ar(&p->state, &state, (state & ~clear) | set)); /* M1 */
    return state;
}

/* From free to locked. */
static int claim(struct evc_guest_port *p)
{
    evc_abi_u32 state = evc_g32_load_rlx(&p->state);

    do {
        if (state & ~EVC_STATE_LISTED)
            return -XEN_EBUSY;
    } while (!evc_g32_cas_ar(&p->state, &state, state | EVC_STATE_LOCKED));
    return 0;
}

/* From locked to `to`, which may be 0: free. */
static void unlock(struct evc_guest_port *p, evc_abi_u32 to)
{
    evc_abi_u32 state = evc_g32_load_rlx(&p->state);

    /* H1, pairs with H2 */
    while (!evc_g32_cas_ar(&p->state, &state, (state & EVC_STATE_LISTED) | to))
        ;
}

static void fill(struct evc_guest_port *p, const struct evc_guest_binding *how)
{
    p->handler = how->handler;
    p->data = how->data;
    p->gone = how->gone;
    evc_gptr_store_rlx(&p->events, 0);
    evc_gptr_store_rlx(&p->spurious, 0);
    evc_g32_store_rlx(&p->storms, 0);
    p->run = 0;
    p->level = 0;
}

static evc_abi_u32 first_state(const struct evc_guest_binding *how)
{
    evc_abi_u32 state = EVC_STATE_BOUND | how->vcpu << EVC_STATE_VCPU;

    if (!how->handler)
        state |= EVC_STATE_POLLED;
    if (how->flags & EVC_GUEST_MASKED)
        state |= EVC_STATE_USER;
    return state;
}

/* ---- binding -------------------------------------------------------------------- */

static int notify(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 vcpu)
{
    struct evtchn_bind_vcpu arg;

    arg.port = port;
    arg.vcpu = vcpu;
    return evc_g_op(self, EVTCHNOP_bind_vcpu, &arg);
}

/* An open port gets its record; `at` is the vCPU it notifies so far. */
static int attach(struct evc_guest_vcpu *self, evc_port port, evc_abi_u32 at,
                  const struct evc_guest_binding *how)
{
    struct evc_guest *guest = self->guest;
    struct evc_guest_port *p = &guest->ports[port];
    int r;

    if (port == 0 || port >= guest->nr_ports)
        return -XEN_ENOSPC;
    r = claim(p);
    if (r < 0)
        return r;
    if (at != how->vcpu)
        r = notify(self, port, how->vcpu);
    if (r < 0) {
        unlock(p, 0);
        return r;
    }
    fill(p, how);
    if (!evc_is_fifo(guest)) {
        if (at < guest->nr_vcpus) /* it may still be told */
            evc_g_twolevel_leave(&guest->vcpus[at], port);
        evc_g_twolevel_own(&guest->vcpus[how->vcpu], port);
    }
    unlock(p, first_state(how));
    evc_g_mask_follow(self, port);
    return (int)port;
}

/* The host has opened a port for us, which is closed again on failure. */
static int attach_new(struct evc_guest_vcpu *self, evc_port port,
                      evc_abi_u32 at, const struct evc_guest_binding *how)
{
    struct evtchn_close arg;
    int r = attach(self, port, at, how);

    if (r < 0) {
        arg.port = port;
        (void)evc_g_op(self, EVTCHNOP_close, &arg);
    }
    return r;
}

/* `arg` is of operation `cmd`, and `*port` its OUT field. */
static int open_port(struct evc_guest_vcpu *self, evc_abi_u32 cmd, void *arg,
                     const evc_port *port, evc_abi_u32 at,
                     const struct evc_guest_binding *how)
{
    int r;

    if (how->vcpu >= self->guest->nr_vcpus)
        return -XEN_ENOENT;
    r = evc_g_op(self, cmd, arg);
    return r < 0 ? r : attach_new(self, *port, at, how);
}

int evc_guest_bind_interdomain(struct evc_guest_vcpu *self, evc_abi_u16 remote,
                               evc_port remote_port,
                               const struct evc_guest_binding *how)
{
    struct evtchn_bind_interdomain arg;

    arg.remote_dom = remote;
    arg.remote_port = remote_port;
    arg.local_port = 0;
    return open_port(self, EVTCHNOP_bind_interdomain, &arg, &arg.local_port, 0,
                     how);
}

int evc_guest_bind_unbound(struct evc_guest_vcpu *self, evc_abi_u16 remote,
                           const struct evc_guest_binding *how)
{
    struct evtchn_alloc_unbound arg;

    arg.dom = DOMID_SELF;
    arg.remote_dom = remote;
    arg.port = 0;
    return open_port(self, EVTCHNOP_alloc_unbound, &arg, &arg.port, 0, how);
}

static int is_per_vcpu(evc_abi_u32 virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
           virq == VIRQ_XENPMU;
}

/* Others are bound on vCPU 0 and may move; ARCH_* are as the host says. */
int evc_guest_bind_virq(struct evc_guest_vcpu *self, evc_abi_u32 virq,
                        const struct evc_guest_binding *how)
{
    struct evtchn_bind_virq arg;

    arg.virq = virq;
    arg.vcpu = is_per_vcpu(virq) ? how->vcpu : 0;
    arg.port = 0;
    return open_port(self, EVTCHNOP_bind_virq, &arg, &arg.port, arg.vcpu, how);
}

int evc_guest_bind_pirq(struct evc_guest_vcpu *self, evc_abi_u32 pirq,
                        const struct evc_guest_binding *how)
{
    struct evtchn_bind_pirq arg;

    arg.pirq = pirq;
    arg.flags = how->flags & EVC_GUEST_SHARED ? BIND_PIRQ__WILL_SHARE : 0;
    arg.port = 0;
    return open_port(self, EVTCHNOP_bind_pirq, &arg, &arg.port, 0, how);
}

int evc_guest_bind_ipi(struct evc_guest_vcpu *self,
                       const struct evc_guest_binding *how)
{
    struct evtchn_bind_ipi arg;

    arg.vcpu = how->vcpu;
    arg.port = 0;
    return open_port(self, EVTCHNOP_bind_ipi, &arg, &arg.port, how->vcpu, how);
}

int evc_guest_bind_port(struct evc_guest_vcpu *self, evc_port port,
                        const struct evc_guest_binding *how)
{
    struct evtchn_status arg;
    int r;

    if (how->vcpu >= self->guest->nr_vcpus)
        return -XEN_ENOENT;
    arg.dom = DOMID_SELF;
    arg.port = port;
    r = evc_g_op(self, EVTCHNOP_status, &arg);
    if (r < 0)
        return r;
    if (arg.status == EVTCHNSTAT_closed)
        return -XEN_EINVAL;
    return attach(self, port, arg.vcpu, how);
}

/* ---- using ------------------------------------------------------------------------ */

int evc_guest_send(struct evc_guest_vcpu *self, evc_port port)
{
    struct evtchn_send arg;

    arg.port = port;
    return evc_g_op(self, EVTCHNOP_send, &arg);
}

int evc_guest_set_priority(struct evc_guest_vcpu *self, evc_port port,
                           evc_abi_u32 priority)
{
    struct evtchn_set_priority arg;

    if (!evc_is_fifo(self->guest))
        return -XEN_ENOSYS;
    if (!evc_g_port_find(self->guest, port))
        return -XEN_EINVAL;
    arg.port = port;
    arg.priority = priority;
    return evc_g_op(self, EVTCHNOP_set_priority, &arg);
}
