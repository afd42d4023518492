/* SPDX-License-Identifier: MIT */
/*
 * Runs one paravirtual guest as a process: the guest's code on this processor,
 * natively, with the rest of a Xen host (src/pv, src/backend) around it.
 *
 *     boot.c     the parent: options in, the child, its end, the terminal
 *     machine.c  the child: engine, domain, back ends, from start to end
 *     cpus.c     a thread for each vCPU: up, down, told to look
 *     prepare.c  what a thread needs to run guest code
 *     page.c     the hypercall page
 *     cpu.c      entry.S   in and out of the guest: stub, signals, registers
 *     fault.c    what a fault means: a page to map, an instruction, a trap
 *     tlb.c      the process' mappings, which are the guest's TLB
 *     clock.c    the guest's time        report.c  what is said in the end
 *     host.c     what this machine must have
 *     confine.c  what the process may do once the guest runs
 *
 * This is a compatibility tool, not a security boundary: a guest can reach all
 * of its process.  Nothing in that process can do more than its user could.
 */
#ifndef EVC_RUNNER_RUNNER_H
#define EVC_RUNNER_RUNNER_H

#include <setjmp.h>

#include <backend.h>
#include <pv.h>

/* ---- running a guest (boot.c) --------------------------------------------------- */

struct evc_run_options {
    const char *image;
    const char *module; /* or NULL */
    const char *command_line;
    uint64_t memory; /* bytes */
    unsigned vcpus;
    enum evc_console_kind console;
    struct evc_backend_disk disks[EVC_BACKEND_DISKS];
    unsigned nr_disks;
    const char *store; /* a xenstored's socket; or NULL: one of its own */
    bool trace;

    /* A second guest beside it, or NULL: domain 2, without disks. */
    const char *peer_image;
    const char *peer_command_line;
};

/* Which of two guests a process has, and what it shares with the other. */
struct evc_run_place {
    evc_domid id;
    struct evc_link
        *link; /* NULL: it is alone, and the rest is not looked at */
    unsigned side;
    evc_domid peer;
    int memory, peer_memory;
    int in, out; /* the console of stdio kind */
};

/* How it ended, as the exit status of `evc boot`. */
enum evc_run_end {
    EVC_RUN_POWEROFF = 0,
    EVC_RUN_UNUSABLE = 2, /* it could not be started */
    EVC_RUN_REBOOT = 3,   /* the guest asked for it */
    EVC_RUN_CRASH = 4,    /* the guest said so, or could not go on */
    EVC_RUN_OTHER = 5,    /* suspend, or a reason of the guest's own */
    EVC_RUN_LEFT = 6,     /* Ctrl-], SIGTERM, SIGINT or SIGHUP */
    EVC_RUN_BROKEN = 70,  /* its process died; a fault of ours or the guest's */
};

/**
 * evc_run() - run a guest in a child process until it ends
 * @name: "evc boot", for messages, which go to stderr
 *
 * The terminal is as it was when this returns, however the child ended.
 */
enum evc_run_end evc_run(const char *name,
                         const struct evc_run_options *options);

/* The child's part (machine.c). */
enum evc_run_end evc_machine_run(const char *name,
                                 const struct evc_run_options *options,
                                 const struct evc_run_place *place);

/* ---- what this machine must have (host.c) ------------------------------------------ */

/*
 * The guest's addresses end here, the host's begin: the program, libraries,
 * stacks.  A position-independent program never lies lower; libraries lie
 * lowest without a limit to stacks, a sixth of the way up or, at random, a
 * tebibyte below that.  host.c looks.
 */
#define EVC_RUN_HOST UINT64_C(0x140000000000)

/* Return: 0; -ENOTSUP, with what is missing and what to do about it. */
int evc_run_check_host(struct evc_pv_error *error);
int evc_run_check_image(const struct evc_pv_image *image,
                        struct evc_pv_error *error);

/*
 * From now on, for all threads: see confine.c.  The processor must not have
 * been prepared yet.  Return: 0; a negative errno.
 */
int evc_run_confine(struct evc_pv_error *error);

/* ---- the TLB (tlb.c) ------------------------------------------------------------------- */

/* One for all vCPUs, as they have one address space. */
struct evc_run_tlb {
    pthread_mutex_t lock; /* of the rest, and of the process' mappings */
    const struct evc_pv_domain *domain;
    unsigned mappings; /* made since the last flush: an upper bound */
    uint64_t fills, flushes;
};

void evc_run_tlb_init(struct evc_run_tlb *tlb,
                      const struct evc_pv_domain *domain);

extern const struct evc_pv_tlb evc_run_tlb_ops; /* cookie: struct evc_run_tlb */

