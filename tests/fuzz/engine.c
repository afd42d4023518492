/* SPDX-License-Identifier: MIT */
/*
 * Bytes as steps: what three domains ask, what they write to the memory they
 * share, and what their host does; of the engine and of the naive one beside it
 * (naive.h).  After every few steps the two must agree: every answer, every
 * kick, every byte of every guest, every port.
 *
 * The first byte says who takes part: both compats, three layouts, few ports or
 * many; all three domains, or only d1, which is then hostile to two others that
 * are in the midst of their work; and whether all are saved and restored again
 * and again.
 *
 * A guest's memory lies between pages that nobody may touch, so that a wild
 * access of the engine ends the program.  A step that does not end is the
 * fuzzer's (or alarm()'s) to find.
 *
 * The same file is a regression test (the recordings, as seeds.py turns them into
 * steps, and some thousand inputs that differ from them here and there) and, with
 * -DEVC_LIBFUZZER, a fuzz target.
 */
#undef NDEBUG
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "naive.h"
#include "refuse.h"

#define STEPS_MAX 300u
#ifndef EVERY
#define EVERY 8u /* steps from one comparison to the next */
#endif

static struct naive naive;
static struct world *w;
static bool armed; /* an allocation of the next step fails */

/* ---- reading the input -------------------------------------------------- */

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t byte(struct input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static uint32_t word(struct input *in)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | byte(in);
    return value;
}

/* Mostly small, sometimes just around an edge, sometimes anything. */
static uint32_t number(struct input *in)
{
    static const uint32_t edges[] = {63,   64,    1023,   1024,   4095,
                                     4096, 65535, 131071, 131072, 1u << 31};
    uint8_t b = byte(in);

    if (b < 0xe0)
        return b % 32;
    if (b < 0xfc)
        return edges[b % 10] + (b & 1);
    return word(in);
}

static uint16_t domain_id(struct input *in)
{
    static const uint16_t ids[] = {0, 1, 2, DOMID_SELF, 3, 0x7fff, 0xffff, 1};

    return ids[byte(in) % 8];
}

/* Frames that a guest gives away: a few good ones, and bad ones. */
static uint64_t frame(struct input *in)
{
    static const uint32_t frames[] = {16, 17, 64, 65, 66, 0, NO_FRAME, 200};

    return frames[byte(in) % 8];
}

/* ---- doing it twice ----------------------------------------------------- */

static struct naive_domain *twin(const struct guest *g)
{
    return &naive.domain[g->id];
}

/* A guest writes to its own memory. */
static void poke(struct guest *g, uint64_t where, const void *from, size_t size)
{
    memcpy(g->memory + where, from, size);
    naive_store(twin(g), twin(g)->shadow + where, from, size);
}

static void poke32(struct guest *g, uint64_t where, uint32_t value)
{
    poke(g, where, &value, 4);
}

/* What a failure leaves behind: more closed ports than there were. */
static void learn_growth(void)
{
    for (unsigned i = 0; i < DOMAINS; i++) {
        struct evc_domain_info info;

        if (!naive.domain[i].exists)
            continue;
        evc_domain_info(naive.domain[i].guest->dom, &info);
        if (info.valid_ports > naive.domain[i].valid)
            naive.domain[i].valid = info.valid_ports;
    }
}

static void compare_all(void)
{
    naive_compare(&naive);
    naive_compare_ports(&naive);
}

/*
 * Has the call failed for want of memory?  Then it has changed nothing.  A
 * counter that could not be had is no failure.
 */
static bool was_refused(int64_t r)
{
    bool hit = armed && refused();

    armed = false;
    for (unsigned i = 0; i < DOMAINS; i++)
        naive.domain[i].counts_lost |= hit;
    if (!hit || r != -XEN_ENOMEM)
        return false;
    learn_growth();
    compare_all();
    return true;
}

/* The answer of both; one that was refused memory is asked again. */
#define BOTH(r, is, must)                                                 \
    do {                                                                  \
        int64_t must_;                                                    \
                                                                          \
        (r) = (is);                                                       \
        if (was_refused(r))                                               \
            (r) = (is);                                                   \
        must_ = (must);                                                   \
        if ((r) != must_)                                                 \
            fprintf(stderr, "line %d: is %lld, must be %lld\n", __LINE__, \
                    (long long)(r), (long long)must_);                    \
        assert((r) == must_);                                             \
    } while (0)

