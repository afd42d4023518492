/* SPDX-License-Identifier: MIT */
/* A machine: what its files (machine.c, asked.c) know of it. */
#ifndef EVC_RUNNER_MACHINE_H
#define EVC_RUNNER_MACHINE_H

#include <pthread.h>
#include <stdio.h>

#include "runner.h"

struct machine {
    const char *name;
    const struct evc_run_options *options;
    const struct evc_run_place *place;
    struct evc_pv_file image_file, module_file;
    struct evc_pv_image image;
    struct evc_pv_domain domain;
    struct evc_pv_world world;
    struct evc_engine *engine;
    struct evc_backend *backend;
    struct evc_run_clock clock;
    struct evc_run_tlb tlb;
    pthread_mutex_t asking; /* of the back ends: one vCPU at a time */
    pthread_t control;
    bool has_control;
    _Atomic bool finished; /* no need to leave any more */
    _Atomic bool has_refused;
    struct {
        uint64_t last;
        unsigned row;
    } yields[EVC_PV_VCPUS];
};

/* What the guest, and the back ends, may ask of it (asked.c). */
extern const struct evc_pv_hooks evc_machine_hooks;
extern const struct evc_backend_ops evc_machine_backend_ops;

/* A line to the user. */
static inline void evc_machine_say(const struct machine *machine,
                                   const char *text)
{
    fprintf(stderr, "%s: %s\n", machine->name, text);
}

#endif /* EVC_RUNNER_MACHINE_H */
