/* SPDX-License-Identifier: MIT */
/*
 * Start of day: the image loaded, and the world built around it.
 *
 * All memory is zero at first.  The guest's page n is machine frame
 * EVC_PV_FIRST_MFN + n, and is mapped at the image's base + n pages.
 */
#include "pv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>

#define MAPPED \
    (EVC_PTE_PRESENT | EVC_PTE_USER | EVC_PTE_ACCESSED | EVC_PTE_DIRTY)

struct build {
    struct evc_pv_domain *domain;
    const struct evc_pv_start *start;
    struct evc_pv_layout layout;
    uint64_t base;       /* virtual address of the guest's page 0 */
    uint64_t next_table; /* virtual address of the next unused one */
};

static uint64_t mfn_of(const struct build *build, uint64_t va)
{
    return EVC_PV_FIRST_MFN + ((va - build->base) >> EVC_PV_PAGE_SHIFT);
}

/* The host's address; the layout has been checked against the memory. */
static void *at(const struct build *build, uint64_t va)
{
    return build->domain->frames.memory +
           EVC_PV_FIRST_MFN * (uint64_t)EVC_PV_PAGE + (va - build->base);
}

/* ---- the image -------------------------------------------------------------------- */

static void load_image(struct build *build)
{
    const struct evc_pv_image *image = build->start->image;

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct evc_pv_segment_of_image *segment = &image->segments[i];

        memcpy(at(build, build->base + segment->at),
               image->bytes + segment->offset, segment->file_size);
    }
    if (build->start->module)
        memcpy(at(build, build->layout.module), build->start->module->bytes,
               build->start->module->size);
}

/* Xen's own stubs; each has its hypercall's number times 32 as offset. */
void evc_pv_hypercall_page(void *page)
{
    static const uint8_t stub[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                                   0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    static const uint8_t iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 0,
                                   0,    0,    0,    0x0f, 0x05};
    uint8_t *to = page;

    memset(page, 0xcc, EVC_PV_PAGE);
    for (unsigned nr = 0; nr < EVC_PV_PAGE / EVC_PV_STUB; nr++) {
        bool is_iret = nr == __HYPERVISOR_iret;

        memcpy(to, is_iret ? iret : stub,
               is_iret ? sizeof(iret) : sizeof(stub));
        to[is_iret ? 5 : 4] = (uint8_t)nr;
        to += EVC_PV_STUB;
    }
}

static void write_hypercall_page(struct build *build)
{
    const struct evc_pv_notes *notes = &build->start->image->notes;

    if (!notes->has_hypercall_page)
        return;
    if (build->start->hypercall_page)
        build->start->hypercall_page(at(build, notes->hypercall_page));
    else
        evc_pv_hypercall_page(at(build, notes->hypercall_page));
}

/* ---- page tables ------------------------------------------------------------------- */

static uint64_t take_table(struct build *build)
{
    uint64_t va = build->next_table;

    build->next_table += EVC_PV_PAGE;
    return va;
}

static bool is_table(const struct build *build, uint64_t va)
{
    return va >= build->layout.tables && va < build->layout.stack;
}

/* The entry of `va` in a table; the table below is made if it is missing. */
static uint64_t *entry_at(struct build *build, uint64_t va)
{
    uint64_t *table = at(build, build->layout.tables);

    for (unsigned shift = 39; shift > EVC_PV_PAGE_SHIFT; shift -= 9) {
        uint64_t *entry = &table[(va >> shift) % EVC_PTE_ENTRIES];

        if (*entry == 0)
            *entry = mfn_of(build, take_table(build)) << EVC_PV_PAGE_SHIFT |
                     MAPPED | EVC_PTE_WRITE;
        table = evc_pv_frame(&build->domain->frames,
                             (*entry & EVC_PTE_FRAME) >> EVC_PV_PAGE_SHIFT);
    }
    return &table[(va >> EVC_PV_PAGE_SHIFT) % EVC_PTE_ENTRIES];
}

static void build_tables(struct build *build)
{
    build->next_table = build->layout.tables + EVC_PV_PAGE;
    for (uint64_t va = build->base; va < build->layout.end; va += EVC_PV_PAGE)
        *entry_at(build, va) = mfn_of(build, va) << EVC_PV_PAGE_SHIFT | MAPPED |
                               (is_table(build, va) ? 0 : EVC_PTE_WRITE);
}

