/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of both ABIs, slow and plain.
 */
#include "guest.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- operations ----------------------------------------------------------------- */

static int op(struct guest *g, uint32_t cmd, void *arg)
{
    return evc_event_channel_op(g->dom, cmd, arg);
}

int alloc_unbound(struct guest *g, uint32_t dom, uint32_t remote)
{
    struct evtchn_alloc_unbound arg = {.dom = (domid_t)dom,
                                       .remote_dom = (domid_t)remote};
    int r = op(g, EVTCHNOP_alloc_unbound, &arg);

    return r < 0 ? r : (int)arg.port;
}

int bind_interdomain(struct guest *g, uint32_t remote, uint32_t port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = (domid_t)remote,
                                          .remote_port = port};
    int r = op(g, EVTCHNOP_bind_interdomain, &arg);

    return r < 0 ? r : (int)arg.local_port;
}

int bind_virq(struct guest *g, uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq arg = {.virq = virq, .vcpu = vcpu};
    int r = op(g, EVTCHNOP_bind_virq, &arg);

    return r < 0 ? r : (int)arg.port;
}

int bind_pirq(struct guest *g, uint32_t pirq, uint32_t flags)
{
    struct evtchn_bind_pirq arg = {.pirq = pirq, .flags = flags};
    int r = op(g, EVTCHNOP_bind_pirq, &arg);

    return r < 0 ? r : (int)arg.port;
}

int bind_ipi(struct guest *g, uint32_t vcpu)
{
    struct evtchn_bind_ipi arg = {.vcpu = vcpu};
    int r = op(g, EVTCHNOP_bind_ipi, &arg);

    return r < 0 ? r : (int)arg.port;
}

int close_port(struct guest *g, uint32_t port)
{
    struct evtchn_close arg = {.port = port};

    return op(g, EVTCHNOP_close, &arg);
}

int send_port(struct guest *g, uint32_t port)
{
    return evc_send(g->dom, port);
}

int unmask_port(struct guest *g, uint32_t port)
{
    return evc_unmask(g->dom, port);
}

int bind_vcpu(struct guest *g, uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu arg = {.port = port, .vcpu = vcpu};

    return op(g, EVTCHNOP_bind_vcpu, &arg);
}

int set_priority(struct guest *g, uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority arg = {.port = port, .priority = priority};

    return op(g, EVTCHNOP_set_priority, &arg);
}

int reset(struct guest *g, uint32_t dom)
{
    struct evtchn_reset arg = {.dom = (domid_t)dom};

    return op(g, EVTCHNOP_reset, &arg);
}

int status(struct guest *g, uint32_t dom, uint32_t port,
           struct evtchn_status *out)
{
    *out = (struct evtchn_status){.dom = (domid_t)dom, .port = port};
    return op(g, EVTCHNOP_status, out);
}

int state_of(struct guest *g, uint32_t port)
{
    struct evtchn_status now;
    int r = status(g, DOMID_SELF, port, &now);

    return r < 0 ? r : (int)now.status;
}

struct channel join_guests(struct guest *a, struct guest *b)
{
    int port = alloc_unbound(a, DOMID_SELF, b->id);
    int other = port > 0 ? bind_interdomain(b, a->id, (uint32_t)port) : port;

    if (other <= 0)
        abort();
    clear_pending(b, (uint32_t)other); /* binding raises it */
    return (struct channel){(uint32_t)port, (uint32_t)other};
}

/* ---- FIFO --------------------------------------------------------------------------- */

int init_control(struct guest *g, uint64_t gfn, uint32_t offset, uint32_t vcpu)
{
    struct evtchn_init_control arg = {
        .control_gfn = gfn, .offset = offset, .vcpu = vcpu};
    int r = op(g, EVTCHNOP_init_control, &arg);

    if (r < 0)
        return r;
    if (vcpu < VCPUS_SEEN) {
        g->block[vcpu] = (uint32_t)gfn * PAGE + offset;
        memset(g->head[vcpu], 0, sizeof(g->head[vcpu]));
    }
    return arg.link_bits == 17 ? 0 : -EIO;
}

int expand_array(struct guest *g, uint64_t gfn)
{
    struct evtchn_expand_array arg = {.array_gfn = gfn};
    int r = op(g, EVTCHNOP_expand_array, &arg);

    if (r == 0)
        g->array[g->arrays++] = (uint32_t)gfn;
    return r;
}

void enter_fifo(struct guest *g, unsigned vcpus)
{
    for (unsigned v = 0; v < vcpus; v++) {
        if (init_control(g, BLOCK_FRAME + v / 32, v % 32 * 128, v) < 0)
            abort();
    }
}

