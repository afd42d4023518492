/* SPDX-License-Identifier: MIT */
/*
 * A guest that tests the machine it runs on with all its vCPUs at once: each
 * keeps patterns of its own in all its registers, all of them signal each other,
 * wait, set timers, change the page tables they share, stop and start.
 *
 * vCPU 0 says one line for each part, and the last vCPU powers off; what is wrong
 * ends it as a crash with a line that says what.  `rounds=N` on the command line.
 */
#include "kernel.h"

#include "context.h"

uint64_t spin_plain(const volatile uint64_t *count, uint64_t until);
uint64_t spin_hypercall(const volatile uint64_t *count, uint64_t until);
uint64_t spin_fault(const volatile uint64_t *count, uint64_t until);

#define CPUS 32
#define MS   UINT64_C(1000000)

enum { RING, ALL, CALL, IPIS };

/* What one vCPU has; others look, and set what is theirs. */
static struct state {
    volatile uint64_t upcalls, timers, ipis[IPIS];
    volatile uint64_t rearm; /* ns after an upcall to the next; 0: none */
    volatile uint64_t nmis, progress;
    volatile uint64_t asked[CPUS], answered[CPUS]; /* by each of the others */
    evtchn_port_t timer, port[IPIS];
    char stack[16384] __attribute__((aligned(16)));
    char window[4096] __attribute__((aligned(4096)));
    char page[2][4096] __attribute__((aligned(4096)));
} states[CPUS];

static unsigned nr;
static uint64_t rounds;

static struct state *me(void)
{
    return &states[cpu_id()];
}

/* ---- hypercalls ---------------------------------------------------------------- */

static int64_t vcpu_op(unsigned cmd, unsigned id, const void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, cmd, id, address(arg), 0);
}

static void set_timer(uint64_t when)
{
    CHECK(hypercall(__HYPERVISOR_set_timer_op, when, 0, 0, 0) == 0);
}

static void send(unsigned id, unsigned ipi)
{
    struct evtchn_send send = {.port = states[id].port[ipi]};

    CHECK(event_op(EVTCHNOP_send, &send) == 0);
}

/* Only its own vCPU may stop a singleshot timer: does the host know who asks? */
static bool is_known(void)
{
    for (unsigned id = 0; id < nr; id++)
        if ((vcpu_op(VCPUOP_stop_singleshot_timer, id, NULL) == 0) !=
            (id == cpu_id()))
            return false;
    return true;
}

static void yield(void)
{
    sched_op(SCHEDOP_yield, NULL);
}

/* ---- all at one place ------------------------------------------------------------ */

/* Until all that take part are here. */
static void meet_of(unsigned n)
{
    static volatile uint32_t here, gone;
    uint32_t round = gone;

    if (__atomic_add_fetch(&here, 1, __ATOMIC_SEQ_CST) == n) {
        here = 0;
        __atomic_store_n(&gone, round + 1, __ATOMIC_SEQ_CST);
    }
    while (gone == round)
        yield();
}

static void meet(void)
{
    meet_of(nr);
}

static void done(const char *what)
{
    meet();
    if (cpu_id() == 0) {
        print("ok ");
        print(what);
        print("\n");
    }
    meet();
}

/* ---- upcalls ------------------------------------------------------------------------ */

static void answer_all(struct state *mine)
{
    for (unsigned from = 0; from < nr; from++)
        if (mine->answered[from] != mine->asked[from]) {
            mine->answered[from] = mine->asked[from];
            send(from, CALL);
        }
}

static void take(struct state *mine, evtchn_port_t port)
{
    if (port == mine->timer)
        mine->timers++;
    for (unsigned i = 0; i < IPIS; i++)
        if (port == mine->port[i])
            mine->ipis[i]++;
    if (port == mine->port[ALL])
        answer_all(mine);
}

/* Only ports that are told to this vCPU; others' may be in the same word. */
static bool is_mine(const struct state *mine, evtchn_port_t port)
{
    bool is = port == mine->timer;

    for (unsigned i = 0; i < IPIS; i++)
        is |= port == mine->port[i];
    return is;
}

