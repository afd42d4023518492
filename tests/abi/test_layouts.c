/* SPDX-License-Identifier: MIT */
/*
 * The row EVC_ABI_LAYOUT_INIT() makes has each number in the right member.
 *
 * The initialiser goes by order, so two members that changed places would
 * compile.  Here each is measured on the structs again.
 */
#include <stddef.h>
#include <stdio.h>

#include <evc/abi/layouts.h>

static int failures;

static void check(const char *layout, const char *member, size_t is,
                  size_t should)
{
    if (is == should)
        return;
    printf("%s: %s is %zu, the struct says %zu\n", layout, member, is, should);
    failures++;
}

#define SIZE_OF(type, member) sizeof(((struct type *)0)->member)
#define CHECK(member, should) check(name, #member, row.member, should)
#define CHECK_LAYOUT(layout, suffix)                                           \
    do {                                                                       \
        static const struct evc_abi_layout row = EVC_ABI_LAYOUT_INIT(layout);  \
        const char *name = #layout;                                            \
        CHECK(word, SIZE_OF(VCPU(suffix), evtchn_pending_sel));                \
        CHECK(twolevel_ports, SIZE_OF(SHARED(suffix), evtchn_mask) * 8);       \
        CHECK(vcpu_slots,                                                      \
              SIZE_OF(SHARED(suffix), vcpu_info) / row.vcpu_info_size);        \
        CHECK(vcpu_info_size, sizeof(struct VCPU(suffix)));                    \
        CHECK(pending_sel, offsetof(struct VCPU(suffix), evtchn_pending_sel)); \
        CHECK(time, offsetof(struct VCPU(suffix), time));                      \
        CHECK(shared_info_size, sizeof(struct SHARED(suffix)));                \
        CHECK(pending, offsetof(struct SHARED(suffix), evtchn_pending));       \
        CHECK(mask, offsetof(struct SHARED(suffix), evtchn_mask));             \
        CHECK(wc_version, offsetof(struct SHARED(suffix), wc_version));        \
        CHECK(wc_sec, offsetof(struct SHARED(suffix), wc_sec));                \
        CHECK(wc_nsec, offsetof(struct SHARED(suffix), wc_nsec));              \
        CHECK(wc_sec_hi, offsetof(struct SHARED(suffix), SEC_HI(layout)));     \
        CHECK(multicall_entry_size,                                            \
              sizeof(struct evc_abi_multicall_entry_##suffix));                \
        CHECK(sched_poll_size, sizeof(struct evc_abi_sched_poll_##suffix));    \
        CHECK(singleshot_timer_size,                                           \
              sizeof(struct evc_abi_vcpu_set_singleshot_timer_##suffix));      \
        CHECK(has_upcall_mask, HAS_MASK_##layout);                             \
    } while (0)

#define VCPU(suffix)   evc_abi_vcpu_info_##suffix
#define SHARED(suffix) evc_abi_shared_info_##suffix
#define SEC_HI(layout) SEC_HI_##layout
#define SEC_HI_X86_64  wc_sec_hi
#define SEC_HI_X86_32  arch.wc_sec_hi
#define SEC_HI_ARM     wc_sec_hi

/* A member that is not there does not compile, so these are facts as well. */
#define HAS_MASK_X86_64 SIZE_OF(evc_abi_vcpu_info_x86_64, evtchn_upcall_mask)
#define HAS_MASK_X86_32 SIZE_OF(evc_abi_vcpu_info_x86_32, evtchn_upcall_mask)
#define HAS_MASK_ARM    (SIZE_OF(evc_abi_vcpu_info_arm, pad0) - 1)

int main(void)
{
    CHECK_LAYOUT(X86_64, x86_64);
    CHECK_LAYOUT(X86_32, x86_32);
    CHECK_LAYOUT(ARM, arm);
    return failures ? 1 : 0;
}
