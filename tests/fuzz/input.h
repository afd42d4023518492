/* SPDX-License-Identifier: MIT */
/*
 * An input of a fuzz target, read byte by byte; behind its end are zeroes.
 *
 * A file that includes this is a test, too: linked with numbers.c it runs on
 * inputs made from numbers.  With -DEVC_LIBFUZZER that is left to libFuzzer.
 */
#ifndef EVC_TESTS_FUZZ_INPUT_H
#define EVC_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t byte(struct input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static inline uint32_t word(struct input *in)
{
    uint32_t w = 0;

    for (int i = 0; i < 4; i++)
        w = w << 8 | byte(in);
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* EVC_TESTS_FUZZ_INPUT_H */
