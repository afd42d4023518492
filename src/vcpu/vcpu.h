/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: where their vcpu_info is, their clocks and timers, and waiting.
 */
#ifndef EVC_VCPU_VCPU_H
#define EVC_VCPU_VCPU_H

#include "event.h"

/* ---- vcpu_info (info.c) and clocks (clock.c) ---------------------------- */

int evc_vcpus_create(struct evc_domain *domain);
void evc_vcpus_destroy(struct evc_domain *domain);
int evc_vcpu_register_info(struct evc_vcpu *vcpu, uint32_t self, uint64_t gfn,
                           uint32_t offset);
/* May a vcpu_info of that shape lie at this offset of a page? */
bool evc_info_fits(const struct evc_shape *shape, uint64_t offset);
/* One writer at a time: under the domain's lock, or before it is known. */
void evc_time_write(struct evc_vcpu *vcpu);

/* ---- waiting (wait.c) --------------------------------------------------- */

int64_t evc_sched_op(struct evc_domain *domain, uint32_t vcpu, uint32_t cmd,
                     uint64_t arg);

/* ---- timers (timer.c) --------------------------------------------------- */

/* `deadline` 0 stops it. 0, -ENOMEM, or why there is no thread to fire it. */
int evc_timer_set(struct evc_vcpu *vcpu, enum evc_timer_kind kind,
                  uint64_t deadline, uint64_t period);
/* May a periodic timer have this period? */
static inline bool evc_is_period(uint64_t ns)
{
    return ns >= 1000000 && ns <= UINT64_C(1) << 56;
}
void evc_timers_forget(struct evc_domain *domain);

/* ---- the engine's own thread (service.c) -------------------------------- */

int evc_service_start(struct evc_engine *engine);
void evc_service_stop(struct evc_engine *engine);
void evc_service_alarm(struct evc_engine *engine, uint64_t deadline);
int evc_service_watch(struct evc_engine *engine, int fd, struct evc_host *host);
void evc_service_unwatch(struct evc_engine *engine, int fd);

#endif /* EVC_VCPU_VCPU_H */
