/* SPDX-License-Identifier: MIT */
/*
 * The interpreter: a line becomes tokens, the first of them says who does what,
 * and what is printed goes to the trace.  Mistakes in a scenario are printed
 * too, as the oracle does it ("! no such domain: d7"), once per statement.
 */
#ifndef EVC_REPLAY_SCRIPT_H
#define EVC_REPLAY_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"
#include "world.h"

#define EVC_SCRIPT_TOKENS 200u
#define EVC_SCRIPT_VARS   64u
#define EVC_SCRIPT_LINE   ((size_t)64 << 10)
#define EVC_SCRIPT_REPEAT 10000000u /* operations of one statement */

struct evc_script {
    struct evc_world *world;
    struct evc_trace *trace;

    /* the present statement */
    char line[EVC_SCRIPT_LINE + 1];
    const char *token[EVC_SCRIPT_TOKENS + 3]; /* "" behind the last one */
    unsigned tokens;
    unsigned dom_id; /* who acts */
    unsigned vcpu;
    bool failed;       /* a complaint has been printed */
    bool guest;        /* upcalls are libevc-guest's, in every statement */
    const char *fatal; /* why the scenario cannot go on */

    struct {
        char *name;
        uint64_t value;
    } var[EVC_SCRIPT_VARS];
    unsigned vars;
};

/* ---- script.c ----------------------------------------------------------- */

/* Run one statement and print what it answered and what has changed. */
void evc_script_statement(struct evc_script *script, const char *line,
                          size_t length);
void evc_script_finish(struct evc_script *script);

/* ---- lex.c -------------------------------------------------------------- */

void evc_script_split(struct evc_script *script, const char *line,
                      size_t length);
void evc_script_complain(struct evc_script *script, const char *what,
                         const char *argument);

/* NUMBER | -NUMBER | self | dK | $var | $var+N | $var-N */
uint64_t evc_script_value(struct evc_script *script, const char *text);
void evc_script_set(struct evc_script *script, const char *name,
                    uint64_t value);

/* The text after "key=" among the tokens from `from` to before `to`, or NULL */
const char *evc_script_text_in(const struct evc_script *script, const char *key,
                               unsigned from, unsigned to);
const char *evc_script_text(const struct evc_script *script, const char *key);
uint64_t evc_script_number(struct evc_script *script, const char *key,
                           uint64_t otherwise);
bool evc_script_flag(const struct evc_script *script, const char *name);
bool evc_script_is(const char *a, const char *b);

/* ---- who and how -------------------------------------------------------- */

struct evc_dom *evc_script_dom(const struct evc_script *script);
struct evc_actor *evc_script_actor(const struct evc_script *script);

/* The acting vCPU runs a job, or its hypercall, to the end. */
void evc_script_run(struct evc_script *script, evc_job *job, void *data);
int64_t evc_script_call(struct evc_script *script, uint64_t nr, uint64_t a,
                        uint64_t b, uint64_t c);

/* "= RC" and a newline */
void evc_script_answer(struct evc_script *script, int64_t rc);

/* ---- statements, a file each -------------------------------------------- */

void evc_ops_statement(struct evc_script *script, unsigned at, bool compat);
void evc_batch_repeat(struct evc_script *script, unsigned at);
void evc_batch_multicall(struct evc_script *script, unsigned at);
void evc_batch_ports(struct evc_script *script);
bool evc_own_statement(struct evc_script *script, const char *verb);
void evc_own_scan(struct evc_script *script);
bool evc_outside_statement(struct evc_script *script, const char *verb);
bool evc_admin_statement(struct evc_script *script, const char *verb);

/* ---- dispatch.c: libevc-guest ------------------------------------------- */

/* evc_own_scan(), by its dispatcher. */
void evc_dispatch_scan(struct evc_script *script);

/* One event off a queue: the port whose handler was called, or 0. */
uint32_t evc_dispatch_consume(struct evc_script *script, unsigned queue);

/* ---- state.c ------------------------------------------------------------ */

void evc_state_diff(struct evc_world *world, struct evc_trace *trace);
void evc_state_show(struct evc_dom *dom, struct evc_trace *trace);
struct evtchn_fifo_control_block *evc_state_control(const struct evc_dom *dom,
                                                    unsigned vcpu);
uint32_t *evc_state_word(const struct evc_dom *dom, uint32_t port);

#endif /* EVC_REPLAY_SCRIPT_H */
