/* SPDX-License-Identifier: MIT */
/*
 * The guest's time: its TSC is the processor's own, and system time is a
 * straight line of it, so that it never jumps.  How fast the TSC runs is
 * measured once, against CLOCK_MONOTONIC, while the guest is being built.
 */
#include "runner.h"

#include <time.h>
#include <x86intrin.h>

#define SETTLE UINT64_C(10000000) /* ns */
#define TRIES  20u

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Both clocks at one moment: of several readings the one that took least. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc();
        uint64_t now = read_ns(CLOCK_MONOTONIC);
        uint64_t after = __rdtsc();

        if (after - before >= best)
            continue;
        best = after - before;
        *tsc = before + best / 2;
        *ns = now;
    }
}

void evc_run_clock_start(struct evc_run_clock *clock)
{
    read_both(&clock->tsc, &clock->ns);
}

/* ns = (ticks << shift) * mul >> 32, with mul as large as fits. */
static void scale(struct evc_run_clock *clock, uint64_t ticks, uint64_t ns)
{
    unsigned __int128 mul = ((unsigned __int128)ns << 32) / ticks;

    clock->shift = 0;
    while (mul > UINT32_MAX) {
        mul >>= 1;
        clock->shift++;
    }
    while (mul < UINT32_C(1) << 31) {
        clock->shift--;
        mul = ((unsigned __int128)ns << (32 - clock->shift)) / ticks;
    }
    clock->mul = (uint32_t)mul;
}

void evc_run_clock_settle(struct evc_run_clock *clock)
{
    uint64_t tsc = 0, ns = 0, until = clock->ns + SETTLE;
    struct timespec at = {(time_t)(until / 1000000000u),
                          (long)(until % 1000000000u)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    read_both(&tsc, &ns);
    scale(clock, tsc - clock->tsc, ns - clock->ns);
}

static uint64_t to_ns(const struct evc_run_clock *clock, uint64_t ticks)
{
    unsigned __int128 x = ticks;

    x = clock->shift < 0 ? x >> -clock->shift : x << clock->shift;
    return (uint64_t)(x * clock->mul >> 32);
}

void evc_run_clock_read(const struct evc_run_clock *clock, struct evc_time *now)
{
    uint64_t tsc = __rdtsc();

    *now = (struct evc_time){
        .tsc_timestamp = tsc,
        .system_time = to_ns(clock, tsc - clock->tsc),
        .tsc_to_system_mul = clock->mul,
        .tsc_shift = clock->shift,
        .flags = 0,
    };
}

uint64_t evc_run_clock_epoch(const struct evc_run_clock *clock)
{
    uint64_t ago = read_ns(CLOCK_MONOTONIC) - clock->ns;

    return read_ns(CLOCK_REALTIME) - ago;
}