static void call(struct guest *g, unsigned vcpu, uint64_t nr, uint64_t a0,
                 uint64_t a1, uint64_t a2)
{
    const uint64_t args[6] = {a0, a1, a2};
    int64_t r;

    BOTH(r, evc_hypercall(g->dom, vcpu, nr, args),
         naive_call(twin(g), vcpu, nr, args));
}

/* ---- what a guest asks -------------------------------------------------- */

/* The argument of an operation, at `where`. */
static void put_argument(struct guest *g, uint64_t where, uint32_t cmd,
                         struct input *in)
{
    uint8_t arg[32] = {0};
    uint32_t first = number(in), second = number(in);
    uint16_t id = domain_id(in), other = domain_id(in);
    uint64_t gfn = frame(in);

    memcpy(arg, &first, 4);
    memcpy(arg + 4, &second, 4);
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        memcpy(arg, &id, 2);
        memcpy(arg + 2, &other, 2);
        break;
    case EVTCHNOP_bind_interdomain:
    case EVTCHNOP_status:
    case EVTCHNOP_reset:
        memcpy(arg, &id, 2);
        break;
    case EVTCHNOP_init_control:
        memcpy(arg, &gfn, 8);
        first = first % 40 * 128;
        memcpy(arg + 8, &first, 4);
        memcpy(arg + 12, &second, 4);
        break;
    case EVTCHNOP_expand_array:
        memcpy(arg, &gfn, 8);
        break;
    default:
        break;
    }
    poke(g, where, arg, sizeof(arg));
}

static void operate(struct guest *g, unsigned vcpu, struct input *in)
{
    uint32_t cmd = byte(in) % 16;

    put_argument(g, SCRATCH, cmd, in);
    call(g, vcpu, __HYPERVISOR_event_channel_op, cmd, SCRATCH, 0);
}

/* The n-th allocation of the next step fails. */
static void arm(unsigned nth)
{
    armed = true;
    refuse(nth);
}

/* A list of operations, all of whose arguments are good to read. */
static void operate_in_a_batch(struct guest *g, unsigned vcpu, struct input *in)
{
    unsigned n = 1 + byte(in) % 4, size = 8u * g->abi.word;
    uint64_t list = SCRATCH + PAGE;

    for (unsigned i = 0; i < n; i++) {
        uint8_t what = byte(in);
        uint64_t at = SCRATCH + 64 * i;
        const uint64_t entry[8] = {what < 0xf0 ? __HYPERVISOR_event_channel_op
                                               : __HYPERVISOR_multicall,
                                   0, what % 16u, at};

        put_argument(g, at, what % 16u, in);
        for (unsigned k = 0; k < 8; k++)
            poke(g, list + i * size + k * g->abi.word, &entry[k], g->abi.word);
    }
    call(g, vcpu, __HYPERVISOR_multicall, list, n, 0);
}

/* The compat call, a multicall of anything, or an argument half outside. */
static void operate_oddly(struct guest *g, struct input *in)
{
    uint8_t how = byte(in), bytes[64] = {0};
    uint64_t nr =
        how & 1 ? __HYPERVISOR_multicall : __HYPERVISOR_event_channel_op_compat;
    const uint64_t op = __HYPERVISOR_event_channel_op;

    for (unsigned i = 0; i < 40; i++)
        bytes[i] = byte(in);
    if (nr == __HYPERVISOR_multicall && how & 2)
        memcpy(bytes, &op, sizeof(op));
    poke(g, SCRATCH, bytes, sizeof(bytes));
    call(g, 0, nr, how & 4 ? FRAMES * PAGE - how : SCRATCH, how >> 5, 0);
}

static void vcpu_or_timer(struct guest *g, unsigned vcpu, struct input *in)
{
    struct {
        uint64_t first;
        uint32_t second, zero;
    } arg = {frame(in), number(in) * 4, 0};
    uint8_t how = byte(in);

    w->now++; /* no two timers are due at the same moment */
    if (how % 4 == 0) {
        call(g, vcpu, __HYPERVISOR_set_timer_op, word(in), number(in), 0);
        return;
    }
    if (how % 4 == 1)
        arg.first = word(in) * UINT64_C(10);
    poke(g, SCRATCH, &arg, sizeof(arg));
    call(g, vcpu, __HYPERVISOR_vcpu_op, 3 + number(in) % 9, number(in) % 8,
         SCRATCH);
}

