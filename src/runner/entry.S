/* SPDX-License-Identifier: MIT */
/*
 * In and out of the guest.
 *
 * The guest comes in by a `call` of its hypercall page (evc_cpu_enter), or by a
 * signal (evc_cpu_signal).  It is gone back to by `ret`, if nothing but registers
 * that calls may change has changed, else by `iretq`.  (A plain jump would do for
 * the first, but the processor pairs calls with returns, and the guest's next
 * ones would each be guessed wrong: three times the time.)
 *
 * Whose thread is it?  The guest owns FS and GS.  A signal knows by the stack it
 * is on.  A call of the hypercall page looks at ES, which 64-bit code does not
 * use and which a context switch keeps: the selector there is the vCPU's number.
 * If the guest has used ES after all, or GS is not as it was, `ud2` asks the
 * signal's way.  With one vCPU there is nothing to ask.
 *
 * From `window` to `window_end` all of the guest's state is in the vCPU's regs
 * and stays there.  A signal that comes between the look at `pending` and the
 * guest's first instruction would be lost on the guest; its handler therefore
 * sets rip back to `window`, rcx to the vCPU, and the look is taken again.
 */
#include <evc/abi/numbers.h>

#define R15      0
#define R14      8
#define R13      16
#define R12      24
#define RBP      32
#define RBX      40
#define R11      48
#define R10      56
#define R9       64
#define R8       72
#define RAX      80
#define RCX      88
#define RDX      96
#define RSI      104
#define RDI      112
#define RIP      128
#define CS       136
#define RFLAGS   144
#define RSP      152
#define SS       160
#define HOST_RSP 168
#define HOST_FS  176
#define GUEST_FS 184
#define PENDING  192
#define FULL     196
#define VECTORS  200
#define KIND     208
#define REST     212
#define GUEST_GS 216

#define CPUS       32
#define CPU_SHIFT  9  /* of struct evc_run_cpu */
#define STACK_SHIFT 18 /* of EVC_RUN_STACK_SIZE */
#define SELECTOR   7  /* EVC_RUN_SELECTOR */

#define FLAGS_HOST 0x44000 /* of the guest's, what must not trouble the host */

/*
 * The vector registers, by plain moves: XSAVE and XRSTOR of the same take ten to
 * twenty times as long.  The host's C uses no x87, MMX or mask-of-rounding state,
 * so there is nothing else to save.  KIND is 0: xmm, 1: ymm, 2: zmm and masks.
 *
 * Compilers use xmm0 to xmm15, and leave the upper parts of those alone; so they
 * are saved at once (LOW of the area).  The rest is used by functions like libc's
 * memcpy() only, and saved before anything that might call one (HIGH).
 */
#define LOW  0
#define HIGH 1024
#define MASKS (HIGH + 2048)

#define SIXTEEN  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define SIXTEEN_MORE 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

/* Of the vCPU in rbx. */
.macro save_low
    mov VECTORS(%rbx), %rdi
    movl $0, REST(%rbx)
    .irp n, SIXTEEN
    movaps %xmm\n, LOW+16*\n(%rdi)
    .endr
.endm

/* Of the vCPU in rcx; movaps leaves alone what lies above. */
.macro restore_vectors
    mov VECTORS(%rcx), %rdi
    cmpl $0, REST(%rcx)
    jne restore_rest
restore_low:
    .irp n, SIXTEEN
    movaps LOW+16*\n(%rdi), %xmm\n
    .endr
.endm

    .text
    .hidden evc_run_cpus
    .hidden evc_run_stacks
    .hidden evc_run_nr_cpus
    .hidden evc_cpu_quick
    .hidden evc_cpu_call
    .hidden evc_cpu_event
    .hidden evc_cpu_on_signal
    .hidden evc_cpu_on_other_signal

/*
 * From a stub of the hypercall page, by call: the number is in rax; the stub
 * saves rcx and r11 itself.  The flags are saved first, on the guest's stack.
 */
    .globl evc_cpu_enter
    .hidden evc_cpu_enter
    .type evc_cpu_enter, @function
evc_cpu_enter:
    pushfq
    .globl evc_cpu_find
    .hidden evc_cpu_find
evc_cpu_find:
    mov %es, %ecx
    sub $SELECTOR, %ecx
    ror $3, %ecx /* of another kind: a large number */
    cmp $CPUS, %ecx
    jae evc_cpu_lost
    shl $CPU_SHIFT, %ecx
    lea evc_run_cpus(%rip), %r11
    add %r11, %rcx
    rdgsbase %r11
    cmp GUEST_GS(%rcx), %r11
    je enter
    .globl evc_cpu_lost
    .hidden evc_cpu_lost
evc_cpu_lost:
    ud2

    .globl evc_cpu_enter_only
    .hidden evc_cpu_enter_only
    .type evc_cpu_enter_only, @function
evc_cpu_enter_only:
    pushfq
    lea evc_run_cpus(%rip), %rcx
enter:
    popq RFLAGS(%rcx)
    mov %rax, RAX(%rcx)
    mov (%rsp), %rax
    .globl evc_cpu_entered
    .hidden evc_cpu_entered
evc_cpu_entered:
    mov %rax, RIP(%rcx)
    mov %rax, RCX(%rcx) /* as SYSCALL has it */
    lea 8(%rsp), %rax
    mov %rax, RSP(%rcx)
    mov %rbx, RBX(%rcx)
    mov %rdx, RDX(%rcx)
    mov %rsi, RSI(%rcx)
    mov %rdi, RDI(%rcx)
    mov %rbp, RBP(%rcx)
    mov %r8, R8(%rcx)
    mov %r9, R9(%rcx)
    mov %r10, R10(%rcx)
    movq $0, R11(%rcx)
    mov %r12, R12(%rcx)
    mov %r13, R13(%rcx)
    mov %r14, R14(%rcx)
    mov %r15, R15(%rcx)
    mov HOST_RSP(%rcx), %rsp
    cld
    mov %rcx, %rbx
    mov %rcx, %rdi
    call evc_cpu_quick /* uses no vector register, no FS, no stack protector */
    mov %rbx, %rcx
    cmp $1, %eax
    ja evc_cpu_window
    jb 1f

    /* Nothing but rax has changed, so the guest's own stack says where to. */
    .globl evc_cpu_window
    .hidden evc_cpu_window
