/* SPDX-License-Identifier: MIT */
/*
 * Event channels in Mini-OS's manner: bind_evtchn(), unbind_evtchn() and
 * do_hypervisor_callback() as its drivers and its entry code call them, with the
 * library underneath.  The hypercall is inline: mini-os/evc-hooks.h.
 */
#include <evc/guest.h>

typedef uint32_t evtchn_port_t;
typedef uint16_t domid_t;
struct pt_regs;
typedef void (*evtchn_handler_t)(evtchn_port_t, struct pt_regs *, void *);

void do_hypervisor_callback(struct pt_regs *regs);
int init_events(void *shared_info);
int bind_virq(uint32_t virq, evtchn_handler_t handler, void *data);
int evtchn_alloc_unbound(domid_t pal, evtchn_handler_t handler, void *data,
                         evtchn_port_t *port);
void unbind_evtchn(evtchn_port_t port);
void mask_evtchn(uint32_t port);
void unmask_evtchn(uint32_t port);

#define PORTS 4096

static struct evc_guest guest;
static struct evc_guest_vcpu vcpus[1];
static struct evc_guest_port ports[PORTS];
static unsigned char events[EVC_GUEST_EVENT_BYTES(PORTS)]
    __attribute__((aligned(4096)));
static struct {
    evtchn_handler_t handler;
    void *data;
} actions[PORTS];
static struct pt_regs *current_regs;

static const struct evc_guest_hooks hooks = {.size = sizeof(hooks)};

int init_events(void *shared_info)
{
    const struct evc_guest_config config = {
        .size = sizeof(config),
        .shared_info = shared_info,
        .vcpus = vcpus,
        .nr_vcpus = 1,
        .nr_ports = PORTS,
        .ports = ports,
        .events = events,
        .hooks = &hooks,
    };

    return evc_guest_init(&guest, &config);
}

static int call(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    (void)self;
    (void)data;
    actions[port].handler(port, current_regs, actions[port].data);
    return EVC_GUEST_DONE;
}

void do_hypervisor_callback(struct pt_regs *regs)
{
    current_regs = regs;
    while (evc_guest_dispatch(&vcpus[0], 64, 0))
        ;
}

/* Masked at first, as Mini-OS's drivers expect. */
static int remember(int port, evtchn_handler_t handler, void *data)
{
    if (port > 0) {
        actions[port].handler = handler;
        actions[port].data = data;
    }
    return port;
}

int bind_virq(uint32_t virq, evtchn_handler_t handler, void *data)
{
    const struct evc_guest_binding how = {.handler = call,
                                          .flags = EVC_GUEST_MASKED};

    return remember(evc_guest_bind_virq(&vcpus[0], virq, &how), handler, data);
}

int evtchn_alloc_unbound(domid_t pal, evtchn_handler_t handler, void *data,
                         evtchn_port_t *port)
{
    const struct evc_guest_binding how = {.handler = call,
                                          .flags = EVC_GUEST_MASKED};
    int r =
        remember(evc_guest_bind_unbound(&vcpus[0], pal, &how), handler, data);

    if (r > 0)
        *port = (evtchn_port_t)r;
    return r < 0 ? r : 0;
}

void unbind_evtchn(evtchn_port_t port)
{
    (void)evc_guest_unbind(&vcpus[0], port);
}

void mask_evtchn(uint32_t port)
{
    (void)evc_guest_mask(&vcpus[0], port);
}

void unmask_evtchn(uint32_t port)
{
    (void)evc_guest_unmask(&vcpus[0], port);
}
