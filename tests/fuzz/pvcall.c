/* SPDX-License-Identifier: MIT */
/*
 * Bytes as what a guest does: hypercalls with any arguments, instructions that
 * are carried out for it, traps, and words of its memory, page tables among
 * them, changed to anything.  There is no processor; the registers that come
 * back are looked at instead.
 *
 * The same file is a regression test (inputs made from numbers) and, with
 * -DEVC_LIBFUZZER, a fuzz target.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "tinyimage.h"

#define PAGES     2048u
#define STEPS_MAX 200u
#define SCRATCH   (TINY_BASE + 0x2000)

/* ---- reading the input ------------------------------------------------------- */

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

static uint64_t word(struct input *in)
{
    uint64_t w = 0;

    for (int i = 0; i < 8; i++)
        w = w << 8 | byte(in);
    return w;
}

/* Small, an address of the guest, a frame, or anything. */
static uint64_t number(struct input *in)
{
    uint8_t b = byte(in);

    switch (b % 8) {
    case 0:
    case 1:
        return b / 8;
    case 2:
        return SCRATCH + byte(in) * 8u;
    case 3:
        return TINY_BASE + byte(in) * 0x1000u;
    case 4:
        return EVC_PV_FIRST_MFN + byte(in);
    case 5:
        return 0x7ff0;
    case 6:
        return ((EVC_PV_FIRST_MFN + byte(in)) << 12) + byte(in) * 8u;
    default:
        return word(in);
    }
}

#define VCPUS 2u

/* ---- a world without a processor ------------------------------------------------ */

struct world {
    struct evc_engine *engine;
    struct evc_pv_domain domain;
    struct evc_pv_world start;
    struct evc_pv_regs regs;
};

static void flush(void *cpu)
{
    (void)cpu;
}

static void flush_page(void *cpu, uint64_t va)
{
    (void)cpu;
    (void)va;
}

static void renew(void *cpu, uint64_t va)
{
    const struct world *w = cpu;
    struct evc_pv_page page;

    if (evc_pv_walk(&w->domain, va, &page) == 0)
        assert(evc_pv_frame(&w->domain.frames, page.mfn));
}

static const struct evc_pv_tlb tlb = {flush, flush_page, renew};
static const struct evc_pv_hooks hooks = {0};

/* Nobody would ever wake it. */
static void wait(void *dom, uint32_t vcpu, uint64_t deadline)
{
    struct evc_pv_domain *domain = dom;

    (void)deadline;
    evc_vcpu_wake(domain->events, vcpu);
}

static void wake(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
}

static void timer(void *host, uint64_t deadline)
{
    (void)host;
    (void)deadline;
}

static void create_events(struct world *w)
{
    struct evc_ops ops = {
        .size = sizeof(ops), .wait = wait, .wake = wake, .timer = timer};
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = 1,
        .vcpus = VCPUS,
        .max_port = UINT32_MAX,
        .shared_info = evc_pv_frame(&w->domain.frames, EVC_PV_SHARED_INFO_MFN),
        .cookie = &w->domain,
    };

    evc_pv_events_ops(&ops);
    assert(evc_engine_create(&ops, w, EVC_COMPAT_DEFAULT, &w->engine) == 0);
    assert(evc_domain_create(w->engine, &config, &w->domain.events) == 0);
}

static void create(struct world *w)
{
    static uint8_t bytes[TINY_SIZE];
    struct evc_pv_file file = {bytes, sizeof(bytes)};
    struct evc_pv_image image;
    struct evc_pv_start start = {.image = &image, .vcpus = VCPUS};
    struct evc_pv_error error;

    memset(w, 0, sizeof(*w));
    tiny_image(bytes);
    assert(evc_pv_image_parse("tiny", &file, &image, &error) == 0);
    assert(evc_pv_frames_create(PAGES, &w->domain.frames, &error) == 0);
    w->domain.tlb = &tlb;
    w->domain.cpu = w;
    w->domain.hooks = &hooks;
    assert(evc_pv_build(&w->domain, &start, &w->start, &error) == 0);
    create_events(w);
    evc_pv_find_info(&w->domain.vcpu[0]);
    w->regs = w->domain.vcpu[0].start;
}

