/* SPDX-License-Identifier: MIT */
/*
 * Two recordings of one scenario, held against each other.
 *
 * Both have the same statements in the same order, since one was made by
 * running the other; so answers are compared statement by statement.
 */
#ifndef EVC_REPLAY_COMPARE_H
#define EVC_REPLAY_COMPARE_H

#include <stdbool.h>

#include "file.h"
#include "trace.h"

/* Does the file have answers at all? */
bool evc_compare_has_answers(const struct evc_file *file);

/*
 * Report the first complaint ("!") of the trace that the file does not have.
 * False: there is none, or (unless `anywhere`) only after an answer that
 * differs, whose doing it may be.
 */
bool evc_compare_complaint(const struct evc_file *file,
                           const struct evc_trace *trace, bool anywhere);

/* Print how they differ to stdout: everything, or only the first time. */
void evc_compare_print(const struct evc_file *file,
                       const struct evc_trace *trace, bool all);

#endif /* EVC_REPLAY_COMPARE_H */
