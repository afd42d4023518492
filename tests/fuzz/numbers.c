/* SPDX-License-Identifier: MIT */
/* A fuzz target's main() where there is no fuzzer: inputs made from numbers. */
#include <stdlib.h>
#include <unistd.h>

#include "input.h"

#define SIZE_MAX_ 1500u

static uint32_t random32(uint64_t *dice)
{
    *dice = *dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*dice >> 33);
}

static void run_number(uint64_t n)
{
    uint8_t data[SIZE_MAX_];
    uint64_t dice = n * 77777 + 1;
    size_t size = random32(&dice) % SIZE_MAX_;

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(random32(&dice) >> 8);
    (void)LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 5000;

    alarm(100); /* a step that does not end */
    for (uint64_t i = 0; i < n; i++)
        run_number(i);
    return 0;
}