/* Something is refused: memory, or a frame. */
static void ask_in_need(struct guest *g, unsigned vcpu, struct input *in)
{
    static const int errors[] = {-XEN_EINVAL, -XEN_EACCES, -XEN_ENOMEM};
    uint8_t how = byte(in);

    if (how & 1)
        arm(1 + how / 4 % 8);
    else
        g->map_error = twin(g)->map_error = errors[how / 4 % 3];
    if (how & 2)
        vcpu_or_timer(g, vcpu, in);
    else
        operate(g, vcpu, in);
    g->map_error = twin(g)->map_error = 0;
}

static void schedule(struct guest *g, unsigned vcpu, struct input *in)
{
    uint32_t list[8], cmd = byte(in) % 8, n = number(in);
    uint64_t at = SCRATCH + 256, arg[3] = {at, 0, n};

    for (unsigned i = 0; i < 8; i++)
        list[i] = number(in);
    poke(g, at, list, sizeof(list));
    if (cmd == 3 && g->abi.word == 4)
        arg[0] |= (uint64_t)n << 32;
    else if (cmd == 3)
        arg[1] = n;
    else
        arg[0] = n | (uint64_t)list[0] << 32;
    poke(g, SCRATCH, arg, sizeof(arg));
    call(g, vcpu, __HYPERVISOR_sched_op, cmd, SCRATCH, 0);
}

static void send_or_unmask(struct guest *g, struct input *in)
{
    uint32_t port = number(in);
    struct evtchn_unmask arg = {.port = port};
    int64_t r;

    if (byte(in) % 4 != 0)
        BOTH(r, evc_send(g->dom, port), naive_send(twin(g), port));
    else
        BOTH(r, evc_unmask(g->dom, port),
             naive_op(twin(g), EVTCHNOP_unmask, &arg));
}

/* ---- what a guest writes ------------------------------------------------ */

/* Any word of what it shares with the engine. */
static void scribble(struct guest *g, struct input *in)
{
    static const uint32_t shared[] = {0, 0, 16, 17, 64, 65, 66, 64};
    static const uint32_t values[] = {
        0,      UINT32_MAX, PENDING,    MASKED,
        LINKED, BUSY,       LINKED | 1, LINKED | PENDING | 2};
    uint32_t f = shared[byte(in) % 8];
    uint32_t offset = byte(in) & 1 ? word(in) % 1024 : byte(in) % 64u;
    uint8_t how = byte(in);
    uint32_t value = how & 8 ? word(in) : values[how & 7] | (how >> 4);

    poke32(g, f * PAGE + offset * 4, value);
}

/* What an honest guest does with its words now and then. */
static void behave(struct guest *g, struct input *in)
{
    const struct naive_domain *d = twin(g);
    const struct naive_vcpu *v = &d->vcpu[byte(in) % VCPUS];
    uint64_t info = (uint64_t)(v->info - d->shadow);
    static const uint64_t none;

    if (v->info != v->none) {
        poke(g, info, &none, 1);
        poke(g, info + g->abi.pending_sel, &none, g->abi.word);
    }
    if (!d->fifo) {
        poke(g, g->abi.pending, &none, 8);
        return;
    }
    for (unsigned p = 0; p < 16 && d->pages > 0; p++)
        poke32(g, d->page[0] * PAGE + p * 4,
               naive_load(d->shadow + d->page[0] * PAGE + p * 4, 4) & MASKED);
    for (unsigned i = 0; i < VCPUS; i++)
        if (d->vcpu[i].block != NULL)
            poke32(g, (uint64_t)(d->vcpu[i].block - d->shadow), 0);
}

/* ---- what the host does ------------------------------------------------- */

