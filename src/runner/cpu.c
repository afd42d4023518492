/* SPDX-License-Identifier: MIT */
/*
 * In and out of the guest: the C half of entry.S.
 *
 * There are two ways in.  A stub of the hypercall page calls evc_cpu_enter; the
 * registers are then in the vCPU's `regs`, and the vector registers are saved
 * before any C that might use them (but see quick.c).  Everything else is a signal: SIGSYS for a
 * SYSCALL instruction outside of the host's addresses (Syscall User Dispatch),
 * SIGSEGV and its like for faults, KICK from other threads.  There the kernel
 * has saved all registers; what the guest is to have is put back into its frame.
 *
 * A signal may interrupt the host as well: KICK, which sets `pending`, and in
 * the window before the guest (entry.S) also sets rip back; and faults where
 * entry.S uses the guest's stack, which another vCPU's flush may have unmapped.
 */
#include "runner.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <immintrin.h>
#include <linux/audit.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/numbers.h>

#include "entry.h"

#define USER_END UINT64_C(0x7ffffffff000)

__attribute__((
    visibility("hidden"))) struct evc_run_cpu evc_run_cpus[EVC_PV_VCPUS];

#define AT(member, offset) \
    _Static_assert(offsetof(struct evc_run_cpu, member) == (offset), #member)

AT(regs.r8, 72);
AT(regs.rax, 80);
AT(regs.rdi, 112);
AT(regs.rip, 128);
AT(regs.ss, 160);
AT(host_rsp, 168);
AT(host_fs, 176);
AT(guest_fs, 184);
AT(pending, 192);
AT(full, 196);
AT(vectors, 200);
AT(kind, 208);
AT(rest, 212);
AT(guest_gs, 216);
_Static_assert(sizeof(struct evc_run_cpu) == EVC_RUN_CPU_SIZE, "size");

/* ---- leaving for good ---------------------------------------------------------------- */

static void leave_if_ended(struct evc_run_cpu *cpu)
{
    if (evc_pv_has_ended(cpu->vcpu->domain))
        siglongjmp(cpu->way_out, 1);
}

/* ---- after whatever it was: events, segment bases -------------------------------------- */

static void apply_segments(struct evc_run_cpu *cpu)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;

    if (!vcpu->segments_changed)
        return;
    vcpu->segments_changed = false;
    cpu->guest_fs = vcpu->fs;
    cpu->guest_gs = vcpu->gs;
    _writegsbase_u64(vcpu->gs);
}

/* What the guest may have set by itself, for those who ask. */
static void look_at_segments(struct evc_run_cpu *cpu)
{
    cpu->vcpu->fs = cpu->guest_fs;
    cpu->vcpu->gs = cpu->guest_gs = _readgsbase_u64();
}

/*
 * `pending` first: what is raised after that sets it again, by a signal on this
 * thread; so no fence is needed.
 */
