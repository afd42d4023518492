/* SPDX-License-Identifier: MIT */
/*
 * Bytes as steps: three domains' hypercalls, and a hostile guest that writes
 * whatever it likes wherever it shares memory.
 *
 * Two kinds of input, told apart by the first byte.  *Fair*: all three domains
 * act and write.  *Hostile*: only d1 acts and writes; what d0 and d2 share with
 * the engine must then stay as it was, but for what a peer may change there:
 * the pending bit or event word of their ends of d1's channels, and their
 * upcalls.
 *
 * A guest's memory lies between pages that nobody may touch, so that a wild
 * access of the engine ends the program.  A step that does not end is the
 * fuzzer's (or alarm()'s) to find.
 *
 * The same file is a regression test (the seeds and some thousand inputs made
 * from numbers) and, with -DEVC_LIBFUZZER, a fuzz target.
 */
#undef NDEBUG
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define STEPS_MAX 400u

/* ---- reading the input -------------------------------------------------------------- */

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
    uint32_t w = 0;

    for (int i = 0; i < 4; i++)
        w = w << 8 | byte(in);
    return w;
}

/* Mostly small, sometimes just around an edge, sometimes anything. */
static uint32_t number(struct input *in)
{
    static const uint32_t edges[] = {63,   64,    1023,   1024,   4095,
                                     4096, 65535, 131071, 131072, 1u << 31};
    uint8_t b = byte(in);

    if (b < 0xe0)
        return b % 16;
    if (b < 0xfc)
        return edges[b % 10] + (b & 1);
    return word(in);
}

/* ---- what a step can be --------------------------------------------------------------- */

static const uint16_t ids[] = {0, 1, 2, DOMID_SELF, 3, 0x7fff, 0xffff, 1};

static uint16_t domain_id(struct input *in)
{
    return ids[byte(in) % 8];
}

/* Frames that a guest gives away: a few good ones, and bad ones. */
static uint64_t frame(struct input *in)
{
    static const uint32_t frames[] = {16, 17, 64, 65, 66, 0, NO_FRAME, 200};

    return frames[byte(in) % 8];
}

/* The argument of an operation, at SCRATCH. */
static void put_argument(struct guest *g, uint32_t cmd, struct input *in)
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
    put(g, SCRATCH, arg, sizeof(arg));
}

static void operate(struct guest *g, struct input *in)
{
    uint32_t cmd = byte(in) % 16;

    put_argument(g, cmd, in);
    (void)hypercall(g, byte(in) % 5, __HYPERVISOR_event_channel_op, cmd,
                    SCRATCH, 0);
}

/* The compat call, a multicall of it, or an argument half outside. */
static void operate_oddly(struct guest *g, struct input *in)
{
    uint8_t how = byte(in);
    uint64_t nr =
        how & 1 ? __HYPERVISOR_multicall : __HYPERVISOR_event_channel_op_compat;

    for (unsigned i = 0; i < 64; i++)
        ((uint8_t *)at(g, SCRATCH))[i] = i < 40 ? byte(in) : 0;
    if (nr == __HYPERVISOR_multicall && how & 2) {
        const uint64_t op = __HYPERVISOR_event_channel_op;

        put(g, SCRATCH, &op, sizeof(op));
    }
    (void)hypercall(g, 0, nr, how & 4 ? FRAMES * PAGE - how : SCRATCH, how >> 5,
                    0);
}

static void vcpu_or_timer(struct guest *g, struct input *in)
{
    struct {
        uint64_t first;
        uint32_t second, zero;
    } arg = {frame(in), number(in) * 8, 0};
    uint8_t how = byte(in);

    if (how % 4 == 0) {
        (void)hypercall(g, how % 3, __HYPERVISOR_set_timer_op, number(in),
                        number(in), 0);
        return;
    }
    if (how % 4 == 1)
        arg.first = number(in) * UINT64_C(100000);
    put(g, SCRATCH, &arg, sizeof(arg));
    (void)hypercall(g, how % 3, __HYPERVISOR_vcpu_op, 3 + number(in) % 9,
                    number(in), SCRATCH);
}

