/* SPDX-License-Identifier: MIT */
/*
 * The ends of everything: the last port, the edge of a page, a guest of 32
 * bits, every offset of vcpu_info, and memory that is refused.
 *
 * The allocator is wrapped (-Wl,--wrap), so this one is linked with libevc.a.
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#include <evc/abi/vcpu.h>

/* ---- memory that is refused --------------------------------------------- */

static unsigned fail_at; /* the n-th allocation from now fails; 0: none does */

static bool refused(void)
{
    return fail_at != 0 && --fail_at == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

/* One way to get a port of d1: the port, or an error. */
typedef int opener(struct world *w);

static int open_unbound(struct world *w)
{
    return alloc_unbound(w->d1, DOMID_SELF, 2);
}

static int open_interdomain(struct world *w)
{
    return bind_interdomain(w->d1, 2, 1); /* d2 offers its port 1 */
}

static int open_virq(struct world *w)
{
    return bind_virq(w->d1, VIRQ_TIMER, 1);
}

static int open_ipi(struct world *w)
{
    return bind_ipi(w->d1, 0);
}

static int open_pirq(struct world *w)
{
    return bind_pirq(w->d0, 3, 0); /* d0's; d1 is not allowed to */
}

static int open_static(struct world *w)
{
    int r = evc_bind_static(w->d1->dom, 4096 - 1, 2);

    return r < 0 ? r : 4096 - 1;
}

/* d1 and d0 have 63 ports: the next needs a bucket. Every port still works. */
static void fill_a_bucket(struct world *w)
{
    assert_int_equal(alloc_unbound(w->d2, DOMID_SELF, 1), 1);
    for (uint32_t port = 1; port < 64; port++) {
        assert_int_equal(bind_ipi(w->d1, 0), port);
        assert_int_equal(bind_ipi(w->d0, 0), port);
    }
}

static void assert_old_ports_work(struct guest *g)
{
    for (uint32_t port = 1; port < 64; port++) {
        assert_int_equal(send_port(g, port), 0);
        assert_int_equal(take(g, 0).port[0], port);
    }
    assert_true(evc_port_next(g->dom, 63) == 0); /* and no new one exists */
}

static void assert_opens_in_spite_of_failures(struct world *w, opener *open)
{
    int port = -1;
    unsigned n;

    for (n = 1; port < 0; n++) {
        fail_at = n;
        port = open(w);
        if (fail_at != 0) { /* so many there are not: it has worked */
            fail_at = 0;
            assert_true(port > 0);
            break;
        }
        if (port < 0) {
            assert_int_equal(port, -XEN_ENOMEM);
            assert_old_ports_work(w->d1);
            assert_old_ports_work(w->d0);
        }
    }
    assert_true(port >= 64);
    assert_true(n > 1 || port < 0); /* something was refused */
}

#define TEST_REFUSED(what)                                              \
    static void test_refused_memory_leaves_no_half_##what(void **state) \
    {                                                                   \
        fill_a_bucket(*state);                                          \
        assert_opens_in_spite_of_failures(*state, open_##what);         \
    }
TEST_REFUSED(unbound)
TEST_REFUSED(interdomain)
TEST_REFUSED(virq)
TEST_REFUSED(ipi)
TEST_REFUSED(pirq)
TEST_REFUSED(static)

static void test_refused_memory_leaves_two_level_as_it_was(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    int r = -1;

    for (unsigned n = 1; r < 0; n++) {
        fail_at = n;
        r = init_control(g, BLOCK_FRAME, 0, 0);
        if (r < 0) {
            assert_int_equal(r, -XEN_ENOMEM);
            assert_int_equal(g->mapped, 0);
            assert_int_equal(send_port(g, port), 0);
            assert_int_equal(take(g, 0).port[0], port);
        }
    }
    fail_at = 1;
    assert_int_equal(init_control(g, BLOCK_FRAME, 128, 1), -XEN_ENOMEM);
    assert_int_equal(g->mapped, 1);
    fail_at = 0;
    assert_int_equal(init_control(g, BLOCK_FRAME, 128, 1), 0);

    fail_at = 1; /* the way back wants memory too */
    r = reset(g, DOMID_SELF);
    fail_at = 0;
    assert_true(r == 0 || r == -XEN_ENOMEM);
    assert_int_equal(reset(g, DOMID_SELF), 0);
    assert_int_equal(g->mapped, 0);
}

static void test_refused_memory_leaves_no_half_domain(void **state)
{
    struct world *w = *state;
    struct evc_domain_config config =
        guest_domain_config(w->d2, (struct guest_config){.id = 7});
    struct evc_domain *dom = NULL;
    int r = -1;

    for (unsigned n = 1; r < 0; n++) {
        fail_at = n;
        r = evc_domain_create(w->engine, &config, &dom);
        if (r < 0) {
            assert_int_equal(r, -XEN_ENOMEM);
            assert_null(evc_domain_find(w->engine, 7));
        }
        assert_true(n < 100);
    }
    fail_at = 0;
    evc_domain_destroy(dom);
}

/* As XTF does it, with every third allocation of the engine refused. */
static void test_ports_run_out_with_ENOSPC_and_nothing_else(void **state)
{
    struct world *w = *state;
    unsigned refusals = 0;
    int port;

    for (unsigned n = 0;; n++) {
        fail_at = n % 100 == 0 ? 1 : 0;
        port = alloc_unbound(w->d1, DOMID_SELF, 2);
        fail_at = 0;
        if (port == -XEN_ENOMEM)
            refusals++;
        else if (port < 0)
            break;
        assert_true(n < 6000);
    }
    assert_int_equal(port, -XEN_ENOSPC);
    for (int i = 0; i < 5; i++)
        assert_int_equal(alloc_unbound(w->d1, DOMID_SELF, 2), -XEN_ENOSPC);
    (void)refusals;
    for (uint32_t p = 1; p < 4096; p++)
        assert_int_equal(state_of(w->d1, p), EVTCHNSTAT_unbound);
}

/* ---- a guest of 32 bits (XSA-342) --------------------------------------- */

static void test_narrow_guest_gets_1023_ports(void **state)
{
    struct world *w = *state;
    struct guest *g = guest_create(
        w, (struct guest_config){.id = 5, .layout = EVC_LAYOUT_X86_32});

    for (int port = 1; port < 1024; port++)
        assert_int_equal(bind_ipi(g, 0), port);
    for (int i = 0; i < 4; i++)
        assert_int_equal(bind_ipi(g, 0), -XEN_ENOSPC);
    assert_int_equal(evc_bind_static(g->dom, 1024, 2), -XEN_ENOSPC);
    assert_int_equal(send_port(g, 1023), 0);
    assert_int_equal(read32(g, g->abi.pending + 124u), 1u << 31);
    assert_int_equal(read32(g, g->abi.pending + 128u), 0); /* the mask's */
    assert_int_equal(take(g, 0).port[0], 1023);
}

static void test_guest_with_ports_above_1023_cannot_become_narrow(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port;

    assert_int_equal(evc_bind_static(g->dom, 1024, 2), 0);
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_32),
                     -XEN_EBUSY);
    assert_int_equal(close_port(g, 1024), 0);
    port = (uint32_t)bind_ipi(g, 0);
    assert_int_equal(evc_domain_set_layout(g->dom, EVC_LAYOUT_X86_32), 0);
    g->abi = (struct evc_abi_layout)EVC_ABI_LAYOUT_INIT(X86_32);
    assert_int_equal(evc_bind_static(g->dom, 1024, 2), -XEN_ENOSPC);
    assert_int_equal(send_port(g, 1024), -XEN_EINVAL);
    assert_int_equal(send_port(g, port), 0);
    assert_int_equal(take(g, 0).port[0], port);
}

