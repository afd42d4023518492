/* SPDX-License-Identifier: MIT */
/*
 * Instructions as an assembler writes them, and what is understood of them.
 */
#include "unit.h"

#include <pv.h>

struct row {
    const char *bytes;
    struct evc_pv_instruction is;
};

/* The last bytes are of the next instruction. */
#define CODE(x) x "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"

static const struct row rows[] = {
    {CODE("\xfa"), {EVC_OP_CLI, 1, 0, 0, 0, 0}},
    {CODE("\xfb"), {EVC_OP_STI, 1, 0, 0, 0, 0}},
    {CODE("\xf4"), {EVC_OP_HLT, 1, 0, 0, 0, 0}},
    {CODE("\xec"), {EVC_OP_IN, 1, 1, 0, 0, 0}},         /* in %dx, %al */
    {CODE("\x66\xed"), {EVC_OP_IN, 2, 2, 0, 0, 0}},     /* in %dx, %ax */
    {CODE("\xe5\x70"), {EVC_OP_IN, 2, 4, 0, 0, 0x70}},  /* in $0x70, %eax */
    {CODE("\xe6\x70"), {EVC_OP_OUT, 2, 1, 0, 0, 0x70}}, /* out %al, $0x70 */
    {CODE("\xef"), {EVC_OP_OUT, 1, 4, 0, 0, 0}},        /* out %eax, %dx */
    {CODE("\x0f\x32"), {EVC_OP_RDMSR, 2, 0, 0, 0, 0}},
    {CODE("\x0f\x30"), {EVC_OP_WRMSR, 2, 0, 0, 0, 0}},
    {CODE("\x0f\x20\xd8"), {EVC_OP_READ_CR, 3, 0, 0, 3, 0}}, /* %cr3, %rax */
    {CODE("\x41\x0f\x22\xd8"), {EVC_OP_WRITE_CR, 4, 0, 8, 3, 0}}, /* %r8 */
    {CODE("\x44\x0f\x20\xc3"), {EVC_OP_READ_CR, 4, 0, 3, 8, 0}},  /* %cr8 */
    {CODE("\x0f\x21\xfa"), {EVC_OP_READ_DR, 3, 0, 2, 7, 0}},      /* %db7 */
    {CODE("\x0f\x23\xfa"), {EVC_OP_WRITE_DR, 3, 0, 2, 7, 0}},
    {CODE("\x0f\x06"), {EVC_OP_CLTS, 2, 0, 0, 0, 0}},
    {CODE("\x0f\x09"), {EVC_OP_WBINVD, 2, 0, 0, 0, 0}},
    {CODE("\x0f\x01\x38"), {EVC_OP_INVLPG, 3, 0, 0, 0, 0}}, /* (%rax) */
    {CODE("\x0f\x01\x3c\x25\0\0\0\x40"), {EVC_OP_INVLPG, 8, 0, 0, 0, 0}},
    {CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2"), {EVC_OP_CPUID, 7, 0, 0, 0, 0}},
    {CODE("\x0f\x05"), {EVC_OP_SYSCALL, 2, 0, 0, 0, 0}},
    /* mov (%rax,%rcx,8), %rdx; mov 0x10(%r8), %r9; mov 4(%rip), %eax */
    {CODE("\x48\x8b\x14\xc8"), {EVC_OP_LOAD, 4, 8, 2, 0, 0}},
    {CODE("\x4d\x8b\x48\x10"), {EVC_OP_LOAD, 4, 8, 9, 0, 0}},
    {CODE("\x8b\x05\4\0\0\0"), {EVC_OP_LOAD, 6, 4, 0, 0, 0}},
    /* mov %rsi, (%rdi); mov %r12, 0x1000(%rsp); mov %ax, (%rbx) */
    {CODE("\x48\x89\x37"), {EVC_OP_STORE, 3, 8, 6, 0, 0}},
    {CODE("\x4c\x89\xa4\x24\0\x10\0\0"), {EVC_OP_STORE, 8, 8, 12, 0, 0}},
    {CODE("\x66\x89\x03"), {EVC_OP_STORE, 3, 2, 0, 0, 0}},
    /* movq $-1, (%rax); movl $0x12345678, 8(%rbp); movw $5, (%rcx) */
    {CODE("\x48\xc7\x00\xff\xff\xff\xff"),
     {EVC_OP_STORE_VALUE, 7, 8, 0, 0, UINT64_MAX}},
    {CODE("\xc7\x45\x08\x78\x56\x34\x12"),
     {EVC_OP_STORE_VALUE, 7, 4, 0, 0, 0x12345678}},
    {CODE("\x66\xc7\x01\5\0"), {EVC_OP_STORE_VALUE, 5, 2, 0, 0, 5}},
    {CODE("\x48\x87\x03"), {EVC_OP_EXCHANGE, 3, 8, 0, 0, 0}}, /* xchg */
    {CODE("\xf0\x48\x87\x03"), {EVC_OP_EXCHANGE, 4, 8, 0, 0, 0}},
};

static void test_instructions_are_what_the_assembler_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct evc_pv_instruction got;
        const struct evc_pv_instruction *is = &rows[i].is;

        evc_pv_decode((const uint8_t *)rows[i].bytes, 15, &got);
        assert_int_equal(got.operation, is->operation);
        assert_int_equal(got.length, is->length);
        assert_int_equal(got.size, is->size);
        assert_int_equal(got.reg, is->reg);
        assert_int_equal(got.number, is->number);
        assert_true(got.value == is->value);
    }
}

static void test_what_is_cut_short_is_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (unsigned size = 0; size < rows[i].is.length; size++) {
            struct evc_pv_instruction got;

            evc_pv_decode((const uint8_t *)rows[i].bytes, size, &got);
            assert_int_equal(got.operation, EVC_OP_UNKNOWN);
            assert_true(got.length <= size);
        }
}

static void test_others_are_unknown(void **state)
{
    static const char *const others[] = {
        CODE("\x90"),                 /* nop */
        CODE("\x48\x8b\xc3"),         /* mov %rbx, %rax: no memory */
        CODE("\x0f\x01\x10"),         /* lgdt */
        CODE("\x0f\x0b\x78\x65\x6f"), /* ud2, and not Xen's prefix */
        CODE("\xc7\x08"),             /* c7 /1 is nothing */
        "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xfa",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        struct evc_pv_instruction got;

        evc_pv_decode((const uint8_t *)others[i], 16, &got);
        assert_int_equal(got.operation, EVC_OP_UNKNOWN);
    }
}

static void test_registers_have_the_processors_numbers(void **state)
{
    struct evc_pv_regs regs;

    (void)state;
    assert_ptr_equal(evc_pv_reg(&regs, 0), &regs.rax);
    assert_ptr_equal(evc_pv_reg(&regs, 3), &regs.rbx);
    assert_ptr_equal(evc_pv_reg(&regs, 4), &regs.rsp);
    assert_ptr_equal(evc_pv_reg(&regs, 15), &regs.r15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions_are_what_the_assembler_meant),
        cmocka_unit_test(test_what_is_cut_short_is_unknown),
        cmocka_unit_test(test_others_are_unknown),
        cmocka_unit_test(test_registers_have_the_processors_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
