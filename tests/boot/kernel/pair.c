/* SPDX-License-Identifier: MIT */
/*
 * Two of these, in two processes: a server (side=2) that grants a page and
 * offers a port, and a client (side=1) that binds to the port, maps the page
 * and has numbers squared.  At the end the client takes leave, and both have
 * counted the same.
 */
#include "kernel.h"

#define CLIENT 1u /* domains */
#define SERVER 2u
#define PORT   3u /* the server's first */
#define REF    8u

struct board { /* the page that both see */
    volatile uint64_t request, answer;
    volatile uint64_t leaving; /* 1: the client goes; 2: the server knows */
};

static char board_page[4096] __attribute__((aligned(4096)));
static char table_page[4096] __attribute__((aligned(4096)));

static struct board *board(void)
{
    return (struct board *)board_page;
}

/* ---- events --------------------------------------------------------------------- */

static bool take(evtchn_port_t port)
{
    uint64_t bit = 1ul << port % 64;

    return __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit,
                              __ATOMIC_SEQ_CST) &
           bit;
}

/* Until there was an event, or for some time; 0: as long as it takes. */
static void wait_for(evtchn_port_t port, uint64_t ns)
{
    evtchn_port_t ports[1] = {port};
    struct sched_poll poll = {
        .ports = {ports}, .nr_ports = 1, .timeout = ns ? now() + ns : 0};

    while (!take(port)) {
        CHECK(sched_op(SCHEDOP_poll, &poll) == 0);
        if (ns)
            return;
    }
}

static void tell(evtchn_port_t port)
{
    struct evtchn_send send = {.port = port};

    CHECK(event_op(EVTCHNOP_send, &send) == 0);
}

/* ---- grants: grant_table.h --------------------------------------------------------- */

enum { MAP = 0, UNMAP = 1, SETUP_TABLE = 2, COPY = 5 };

static int64_t grant_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_grant_table_op, cmd, address(arg), 1, 0);
}

static void grant_page(void)
{
    uint64_t frame = 0;
    struct {
        uint16_t dom;
        uint32_t nr_frames;
        int16_t status;
        uint64_t list;
    } setup = {DOMID_SELF, 1, 1, address(&frame)};
    struct entry {
        uint16_t flags, domid;
        uint32_t frame;
    } *table = (struct entry *)table_page;

    CHECK(grant_op(SETUP_TABLE, &setup) == 0 && setup.status == 0);
    CHECK(map(table_page, frame << 12 | WRITABLE) == 0);
    table[REF].domid = CLIENT;
    table[REF].frame = (uint32_t)frame_of(board_page);
    __atomic_store_n(&table[REF].flags, 1, __ATOMIC_RELEASE);
}

struct map {
    uint64_t address;
    uint32_t flags, ref;
    uint16_t dom;
    int16_t status;
    uint32_t handle;
    uint64_t bus;
};

/* The server's page in the place of one of ours. */
static struct map map_page(uint32_t ref, uint16_t dom)
{
    struct map arg = {address(board_page), 2, ref, dom, 1, 0, 0};

    CHECK(grant_op(MAP, &arg) == 0);
    return arg;
}

static void unmap_page(uint32_t handle)
{
    struct {
        uint64_t address, bus;
        uint32_t handle;
        int16_t status;
    } arg = {address(board_page), 0, handle, 1};

    CHECK(grant_op(UNMAP, &arg) == 0 && arg.status == 0);
}

struct end {
    uint64_t what;
    uint16_t domain, offset;
};

/* Of the server's page, by its reference, and of ours. */
static int copy(struct end from, struct end to, uint16_t size, uint16_t flags)
{
    struct {
        struct end from, to;
        uint16_t size, flags;
        int16_t status;
    } arg = {from, to, size, flags, 1};

    CHECK(grant_op(COPY, &arg) == 0);
    return arg.status;
}

static char copy_page[4096] __attribute__((aligned(4096)));

/* Its page, mapped here, and what copies make of it are the same. */
static void try_copies(void)
{
    char *theirs = (char *)board_page;
    uint64_t own = frame_of(copy_page);

    for (unsigned i = 0; i < 64; i++)
        theirs[1024 + i] = (char)(i * 3);
    CHECK(copy((struct end){REF, SERVER, 1024},
               (struct end){own, DOMID_SELF, 5}, 64, 1) == 0);
    for (unsigned i = 0; i < 64; i++)
        CHECK(copy_page[5 + i] == (char)(i * 3));
    CHECK(copy((struct end){own, DOMID_SELF, 5},
               (struct end){REF, SERVER, 2048}, 64, 2) == 0);
    for (unsigned i = 0; i < 64; i++)
        CHECK(theirs[2048 + i] == (char)(i * 3));
    CHECK(copy((struct end){REF + 1, SERVER, 0},
               (struct end){own, DOMID_SELF, 0}, 64, 1) == -3);
    CHECK(copy((struct end){REF, SERVER, 4090},
               (struct end){own, DOMID_SELF, 0}, 64, 1) == -10);
}

/* ---- the server ---------------------------------------------------------------------- */

static void serve(void)
{
    struct evtchn_alloc_unbound offer = {.dom = DOMID_SELF,
                                         .remote_dom = CLIENT};
    uint64_t answers = 0, sum = 0;

    grant_page();
    CHECK(event_op(EVTCHNOP_alloc_unbound, &offer) == 0);
    CHECK(offer.port == PORT);
    for (;;) {
        wait_for(PORT, 0);
        if (board()->leaving)
            break;
        answers++;
        sum += board()->request * board()->request;
        board()->answer = board()->request * board()->request;
        tell(PORT);
    }
    print("server: ");
    print_number(answers);
    print(" answers, sum ");
    print_number(sum);
    print("\r\n");
    board()->leaving = 2;
    tell(PORT);
}

/* ---- the client ------------------------------------------------------------------------ */

static evtchn_port_t find_server(void)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = SERVER,
                                           .remote_port = PORT};
    uint64_t tries = option("tries", 6000);

    while (event_op(EVTCHNOP_bind_interdomain, &bind) != 0) {
        if (tries-- == 0)
            fail("there is no server", 0, 0);
        wait_for(1, 10000000); /* the store's port: nothing comes */
    }
    return bind.local_port;
}

static void ask(void)
{
    uint64_t rounds = option("rounds", 1000), sum = 0;
    evtchn_port_t port = find_server();
    struct evtchn_close close = {.port = port};
    struct map page;

    CHECK(map_page(REF + 1, SERVER).status == -3); /* no such grant */
    CHECK(map_page(REF, 9).status == -2);          /* no such domain */
    page = map_page(REF, SERVER);
    CHECK(page.status == 0);
    CHECK(take(port)); /* binding leaves an event */
    try_copies();
    for (uint64_t i = 1; i <= rounds; i++) {
        board()->request = i;
        tell(port);
        wait_for(port, 0);
        CHECK(board()->answer == i * i);
        sum += board()->answer;
    }
    board()->leaving = 1;
    tell(port);
    while (board()->leaving != 2)
        wait_for(port, 0);
    unmap_page(page.handle);
    CHECK(event_op(EVTCHNOP_close, &close) == 0);
    print("client: ");
    print_number(rounds);
    print(" answers, sum ");
    print_number(sum);
    print("\r\n");
}

/* ---- either ------------------------------------------------------------------------------ */

bool on_upcall(struct upcall_frame *frame)
{
    (void)frame;
    return false;
}

void on_trap(unsigned vector, struct trap_frame *frame)
{
    fail("trap", vector, frame->rip);
}

void guest_main(void)
{
    if (option("side", 1) == 1)
        ask();
    else
        serve();
}
