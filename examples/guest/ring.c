/* SPDX-License-Identifier: MIT */
/*
 * Two guests, a ring between them, and nothing else: what a kernel does with
 * libevc-guest, except that the host is libevc, in the same process.
 *
 * Each guest has one vCPU, which is a thread.  It sleeps in the host until its
 * upcall is due, dispatches, and sleeps again.  The front end puts numbers into
 * the ring and rings the bell; the back end squares them in place and rings
 * back.  Once with FIFO event channels, once with two-level ones.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <evc/abi/numbers.h>
#include <evc/guest/libevc.h>

#define PORTS    1024
#define SLOTS    8
#define REQUESTS 1000
#define BLOCK    1 /* SCHEDOP_block */

/* The page both guests share. */
struct ring {
    _Atomic unsigned asked, answered;
    unsigned slot[SLOTS];
};

/* ---- a machine ------------------------------------------------------------ */

/* Everything a guest's kernel would have in its image, in whole pages. */
struct machine {
    unsigned char shared_info[4096];
    unsigned char events[EVC_GUEST_EVENT_BYTES(PORTS)];
    struct evc_guest_vcpu vcpu;
    struct evc_guest_port ports[PORTS];
    struct evc_guest guest;
    struct evc_domain *domain;
    struct ring *ring;
    evc_port bell;
    unsigned next; /* front end: the next request; back end: events seen */
    unsigned long sum;
} __attribute__((aligned(4096)));

static struct machine front, back;

/* The upcall, and what an idle loop is. */
static void *run(void *arg)
{
    struct machine *machine = arg;

    while (machine->bell != 0) {
        while (evc_guest_dispatch(&machine->vcpu, 16, 0))
            ; /* a kernel would look at other things here */
        if (machine->bell != 0)
            (void)evc_guest_on_libevc.hypercall(
                machine->domain, 0, __HYPERVISOR_sched_op, BLOCK, 0, 0);
    }
    return NULL;
}

static void boot(struct evc_engine *engine, struct machine *machine,
                 evc_domid id, unsigned abi)
{
    const struct evc_domain_config domain = {
        .size = sizeof(domain),
        .id = id,
        .vcpus = 1,
        .max_port = UINT32_MAX,
        .shared_info = machine->shared_info,
        .cookie = machine,
    };
    struct evc_guest_config config = {
        .size = sizeof(config),
        .abi = abi,
        .shared_info = machine->shared_info,
        .vcpus = &machine->vcpu,
        .nr_vcpus = 1,
        .ports = machine->ports,
        .nr_ports = PORTS,
        .events = machine->events,
        .hooks = &evc_guest_on_libevc,
    };

    if (evc_domain_create(engine, &domain, &machine->domain) < 0)
        exit(1);
    config.data = machine->domain;
    if (evc_guest_init(&machine->guest, &config) < 0)
        exit(1);
}

/* ---- the two drivers --------------------------------------------------------- */

static int serve(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct machine *machine = data;
    struct ring *ring = machine->ring;
    unsigned asked = atomic_load(&ring->asked);
    unsigned answered = atomic_load(&ring->answered);

    if (asked == answered)
        return EVC_GUEST_SPURIOUS; /* binding raises one of these */
    machine->next++;
    for (; answered != asked; answered++)
        ring->slot[answered % SLOTS] *= ring->slot[answered % SLOTS];
    atomic_store(&ring->answered, answered);
    (void)evc_guest_send(self, port);
    if (answered == REQUESTS)
        machine->bell = 0;
    return EVC_GUEST_DONE;
}

/* Collect what was answered, fill the ring, ring the bell. */
static int ask(struct evc_guest_vcpu *self, evc_port port, void *data)
{
    struct machine *machine = data;
    struct ring *ring = machine->ring;
    unsigned answered = atomic_load(&ring->answered);
    unsigned asked = atomic_load(&ring->asked), before = asked;

    for (; machine->next != answered; machine->next++)
        machine->sum += ring->slot[machine->next % SLOTS];
    for (; asked < REQUESTS && asked - answered < SLOTS; asked++)
        ring->slot[asked % SLOTS] = asked;
    atomic_store(&ring->asked, asked);
    if (asked != before)
        (void)evc_guest_send(self, port);
    if (answered == REQUESTS)
        machine->bell = 0;
    return EVC_GUEST_DONE;
}

/* The back end offers a port, the front end, which is told of it, binds. */
static int connect(struct ring *ring)
{
    const struct evc_guest_binding serving = {.handler = serve, .data = &back};
    const struct evc_guest_binding asking = {.handler = ask, .data = &front};
    int port = evc_guest_bind_unbound(&back.vcpu, 1, &serving);

    front.ring = back.ring = ring;
    if (port < 0)
        return port;
    back.bell = (evc_port)port;
    port = evc_guest_bind_interdomain(&front.vcpu, 2, back.bell, &asking);
    if (port > 0)
        front.bell = (evc_port)port;
    return port;
}

/* ---- once with each ABI --------------------------------------------------------- */

static int play(const char *name, unsigned abi)
{
    static const struct evc_ops ops = {.size = sizeof(ops),
                                       EVC_GUEST_LIBEVC_OPS};
    struct evc_guest_counts counts = {0};
    struct evc_engine *engine;
    struct ring ring = {0};
    pthread_t threads[2];
    evc_port bell;

    if (evc_engine_create(&ops, NULL, EVC_COMPAT_DEFAULT, &engine) < 0)
        return 1;
    front = back = (struct machine){0};
    boot(engine, &front, 1, abi);
    boot(engine, &back, 2, abi);
    if (connect(&ring) < 0)
        return 1;
    bell = front.bell;
    pthread_create(&threads[0], NULL, run, &front);
    pthread_create(&threads[1], NULL, run, &back);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    (void)evc_guest_counts(&front.guest, bell, &counts);
    printf("%s: %u requests, sum of squares %lu\n", name, ring.answered,
           front.sum);
    fprintf(stderr, "%s: %lu events at the front end, %u at the back\n", name,
            (unsigned long)counts.events, back.next);
    evc_engine_destroy(engine);
    return 0;
}

int main(void)
{
    return play("FIFO", EVC_GUEST_ABI_FIFO) ||
           play("two-level", EVC_GUEST_ABI_TWOLEVEL);
}
