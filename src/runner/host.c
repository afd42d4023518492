/* SPDX-License-Identifier: MIT */
/*
 * What this machine must have for a guest to run on it, looked at before
 * anything else, so that what is missing is said in one line.
 */
#include "runner.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define HWCAP2_HAS_FSGSBASE 2u

/* Switching it off is always allowed, where there is such a thing. */
static bool has_user_dispatch(void)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0;
}

static bool has_fsgsbase(void)
{
    return (getauxval(AT_HWCAP2) & HWCAP2_HAS_FSGSBASE) != 0;
}

/* The program itself must lie where no guest may. */
static bool is_high(void)
{
    return (uint64_t)(uintptr_t)is_high >= EVC_RUN_HOST;
}

/* And so must its libraries, and what Linux maps next. */
static bool are_libraries_high(void)
{
    void *next =
        mmap(NULL, EVC_PV_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (next != MAP_FAILED)
        munmap(next, EVC_PV_PAGE);
    return (uint64_t)(uintptr_t)mmap >= EVC_RUN_HOST &&
           (uint64_t)(uintptr_t)next >= EVC_RUN_HOST;
}

int evc_run_check_host(struct evc_pv_error *error)
{
    if (!is_high())
        return evc_pv_fail(error, -ENOTSUP,
                           "this program was not built as a "
                           "position-independent executable (-Db_pie=true)");
    if (!are_libraries_high())
        return evc_pv_fail(error, -ENOTSUP,
                           "Linux has put libraries where guests may lie; a "
                           "limit to stacks is needed: `ulimit -s 8192`");
    if (!has_user_dispatch())
        return evc_pv_fail(error, -ENOTSUP,
                           "this kernel has no Syscall User Dispatch: Linux "
                           "5.11 or newer is needed, on x86-64");
    if (!has_fsgsbase())
        return evc_pv_fail(error, -ENOTSUP,
                           "the instructions rdfsbase and wrfsbase are needed "
                           "(an x86-64 processor since 2012, Linux 5.9)");
    return 0;
}

/* ---- the image's own wishes ----------------------------------------------------------- */

static int try_to_map(uint64_t va)
{
    void *at = mmap((void *)va, EVC_PV_PAGE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    munmap(at, EVC_PV_PAGE);
    return at == (void *)va ? 0 : -EEXIST;
}

int evc_run_check_image(const struct evc_pv_image *image,
                        struct evc_pv_error *error)
{
    int r;

    if (image->end >= EVC_RUN_HOST)
        return evc_pv_fail(error, -ENOTSUP,
                           "%s: linked at 0x%" PRIx64 "; evc boot runs images "
                           "below 0x%" PRIx64,
                           image->name, image->virt_base, EVC_RUN_HOST);
    r = try_to_map(image->virt_base);
    if (r == -EPERM)
        return evc_pv_fail(
            error, r,
            "%s: linked at 0x%" PRIx64 ", which this user may not map; run it "
            "as root (CAP_SYS_RAWIO), or allow it to all with `sysctl "
            "vm.mmap_min_addr=0`",
            image->name, image->virt_base);
    if (r < 0)
        return evc_pv_fail(error, r,
                           "%s: cannot map its base 0x%" PRIx64 ": %s",
                           image->name, image->virt_base, strerror(-r));
    return 0;
}
