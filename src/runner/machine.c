/* SPDX-License-Identifier: MIT */
/*
 * The child: a machine with one guest in it, from its parts to its end.
 */
#include "runner.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <x86intrin.h>

#include <evc/abi/sched.h>

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

static void say(const char *name, const char *text)
{
    fprintf(stderr, "%s: %s\n", name, text);
}

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

/* ---- what the guest asks ----------------------------------------------------------------- */

static int64_t grant(void *runner, uint32_t cmd, uint64_t arg, uint32_t count)
{
    struct machine *machine = runner;
    int64_t r;

    pthread_mutex_lock(&machine->asking);
    r = evc_backend_grant_op(machine->backend, cmd, arg, count);
    pthread_mutex_unlock(&machine->asking);
    return r;
}

/*
 * A guest that polls would keep a processor busy for nothing.  The first yields
 * in a row only let others run; then it sleeps, up to a millisecond, which a
 * kick ends.
 */
#define YIELDS_FREE 32u
#define NAP_STEP    20000u   /* ns */
#define NAP_MAX     1000000u /* ns */
#define ROW_GAP     1000000u /* ticks of the TSC */

static void nap(unsigned yields)
{
    uint64_t ns = (uint64_t)(yields - YIELDS_FREE) * NAP_STEP;
    struct timespec time = {.tv_nsec = (long)(ns < NAP_MAX ? ns : NAP_MAX)};

    nanosleep(&time, NULL);
}

static void yield(void *runner, uint32_t vcpu)
{
    struct machine *machine = runner;
    uint64_t last = machine->yields[vcpu].last;
    unsigned *row = &machine->yields[vcpu].row;

    *row = __rdtsc() - last < ROW_GAP ? *row + 1 : 0;
    if (*row <= YIELDS_FREE)
        sched_yield();
    else
        nap(*row);
    machine->yields[vcpu].last = __rdtsc();
}

/* Boot messages of some kernels; they end their lines themselves. */
static void say_for_guest(void *runner, const char *text, size_t size)
{
    (void)runner;
    fwrite(text, 1, size, stderr);
}

/* Once: it may ask again and again. */
static void refused(void *runner, const char *line)
{
    struct machine *machine = runner;

    if (!machine->has_refused)
        say(machine->name, line);
    machine->has_refused = true;
}

/* ---- the other guest ---------------------------------------------------------------------- */

static int bind_peer(void *runner, evc_port remote, evc_port *local)
{
    struct machine *machine = runner;
    int r;

    pthread_mutex_lock(&machine->asking);
    r = evc_backend_bind_peer(machine->backend, remote, local);
    pthread_mutex_unlock(&machine->asking);
    return r;
}

static void closed(void *runner)
{
    struct machine *machine = runner;

    pthread_mutex_lock(&machine->asking);
    evc_backend_closed(machine->backend);
    pthread_mutex_unlock(&machine->asking);
}

#define INVALIDATE 2u /* that page */

static int map_entry(struct machine *machine, uint64_t address, uint64_t entry)
{
    const uint64_t args[6] = {address, entry, INVALIDATE};

    return (int)evc_pv_update_va_mapping(&machine->domain.vcpu[0], args);
}

static int map_peer(void *guest, uint64_t address, uint64_t frame, bool write)
{
    uint64_t entry = (EVC_PV_PEER_MFN + frame) << EVC_PV_PAGE_SHIFT;

    return map_entry(guest, address,
                     entry | EVC_PTE_PRESENT | EVC_PTE_USER | EVC_PTE_ACCESSED |
                         EVC_PTE_DIRTY | EVC_PTE_NX |
                         (write ? EVC_PTE_WRITE : 0));
}

static void unmap_peer(void *guest, uint64_t address)
{
    (void)map_entry(guest, address, 0);
}

/* vCPUs may be in the guest, not up, or asleep or busy in libevc. */
static void ended(void *runner)
{
    struct machine *machine = runner;

    if (machine->domain.events)
        evc_domain_shutdown(machine->domain.events, SHUTDOWN_poweroff);
    evc_cpus_ended(runner);
}

static const struct evc_pv_hooks hooks = {
    .grant = grant,
    .bind_peer = bind_peer,
    .closed = closed,
    .yield = yield,
    .look = evc_cpus_look,
    .ended = ended,
    .refused = refused,
    .say = say_for_guest,
};

/* ---- what the back ends ask ------------------------------------------------------------------ */

static void *backend_frame(void *guest, uint64_t frame)
{
    struct machine *machine = guest;

    return evc_pv_frame(&machine->domain.frames, frame);
}

static void *peer_frame(void *guest, uint64_t frame)
{
    struct machine *machine = guest;

    if (frame >= EVC_PV_PEER_MFN)
        return NULL;
    return evc_pv_frame(&machine->domain.frames, EVC_PV_PEER_MFN + frame);
}

static int backend_alloc(void *guest, uint64_t *frame)
{
    struct machine *machine = guest;

    return evc_pv_frames_alloc(&machine->domain.frames, frame);
}

static int backend_copy_from(void *guest, void *to, uint64_t from, size_t size)
{
    struct machine *machine = guest;

    return evc_pv_copy_from(&machine->domain.vcpu[0], to, from, size);
}

static int backend_copy_to(void *guest, uint64_t to, const void *from,
                           size_t size)
{
    struct machine *machine = guest;

    return evc_pv_copy_to(&machine->domain.vcpu[0], to, from, size);
}

static void backend_log(void *guest, const char *line)
{
    const struct machine *machine = guest;

    say(machine->name, line);
}

static void leave(void *guest)
{
    struct machine *machine = guest;

    evc_pv_end(&machine->domain, EVC_PV_LEFT, 0);
}

static const struct evc_backend_ops backend_ops = {
    .frame = backend_frame,
    .alloc = backend_alloc,
    .copy_from = backend_copy_from,
    .copy_to = backend_copy_to,
    .map_peer = map_peer,
    .unmap_peer = unmap_peer,
    .peer_frame = peer_frame,
    .log = backend_log,
    .leave = leave,
};

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
        .ops = &backend_ops,
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
        leave(machine);
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
    domain->hooks = &hooks;
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
            say(machine->name, error.text);
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
        say(name, strerror(ENOMEM));
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
