/* SPDX-License-Identifier: MIT */
/*
 * The child: a machine with one guest in it, from its parts to its end.
 */
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evc/abi/sched.h>

/* ---- what libevc asks ------------------------------------------------------------------ */

static void kick(void *dom, uint32_t vcpu)
{
    (void)dom;
    evc_cpu_kick(vcpu);
}

static void read_clock(void *host, struct evc_time *now)
{
    const struct machine *machine = host;

    evc_run_clock_read(&machine->clock, now);
}

static int create_engine(struct machine *machine, struct evc_pv_error *error)
{
    struct evc_ops ops = {
        .size = sizeof(ops),
        .kick = kick,
        .clock = read_clock,
    };
    struct evc_domain_config config = {
        .size = sizeof(config),
        .id = machine->place->id,
        .layout = EVC_LAYOUT_X86_64,
        .vcpus = machine->options->vcpus,
        .max_port = UINT32_MAX,
        .shared_info =
            evc_pv_frame(&machine->domain.frames, EVC_PV_SHARED_INFO_MFN),
        .cookie = &machine->domain,
    };
    int r;

    evc_pv_events_ops(&ops);
    r = evc_engine_create(&ops, machine, EVC_COMPAT_DEFAULT, &machine->engine);
    if (r == 0)
        r = evc_domain_create(machine->engine, &config,
                              &machine->domain.events);
    if (r < 0)
        return evc_pv_fail(error, r, "cannot create the domain: %s",
                           strerror(-r));
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int create_backend(struct machine *machine, struct evc_pv_error *error)
{
    const struct evc_run_options *options = machine->options;
    struct evc_backend_config config = {
        .domain = machine->domain.events,
        .ops = &evc_machine_backend_ops,
        .guest = machine,
        .name = machine->place->side == 0 ? "guest" : "peer",
        .image = base_name(options->image),
        .memory_kib = options->memory >> 10,
        .vcpus = options->vcpus,
        .store_frame = machine->world.store_mfn,
        .console_frame = machine->world.console_mfn,
        .store = options->store,
        .console = options->console,
        .in = machine->place->in,
        .out = machine->place->out,
        .nr_disks = options->nr_disks,
        .link = machine->place->link,
        .side = machine->place->side,
        .peer = machine->place->peer,
    };
    int r;

    memcpy(config.disks, options->disks, sizeof(config.disks));
    r = evc_backend_create(&config, &machine->backend);
    if (r == 0)
        r = evc_backend_start(machine->backend);
    if (r < 0)
        return evc_pv_fail(error, r, "%s", ""); /* they have said why */
    if (evc_backend_console_path(machine->backend))
        fprintf(stderr, "%s: console on %s\n", machine->name,
                evc_backend_console_path(machine->backend));
    return 0;
}

/* ---- being told to leave -------------------------------------------------------------------------- */

static void leaving_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* A thread of its own: what it does may not be done in a handler. */
static void *wait_for_signals(void *data)
{
    struct machine *machine = data;
    sigset_t set;
    int signal;

    leaving_signals(&set);
    while (sigwait(&set, &signal) == 0 && !machine->finished)
        evc_pv_end(&machine->domain, EVC_PV_LEFT, 0);
    return NULL;
}

static int start_control(struct machine *machine, struct evc_pv_error *error)
{
    sigset_t set;
    int r;

    leaving_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* all threads begin so */
    r = pthread_create(&machine->control, NULL, wait_for_signals, machine);
    if (r != 0)
        return evc_pv_fail(error, -r, "cannot start a thread: %s", strerror(r));
    machine->has_control = true;
    return 0;
}

/* ---- from the start to the end ------------------------------------------------------------------------ */

static int load(struct machine *machine, struct evc_pv_error *error)
{
    const struct evc_run_options *options = machine->options;
    int r = evc_pv_file_read(options->image, &machine->image_file, error);

    if (r == 0)
        r = evc_pv_image_parse(options->image, &machine->image_file,
                               &machine->image, error);
    if (r == 0)
        r = evc_run_check_image(&machine->image, error);
    if (r == 0 && options->module)
        r = evc_pv_file_read(options->module, &machine->module_file, error);
    return r;
}

static int open_frames(struct machine *machine, struct evc_pv_error *error)
{
    const struct evc_run_place *place = machine->place;
    uint64_t nr_pages = machine->options->memory >> EVC_PV_PAGE_SHIFT;
    struct evc_pv_frames *frames = &machine->domain.frames;

    if (place->link == NULL)
        return evc_pv_frames_create(nr_pages, frames, error);
    return evc_pv_frames_open(nr_pages, place->memory, place->peer_memory,
                              frames, error);
}

static int build(struct machine *machine, struct evc_pv_error *error)
{
    const struct evc_pv_start start = {
        .image = &machine->image,
        .vcpus = machine->options->vcpus,
        .module = machine->options->module ? &machine->module_file : NULL,
        .command_line = machine->options->command_line,
        .store_port = EVC_BACKEND_STORE_PORT,
        .console_port = EVC_BACKEND_CONSOLE_PORT,
        .hypercall_page = evc_cpu_hypercall_page,
    };
    struct evc_pv_domain *domain = &machine->domain;
    int r = open_frames(machine, error);

    if (r < 0)
        return r;
    domain->peer = machine->place->peer;
    domain->tlb = &evc_run_tlb_ops;
    domain->cpu = &machine->tlb;
    domain->hooks = &evc_machine_hooks;
    domain->runner = machine;
    return evc_pv_build(domain, &start, &machine->world, error);
}

static void start_clock(struct machine *machine)
{
    struct evc_domain *events = machine->domain.events;

    evc_domain_set_wallclock(events, evc_run_clock_epoch(&machine->clock));
    evc_vcpu_update_time(events, 0);
    evc_vcpu_set_online(events, 0, true);
}

static int prepare(struct machine *machine, struct evc_pv_error *error)
{
    int r = evc_run_check_host(error);

    evc_run_clock_start(&machine->clock);
    if (r == 0)
        r = load(machine, error);
    if (r == 0)
        r = evc_cpus_create(machine->options->vcpus, error);
    if (r == 0)
        r = build(machine, error);
    if (r == 0)
        r = start_control(machine, error);
    if (r == 0)
        evc_run_clock_settle(&machine->clock);
    if (r == 0)
        r = create_engine(machine, error);
    if (r == 0)
        r = create_backend(machine, error);
    if (r == 0)
        start_clock(machine);
    return r;
}

static enum evc_run_end report(const struct machine *machine)
{
    const struct evc_pv_domain *domain = &machine->domain;

    if (machine->options->trace)
        evc_run_report_trace(domain, &machine->tlb);
    if (domain->end == EVC_PV_LEFT)
        return EVC_RUN_LEFT;
    switch (domain->reason) {
    case SHUTDOWN_poweroff:
        return EVC_RUN_POWEROFF;
    case SHUTDOWN_reboot:
        return EVC_RUN_REBOOT;
    case SHUTDOWN_crash:
        evc_run_report_crash(
            domain, evc_pv_frame(&domain->frames, machine->world.console_mfn));
        return EVC_RUN_CRASH;
    default:
        fprintf(stderr, "%s: the guest shut down for reason %u\n",
                machine->name, domain->reason);
        return EVC_RUN_OTHER;
    }
}

static void finish(struct machine *machine)
{
    if (machine->has_control) {
        machine->finished = true;
        pthread_kill(machine->control, SIGTERM);
        pthread_join(machine->control, NULL);
    }
    evc_backend_destroy(machine->backend);
    evc_engine_destroy(machine->engine);
    evc_cpus_destroy();
    evc_pv_frames_destroy(&machine->domain.frames);
    evc_pv_file_free(&machine->image_file);
    evc_pv_file_free(&machine->module_file);
}

static enum evc_run_end run(struct machine *machine)
{
    struct evc_pv_error error;
    int r = prepare(machine, &error);

    if (r == 0)
        r = evc_run_confine(&error);
    if (r == 0)
        r = evc_cpus_run(&machine->domain, &machine->tlb, &error);
    if (r < 0) {
        if (error.text[0])
            evc_machine_say(machine, error.text);
        return EVC_RUN_UNUSABLE;
    }
    evc_backend_stop(machine->backend);
    evc_terminal_restore(); /* what is said from now on has whole lines */
    return report(machine);
}

enum evc_run_end evc_machine_run(const char *name,
                                 const struct evc_run_options *options,
                                 const struct evc_run_place *place)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    enum evc_run_end end;

    if (!machine) {
        fprintf(stderr, "%s: %s\n", name, strerror(ENOMEM));
        return EVC_RUN_UNUSABLE;
    }
    machine->name = name;
    machine->options = options;
    machine->place = place;
    pthread_mutex_init(&machine->asking, NULL);
    evc_run_tlb_init(&machine->tlb, &machine->domain);
    machine->domain.frames.fd = machine->domain.frames.peer_fd = -1;
    end = run(machine);
    finish(machine);
    free(machine);
    return end;
}
