/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls with their arguments in guest memory: copying, the compat call,
 * multicall, and what is none of the engine's.
 */
#include "unit.h"

#include <string.h>

#define OP      __HYPERVISOR_event_channel_op
#define COMPAT  __HYPERVISOR_event_channel_op_compat
#define MULTI   __HYPERVISOR_multicall
#define NOWHERE (FRAMES * PAGE)

static uint32_t scratch32(struct guest *g, unsigned offset)
{
    return read32(g, SCRATCH + offset);
}

static struct guest *narrow_guest(struct world *w)
{
    return guest_create(
        w, (struct guest_config){.id = 7, .layout = EVC_LAYOUT_X86_32});
}

/* ---- one operation --------------------------------------------------------------- */

static void test_argument_is_read_and_answer_written(void **state)
{
    struct world *w = *state;
    struct evtchn_bind_ipi arg = {.vcpu = 2, .port = 77};

    put(w->d1, SCRATCH, &arg, sizeof(arg));
    assert_int_equal(event_op(w->d1, EVTCHNOP_bind_ipi, SCRATCH), 0);
    assert_int_equal(scratch32(w->d1, 0), 2);
    assert_int_equal(scratch32(w->d1, 4), 1);
}

static void test_failed_operation_writes_nothing(void **state)
{
    struct world *w = *state;
    struct evtchn_bind_ipi arg = {.vcpu = 99, .port = 77};

    put(w->d1, SCRATCH, &arg, sizeof(arg));
    assert_int_equal(event_op(w->d1, EVTCHNOP_bind_ipi, SCRATCH), -XEN_ENOENT);
    assert_int_equal(scratch32(w->d1, 4), 77);
}

static void test_nothing_beyond_the_argument_is_touched(void **state)
{
    static const uint8_t size[] = {12, 12, 12, 4, 4,  24, 8,
                                   8,  8,  4,  2, 24, 8,  8};
    struct world *w = *state;

    w->d1->access[SCRATCH_FRAME + 1] = UNMAPPED;
    for (uint32_t cmd = 0; cmd < ARRAY_SIZE(size); cmd++) {
        uint64_t end = (SCRATCH_FRAME + 1) * PAGE;

        assert_int_not_equal(event_op(w->d1, cmd, end - size[cmd]),
                             -XEN_EFAULT);
        assert_int_equal(event_op(w->d1, cmd, end - size[cmd] + 1),
                         -XEN_EFAULT);
    }
}

static void test_unreadable_argument_is_EFAULT(void **state)
{
    struct world *w = *state;

    for (uint32_t cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
        assert_int_equal(event_op(w->d1, cmd, NOWHERE), -XEN_EFAULT);
        assert_int_equal(event_op(w->d1, cmd, UINT64_MAX), -XEN_EFAULT);
    }
    assert_int_equal(evc_port_next(w->d1->dom, 0), 0);
}

static void test_unknown_operation_is_ENOSYS_before_EFAULT(void **state)
{
    struct world *w = *state;

    assert_int_equal(event_op(w->d1, 14, NOWHERE), -XEN_ENOSYS);
    assert_int_equal(event_op(w->d1, 15, NOWHERE), -XEN_ENOSYS);
    assert_int_equal(event_op(w->d1, UINT32_MAX, NOWHERE), -XEN_ENOSYS);
}

static void test_unwritable_answer_is_EFAULT_and_the_work_stays(void **state)
{
    struct world *w = *state;

    w->d1->access[SCRATCH_FRAME] = READ_ONLY;
    assert_int_equal(event_op(w->d1, EVTCHNOP_bind_ipi, SCRATCH), -XEN_EFAULT);
    assert_int_equal(state_of(w->d1, 1), EVTCHNSTAT_ipi);
}

static void test_argument_without_answer_may_be_read_only(void **state)
{
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    put(w->d1, SCRATCH, &port, sizeof(port));
    w->d1->access[SCRATCH_FRAME] = READ_ONLY;
    assert_int_equal(event_op(w->d1, EVTCHNOP_send, SCRATCH), 0);
    assert_int_equal(event_op(w->d1, EVTCHNOP_close, SCRATCH), 0);
}

static void test_calling_vcpu_must_exist(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 4, OP, EVTCHNOP_send, SCRATCH, 0),
                     -XEN_ENOENT);
    assert_int_equal(hypercall(w->d1, UINT32_MAX, MULTI, 0, 0, 0), -XEN_ENOENT);
}

static void test_other_hypercalls_are_the_embedders(void **state)
{
    struct world *w = *state;

    w->other.answer = 4711;
    assert_int_equal(hypercall(w->d1, 3, 12, 5, 0, 0), 4711);
    assert_int_equal(w->other.vcpu, 3);
    assert_int_equal(w->other.nr, 12);
    assert_int_equal(w->other.arg, 5);
    assert_int_equal(hypercall(w->d1, 0, UINT64_MAX, 0, 0, 0), 4711);
}

