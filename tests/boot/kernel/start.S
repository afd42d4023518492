/* SPDX-License-Identifier: MIT */
/*
 * Notes, entry, and the ways into the kernel: upcalls and traps.
 */
#define STACK_SIZE 65536

.macro note type:req, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:  .balign 4
    .popsection
.endm

    note 6, .asciz "evc-test"           /* guest OS */
    note 5, .asciz "xen-3.0"
    note 8, .asciz "generic"            /* loader */
    note 3, .quad image_start           /* virtual base */
    note 4, .quad image_start           /* physical addresses are virtual */
    note 1, .quad entry
    note 2, .quad hypercall_page

    .section .text.entry, "ax"
    .globl entry
entry:
    cld
    leaq stack_end(%rip), %rsp
    movq %rsi, %rdi
    xorl %ebp, %ebp
    call kernel_start
    ud2

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096

.macro save
    cld
    pushq %rax; pushq %rdx; pushq %rsi; pushq %rdi; pushq %rbx; pushq %rbp
    pushq %r8;  pushq %r9;  pushq %r10; pushq %r12; pushq %r13; pushq %r14
    pushq %r15
.endm
.macro restore
    popq %r15;  popq %r14;  popq %r13;  popq %r12;  popq %r10;  popq %r9
    popq %r8;   popq %rbp;  popq %rbx;  popq %rdi;  popq %rsi;  popq %rdx
    popq %rax
.endm

/*
 * The host pushed: rcx r11 rip cs rflags rsp ss.  Back by the iret hypercall,
 * or, if on_upcall() says so, by a plain iretq.
 */
    .globl upcall_entry
upcall_entry:
    save
    movq %rsp, %rbx
    movq %rsp, %rdi
    andq $-16, %rsp
    call on_upcall
    movq %rbx, %rsp
    testl %eax, %eax
    jnz 1f
    restore
    popq %rcx
    popq %r11
    pushq $0
    jmp hypercall_page + 23 * 32
1:  call open_upcalls                   /* from here on another may come */
    restore
    popq %rcx
    popq %r11
    orb $3, 8(%rsp)
    iretq

/* Traps: an error code or a zero, the vector, and everything else. */
.macro trap vector:req, code=0
    .globl trap_\vector
trap_\vector:
    .if \code == 0
    popq %rcx                           /* rcx and r11 lie above the code */
    popq %r11
    pushq $0
    pushq %r11
    pushq %rcx
    .endif
    save
    movl $\vector, %edi
    movq %rsp, %rsi
    movq %rsp, %rbx
    andq $-16, %rsp
    call on_trap
    movq %rbx, %rsp
    restore
    popq %rcx
    popq %r11
    addq $8, %rsp
    pushq $0
    jmp hypercall_page + 23 * 32
.endm

    trap 0
    trap 2
    trap 3
    trap 6
    trap 13, 1
    trap 14, 1
    trap 128

    .bss
    .balign 4096
    .skip STACK_SIZE
    .globl stack_end
stack_end:

    .section .note.GNU-stack, "", @progbits