static void take_events(struct state *mine)
{
    uint64_t words =
        __atomic_exchange_n(&self()->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (; words; words &= words - 1) {
        unsigned word = (unsigned)__builtin_ctzll(words);
        uint64_t *at = (uint64_t *)&shared->evtchn_pending[word];
        uint64_t bits = __atomic_load_n(at, __ATOMIC_SEQ_CST);

        for (; bits; bits &= bits - 1) {
            evtchn_port_t port = word * 64 + (unsigned)__builtin_ctzll(bits);

            if (!is_mine(mine, port))
                continue;
            __atomic_fetch_and(at, ~(bits & -bits), __ATOMIC_SEQ_CST);
            take(mine, port);
        }
    }
}

bool on_upcall(struct upcall_frame *frame)
{
    struct state *mine = me();

    CHECK(self()->evtchn_upcall_mask == 1);
    CHECK(frame->cs >> 32 == 0 && (frame->rflags & 0x200));
    *(volatile uint8_t *)&self()->evtchn_upcall_pending = 0;
    take_events(mine);
    mine->upcalls++;
    if (mine->rearm)
        set_timer(now() + mine->rearm);
    return mine->upcalls % 2;
}

/* ---- traps ------------------------------------------------------------------------------ */

char fault_page[4096] __attribute__((aligned(4096))); /* of all */
static uint64_t fault_frame;

void on_trap(unsigned vector, struct trap_frame *frame)
{
    uint64_t cr2 = self()->arch.cr2;

    if (vector == 2) {
        me()->nmis++;
        return;
    }
    if (vector != 14 || cr2 / 4096 != address(fault_page) / 4096)
        fail("trap", vector, frame->rip);
    CHECK(map(fault_page, fault_frame << 12 | WRITABLE) == 0);
}

static struct trap_info traps[] = {
    {2, 4, 0xe033, (uint64_t)trap_2},
    {14, 4, 0xe033, (uint64_t)trap_14},
    {0},
};

/* ---- starting ------------------------------------------------------------------------------ */

static void smp_main(void);

static void open_ports(void)
{
    struct state *mine = me();

    mine->timer = bind_virq(VIRQ_TIMER);
    for (unsigned i = 0; i < IPIS; i++) {
        struct evtchn_bind_ipi bind = {.vcpu = cpu_id()};
        struct evtchn_unmask unmask;

        CHECK(event_op(EVTCHNOP_bind_ipi, &bind) == 0);
        mine->port[i] = unmask.port = bind.port;
        event_op(EVTCHNOP_unmask, &unmask);
    }
}

static void secondary(void)
{
    CHECK(self()->evtchn_upcall_mask == 1);
    CHECK(vcpu_op(VCPUOP_is_up, cpu_id(), NULL) == 1);
    smp_main();
}

/* All but a few fields of it are zero. */
static struct context *context_of(unsigned id)
{
    static struct context context;
    struct state *its = &states[id];

    context.flags = 4; /* in its kernel */
    context.regs.rip = address(secondary);
    context.regs.rsp = address(its->stack) + sizeof(its->stack) - 8;
    context.regs.rflags = 0x200;
    context.regs.cs = 0xe033;
    context.regs.ss = 0xe02b;
    context.trap[2] = traps[0];
    context.trap[14] = traps[1];
    context.control[3] = frame_of((void *)start_info->pt_base) << 12;
    context.event_callback = address(upcall_entry);
    context.fs = address(&cpus[id].fs_tag);
    context.gs_kernel = address(&cpus[id]);
    return &context;
}

/* What must not work comes first. */
static void start(unsigned id)
{
    struct context *context = context_of(id);

    set_cpu(id);
    CHECK(vcpu_op(VCPUOP_up, id, NULL) == -22);
    CHECK(vcpu_op(VCPUOP_is_up, id, NULL) == 0);
    context->control[3] += 4096;
    CHECK(vcpu_op(VCPUOP_initialise, id, context) == -22);
    context->control[3] -= 4096;
    CHECK(vcpu_op(VCPUOP_initialise, id, (void *)0x123000) == -14);
    CHECK(vcpu_op(VCPUOP_initialise, id, context) == 0);
    CHECK(vcpu_op(VCPUOP_initialise, id, context) == -17);
    CHECK(vcpu_op(VCPUOP_is_up, id, NULL) == 0);
    CHECK(vcpu_op(VCPUOP_up, id, NULL) == 0);
    CHECK(vcpu_op(VCPUOP_up, id, NULL) == 0);
}

static void start_all(void)
{
    while (vcpu_op(VCPUOP_is_up, nr, NULL) >= 0)
        nr++;
    CHECK(nr >= 2 && nr <= CPUS);
    CHECK(vcpu_op(VCPUOP_initialise, nr, NULL) == -2);
    for (unsigned id = 1; id < nr; id++)
        start(id);
}

/* ---- what must not change, while upcalls come ------------------------------------------------ */

static void storm(const char *what,
                  uint64_t (*spin)(const volatile uint64_t *, uint64_t))
{
    struct state *mine = me();
    uint64_t bad;

    meet();
    mine->rearm = 20000;
    set_timer(now() + mine->rearm);
    bad = spin(&mine->upcalls, mine->upcalls + rounds);
    mine->rearm = 0;
    if (bad)
        fail(what, bad, cpu_id());
    CHECK(is_known());
    done(what);
}

/* ---- signalling each other --------------------------------------------------------------------- */

static void wait_by_poll(struct state *mine, unsigned ipi)
{
    struct sched_poll poll = {.nr_ports = 1, .timeout = now() + 20 * MS};

    set_xen_guest_handle(poll.ports, &mine->port[ipi]);
    CHECK(sched_op(SCHEDOP_poll, &poll) == 0);
    open_upcalls();
}

/* Block and poll wait with upcalls masked until then: none can be missed. */
static void wait_for(const volatile uint64_t *count, uint64_t until,
                     unsigned how, unsigned ipi)
{
    while (*count < until) {
        if (how % 4 < 2)
            mask_upcalls();
        if (*count >= until)
            break;
        if (how % 4 == 0)
            sched_op(SCHEDOP_block, NULL);
        else if (how % 4 == 1)
            wait_by_poll(me(), ipi);
        else if (how % 4 == 2)
            yield();
        else
            __asm__ volatile("pause");
    }
    open_upcalls();
}

/* A token goes round: each waits for it in another way each time. */
static void ring(void)
{
    struct state *mine = me();
    unsigned id = cpu_id(), next = (id + 1) % nr;
    uint64_t before = mine->ipis[RING];

    meet();
    for (uint64_t i = 0; i < rounds; i++) {
        if (id != 0 || i != 0)
            wait_for(&mine->ipis[RING], before + i + (id != 0),
                     (unsigned)(i + id), RING);
        send(next, RING);
    }
    if (id == 0)
        wait_for(&mine->ipis[RING], before + rounds, 0, RING);
    done("ring");
}

/* Each asks all others, who answer in their upcalls; sends may merge. */
static void all_to_all(void)
{
    struct state *mine = me();
    unsigned id = cpu_id();

    meet();
    for (uint64_t i = 1; i <= rounds; i++) {
        for (unsigned to = 0; to < nr; to++) {
            states[to].asked[id] = i;
            send(to, ALL);
        }
        for (unsigned to = 0; to < nr; to++)
            wait_for(&states[to].answered[id], i,
                     (unsigned)(i + id) % 4 == 1 ? 0 : (unsigned)(i + id),
                     CALL);
    }
    CHECK(mine->ipis[CALL] > 0);
    done("all to all");
}

/* ---- timers ------------------------------------------------------------------------------------------ */

static void timers(void)
{
    struct state *mine = me();

    meet();
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t when = now() + (cpu_id() % 4 + 1) * MS / 4,
                 seen = mine->timers;

        set_timer(when);
        wait_for(&mine->timers, seen + 1, (unsigned)i % 2 * 2, 0);
        CHECK(now() >= when);
    }
    done("timers");
}

