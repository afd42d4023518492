/* SPDX-License-Identifier: MIT */
/*
 * Entering the guest: traps, page faults and the event callback, and the way
 * back by the iret hypercall.
 *
 * A handler finds on its stack, from the top: rcx, r11, the error code if the
 * trap has one, rip, cs, rflags, rsp, ss.  The code selector's privilege bits
 * are 0, so that a kernel may set them to 3 and return by a plain iretq: the
 * selectors are this host's own for user mode.
 */
#include "pv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>

#define FLAG_TF UINT64_C(0x00100)
#define FLAG_IF UINT64_C(0x00200)
#define FLAG_NT UINT64_C(0x04000)
#define FLAG_RF UINT64_C(0x10000)

/* carry, parity, adjust, zero, sign, trap, direction, overflow, AC, ID */
#define FLAGS_OF_GUEST UINT64_C(0x240dd5)

uint64_t evc_pv_flags(uint64_t wished)
{
    return (wished & FLAGS_OF_GUEST) | FLAG_IF | 2;
}

void evc_pv_find_info(struct evc_pv_vcpu *vcpu)
{
    vcpu->info = evc_vcpu_info(vcpu->domain->events, vcpu->id);
}

bool evc_pv_masked(const struct evc_pv_vcpu *vcpu)
{
    return __atomic_load_n(vcpu->info + 1, __ATOMIC_RELAXED) != 0;
}

void evc_pv_mask(struct evc_pv_vcpu *vcpu, bool masked)
{
    __atomic_store_n(vcpu->info + 1, masked, __ATOMIC_RELAXED);
}

/* ---- entering a handler -------------------------------------------------------------- */

/*
 * rip, cs, rflags, rsp, ss; the byte above cs says whether events were masked.
 * In rflags, "interrupts enabled" is the opposite of that mask.
 */
static void frame_of(const struct evc_pv_vcpu *vcpu,
                     const struct evc_pv_regs *regs, uint64_t frame[5])
{
    bool masked = evc_pv_masked(vcpu);

    frame[0] = regs->rip;
    frame[1] = (regs->cs & ~UINT64_C(3)) | (uint64_t)masked << 32;
    frame[2] = (regs->rflags & ~FLAG_IF) | (masked ? 0 : FLAG_IF);
    frame[3] = regs->rsp;
    frame[4] = regs->ss;
}

static void enter(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                  const struct evc_pv_handler *handler, uint64_t code)
{
    uint64_t stack[8] = {regs->rcx, regs->r11, code};
    size_t words = code == EVC_PV_NO_CODE ? 2 : 3;
    uint64_t rsp;

    frame_of(vcpu, regs, stack + words);
    words += 5;
    rsp = (regs->rsp & ~UINT64_C(15)) - words * 8;
    if (evc_pv_copy_to(vcpu, rsp, stack, words * 8) < 0) {
        evc_pv_crash(vcpu, "no stack at 0x%llx to enter a handler with",
                     (unsigned long long)rsp);
        return;
    }
    if (handler->masks)
        evc_pv_mask(vcpu, true);
    regs->rsp = rsp;
    regs->rip = handler->address;
    regs->rflags &= ~(FLAG_TF | FLAG_NT | FLAG_RF);
    regs->cs = EVC_PV_CS;
    regs->ss = EVC_PV_SS;
}

/* ---- traps ------------------------------------------------------------------------------ */

