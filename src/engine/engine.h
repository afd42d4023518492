/* SPDX-License-Identifier: MIT */
/*
 * The engine: the top layer, behind <evc/evc.h>.  Engines and domains come and
 * go here, hypercalls arrive, tools look.
 */
#ifndef EVC_ENGINE_ENGINE_H
#define EVC_ENGINE_ENGINE_H

#include "bind.h"
#include "vcpu.h"

/* EVTCHNOP_status (info.c) */
int evc_op_status(struct evc_domain *caller, struct evtchn_status *arg);

#endif /* EVC_ENGINE_ENGINE_H */
