/* SPDX-License-Identifier: MIT */
/*
 * Starting, vCPUs whose vcpu_info lies elsewhere, and polling.
 */
#include "pair.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- which ABI ----------------------------------------------------------------- */

static void test_best_abi_is_fifo_where_the_host_has_it(void **state)
{
    struct side *side = side_create((struct side_config){0});

    (void)state;
    assert_true(evc_guest_is_fifo(&side->guest));
    assert_int_equal(evc_guest_ports(&side->guest), 8192);
    side_destroy(side);
}

static void test_host_without_fifo_gets_twolevel(void **state)
{
    const uint32_t old = 1u << EVTCHNOP_init_control |
                         1u << EVTCHNOP_expand_array |
                         1u << EVTCHNOP_set_priority;
    struct side *side = side_create((struct side_config){.refuse = old});
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);

    (void)state;
    assert_false(evc_guest_is_fifo(&side->guest));
    assert_int_equal(evc_guest_ports(&side->guest), 4096);
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), 1);
    assert_int_equal(evc_guest_set_priority(&side->vcpu[0], 1, 3), -XEN_ENOSYS);
    evc_guest_send(&side->vcpu[0], 1);
    side_run(side, 0);
    assert_int_equal(seen.count, 1);
    side_destroy(side);
}

static void test_fifo_or_nothing_fails_without_fifo(void **state)
{
    const uint32_t old = 1u << EVTCHNOP_init_control;

    (void)state;
    assert_null(side_create(
        (struct side_config){.abi = EVC_GUEST_ABI_FIFO, .refuse = old}));
}

static void test_host_that_stops_half_way_is_an_error(void **state)
{
    (void)state;
    assert_null(side_create(
        (struct side_config){.refuse = 1u << EVTCHNOP_expand_array}));
}

/* A kernel that is started by another one closes what that has left. */
static void test_reset_takes_over_from_an_earlier_kernel(void **state)
{
    struct side *side = side_create((struct side_config){0});
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 0);
    struct evc_domain_info info;

    (void)state;
    for (int i = 0; i < 5; i++)
        evc_guest_bind_ipi(&side->vcpu[0], &how);
    side->config.reset = 1;
    assert_int_equal(side_init(side), 0);
    evc_domain_info(side->dom, &info);
    assert_int_equal(info.open_ports, 0);
    assert_true(evc_guest_is_fifo(&side->guest));
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), 1);
    evc_guest_send(&side->vcpu[0], 1);
    side_run(side, 0);
    assert_int_equal(seen.count, 1);
    side_destroy(side);
}

static void test_wrong_configurations_are_refused(void **state)
{
    struct side *side = side_create((struct side_config){0});
    const struct evc_guest_config good = side->config;

    (void)state;
#define REFUSED(member, value)     \
    side->config = good;           \
    side->config.member = (value); \
    assert_int_equal(side_init(side), -XEN_EINVAL)
    REFUSED(size, 8);
    REFUSED(layout, 9);
    REFUSED(abi, 9);
    REFUSED(nr_vcpus, 0);
    REFUSED(nr_ports, 1);
    REFUSED(nr_ports, 131073);
    REFUSED(hooks, NULL);
    REFUSED(ports, (void *)((char *)good.ports + 8));
    REFUSED(events, (void *)((char *)good.events + 64));
    REFUSED(shared_info, NULL);
    REFUSED(storm_threshold, 256);
#undef REFUSED
    side_destroy(side);
}

static void test_every_port_is_masked_at_first(void **state)
{
    struct pair *pair = *state;
    evc_port ports =
        pair->a->config.layout == EVC_GUEST_LAYOUT_X86_32 ? 1024 : 4096;
    const uint8_t *mask = pair->a->shared + (ports == 1024 ? 2176 : 2560);

    for (evc_port p = 0; p < ports; p++)
        assert_true(mask[p / 8] >> p % 8 & 1);
}

/* ---- vcpu_info ------------------------------------------------------------------- */

static void test_vcpu_without_a_slot_registers_its_info(void **state)
{
    struct side *side = side_create(
        (struct side_config){.vcpus = 40, .abi = EVC_GUEST_ABI_TWOLEVEL});
    struct evc_guest_vcpu *last = evc_guest_self(&side->guest, 39);
    struct seen seen = {0};
    struct evc_guest_binding how = noting(&seen, 39);
    void *page = aligned_alloc(4096, 4096);

    (void)state;
    memset(page, 0, 4096);
    assert_int_equal(evc_guest_dispatch(last, 0, 0), 0);
    assert_int_equal(
        evc_guest_register_info(&side->vcpu[0], 39, (char *)page + 128), 0);
    side_run(side, 39); /* every selector is set: nothing is there */
    assert_int_equal(evc_guest_bind_ipi(&side->vcpu[0], &how), 1);
    evc_guest_send(&side->vcpu[0], 1);
    side_run(side, 39);
    assert_int_equal(seen.count, 1);
    assert_int_equal(evc_guest_register_info(&side->vcpu[0], 40, page),
                     -XEN_ENOENT);
    side_destroy(side);
    free(page);
}

