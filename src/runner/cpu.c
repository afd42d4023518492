/* SPDX-License-Identifier: MIT */
/*
 * In and out of the guest: the C half of entry.S.
 *
 * There are two ways in.  A stub of the hypercall page calls evc_cpu_enter; the
 * registers are then in evc_run_cpu.regs, and the vector registers are saved
 * before any C that might use them.  Everything else is a signal: SIGSYS for a
 * SYSCALL instruction outside of the host's addresses (Syscall User Dispatch),
 * SIGSEGV and its like for faults, KICK from other threads.  There the kernel
 * has saved all registers; what the guest is to have is put back into its frame.
 *
 * A signal may interrupt the host as well: only KICK does, and it sets
 * `pending`; in the window before the guest (entry.S) it also sets rip back.
 */
#include "runner.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cpuid.h>
#include <immintrin.h>
#include <linux/audit.h>

#include <evc/abi/numbers.h>

#define KICK (SIGRTMIN + 2)

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif

#define USER_END UINT64_C(0x7ffffffff000)

__attribute__((visibility("hidden"))) struct evc_run_cpu evc_run_cpu;

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
AT(stack_start, 216);
AT(stack_end, 224);

/* entry.S */
void evc_cpu_enter(void);
void evc_cpu_leave(void) __attribute__((noreturn));
void evc_cpu_signal(int signal, siginfo_t *info, void *context);
extern const char evc_cpu_window[];
extern const uint64_t evc_cpu_windows[4];

/* called by it */
void evc_cpu_call(void);
void evc_cpu_event(void);
uint64_t evc_cpu_on_signal(int signal, siginfo_t *info, ucontext_t *context,
                           uint64_t fs);
void evc_cpu_on_other_signal(int signal, siginfo_t *info, void *context);

static sigjmp_buf way_out;

/* ---- the hypercall page ------------------------------------------------------------ */

/*
 * As Xen's own, but that instead of SYSCALL there is
 *     movabs $evc_cpu_enter, %r11
 *     call *%r11
 */
static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

static void write_stub(uint8_t *to, uint32_t nr)
{
    static const uint8_t save[] = {0x51, 0x41, 0x53}, push_rax[] = {0x50};
    static const uint8_t mov_eax[] = {0xb8}, mov_r11[] = {0x49, 0xbb};
    static const uint8_t call_r11[] = {0x41, 0xff, 0xd3};
    static const uint8_t restore[] = {0x41, 0x5b, 0x59, 0xc3};
    uint64_t target = (uint64_t)(uintptr_t)evc_cpu_enter;

    to = put(to, save, sizeof(save));
    if (nr == __HYPERVISOR_iret)
        to = put(to, push_rax, sizeof(push_rax));
    to = put(to, mov_eax, sizeof(mov_eax));
    to = put(to, &nr, sizeof(nr));
    to = put(to, mov_r11, sizeof(mov_r11));
    to = put(to, &target, sizeof(target));
    to = put(to, call_r11, sizeof(call_r11));
    put(to, restore, sizeof(restore));
}

void evc_cpu_hypercall_page(void *page)
{
    uint8_t *to = page;

    memset(page, 0xcc, EVC_PV_PAGE);
    for (uint32_t nr = 0; nr < EVC_PV_PAGE / EVC_PV_STUB; nr++)
        write_stub(to + nr * EVC_PV_STUB, nr);
}

/* ---- leaving for good ---------------------------------------------------------------- */

static void leave_if_ended(struct evc_run_cpu *cpu)
{
    if (evc_pv_has_ended(cpu->vcpu->domain))
        siglongjmp(way_out, 1);
}

/* ---- after whatever it was: events, segment bases -------------------------------------- */

static void apply_segments(struct evc_run_cpu *cpu)
{
    struct evc_pv_vcpu *vcpu = cpu->vcpu;

    if (!vcpu->segments_changed)
        return;
    vcpu->segments_changed = false;
    cpu->guest_fs = vcpu->fs;
    _writegsbase_u64(vcpu->gs);
}

/* What the guest may have set by itself, for those who ask. */
static void look_at_segments(struct evc_run_cpu *cpu)
{
    cpu->vcpu->fs = cpu->guest_fs;
    cpu->vcpu->gs = _readgsbase_u64();
}

/* `pending` first: what is raised after that sets it again. */
static void before_guest(struct evc_run_cpu *cpu)
{
    __atomic_store_n(&cpu->pending, 0, __ATOMIC_SEQ_CST);
    leave_if_ended(cpu);
    if (evc_pv_deliver(cpu->vcpu, &cpu->regs))
        cpu->full = 1;
    leave_if_ended(cpu); /* the upcall found no stack */
    apply_segments(cpu);
}

