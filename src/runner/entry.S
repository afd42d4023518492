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
 * From `window` to `window_end` all of the guest's state is in evc_run_cpu.regs
 * and stays there.  A signal that comes between the look at `pending` and the
 * guest's first instruction would be lost on the guest; its handler therefore
 * sets rip back to `window`, and the look is taken again.
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
#define LOW      216
#define HIGH     224

#define CPU(offset) evc_run_cpu+(offset)(%rip)

/*
 * The vector registers, by plain moves: XSAVE and XRSTOR of the same take ten to
 * twenty times as long.  The host's C uses no x87, MMX or mask-of-rounding state,
 * so there is nothing else to save.  KIND is 0: xmm, 1: ymm, 2: zmm and masks.
 */
#define SIXTEEN  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define SIXTEEN_MORE 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

.macro save_vectors
    mov CPU(VECTORS), %rdi
    cmpl $1, CPU(KIND)
    je 5f
    ja 6f
    .irp n, SIXTEEN
    movaps %xmm\n, 16*\n(%rdi)
    .endr
    jmp 7f
5:  .irp n, SIXTEEN
    vmovaps %ymm\n, 32*\n(%rdi)
    .endr
    jmp 7f
6:  .irp n, SIXTEEN, SIXTEEN_MORE
    vmovdqa64 %zmm\n, 64*\n(%rdi)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\n, 2048+8*\n(%rdi)
    .endr
7:
.endm

.macro restore_vectors
    mov CPU(VECTORS), %rdi
    cmpl $1, CPU(KIND)
    je 5f
    ja 6f
    .irp n, SIXTEEN
    movaps 16*\n(%rdi), %xmm\n
    .endr
    jmp 7f
5:  .irp n, SIXTEEN
    vmovaps 32*\n(%rdi), %ymm\n
    .endr
    jmp 7f
6:  .irp n, SIXTEEN, SIXTEEN_MORE
    vmovdqa64 64*\n(%rdi), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq 2048+8*\n(%rdi), %k\n
    .endr
7:
.endm

    .text
    .hidden evc_run_cpu
    .hidden evc_cpu_quick
    .hidden evc_cpu_call
    .hidden evc_cpu_event
    .hidden evc_cpu_on_signal
    .hidden evc_cpu_on_other_signal

/*
 * From a stub of the hypercall page, by call: the number is in rax; the stub
 * saves rcx and r11 itself.  Until the flags are read, only moves.
 */
    .globl evc_cpu_enter
    .hidden evc_cpu_enter
    .type evc_cpu_enter, @function
evc_cpu_enter:
    mov %rax, CPU(RAX)
    mov (%rsp), %rax
    mov %rax, CPU(RIP)
    lea 8(%rsp), %rax
    mov %rax, CPU(RSP)
    mov %rbx, CPU(RBX)
    mov %rcx, CPU(RCX)
    mov %rdx, CPU(RDX)
    mov %rsi, CPU(RSI)
    mov %rdi, CPU(RDI)
    mov %rbp, CPU(RBP)
    mov %r8, CPU(R8)
    mov %r9, CPU(R9)
    mov %r10, CPU(R10)
    mov %r11, CPU(R11)
    mov %r12, CPU(R12)
    mov %r13, CPU(R13)
    mov %r14, CPU(R14)
    mov %r15, CPU(R15)
    mov CPU(HOST_RSP), %rsp
    pushfq
    popq CPU(RFLAGS)
    cld
    lea CPU(0), %rdi
    call evc_cpu_quick /* uses no vector register, no FS, no stack protector */
    test %eax, %eax
    jz 1f

    /* Nothing but rax has changed, so the guest's own stack says where to. */
    .globl evc_cpu_window
    .hidden evc_cpu_window
quick_window:
    cmpl $0, CPU(PENDING)
    jne again
    mov CPU(RBX), %rbx
    mov CPU(RCX), %rcx
    mov CPU(RDX), %rdx
    mov CPU(RSI), %rsi
    mov CPU(RDI), %rdi
    mov CPU(RBP), %rbp
    mov CPU(R8), %r8
    mov CPU(R9), %r9
    mov CPU(R10), %r10
    mov CPU(R12), %r12
    mov CPU(R13), %r13
    mov CPU(R14), %r14
    mov CPU(R15), %r15
    mov CPU(RAX), %rax
    mov CPU(RSP), %rsp
    lea -8(%rsp), %rsp
    ret
quick_window_end:

1:  lea evc_cpu_call(%rip), %rbx
    jmp slow

/* A kick, and nothing else. */
again:
    mov CPU(HOST_RSP), %rsp
    lea evc_cpu_event(%rip), %rbx

/*
 * The function in rbx, with the host's own FS and flags, and the guest's vector
 * registers saved.
 */
slow:
    pushq $2
    popfq
    rdfsbase %rax
    mov %rax, CPU(GUEST_FS)
    mov CPU(HOST_FS), %rax
    wrfsbase %rax
    save_vectors
    call *%rbx

/* Also the first entry: the guest starts here. */
    .globl evc_cpu_leave
    .hidden evc_cpu_leave
evc_cpu_leave:
    restore_vectors
    mov CPU(GUEST_FS), %rax
    wrfsbase %rax
evc_cpu_window:
    cmpl $0, CPU(PENDING)
    jne again
    cmpl $0, CPU(FULL)
    jne 2f
    mov CPU(RBX), %rbx
    mov CPU(RCX), %rcx
    mov CPU(RDX), %rdx
    mov CPU(RSI), %rsi
    mov CPU(RDI), %rdi
    mov CPU(RBP), %rbp
    mov CPU(R8), %r8
    mov CPU(R9), %r9
    mov CPU(R10), %r10
    mov CPU(R11), %r11
    mov CPU(R12), %r12
    mov CPU(R13), %r13
    mov CPU(R14), %r14
    mov CPU(R15), %r15
    mov CPU(RAX), %rax
    mov CPU(RSP), %rsp
    lea -8(%rsp), %rsp /* where the stub's call has put it */
    ret

2:  lea CPU(0), %rsp
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

/*
 * Every signal.  On the vCPU's thread FS may be the guest's; whatever it is, it
 * is so again afterwards, unless the guest shall have another one.
 */
    .globl evc_cpu_signal
    .hidden evc_cpu_signal
    .type evc_cpu_signal, @function
evc_cpu_signal:
    cmp CPU(LOW), %rsp
    jb 3f
    cmp CPU(HIGH), %rsp
    jae 3f
    rdfsbase %rcx
    mov CPU(HOST_FS), %rax
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