static void destroy(struct world *w)
{
    evc_engine_destroy(w->engine);
    evc_pv_frames_destroy(&w->domain.frames);
}

/* ---- what a step can be ------------------------------------------------------------ */

static void call(struct world *w, struct input *in)
{
    w->regs.rax = byte(in) % 70;
    w->regs.rdi = number(in);
    w->regs.rsi = number(in);
    w->regs.rdx = number(in);
    w->regs.r10 = number(in);
    evc_pv_call(&w->domain.vcpu[0], &w->regs);
}

/* Lists that mmu_update, mmuext_op, memory_op and multicall read. */
static void fill_scratch(struct world *w, struct input *in)
{
    uint64_t words[16];

    for (unsigned i = 0; i < 16; i++)
        words[i] = number(in);
    evc_pv_copy_to(&w->domain.vcpu[0], SCRATCH + byte(in) % 64, words,
                   sizeof(words));
}

static void scribble(struct world *w, struct input *in)
{
    uint64_t mfn = byte(in) & 1 ? w->domain.base + byte(in) % 8
                                : EVC_PV_FIRST_MFN + byte(in);
    uint64_t *at = evc_pv_frame(&w->domain.frames, mfn);

    if (at)
        at[byte(in) * 2u + byte(in) % 2] = number(in);
}

static void execute(struct world *w, struct input *in)
{
    uint8_t code[16];
    uint64_t rip = TINY_BASE + byte(in);

    for (unsigned i = 0; i < sizeof(code); i++)
        code[i] = byte(in);
    evc_pv_copy_to(&w->domain.vcpu[0], rip, code, sizeof(code));
    w->regs.rip = rip;
    if (byte(in) & 1)
        evc_pv_emulate(&w->domain.vcpu[0], &w->regs);
    else
        evc_pv_emulate_access(&w->domain.vcpu[0], &w->regs,
                              byte(in) & 1 ? number(in)
                                           : EVC_PV_M2P_START + byte(in),
                              byte(in) & 1);
    assert(w->regs.rip >= rip && w->regs.rip <= rip + 15);
}

static void trap(struct world *w, struct input *in)
{
    w->regs.rsp = number(in);
    if (byte(in) & 1)
        evc_pv_page_fault(&w->domain.vcpu[0], &w->regs, number(in), byte(in));
    else
        evc_pv_trap(&w->domain.vcpu[0], &w->regs, byte(in), byte(in));
}

static void step(struct world *w, struct input *in)
{
    switch (byte(in) % 8) {
    case 0:
        fill_scratch(w, in);
        break;
    case 1:
        scribble(w, in);
        break;
    case 2:
        execute(w, in);
        break;
    case 3:
        trap(w, in);
        break;
    case 4:
        evc_pv_deliver(&w->domain.vcpu[0], &w->regs);
        break;
    default:
        call(w, in);
        break;
    }
}

/* However it ended, the guest only ever has user mode's selectors. */
static void check(const struct world *w)
{
    assert(w->regs.cs == EVC_PV_CS && w->regs.ss == EVC_PV_SS);
    assert(evc_pv_frame(&w->domain.frames, w->domain.base));
    assert(w->domain.frames.given_up <= PAGES);
    assert(strnlen(w->domain.why, sizeof(w->domain.why)) <
           sizeof(w->domain.why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct world w;

    create(&w);
    for (unsigned i = 0; i < STEPS_MAX && in.size > 0; i++) {
        step(&w, &in);
        check(&w);
        w.domain.end = EVC_PV_RUNNING; /* go on, to see more */
    }
    destroy(&w);
    return 0;
}

#ifndef EVC_LIBFUZZER
static void run_number(uint64_t n)
{
    uint64_t seed = n;
    uint8_t data[800];

    for (size_t i = 0; i < sizeof(data); i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        data[i] = (uint8_t)(seed >> 40);
    }
    LLVMFuzzerTestOneInput(data, sizeof(data));
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 0) : 2000;

    alarm(argc > 2 ? 0 : 100);
    for (uint64_t i = first; i < first + n; i++)
        run_number(i);
    return 0;
}
#endif
