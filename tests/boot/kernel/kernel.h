/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual kernel, as small as it can be: hypercalls, a console, time,
 * upcalls, traps.  The tests' guests stand on it.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

/* ---- hypercalls ------------------------------------------------------------ */

extern char hypercall_page[4096], image_start[];

static inline int64_t hypercall(unsigned nr, uint64_t a, uint64_t b, uint64_t c,
                                uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    int64_t result;

    __asm__ volatile("call *%[stub]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     : [stub] "r"(hypercall_page + nr * 32)
                     : "rcx", "r11", "memory");
    return result;
}

static inline uint64_t address(const volatile void *at)
{
    return (uint64_t)at;
}

static inline int64_t event_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, cmd, address(arg), 0, 0);
}

static inline int64_t sched_op(unsigned cmd, const void *arg)
{
    return hypercall(__HYPERVISOR_sched_op, cmd, address(arg), 0, 0);
}

/* ---- the kernel ------------------------------------------------------------- */

extern struct start_info *start_info;
extern struct shared_info *shared;

/* GS points to it, and FS to its second half, where a guest wants that. */
struct cpu {
    uint32_t gs_tag, id;
    uint64_t salt; /* of the patterns in spin.S: another one on every vCPU */
    uint32_t fs_tag, fs_id;
    uint64_t rest[5];
};

extern struct cpu cpus[32];
void set_cpu(unsigned id);

static inline unsigned cpu_id(void)
{
    uint32_t id;

    __asm__ volatile("movl %%gs:4, %0" : "=r"(id));
    return id;
}

/* Where they are: in shared_info, until one is moved. */
extern struct vcpu_info *infos[32];

static inline struct vcpu_info *self(void)
{
    return infos[cpu_id()];
}

/* The processor has zmm and mask registers, for us too. */
extern uint32_t has_zmm;

/* What spin.S sends to. */
extern struct evtchn_send spin_send;

void print(const char *text);
void print_number(uint64_t number);
void power_off(void) __attribute__((noreturn));
/* Say what is wrong, and end as a crash. */
void fail(const char *what, uint64_t a, uint64_t b) __attribute__((noreturn));

#define CHECK(x)                                 \
    do {                                         \
        if (!(x))                                \
            fail(__FILE__ ": " #x, __LINE__, 0); \
    } while (0)

/* ns since the domain started. */
uint64_t now(void);
/* A number of the command line, "name=123", or `otherwise`. */
uint64_t option(const char *name, uint64_t otherwise);

/* Machine frame of a page of the image, and the entry that maps it. */
uint64_t frame_of(const volatile void *page);
#define PRESENT   1u
#define WRITABLE  0x67u /* and accessed, dirty, user */
#define READ_ONLY 0x65u
static inline int64_t map(const volatile void *page, uint64_t entry)
{
    return hypercall(__HYPERVISOR_update_va_mapping, address(page), entry, 2,
                     0);
}

/* A port that is told by a virtual interrupt; bound on this vCPU. */
evtchn_port_t bind_virq(uint32_t virq);

static inline void mask_upcalls(void)
{
    *(volatile uint8_t *)&self()->evtchn_upcall_mask = 1;
}

/* Unmask, and take what is due. */
void open_upcalls(void);

/* ---- what a guest defines ----------------------------------------------------- */

struct upcall_frame {
    uint64_t r15, r14, r13, r12, r10, r9, r8, rbp, rbx, rdi, rsi, rdx, rax;
    uint64_t rcx, r11, rip, cs, rflags, rsp, ss;
};

struct trap_frame {
    uint64_t r15, r14, r13, r12, r10, r9, r8, rbp, rbx, rdi, rsi, rdx, rax;
    uint64_t rcx, r11, code, rip, cs, rflags, rsp, ss;
};

/* Return: true: go back by iretq, not by the hypercall. */
bool on_upcall(struct upcall_frame *frame);
void on_trap(unsigned vector, struct trap_frame *frame);
void guest_main(void);

void upcall_entry(void);
void trap_0(void);
void trap_2(void);
void trap_3(void);
void trap_6(void);
void trap_13(void);
void trap_14(void);
void trap_128(void);

#endif /* KERNEL_H */