static void poll_some(struct guest *g, struct input *in)
{
    uint32_t ports[4];

    for (unsigned i = 0; i < 4; i++)
        ports[i] = number(in);
    if (ports[0] == 3)
        (void)block(g, ports[1] % 4);
    (void)poll_ports(g, byte(in) % 4, ports, byte(in) % 5, byte(in) % 2);
}

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

    atomic_store((_Atomic uint32_t *)at(g, f * PAGE) + offset, value);
}

/* What an honest guest does with its words now and then. */
static void behave(struct guest *g, struct input *in)
{
    uint8_t *info = evc_vcpu_info(g->dom, byte(in) % 4);

    atomic_store((_Atomic uint8_t *)info, 0);
    atomic_store((_Atomic uint64_t *)(void *)(info + 8), 0);
    for (unsigned i = 0; i < 16; i++)
        atomic_fetch_and((_Atomic uint32_t *)at(g, 64 * PAGE) + i,
                         ~(PENDING | LINKED | LINK_MASK));
    for (unsigned v = 0; v < 4; v++)
        atomic_store((_Atomic uint32_t *)at(g, 16 * PAGE + v * 128), 0);
}

static void step(struct guest *g, uint8_t action, struct input *in)
{
    switch (action) {
    case 0:
    case 1:
    case 2:
        operate(g, in);
        break;
    case 3:
        scribble(g, in);
        break;
    case 4:
        (void)send_port(g, number(in));
        break;
    case 5:
        behave(g, in);
        break;
    case 6:
        vcpu_or_timer(g, in);
        break;
    case 7:
        poll_some(g, in);
        break;
    default:
        operate_oddly(g, in);
        break;
    }
}

/* ---- what the host does, in fair inputs ---------------------------------------------------- */

static void notify(void *data)
{
    ++*(unsigned *)data;
}

static void administer(struct world *w, struct guest *g, struct input *in)
{
    static unsigned notified;
    uint8_t how = byte(in);
    struct evc_host *host = NULL;

    switch (how % 8) {
    case 0:
        (void)evc_raise_vcpu_virq(g->dom, how >> 6, VIRQ_TIMER);
        break;
    case 1:
        (void)evc_raise_global_virq(w->engine, number(in));
        break;
    case 2:
        w->now += word(in) % 1000000000;
        (void)evc_timers_run(w->engine);
        break;
    case 3:
        (void)evc_bind_static(g->dom, number(in), domain_id(in));
        break;
    case 4:
        if (evc_host_connect(g->dom, number(in), domain_id(in), notify,
                             &notified, &host) == 0) {
            (void)send_port(g, evc_host_port(host));
            (void)evc_host_send(host);
            evc_host_close(host);
        }
        break;
    case 5:
        (void)evc_counting(g->dom, how & 0x80);
        break;
    case 6:
        (void)evc_domain_set_layout(g->dom, (enum evc_layout)(how >> 5));
        break;
    case 7:
        evc_vcpu_update_time(g->dom, how >> 5);
        evc_domain_pause(g->dom);
        break;
    }
}

/* ---- others stay as they were ---------------------------------------------------------------- */

#define WATCHED (80 * PAGE) /* all that d0 and d2 share, and some more */

/* d0 and d2 as they were when d1 became hostile. */
static uint8_t shadow[2][WATCHED];

static void take_shadow(struct world *w)
{
    memcpy(shadow[0], w->d0->memory, WATCHED);
    memcpy(shadow[1], w->d2->memory, WATCHED);
}

/*
 * Of a peer's memory d1 may have changed: of vcpu_info the flag and the selector
 * (16 bytes each), and the pending bit of port 1, which is bound to it; or that
 * port's word, and its queue.  d0 is in two-level mode, d2 in FIFO mode.
 */
