/* SPDX-License-Identifier: MIT */
/*
 * Starting: layouts, memory, which ABI; and the way out, the hypercall.
 */
#include "internal.h"

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>
#include <evc/abi/vcpu.h>

#define STORM_THRESHOLD 8u
#define STORM_DELAY_US  1000u
#define STORM_CAP_US    1000000u
#define HOUR_US         3600000000u

/* ---- the way out ------------------------------------------------------------ */

int evc_g_hypercall(struct evc_guest_vcpu *self, evc_abi_u32 nr, evc_abi_uptr a,
                    evc_abi_uptr b, evc_abi_uptr c)
{
    const struct evc_guest *guest = self->guest;

#ifdef EVC_GUEST_HOOKS
    return evc_guest_hook_hypercall(guest->data, self->index, nr, a, b, c);
#else
    return guest->hooks->hypercall(guest->data, self->index, nr, a, b, c);
#endif
}

int evc_g_op(struct evc_guest_vcpu *self, evc_abi_u32 cmd, void *arg)
{
    return evc_g_hypercall(self, __HYPERVISOR_event_channel_op, cmd,
                           (evc_abi_uptr)arg, 0);
}

static evc_abi_u64 frame_of(const struct evc_guest *guest, const void *address)
{
    if (guest->hooks->frame)
        return guest->hooks->frame(guest->data, address);
    return (evc_abi_uptr)address / EVC_ABI_PAGE_SIZE;
}

static evc_abi_u32 offset_of(const void *address)
{
    return (evc_abi_uptr)address % EVC_ABI_PAGE_SIZE;
}

/* ---- layouts ------------------------------------------------------------------ */

struct shape {
    evc_abi_u16 ports, pending, mask, info_size, slots;
    evc_abi_u8 word_shift;
};

#define SHAPE(L, shift)                                                   \
    {                                                                     \
        EVC_ABI_##L##_TWOLEVEL_PORTS, EVC_ABI_##L##_SHARED_INFO_PENDING,  \
            EVC_ABI_##L##_SHARED_INFO_MASK, EVC_ABI_##L##_VCPU_INFO_SIZE, \
            EVC_ABI_##L##_VCPU_SLOTS, shift                               \
    }

/* twolevel.c: pending_sel is the second word of vcpu_info. */
_Static_assert(EVC_ABI_X86_64_VCPU_INFO_PENDING_SEL == 8 &&
                   EVC_ABI_X86_32_VCPU_INFO_PENDING_SEL == 4 &&
                   EVC_ABI_ARM_VCPU_INFO_PENDING_SEL == 8,
               "of whatever layout");

static const struct shape shapes[] = {
    [EVC_GUEST_LAYOUT_X86_64 - 1] = SHAPE(X86_64, 6),
    [EVC_GUEST_LAYOUT_X86_32 - 1] = SHAPE(X86_32, 5),
    [EVC_GUEST_LAYOUT_ARM - 1] = SHAPE(ARM, 6),
};

static evc_abi_u32 native_layout(void)
{
#if defined(__x86_64__)
    return EVC_GUEST_LAYOUT_X86_64;
#elif defined(__i386__)
    return EVC_GUEST_LAYOUT_X86_32;
#else
    return EVC_GUEST_LAYOUT_ARM;
#endif
}

/* The layout asked for, if this machine can serve it, or NULL. */
static const struct shape *shape_of(evc_abi_u32 layout)
{
    const struct shape *shape;

    if (layout == EVC_GUEST_LAYOUT_NATIVE)
        layout = native_layout();
    if (layout > EVC_GUEST_LAYOUT_ARM)
        return 0;
    shape = &shapes[layout - 1];
#if defined(__i386__)
    return shape->word_shift == 5 ? shape : 0;
#elif defined(__x86_64__)
    return shape;
#else
    return shape->word_shift == 6 ? shape : 0;
#endif
}

/* ---- memory ------------------------------------------------------------------- */

/* By words, and not so that a compiler makes a call to memset() of it. */
static void clear_words(void *at, evc_abi_u32 bytes)
{
    evc_g32 *word = at;

    for (evc_abi_u32 i = 0; i < bytes / 4; i++)
        evc_g32_store_rlx(&word[i], 0);
}

static evc_abi_u32 ticks(evc_abi_u32 us)
{
    evc_abi_u32 t = (evc_abi_u32)(((evc_abi_u64)us * 1000) >> 16);

    return t ? t : 1;
}

