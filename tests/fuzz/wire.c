/* SPDX-License-Identifier: MIT */
/*
 * The daemon's decoder: whatever it accepts is a message that encodes to the same
 * bytes, and whatever it does not is refused whole.
 *
 * As a test: every single-byte change of a good message of each kind, then random
 * bytes.  As a fuzz target (./dev fuzz): what libFuzzer thinks of; the first byte
 * says how many descriptors came along.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

static unsigned accepted;

static void decode_request(const uint8_t *bytes, size_t size, unsigned fds)
{
    struct evc_wire_request request, untouched;
    uint8_t again[EVC_WIRE_SIZE];

    memset(&request, 0x5a, sizeof(request));
    untouched = request;
    if (evc_wire_decode_request(bytes, size, fds, &request) != 0) {
        assert(memcmp(&request, &untouched, sizeof(request)) == 0);
        return;
    }
    accepted++;
    assert(size == EVC_WIRE_SIZE && request.op > 0 &&
           request.op < EVC_WIRE_OPS);
    assert(fds == (request.op == EVC_WIRE_JOIN));
    evc_wire_encode_request(&request, again);
    assert(memcmp(again, bytes, EVC_WIRE_SIZE) == 0);
}

static void decode_reply(const uint8_t *bytes, size_t size, unsigned fds)
{
    struct evc_wire_reply reply;
    uint8_t again[EVC_WIRE_SIZE];

    if (evc_wire_decode_reply(bytes, size, fds, &reply) != 0)
        return;
    assert(size == EVC_WIRE_SIZE && reply.result <= 0);
    evc_wire_encode_reply(&reply, again);
    assert(memcmp(again, bytes, EVC_WIRE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    decode_request(data + 1, size - 1, data[0] % 4);
    decode_reply(data + 1, size - 1, data[0] % 4);
    return 0;
}

#ifndef EVC_LIBFUZZER

static void change_each_byte(uint32_t op)
{
    struct evc_wire_request request = {.op = op};
    uint8_t data[1 + EVC_WIRE_SIZE];

    evc_wire_encode_request(&request, data + 1);
    for (unsigned fds = 0; fds < 4; fds++) {
        data[0] = (uint8_t)fds;
        LLVMFuzzerTestOneInput(data, sizeof(data));
    }
    data[0] = op == EVC_WIRE_JOIN;
    for (unsigned i = 1; i < sizeof(data); i++) {
        uint8_t was = data[i];

        for (unsigned v = 0; v < 256; v++) {
            data[i] = (uint8_t)v;
            LLVMFuzzerTestOneInput(data, sizeof(data));
        }
        data[i] = was;
    }
}

int main(void)
{
    uint8_t data[80];

    for (uint32_t op = 0; op <= EVC_WIRE_OPS; op++)
        change_each_byte(op);
    assert(accepted > EVC_WIRE_OPS);
    srand(1);
    for (unsigned n = 0; n < 200000; n++) {
        size_t size = (unsigned)rand() % (sizeof(data) + 1);

        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(rand() >> 8);
        if (n % 2 && size > 5)
            memcpy(data + 1, "evc1", 4);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%u accepted\n", accepted);
    return 0;
}

#endif