/* ---- by the hypercall page ----------------------------------------------------------------- */

#define FLAG_TF 0x100

/* Flags that `ret` would not restore, or not soon enough. */
#define FLAGS_FULL UINT64_C(0x40500) /* trap, direction, alignment */

void evc_cpu_call(void)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;
    uint64_t rip = cpu->regs.rip, rsp = cpu->regs.rsp;

    cpu->regs.cs = EVC_PV_CS;
    cpu->regs.ss = EVC_PV_SS;
    cpu->same = 0;
    look_at_segments(cpu);
    evc_pv_call(cpu->vcpu, &cpu->regs);
    cpu->full = cpu->regs.rip != rip || cpu->regs.rsp != rsp ||
                (cpu->regs.rflags & FLAGS_FULL) != 0;
    before_guest(cpu);
}

/* A kick: the guest goes on where it was going to, or in its upcall. */
void evc_cpu_event(void)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;

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

/* The guest's stack may have gone from the TLB since it called. */
static bool map_stack(struct evc_run_cpu *cpu, const greg_t *gregs)
{
    uint64_t address = (uint64_t)gregs[REG_CR2];
    struct evc_pv_page page;

    return gregs[REG_TRAPNO] == EVC_TRAP_PAGE && address < EVC_RUN_HOST &&
           evc_pv_walk(cpu->vcpu, address, &page) == 0 &&
           evc_run_tlb_fill(&cpu->tlb, &page, address) == 0;
}

/*
 * A fault in the window is the guest's: its stack is gone (ret), or its rip is
 * no address (iretq).
 */
static void on_window_fault(struct evc_run_cpu *cpu, const greg_t *gregs)
{
    if (map_stack(cpu, gregs))
        return;
    evc_pv_crash(cpu->vcpu->domain,
                 "the guest cannot go on at 0x%llx with its stack at 0x%llx",
                 (unsigned long long)cpu->regs.rip,
                 (unsigned long long)cpu->regs.rsp);
    siglongjmp(way_out, 1);
}

static void on_host(int signal, const siginfo_t *info, greg_t *gregs)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;
    uint64_t rip = (uint64_t)gregs[REG_RIP];

    if (signal == KICK)
        __atomic_store_n(&cpu->pending, 1, __ATOMIC_SEQ_CST);
    else if (info->si_code <= 0)
        return; /* somebody sent it: no fault */
    else if (gregs[REG_TRAPNO] == EVC_TRAP_DEBUG)
        gregs[REG_EFL] &= ~FLAG_TF; /* the guest's, who has made a call */
    else if (in_window(rip))
        on_window_fault(cpu, gregs);
    else
        die(signal, info, rip);
    if (in_window(rip))
        gregs[REG_RIP] = (greg_t)(uintptr_t)evc_cpu_window;
}

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

static void on_guest(int signal, const siginfo_t *info, const greg_t *gregs)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;

    if ((gregs[REG_CSGSFS] & 0xffff) != EVC_PV_CS)
        evc_pv_crash(cpu->vcpu->domain, "the guest has left 64-bit mode");
    if (signal == KICK || evc_pv_has_ended(cpu->vcpu->domain))
        return;
    look_at_segments(cpu);
    if (signal == SIGSYS)
        on_dispatch(cpu, info);
    else if (info->si_code > 0)
        evc_run_fault(cpu, (unsigned)gregs[REG_TRAPNO],
                      (uint64_t)gregs[REG_ERR], (uint64_t)gregs[REG_CR2]);
}

uint64_t evc_cpu_on_signal(int signal, siginfo_t *info, ucontext_t *context,
                           uint64_t fs)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;
    greg_t *gregs = context->uc_mcontext.gregs;

    if (is_host((uint64_t)gregs[REG_RIP])) {
        on_host(signal, info, gregs);
        return fs;
    }
    cpu->guest_fs = fs;
    take_regs(&cpu->regs, gregs);
    on_guest(signal, info, gregs);
    before_guest(cpu);
    give_regs(&cpu->regs, gregs);
    return cpu->guest_fs;
}

/* Another thread's, or before the guest runs. */
void evc_cpu_on_other_signal(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *frame = context;

    if (signal != KICK && info->si_code > 0)
        die(signal, info, (uint64_t)frame->uc_mcontext.gregs[REG_RIP]);
}

void evc_cpu_kick(void)
{
    int thread = __atomic_load_n(&evc_run_cpu.thread, __ATOMIC_SEQ_CST);

    if (thread == 0 || (int)syscall(SYS_gettid) == thread)
        __atomic_store_n(&evc_run_cpu.pending, 1, __ATOMIC_SEQ_CST);
    else
        syscall(SYS_tgkill, getpid(), thread, KICK);
}

