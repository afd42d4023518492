/* SPDX-License-Identifier: MIT */
/*
 * For cmocka: a test with two sides, run in each ABI, and in each width where
 * that matters.
 */
#ifndef EVC_TESTS_GUEST_PAIR_H
#define EVC_TESTS_GUEST_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "side.h"

struct pair {
    struct side *a, *b; /* a is the one that is looked at */
};

static const struct side_config twolevel_64 = {
    .layout = EVC_GUEST_LAYOUT_X86_64, .abi = EVC_GUEST_ABI_TWOLEVEL};
__attribute__((unused)) static const struct side_config twolevel_32 = {
    .layout = EVC_GUEST_LAYOUT_X86_32, .abi = EVC_GUEST_ABI_TWOLEVEL};
static const struct side_config fifo_64 = {.layout = EVC_GUEST_LAYOUT_X86_64,
                                           .abi = EVC_GUEST_ABI_FIFO};

static inline int pair_setup(void **state)
{
    const struct side_config *config = *state;
    static struct pair pair;

    pair.a = side_create(*config);
    pair.b = side_create(*config);
    *state = &pair;
    return pair.a && pair.b ? 0 : -1;
}

static inline int pair_teardown(void **state)
{
    struct pair *pair = *state;

    side_destroy(pair->a);
    side_destroy(pair->b);
    side_engine_destroy();
    return 0;
}

#define ON(config, f)                                                      \
    {                                                                      \
#f " (" #config ")", f, pair_setup, pair_teardown, (void *)&config \
    }
#define ON_BOTH(f) ON(twolevel_64, f), ON(fifo_64, f)
#define ON_ALL(f)  ON(twolevel_32, f), ON_BOTH(f)

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* A channel whose end at a has `note` as its handler; the end at b is masked. */
static inline struct link pair_link(struct pair *pair, struct seen *seen,
                                    uint32_t vcpu)
{
    static const struct evc_guest_binding silent = {0};
    struct evc_guest_binding here = noting(seen, vcpu);

    return side_connect(pair->a, pair->b, &here, &silent);
}

/* b sends. */
static inline void pair_send(struct pair *pair, struct link link)
{
    assert_int_equal(evc_guest_send(&pair->b->vcpu[0], link.there), 0);
}

#endif /* EVC_TESTS_GUEST_PAIR_H */