static void raise_something(struct guest *g, struct input *in)
{
    uint8_t how = byte(in);
    uint32_t n = number(in);
    int64_t r;

    switch (how % 4) {
    case 0:
        BOTH(r, evc_raise_vcpu_virq(g->dom, how >> 5, n % 32),
             naive_raise_virq(twin(g), how >> 5, n % 32));
        break;
    case 1:
        BOTH(r, evc_raise_global_virq(w->engine, n),
             naive_raise_global(&naive, n));
        break;
    case 2:
        if (how & 4)
            BOTH(r, evc_pirq_eoi(g->dom, n, how & 8),
                 naive_pirq_eoi(twin(g), n, how & 8));
        else
            BOTH(r, evc_raise_pirq(g->dom, n), naive_raise_pirq(twin(g), n));
        break;
    case 3:
        BOTH(r, evc_raise_domain_virq(g->dom, n), naive_raise_argo(twin(g), n));
        break;
    }
}

static void pass_time(struct input *in)
{
    w->now += 1 + word(in) % 1000000000;
    (void)evc_timers_run(w->engine);
    naive_run_timers(&naive);
}

static void bind_statically(struct guest *g, struct input *in)
{
    uint8_t how = byte(in);
    uint32_t port = number(in), other = number(in);
    uint16_t id = domain_id(in);
    struct guest *to = &w->guest[id % DOMAINS];
    int64_t r;

    if (how % 8 == 0)
        arm(1 + how / 8 % 4);
    if (how & 1)
        BOTH(r, evc_bind_static(g->dom, port, id),
             naive_bind_static(twin(g), port, id));
    else if (to->dom != NULL)
        BOTH(r, evc_connect_static(g->dom, port, to->dom, other),
             naive_connect_static(twin(g), port, twin(to), other));
    (void)was_refused(0); /* there may have been nobody to connect to */
}

static void notified(void *data)
{
    ((struct naive_end *)data)->really++;
}

/* An end that is not there is made, another one used or closed. */
static void use_end(struct guest *g, struct input *in)
{
    uint8_t how = byte(in);
    struct naive_end *end = &naive.end[how % ENDS];
    struct evc_host *real = NULL;
    uint32_t n = number(in);
    uint16_t id = domain_id(in);
    int64_t r = -1;

    if (how & 0x80 && !end->open)
        arm(1 + how / 4 % 8);
    if (end->open && how & 0x40) {
        (void)evc_host_send(end->real);
        naive_host_send(&naive, end);
    } else if (end->open) {
        evc_host_close(end->real);
        naive_host_close(&naive, end);
    } else if (how & 0x20) {
        BOTH(r,
             evc_host_listen(g->dom, n % 8 ? n % 8 - 1 : EVC_NO_VCPU, id,
                             notified, end, &real),
             naive_listen(end, twin(g), n % 8 ? n % 8 - 1 : EVC_NO_VCPU, id));
    } else {
        BOTH(r, evc_host_connect(g->dom, n, id, notified, end, &real),
             naive_connect(end, twin(g), n, id));
    }
    if (r == 0)
        end->real = real;
}

static void change_layout(struct guest *g, uint8_t how)
{
    static const struct evc_abi_layout layouts[] = {
        [EVC_LAYOUT_X86_64] = EVC_ABI_LAYOUT_INIT(X86_64),
        [EVC_LAYOUT_X86_32] = EVC_ABI_LAYOUT_INIT(X86_32),
        [EVC_LAYOUT_ARM] = EVC_ABI_LAYOUT_INIT(ARM),
    };
    enum evc_layout to = (enum evc_layout)(how % 4);
    int64_t r;

    if (how & 4)
        arm(1);
    BOTH(r, evc_domain_set_layout(g->dom, to), naive_set_layout(twin(g), to));
    if (r == 0)
        g->abi = layouts[to];
}

static void create_again(struct guest *g, uint8_t how)
{
    struct evc_domain_config config = guest_domain_config(
        g, (struct guest_config){.id = g->id,
                                 .layout = (enum evc_layout)(how % 3),
                                 .flags = how & 4 ? EVC_DOMAIN_PRIVILEGED : 0});
    struct evc_domain *made = NULL;
    int64_t r;

    if (how & 8)
        arm(1 + how / 16);
    BOTH(r, evc_domain_create(w->engine, &config, &made), 0);
    g->dom = made;
    naive_create(&naive, g, &config);
    g->abi = twin(g)->abi;
}

