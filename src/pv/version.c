/* SPDX-License-Identifier: MIT */
/*
 * xen_version and console_io: who is there, and a line for the host's log.
 */
#include "pv.h"

#include <errno.h>
#include <string.h>

enum { /* XENVER_* */
       VERSION = 0,
       EXTRAVERSION = 1,
       COMPILE_INFO = 2,
       CAPABILITIES = 3,
       CHANGESET = 4,
       PLATFORM_PARAMETERS = 5,
       GET_FEATURES = 6,
       PAGESIZE = 7,
       GUEST_HANDLE = 8,
       COMMANDLINE = 9,
};

#define XEN_4_17 (4 << 16 | 17)

static const uint8_t nothing[1024];

/* A fixed array of the guest's, filled up with zeroes. */
static int64_t give_text(struct evc_pv_vcpu *vcpu, uint64_t to,
                         const char *text, size_t size)
{
    char all[1024] = {0};

    memcpy(all, text, strlen(text));
    return evc_pv_copy_to(vcpu, to, all, size);
}

static int64_t give_features(struct evc_pv_vcpu *vcpu, uint64_t at)
{
    struct {
        uint32_t index, submap;
    } info;

    if (evc_pv_copy_from(vcpu, &info, at, sizeof(info)) < 0)
        return -EFAULT;
    if (info.index != 0)
        return -EINVAL;
    info.submap = 1u << 5 | 1u << 17; /* preserve_ad, direct_mapped, as Xen */
    return evc_pv_copy_to(vcpu, at, &info, sizeof(info));
}

int64_t evc_pv_version(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    static const uint64_t start = EVC_PV_HOLE_START;

    switch ((uint32_t)args[0]) {
    case VERSION:
        return XEN_4_17;
    case EXTRAVERSION:
        return give_text(vcpu, args[1], ".0-evc", 16);
    case COMPILE_INFO:
        return evc_pv_copy_to(vcpu, args[1], nothing, 64 + 16 + 32 + 32);
    case CAPABILITIES:
        return give_text(vcpu, args[1], "xen-3.0-x86_64 ", 1024);
    case CHANGESET:
        return give_text(vcpu, args[1], "evc", 64);
    case PLATFORM_PARAMETERS:
        return evc_pv_copy_to(vcpu, args[1], &start, sizeof(start));
    case GET_FEATURES:
        return give_features(vcpu, args[1]);
    case PAGESIZE:
        return EVC_PV_PAGE;
    case GUEST_HANDLE:
        return evc_pv_copy_to(vcpu, args[1], nothing, 16);
    case COMMANDLINE:
        return evc_pv_copy_to(vcpu, args[1], nothing, 1024);
    default:
        return -ENOSYS;
    }
}

/* ---- console_io ----------------------------------------------------------------- */

#define CONSOLEIO_WRITE 0u
#define SAY_MAX         4096u /* of one call; more is dropped */

int64_t evc_pv_console_io(struct evc_pv_vcpu *vcpu, const uint64_t args[6])
{
    const struct evc_pv_domain *domain = vcpu->domain;
    char text[SAY_MAX];
    size_t size = (uint32_t)args[1] < SAY_MAX ? (uint32_t)args[1] : SAY_MAX;

    if ((uint32_t)args[0] != CONSOLEIO_WRITE)
        return -ENOSYS;
    if (evc_pv_copy_from(vcpu, text, args[2], size) < 0)
        return -EFAULT;
    if (domain->hooks->say)
        domain->hooks->say(domain->runner, text, size);
    return 0;
}