/* ---- getting ready --------------------------------------------------------------------------- */

static int set_handlers(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                                  SIGFPE,  SIGTRAP, SIGSYS};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    action.sa_sigaction = evc_cpu_signal;
    sigaddset(&action.sa_mask, KICK);
    if (sigaction(KICK, &action, NULL) < 0)
        return -errno;
    /* A fault inside of a handler shall reach it, and be reported. */
    action.sa_flags |= SA_NODEFER;
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        if (sigaction(signals[i], &action, NULL) < 0)
            return -errno;
    return 0;
}

#define STACK_SIZE ((size_t)256 << 10)

static int set_stack(struct evc_run_cpu *cpu)
{
    stack_t stack = {.ss_size = STACK_SIZE};
    void *at = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    stack.ss_sp = at;
    cpu->stack_start = (uint64_t)(uintptr_t)at;
    cpu->stack_end = cpu->stack_start + STACK_SIZE;
    return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}

#define VECTORS_SIZE ((size_t)4096) /* 32 of 64 bytes, and masks */

/* What the kernel switches between processes is what a guest can use. */
#define XCR0_YMM UINT64_C(0x06)
#define XCR0_ZMM UINT64_C(0xe6)

static uint32_t vectors_kind(void)
{
    unsigned eax, ebx, ecx, edx;
    uint64_t xcr0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return EVC_RUN_XMM;
    xcr0 = (uint64_t)_xgetbv(0);
    if ((xcr0 & XCR0_ZMM) == XCR0_ZMM &&
        __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
        (ebx & bit_AVX512BW)) /* for kmovq */
        return EVC_RUN_ZMM;
    return (xcr0 & XCR0_YMM) == XCR0_YMM ? EVC_RUN_YMM : EVC_RUN_XMM;
}

/* All zero, which is what the guest starts with. */
static int set_vectors(struct evc_run_cpu *cpu)
{
    cpu->vectors = aligned_alloc(64, VECTORS_SIZE);
    if (!cpu->vectors)
        return -ENOMEM;
    memset(cpu->vectors, 0, VECTORS_SIZE);
    cpu->kind = vectors_kind();
    return 0;
}

static int dispatch(unsigned long mode)
{
    unsigned long start = mode == PR_SYS_DISPATCH_ON ? EVC_RUN_HOST : 0;
    unsigned long size = mode == PR_SYS_DISPATCH_ON ? USER_END - start : 0;

    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, start, size, NULL) < 0
               ? -errno
               : 0;
}

static int prepare(struct evc_run_cpu *cpu, struct evc_pv_vcpu *vcpu)
{
    int r;

    cpu->vcpu = vcpu;
    cpu->tlb.frames = &vcpu->domain->frames;
    cpu->host_fs = _readfsbase_u64();
    r = set_vectors(cpu);
    if (r == 0)
        r = set_stack(cpu);
    if (r == 0)
        r = set_handlers();
    if (r == 0)
        r = dispatch(PR_SYS_DISPATCH_ON);
    return r;
}

static void finish(struct evc_run_cpu *cpu)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    __atomic_store_n(&cpu->thread, 0, __ATOMIC_SEQ_CST);
    dispatch(PR_SYS_DISPATCH_OFF);
    sigaltstack(&none, NULL);
    munmap((void *)cpu->stack_start, STACK_SIZE);
    free(cpu->vectors);
    cpu->stack_start = cpu->stack_end = 0;
    cpu->vectors = NULL;
}

/*
 * Onto a stack frame that stays: everything the host does for the guest is done
 * below it, and the way out of it is siglongjmp().
 */
static void go(struct evc_run_cpu *cpu)
{
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

    if (sigsetjmp(way_out, 1) != 0)
        return;
    cpu->host_rsp = (here - 4096) & ~UINT64_C(15);
    cpu->full = 1;
    cpu->pending = 1; /* by way of evc_cpu_event() */
    __atomic_store_n(&cpu->thread, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    evc_cpu_leave();
}

int evc_cpu_run(struct evc_pv_vcpu *vcpu, const struct evc_pv_regs *regs,
                struct evc_pv_error *error)
{
    struct evc_run_cpu *cpu = &evc_run_cpu;
    int r = prepare(cpu, vcpu);

    if (r < 0)
        return evc_pv_fail(error, r, "cannot prepare to run a guest: %s",
                           strerror(-r));
    cpu->regs = *regs;
    _writegsbase_u64(0);
    go(cpu);
    finish(cpu);
    return 0;
}
