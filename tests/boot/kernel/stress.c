/* SPDX-License-Identifier: MIT */
/*
 * A guest that tests the machine it runs on: what a handler finds, what comes
 * back from hypercalls, faults and upcalls, page tables, time, waiting.
 *
 * It says one line for each part, and powers off; what is wrong ends it as a
 * crash with a line that says what.  `upcalls=N` on the command line: so many
 * in each of the three loops of spin.S.
 */
#include "kernel.h"

#include "context.h"

uint64_t spin_plain(const volatile uint64_t *count, uint64_t until);
uint64_t spin_hypercall(const volatile uint64_t *count, uint64_t until);
uint64_t spin_fault(const volatile uint64_t *count, uint64_t until);

static volatile uint64_t upcalls, events;
static volatile uint64_t rearm; /* ns after an upcall to the next; 0: none */
static evtchn_port_t timer_port;

/* ---- upcalls --------------------------------------------------------------- */

static void set_timer(uint64_t when)
{
    CHECK(hypercall(__HYPERVISOR_set_timer_op, when, 0, 0, 0) == 0);
}

static void take_events(void)
{
    uint64_t words =
        __atomic_exchange_n(&self()->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (; words; words &= words - 1) {
        unsigned word = (unsigned)__builtin_ctzll(words);
        uint64_t bits = __atomic_exchange_n(&shared->evtchn_pending[word], 0,
                                            __ATOMIC_SEQ_CST);

        for (; bits; bits &= bits - 1)
            events++;
    }
}

bool on_upcall(struct upcall_frame *frame)
{
    CHECK(self()->evtchn_upcall_mask == 1);
    CHECK((frame->cs & 0xffff) % 4 == 0); /* ready for an iretq */
    CHECK(frame->cs >> 32 == 0);          /* events were not masked */
    CHECK(frame->rflags & 0x200);
    *(volatile uint8_t *)&self()->evtchn_upcall_pending = 0;
    take_events();
    upcalls++;
    if (rearm)
        set_timer(now() + rearm);
    return upcalls % 2;
}

/* ---- traps ------------------------------------------------------------------- */

char fault_page[4096] __attribute__((aligned(4096)));
static uint64_t fault_frame;

static struct {
    uint64_t count, vector, code, rip, cr2;
    uint64_t skip; /* bytes to go on behind */
} last;

static void fix_page(uint64_t cr2)
{
    if (cr2 / 4096 != address(fault_page) / 4096)
        fail("page fault", cr2, last.rip);
    CHECK(map(fault_page, fault_frame << 12 | WRITABLE) == 0);
}

void on_trap(unsigned vector, struct trap_frame *frame)
{
    last.count++;
    last.vector = vector;
    last.code = frame->code;
    last.rip = frame->rip;
    last.cr2 = self()->arch.cr2;
    if (vector == 14 && last.skip == 0)
        fix_page(last.cr2);
    frame->rip += last.skip;
    last.skip = 0;
}

static void set_traps(void)
{
    static const struct trap_info table[] = {
        {0, 0, 0xe033, (uint64_t)trap_0},
        {3, 3, 0xe033, (uint64_t)trap_3},
        {6, 0, 0xe033, (uint64_t)trap_6},
        {13, 0, 0xe033, (uint64_t)trap_13},
        {14, 4, 0xe033, (uint64_t)trap_14},
        {128, 3, 0xe033, (uint64_t)trap_128},
        {0},
    };

    CHECK(hypercall(__HYPERVISOR_set_trap_table, address(table), 0, 0, 0) == 0);
}

#define TRAPS(instruction, bytes)                                              \
    ({                                                                         \
        uint64_t before = last.count;                                          \
        last.skip = (bytes);                                                   \
        __asm__ volatile(instruction ::: "rax", "rcx", "rdx", "memory", "cc"); \
        last.count - before;                                                   \
    })

static void test_traps(void)
{
    CHECK(TRAPS("ud2", 2) == 1 && last.vector == 6);
    last.skip = 0;
    CHECK(TRAPS("int3", 0) == 1 && last.vector == 3);
    CHECK(TRAPS("xorl %%ecx, %%ecx; movl $1, %%eax; xorl %%edx, %%edx; "
                "divl %%ecx",
                2) == 1 &&
          last.vector == 0);
    CHECK(TRAPS("int $0x80", 0) == 1 && last.vector == 128);
    CHECK(TRAPS("lgdt 0(%%rsp)", 4) == 1 && last.vector == 13);
    CHECK(TRAPS("movb $1, 0x123000", 8) == 1 && last.vector == 14);
    CHECK(last.cr2 == 0x123000 && last.code == 2);
    CHECK(TRAPS("movb 0x123000, %%al", 7) == 1 && last.code == 0);
    print("ok traps\n");
}

/* ---- instructions that a process may not execute ---------------------------------- */

static void cpuid_of_xen(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

static uint64_t read_msr(uint32_t number)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static void test_instructions(void)
{
    uint32_t out[4];
    uint64_t cr;
    uint8_t in;

    __asm__ volatile("sti");
    CHECK(self()->evtchn_upcall_mask == 0);
    __asm__ volatile("cli");
    CHECK(self()->evtchn_upcall_mask == 1);
    __asm__ volatile("inb $0x80, %0; outb %0, $0x80" : "=a"(in));
    CHECK(in == 0xff);
    cpuid_of_xen(0x40000000, out);
    CHECK(out[1] == 0x566e6558 && out[0] >= 0x40000001);
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr));
    CHECK(cr / 4096 == frame_of((void *)start_info->pt_base));
    CHECK(read_msr(0xc0000100) == 0x11000);
    __asm__ volatile("clts; wbinvd");
    print("ok instructions\n");
}

