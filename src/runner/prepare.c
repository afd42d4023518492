/* SPDX-License-Identifier: MIT */
/*
 * Getting processors ready: what they share (a block of signal stacks, selectors
 * to be told apart by), and what each one's thread needs to run guest code.
 */
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/ldt.h>
#include <cpuid.h>
#include <immintrin.h>

#include "entry.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF          0
#define PR_SYS_DISPATCH_ON           1
#endif

#define USER_END UINT64_C(0x7ffffffff000)

uint64_t evc_run_stacks, evc_run_nr_cpus;
bool evc_run_has_selectors;

/* ---- what they share ------------------------------------------------------------- */

static int map_stacks(unsigned n)
{
    void *at = mmap(NULL, n * EVC_RUN_STACK_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    evc_run_stacks = (uint64_t)(uintptr_t)at;
    return 0;
}

/* A plain data segment; only its number matters. */
static int make_selector(unsigned id)
{
    struct user_desc segment = {
        .entry_number = id,
        .limit = 0xfffff,
        .seg_32bit = 1,
        .limit_in_pages = 1,
        .useable = 1,
    };

    return (int)syscall(SYS_modify_ldt, 1, &segment, sizeof(segment));
}

/* A kernel may be built without; it only costs time then. */
static bool make_selectors(unsigned n)
{
    for (unsigned id = 0; id < n; id++)
        if (make_selector(id) != 0)
            return false;
    return true;
}

int evc_cpus_create(unsigned n, struct evc_pv_error *error)
{
    int r = map_stacks(n);

    if (r < 0)
        return evc_pv_fail(error, r, "cannot have stacks for %u vCPUs: %s", n,
                           strerror(-r));
    evc_run_nr_cpus = n;
    evc_run_has_selectors = n > 1 && make_selectors(n);
    return 0;
}

void evc_cpus_destroy(void)
{
    if (evc_run_nr_cpus > 0)
        munmap((void *)evc_run_stacks, evc_run_nr_cpus * EVC_RUN_STACK_SIZE);
    evc_run_nr_cpus = 0;
}

/* ---- what one's thread needs ---------------------------------------------------------- */

__thread struct evc_run_cpu *evc_cpu_self;

static unsigned id_of(const struct evc_run_cpu *cpu)
{
    return (unsigned)(cpu - evc_run_cpus);
}

static int set_stack(const struct evc_run_cpu *cpu)
{
    stack_t stack = {
        .ss_sp = (void *)(evc_run_stacks + id_of(cpu) * EVC_RUN_STACK_SIZE),
        .ss_size = EVC_RUN_STACK_SIZE,
    };

    return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}

#define VECTORS_SIZE ((size_t)4096) /* 16 of 16 bytes; 32 of 64, and masks */

/* What the kernel switches between processes is what a guest can use. */
#define XCR0_YMM UINT64_C(0x06)
#define XCR0_ZMM UINT64_C(0xe6)

static uint32_t vectors_kind(void)
{
    unsigned eax, ebx, ecx, edx;
    uint64_t xcr0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return EVC_RUN_XMM;
    xcr0 = (uint64_t)_xgetbv(0);
    if ((xcr0 & XCR0_ZMM) == XCR0_ZMM &&
        __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
        (ebx & bit_AVX512BW)) /* for kmovq */
        return EVC_RUN_ZMM;
    return (xcr0 & XCR0_YMM) == XCR0_YMM ? EVC_RUN_YMM : EVC_RUN_XMM;
}

/* All zero, which is what the guest starts with. */
static int set_vectors(struct evc_run_cpu *cpu)
{
    cpu->vectors = aligned_alloc(64, VECTORS_SIZE);
    if (!cpu->vectors)
        return -ENOMEM;
    memset(cpu->vectors, 0, VECTORS_SIZE);
    cpu->kind = vectors_kind();
    return 0;
}

static int dispatch(unsigned long mode)
{
    unsigned long start = mode == PR_SYS_DISPATCH_ON ? EVC_RUN_HOST : 0;
    unsigned long size = mode == PR_SYS_DISPATCH_ON ? USER_END - start : 0;

    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, start, size, NULL) < 0
               ? -errno
               : 0;
}

int evc_cpu_prepare(struct evc_run_cpu *cpu)
{
    int r = set_vectors(cpu);

    evc_cpu_self = cpu;
    cpu->host_fs = _readfsbase_u64();
    if (evc_run_has_selectors)
        evc_cpu_set_selector(cpu);
    if (r == 0)
        r = set_stack(cpu);
    if (r == 0)
        r = dispatch(PR_SYS_DISPATCH_ON);
    return r;
}

void evc_cpu_finish(struct evc_run_cpu *cpu)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    __atomic_store_n(&cpu->thread, 0, __ATOMIC_SEQ_CST);
    evc_cpu_self = NULL;
    dispatch(PR_SYS_DISPATCH_OFF);
    sigaltstack(&none, NULL);
    free(cpu->vectors);
    cpu->vectors = NULL;
}
