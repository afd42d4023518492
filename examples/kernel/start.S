/* SPDX-License-Identifier: MIT */
/*
 * What a Xen PV kernel cannot say in C: its notes, its first instructions, the
 * hypercall page, and the way in and out of an upcall.
 */
.macro note type:req, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:  .balign 4
    .popsection
.endm

    note 5, .asciz "xen-3.0"
    note 6, .asciz "evc-example"
    note 8, .asciz "generic"
    note 3, .quad image_start           /* virtual base */
    note 4, .quad image_start           /* physical addresses are virtual */
    note 1, .quad entry
    note 2, .quad hypercall_page

    .section .text.entry, "ax"
    .globl entry
entry:                                  /* rsi: start_info */
    cld
    leaq stack_end(%rip), %rsp
    movq %rsi, %rdi
    xorl %ebp, %ebp
    call kernel_main
    ud2

    .balign 4096
    .globl hypercall_page
hypercall_page:                         /* filled in by whoever boots us */
    .skip 4096

/* The host pushed: rcx r11 rip cs rflags rsp ss. */
    .globl upcall_entry
upcall_entry:
    cld
    pushq %rax; pushq %rdx; pushq %rsi; pushq %rdi; pushq %rbx
    pushq %r8;  pushq %r9;  pushq %r10
    movq %rsp, %rbx
    andq $-16, %rsp
    call on_upcall
    movq %rbx, %rsp
    popq %r10;  popq %r9;  popq %r8
    popq %rbx;  popq %rdi; popq %rsi; popq %rdx; popq %rax
    popq %rcx
    popq %r11
    pushq $0
    jmp hypercall_page + 23 * 32        /* iret */

    .bss
    .balign 4096
    .skip 16384
stack_end:

    .section .note.GNU-stack, "", @progbits