/* ---- segment bases ------------------------------------------------------------------ */

static void set_segments(void)
{
    CHECK(hypercall(25, 0, 0x11000, 0, 0) == 0);
    CHECK(hypercall(25, 2, address(&cpus[0]), 0, 0) == 0);
}

static void test_segments(void)
{
    uint32_t fs, gs;

    CHECK(hypercall(25, 0, address(&cpus[0].fs_tag), 0, 0) == 0);
    __asm__ volatile("movl %%fs:0, %0; movl %%gs:0, %1" : "=r"(fs), "=r"(gs));
    CHECK(fs == 0xf5 && gs == 0x65);
    CHECK(hypercall(25, 0, UINT64_C(1) << 63, 0, 0) < 0);
    print("ok segments\n");
}

/* ---- page tables ------------------------------------------------------------------------ */

static char one[4096] __attribute__((aligned(4096)));
static char two[4096] __attribute__((aligned(4096)));
static char window[4096] __attribute__((aligned(4096)));

/* The window shows one page, then the other, then may not be written. */
static void test_windows(void)
{
    volatile char *at = window;

    one[7] = 1;
    two[7] = 2;
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(map(window, frame_of(one) << 12 | WRITABLE) == 0 && at[7] == 1);
        CHECK(map(window, frame_of(two) << 12 | READ_ONLY) == 0 && at[7] == 2);
    }
    last.skip = 0;
    CHECK(TRAPS("movb $1, window", 8) == 1);
    CHECK(last.code == 3 && last.cr2 == address(window));
    CHECK(map(window, 0) == 0);
    CHECK(TRAPS("movb $1, window", 8) == 1 && last.code == 2);
}

static uint64_t *entry_of(const void *va)
{
    uint64_t *table = (uint64_t *)start_info->pt_base;

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t entry = table[(address(va) >> shift) % 512];
        uint64_t mfn = (entry & 0xffffffffff000) >> 12;
        const uint64_t *m2p = (const uint64_t *)0xffff800000000000;

        table = (uint64_t *)(image_start + m2p[mfn] * 4096);
    }
    return &table[(address(va) >> 12) % 512];
}

