/* SPDX-License-Identifier: MIT */
/*
 * Loops that keep a pattern in everything a processor has, and look at it again
 * and again while upcalls come.
 *
 *     uint64_t spin_plain(const volatile uint64_t *count, uint64_t until);
 *     uint64_t spin_hypercall(...);    a hypercall each time, quick and slow
 *     uint64_t spin_fault(...);        a page fault each time
 *
 * Each runs until *count >= until.  The patterns are another vCPU's with another
 * salt (struct cpu, at GS).  Return: 0, or the number of the first register that
 * was wrong: 1 rbx, 2 rcx, ..., 17 and up xmm0 and up (or ymm), 40 the flags,
 * 41 FS, 42 GS, 43 an answer, 50 and up zmm0 and up, 90 and up k1 and up.
 */
#define SALT %gs:8

    .section .rodata
    .balign 32
patterns: /* of xmm0 and up: 32 bytes each, all different */
    .set i, 0
    .rept 16
    .quad 0x0101010101010101 * (i + 1), 0x1122334455667700 + i
    .quad 0x8899aabbccddee00 + i, 0xf0f0f0f0f0f0f000 + i
    .set i, i + 1
    .endr

    .data
    .balign 8
spin_text: .skip 1024
    .globl spin_send
spin_send: .long 0 /* a port */

    .text
.macro load_gprs
    movabs $0x1b1b1b1b1b1b0001, %rbx
    xorq SALT, %rbx
    movabs $0x1c1c1c1c1c1c0002, %rcx
    xorq SALT, %rcx
    movabs $0x1d1d1d1d1d1d0003, %rdx
    xorq SALT, %rdx
    movabs $0x1e1e1e1e1e1e0004, %rsi
    xorq SALT, %rsi
    movabs $0x1f1f1f1f1f1f0005, %rdi
    xorq SALT, %rdi
    movabs $0x2020202020200006, %rbp
    xorq SALT, %rbp
    movabs $0x2828282828280008, %r8
    xorq SALT, %r8
    movabs $0x2929292929290009, %r9
    xorq SALT, %r9
    movabs $0x2a2a2a2a2a2a000a, %r10
    xorq SALT, %r10
    movabs $0x2b2b2b2b2b2b000b, %r11
    xorq SALT, %r11
    movabs $0x2c2c2c2c2c2c000c, %r12
    xorq SALT, %r12
    movabs $0x2d2d2d2d2d2d000d, %r13
    xorq SALT, %r13
    movabs $0x2e2e2e2e2e2e000e, %r14
    xorq SALT, %r14
    movabs $0x2f2f2f2f2f2f000f, %r15
    xorq SALT, %r15
.endm

.macro check_gpr reg:req, value:req, number:req
    movabs $\value, %rax
    xorq SALT, %rax
    cmpq %rax, \reg
    movl $\number, %eax
    jne 9f
.endm

.macro check_gprs
    check_gpr %rbx, 0x1b1b1b1b1b1b0001, 1
    check_gpr %rcx, 0x1c1c1c1c1c1c0002, 2
    check_gpr %rdx, 0x1d1d1d1d1d1d0003, 3
    check_gpr %rsi, 0x1e1e1e1e1e1e0004, 4
    check_gpr %rdi, 0x1f1f1f1f1f1f0005, 5
    check_gpr %rbp, 0x2020202020200006, 6
    check_gpr %r8,  0x2828282828280008, 8
    check_gpr %r9,  0x2929292929290009, 9
    check_gpr %r10, 0x2a2a2a2a2a2a000a, 10
    check_gpr %r11, 0x2b2b2b2b2b2b000b, 11
    check_gpr %r12, 0x2c2c2c2c2c2c000c, 12
    check_gpr %r13, 0x2d2d2d2d2d2d000d, 13
    check_gpr %r14, 0x2e2e2e2e2e2e000e, 14
    check_gpr %r15, 0x2f2f2f2f2f2f000f, 15
.endm