static void end_or_begin(struct guest *g, uint8_t how)
{
    if (how % 4 != 3) {
        evc_domain_kill(g->dom);
        naive_kill(twin(g));
        return;
    }
    guest_destroy(g);
    naive_destroy(twin(g));
    naive_compare(&naive);
    create_again(g, how / 4);
}

/* ---- another engine takes over ------------------------------------------ */

static uint8_t saved[DOMAINS][1u << 22], again[1u << 22];
static int saved_size[DOMAINS];

static bool can_be_saved(void)
{
    for (unsigned i = 0; i < DOMAINS; i++)
        if (naive.domain[i].dying)
            return false;
    for (unsigned i = 0; i < ENDS; i++)
        if (naive.end[i].open)
            return false;
    return true;
}

/* The old engine goes, and may write what it likes: nobody looks any more. */
static void forget_engine(void)
{
    evc_engine_destroy(w->engine);
    for (unsigned i = 0; i < DOMAINS; i++) {
        struct naive_domain *d = &naive.domain[i];
        struct guest *g = d->guest;

        assert(g->mapped == 0);
        memcpy(g->memory, d->shadow, FRAMES * PAGE);
        for (unsigned v = 0; v < VCPUS; v++)
            g->kicks[v] = d->kicks[v];
        for (unsigned p = 0; p < PIRQS; p++)
            g->pirq[p].bound = d->pirq[p] != 0;
    }
}

/*
 * A frame that was mapped and whose guest has lost its rights to it since would
 * be refused: it has them while it is restored.
 */
static void restore_domain(unsigned i, uint8_t how)
{
    struct naive_domain *d = &naive.domain[i];
    struct guest *g = d->guest;
    struct evc_domain_config config = guest_domain_config(
        g, (struct guest_config){.id = (evc_domid)i,
                                 .layout = d->layout,
                                 .max_port = d->max_port,
                                 .flags = d->privileged ? EVC_DOMAIN_PRIVILEGED
                                                        : 0});
    struct evc_domain *made = NULL;
    uint8_t rights[sizeof(g->access)];
    int r;

    memcpy(rights, g->access, sizeof(rights));
    memset(g->access, READ_WRITE, sizeof(g->access));
    refuse(how & 1 ? 1 + how / 2 % 16 : 0);
    r = evc_domain_restore(w->engine, &config, saved[i], (size_t)saved_size[i],
                           &made);
    if (refused() && r == -XEN_ENOMEM) {
        assert(g->mapped == 0);
        r = evc_domain_restore(w->engine, &config, saved[i],
                               (size_t)saved_size[i], &made);
    }
    assert(r == 0);
    memcpy(g->access, rights, sizeof(rights));
    g->dom = made;
    d->exists = true;
    naive_counting(d, false);
}

/* All are saved, the engine destroyed, and another one goes on with them. */
static void change_engines(uint8_t how)
{
    struct evc_ops ops = world_ops((struct world_config){.insomnia = true});

    if (!can_be_saved())
        return;
    (void)evc_timers_run(w->engine); /* what is overdue would be due now */
    naive_run_timers(&naive);
    compare_all();
    naive_compare_pages(&naive, true);
    for (unsigned i = 0; i < DOMAINS; i++) {
        saved_size[i] =
            evc_domain_save(w->guest[i].dom, saved[i], sizeof(saved[i]));
        assert(saved_size[i] > 0);
        naive.domain[i].exists = false;
    }
    forget_engine();
    assert(evc_engine_create(&ops, w,
                             naive.xen_417 ? EVC_COMPAT_XEN_4_17
                                           : EVC_COMPAT_DEFAULT,
                             &w->engine) == 0);
    for (unsigned i = 0; i < DOMAINS; i++)
        restore_domain(i, how);
    for (unsigned i = 0; i < DOMAINS; i++) {
        assert(evc_domain_save(w->guest[i].dom, again, sizeof(again)) ==
               saved_size[i]);
        assert(memcmp(again, saved[i], (size_t)saved_size[i]) == 0);
    }
    compare_all();
}