/* ---- page tables ---------------------------------------------------------------------------------------- */

static void flush_all(void)
{
    static struct {
        uint32_t cmd;
        uint64_t arg1, arg2;
    } flush = {.cmd = 10};

    CHECK(hypercall(__HYPERVISOR_mmuext_op, address(&flush), 1, 0, 0x7ff0) ==
          0);
}

/* A window of its own, while everybody else changes tables, too. */
static void own_windows(void)
{
    struct state *mine = me();
    volatile char *at = mine->window;
    uint64_t frame[2] = {frame_of(mine->page[0]), frame_of(mine->page[1])};

    mine->page[0][7] = (char)(2 * cpu_id());
    mine->page[1][7] = (char)(2 * cpu_id() + 1);
    meet();
    for (uint64_t i = 0; i < 10 * rounds; i++) {
        CHECK(map(mine->window, frame[i % 2] << 12 | WRITABLE) == 0);
        CHECK(at[7] == (char)(2 * cpu_id() + i % 2));
        if (i % 16 == cpu_id() % 16)
            flush_all();
    }
    done("own windows");
}

/* Another time each time, so that others are met at different places. */
static void dawdle(unsigned most)
{
    static unsigned times;

    for (unsigned i = times++ * 7919 % most; i > 0; i--)
        __asm__ volatile("pause");
}

/* What is mapped goes away at any moment, the stacks of those who call included. */
static void flushes(void)
{
    static volatile bool enough;

    meet();
    for (uint64_t i = 0; cpu_id() == 0 && i < 50 * rounds; i++) {
        flush_all();
        dawdle(2000);
    }
    if (cpu_id() == 0)
        enough = true;
    while (!enough)
        CHECK(hypercall(__HYPERVISOR_xen_version, 0, 0, 0, 0) ==
              (4 << 16 | 17));
    done("flushes");
}

