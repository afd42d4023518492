/* SPDX-License-Identifier: MIT */
/*
 * libevc in one page: two domains, one channel, one event.
 *
 *     cc embed.c $(pkg-config --cflags --libs libevc)
 *
 * A real embedder passes its guests' hypercalls to evc_hypercall(); here main()
 * asks in the guests' place, and looks at the shared page as a guest would.
 */
#include <stdio.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/evc.h>

struct guest {
    _Alignas(4096) struct evc_abi_shared_info_x86_64 page;
    const char *name;
    struct evc_domain *domain;
};

/* The engine calls this when a vCPU must look at its shared page. */
static void kick(void *dom, uint32_t vcpu)
{
    const struct guest *guest = dom;

    printf("%s: vCPU %u is kicked\n", guest->name, vcpu);
}

static int add(struct evc_engine *engine, evc_domid id, struct guest *guest)
{
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = id,
        .layout = EVC_LAYOUT_X86_64,
        .vcpus = 1,
        .max_port = UINT32_MAX,
        .shared_info = &guest->page,
        .cookie = guest,
    };

    return evc_domain_create(engine, &config, &guest->domain);
}

int main(void)
{
    static struct guest alice = {.name = "alice"}, bob = {.name = "bob"};
    static const struct evc_ops ops = {.size = sizeof(ops), .kick = kick};
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF, .remote_dom = 2};
    struct evtchn_bind_interdomain bind = {.remote_dom = 1};
    struct evc_engine *engine;

    if (evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine) < 0)
        return 1;
    if (add(engine, 1, &alice) < 0 || add(engine, 2, &bob) < 0)
        return 1;

    /* Alice offers a port to Bob; he binds one of his to it, and sends. */
    if (evc_event_channel_op(alice.domain, EVTCHNOP_alloc_unbound, &offer) < 0)
        return 1;
    bind.remote_port = offer.port;
    if (evc_event_channel_op(bob.domain, EVTCHNOP_bind_interdomain, &bind) < 0)
        return 1;
    if (evc_send(bob.domain, bind.local_port) < 0)
        return 1;

    printf("alice: pending %#llx, port %u\n",
           (unsigned long long)alice.page.evtchn_pending[0], offer.port);
    evc_engine_destroy(engine);
    return 0;
}
