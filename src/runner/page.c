/* SPDX-License-Identifier: MIT */
/*
 * The hypercall page: as Xen's own, but that instead of SYSCALL there is
 *
 *     movabs $way_in, %r11
 *     call *%r11
 *
 * The stub has saved rcx and r11 before that, as SYSCALL changes them.
 */
#include "runner.h"

#include <string.h>

#include <evc/abi/numbers.h>

#include "entry.h"

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

static void write_stub(uint8_t *to, uint32_t nr, uint64_t way_in)
{
    static const uint8_t save[] = {0x51, 0x41, 0x53}, push_rax[] = {0x50};
    static const uint8_t mov_eax[] = {0xb8}, mov_r11[] = {0x49, 0xbb};
    static const uint8_t call_r11[] = {0x41, 0xff, 0xd3};
    static const uint8_t restore[] = {0x41, 0x5b, 0x59, 0xc3};

    to = put(to, save, sizeof(save));
    if (nr == __HYPERVISOR_iret)
        to = put(to, push_rax, sizeof(push_rax));
    to = put(to, mov_eax, sizeof(mov_eax));
    to = put(to, &nr, sizeof(nr));
    to = put(to, mov_r11, sizeof(mov_r11));
    to = put(to, &way_in, sizeof(way_in));
    to = put(to, call_r11, sizeof(call_r11));
    put(to, restore, sizeof(restore));
}

static void write_page(uint8_t *page, uint64_t way_in)
{
    memset(page, 0xcc, EVC_PV_PAGE);
    for (uint32_t nr = 0; nr < EVC_PV_PAGE / EVC_PV_STUB; nr++)
        write_stub(page + nr * EVC_PV_STUB, nr, way_in);
}

/* Without selectors to tell vCPUs by, a signal tells them: SYSCALL. */
void evc_cpu_hypercall_page(void *page)
{
    if (evc_run_nr_cpus == 1)
        write_page(page, (uint64_t)(uintptr_t)evc_cpu_enter_only);
    else if (evc_run_has_selectors)
        write_page(page, (uint64_t)(uintptr_t)evc_cpu_enter);
    else
        evc_pv_hypercall_page(page);
}