/*
 * One changes what a window shows, while the others fault because of a flush;
 * what they see between two looks at `epoch` that are the same must be of that.
 */
static volatile uint64_t epoch;

static void show(uint64_t number, unsigned flags)
{
    struct state *first = &states[0];

    CHECK(map(first->window, frame_of(first->page[number % 2]) << 12 | flags) ==
          0);
}

static void show_next(void)
{
    uint64_t number = epoch / 2;

    epoch = 2 * number + 1;
    flush_all();
    dawdle(400);
    show(number + 1, READ_ONLY);
    epoch = 2 * number + 2;
    dawdle(1600);
}

static void look_at_window(void)
{
    uint64_t before = epoch;
    uint64_t seen = *(volatile uint64_t *)states[0].window;

    if (before == epoch && before % 2 == 0)
        CHECK(seen == before / 2 % 2);
}

static void shared_window(void)
{
    if (cpu_id() == 0) {
        *(uint64_t *)states[0].page[0] = 0;
        *(uint64_t *)states[0].page[1] = 1;
        show(0, WRITABLE);
    }
    meet();
    while (epoch < 100 * rounds)
        if (cpu_id() == 0)
            show_next();
        else
            look_at_window();
    done("shared window");
}

/* ---- memory ------------------------------------------------------------------------------------------------- */

enum { DECREASE = 1, POPULATE = 6 };

/* A frame is given up for another one, which may have been another vCPU's. */
static uint64_t exchange(uint64_t frame)
{
    struct {
        uint64_t start, extents;
        uint32_t order, flags;
        uint16_t domain;
    } arg = {address(&frame), 1, 0, 0, 0x7ff0};

    CHECK(hypercall(__HYPERVISOR_memory_op, DECREASE, address(&arg), 0, 0) ==
          1);
    while (hypercall(__HYPERVISOR_memory_op, POPULATE, address(&arg), 0, 0) !=
           1)
        yield();
    return frame;
}

/* What one writes to its own nobody else may write to. */
static void reservations(void)
{
    struct state *mine = me();
    volatile uint64_t *at = (volatile uint64_t *)mine->window;
    uint64_t frame = frame_of(mine->page[0]);

    meet();
    for (uint64_t i = 0; i < 100 * rounds; i++) {
        frame = exchange(frame);
        CHECK(map(mine->window, frame << 12 | WRITABLE) == 0);
        *at = i << 8 | cpu_id();
        CHECK(hypercall(__HYPERVISOR_xen_version, 0, 0, 0, 0) > 0);
        CHECK(*at == (i << 8 | cpu_id()));
    }
    done("reservations");
}

/* ---- who is who -------------------------------------------------------------------------------------------- */

/* The host may use what 64-bit code does not; a guest may use it all the same. */
static void odd_segments(void)
{
    struct state *mine = me();
    uint16_t own, other;

    __asm__ volatile("mov %%es, %0" : "=r"(own)); /* 0: the host does not */
    meet();
    for (uint64_t i = 0; i < rounds; i++) {
        other =
            own == 0 || i % 2 ? 0 : (uint16_t)(7 + 8 * ((cpu_id() + i) % nr));
        __asm__ volatile("mov %0, %%es" ::"r"(other));
        CHECK(is_known());
        CHECK(cpu_id() == (unsigned)(mine - states));
    }
    done("odd segments");
}

static void change_gs(void)
{
    uint64_t gs = address(&cpus[cpu_id()]);
    struct cpu copy = cpus[cpu_id()];

    meet();
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile("wrgsbase %0" ::"r"(address(&copy)) : "memory");
        CHECK(is_known());
        __asm__ volatile("wrgsbase %0" ::"r"(gs) : "memory");
        CHECK(is_known());
    }
    done("own segment bases");
}

/* ---- NMIs ---------------------------------------------------------------------------------------------------- */

static void nmis(void)
{
    unsigned next = (cpu_id() + 1) % nr;

    meet();
    mask_upcalls(); /* they come all the same */
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t before = states[next].nmis;

        CHECK(vcpu_op(VCPUOP_send_nmi, next, NULL) == 0);
        while (states[next].nmis == before)
            yield();
    }
    open_upcalls();
    done("NMIs");
}

/* ---- down and up again ------------------------------------------------------------------------------------------ */

