/* SPDX-License-Identifier: MIT */
/*
 * A whole paravirtual kernel on libevc-guest: it runs under `evc boot`, and under
 * Xen.
 *
 * It says what it is, ticks three times, and then answers every line that is
 * typed with the same in capitals, until the line is "bye".  Two ports have
 * handlers: the timer's virtual interrupt, and the console, whose other end is
 * the host's, with a ring in shared memory.  When there is nothing to do, it
 * sleeps in the host.
 */
#include <stdbool.h>
#include <stddef.h>

#include <evc/abi/sched.h>
#include <evc/abi/xen.h>
#include <evc/guest/x86.h>

#define PORTS 1024
#define PAGE  4096

extern char hypercall_page[], image_start[];
void upcall_entry(void);
void on_upcall(void);
void kernel_main(struct start_info *info);

const evc_abi_u8 *evc_guest_hypercall_page = (const evc_abi_u8 *)hypercall_page;

static struct start_info *start_info;
/* A whole page: what else lay in it would be hidden. */
static union {
    struct shared_info info;
    char page[PAGE];
} shared __attribute__((aligned(PAGE)));
static struct evc_guest guest;
static struct evc_guest_vcpu vcpu __attribute__((aligned(PAGE)));
static struct evc_guest_port ports[PORTS];
static char events[EVC_GUEST_EVENT_BYTES(PORTS)] __attribute__((aligned(PAGE)));

/* ---- hypercalls --------------------------------------------------------------- */

static int hypercall(unsigned nr, evc_abi_uptr a, evc_abi_uptr b,
                     evc_abi_uptr c)
{
    return evc_guest_x86_hypercall(NULL, 0, nr, a, b, c);
}

static evc_abi_u64 frame_of(void *data, const void *at)
{
    const evc_abi_u64 *p2m = (const evc_abi_u64 *)start_info->mfn_list;

    (void)data;
    return p2m[((evc_abi_uptr)at - (evc_abi_uptr)image_start) / PAGE];
}

/* Have a page of ours show a frame of the host's choosing. */
static void map(void *page, evc_abi_u64 frame)
{
    const evc_abi_u64 entry = frame * PAGE | 0x67; /* present, writable */

    hypercall(__HYPERVISOR_update_va_mapping, (evc_abi_uptr)page, entry, 2);
}

static void power_off(void)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_poweroff};

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (evc_abi_uptr)&shutdown,
              0);
}

/* ---- the console: xen/include/public/io/console.h ------------------------------- */

static struct {
    char in[1024], out[2048];
    volatile evc_abi_u32 in_cons, in_prod, out_cons, out_prod;
    char rest[PAGE - 3088];
} console __attribute__((aligned(PAGE)));

static volatile bool done;

static void put(char c)
{
    while (console.out_prod - console.out_cons == sizeof(console.out))
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    console.out[console.out_prod % sizeof(console.out)] = c;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    console.out_prod = console.out_prod + 1;
}

static void print(const char *text)
{
    while (*text)
        put(*text++);
    evc_guest_send(&vcpu, start_info->console.domU.evtchn);
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static void answer(const char *line)
{
    if (line[0] == 'b' && line[1] == 'y' && line[2] == 'e' && line[3] == 0) {
        done = true;
        return;
    }
    while (*line)
        put(upper(*line++));
    print("\r\n");
}

static void take(char c)
{
    static char line[80];
    static unsigned length;

    if (c == '\r' || c == '\n') {
        line[length] = 0;
        length = 0;
        answer(line);
    } else if (length < sizeof(line) - 1) {
        line[length++] = c;
    }
}

static int on_console(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    evc_abi_u32 end = console.in_prod;

    (void)data;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (console.in_cons == end)
        return EVC_GUEST_SPURIOUS; /* the host has read: of no interest */
    while (console.in_cons != end) {
        take(console.in[console.in_cons % sizeof(console.in)]);
        console.in_cons = console.in_cons + 1;
    }
    evc_guest_send(self, port); /* there is room again */
    return EVC_GUEST_DONE;
}

/* ---- the timer --------------------------------------------------------------------- */

static void set_timer(evc_abi_u64 ns)
{
    evc_abi_u64 now = shared.info.vcpu_info[0].time.system_time;

    hypercall(__HYPERVISOR_set_timer_op, now + ns, 0, 0);
}

static int on_timer(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    static unsigned ticks;

    (void)self;
    (void)port;
    (void)data;
    print("tick\r\n");
    if (++ticks < 3)
        set_timer((ticks + 1) * 10000000u);
    else
        print("say something, or bye\r\n");
    return EVC_GUEST_DONE;
}

/* ---- the kernel ---------------------------------------------------------------------- */

/* Upcalls are masked here, and unmasked by the return. */
void on_upcall(void)
{
    while (evc_guest_dispatch(&vcpu, 16, 0))
        ; /* a larger kernel would look at other things here */
}

static const struct evc_guest_hooks hooks = {
    .size = sizeof(hooks),
    .hypercall = evc_guest_x86_hypercall,
    .frame = frame_of,
};

static int start(void)
{
    static const struct evc_guest_binding on_input = {.handler = on_console};
    static const struct evc_guest_binding on_tick = {.handler = on_timer};
    const struct evc_guest_config config = {
        .size = sizeof(config),
        .shared_info = &shared,
        .vcpus = &vcpu,
        .nr_vcpus = 1,
        .ports = ports,
        .nr_ports = PORTS,
        .events = events,
        .hooks = &hooks,
    };
    int r = evc_guest_init(&guest, &config);

    if (r == 0)
        r = evc_guest_bind_port(&vcpu, start_info->console.domU.evtchn,
                                &on_input);
    return r < 0 ? r : evc_guest_bind_virq(&vcpu, VIRQ_TIMER, &on_tick);
}

void kernel_main(struct start_info *info)
{
    start_info = info;
    map(&shared, info->shared_info / PAGE);
    map(&console, info->console.domU.mfn);
    hypercall(__HYPERVISOR_set_callbacks, (evc_abi_uptr)upcall_entry, 0, 0);
    if (start() < 0)
        __builtin_trap();
    print(evc_guest_is_fifo(&guest)
              ? "a kernel on libevc-guest, FIFO\r\n"
              : "a kernel on libevc-guest, two-level\r\n");
    set_timer(10000000);
    while (!done) /* unmasks upcalls and sleeps until there was one */
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0);
    print("bye\r\n");
    power_off();
}