/* ---- the compat call ----------------------------------------------------------------- */

static int64_t compat(struct guest *g, const struct evtchn_op *op)
{
    put(g, SCRATCH, op, sizeof(*op));
    return hypercall(g, 0, COMPAT, SCRATCH, 0, 0);
}

static void test_compat_call_takes_number_and_argument_together(void **state)
{
    struct world *w = *state;
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi, .u.bind_ipi = {.vcpu = 3}};

    assert_int_equal(compat(w->d1, &op), 0);
    assert_int_equal(scratch32(w->d1, 0), EVTCHNOP_bind_ipi);
    assert_int_equal(scratch32(w->d1, 8), 1);
}

static void test_compat_call_knows_the_first_ten(void **state)
{
    struct world *w = *state;

    for (uint32_t cmd = 0; cmd < 20; cmd++) {
        struct evtchn_op op = {.cmd = cmd};

        if (cmd <= EVTCHNOP_unmask)
            assert_int_not_equal(compat(w->d1, &op), -XEN_ENOSYS);
        else
            assert_int_equal(compat(w->d1, &op), -XEN_ENOSYS);
    }
}

static void test_compat_call_unreadable_is_EFAULT(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 0, COMPAT, NOWHERE, 0, 0), -XEN_EFAULT);
    w->d1->access[SCRATCH_FRAME + 1] = UNMAPPED;
    assert_int_equal(
        hypercall(w->d1, 0, COMPAT, (SCRATCH_FRAME + 1) * PAGE - 27, 0, 0),
        -XEN_EFAULT);
}

/* ---- multicall -------------------------------------------------------------------------- */

struct call {
    uint64_t op, a0, a1;
};

/* Entry n, of either width, at SCRATCH. */
static void put_call(struct guest *g, unsigned n, struct call call)
{
    const uint64_t wide[8] = {call.op, 0xdead, call.a0, call.a1};
    const uint32_t narrow[8] = {(uint32_t)call.op, 0xdead, (uint32_t)call.a0,
                                (uint32_t)call.a1};

    if (g->abi.word == 8)
        put(g, SCRATCH + n * sizeof(wide), wide, sizeof(wide));
    else
        put(g, SCRATCH + n * sizeof(narrow), narrow, sizeof(narrow));
}

static int64_t result(struct guest *g, unsigned n)
{
    if (g->abi.word == 8)
        return (int64_t)read64(g, SCRATCH + n * 64 + 8);
    return (int32_t)read32(g, SCRATCH + n * 32 + 4);
}

static int64_t multicall(struct guest *g, unsigned n)
{
    return hypercall(g, 0, MULTI, SCRATCH, n, 0);
}

/* The page after the list is for arguments. */
#define ARGUMENT (SCRATCH + PAGE)

static void put_sends(struct guest *g, unsigned n)
{
    uint32_t port = (uint32_t)bind_ipi(g, 0);

    put(g, ARGUMENT, &port, sizeof(port));
    for (unsigned i = 0; i < n; i++)
        put_call(g, i, (struct call){OP, EVTCHNOP_send, ARGUMENT});
}

static void check_results(struct guest *g)
{
    put_call(g, 0, (struct call){OP, EVTCHNOP_bind_ipi, ARGUMENT});
    put_call(g, 1, (struct call){OP, 99, ARGUMENT});
    put_call(g, 2, (struct call){OP, EVTCHNOP_bind_ipi, ARGUMENT});
    assert_int_equal(multicall(g, 3), 0);
    assert_int_equal(result(g, 0), 0);
    assert_int_equal(result(g, 1), -XEN_ENOSYS);
    assert_int_equal(result(g, 2), 0);
    assert_int_equal(read32(g, ARGUMENT + 4), 2);
}

static void test_multicall_of_a_64_bit_guest_writes_each_result(void **state)
{
    check_results(((struct world *)*state)->d1);
}

static void test_multicall_of_a_32_bit_guest_writes_each_result(void **state)
{
    check_results(narrow_guest(*state));
}

static void test_multicall_in_a_multicall_is_EINVAL(void **state)
{
    struct world *w = *state;

    put_sends(w->d1, 3);
    put_call(w->d1, 1, (struct call){MULTI, SCRATCH, 1});
    assert_int_equal(multicall(w->d1, 3), 0);
    assert_int_equal(result(w->d1, 0), 0);
    assert_int_equal(result(w->d1, 1), -XEN_EINVAL);
    assert_int_equal(result(w->d1, 2), 0);
}

static void test_empty_multicall_looks_at_nothing(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 0, MULTI, NOWHERE, 0, 0), 0);
}