static void test_event_during_a_move_of_the_info_is_found(void **state)
{
    struct pair *pair = *state;
    struct seen seen = {0};
    struct link link = pair_link(pair, &seen, 0);
    static _Alignas(4096) unsigned char page[4096]; /* outlives the domain */

    memset(page, 0, sizeof(page));
    pair_send(pair, link);
    assert_int_equal(evc_guest_register_info(&pair->a->vcpu[0], 0, page), 0);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 1);
    pair_send(pair, link);
    side_run(pair->a, 0);
    assert_int_equal(seen.count, 2);
    evc_domain_kill(pair->a->dom);
}

/* ---- polling --------------------------------------------------------------------- */

static struct link polled_link(struct pair *pair)
{
    static const struct evc_guest_binding silent = {0};

    return side_connect(pair->a, pair->b, &silent, &silent);
}

static void test_poll_takes_what_is_there(void **state)
{
    struct pair *pair = *state;
    struct link link = polled_link(pair);

    assert_int_equal(evc_guest_take(&pair->a->vcpu[0], link.here), 0);
    pair_send(pair, link);
    assert_int_equal(evc_guest_poll(&pair->a->vcpu[0], link.here, 0), 1);
    assert_int_equal(evc_guest_take(&pair->a->vcpu[0], link.here), 0);
    assert_int_equal(evc_guest_poll(&pair->a->vcpu[0], 99, 0), -XEN_EINVAL);
}

static void test_poll_ends_at_its_deadline(void **state)
{
    struct pair *pair = *state;
    struct link link = polled_link(pair);
    uint64_t now = evc_guest_libevc_now(NULL);

    assert_int_equal(
        evc_guest_poll(&pair->a->vcpu[0], link.here, now + 2000000), 0);
    assert_true(evc_guest_libevc_now(NULL) >= now + 2000000);
}

static void *send_later(void *arg)
{
    struct again {
        struct pair *pair;
        struct link link;
    } *again = arg;

    usleep(3000);
    pair_send(again->pair, again->link);
    return NULL;
}

static void test_poll_is_woken_by_the_event(void **state)
{
    struct {
        struct pair *pair;
        struct link link;
    } again = {*state, polled_link(*state)};
    struct pair *pair = *state;
    pthread_t thread;
    int r;

    alarm(20);
    pthread_create(&thread, NULL, send_later, &again);
    do
        r = evc_guest_poll(&pair->a->vcpu[0], again.link.here, 0);
    while (r == 0);
    assert_int_equal(r, 1);
    pthread_join(thread, NULL);
    alarm(0);
}

static void test_polled_port_cannot_be_unmasked(void **state)
{
    struct pair *pair = *state;
    struct link link = polled_link(pair);

    assert_int_equal(evc_guest_unmask(&pair->a->vcpu[0], link.here),
                     -XEN_EINVAL);
    assert_true(side_masked(pair->a, link.here));
}

int main(void)
{
    static const struct side_config arm = {.layout = EVC_GUEST_LAYOUT_ARM,
                                           .abi = EVC_GUEST_ABI_TWOLEVEL,
                                           .vcpus = 1};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best_abi_is_fifo_where_the_host_has_it),
        cmocka_unit_test(test_host_without_fifo_gets_twolevel),
        cmocka_unit_test(test_fifo_or_nothing_fails_without_fifo),
        cmocka_unit_test(test_host_that_stops_half_way_is_an_error),
        cmocka_unit_test(test_reset_takes_over_from_an_earlier_kernel),
        cmocka_unit_test(test_wrong_configurations_are_refused),
        ON(twolevel_32, test_every_port_is_masked_at_first),
        ON(twolevel_64, test_every_port_is_masked_at_first),
        cmocka_unit_test(test_vcpu_without_a_slot_registers_its_info),
        ON_ALL(test_event_during_a_move_of_the_info_is_found),
        ON(arm, test_event_during_a_move_of_the_info_is_found),
        ON_ALL(test_poll_takes_what_is_there),
        /* Not 32 bits: a stack above 4 GiB has no address for the host. */
        ON_BOTH(test_poll_ends_at_its_deadline),
        ON_BOTH(test_poll_is_woken_by_the_event),
        ON(arm, test_poll_is_woken_by_the_event),
        ON_ALL(test_polled_port_cannot_be_unmasked),
    };

    return RUN(tests);
}