static void build_p2m(struct build *build)
{
    uint64_t *p2m = at(build, build->layout.p2m);

    for (uint64_t pfn = 0; pfn < build->domain->frames.nr_pages; pfn++)
        p2m[pfn] = EVC_PV_FIRST_MFN + pfn;
}

/* ---- start_info ----------------------------------------------------------------------- */

static void build_start_info(struct build *build)
{
    const struct evc_pv_layout *layout = &build->layout;
    struct evc_abi_start_info_x86_64 *info = at(build, layout->start_info);
    const struct evc_pv_file *module = build->start->module;

    snprintf(info->magic, sizeof(info->magic), "xen-3.0-x86_64");
    info->nr_pages = build->domain->frames.nr_pages;
    info->shared_info = EVC_PV_SHARED_INFO_MFN * (uint64_t)EVC_PV_PAGE;
    info->store_mfn = mfn_of(build, layout->store);
    info->store_evtchn = build->start->store_port;
    info->console.domU.mfn = mfn_of(build, layout->console);
    info->console.domU.evtchn = build->start->console_port;
    info->pt_base = layout->tables;
    info->nr_pt_frames = layout->nr_tables;
    info->mfn_list = layout->p2m;
    info->mod_start = module ? layout->module : 0;
    info->mod_len = module ? module->size : 0;
    snprintf((char *)info->cmd_line, sizeof(info->cmd_line), "%s",
             build->start->command_line ? build->start->command_line : "");
}

/* All upcalls are masked until the guest has somewhere to take them. */
static void build_shared_info(struct build *build)
{
    struct evc_abi_shared_info_x86_64 *info =
        evc_pv_frame(&build->domain->frames, EVC_PV_SHARED_INFO_MFN);

    for (unsigned i = 0; i < EVC_ABI_X86_64_VCPU_SLOTS; i++)
        info->vcpu_info[i].evtchn_upcall_mask = 1;
}

static void build_vcpus(struct build *build)
{
    struct evc_pv_domain *domain = build->domain;

    pthread_mutex_init(&domain->lock, NULL);
    domain->base = mfn_of(build, build->layout.tables);
    domain->nr_vcpus = build->start->vcpus ? build->start->vcpus : 1;
    for (uint32_t i = 0; i < domain->nr_vcpus; i++) {
        domain->vcpu[i].domain = domain;
        domain->vcpu[i].id = i;
    }
}

static void start_vcpu(struct build *build)
{
    struct evc_pv_vcpu *vcpu = &build->domain->vcpu[0];

    vcpu->initialised = true;
    vcpu->up = true;
    vcpu->start = (struct evc_pv_regs){
        .rip = build->start->image->entry,
        .rsp = build->layout.stack + EVC_PV_PAGE,
        .rsi = build->layout.start_info,
        .rflags = 0x202,
        .cs = EVC_PV_CS,
        .ss = EVC_PV_SS,
    };
}

static int check_command_line(const struct evc_pv_start *start,
                              struct evc_pv_error *error)
{
    if (start->command_line && strlen(start->command_line) >= MAX_GUEST_CMDLINE)
        return evc_pv_fail(error, -EINVAL,
                           "the command line is longer than 1023 bytes");
    return 0;
}

int evc_pv_build(struct evc_pv_domain *domain, const struct evc_pv_start *start,
                 struct evc_pv_world *out, struct evc_pv_error *error)
{
    struct build build = {
        .domain = domain,
        .start = start,
        .base = start->image->virt_base,
    };
    int r = check_command_line(start, error);

    if (r == 0 && start->vcpus > EVC_PV_VCPUS)
        r = evc_pv_fail(error, -EINVAL, "a guest has at most %u vCPUs",
                        EVC_PV_VCPUS);
    if (r == 0)
        r = evc_pv_layout_plan(start, domain->frames.nr_pages, &build.layout,
                               error);
    if (r < 0)
        return r;
    load_image(&build);
    write_hypercall_page(&build);
    build_p2m(&build);
    build_tables(&build);
    build_start_info(&build);
    build_shared_info(&build);
    out->layout = build.layout;
    out->store_mfn = mfn_of(&build, build.layout.store);
    out->console_mfn = mfn_of(&build, build.layout.console);
    build_vcpus(&build);
    start_vcpu(&build);
    return 0;
}
