/* SPDX-License-Identifier: MIT */
/*
 * A domain as bytes: little-endian, one field behind the other, nothing between
 * them.  evc_save(3) has the same for readers outside.
 *
 *   head    4  "EVCD"
 *           2  version, 1
 *           1  layout          enum evc_layout
 *           1  flags           1: FIFO
 *           2  id
 *           2  0
 *           4  vcpus
 *           4  ports           that exist: a multiple of 64
 *           4  paused          how often
 *           4  shut down       reason + 1; 0: it is not
 *           4  target          a domain id, or EVC_NO_DOMAIN
 *           4  handled         bit v: it is the handler of VIRQ v
 *           4  records
 *   FIFO    4  pages
 *           8  each: its frame
 *   vCPU    4  flags           1: online, 2: vcpu_info moved, 4: control block
 *           8+4                moved: frame, offset
 *           64                 not moved, and no slot in shared_info: itself
 *           8+4+16*4           control block: frame, offset, tails
 *           2*(8+8)            timers: deadline, period
 *   record  4  port            in ascending order
 *           1  kind            enum evc_kind
 *           1  flags           1: an event is kept back for want of a word
 *           1  priority
 *           1  0
 *           4  vcpu
 *           4  domain          of the other end
 *           4  number          the other end's port; of the interrupt
 *           4  last queue      vcpu | priority << 16; UINT32_MAX: none
 *
 * A port has a record if it is open, or differs from one that was never used.
 */
#ifndef EVC_ENGINE_BYTES_H
#define EVC_ENGINE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EVC_SAVED_MAGIC   0x44435645u /* "EVCD" */
#define EVC_SAVED_VERSION 1u

#define EVC_SAVED_FIFO   1u /* head */
#define EVC_SAVED_ONLINE 1u /* vCPU */
#define EVC_SAVED_MOVED  2u
#define EVC_SAVED_BLOCK  4u
#define EVC_SAVED_KEPT   1u /* record */

/* Bytes on their way out: those beyond `room` are counted only. */
struct evc_out {
    uint8_t *to;
    size_t room, n;
};

static inline void evc_put(struct evc_out *out, const void *from, size_t size)
{
    if (out->n <= out->room && size <= out->room - out->n)
        memcpy(out->to + out->n, from, size);
    out->n += size;
}

/* Bytes on their way in: what is not there reads as 0, and is remembered. */
struct evc_in {
    const uint8_t *from;
    size_t left;
    bool bad;
};

static inline void evc_get(struct evc_in *in, void *to, size_t size)
{
    memset(to, 0, size);
    if (size > in->left) {
        in->bad = true;
        in->left = 0;
        return;
    }
    memcpy(to, in->from, size);
    in->from += size;
    in->left -= size;
}

#define EVC_BYTES(W)                                                      \
    static inline void evc_put##W(struct evc_out *out, uint##W##_t value) \
    {                                                                     \
        evc_put(out, &value, sizeof(value));                              \
    }                                                                     \
    static inline uint##W##_t evc_get##W(struct evc_in *in)               \
    {                                                                     \
        uint##W##_t value;                                                \
                                                                          \
        evc_get(in, &value, sizeof(value));                               \
        return value;                                                     \
    }

EVC_BYTES(8)
EVC_BYTES(16)
EVC_BYTES(32)
EVC_BYTES(64)

#undef EVC_BYTES

#endif /* EVC_ENGINE_BYTES_H */
