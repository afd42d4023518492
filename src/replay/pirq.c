/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts: lines 0-23 of the machine the recordings were made on.
 * A domain may bind a line that is mapped into it and that it is allowed to
 * use; two domains may have one line when both are willing to share it.
 */
#include <errno.h>

#include "world.h"

#define LINE_TIMER   0u /* Xen's own, given to nobody */
#define LINE_CASCADE 2u /* may be mapped, but is in use */
#define LINE_CONSOLE 4u /* likewise */

/* How many PIRQs a domain has: more than there are lines. */
unsigned evc_pirq_count(unsigned domid)
{
    return domid ? 56 : 208;
}

bool evc_pirq_permitted(const struct evc_dom *dom, uint32_t pirq)
{
    return pirq < EVC_WORLD_LINES && dom->line_mapped[pirq] &&
           dom->line_allowed[pirq];
}

/* dom0 can only pass on what it has itself. */
int evc_pirq_allow(struct evc_dom *dom, uint32_t pirq, bool allow)
{
    const struct evc_dom *dom0 = &dom->world->dom[0];

    if (pirq >= evc_pirq_count(0))
        return -EINVAL;
    if (!evc_pirq_permitted(dom0, pirq))
        return -EPERM;
    dom->line_allowed[pirq] = allow;
    return 0;
}

/* Mapping brings the permission with it. */
int evc_pirq_map(struct evc_dom *dom, uint32_t pirq)
{
    const struct evc_dom *dom0 = &dom->world->dom[0];

    if (pirq >= EVC_WORLD_LINES)
        return -EINVAL;
    if (!dom0->line_allowed[pirq])
        return -EPERM;
    dom->line_allowed[pirq] = true;
    dom->line_mapped[pirq] = true;
    return 0;
}

int evc_pirq_bind(struct evc_dom *dom, uint32_t pirq, bool share)
{
    struct evc_world *world = dom->world;

    if (pirq >= EVC_WORLD_LINES)
        return -EINVAL;
    if (pirq == LINE_TIMER || pirq == LINE_CASCADE || pirq == LINE_CONSOLE ||
        (world->line[pirq].users && !(share && world->line[pirq].shared))) {
        world->logged = true;
        return -EBUSY;
    }
    world->line[pirq].users |= 1u << dom->id;
    world->line[pirq].shared = share;
    return 0;
}

void evc_pirq_unbind(struct evc_dom *dom, uint32_t pirq)
{
    if (pirq < EVC_WORLD_LINES)
        dom->world->line[pirq].users &= ~(1u << dom->id);
}

void evc_pirq_raise(struct evc_world *world, unsigned line)
{
    for (unsigned k = 0; k < EVC_WORLD_DOMS; k++)
        if (world->line[line].users >> k & 1)
            (void)evc_raise_pirq(world->dom[k].handle, line);
}
