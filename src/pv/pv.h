/* SPDX-License-Identifier: MIT */
/*
 * A Xen host for one paravirtual guest, all but the processor: it loads an
 * image, builds the world in which it starts, and answers what it asks.
 *
 *     image    ELF and its Xen notes          build   start_info, p2m, tables
 *     frames   machine memory                 walk    the guest's addresses
 *     call     hypercalls  -> table, memory, version, trap, vcpu; libevc for events
 *     decode, emulate      the instructions a guest's kernel may not execute
 *
 * What runs the guest (src/runner) gives registers in, takes registers out, and
 * offers a TLB: everything here works as well without any processor, on which
 * tests and fuzzers rely.
 *
 * A guest's memory may hold anything and change at any time: every word is read
 * once, checked, then used.  No address of a guest is ever dereferenced; its
 * page tables are walked in machine memory, with every frame number checked.
 *
 * vCPUs may be anywhere in here at once.  They share one top-level page table:
 * whoever runs them has one address space for all.  `domain.lock` guards what
 * is said to be under it; the rest is a vCPU's own, atomic, or the TLB's affair.
 */
#ifndef EVC_PV_PV_H
#define EVC_PV_PV_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/evc.h>

#include "abi.h"

/* ---- what went wrong, for whoever typed the command ------------------------- */

struct evc_pv_error {
    char text[320];
};

