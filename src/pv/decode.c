/* SPDX-License-Identifier: MIT */
/*
 * The few instructions that have to be understood: what a kernel may execute
 * and a process may not, and plain moves to and from memory.
 *
 * Only the length, the operation and the register are of interest; where in
 * memory an operand lies, the fault has said already.
 */
#include "pv.h"

struct reader {
    const uint8_t *at, *end;
    bool short_of; /* ran off the end */
    bool wide;     /* REX.W */
    bool half;     /* 16-bit operands */
    bool rep;
    uint8_t rex_r, rex_b;
};

static uint8_t next(struct reader *in)
{
    if (in->at == in->end) {
        in->short_of = true;
        return 0;
    }
    return *in->at++;
}

/* Little-endian, sign-extended. */
static uint64_t immediate(struct reader *in, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next(in) << 8 * i;
    if (size < 8 && value >> (8 * size - 1))
        value |= ~UINT64_C(0) << 8 * size;
    return value;
}

static uint8_t operand_size(const struct reader *in)
{
    return in->wide ? 8 : in->half ? 2 : 4;
}

/* ---- prefixes ------------------------------------------------------------------------- */

static bool is_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x67:
    case 0xf0:
        return true;
    default:
        return false;
    }
}

/* The opcode's first byte. */
static uint8_t skip_prefixes(struct reader *in)
{
    uint8_t byte = next(in);

    while (is_prefix(byte) || byte == 0x66 || byte == 0xf2 || byte == 0xf3) {
        in->half |= byte == 0x66;
        in->rep |= byte == 0xf2 || byte == 0xf3;
        byte = next(in);
    }
    if ((byte & 0xf0) == 0x40) {
        in->wide = byte & 8;
        in->rex_r = byte & 4 ? 8 : 0;
        in->rex_b = byte & 1 ? 8 : 0;
        byte = next(in);
    }
    return byte;
}

/* ---- operands ---------------------------------------------------------------------------- */

struct modrm {
    uint8_t mod, reg, rm;
};

/* Reads the address with it. */
static struct modrm read_modrm(struct reader *in)
{
    uint8_t byte = next(in);
    struct modrm out = {byte >> 6, (byte >> 3 & 7), byte & 7};
    bool sib = out.mod != 3 && out.rm == 4;
    uint8_t base = sib ? next(in) & 7 : out.rm;

    if (out.mod == 1)
        immediate(in, 1);
    else if (out.mod == 2 || (out.mod == 0 && base == 5))
        immediate(in, 4);
    return out;
}

/* mov and xchg between a register and memory. */
static void memory_move(struct reader *in, enum evc_pv_operation operation,
                        uint8_t size, struct evc_pv_instruction *out)
{
    struct modrm modrm = read_modrm(in);

    if (modrm.mod == 3)
        return;
    out->operation = operation;
    out->size = size;
    out->reg = modrm.reg | in->rex_r;
}

static void store_value(struct reader *in, struct evc_pv_instruction *out)
{
    uint8_t size = operand_size(in);
    struct modrm modrm = read_modrm(in);

    if (modrm.mod == 3 || modrm.reg != 0)
        return;
    out->operation = EVC_OP_STORE_VALUE;
    out->size = size;
    out->value = immediate(in, size == 8 ? 4 : size);
}

/* ---- opcodes -------------------------------------------------------------------------------- */

static void port(struct reader *in, uint8_t opcode,
                 struct evc_pv_instruction *out)
{
    out->operation = opcode & 2 ? EVC_OP_OUT : EVC_OP_IN;
    out->size = opcode & 1 ? (in->half ? 2 : 4) : 1;
    if (!(opcode & 8))
        out->value = next(in);
}

/* 0f 20 to 0f 23: to and from control and debug registers. */
static void special_register(struct reader *in, uint8_t opcode,
                             struct evc_pv_instruction *out)
{
    uint8_t byte = next(in);

    out->operation = opcode & 1
                         ? (opcode & 2 ? EVC_OP_WRITE_DR : EVC_OP_READ_DR)
                         : (opcode & 2 ? EVC_OP_WRITE_CR : EVC_OP_READ_CR);
    out->number = (byte >> 3 & 7) | in->rex_r;
    out->reg = (byte & 7) | in->rex_b;
}

/* ud2, "xen", then the instruction that is meant. */
static void prefixed(struct reader *in, struct evc_pv_instruction *out)
{
    static const uint8_t cpuid[] = {0x78, 0x65, 0x6e, 0x0f, 0xa2};

    for (size_t i = 0; i < sizeof(cpuid); i++)
        if (next(in) != cpuid[i])
            return;
    out->operation = EVC_OP_CPUID;
}

static void invalidate(struct reader *in, struct evc_pv_instruction *out)
{
    struct modrm modrm = read_modrm(in);

    if (modrm.reg == 7 && modrm.mod != 3)
        out->operation = EVC_OP_INVLPG;
}

static void two_bytes(struct reader *in, struct evc_pv_instruction *out)
{
    uint8_t opcode = next(in);

    switch (opcode) {
    case 0x01:
        invalidate(in, out);
        break;
    case 0x05:
        out->operation = EVC_OP_SYSCALL;
        break;
    case 0x06:
        out->operation = EVC_OP_CLTS;
        break;
    case 0x09:
        out->operation = EVC_OP_WBINVD;
        break;
    case 0x0b:
        prefixed(in, out);
        break;
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
        special_register(in, opcode, out);
        break;
    case 0x30:
        out->operation = EVC_OP_WRMSR;
        break;
    case 0x32:
        out->operation = EVC_OP_RDMSR;
        break;
    default:
        break;
    }
}

static void one_byte(struct reader *in, uint8_t opcode,
                     struct evc_pv_instruction *out)
{
    switch (opcode) {
    case 0x0f:
        two_bytes(in, out);
        break;
    case 0x87:
        memory_move(in, EVC_OP_EXCHANGE, operand_size(in), out);
        break;
    case 0x89:
        memory_move(in, EVC_OP_STORE, operand_size(in), out);
        break;
    case 0x8b:
        memory_move(in, EVC_OP_LOAD, operand_size(in), out);
        break;
    case 0xc7:
        store_value(in, out);
        break;
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
        port(in, opcode, out);
        break;
    case 0xf4:
        out->operation = EVC_OP_HLT;
        break;
    case 0xfa:
        out->operation = EVC_OP_CLI;
        break;
    case 0xfb:
        out->operation = EVC_OP_STI;
        break;
    default:
        break;
    }
}

void evc_pv_decode(const uint8_t *bytes, size_t size,
                   struct evc_pv_instruction *out)
{
    struct reader in = {.at = bytes, .end = bytes + (size < 15 ? size : 15)};
    uint8_t opcode = skip_prefixes(&in);

    *out = (struct evc_pv_instruction){0};
    one_byte(&in, opcode, out);
    if (in.short_of)
        *out = (struct evc_pv_instruction){0};
    out->length = (uint8_t)(in.at - bytes);
}

uint64_t *evc_pv_reg(struct evc_pv_regs *regs, unsigned number)
{
    uint64_t *const order[16] = {
        &regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
        &regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
        &regs->r12, &regs->r13, &regs->r14, &regs->r15};

    return order[number % 16];
}