.macro load_vectors
    vbroadcastsd SALT, %ymm15
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    vxorps patterns+32*\n(%rip), %ymm15, %ymm\n
    .endr
    cmpl $0, has_zmm(%rip)
    je 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    vinserti64x4 $1, %ymm\n, %zmm\n, %zmm\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpbroadcastq patterns+32*(\n-16)(%rip), %zmm\n
    vpxorq SALT{1to8}, %zmm\n, %zmm\n
    .endr
    .irp n, 1, 2, 3, 4, 5, 6, 7
    kmovq SALT, %k\n
    .endr
1:
.endm

.macro check_ymm n:req, number:req
    vxorps %ymm\n, %ymm15, %ymm15
    vptest %ymm15, %ymm15
    movl $\number, %eax
    jnz 9f
.endm

/* ymm15 is compared with. */
.macro check_vectors
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    vbroadcastsd SALT, %ymm15
    vxorps patterns+32*\n(%rip), %ymm15, %ymm15
    check_ymm \n, 17+\n
    .endr
    cmpl $0, has_zmm(%rip)
    je 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    vextracti64x4 $1, %zmm\n, %ymm15
    check_ymm \n, 50+\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpbroadcastq patterns+32*(\n-16)(%rip), %zmm15
    vpxorq SALT{1to8}, %zmm15, %zmm15
    movl $50+\n, %eax
    pushq %rcx
    kmovq %k1, %rcx
    vpcmpq $4, %zmm\n, %zmm15, %k1
    kortestb %k1, %k1
    kmovq %rcx, %k1
    popq %rcx
    jnz 9f
    .endr
    .irp n, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\n, %rax
    cmpq SALT, %rax
    movl $90+\n, %eax
    jne 9f
    .endr
1:
.endm

/* Carry, sign and direction survive a while without instructions. */
.macro check_flags
    movl $40, %eax
    pushq %rcx
    stc
    movl $40, %ecx
1:  loop 1b
    popq %rcx
    jnc 9f
    pushq %rcx
    clc
    std
    movl $40, %ecx
1:  loop 1b
    popq %rcx
    pushfq
    cld
    testl $0x400, (%rsp)
    leaq 8(%rsp), %rsp
    jz 9f
.endm

/* What kernel.c put there. */
.macro check_segments
    movl $41, %eax
    cmpl $0xf5, %fs:0
    jne 9f
    movl $42, %eax
    cmpl $0x65, %gs:0
    jne 9f
.endm

/*
 * `middle` is a macro; it may change rax, and nothing else.  The arguments are
 * kept on the stack.
 */
.macro spin name:req, middle:req
    .globl \name
\name:
    pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    pushq %rsi
    pushq %rdi
    load_gprs
    load_vectors
8:  \middle
    check_gprs
    check_vectors
    check_segments
    check_flags
    movq (%rsp), %rax
    movq (%rax), %rax
    cmpq 8(%rsp), %rax
    jb 8b
    xorl %eax, %eax
9:  vzeroupper
    leaq 16(%rsp), %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx
    ret
.endm

.macro nothing
.endm

/*
 * xen_version(0): the quick way; capabilities, the long one, with libc's means
 * (1024 bytes); and a send to whom it may concern in the host, in between.
 */
.macro three_calls
    xorl %edi, %edi
    call hypercall_page + 17 * 32
    pushq %rsi
    movl $3, %edi
    leaq spin_text(%rip), %rsi
    call hypercall_page + 17 * 32
    testq %rax, %rax
    jnz 1f
    movl $4, %edi
    leaq spin_send(%rip), %rsi
    call hypercall_page + 32 * 32
    testq %rax, %rax
1:  popq %rsi
    movl $43, %eax
    jnz 9f
    movabs $0x1f1f1f1f1f1f0005, %rdi
    xorq SALT, %rdi
.endm

/* A page that on_trap() maps, and this unmaps again by a hypercall. */
.macro one_fault
    movl $77, fault_page
    pushq %rsi
    movq $fault_page, %rdi
    xorl %esi, %esi
    movl $2, %edx
    call hypercall_page + 14 * 32
    popq %rsi
    movabs $0x1f1f1f1f1f1f0005, %rdi
    movabs $0x1d1d1d1d1d1d0003, %rdx
    xorq SALT, %rdi
    xorq SALT, %rdx
.endm

    spin spin_plain, nothing
    spin spin_hypercall, three_calls
    spin spin_fault, one_fault

    .section .note.GNU-stack, "", @progbits