/* Return: @code. */
int evc_pv_fail(struct evc_pv_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- files (file.c) ------------------------------------------------------------ */

#define EVC_PV_FILE_MAX (UINT64_C(1) << 30)

struct evc_pv_file {
    uint8_t *bytes;
    size_t size;
};

/**
 * evc_pv_file_read() - a whole file; if gzip made it, what was in it
 * Return: 0; -EFBIG (more than EVC_PV_FILE_MAX); -EBADMSG (damaged gzip);
 *         what open() and read() say.
 */
int evc_pv_file_read(const char *path, struct evc_pv_file *out,
                     struct evc_pv_error *error);
/** evc_pv_file_unpack() - the same for bytes: replaces them if gzip made them */
int evc_pv_file_unpack(struct evc_pv_file *file, const char *name,
                       struct evc_pv_error *error);
void evc_pv_file_free(struct evc_pv_file *file);

/* ---- images (image.c, note.c) ---------------------------------------------------- */

#define EVC_PV_SEGMENTS 32u

struct evc_pv_segment_of_image {
    uint64_t at; /* offset from where the image starts */
    uint64_t offset, file_size, size;
};

struct evc_pv_notes {
    bool any, has_virt_base, has_entry, has_hypercall_page;
    uint64_t virt_base, paddr_offset, entry, hypercall_page;
    char guest_os[32], guest_version[32], loader[32];
    char features[256];
};

struct evc_pv_image {
    const char *name;
    const uint8_t *bytes; /* the caller's */
    uint64_t virt_base;   /* where frame 0 of the guest is mapped */
    uint64_t start, end;  /* virtual: what the image takes */
    uint64_t entry;
    struct evc_pv_notes notes;
    unsigned nr_segments;
    struct evc_pv_segment_of_image segments[EVC_PV_SEGMENTS];
};

/**
 * evc_pv_image_parse() - understand an ELF image
 * @name, @file: stay the caller's, and must outlive @out
 *
 * Return: 0; -ENOEXEC, with one line in @error that says what is wrong where.
 */
int evc_pv_image_parse(const char *name, const struct evc_pv_file *file,
                       struct evc_pv_image *out, struct evc_pv_error *error);

struct evc_pv_span { /* bytes in a file */
    const uint8_t *bytes;
    size_t size;
};

/* Take what one note section says. Return: 0; -ENOEXEC. */
int evc_pv_notes_read(struct evc_pv_notes *notes, struct evc_pv_span section,
                      struct evc_pv_error *error);
/* The same for the older string, "GUEST_OS=x,LOADER=generic,...". */
int evc_pv_notes_read_legacy(struct evc_pv_notes *notes,
                             struct evc_pv_span text,
                             struct evc_pv_error *error);
/* Can such a guest run here? Return: 0; -ENOEXEC. */
int evc_pv_notes_check(const struct evc_pv_notes *notes,
                       struct evc_pv_error *error);

/* ---- machine memory (frames.c) ------------------------------------------------- */

#define EVC_PV_NO_PFN UINT64_MAX

/* GRUB looks for its address among the numbers of frames: it must be large. */
#define EVC_PV_SHARED_INFO_MFN 0x3ffu
#define EVC_PV_FIRST_SPARE_MFN 1u     /* handed out one by one, for grants */
#define EVC_PV_FIRST_MFN       0x400u /* of the guest's own memory */
#define EVC_PV_PAGES_MIN       UINT64_C(1024)
#define EVC_PV_PAGES_MAX       (UINT64_C(1) << 28) /* a tebibyte */

/*
 * One descriptor whose page n is machine frame n, so that mapping a frame
 * anywhere is an mmap().  Frame 0 is nobody's, so that a zero is never right.
 */
struct evc_pv_frames {
    int fd;
    uint8_t *memory;   /* all of it */
    uint64_t nr_pages; /* of the guest's own memory */
    uint64_t end;      /* the first number that is no frame */
    uint64_t *m2p;     /* EVC_PV_NO_PFN: not the guest's */
    uint64_t spare;    /* the next to be handed out */
    uint64_t given_up; /* by the guest, and not taken back */

    /* Of another guest, as large: its frame n is EVC_PV_PEER_MFN + n here. */
    int peer_fd;
    uint8_t *peer; /* or NULL */
};

#define EVC_PV_PEER_MFN (UINT64_C(1) << 36)

/* Return: 0; -EINVAL (nr_pages); -errno of memfd_create(), mmap(). */
int evc_pv_frames_create(uint64_t nr_pages, struct evc_pv_frames *frames,
                         struct evc_pv_error *error);
/*
 * Two guests that can map each other's frames: memory for each, made before
 * their processes part, and the frames on it.  The descriptors are taken over.
 * Return: a descriptor, 0; as evc_pv_frames_create().
 */
int evc_pv_memory_create(uint64_t nr_pages, struct evc_pv_error *error);
int evc_pv_frames_open(uint64_t nr_pages, int own_fd, int peer_fd,
                       struct evc_pv_frames *frames,
                       struct evc_pv_error *error);
void evc_pv_frames_destroy(struct evc_pv_frames *frames);
int evc_pv_frames_alloc(struct evc_pv_frames *frames, uint64_t *mfn);

/* The page of a frame, or NULL. */
static inline void *evc_pv_frame(const struct evc_pv_frames *frames,
                                 uint64_t mfn)
{
    uint8_t *memory = frames->memory;

    if (mfn >= EVC_PV_PEER_MFN) {
        memory = frames->peer;
        mfn -= EVC_PV_PEER_MFN;
    }
    if (mfn == 0 || mfn >= frames->end || memory == NULL)
        return NULL;
    return memory + (mfn << EVC_PV_PAGE_SHIFT);
}

/* The bytes that the machine-to-physical table takes. */
static inline uint64_t evc_pv_m2p_size(const struct evc_pv_frames *frames)
{
    return (frames->end * 8 + EVC_PV_PAGE - 1) & ~(uint64_t)(EVC_PV_PAGE - 1);
}

/* ---- registers -------------------------------------------------------------------- */

/* In the order in which runner/entry.S pushes and pops; the end is iretq's. */
struct evc_pv_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t spare;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* ---- a domain ----------------------------------------------------------------------- */

struct evc_pv_page {
    uint64_t mfn;
    uint64_t *pte; /* in machine memory */
    bool write, exec;
};

/*
 * What the processors have cached, all of them.  Any member may be called at
 * any time by any vCPU.  The tables have been written before: whoever fills the
 * TLB must look at them and fill it as one step, seen from a flush.
 */
struct evc_pv_tlb {
    void (*flush)(void *cpu);
    void (*flush_page)(void *cpu, uint64_t va);
    /* The entry of `va` is another one, and will soon be used. */
    void (*renew)(void *cpu, uint64_t va);
};

struct evc_pv_handler {
    uint64_t address; /* 0: none */
    bool masks;       /* events, on entry */
};

#define EVC_PV_VCPUS   32u /* as many as have a vcpu_info in shared_info */
#define EVC_PV_CALLS   64u
#define EVC_PV_HISTORY 16u /* the last hypercalls, for a crash report */

struct evc_pv_past {
    uint64_t nr, args[3];
    int64_t answer;
    uint64_t rip;
};

/* How a domain ended; set once, by whoever comes first. */
enum evc_pv_end {
    EVC_PV_RUNNING = 0,
    EVC_PV_SHUTDOWN, /* the guest asked, for `reason` */
    EVC_PV_CRASHED,  /* the guest did what cannot be gone on from: `why` */
    EVC_PV_LEFT,     /* whoever sits at the terminal left */
};

struct evc_pv_vcpu {
    struct evc_pv_domain *domain;
    uint32_t id;
    uint8_t *info;            /* its vcpu_info: evc_pv_find_info() */
    _Atomic bool up;          /* changed under the domain's lock */
    bool initialised;         /* under the domain's lock */
    struct evc_pv_regs start; /* to run with, when it first is up */
    struct evc_pv_handler trap[256];
    struct evc_pv_handler event, failsafe, syscall;
    uint64_t fs, gs, gs_user; /* bases: what the guest asked for */
    bool segments_changed;    /* since the processor last took them over */
    bool ts;                  /* fpu_taskswitch */
    bool in_nmi;              /* until the next iret */
    _Atomic bool nmi;         /* one is due */
    uint64_t debug[8];

    /* counting and remembering */
    uint64_t calls[EVC_PV_CALLS], unknown[EVC_PV_CALLS], beyond;
    struct evc_pv_past past[EVC_PV_HISTORY];
    uint64_t nr_past;
    uint64_t upcalls, traps, emulated;
};

/* What the runner lends. */
struct evc_pv_hooks {
    /* grant_table_op. Default: -ENOSYS. */
    int64_t (*grant)(void *runner, uint32_t cmd, uint64_t arg, uint32_t count);
    /* bind_interdomain to a port of the peer's. Default: as for anybody. */
    int (*bind_peer)(void *runner, evc_port remote, evc_port *local);
    /* The guest may have closed ports. Default: nothing. */
    void (*closed)(void *runner);
    /* A vCPU has nothing to do for the moment. Default: nothing. */
    void (*yield)(void *runner, uint32_t vcpu);
    /* It is up, or down, or has an NMI: it must look. Default: nothing. */
    void (*look)(void *runner, uint32_t vcpu);
    /* The domain has ended: every vCPU must look. Any thread. */
    void (*ended)(void *runner);
    /* A line about what the guest asked and is not to be had here. */
    void (*refused)(void *runner, const char *line);
    /* console_io: text for the host. Default: dropped. */
    void (*say)(void *runner, const char *text, size_t size);
};

struct evc_pv_domain {
    struct evc_pv_frames frames;
    struct evc_domain *events;
    const struct evc_pv_tlb *tlb;
    void *cpu; /* handed to tlb */
    const struct evc_pv_hooks *hooks;
    void *runner;   /* handed to hooks */
    evc_domid peer; /* with hooks->bind_peer: who that is */

    pthread_mutex_t lock;
    _Atomic uint64_t base; /* frame of the top-level table */
    uint32_t nr_vcpus;
    struct evc_pv_vcpu vcpu[EVC_PV_VCPUS];

    /* how it ended: to be read when no vCPU runs any more */
    _Atomic int end; /* enum evc_pv_end */
    uint32_t reason; /* SHUTDOWN_* */
    uint32_t who;    /* the vCPU that ended it, if one did */
    char why[200];
};

/* The first reason counts. Any thread. */
void evc_pv_end(struct evc_pv_domain *domain, enum evc_pv_end how,
                uint32_t reason);
/* What the vCPU did cannot be gone on from. Its own thread. */
void evc_pv_crash(struct evc_pv_vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool evc_pv_has_ended(const struct evc_pv_domain *domain)
{
    return domain->end != EVC_PV_RUNNING;
}

/* ---- start of day (build.c, layout.c) ------------------------------------------------- */

struct evc_pv_start {
    const struct evc_pv_image *image;
    uint32_t vcpus;                   /* at most EVC_PV_VCPUS; 0 is 1 */
    const struct evc_pv_file *module; /* or NULL */
    const char *command_line;
    uint32_t store_port, console_port;
    /* Writes the hypercall page; NULL: SYSCALL, as Xen's own. */
    void (*hypercall_page)(void *page);
};

/* Virtual addresses; each but the last is where the next one starts. */
struct evc_pv_layout {
    uint64_t module, p2m, start_info, store, console, tables, stack, end;
    uint64_t nr_tables, nr_p2m;
};

struct evc_pv_world { /* what came of it */
    struct evc_pv_layout layout;
    uint64_t store_mfn, console_mfn;
};

/**
 * evc_pv_layout_plan() - where everything lies
 * Return: 0; -ENOMEM (the domain has too little memory), -ENOEXEC.
 */
int evc_pv_layout_plan(const struct evc_pv_start *start, uint64_t nr_pages,
                       struct evc_pv_layout *out, struct evc_pv_error *error);

/**
 * evc_pv_build() - load the image and build the world around it
 * @domain: with frames, still empty; its first vCPU is ready to run then
 * Return: 0; -ENOMEM, -ENOEXEC, with a line in @error.
 */
int evc_pv_build(struct evc_pv_domain *domain, const struct evc_pv_start *start,
                 struct evc_pv_world *out, struct evc_pv_error *error);

/* 32 bytes each: `fill` has the shape of the start's hypercall_page. */
#define EVC_PV_STUB 32u
void evc_pv_hypercall_page(void *page);

/* ---- the guest's addresses (walk.c) ---------------------------------------------------- */

/* Return: 0; -EFAULT. Rights are those of all levels together. */
int evc_pv_walk(const struct evc_pv_domain *domain, uint64_t va,
                struct evc_pv_page *out);
/* Copy from and to the guest's addresses. Return: 0; -EFAULT. */
int evc_pv_copy_from(const struct evc_pv_vcpu *vcpu, void *to, uint64_t from,
                     size_t size);
int evc_pv_copy_to(const struct evc_pv_vcpu *vcpu, uint64_t to,
                   const void *from, size_t size);
/* Is the frame one of the page tables in use? */
bool evc_pv_is_table(const struct evc_pv_domain *domain, uint64_t mfn);
/* As many bytes of code at `rip` as can be read, at most `size`. */
size_t evc_pv_fetch(const struct evc_pv_vcpu *vcpu, void *to, uint64_t rip,
                    size_t size);

/* ---- hypercalls ----------------------------------------------------------------------------- */

/* Of ops tables: what libevc asks of a domain; the cookie is evc_pv_domain. */
void evc_pv_events_ops(struct evc_ops *ops);

/* A hypercall as the registers say; the answer is in rax. */
void evc_pv_call(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* The same, if nothing outside of src/pv is called for that. Return: whether. */
bool evc_pv_plain_call(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* May a segment's base be there? */
static inline bool evc_pv_is_base(uint64_t va)
{
    return va < UINT64_C(1) << 47;
}

/* The parts, each with the call's arguments (call.c has the table). */
int64_t evc_pv_mmu_update(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_mmuext_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_update_va_mapping(struct evc_pv_vcpu *vcpu,
                                 const uint64_t args[6]);
int64_t evc_pv_memory_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_version(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_console_io(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_set_trap_table(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_set_callbacks(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
int64_t evc_pv_callback_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
/* Starting and stopping vCPUs; the rest of vcpu_op is libevc's. */
int64_t evc_pv_vcpu_op(struct evc_pv_vcpu *vcpu, const uint64_t args[6]);
/*
 * Another top-level table, for all vCPUs: refused while more than one is up.
 * Return: 0; -EINVAL (no such frame); -EOPNOTSUPP.
 */
int evc_pv_set_base(struct evc_pv_vcpu *vcpu, uint64_t mfn);

/* The name of a hypercall, or NULL. */
const char *evc_pv_call_name(uint64_t nr);

/* ---- traps (trap.c) ---------------------------------------------------------------------------- */

#define EVC_PV_NO_CODE UINT64_MAX

enum {
    EVC_TRAP_DEVIDE = 0,
    EVC_TRAP_DEBUG = 1,
    EVC_TRAP_NMI = 2,
    EVC_TRAP_INT3 = 3,
    EVC_TRAP_OVERFLOW = 4,
    EVC_TRAP_UNDEFINED = 6,
    EVC_TRAP_STACK = 12,
    EVC_TRAP_PROTECTION = 13,
    EVC_TRAP_PAGE = 14,
    EVC_TRAP_FPU = 16,
    EVC_TRAP_ALIGNMENT = 17,
    EVC_TRAP_SIMD = 19,
};

/* Selectors of a guest's kernel, as this host's user mode has them. */
#define EVC_PV_CS 0x33u
#define EVC_PV_SS 0x2bu

/* Enter the guest's handler of a trap; without one, the domain crashes. */
void evc_pv_trap(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                 unsigned vector, uint64_t code);
void evc_pv_page_fault(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                       uint64_t address, uint64_t code);
/* Enter the event callback, or that for NMIs, if due. Return: whether it was. */
bool evc_pv_deliver(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* The hypercall: rsp points to struct evc_pv_iret. */
void evc_pv_iret(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* The same, if there is such a frame. Return: 0; -EFAULT, and nothing done. */
int evc_pv_try_iret(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* Flags that a guest may have, of those it wishes. */
uint64_t evc_pv_flags(uint64_t wished);
/* Where its vcpu_info is: before it runs, and when that may have moved. */
void evc_pv_find_info(struct evc_pv_vcpu *vcpu);
/* Is an event pending and not masked?  Not a call, also for runner/quick.c. */
static inline bool evc_pv_is_due(const struct evc_pv_vcpu *vcpu)
{
    return __atomic_load_n(vcpu->info, __ATOMIC_ACQUIRE) != 0 &&
           __atomic_load_n(vcpu->info + 1, __ATOMIC_RELAXED) == 0;
}
bool evc_pv_masked(const struct evc_pv_vcpu *vcpu);
void evc_pv_mask(struct evc_pv_vcpu *vcpu, bool masked);

/* ---- instructions (decode.c, emulate.c) ----------------------------------------------------------- */

enum evc_pv_operation {
    EVC_OP_UNKNOWN = 0,
    EVC_OP_CLI,
    EVC_OP_STI,
    EVC_OP_HLT,
    EVC_OP_IN, /* size; the port in dx or `value` */
    EVC_OP_OUT,
    EVC_OP_RDMSR,
    EVC_OP_WRMSR,
    EVC_OP_READ_CR, /* number, reg */
    EVC_OP_WRITE_CR,
    EVC_OP_READ_DR,
    EVC_OP_WRITE_DR,
    EVC_OP_CLTS,
    EVC_OP_WBINVD,
    EVC_OP_INVLPG,
    EVC_OP_CPUID, /* with Xen's prefix */
    EVC_OP_SYSCALL,
    EVC_OP_LOAD,        /* mov reg, [memory] */
    EVC_OP_STORE,       /* mov [memory], reg */
    EVC_OP_STORE_VALUE, /* mov [memory], value */
    EVC_OP_EXCHANGE,    /* xchg [memory], reg */
};

struct evc_pv_instruction {
    enum evc_pv_operation operation;
    uint8_t length;
    uint8_t size;   /* of the operand, in bytes */
    uint8_t reg;    /* 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, ... 15 r15 */
    uint8_t number; /* control or debug register */
    uint64_t value; /* immediate, sign-extended */
};

/* Decode at most 15 bytes; UNKNOWN if they are not one of the above. */
void evc_pv_decode(const uint8_t *bytes, size_t size,
                   struct evc_pv_instruction *out);
/* The register of a number, as decoded. */
uint64_t *evc_pv_reg(struct evc_pv_regs *regs, unsigned number);

/*
 * A privileged instruction raised #GP, or Xen's prefix #UD. Return: whether it
 * has been carried out; if not, the trap is the guest's.
 */
bool evc_pv_emulate(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs);
/* A read of the machine-to-physical table, a write to a page table. */
bool evc_pv_emulate_access(struct evc_pv_vcpu *vcpu, struct evc_pv_regs *regs,
                           uint64_t address, bool write);

#endif /* EVC_PV_PV_H */
