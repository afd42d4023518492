/* SPDX-License-Identifier: MIT */
#include "kernel.h"

void kernel_start(struct start_info *info);

struct start_info *start_info;

static char shared_page[4096] __attribute__((aligned(4096)));
static char console_page[4096] __attribute__((aligned(4096)));

struct shared_info *shared = (struct shared_info *)shared_page;

/* ---- vCPUs -------------------------------------------------------------------- */

#define GS_KERNEL 2

struct cpu cpus[32] __attribute__((aligned(64)));
struct vcpu_info *infos[32];

void set_cpu(unsigned id)
{
    cpus[id] = (struct cpu){
        .gs_tag = 0x65,
        .id = id,
        .salt = id * UINT64_C(0x0101010101010101),
        .fs_tag = 0xf5,
        .fs_id = id,
    };
    infos[id] = &shared->vcpu_info[id];
}

/* ---- the processor ------------------------------------------------------------ */

uint32_t has_zmm;

static uint32_t cpuid(uint32_t leaf, unsigned of)
{
    uint32_t out[4];

    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
    return out[of];
}

/* OSXSAVE, AVX512BW, and what XCR0 must allow for it. */
static void look_at_processor(void)
{
    uint32_t low = 0, high;

    if (cpuid(1, 2) >> 27 & 1)
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    has_zmm = (low & 0xe6) == 0xe6 && (cpuid(7, 1) >> 30 & 1);
}

/* ---- console: io/console.h --------------------------------------------------- */

struct console {
    char in[1024], out[2048];
    volatile uint32_t in_cons, in_prod, out_cons, out_prod;
};

static void put(char c)
{
    struct console *ring = (struct console *)console_page;
    struct evtchn_send send = {.port = start_info->console.domU.evtchn};

    while (ring->out_prod - ring->out_cons >= sizeof(ring->out)) {
        event_op(EVTCHNOP_send, &send);
        sched_op(SCHEDOP_yield, NULL);
    }
    ring->out[ring->out_prod % sizeof(ring->out)] = c;
    __asm__ volatile("" ::: "memory");
    ring->out_prod = ring->out_prod + 1;
}

static void flush(void)
{
    struct evtchn_send send = {.port = start_info->console.domU.evtchn};

    event_op(EVTCHNOP_send, &send);
}

void print(const char *text)
{
    for (; *text; text++)
        put(*text);
    flush();
}

void print_number(uint64_t number)
{
    char digits[21];
    unsigned at = sizeof(digits) - 1;

    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    print(digits + at);
}

static void __attribute__((noreturn)) shut_down(uint32_t reason)
{
    struct sched_shutdown shutdown = {.reason = reason};

    for (;;)
        sched_op(SCHEDOP_shutdown, &shutdown);
}

void power_off(void)
{
    shut_down(SHUTDOWN_poweroff);
}

void fail(const char *what, uint64_t a, uint64_t b)
{
    print("FAILED: ");
    print(what);
    print(" (");
    print_number(a);
    print(", ");
    print_number(b);
    print(")\n");
    shut_down(SHUTDOWN_crash);
}

/* ---- time ----------------------------------------------------------------------- */

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t to_ns(const struct vcpu_time_info *time)
{
    uint64_t ticks = rdtsc() - time->tsc_timestamp;

    ticks = time->tsc_shift < 0 ? ticks >> -time->tsc_shift
                                : ticks << time->tsc_shift;
    return time->system_time +
           (uint64_t)((unsigned __int128)ticks * time->tsc_to_system_mul >> 32);
}

uint64_t now(void)
{
    const volatile uint32_t *version = &self()->time.version;
    uint32_t before;
    uint64_t ns;

    do {
        before = *version;
        __asm__ volatile("" ::: "memory");
        ns = to_ns(&self()->time);
        __asm__ volatile("" ::: "memory");
    } while (before != *version || before % 2);
    return ns;
}

/* ---- starting --------------------------------------------------------------------- */

static const char *after(const char *text, const char *name)
{
    while (*name && *text == *name)
        text++, name++;
    return *name == 0 && *text == '=' ? text + 1 : NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *line = (const char *)start_info->cmd_line;
    uint64_t number = 0;

    while (*line && !after(line, name))
        line++;
    if (*line == 0)
        return otherwise;
    for (line = after(line, name); *line >= '0' && *line <= '9'; line++)
        number = number * 10 + (uint64_t)(*line - '0');
    return number;
}

uint64_t frame_of(const volatile void *page)
{
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;

    return p2m[(address(page) - address(image_start)) / 4096];
}

evtchn_port_t bind_virq(uint32_t virq)
{
    struct evtchn_bind_virq bind = {.virq = virq, .vcpu = cpu_id()};
    struct evtchn_unmask unmask;

    if (event_op(EVTCHNOP_bind_virq, &bind) != 0)
        fail("bind_virq", virq, 0);
    unmask.port = bind.port;
    event_op(EVTCHNOP_unmask, &unmask);
    return bind.port;
}

/* Of a port that is not bound yet: nobody is to be told. */
static void mask_ports(void)
{
    for (unsigned i = 0; i < 64; i++)
        shared->evtchn_mask[i] = ~0ul;
}

/* An event that came between the two is not waited for: a send to nobody. */
void open_upcalls(void)
{
    volatile uint8_t *pending = &self()->evtchn_upcall_pending;

    *(volatile uint8_t *)&self()->evtchn_upcall_mask = 0;
    __asm__ volatile("" ::: "memory");
    if (*pending)
        hypercall(__HYPERVISOR_xen_version, 7, 0, 0, 0);
}

void kernel_start(struct start_info *info)
{
    start_info = info;
    set_cpu(0);
    look_at_processor();
    hypercall(__HYPERVISOR_set_segment_base, GS_KERNEL, address(&cpus[0]), 0,
              0);
    map(shared_page, info->shared_info | WRITABLE);
    mask_ports();
    map(console_page, info->console.domU.mfn << 12 | WRITABLE);
    hypercall(__HYPERVISOR_set_callbacks, address(upcall_entry), 0, 0, 0);
    guest_main();
    power_off();
}