static void test_unreadable_list_is_EFAULT(void **state)
{
    struct world *w = *state;

    assert_int_equal(hypercall(w->d1, 0, MULTI, NOWHERE, 1, 0), -XEN_EFAULT);
    assert_int_equal(hypercall(w->d1, 0, MULTI, NOWHERE, UINT32_MAX, 0),
                     -XEN_EFAULT);
}

static void test_list_that_ends_early_is_done_up_to_there(void **state)
{
    struct world *w = *state;
    struct guest *g = w->d1;
    uint32_t port = (uint32_t)bind_ipi(g, 0);
    const uint64_t entry[8] = {OP, 0xdead, EVTCHNOP_send, SCRATCH};
    uint64_t list = (SCRATCH_FRAME + 1) * PAGE - 64;

    put(g, SCRATCH, &port, sizeof(port));
    put(g, list, entry, sizeof(entry));
    g->access[SCRATCH_FRAME + 1] = UNMAPPED;
    assert_int_equal(hypercall(g, 0, MULTI, list, 2, 0), -XEN_EFAULT);
    assert_true(is_pending(g, port));
    assert_int_equal(read64(g, list + 8), 0);
}

static void test_unwritable_result_is_EFAULT_and_the_work_stays(void **state)
{
    struct world *w = *state;

    put_sends(w->d1, 2);
    w->d1->access[SCRATCH_FRAME] = READ_ONLY;
    assert_int_equal(multicall(w->d1, 2), -XEN_EFAULT);
    assert_true(is_pending(w->d1, 1));
}

static void test_other_hypercalls_work_in_a_multicall(void **state)
{
    struct world *w = *state;

    w->other.answer = -XEN_E2BIG;
    put_call(w->d1, 0, (struct call){12, 34, 0});
    assert_int_equal(multicall(w->d1, 1), 0);
    assert_int_equal(result(w->d1, 0), -XEN_E2BIG);
    assert_int_equal(w->other.arg, 34);
}

static void test_reset_in_a_multicall_at_every_index(void **state)
{
    struct world *w = *state;
    const uint16_t self = DOMID_SELF;

    put(w->d1, ARGUMENT + 64, &self, sizeof(self));
    for (unsigned at_index = 0; at_index < 4; at_index++) {
        put_sends(w->d1, 4);
        put_call(w->d1, at_index,
                 (struct call){OP, EVTCHNOP_reset, ARGUMENT + 64});
        assert_int_equal(multicall(w->d1, 4), 0);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(result(w->d1, i), i <= at_index ? 0 : -XEN_EINVAL);
    }
}

/* ---- the widths of registers ----------------------------------------------------------------- */

static void test_only_32_bits_of_a_command_count(void **state)
{
    const uint64_t high = UINT64_C(0xabcd) << 32;
    struct world *w = *state;
    uint32_t port = (uint32_t)bind_ipi(w->d1, 0);

    put(w->d1, SCRATCH, &port, sizeof(port));
    assert_int_equal(hypercall(w->d1, 0, OP, high | EVTCHNOP_send, SCRATCH, 0),
                     0);
    assert_int_equal(hypercall(w->d1, 0, __HYPERVISOR_sched_op, high, 0, 0), 0);
    assert_int_equal(
        hypercall(w->d1, 0, __HYPERVISOR_vcpu_op, high | 3, high | 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_argument_is_read_and_answer_written),
        TEST(test_failed_operation_writes_nothing),
        TEST(test_nothing_beyond_the_argument_is_touched),
        TEST(test_unreadable_argument_is_EFAULT),
        TEST(test_unknown_operation_is_ENOSYS_before_EFAULT),
        TEST(test_unwritable_answer_is_EFAULT_and_the_work_stays),
        TEST(test_argument_without_answer_may_be_read_only),
        TEST(test_calling_vcpu_must_exist),
        TEST(test_other_hypercalls_are_the_embedders),
        TEST(test_compat_call_takes_number_and_argument_together),
        TEST(test_compat_call_knows_the_first_ten),
        TEST(test_compat_call_unreadable_is_EFAULT),
        TEST(test_multicall_of_a_64_bit_guest_writes_each_result),
        TEST(test_multicall_of_a_32_bit_guest_writes_each_result),
        TEST(test_multicall_in_a_multicall_is_EINVAL),
        TEST(test_empty_multicall_looks_at_nothing),
        TEST(test_unreadable_list_is_EFAULT),
        TEST(test_list_that_ends_early_is_done_up_to_there),
        TEST(test_unwritable_result_is_EFAULT_and_the_work_stays),
        TEST(test_other_hypercalls_work_in_a_multicall),
        TEST(test_reset_in_a_multicall_at_every_index),
        TEST(test_only_32_bits_of_a_command_count),
    };

    return RUN(tests);
}