quick_window:
    cmpl $0, PENDING(%rcx)
    jne again
    mov RBX(%rcx), %rbx
    mov RDX(%rcx), %rdx
    mov RSI(%rcx), %rsi
    mov RDI(%rcx), %rdi
    mov R8(%rcx), %r8
    mov R9(%rcx), %r9
    mov R10(%rcx), %r10
    mov RAX(%rcx), %rax
    mov RSP(%rcx), %rsp
    lea -8(%rsp), %rsp
    ret
quick_window_end:

1:  lea evc_cpu_call(%rip), %rbp
    jmp slow

/* A kick, and nothing else.  The vCPU is in rcx. */
again:
    mov HOST_RSP(%rcx), %rsp
    mov %rcx, %rbx
    lea evc_cpu_event(%rip), %rbp

/*
 * The function in rbp for the vCPU in rbx, with the host's own FS and flags, and
 * the guest's vector registers saved.
 */
slow:
    testl $FLAGS_HOST, RFLAGS(%rbx)
    jz 1f
    pushq $2
    popfq
1:  rdfsbase %rax
    mov %rax, GUEST_FS(%rbx)
    mov HOST_FS(%rbx), %rax
    wrfsbase %rax
    save_low
    mov %rbx, %rdi
    call *%rbp
    mov %rbx, %rdi

/* Also the first entry: the guest of the vCPU in rdi starts here. */
    .globl evc_cpu_leave
    .hidden evc_cpu_leave
    .type evc_cpu_leave, @function
evc_cpu_leave:
    mov %rdi, %rcx
    restore_vectors
    mov GUEST_FS(%rcx), %rax
    wrfsbase %rax
evc_cpu_window:
    cmpl $0, PENDING(%rcx)
    jne again
    cmpl $0, FULL(%rcx)
    jne 2f
    mov RBX(%rcx), %rbx
    mov RDX(%rcx), %rdx
    mov RSI(%rcx), %rsi
    mov RDI(%rcx), %rdi
    mov RBP(%rcx), %rbp
    mov R8(%rcx), %r8
    mov R9(%rcx), %r9
    mov R10(%rcx), %r10
    mov R12(%rcx), %r12
    mov R13(%rcx), %r13
    mov R14(%rcx), %r14
    mov R15(%rcx), %r15
    mov RAX(%rcx), %rax
    mov RSP(%rcx), %rsp
    lea -8(%rsp), %rsp /* where the stub's call has put it; it has rcx and r11 */
    ret

2:  mov %rcx, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    lea 8(%rsp), %rsp
    iretq
window_end:

/* The other half of restore_vectors. */
restore_rest:
    cmpl $1, KIND(%rcx)
    jb restore_low
    ja 6f
    .irp n, SIXTEEN
    vmovaps HIGH+32*\n(%rdi), %ymm\n
    .endr
    jmp restore_low
6:  .irp n, SIXTEEN, SIXTEEN_MORE
    vmovdqa64 HIGH+64*\n(%rdi), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq MASKS+8*\n(%rdi), %k\n
    .endr
    jmp restore_low

/* void evc_cpu_save_rest(struct evc_run_cpu *cpu), a function like any other. */
    .globl evc_cpu_save_rest
    .hidden evc_cpu_save_rest
    .type evc_cpu_save_rest, @function
evc_cpu_save_rest:
    mov VECTORS(%rdi), %rax
    movl $1, REST(%rdi)
    cmpl $1, KIND(%rdi)
    jb 7f
    ja 6f
    .irp n, SIXTEEN
    vmovaps %ymm\n, HIGH+32*\n(%rax)
    .endr
    ret
6:  .irp n, SIXTEEN, SIXTEEN_MORE
    vmovdqa64 %zmm\n, HIGH+64*\n(%rax)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\n, MASKS+8*\n(%rax)
    .endr
7:  ret

/*
 * Every signal.  On a vCPU's thread FS may be the guest's; whatever it is, it
 * is so again afterwards, unless the guest shall have another one.
 */
    .globl evc_cpu_signal
    .hidden evc_cpu_signal
    .type evc_cpu_signal, @function
evc_cpu_signal:
    mov %rsp, %r8
    sub evc_run_stacks(%rip), %r8
    jb 3f
    shr $STACK_SHIFT, %r8
    cmp evc_run_nr_cpus(%rip), %r8
    jae 3f
    shl $CPU_SHIFT, %r8
    lea evc_run_cpus(%rip), %rax
    add %rax, %r8
    rdfsbase %rcx
    mov HOST_FS(%r8), %rax
    wrfsbase %rax
    pushq $2 /* the kernel leaves the guest's alignment check on */
    popfq
    sub $8, %rsp
    call evc_cpu_on_signal
    add $8, %rsp
    wrfsbase %rax
    ret
3:  jmp evc_cpu_on_other_signal

/* Where the windows are: start, end, start, end. */
    .section .data.rel.ro, "aw"
    .balign 8
    .globl evc_cpu_windows
    .hidden evc_cpu_windows
evc_cpu_windows:
    .quad quick_window, quick_window_end
    .quad evc_cpu_window, window_end

    .section .note.GNU-stack, "", @progbits