static void clear_guest(struct evc_guest *guest,
                        const struct evc_guest_config *config,
                        const struct shape *shape)
{
    evc_abi_u32 threshold = config->storm_threshold;
    evc_abi_u32 delay = config->storm_delay_us;
    evc_abi_u32 cap = config->storm_cap_us;

    guest->hooks = config->hooks;
    guest->data = config->data;
    guest->ports = config->ports;
    guest->vcpus = config->vcpus;
    guest->shared_info = config->shared_info;
    guest->pending = (evc_abi_u8 *)config->shared_info + shape->pending;
    guest->mask = (evc_abi_u8 *)config->shared_info + shape->mask;
    guest->events = 0;
    guest->nr_ports = config->nr_ports;
    guest->nr_vcpus = config->nr_vcpus;
    guest->storm_threshold = threshold ? threshold : STORM_THRESHOLD;
    guest->storm_delay = ticks(delay ? delay : STORM_DELAY_US);
    guest->storm_cap = ticks(cap ? cap : STORM_CAP_US);
    guest->info_size = shape->info_size;
    guest->slots = shape->slots;
    guest->word_shift = shape->word_shift;
    guest->wide = shape->word_shift == 6;
}

static void clear_vcpus(struct evc_guest *guest)
{
    for (evc_abi_u32 v = 0; v < guest->nr_vcpus; v++) {
        struct evc_guest_vcpu *vcpu = &guest->vcpus[v];

        clear_words(vcpu, sizeof(*vcpu));
        vcpu->guest = guest;
        vcpu->index = v;
        vcpu->runs = evc_state_of_runner(v);
        vcpu->info = vcpu->nowhere;
        if (v < guest->slots)
            vcpu->info =
                (evc_abi_u8 *)guest->shared_info + v * guest->info_size;
    }
}

/* ---- the two ABIs --------------------------------------------------------------- */

static int give_control(struct evc_guest *guest, evc_abi_u32 vcpu)
{
    const evc_g32 *control = guest->vcpus[vcpu].control;
    struct evtchn_init_control arg;

    arg.control_gfn = frame_of(guest, control);
    arg.offset = offset_of(control);
    arg.vcpu = vcpu;
    arg.link_bits = 0;
    return evc_g_op(&guest->vcpus[0], EVTCHNOP_init_control, &arg);
}

/* Every word is masked before the host sees it. */
static int give_events(struct evc_guest *guest, evc_g32 *events)
{
    evc_abi_u32 words = EVC_GUEST_EVENT_BYTES(guest->nr_ports) / 4;
    struct evtchn_expand_array arg;
    int r = 0;

    for (evc_abi_u32 i = 0; i < words; i++)
        evc_g32_store_rlx(&events[i], (evc_abi_u32)1 << EVTCHN_FIFO_MASKED);
    for (evc_abi_u32 i = 0; i < words && r == 0;
         i += EVC_ABI_FIFO_WORDS_PER_PAGE) {
        arg.array_gfn = frame_of(guest, events + i);
        r = evc_g_op(&guest->vcpus[0], EVTCHNOP_expand_array, &arg);
    }
    return r;
}

/* 1: the host has no FIFO; 0; or its error, and then it has switched already. */
static int start_fifo(struct evc_guest *guest, void *events)
{
    int r = give_control(guest, 0);

    if (r < 0)
        return 1;
    for (evc_abi_u32 v = 1; v < guest->nr_vcpus && r == 0; v++)
        r = give_control(guest, v);
    if (r == 0)
        r = give_events(guest, events);
    if (r == 0)
        guest->events = events;
    return r;
}

static void start_twolevel(struct evc_guest *guest, evc_abi_u32 ports)
{
    if (guest->nr_ports > ports)
        guest->nr_ports = ports;
    for (evc_abi_u32 p = 0; p < ports; p++)
        evc_g_twolevel_mask(guest, p);
}

/* ---- checking -------------------------------------------------------------------- */

static int is_aligned(const void *address, unsigned bytes)
{
    return address && ((evc_abi_uptr)address & (bytes - 1)) == 0;
}