static void administer(struct guest *g, struct input *in)
{
    uint8_t what = byte(in), how = byte(in);
    int64_t r;

    switch (what % 13) {
    case 0:
        BOTH(r, evc_set_virq_handler(g->dom, how % 32),
             naive_set_handler(twin(g), how % 32));
        break;
    case 1:
        evc_domain_pause(g->dom);
        twin(g)->paused++;
        break;
    case 2:
        BOTH(r, evc_domain_unpause(g->dom),
             twin(g)->paused ? (twin(g)->paused--, 0) : -XEN_EINVAL);
        break;
    case 3:
        evc_domain_set_target(g->dom, how % 4);
        twin(g)->target = how % 4;
        break;
    case 4:
        evc_vcpu_set_online(g->dom, how % VCPUS, how & 4);
        twin(g)->vcpu[how % VCPUS].online = how & 4;
        break;
    case 5:
        evc_vcpu_update_time(g->dom, how % VCPUS);
        naive_write_time(twin(g), how % VCPUS);
        break;
    case 6:
        evc_domain_set_wallclock(g->dom, (uint64_t)how << 57 | how);
        naive_write_wallclock(twin(g), (uint64_t)how << 57 | how);
        break;
    case 7:
        if (how & 2)
            arm(1 + how / 4);
        BOTH(r, evc_counting(g->dom, how & 1),
             (naive_counting(twin(g), how & 1), 0));
        break;
    case 8:
        change_layout(g, how);
        break;
    case 9:
        g->access[how % 8 + (how & 8 ? 64 : 16)] = how / 16 % 3;
        break;
    case 10:
        g->pirq_error = how & 1 ? -XEN_EBUSY : 0;
        break;
    case 11:
        end_or_begin(g, how);
        break;
    case 12:
        change_engines(how);
        break;
    }
}

/* ---- running an input --------------------------------------------------- */

static void act(struct guest *g, uint8_t what, struct input *in)
{
    unsigned vcpu = what / 16u % 5;

    switch (what % 16) {
    case 0:
    case 1:
    case 2:
        operate(g, vcpu, in);
        break;
    case 3:
        ask_in_need(g, vcpu, in);
        break;
    case 4:
    case 5:
        scribble(g, in);
        break;
    case 6:
    case 7:
        send_or_unmask(g, in);
        break;
    case 8:
        behave(g, in);
        break;
    case 9:
        vcpu_or_timer(g, vcpu, in);
        break;
    case 10:
        schedule(g, vcpu, in);
        break;
    case 11:
        operate_in_a_batch(g, vcpu, in);
        break;
    case 12:
        operate_oddly(g, in);
        break;
    default:
        raise_something(g, in);
        break;
    }
}

static void host_acts(struct guest *g, struct input *in)
{
    switch (byte(in) % 4) {
    case 0:
        pass_time(in);
        break;
    case 1:
        bind_statically(g, in);
        break;
    case 2:
        use_end(g, in);
        break;
    case 3:
        administer(g, in);
        break;
    }
}

/* Who acts is the input's to say; of hostile ones, d1 alone. */
static void step(bool hostile, struct input *in)
{
    uint8_t who = byte(in);
    struct guest *g = &w->guest[hostile ? 1 : who % DOMAINS];

    if (who >= 0xc0 && !hostile)
        host_acts(g, in);
    else
        act(g, byte(in), in);
}

static void add_guest(evc_domid id, enum evc_layout layout, uint32_t max_port)
{
    const struct guest_config how = {.id = id,
                                     .layout = layout,
                                     .max_port = max_port,
                                     .flags =
                                         id == 0 ? EVC_DOMAIN_PRIVILEGED : 0};
    struct guest *g = guest_create(w, how);
    struct evc_domain_config config = guest_domain_config(g, how);

    naive_create(&naive, g, &config);
}

static void make_world(uint8_t mode)
{
    static const enum evc_layout layouts[] = {EVC_LAYOUT_X86_64,
                                              EVC_LAYOUT_X86_32, EVC_LAYOUT_ARM,
                                              EVC_LAYOUT_X86_64};

    w = world_create((struct world_config){
        .compat = mode & 2 ? EVC_COMPAT_XEN_4_17 : EVC_COMPAT_DEFAULT,
        .insomnia = true});
    naive_start(&naive, w, mode & 2);
    add_guest(0, EVC_LAYOUT_X86_64, 0);
    add_guest(1, layouts[mode >> 2 & 3], mode & 0x10 ? 200 : 0);
    add_guest(2, EVC_LAYOUT_X86_64, 0);
}

