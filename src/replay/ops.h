/* SPDX-License-Identifier: MIT */
/*
 * One event channel operation of a statement: from tokens to its argument in
 * the actor's buffer, to a hypercall, to the answer in the trace.
 */
#ifndef EVC_REPLAY_OPS_H
#define EVC_REPLAY_OPS_H

#include "script.h"

#define EVC_OP_BYTES 64u /* poisoned, filled, and compared afterwards */

struct evc_op {
    int cmd;
    int page; /* the page it names, or -1 */
    uint8_t before[EVC_OP_BYTES];
};

/* Fill `argument` from the tokens [from, to); the first is the name. */
void evc_op_prepare(struct evc_script *script, struct evc_op *op,
                    uint8_t *argument, unsigned from, unsigned to);

/* On the actor's thread: prepare, and make the hypercall. Returns its answer */
int64_t evc_op_issue(struct evc_script *script, struct evc_actor *actor,
                     struct evc_op *op, unsigned from, bool compat);

/* Print the answer; note what the domain has registered. No newline. */
void evc_op_report(struct evc_script *script, const struct evc_op *op,
                   const uint8_t *argument, int64_t rc);

/* Its OUT field: NULL, it has none. */
const char *evc_op_out(const struct evc_op *op, const uint8_t *argument,
                       uint64_t *value);

/* Note a page that the domain has added to its event array. */
void evc_op_note_array(struct evc_dom *dom, const struct evc_op *op);

void evc_op_print_status(struct evc_trace *trace, const uint8_t *argument);

#endif /* EVC_REPLAY_OPS_H */
