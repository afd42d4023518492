/* SPDX-License-Identifier: MIT */
/*
 * What the commands that speak to a daemon have in common: which daemon, which
 * domain, and what to say when it does not work.
 */
#ifndef EVC_BIN_OPTIONS_H
#define EVC_BIN_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

struct evc_common {
    bool socket; /* --socket was given */
    bool chosen; /* --domid was given */
    uint16_t domain;
};

/*
 * An argp_child, whose input is a struct evc_common.  It puts what it reads into
 * the environment too, where the library looks (EVC_SOCKET, EVC_DOMID), and takes
 * the domain from there if it was not given.
 */
extern const struct argp evc_common_argp;

/* 0 to `max`, and nothing else. */
bool evc_parse_number(const char *text, unsigned long max, unsigned long *out);

/* On stderr: why there is no talking to a daemon. */
void evc_explain_daemon(const char *command, int r);

#endif /* EVC_BIN_OPTIONS_H */
