/* SPDX-License-Identifier: MIT */
/*
 * The trace buffer, and the few things that always print the same way.  A
 * trace that cannot grow is marked full and loses what is added: the run ends
 * with an error, and no caller has to check each line.
 */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>

void evc_trace_finish(struct evc_trace *trace)
{
    free(trace->text);
    *trace = (struct evc_trace){0};
}

static bool reserve(struct evc_trace *trace, size_t more)
{
    size_t size = trace->size ? trace->size : 4096;
    char *text;

    if (trace->full || more > EVC_TRACE_MAX - trace->used) {
        trace->full = true;
        return false;
    }
    while (size < trace->used + more)
        size *= 2;
    if (size == trace->size)
        return true;

    text = realloc(trace->text, size);
    if (!text) {
        trace->full = true;
        return false;
    }
    trace->text = text;
    trace->size = size;
    return true;
}

void evc_trace_raw(struct evc_trace *trace, const char *text, size_t size)
{
    if (!reserve(trace, size))
        return;
    if (size)
        memcpy(trace->text + trace->used, text, size);
    trace->used += size;
}

void evc_trace_add(struct evc_trace *trace, const char *format, ...)
{
    size_t room = 256;
    int length = 0;

    /* A second round only when the first has told how long it is. */
    for (int i = 0; i < 2 && reserve(trace, room); i++) {
        va_list arguments;

        va_start(arguments, format);
        length = vsnprintf(trace->text + trace->used, room, format, arguments);
        va_end(arguments);
        if (length < 0 || (size_t)length < room)
            break;
        room = (size_t)length + 1;
    }
    if (!trace->full && length > 0)
        trace->used += (size_t)length;
}

static const char *errno_name(int64_t number)
{
#define NAME(name)        \
    {                     \
        XEN_##name, #name \
    }
    static const struct {
        int number;
        const char *name;
    } names[] = {
        NAME(EPERM),    NAME(ENOENT),       NAME(ESRCH),      NAME(EIO),
        NAME(ENXIO),    NAME(E2BIG),        NAME(EBADF),      NAME(EAGAIN),
        NAME(ENOMEM),   NAME(EACCES),       NAME(EFAULT),     NAME(EBUSY),
        NAME(EEXIST),   NAME(EXDEV),        NAME(ENODEV),     NAME(EINVAL),
        NAME(ENFILE),   NAME(EMFILE),       NAME(ENOSPC),     NAME(EDOM),
        NAME(ERANGE),   NAME(EDEADLK),      NAME(ENOSYS),     NAME(ENODATA),
        NAME(ETIME),    NAME(EOVERFLOW),    NAME(EOPNOTSUPP), NAME(EADDRINUSE),
        NAME(ENOBUFS),  NAME(ETIMEDOUT),    NAME(ENOTCONN),   NAME(EISCONN),
        NAME(EMSGSIZE), NAME(ECONNREFUSED),
    };
#undef NAME

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].number == number)
            return names[i].name;
    return "?";
}

void evc_trace_rc(struct evc_trace *trace, int64_t rc)
{
    evc_trace_add(trace, "%lld", (long long)rc);
    if (rc < 0)
        evc_trace_add(trace, " %s", errno_name(-rc));
}

void evc_trace_result(struct evc_trace *trace, int64_t rc)
{
    evc_trace_add(trace, "= ");
    evc_trace_rc(trace, rc);
}

void evc_trace_word(struct evc_trace *trace, uint32_t word)
{
    uint32_t reserved = word & ~(UINT32_C(0xf) << 28 | EVTCHN_FIFO_LINK_MASK);

    evc_trace_add(
        trace, "%c%c%c%c %u", word >> EVTCHN_FIFO_PENDING & 1 ? 'P' : '-',
        word >> EVTCHN_FIFO_MASKED & 1 ? 'M' : '-',
        word >> EVTCHN_FIFO_LINKED & 1 ? 'L' : '-',
        word >> EVTCHN_FIFO_BUSY & 1 ? 'B' : '-', word & EVTCHN_FIFO_LINK_MASK);
    if (reserved)
        evc_trace_add(trace, " reserved=0x%x", reserved);
}
