/* SPDX-License-Identifier: MIT */
/*
 * The trace: text that grows.  What a scenario prints is collected here and
 * compared, printed or written when the scenario has ended.
 */
#ifndef EVC_REPLAY_TRACE_H
#define EVC_REPLAY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVC_TRACE_MAX ((size_t)256 << 20)

struct evc_trace {
    char *text;
    size_t used;
    size_t size;
    bool full; /* something is missing: out of memory, or EVC_TRACE_MAX */
};

void evc_trace_finish(struct evc_trace *trace);
void evc_trace_raw(struct evc_trace *trace, const char *text, size_t size);
void evc_trace_add(struct evc_trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "-22 EINVAL" */
void evc_trace_rc(struct evc_trace *trace, int64_t rc);

/* "= -22 EINVAL", and no newline: an OUT field may follow */
void evc_trace_result(struct evc_trace *trace, int64_t rc);

/* An event word: "PM-- 17" */
void evc_trace_word(struct evc_trace *trace, uint32_t word);

#endif /* EVC_REPLAY_TRACE_H */
