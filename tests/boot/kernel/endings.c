/* SPDX-License-Identifier: MIT */
/*
 * A guest that ends in the way its command line says, `end=N`; most of these
 * are not how a guest should end.
 */
#include "kernel.h"

bool on_upcall(struct upcall_frame *frame)
{
    (void)frame;
    *(volatile uint8_t *)&self()->evtchn_upcall_pending = 0;
    return false;
}

void on_trap(unsigned vector, struct trap_frame *frame)
{
    fail("a trap", vector, frame->rip);
}

static void shut_down(uint32_t reason)
{
    struct sched_shutdown shutdown = {.reason = reason};

    sched_op(SCHEDOP_shutdown, &shutdown);
}

static void jump(uint64_t rip)
{
    __asm__ volatile("jmp *%0" ::"r"(rip));
}

static void by_syscall(uint64_t nr, uint64_t a)
{
    __asm__ volatile("syscall" ::"a"(nr), "D"(a) : "rcx", "r11", "memory");
}

static void call_with_stack(uint64_t rsp, unsigned nr)
{
    __asm__ volatile("mov %0, %%rsp; jmp *%1" ::"r"(rsp),
                     "r"(hypercall_page + nr * 32), "D"(0));
}

static void iret_to(uint64_t rip)
{
    static uint64_t frame[16];

    frame[1] = rip;
    frame[2] = 0xe033;
    frame[3] = 0x202;
    frame[4] = address(frame);
    frame[5] = 0xe02b;
    call_with_stack(address(frame), 23);
}

struct mmuext_op {
    uint32_t cmd;
    uint64_t arg1, arg2;
};

static void new_tables(uint64_t frame)
{
    static struct mmuext_op op = {.cmd = 5};

    op.arg1 = frame;
    hypercall(__HYPERVISOR_mmuext_op, address(&op), 1, 0, 0x7ff0);
}

static char page[4096] __attribute__((aligned(4096)));

/* Every entry of the top table is the table itself. */
static void map_itself(void)
{
    uint64_t *table = (uint64_t *)page;

    for (unsigned i = 0; i < 512; i++)
        table[i] = frame_of(page) << 12 | WRITABLE;
    new_tables(frame_of(page));
}

/* A timer's event finds nowhere to be pushed. */
static void upcall_without_stack(void)
{
    bind_virq(VIRQ_TIMER);
    hypercall(__HYPERVISOR_set_timer_op, now() + 1000000, 0, 0, 0);
    *(volatile uint8_t *)&self()->evtchn_upcall_mask = 0;
    __asm__ volatile("mov $0x1000, %%rsp; 1: jmp 1b" ::: "memory");
}

/* A flag of the guest's must not trouble the host. */
static void with_flag(uint64_t flag)
{
    static const struct sched_shutdown shutdown = {.reason = 77};

    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" ::"r"(flag) : "cc");
    hypercall(__HYPERVISOR_xen_version, 7, 0, 0, 0);
    hypercall(__HYPERVISOR_xen_version, 0, 0, 0, 0);
    by_syscall(__HYPERVISOR_xen_version, 7);
    sched_op(SCHEDOP_shutdown, &shutdown);
}

static void run_as_32_bit(void)
{
    __asm__ volatile("pushq $0x23; pushq $1f; lretq\n1: ud2");
}

static void many_unknown(void)
{
    for (unsigned nr = 0; nr < 128; nr++)
        if (nr != __HYPERVISOR_iret && nr != __HYPERVISOR_sched_op)
            hypercall(nr, ~0ul, ~0ul, ~0ul, ~0ul);
}

static void end_as(uint64_t how)
{
    switch (how) {
    case 1:
        return shut_down(SHUTDOWN_reboot);
    case 2:
        return shut_down(SHUTDOWN_suspend);
    case 3:
        return shut_down(SHUTDOWN_crash);
    case 10: /* until somebody leaves it */
        for (;;)
            ;
    case 11:
        for (;;)
            sched_op(SCHEDOP_block, NULL);
    case 12: /* no handler */
        return jump(0x123000);
    case 13: /* not even an address */
        return jump(UINT64_C(1) << 63 | 7);
    case 14:
        return iret_to(UINT64_C(1) << 62);
    case 15:
        return call_with_stack(0x1000, 23);
    case 16:
        return call_with_stack(0x1000, 17);
    case 17: /* nothing is mapped any more */
        return new_tables(frame_of(page));
    case 18:
        return map_itself();
    case 19:
        return upcall_without_stack();
    case 20:
        return many_unknown();
    case 21: /* into the host's own */
        return jump(0x7ffffffe0000);
    case 22:
        return with_flag(0x100); /* trap */
    case 23:
        return with_flag(0x40000); /* alignment check */
    case 24:
        return run_as_32_bit();
    default:
        return power_off();
    }
}

void guest_main(void)
{
    print("going to end\n");
    end_as(option("end", 0));
    power_off();
}
