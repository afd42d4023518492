/* SPDX-License-Identifier: MIT */
/*
 * Medians, quartiles and ratios of evc bench, and lists of names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_spread(struct evc_spread spread, double low, double median,
                          double high)
{
    assert_true(fabs(spread.low - low) < 1e-9);
    assert_true(fabs(spread.median - median) < 1e-9);
    assert_true(fabs(spread.high - high) < 1e-9);
}

static void assert_nothing(struct evc_spread spread)
{
    assert_true(isnan(spread.low));
    assert_true(isnan(spread.median));
    assert_true(isnan(spread.high));
}

static void test_median_does_not_depend_on_the_order(void **state)
{
    static const double values[] = {5, 1, 4, 2, 3};

    (void)state;
    assert_spread(evc_spread_of(values, COUNT(values)), 2, 3, 4);
}

static void test_median_of_an_even_number_lies_between(void **state)
{
    static const double values[] = {4, 1, 3, 2};

    (void)state;
    assert_spread(evc_spread_of(values, COUNT(values)), 1.75, 2.5, 3.25);
}

static void test_one_value_is_its_own_quartiles(void **state)
{
    static const double values[] = {7};

    (void)state;
    assert_spread(evc_spread_of(values, 1), 7, 7, 7);
}

static void test_one_wild_value_moves_no_median(void **state)
{
    static const double values[] = {10, 11, 1e9, 12, 9};

    (void)state;
    assert_true(evc_spread_of(values, COUNT(values)).median < 11.5);
}

static void test_rounds_without_a_sample_do_not_count(void **state)
{
    const double values[] = {NAN, 3, NAN, 1, 2};

    (void)state;
    assert_spread(evc_spread_of(values, COUNT(values)), 1.5, 2, 2.5);
}

static void test_nothing_has_no_median(void **state)
{
    const double values[] = {NAN, NAN};

    (void)state;
    assert_nothing(evc_spread_of(values, COUNT(values)));
    assert_nothing(evc_spread_of(values, 0));
}

/* A machine that is twice as slow for a while: the ratio does not notice. */
static void test_ratio_is_formed_in_each_round(void **state)
{
    static const double values[] = {10, 20, 10, 20, 40};
    static const double units[] = {5, 10, 5, 10, 20};

    (void)state;
    assert_spread(evc_spread_ratio(values, units, COUNT(values)), 2, 2, 2);
}

static void test_ratio_leaves_out_rounds_without_a_unit(void **state)
{
    const double values[] = {10, 20, 30, 9};
    const double units[] = {5, 0, NAN, 3};

    (void)state;
    assert_spread(evc_spread_ratio(values, units, COUNT(values)), 2.25, 2.5,
                  2.75);
    assert_nothing(evc_spread_ratio(values + 1, units + 1, 2));
}

static void test_a_name_is_chosen_as_a_whole(void **state)
{
    (void)state;
    assert_true(evc_bench_chosen(NULL, "pipe", 4));
    assert_true(evc_bench_chosen("futex,pipe,mq", "pipe", 4));
    assert_true(evc_bench_chosen("pipe", "pipe", 4));
    assert_false(evc_bench_chosen("futex,pipes,mq", "pipe", 4));
    assert_false(evc_bench_chosen("futex,pip", "pipe", 4));
    assert_false(evc_bench_chosen("", "pipe", 4));
}

static void test_a_case_that_does_not_exist_is_found(void **state)
{
    size_t length = 0;

    (void)state;
    assert_null(evc_bench_no_case("notify,cycle,wake", &length));
    assert_string_equal(evc_bench_no_case("notify,notifi,wake", &length),
                        "notifi,wake");
    assert_int_equal(length, 6);
    assert_non_null(evc_bench_no_case("notify,", &length));
    assert_int_equal(length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median_does_not_depend_on_the_order),
        cmocka_unit_test(test_median_of_an_even_number_lies_between),
        cmocka_unit_test(test_one_value_is_its_own_quartiles),
        cmocka_unit_test(test_one_wild_value_moves_no_median),
        cmocka_unit_test(test_rounds_without_a_sample_do_not_count),
        cmocka_unit_test(test_nothing_has_no_median),
        cmocka_unit_test(test_ratio_is_formed_in_each_round),
        cmocka_unit_test(test_ratio_leaves_out_rounds_without_a_unit),
        cmocka_unit_test(test_a_name_is_chosen_as_a_whole),
        cmocka_unit_test(test_a_case_that_does_not_exist_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