static bool has_code(unsigned vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void evc_pv_trap(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                 unsigned vector, uint64_t code)
{
    const struct evc_pv_handler *handler = &vcpu->trap[vector % 256];

    if (handler->address == 0) {
        evc_pv_crash(vcpu, "trap %u at 0x%llx, and no handler for it", vector,
                     (unsigned long long)regs->rip);
        return;
    }
    vcpu->traps++;
    enter(vcpu, regs, handler, has_code(vector) ? code : EVC_PV_NO_CODE);
}

void evc_pv_page_fault(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                       uint64_t address, uint64_t code)
{
    struct evc_abi_vcpu_info_x86_64 *info = (void *)vcpu->info;

    if (vcpu->trap[EVC_TRAP_PAGE].address == 0) {
        evc_pv_crash(vcpu,
                     "page fault at 0x%llx (address 0x%llx, code %llu), and "
                     "no handler for it",
                     (unsigned long long)regs->rip, (unsigned long long)address,
                     (unsigned long long)code);
        return;
    }
    info->arch.cr2 = address;
    evc_pv_trap(vcpu, regs, EVC_TRAP_PAGE, code);
}

/* They come even if events are masked, one at a time: until its iret. */
static bool deliver_nmi(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    struct evc_pv_handler handler = vcpu->trap[EVC_TRAP_NMI];

    if (!vcpu->nmi || vcpu->in_nmi || handler.address == 0)
        return false;
    vcpu->nmi = false;
    vcpu->in_nmi = true;
    handler.masks = true;
    enter(vcpu, regs, &handler, EVC_PV_NO_CODE);
    return true;
}

bool evc_pv_deliver(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    if (deliver_nmi(vcpu, regs))
        return true;
    if (vcpu->event.address == 0 || !evc_pv_is_due(vcpu))
        return false;
    vcpu->upcalls++;
    enter(vcpu, regs, &vcpu->event, EVC_PV_NO_CODE);
    return true;
}

/* ---- and back ------------------------------------------------------------------------------ */

int evc_pv_try_iret(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    struct evc_pv_iret frame;

    if (evc_pv_copy_from(vcpu, &frame, regs->rsp, sizeof(frame)) < 0)
        return -EFAULT;
    regs->rax = frame.rax;
    regs->rip = frame.rip;
    regs->rsp = frame.rsp;
    regs->rflags = evc_pv_flags(frame.rflags);
    vcpu->in_nmi = false;
    if (!(frame.flags & EVC_IRET_IN_SYSCALL)) {
        regs->r11 = frame.r11;
        regs->rcx = frame.rcx;
    }
    evc_pv_mask(vcpu, !(frame.rflags & FLAG_IF));
    return 0;
}

void evc_pv_iret(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs)
{
    if (evc_pv_try_iret(vcpu, regs) < 0)
        evc_pv_crash(vcpu, "iret with a bad stack pointer 0x%llx",
                     (unsigned long long)regs->rsp);
}

/* ---- which handlers there are ---------------------------------------------------------------- */

/* The table ends with an entry without an address. */
int64_t evc_pv_set_trap_table(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    uint64_t at = args[0];

    if (at == 0) {
        memset(vcpu->trap, 0, sizeof(vcpu->trap));
        return 0;
    }
    for (unsigned i = 0; i <= 256; i++, at += sizeof(struct evc_pv_trap_info)) {
        struct evc_pv_trap_info info;

        if (evc_pv_copy_from(vcpu, &info, at, sizeof(info)) < 0)
            return -EFAULT;
        if (info.address == 0)
            return 0;
        vcpu->trap[info.vector] = (struct evc_pv_handler){
            .address = info.address,
            .masks = (info.flags & EVC_TRAP_MASKS) != 0,
        };
    }
    return -EINVAL;
}

int64_t evc_pv_set_callbacks(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    vcpu->event = (struct evc_pv_handler){args[0], true};
    vcpu->failsafe.address = args[1];
    vcpu->syscall.address = args[2];
    return 0;
}

static int64_t set_callback(struct evc_pv_vcpu *vcpu, uint16_t type,
                            uint16_t flags, uint64_t address)
{
    switch (type) {
    case EVC_CALLBACK_EVENT:
        vcpu->event = (struct evc_pv_handler){address, true};
        return 0;
    case EVC_CALLBACK_FAILSAFE:
        vcpu->failsafe = (struct evc_pv_handler){address, flags & 1};
        return 0;
    case EVC_CALLBACK_SYSCALL:
        vcpu->syscall = (struct evc_pv_handler){address, flags & 1};
        return 0;
    case EVC_CALLBACK_NMI:
        vcpu->trap[EVC_TRAP_NMI].address = address;
        return 0;
    case EVC_CALLBACK_SYSENTER:
    case EVC_CALLBACK_SYSCALL32:
        return 0;
    default:
        return -ENOSYS;
    }
}

int64_t evc_pv_callback_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    struct evc_pv_callback raw = {0};
    bool on = (uint32_t)args[0] == 0;

    if ((uint32_t)args[0] > 1)
        return -ENOSYS;
    if (evc_pv_copy_from(vcpu, &raw, args[1], on ? sizeof(raw) : 4) < 0)
        return -EFAULT;
    if (!on && raw.type != EVC_CALLBACK_SYSENTER &&
        raw.type != EVC_CALLBACK_NMI)
        return -EINVAL;
    return set_callback(vcpu, raw.type, raw.flags, on ? raw.address : 0);
}