int grow(struct guest *g)
{
    return expand_array(g, ARRAY_FRAME + g->arrays);
}

void forget_fifo(struct guest *g)
{
    memset(g->block, 0, sizeof(g->block));
    memset(g->head, 0, sizeof(g->head));
    g->arrays = 0;
}

/* ---- shared memory ------------------------------------------------------------------- */

void *at(struct guest *g, uint64_t address)
{
    return g->memory + address;
}

uint32_t read32(struct guest *g, uint64_t address)
{
    return atomic_load((_Atomic uint32_t *)at(g, address));
}

uint64_t read64(struct guest *g, uint64_t address)
{
    return atomic_load((_Atomic uint64_t *)at(g, address));
}

_Atomic uint32_t *event_word(struct guest *g, uint32_t port)
{
    if (port / 1024 >= g->arrays)
        return NULL;
    return (_Atomic uint32_t *)at(g, g->array[port / 1024] * PAGE) +
           port % 1024;
}

_Atomic uint32_t *ready_word(struct guest *g, unsigned vcpu)
{
    return at(g, g->block[vcpu]);
}

_Atomic uint32_t *head_word(struct guest *g, unsigned vcpu, unsigned priority)
{
    return (_Atomic uint32_t *)at(g, g->block[vcpu] + 8u) + priority;
}

static bool is_fifo(const struct guest *g)
{
    for (unsigned v = 0; v < VCPUS_SEEN; v++)
        if (g->block[v] != 0)
            return true;
    return false;
}

static uint8_t *info(struct guest *g, unsigned vcpu)
{
    return evc_vcpu_info(g->dom, vcpu);
}

_Atomic uint8_t *upcall_pending(struct guest *g, unsigned vcpu)
{
    return (_Atomic uint8_t *)info(g, vcpu);
}

_Atomic uint8_t *upcall_mask(struct guest *g, unsigned vcpu)
{
    return (_Atomic uint8_t *)info(g, vcpu) + 1;
}

static uint64_t selector_swap(struct guest *g, unsigned vcpu)
{
    void *where = info(g, vcpu) + g->abi.pending_sel;

    return g->abi.word == 8 ? atomic_exchange((_Atomic uint64_t *)where, 0)
                            : atomic_exchange((_Atomic uint32_t *)where, 0);
}

uint64_t selector(struct guest *g, unsigned vcpu)
{
    void *where = info(g, vcpu) + g->abi.pending_sel;

    return g->abi.word == 8 ? atomic_load((_Atomic uint64_t *)where)
                            : atomic_load((_Atomic uint32_t *)where);
}

/* Little-endian: bits of either width lie at the same bytes. */
static _Atomic uint32_t *bits(struct guest *g, unsigned offset, uint32_t port)
{
    return (_Atomic uint32_t *)at(g, offset) + port / 32;
}

static bool test_bit(struct guest *g, unsigned offset, uint32_t port)
{
    return atomic_load(bits(g, offset, port)) >> port % 32 & 1;
}

bool is_pending(struct guest *g, uint32_t port)
{
    if (is_fifo(g))
        return event_word(g, port) && (*event_word(g, port) & PENDING);
    return test_bit(g, g->abi.pending, port);
}

bool is_masked(struct guest *g, uint32_t port)
{
    if (is_fifo(g))
        return event_word(g, port) && (*event_word(g, port) & MASKED);
    return test_bit(g, g->abi.mask, port);
}

void mask(struct guest *g, uint32_t port)
{
    if (is_fifo(g))
        atomic_fetch_or(event_word(g, port), MASKED);
    else
        atomic_fetch_or(bits(g, g->abi.mask, port), 1u << port % 32);
}

void clear_mask(struct guest *g, uint32_t port)
{
    if (is_fifo(g))
        atomic_fetch_and(event_word(g, port), ~MASKED);
    else
        atomic_fetch_and(bits(g, g->abi.mask, port), ~(1u << port % 32));
}

void clear_pending(struct guest *g, uint32_t port)
{
    if (!is_fifo(g))
        atomic_fetch_and(bits(g, g->abi.pending, port), ~(1u << port % 32));
    else if (event_word(g, port) != NULL)
        atomic_fetch_and(event_word(g, port), ~PENDING);
}

/* ---- the upcall, two-level -------------------------------------------------------------- */

static unsigned scan_word(struct guest *g, unsigned word, handler *handle,
                          void *data)
{
    unsigned width = g->abi.word * 8u, n = 0;

    for (uint32_t p = word * width; p < (word + 1) * width; p++) {
        if (!is_pending(g, p) || is_masked(g, p))
            continue;
        clear_pending(g, p); /* before its handler runs */
        handle(g, p, data);
        n++;
    }
    return n;
}