/* Each of the others stops itself, and vCPU 0 starts it again. */
static void down_by_itself(void)
{
    unsigned id = cpu_id();

    meet();
    for (uint64_t i = 0; i < rounds / 10; i++) {
        for (unsigned other = 1; id == 0 && other < nr; other++) {
            while (vcpu_op(VCPUOP_is_up, other, NULL) != 0)
                yield();
            CHECK(vcpu_op(VCPUOP_up, other, NULL) == 0);
        }
        if (id != 0)
            CHECK(vcpu_op(VCPUOP_down, id, NULL) == 0);
        meet();
    }
    done("down by itself");
}

static void wait_a_while(void)
{
    uint64_t until = now() + MS / 2;

    while (now() < until)
        ;
}

static uint64_t sum_of(unsigned id)
{
    return states[id].upcalls + states[id].progress;
}

/* Nothing comes of it any more; a while ago, it may still have been leaving. */
static void check_is_down(unsigned id)
{
    uint64_t seen;

    CHECK(vcpu_op(VCPUOP_is_up, id, NULL) == 0);
    wait_a_while();
    seen = sum_of(id);
    wait_a_while();
    CHECK(sum_of(id) == seen);
}

static volatile bool over;

/* Without a call, an event or a fault; or with patterns, and many of all. */
static uint64_t be_busy(void)
{
    struct state *mine = me();
    uint64_t bad;

    while (cpu_id() % 2 && !over)
        mine->progress++;
    mine->rearm = 20000;
    set_timer(now() + mine->rearm);
    bad = spin_hypercall(&mine->upcalls, mine->upcalls + 4);
    mine->rearm = 0;
    return bad;
}

/* vCPU 0 stops and starts others. */
static void down_by_another(void)
{
    uint64_t bad = 0, before;

    meet();
    for (uint64_t i = 0; cpu_id() == 0 && i < rounds / 10; i++) {
        unsigned other = 1 + (unsigned)i % (nr - 1);

        CHECK(vcpu_op(VCPUOP_down, other, NULL) == 0);
        check_is_down(other);
        before = sum_of(other);
        CHECK(vcpu_op(VCPUOP_up, other, NULL) == 0);
        while (sum_of(other) == before)
            yield();
    }
    if (cpu_id() == 0)
        over = true;
    while (cpu_id() != 0 && !over && bad == 0)
        bad = be_busy();
    if (bad)
        fail("down by another", bad, cpu_id());
    done("down by another");
}

/* ---- vcpu_info ------------------------------------------------------------------------------------------------------ */

/* Every second one has its own moved; what comes next must find it there. */
static void move_infos(void)
{
    static char pages[CPUS][4096] __attribute__((aligned(4096)));
    unsigned id = cpu_id();
    struct vcpu_register_vcpu_info where = {
        .mfn = frame_of(pages[id]),
        .offset = 64 * id,
    };

    meet();
    if (id % 2 == 1) {
        mask_upcalls();
        CHECK(vcpu_op(VCPUOP_register_vcpu_info, id, &where) == 0);
        infos[id] = (struct vcpu_info *)(pages[id] + where.offset);
        CHECK(vcpu_op(VCPUOP_register_vcpu_info, id, &where) < 0);
        open_upcalls();
    }
    done("vcpu_info moved");
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

static void end(void)
{
    if (cpu_id() == nr - 1 && option("crash", CPUS) >= nr)
        power_off();
    if (cpu_id() % 2)
        vcpu_op(VCPUOP_down, cpu_id(), NULL);
    for (;;)
        if (nr == 2)
            sched_op(SCHEDOP_block, NULL);
}

/* While the others do what they do when they wait. */
static void crash(void)
{
    if (cpu_id() == option("crash", CPUS))
        __asm__ volatile("ud2");
    if (option("crash", CPUS) < nr)
        end();
}

static void smp_main(void)
{
    open_ports();
    open_upcalls();
    done("started");
    crash();
    storm("spinning", spin_plain);
    storm("hypercalls", spin_hypercall);
    storm("faults", spin_fault);
    move_infos();
    ring();
    all_to_all();
    timers();
    own_windows();
    shared_window();
    flushes();
    reservations();
    odd_segments();
    change_gs();
    nmis();
    down_by_itself();
    down_by_another();
    end();
}

void guest_main(void)
{
    rounds = option("rounds", 300);
    spin_send.port = start_info->console.domU.evtchn;
    fault_frame = frame_of(fault_page);
    CHECK(hypercall(__HYPERVISOR_set_trap_table, address(traps), 0, 0, 0) == 0);
    CHECK(hypercall(__HYPERVISOR_set_segment_base, 0, address(&cpus[0].fs_tag),
                    0, 0) == 0);
    start_all();
    smp_main();
}
