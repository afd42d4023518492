/* SPDX-License-Identifier: MIT */
/*
 * What is asked of a machine: by the guest, through the hypercalls that src/pv
 * does not answer alone, and by the back ends, that look into its memory.
 */
#include "machine.h"

#include <sched.h>
#include <time.h>

#include <x86intrin.h>

#include <evc/abi/sched.h>

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
        evc_machine_say(machine, line);
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

const struct evc_pv_hooks evc_machine_hooks = {
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

    evc_machine_say(machine, line);
}

static void leave(void *guest)
{
    struct machine *machine = guest;

    evc_pv_end(&machine->domain, EVC_PV_LEFT, 0);
}

const struct evc_backend_ops evc_machine_backend_ops = {
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