/* ---- the edges of pages and buckets (3a6cb6aae4; 8f7f6ab879) ------------ */

static void test_two_level_bits_are_right_at_every_edge(void **state)
{
    static const uint32_t edges[] = {63,   64,   65,   1023, 1024,
                                     1025, 2047, 2048, 4094, 4095};
    struct world *w = *state;
    struct guest *g = w->d1;

    for (unsigned i = 0; i < ARRAY_SIZE(edges); i++) {
        uint32_t p = edges[i];
        struct taken taken;

        assert_int_equal(evc_bind_static(g->dom, p, 2), 0);
        send_port(w->d2, (uint32_t)bind_interdomain(w->d2, 1, p));
        for (uint32_t word = 0; word < 64; word++)
            assert_true(read64(g, g->abi.pending + word * 8) ==
                        (word == p / 64 ? UINT64_C(1) << p % 64 : 0));
        assert_true(selector(g, 0) == UINT64_C(1) << p / 64);
        taken = take(g, 0);
        assert_int_equal(taken.count, 1);
        assert_int_equal(taken.port[0], p);
    }
    assert_int_equal(evc_bind_static(g->dom, 4096, 2), -XEN_ENOSPC);
}

/* The first and the last port of each of the 128 pages. */
static void test_fifo_words_are_right_at_every_edge(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;

    enter_fifo(g, 1);
    for (int i = 0; i < 128; i++)
        assert_int_equal(grow(g), 0);
    assert_int_equal(expand_array(g, 1), -XEN_ENOSPC);
    for (uint32_t i = 1; i < 256; i++) {
        uint32_t p = i / 2 * 1024 + (i % 2 ? 1023 : 0), peer;

        assert_int_equal(evc_bind_static(g->dom, p, 2), 0);
        peer = (uint32_t)bind_interdomain(w->d2, 1, p);
        assert_int_equal(send_port(w->d2, peer), 0);
        assert_int_equal(read32(g, ARRAY_FRAME * PAGE + p * 4),
                         PENDING | LINKED);
        assert_int_equal(take(g, 0).port[0], p);
        assert_int_equal(read32(g, ARRAY_FRAME * PAGE + p * 4), 0);
        assert_int_equal(close_port(w->d2, peer), 0);
    }
    assert_true(frames_are_clear(g, ARRAY_FRAME, ARRAY_FRAME + 128));
    assert_true(frames_are_clear(g, ARRAY_FRAME + 128, SCRATCH_FRAME));
    assert_int_equal(evc_bind_static(g->dom, 131072, 2), -XEN_ENOSPC);
    assert_int_equal(send_port(g, 131072), -XEN_EINVAL);
    assert_int_equal(unmask_port(g, UINT32_MAX), -XEN_EINVAL);
}

