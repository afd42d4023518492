/* SPDX-License-Identifier: MIT */
/* What the commands about a port have in common. */
#ifndef EVC_BIN_PORTS_H
#define EVC_BIN_PORTS_H

#include <argp.h>
#include <stdint.h>

#include <keeper.h>

#include "options.h"

/* "12", or as Xen calls it: "con_ring". False: there is none such. */
bool evc_parse_virq(const char *text, uint32_t *out);

/* On stderr: why a port that `evc bind` should have is not to be had. */
void evc_explain_port(const char *command, uint16_t domain, uint32_t port,
                      int r);

/* For `evc NAME PORT...`: each in turn. The command's exit status. */
struct evc_each {
    const char *doc;
    int (*act)(uint16_t domain, uint32_t port);
};
int evc_each_port(int argc, char **argv, const struct evc_each *each);

bool evc_parse_port(const char *text, uint32_t *out);

#endif /* EVC_BIN_PORTS_H */