static void check_shadow(struct guest *g, const uint8_t *old, bool fifo)
{
    const uint8_t *now = g->memory;
    uint32_t control = BLOCK_FRAME * PAGE, event = ARRAY_FRAME * PAGE + 4;

    if (memcmp(now, old, WATCHED) == 0)
        return;
    for (uint32_t i = 0; i < WATCHED; i++) {
        if (now[i] == old[i])
            continue;
        if (i < 16)
            continue;
        if (!fifo && i == g->abi.pending) {
            assert(((now[i] ^ old[i]) & ~2) == 0);
            continue;
        }
        if (fifo && (i < control + 72 && i >= control))
            continue;
        if (fifo && i >= event && i < event + 4)
            continue;
        abort(); /* d1 has changed another domain's memory */
    }
}

/* ---- running an input ---------------------------------------------------------------------------- */

static struct world *make_world(uint8_t mode)
{
    struct world *w = world_create((struct world_config){
        .compat = mode & 2 ? EVC_COMPAT_XEN_4_17 : EVC_COMPAT_DEFAULT,
        .insomnia = true});

    w->d0 = guest_create(
        w, (struct guest_config){.id = 0, .flags = EVC_DOMAIN_PRIVILEGED});
    w->d1 = guest_create(
        w, (struct guest_config){.id = 1,
                                 .layout = mode & 4 ? EVC_LAYOUT_X86_32
                                                    : EVC_LAYOUT_X86_64,
                                 .max_port = mode & 8 ? 200 : 0});
    w->d2 = guest_create(w, (struct guest_config){.id = 2});
    return w;
}

/* d1 has a channel to each of the others, and is the only one to act. */
static void be_hostile(struct world *w, struct input *in)
{
    enter_fifo(w->d2, 1);
    assert(grow(w->d2) == 0);
    assert(join_guests(w->d0, w->d1).a == 1);
    assert(join_guests(w->d2, w->d1).a == 1);
    take_shadow(w);
    for (unsigned i = 0; i < STEPS_MAX && in->size > 0; i++)
        step(w->d1, byte(in) % 9, in);
    check_shadow(w->d0, shadow[0], false);
    check_shadow(w->d2, shadow[1], true);
    assert(w->d0->mapped == 0 && w->d2->mapped == 2);
}

static void be_fair(struct world *w, struct input *in)
{
    for (unsigned i = 0; i < STEPS_MAX && in->size > 0; i++) {
        uint8_t b = byte(in);
        struct guest *g = &w->guest[b % 3];

        if (b >= 0xf0)
            administer(w, g, in);
        else
            step(g, (uint8_t)(b / 3 % 9), in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t mode = byte(&in);
    struct world *w = make_world(mode);

    if (mode & 1)
        be_hostile(w, &in);
    else
        be_fair(w, &in);
    assert(world_destroy(w));
    return 0;
}

#ifndef EVC_LIBFUZZER
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

static uint32_t random32(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

static void run_number(uint64_t n)
{
    uint64_t seed = n;
    uint8_t data[600];
    size_t size = 50 + random32(&seed) % (sizeof(data) - 50);

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)random32(&seed);
    data[0] = (uint8_t)n; /* every mode gets its turn */
    (void)LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
    static const char *const seeds[] = {
        /* two-level: an IPI for each, sent to, masked, closed */
        "\x02\x00\x07\x00\x00\x00\x00\x00\x00\x0c\x01\x0f\x00\x00\x01",
        /* hostile: init_control, expand_array, sends, scribbles */
        "\x01\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x00\x02",
        "\x01\x04\x01\x03\x04\x00\x01\x07\x04\x01\x03\x04\x00\x02\x01\x04",
        /* nothing but resets and polls */
        "\x0b\x00\x0a\x00\x00\x03\x00\x00\x00\x07\x01\x02\x03\x04\x00\x04",
    };
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 0) : INPUTS;

    alarm(argc > 2 ? 0 : 100);
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        (void)LLVMFuzzerTestOneInput((const uint8_t *)seeds[i],
                                     strlen(seeds[i]) + 1);
    for (uint64_t i = first; i < first + n; i++)
        run_number(i);
    return 0;
}
#endif