static void op(struct guest *g, uint32_t cmd, const void *arg, size_t size)
{
    poke(g, SCRATCH, arg, size);
    call(g, 0, __HYPERVISOR_event_channel_op, cmd, SCRATCH, 0);
}

/* d1 has a channel to each of the others; d2 is in FIFO mode, and d1 may be. */
static void join_all(bool fifo)
{
    const struct evtchn_init_control control = {.control_gfn = BLOCK_FRAME};
    const struct evtchn_expand_array array = {.array_gfn = ARRAY_FRAME};
    const struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF,
                                               .remote_dom = 1};
    const struct evtchn_bind_interdomain bind[] = {
        {.remote_dom = 0, .remote_port = 1},
        {.remote_dom = 2, .remote_port = 1}};

    for (unsigned i = fifo ? 1 : 2; i < DOMAINS; i++) {
        op(&w->guest[i], EVTCHNOP_init_control, &control, sizeof(control));
        op(&w->guest[i], EVTCHNOP_expand_array, &array, sizeof(array));
    }
    op(w->d0 = &w->guest[0], EVTCHNOP_alloc_unbound, &offer, sizeof(offer));
    op(&w->guest[2], EVTCHNOP_alloc_unbound, &offer, sizeof(offer));
    op(&w->guest[1], EVTCHNOP_bind_interdomain, &bind[0], sizeof(bind[0]));
    op(&w->guest[1], EVTCHNOP_bind_interdomain, &bind[1], sizeof(bind[1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t mode = byte(&in);

    make_world(mode);
    if (mode & 1)
        join_all(mode & 0x20);
    for (unsigned i = 0; i < STEPS_MAX && in.size > 0; i++) {
        step(mode & 1, &in);
        if (mode & 0x80 && i % 16 == 15)
            change_engines((uint8_t)(i / 16));
        if (i % EVERY == 0)
            naive_compare(&naive);
        if (i % 64 == 63)
            naive_compare_ports(&naive);
    }
    compare_all();
    naive_compare_pages(&naive, mode & 0x40);
    assert(world_destroy(w));
    return 0;
}

#ifndef EVC_LIBFUZZER
/* ---- without a fuzzer --------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
#define INPUTS 400
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define INPUTS 400 /* one thread, many mappings: slow, and nothing to find */
#endif
#endif
#ifndef INPUTS
#define INPUTS 4000
#endif

#define SEEDS_MAX 9000u
#define SIZE_MAX_ 20000u

static struct input seeds[SEEDS_MAX];
static unsigned nr_seeds;

static uint32_t random32(uint64_t *dice)
{
    *dice = *dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*dice >> 33);
}

static void read_seed(const char *path)
{
    uint8_t *data = malloc(SIZE_MAX_);
    FILE *file = fopen(path, "rb");

    assert(data != NULL && file != NULL && nr_seeds < SEEDS_MAX);
    seeds[nr_seeds++] = (struct input){data, fread(data, 1, SIZE_MAX_, file)};
    fclose(file);
}

/* Its bytes, now and then another one; every mode gets its turn. */
static void run_number(uint64_t n)
{
    static uint8_t data[SIZE_MAX_];
    const struct input *seed = &seeds[n % nr_seeds];
    uint64_t dice = n;
    unsigned rate = 2 + random32(&dice) % 60;

    for (size_t i = 0; i < seed->size; i++)
        data[i] = random32(&dice) % rate == 0 ? (uint8_t)random32(&dice)
                                              : seed->data[i];
    data[0] = (uint8_t)(n / nr_seeds * 5);
    (void)LLVMFuzzerTestOneInput(data, seed->size);
}

/* test_fuzz_engine [-N] FILE...: N more inputs, made from these. */
int main(int argc, char **argv)
{
    uint64_t n = INPUTS;
    int first = 1;

    if (argc > 1 && argv[1][0] == '-')
        n = strtoull(argv[first++] + 1, NULL, 0);
    alarm(first > 1 ? 0 : 100);
    for (int i = first; i < argc; i++)
        read_seed(argv[i]);
    assert(nr_seeds > 0);
    for (unsigned i = 0; i < nr_seeds; i++)
        (void)LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
    for (uint64_t i = 0; i < n; i++)
        run_number(i);
    return 0;
}
#endif