static int check_memory(const struct evc_guest_config *config)
{
    if (!is_aligned(config->shared_info, 8) || !is_aligned(config->ports, 64) ||
        !is_aligned(config->vcpus, 128))
        return 0;
    if (config->events && !is_aligned(config->events, EVC_ABI_PAGE_SIZE))
        return 0;
    return config->nr_ports > 1 && config->nr_ports <= EVC_GUEST_PORTS_MAX &&
           config->nr_vcpus != 0 && config->nr_vcpus <= 65536;
}

static int check(const struct evc_guest_config *config)
{
    const struct evc_guest_hooks *hooks;

    if (config->size != sizeof(*config) || config->abi > EVC_GUEST_ABI_FIFO)
        return 0;
    if (config->abi == EVC_GUEST_ABI_FIFO && !config->events)
        return 0;
    hooks = config->hooks;
    if (!hooks || hooks->size != sizeof(*hooks))
        return 0;
#ifndef EVC_GUEST_HOOKS
    if (!hooks->hypercall)
        return 0;
#endif
    return config->storm_threshold < 256 && config->storm_cap_us <= HOUR_US &&
           config->storm_delay_us <= HOUR_US && check_memory(config);
}

/* ---- init ------------------------------------------------------------------------ */

static void reset(struct evc_guest *guest)
{
    struct evtchn_reset arg;

    arg.dom = DOMID_SELF;
    while (evc_g_op(&guest->vcpus[0], EVTCHNOP_reset, &arg) == -XEN_EAGAIN)
        ;
}

int evc_guest_init(struct evc_guest *guest,
                   const struct evc_guest_config *config)
{
    const struct shape *shape = shape_of(config->layout);
    int r = 1;

    if (!shape || !check(config))
        return -XEN_EINVAL;
    clear_guest(guest, config, shape);
    clear_vcpus(guest);
    clear_words(guest->ports, guest->nr_ports * EVC_GUEST_PORT_SIZE);
    if (config->reset)
        reset(guest);
    if (config->events && config->abi != EVC_GUEST_ABI_TWOLEVEL)
        r = start_fifo(guest, config->events);
    if (r == 1 && config->abi == EVC_GUEST_ABI_FIFO)
        return -XEN_ENOSYS;
    if (r == 1) {
        start_twolevel(guest, shape->ports);
        r = 0;
    }
    return r;
}

/* ---- looking ---------------------------------------------------------------------- */

int evc_guest_is_fifo(const struct evc_guest *guest)
{
    return evc_is_fifo(guest);
}

evc_port evc_guest_ports(const struct evc_guest *guest)
{
    return guest->nr_ports;
}

struct evc_guest_vcpu *evc_guest_self(struct evc_guest *guest, evc_abi_u32 vcpu)
{
    return vcpu < guest->nr_vcpus ? &guest->vcpus[vcpu] : 0;
}

evc_abi_u32 evc_guest_vcpu_index(const struct evc_guest_vcpu *self)
{
    return self->index;
}

int evc_guest_counts(struct evc_guest *guest, evc_port port,
                     struct evc_guest_counts *out)
{
    const struct evc_guest_port *p = evc_g_port_find(guest, port);

    if (!p)
        return -XEN_EINVAL;
    out->events = evc_gptr_load_rlx(&p->events);
    out->spurious = evc_gptr_load_rlx(&p->spurious);
    out->storms = evc_g32_load_rlx(&p->storms);
    out->held = (evc_g32_load_rlx(&p->state) & EVC_STATE_HELD) != 0;
    return 0;
}

/* ---- vcpu_info --------------------------------------------------------------------- */

int evc_guest_set_info(struct evc_guest_vcpu *self, evc_abi_u32 vcpu,
                       void *info)
{
    struct evc_guest_vcpu *of = evc_guest_self(self->guest, vcpu);

    if (!of)
        return -XEN_ENOENT;
    of->info = info ? info : of->nowhere;
    return 0;
}

int evc_guest_register_info(struct evc_guest_vcpu *self, evc_abi_u32 vcpu,
                            void *info)
{
    struct vcpu_register_vcpu_info arg;
    int r;

    if (vcpu >= self->guest->nr_vcpus)
        return -XEN_ENOENT;
    arg.mfn = frame_of(self->guest, info);
    arg.offset = offset_of(info);
    arg.rsvd = 0;
    r = evc_g_hypercall(self, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info,
                        vcpu, (evc_abi_uptr)&arg);
    return r < 0 ? r : evc_guest_set_info(self, vcpu, info);
}