static unsigned scan(struct guest *g, unsigned vcpu, handler *handle,
                     void *data)
{
    unsigned n = 0;

    for (uint64_t sel = selector_swap(g, vcpu); sel != 0; sel &= sel - 1)
        n += scan_word(g, (unsigned)__builtin_ctzll(sel), handle, data);
    return n;
}

/* ---- the upcall, FIFO --------------------------------------------------------------------- */

static uint32_t unlink_word(_Atomic uint32_t *word)
{
    return atomic_fetch_and(word, ~(LINKED | LINK_MASK));
}

uint32_t consume(struct guest *g, unsigned vcpu, unsigned priority)
{
    uint32_t *head = &g->head[vcpu][priority];
    uint32_t port = *head, word;

    if (port == 0)
        port = atomic_load(head_word(g, vcpu, priority)) & LINK_MASK;
    if (port == 0 || event_word(g, port) == NULL) {
        *head = 0;
        return 0;
    }
    word = unlink_word(event_word(g, port));
    *head = word & LINK_MASK;
    /* What it was before may be old: look again now that it is unlinked. */
    word = atomic_load(event_word(g, port));
    if (!(word & PENDING) || (word & MASKED))
        return 0;
    clear_pending(g, port);
    return port;
}

static unsigned drain(struct guest *g, unsigned vcpu, handler *handle,
                      void *data)
{
    uint32_t ready = atomic_exchange(ready_word(g, vcpu), 0);
    unsigned n = 0;

    while (ready != 0) {
        unsigned q = (unsigned)__builtin_ctz(ready);
        uint32_t port;

        if (q > 15)
            break;
        port = consume(g, vcpu, q);
        if (g->head[vcpu][q] == 0)
            ready &= ~(1u << q);
        if (port != 0) {
            handle(g, port, data);
            n++;
        }
        ready |= atomic_exchange(ready_word(g, vcpu), 0);
    }
    return n;
}

unsigned upcall(struct guest *g, unsigned vcpu, handler *handle, void *data)
{
    unsigned n = 0;

    while (atomic_exchange(upcall_pending(g, vcpu), 0) != 0)
        n += vcpu < VCPUS_SEEN && g->block[vcpu] != 0
                 ? drain(g, vcpu, handle, data)
                 : scan(g, vcpu, handle, data);
    return n;
}

static void write_down(struct guest *g, uint32_t port, void *data)
{
    struct taken *taken = data;

    (void)g;
    if (taken->count < 16)
        taken->port[taken->count] = port;
    taken->count++;
}

struct taken take(struct guest *g, unsigned vcpu)
{
    struct taken taken = {0};

    (void)upcall(g, vcpu, write_down, &taken);
    return taken;
}

/* ---- hypercalls ------------------------------------------------------------------------------ */

int64_t hypercall(struct guest *g, unsigned vcpu, uint64_t nr, uint64_t a0,
                  uint64_t a1, uint64_t a2)
{
    const uint64_t args[6] = {a0, a1, a2};

    return evc_hypercall(g->dom, vcpu, nr, args);
}

void put(struct guest *g, uint64_t address, const void *from, size_t size)
{
    memcpy(at(g, address), from, size);
}

int64_t event_op(struct guest *g, uint32_t cmd, uint64_t argument)
{
    return hypercall(g, 0, __HYPERVISOR_event_channel_op, cmd, argument, 0);
}

int64_t block(struct guest *g, unsigned vcpu)
{
    return hypercall(g, vcpu, __HYPERVISOR_sched_op, 1, 0, 0);
}

/* Each vCPU has a page of its own for the argument and the list. */
int64_t poll_ports(struct guest *g, unsigned vcpu, const uint32_t *ports,
                   uint32_t n, uint64_t timeout)
{
    uint64_t arg = SCRATCH + (1 + vcpu) * PAGE;
    struct evc_abi_sched_poll_x86_64 wide = {.nr_ports = n, .timeout = timeout};
    struct evc_abi_sched_poll_x86_32 narrow = {.nr_ports = n,
                                               .timeout = timeout};
    uint64_t list = arg + 64;

    memcpy(&wide, &list, 8);
    memcpy(&narrow, &list, 4);
    if (g->abi.word == 8)
        put(g, arg, &wide, sizeof(wide));
    else
        put(g, arg, &narrow, sizeof(narrow));
    if (n != 0 && n <= 256)
        put(g, list, ports, n * sizeof(ports[0]));
    return hypercall(g, vcpu, __HYPERVISOR_sched_op, 3, arg, 0);
}