/* What the guest did with a page; the bits of the processor's fault code. */
#define EVC_RUN_WRITE 2u
#define EVC_RUN_EXEC  16u

/*
 * If the guest's tables allow that (`how`), map the page of `va`, and those
 * around it that go with it.
 * Return: 0; -EFAULT (not mapped); -EACCES (mapped, but not for that);
 *         -errno of mmap().
 */
int evc_run_tlb_fill(struct evc_run_tlb *tlb, uint64_t va, unsigned how);

/* ---- one vCPU (cpu.c, entry.S, fault.c) ----------------------------------------------------- */

enum evc_run_vectors { EVC_RUN_XMM, EVC_RUN_YMM, EVC_RUN_ZMM };

#define EVC_RUN_CPU_SIZE 512

/* entry.S knows these offsets; cpu.c asserts them. */
struct evc_run_cpu {
    struct evc_pv_regs regs; /* of the guest, while the host runs */
    uint64_t host_rsp, host_fs, guest_fs;
    uint32_t pending;  /* a kick came: look before entering the guest */
    uint32_t full;     /* leave by iretq: rip, rsp or flags have changed */
    void *vectors;     /* where the guest's vector registers are saved: twice */
    uint32_t kind;     /* of these: enum evc_run_vectors */
    uint32_t rest;     /* all of them are saved, not only xmm0 to xmm15 */
    uint64_t guest_gs; /* when it was last seen */

    struct evc_pv_vcpu *vcpu;
    struct evc_run_tlb *tlb;
    int thread; /* its number, while it may be signalled */
    sigjmp_buf way_out;
    uint64_t last_rip, last_address; /* of page faults: is there progress? */
    uint64_t last_flushes;
    unsigned same;
} __attribute__((aligned(EVC_RUN_CPU_SIZE)));

extern struct evc_run_cpu evc_run_cpus[EVC_PV_VCPUS];

/* Run its guest on this thread, which is prepared, until the domain has ended. */
void evc_cpu_run(struct evc_run_cpu *cpu);

/* Make it look for events, or at its end.  Any thread; async-signal-safe. */
void evc_cpu_kick(unsigned id);

/* What evc_cpu_run() needs of its thread, and giving that back (prepare.c). */
int evc_cpu_prepare(struct evc_run_cpu *cpu);
void evc_cpu_finish(struct evc_run_cpu *cpu);
/* Of a thread that is prepared. */
extern __thread struct evc_run_cpu *evc_cpu_self;

/* A fault of the guest's, as the processor told it (fault.c). */
void evc_run_fault(struct evc_run_cpu *cpu, unsigned vector, uint64_t code,
                   uint64_t address);
/* `int $n`, with rip behind it. */
void evc_run_interrupt(struct evc_run_cpu *cpu, unsigned vector);

/* ---- all vCPUs (cpus.c, prepare.c, page.c) -------------------------------------------------- */

/*
 * What all of them share: before the guest is built, and before the process is
 * confined.  Return: 0; a negative errno, with a line in @error.
 */
int evc_cpus_create(unsigned n, struct evc_pv_error *error);
void evc_cpus_destroy(void);
/* For struct evc_pv_start. */
void evc_cpu_hypercall_page(void *page);

/**
 * evc_cpus_run() - run a guest: its vCPU 0 on this thread, until it has ended
 * Return: 0; a negative errno, with a line in @error: it could not be started.
 */
int evc_cpus_run(struct evc_pv_domain *domain, struct evc_run_tlb *tlb,
                 struct evc_pv_error *error);

/* Hooks of struct evc_pv_hooks. */
void evc_cpus_look(void *runner, uint32_t id);
void evc_cpus_ended(void *runner);
/* Sleep until the vCPU is up, or all is over. */
void evc_cpus_wait_up(struct evc_run_cpu *cpu);

/* ---- time (clock.c) ---------------------------------------------------------------------------- */

struct evc_run_clock {
    uint64_t tsc, ns; /* both at one moment */
    uint32_t mul;
    int8_t shift;
};

void evc_run_clock_start(struct evc_run_clock *clock);
/* Waits until 10 ms after the start, and knows the TSC's frequency then. */
void evc_run_clock_settle(struct evc_run_clock *clock);
void evc_run_clock_read(const struct evc_run_clock *clock,
                        struct evc_time *now);
/* Of a moment of system time 0, in ns since 1970. */
uint64_t evc_run_clock_epoch(const struct evc_run_clock *clock);

/* ---- what is said in the end (report.c) ------------------------------------------------------------ */

void evc_run_report_crash(const struct evc_pv_domain *domain,
                          const uint8_t *console_page);
void evc_run_report_trace(const struct evc_pv_domain *domain,
                          const struct evc_run_tlb *tlb);

#endif /* EVC_RUNNER_RUNNER_H */
