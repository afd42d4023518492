/* SPDX-License-Identifier: MIT */
/*
 * Start of day: where everything lies (xen.h, "Start-of-day memory layout").
 *
 * Frame 0 of the guest is at the image's virtual base; from there to the end,
 * which is aligned to 4 MiB, every page is mapped to the frame of its number.
 * The page tables lie inside what they map, so their number and the end depend
 * on each other.
 */
#include "pv.h"

#include <errno.h>
#include <inttypes.h>

#define ALIGNMENT (UINT64_C(4) << 20)
#define PADDING   (UINT64_C(512) << 10)

static uint64_t pages_up(uint64_t x)
{
    return (x + EVC_PV_PAGE - 1) & ~(uint64_t)(EVC_PV_PAGE - 1);
}

/* Tables of one level: each covers 2^shift bytes. */
static uint64_t tables_of(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

static uint64_t count_tables(uint64_t start, uint64_t end)
{
    return 1 + tables_of(start, end, 39) + tables_of(start, end, 30) +
           tables_of(start, end, 21);
}

/* Everything behind the tables, if there were `tables` of them. */
static void finish(struct evc_pv_layout *layout, uint64_t tables)
{
    layout->nr_tables = tables;
    layout->stack = layout->tables + tables * EVC_PV_PAGE;
    layout->end = layout->stack + EVC_PV_PAGE + PADDING;
    layout->end = (layout->end + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/* More tables may need a later end, a later end more tables; it settles. */
static void settle(struct evc_pv_layout *layout, uint64_t base)
{
    uint64_t tables = 0, wanted = 4;

    while (wanted > tables) {
        tables = wanted;
        finish(layout, tables);
        wanted = count_tables(base, layout->end);
    }
}

int evc_pv_layout_plan(const struct evc_pv_start *start, uint64_t nr_pages,
                       struct evc_pv_layout *out, struct evc_pv_error *error)
{
    const struct evc_pv_image *image = start->image;
    uint64_t base = image->virt_base;
    uint64_t module = start->module ? start->module->size : 0;
    struct evc_pv_layout layout = {0};

    layout.nr_p2m = pages_up(nr_pages * 8) / EVC_PV_PAGE;
    layout.module = pages_up(image->end);
    layout.p2m = layout.module + pages_up(module);
    layout.start_info = layout.p2m + layout.nr_p2m * EVC_PV_PAGE;
    layout.store = layout.start_info + EVC_PV_PAGE;
    layout.console = layout.store + EVC_PV_PAGE;
    layout.tables = layout.console + EVC_PV_PAGE;
    settle(&layout, base);
    if ((layout.end - base) / EVC_PV_PAGE > nr_pages)
        return evc_pv_fail(
            error, -ENOMEM,
            "%s: needs at least %" PRIu64 " MiB to start in, the guest has "
            "%" PRIu64 " (--memory)",
            image->name, (layout.end - base) >> 20, nr_pages >> 8);
    *out = layout;
    return 0;
}
