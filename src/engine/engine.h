/* SPDX-License-Identifier: MIT */
/*
 * The engine: the top layer, behind <evc/evc.h>.  Engines and domains come and
 * go here, hypercalls arrive, tools look.
 */
#ifndef EVC_ENGINE_ENGINE_H
#define EVC_ENGINE_ENGINE_H

#include "bind.h"
#include "vcpu.h"

/* ---- making a domain, and letting it be found (domain.c) ---------------- */

int evc_domain_make(struct evc_engine *engine,
                    const struct evc_domain_config *config,
                    struct evc_domain **out);
/* One that was never found. */
void evc_domain_unmake(struct evc_domain *domain);
/* 0 or -EEXIST. */
int evc_domain_publish(struct evc_domain *domain);

/* ---- EVTCHNOP_status (info.c) ------------------------------------------- */

int evc_op_status(struct evc_domain *caller, struct evtchn_status *arg);

#endif /* EVC_ENGINE_ENGINE_H */