static void before_guest(struct evc_run_cpu *cpu)
{
    do {
        if (!cpu->vcpu->up)
            evc_cpus_wait_up(cpu);
        __atomic_store_n(&cpu->pending, 0, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        leave_if_ended(cpu);
    } while (!cpu->vcpu->up);
    if (evc_pv_deliver(cpu->vcpu, &cpu->regs))
        cpu->full = 1;
    leave_if_ended(cpu); /* the upcall found no stack */
    apply_segments(cpu);
}

/* ---- by the hypercall page ----------------------------------------------------------------- */

/*
 * The calls that events are made of, on whose way nothing of libc's touches more
 * than xmm0 to xmm15.  If compilers may use more, there are none.
 */
static bool is_light(const struct evc_pv_regs *regs)
{
#ifdef __AVX__
    (void)regs;
    return false;
#else
    return (uint32_t)regs->rax == __HYPERVISOR_event_channel_op &&
           ((uint32_t)regs->rdi == EVTCHNOP_send ||
            (uint32_t)regs->rdi == EVTCHNOP_unmask);
#endif
}

void evc_cpu_call(struct evc_run_cpu *cpu)
{
    uint64_t rip = cpu->regs.rip, rsp = cpu->regs.rsp;

    cpu->regs.cs = EVC_PV_CS;
    cpu->regs.ss = EVC_PV_SS;
    cpu->same = 0;
    if (!is_light(&cpu->regs))
        evc_cpu_save_rest(cpu);
    look_at_segments(cpu);
    evc_pv_call(cpu->vcpu, &cpu->regs);
    cpu->full = cpu->regs.rip != rip || cpu->regs.rsp != rsp ||
                (cpu->regs.rflags & EVC_RUN_FLAGS_FULL) != 0;
    before_guest(cpu);
}

/* A kick: the guest goes on where it was going to, or in its upcall. */
void evc_cpu_event(struct evc_run_cpu *cpu)
{
    evc_cpu_save_rest(cpu);
    cpu->regs.cs = EVC_PV_CS;
    cpu->regs.ss = EVC_PV_SS;
    before_guest(cpu);
}

/* ---- by a signal ---------------------------------------------------------------------------- */

static void take_regs(struct evc_pv_regs *regs, const greg_t *from)
{
    *regs = (struct evc_pv_regs){
        .r15 = (uint64_t)from[REG_R15],
        .r14 = (uint64_t)from[REG_R14],
        .r13 = (uint64_t)from[REG_R13],
        .r12 = (uint64_t)from[REG_R12],
        .rbp = (uint64_t)from[REG_RBP],
        .rbx = (uint64_t)from[REG_RBX],
        .r11 = (uint64_t)from[REG_R11],
        .r10 = (uint64_t)from[REG_R10],
        .r9 = (uint64_t)from[REG_R9],
        .r8 = (uint64_t)from[REG_R8],
        .rax = (uint64_t)from[REG_RAX],
        .rcx = (uint64_t)from[REG_RCX],
        .rdx = (uint64_t)from[REG_RDX],
        .rsi = (uint64_t)from[REG_RSI],
        .rdi = (uint64_t)from[REG_RDI],
        .rip = (uint64_t)from[REG_RIP],
        .cs = EVC_PV_CS,
        .rflags = (uint64_t)from[REG_EFL],
        .rsp = (uint64_t)from[REG_RSP],
        .ss = EVC_PV_SS,
    };
}

static void give_regs(const struct evc_pv_regs *regs, greg_t *to)
{
    to[REG_R15] = (greg_t)regs->r15;
    to[REG_R14] = (greg_t)regs->r14;
    to[REG_R13] = (greg_t)regs->r13;
    to[REG_R12] = (greg_t)regs->r12;
    to[REG_RBP] = (greg_t)regs->rbp;
    to[REG_RBX] = (greg_t)regs->rbx;
    to[REG_R11] = (greg_t)regs->r11;
    to[REG_R10] = (greg_t)regs->r10;
    to[REG_R9] = (greg_t)regs->r9;
    to[REG_R8] = (greg_t)regs->r8;
    to[REG_RAX] = (greg_t)regs->rax;
    to[REG_RCX] = (greg_t)regs->rcx;
    to[REG_RDX] = (greg_t)regs->rdx;
    to[REG_RSI] = (greg_t)regs->rsi;
    to[REG_RDI] = (greg_t)regs->rdi;
    to[REG_RIP] = (greg_t)regs->rip;
    to[REG_EFL] = (greg_t)regs->rflags;
    to[REG_RSP] = (greg_t)regs->rsp;
}

static bool is_host(uint64_t rip)
{
    return rip >= EVC_RUN_HOST && rip < USER_END;
}

static bool in_window(uint64_t rip)
{
    return (rip >= evc_cpu_windows[0] && rip < evc_cpu_windows[1]) ||
           (rip >= evc_cpu_windows[2] && rip < evc_cpu_windows[3]);
}

/* A fault of the host's own, or of a guest that has jumped into it. */
static void die(int signal, const siginfo_t *info, uint64_t rip)
{
    static const char text[] =
        "evc boot: the guest's process broke down (signal ";
    char line[160];
    int n = snprintf(line, sizeof(line), "%s%d, address %p, at 0x%llx)\n", text,
                     signal, info->si_addr, (unsigned long long)rip);

    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(EVC_RUN_BROKEN);
    _exit(EVC_RUN_BROKEN);
}

/* ---- signals that find the host ------------------------------------------------------ */

#define FLAG_TF 0x100

/* Where the host uses the guest's stack, on the way in. */
static bool in_entry(uint64_t rip)
{
    return rip >= (uint64_t)(uintptr_t)evc_cpu_enter &&
           rip < (uint64_t)(uintptr_t)evc_cpu_entered;
}

/* The guest's stack may have gone from the TLB since it called. */
static bool map_stack(const struct evc_run_cpu *cpu, const greg_t *gregs)
{
    return gregs[REG_TRAPNO] == EVC_TRAP_PAGE &&
           evc_run_tlb_fill(cpu->tlb, (uint64_t)gregs[REG_CR2],
                            (unsigned)gregs[REG_ERR] & EVC_RUN_WRITE) == 0;
}

/*
 * A fault on the way in or out is the guest's: its stack is gone, or its rip is
 * no address (iretq).
 */
static void on_stack_fault(struct evc_run_cpu *cpu, const greg_t *gregs)
{
    if (map_stack(cpu, gregs))
        return;
    if (in_entry((uint64_t)gregs[REG_RIP]))
        cpu->regs.rsp = (uint64_t)gregs[REG_RSP];
    evc_pv_crash(
        cpu->vcpu, "the guest cannot go on at 0x%llx with its stack at 0x%llx",
        (unsigned long long)cpu->regs.rip, (unsigned long long)cpu->regs.rsp);
    siglongjmp(cpu->way_out, 1);
}

/* The way in did not know whose thread it is on: the guest has used ES, or GS. */
static void on_lost(struct evc_run_cpu *cpu, greg_t *gregs)
{
    evc_cpu_set_selector(cpu);
    cpu->guest_gs = _readgsbase_u64();
    gregs[REG_RIP] = (greg_t)(uintptr_t)evc_cpu_find;
}

static void on_host(struct evc_run_cpu *cpu, int signal, const siginfo_t *info,
                    greg_t *gregs)
{
    uint64_t rip = (uint64_t)gregs[REG_RIP];

    if (signal == EVC_RUN_KICK)
        __atomic_store_n(&cpu->pending, 1, __ATOMIC_SEQ_CST);
    else if (info->si_code <= 0)
        return; /* somebody sent it: no fault */
    else if (gregs[REG_TRAPNO] == EVC_TRAP_DEBUG)
        gregs[REG_EFL] &= ~FLAG_TF; /* the guest's, who has made a call */
    else if (rip == (uint64_t)(uintptr_t)evc_cpu_lost)
        on_lost(cpu, gregs);
    else if (in_window(rip) || in_entry(rip))
        on_stack_fault(cpu, gregs);
    else
        die(signal, info, rip);
    if (in_window(rip)) {
        gregs[REG_RIP] = (greg_t)(uintptr_t)evc_cpu_window;
        gregs[REG_RCX] = (greg_t)(uintptr_t)cpu;
    }
}

/* ---- signals that find the guest ------------------------------------------------------ */

/*
 * SYSCALL: rip is behind it, as for Xen; rcx and r11 are what it left there.
 * `int $0x80` is Linux' own as well, and comes the same way.
 */
static void on_dispatch(struct evc_run_cpu *cpu, const siginfo_t *info)
{
    cpu->same = 0;
    if (info->si_arch == AUDIT_ARCH_X86_64)
        evc_pv_call(cpu->vcpu, &cpu->regs);
    else
        evc_run_interrupt(cpu, 0x80);
}

static void on_guest(struct evc_run_cpu *cpu, int signal, const siginfo_t *info,
                     const greg_t *gregs)
{
    if ((gregs[REG_CSGSFS] & 0xffff) != EVC_PV_CS)
        evc_pv_crash(cpu->vcpu, "the guest has left 64-bit mode");
    look_at_segments(cpu);
    if (signal == EVC_RUN_KICK || evc_pv_has_ended(cpu->vcpu->domain))
        return;
    if (signal == SIGSYS)
        on_dispatch(cpu, info);
    else if (info->si_code > 0)
        evc_run_fault(cpu, (unsigned)gregs[REG_TRAPNO],
                      (uint64_t)gregs[REG_ERR], (uint64_t)gregs[REG_CR2]);
}

uint64_t evc_cpu_on_signal(int signal, siginfo_t *info, ucontext_t *context,
                           uint64_t fs, struct evc_run_cpu *cpu)
{
    greg_t *gregs = context->uc_mcontext.gregs;

    if (is_host((uint64_t)gregs[REG_RIP])) {
        on_host(cpu, signal, info, gregs);
        return fs;
    }
    cpu->guest_fs = fs;
    take_regs(&cpu->regs, gregs);
    on_guest(cpu, signal, info, gregs);
    before_guest(cpu);
    give_regs(&cpu->regs, gregs);
    return cpu->guest_fs;
}

/* Another thread's, or before the guest runs. */
void evc_cpu_on_other_signal(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *frame = context;

    if (signal != EVC_RUN_KICK && info->si_code > 0)
        die(signal, info, (uint64_t)frame->uc_mcontext.gregs[REG_RIP]);
}

void evc_cpu_kick(unsigned id)
{
    struct evc_run_cpu *cpu = &evc_run_cpus[id];
    int thread = __atomic_load_n(&cpu->thread, __ATOMIC_SEQ_CST);

    if (thread == 0 || cpu == evc_cpu_self)
        __atomic_store_n(&cpu->pending, 1, __ATOMIC_SEQ_CST);
    else
        syscall(SYS_tgkill, getpid(), thread, EVC_RUN_KICK);
}

/* ---- from the start to the end ---------------------------------------------------------- */

/* The way in is by evc_cpu_event(), which looks at everything. */
static void enter(struct evc_run_cpu *cpu)
{
    evc_pv_find_info(cpu->vcpu);
    cpu->regs = cpu->vcpu->start;
    cpu->full = 1;
    cpu->rest = 1; /* zeroes */
    cpu->pending = 1;
    cpu->guest_fs = cpu->vcpu->fs;
    cpu->guest_gs = cpu->vcpu->gs;
    _writegsbase_u64(cpu->vcpu->gs);
    evc_cpu_leave(cpu);
}

/*
 * Onto a stack frame that stays: everything the host does for the guest is done
 * below it, and the way out of it is siglongjmp().
 */
void evc_cpu_run(struct evc_run_cpu *cpu)
{
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

    if (sigsetjmp(cpu->way_out, 1) != 0)
        return;
    cpu->host_rsp = (here - 4096) & ~UINT64_C(15);
    __atomic_store_n(&cpu->thread, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    evc_cpus_wait_up(cpu);
    if (!evc_pv_has_ended(cpu->vcpu->domain))
        enter(cpu);
}