/* By machine address, and by a plain write to a table that is read-only. */
static void test_tables(void)
{
    volatile char *at = window;
    uint64_t *entry = entry_of(window);
    struct mmu_update update = {
        .ptr = frame_of((void *)((address(entry) / 4096) * 4096)) * 4096 +
               address(entry) % 4096,
        .val = frame_of(one) << 12 | WRITABLE,
    };
    uint32_t done = 0;

    CHECK(hypercall(__HYPERVISOR_mmu_update, address(&update), 1,
                    address(&done), 0x7ff0) == 0);
    CHECK(done == 1 && at[7] == 1);
    *(volatile uint64_t *)entry = frame_of(two) << 12 | WRITABLE;
    __asm__ volatile("invlpg window");
    CHECK(at[7] == 2);
    update.ptr = UINT64_C(1) << 50;
    CHECK(hypercall(__HYPERVISOR_mmu_update, address(&update), 1, 0, 0x7ff0) ==
          -22);
}

static void test_pages(void)
{
    test_windows();
    test_tables();
    print("ok page tables\n");
}

/* ---- hypercalls of several kinds ------------------------------------------------------------ */

static int64_t by_syscall(uint64_t nr, uint64_t a)
{
    int64_t result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a)
                     : "rcx", "r11", "memory");
    return result;
}

static void test_hypercalls(void)
{
    struct multicall_entry list[2] = {
        {.op = __HYPERVISOR_xen_version, .args = {0}},
        {.op = 63},
    };
    uint64_t frame = frame_of(one);
    struct {
        uint64_t start, extents;
        uint32_t order, flags;
        uint16_t domain;
    } less = {address(&frame), 1, 0, 0, 0x7ff0};

    CHECK(hypercall(17, 0, 0, 0, 0) == (4 << 16 | 17));
    CHECK(by_syscall(17, 0) == (4 << 16 | 17));
    CHECK(by_syscall(17, 7) == 4096);
    CHECK(hypercall(63, 0, 0, 0, 0) == -38);
    CHECK(hypercall(__HYPERVISOR_multicall, address(list), 2, 0, 0) == 0);
    CHECK(list[0].result == (4 << 16 | 17) && (int64_t)list[1].result == -38);
    CHECK(hypercall(__HYPERVISOR_memory_op, 1, address(&less), 0, 0) == 1);
    CHECK(hypercall(__HYPERVISOR_memory_op, 3, 0, 0, 0) ==
          (int64_t)start_info->nr_pages - 1);
    CHECK(hypercall(__HYPERVISOR_memory_op, 0, address(&less), 0, 0) == 1);
    CHECK(hypercall(17, 6, 0x123000, 0, 0) == -14);
    print("ok hypercalls\n");
}

/* ---- time and waiting ---------------------------------------------------------------------------- */

#define MS UINT64_C(1000000)

/* A wait may end early, as on Xen: by an event that was taken already. */
static void wait_until(struct sched_poll *poll, uint64_t when)
{
    unsigned early = 0;

    do {
        CHECK(sched_op(SCHEDOP_poll, poll) == 0);
        CHECK(early++ < 100);
    } while (now() < when);
}

static void test_block(void)
{
    uint64_t start = now(), seen = upcalls;

    set_timer(start + 2 * MS);
    while (upcalls == seen)
        sched_op(SCHEDOP_block, NULL); /* unmasks */
    CHECK(now() >= start + 2 * MS);
    set_timer(now() + MS);
    seen = upcalls;
    while (upcalls == seen)
        __asm__ volatile("hlt");
    mask_upcalls();
}

/* What came while they were masked comes with the next call, whichever. */
static void test_unmasking(void)
{
    static const unsigned commands[] = {0, 7};

    for (unsigned i = 0; i < 2; i++) {
        uint64_t seen = upcalls;

        set_timer(now() + MS);
        while (!*(volatile uint8_t *)&self()->evtchn_upcall_pending)
            ;
        CHECK(upcalls == seen);
        *(volatile uint8_t *)&self()->evtchn_upcall_mask = 0;
        hypercall(__HYPERVISOR_xen_version, commands[i], 0, 0, 0);
        CHECK(upcalls == seen + 1);
        mask_upcalls();
    }
}