static void test_ports_beyond_16_bits_are_not_cut_short(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    struct evc_domain_info info;

    enter_fifo(g, 1);
    for (int i = 0; i < 70; i++)
        assert_int_equal(grow(g), 0);
    for (int port = 1; port <= 70000; port++)
        assert_int_equal(bind_ipi(g, 0), port);
    evc_domain_info(g->dom, &info);
    assert_int_equal(info.open_ports, 70000);
    assert_int_equal(send_port(g, 65536 + 3), 0);
    assert_int_equal(take(g, 0).port[0], 65536 + 3);
    assert_int_equal(read32(g, ARRAY_FRAME * PAGE + 3 * 4), 0);
}

/* ---- every offset of vcpu_info (XSA-327) -------------------------------- */

static int register_at(struct guest *g, unsigned vcpu, uint32_t offset)
{
    struct vcpu_register_vcpu_info raw = {.mfn = 30, .offset = offset};

    put(g, SCRATCH, &raw, sizeof(raw));
    return (int)hypercall(g, vcpu, 24, VCPUOP_register_vcpu_info, vcpu,
                          SCRATCH);
}

static void assert_only_good_offsets_are_taken(struct guest *g)
{
    for (uint32_t offset = 0; offset <= 2 * PAGE; offset++) {
        bool good = offset % g->abi.word == 0 && offset + 64 <= PAGE;

        g->map_error = -XEN_EACCES; /* how far did it get? */
        assert_int_equal(register_at(g, 0, offset),
                         good ? -XEN_EACCES : -XEN_ENXIO);
    }
    g->map_error = 0;
    assert_true(frames_are_clear(g, 29, 32));
    assert_int_equal(register_at(g, 0, UINT32_MAX), -XEN_ENXIO);
    assert_int_equal(register_at(g, 0, PAGE - 64), 0); /* the last good one */
    assert_int_equal(register_at(g, 0, 0), -XEN_EINVAL);
    assert_true(frames_are_clear(g, 29, 30));
    assert_true(frames_are_clear(g, 31, 32));
}

static void test_vcpu_info_is_taken_at_good_offsets_only(void **state)
{
    struct world *w = *state;

    assert_only_good_offsets_are_taken(w->d1);
    assert_only_good_offsets_are_taken(guest_create(
        w, (struct guest_config){.id = 5, .layout = EVC_LAYOUT_X86_32}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused_memory_leaves_no_half_unbound),
        TEST(test_refused_memory_leaves_no_half_interdomain),
        TEST(test_refused_memory_leaves_no_half_virq),
        TEST(test_refused_memory_leaves_no_half_ipi),
        TEST(test_refused_memory_leaves_no_half_pirq),
        TEST(test_refused_memory_leaves_no_half_static),
        TEST(test_refused_memory_leaves_two_level_as_it_was),
        TEST(test_refused_memory_leaves_no_half_domain),
        TEST(test_ports_run_out_with_ENOSPC_and_nothing_else),
        TEST(test_narrow_guest_gets_1023_ports),
        TEST(test_guest_with_ports_above_1023_cannot_become_narrow),
        TEST(test_two_level_bits_are_right_at_every_edge),
        TEST(test_fifo_words_are_right_at_every_edge),
        TEST(test_ports_beyond_16_bits_are_not_cut_short),
        TEST(test_vcpu_info_is_taken_at_good_offsets_only),
    };

    return RUN(tests);
}