/* Until a time; and until a port is pending, long before the time. */
static void test_poll(void)
{
    evtchn_port_t port = timer_port;
    struct sched_poll poll = {.timeout = now() + 2 * MS};
    uint64_t start, seen = upcalls;

    wait_until(&poll, poll.timeout);
    start = now();
    set_timer(start + 2 * MS);
    poll = (struct sched_poll){.nr_ports = 1, .timeout = start + 100000 * MS};
    set_xen_guest_handle(poll.ports, &port);
    wait_until(&poll, start + 2 * MS);
    CHECK(upcalls == seen);
    open_upcalls();
    while (upcalls == seen)
        ;
}

static void test_waiting(void)
{
    test_block();
    test_unmasking();
    test_poll();
    print("ok time and waiting\n");
}

static void test_clock(void)
{
    uint64_t before = now();

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t next = now();

        CHECK(next >= before);
        before = next;
    }
    CHECK(shared->wc_sec > 1700000000);
    print("ok clock\n");
}

/* ---- what must not change, while upcalls come ------------------------------------------------------ */

static void storm(const char *name,
                  uint64_t (*spin)(const volatile uint64_t *, uint64_t),
                  uint64_t number)
{
    uint64_t start = upcalls, bad;

    rearm = 10000;
    set_timer(now() + rearm);
    bad = spin(&upcalls, start + number);
    rearm = 0;
    if (bad)
        fail(name, bad, upcalls - start);
    print("ok ");
    print(name);
    print(": ");
    print_number(upcalls - start);
    print(" upcalls\n");
}

/* ---- what a hypercall costs, for whoever asks -------------------------------- */

#define TIMES 2000u

/* Of some rounds the best, in tenths of a ns. */
static uint64_t cost(uint64_t nr, uint64_t a, uint64_t b, bool raw)
{
    uint64_t best = UINT64_MAX;

    for (unsigned round = 0; round < 50; round++) {
        uint64_t start = now(), taken;

        for (unsigned i = 0; i < TIMES; i++)
            if (raw)
                by_syscall(nr, a);
            else
                hypercall((unsigned)nr, a, b, 0, 0);
        taken = (now() - start) * 10 / TIMES;
        best = taken < best ? taken : best;
    }
    return best;
}

static void measure(const char *name, uint64_t tenths)
{
    print(name);
    print(": ");
    print_number(tenths / 10);
    print(".");
    print_number(tenths % 10);
    print(" ns\n");
}

/* A port of this guest's own, which stays masked: what is sent merges. */
static evtchn_port_t masked_port(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};

    CHECK(event_op(EVTCHNOP_bind_ipi, &bind) == 0);
    return bind.port;
}

static void measure_all(void)
{
    static struct evtchn_send send;
    static struct {
        uint32_t index, map;
    } features;

    send.port = masked_port();
    measure("xen_version(0)", cost(17, 0, 0, false));
    measure("fpu_taskswitch", cost(__HYPERVISOR_fpu_taskswitch, 0, 0, false));
    measure("set_segment_base", cost(25, 0, address(&cpus[0].fs_tag), false));
    measure("send", cost(32, EVTCHNOP_send, address(&send), false));
    measure("xen_version(6)", cost(17, 6, address(&features), false));
    measure("xen_version(0) by SYSCALL", cost(17, 0, 0, true));
}

void guest_main(void)
{
    uint64_t number = option("upcalls", 1000);

    set_traps();
    fault_frame = frame_of(fault_page);
    set_segments();
    test_traps();
    test_instructions();
    test_segments();
    test_pages();
    test_hypercalls();
    test_clock();
    timer_port = bind_virq(VIRQ_TIMER);
    test_waiting();
    if (option("measure", 0))
        measure_all();
    spin_send.port = start_info->console.domU.evtchn;
    storm("spinning", spin_plain, number);
    storm("hypercalls", spin_hypercall, number);
    storm("faults", spin_fault, number);
    power_off();
}
