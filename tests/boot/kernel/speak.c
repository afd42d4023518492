/* SPDX-License-Identifier: MIT */
/*
 * Says to its store what its module says, line by line, and prints what it hears,
 * as tests/store/speak.c does: "a READ 0 name|", "= READ guest".  There is one
 * connection, its ring; so it runs on real Xen too, as the domain that it is.
 */
#include "kernel.h"

#define RING 1024u

struct store_ring { /* io/xs_wire.h */
    char req[RING], rsp[RING];
    volatile uint32_t req_cons, req_prod, rsp_cons, rsp_prod;
};

struct header {
    uint32_t type, req_id, tx_id, len;
};

static char store_page[4096] __attribute__((aligned(4096)));
static char text[4097];
static uint32_t transactions[32], nr_transactions;

static struct store_ring *ring(void)
{
    return (struct store_ring *)store_page;
}

/* ---- bytes ------------------------------------------------------------------------ */

static void tell(void)
{
    struct evtchn_send send = {.port = start_info->store_evtchn};

    CHECK(event_op(EVTCHNOP_send, &send) == 0);
}

/* Some time, or until something comes; false: nothing came. */
static bool wait(uint64_t ns)
{
    evtchn_port_t ports[1] = {start_info->store_evtchn};
    struct sched_poll poll = {
        .ports = {ports}, .nr_ports = 1, .timeout = now() + ns};
    uint64_t until = now() + ns;

    __atomic_fetch_and(&shared->evtchn_pending[0], ~(1ul << ports[0]),
                       __ATOMIC_SEQ_CST);
    if (ring()->rsp_prod == ring()->rsp_cons)
        sched_op(SCHEDOP_poll, &poll);
    return now() < until || ring()->rsp_prod != ring()->rsp_cons;
}

static void put(const void *bytes, uint32_t size)
{
    const char *from = bytes;

    while (size > 0) {
        while (ring()->req_prod - ring()->req_cons == RING)
            wait(10000000);
        ring()->req[ring()->req_prod % RING] = *from++;
        __asm__ volatile("" ::: "memory");
        ring()->req_prod = ring()->req_prod + 1;
        if (--size == 0 || ring()->req_prod - ring()->req_cons == RING)
            tell();
    }
}

static void get(void *bytes, uint32_t size)
{
    char *to = bytes;

    for (; size > 0; size--) {
        while (ring()->rsp_prod == ring()->rsp_cons)
            wait(10000000);
        __asm__ volatile("" ::: "memory");
        *to++ = ring()->rsp[ring()->rsp_cons % RING];
        __asm__ volatile("" ::: "memory");
        ring()->rsp_cons = ring()->rsp_cons + 1;
    }
    tell();
}

/* ---- words -------------------------------------------------------------------------- */

static const char *const types[] = {
    "CONTROL",
    "DIRECTORY",
    "READ",
    "GET_PERMS",
    "WATCH",
    "UNWATCH",
    "TRANSACTION_START",
    "TRANSACTION_END",
    "INTRODUCE",
    "RELEASE",
    "GET_DOMAIN_PATH",
    "WRITE",
    "MKDIR",
    "RM",
    "SET_PERMS",
    "WATCH_EVENT",
    "ERROR",
    "IS_DOMAIN_INTRODUCED",
    "RESUME",
    "SET_TARGET",
    "?",
    "RESET_WATCHES",
    "DIRECTORY_PART",
};

#define TYPES (sizeof(types) / sizeof(*types))

/* The word at *line, compared with `word`; behind it and its space if so. */
static bool is_word(const char **line, const char *word)
{
    const char *at = *line;

    while (*word && *at == *word)
        at++, word++;
    if (*word || *at != ' ')
        return false;
    *line = at + 1;
    return true;
}

static uint32_t parse_type(const char **line)
{
    for (uint32_t i = 0; i < TYPES; i++)
        if (is_word(line, types[i]))
            return i;
    fail("no such request", (uint64_t) * *line, 0);
}

/* "0", "7", "T1" */
static uint32_t parse_transaction(const char **line)
{
    bool named = **line == 'T';
    uint32_t n = 0;

    for (*line += named; **line >= '0' && **line <= '9'; ++*line)
        n = n * 10 + (uint32_t)(**line - '0');
    CHECK(**line == ' ');
    ++*line;
    if (!named)
        return n;
    CHECK(n >= 1 && n <= nr_transactions);
    return transactions[n - 1];
}

/* ---- hearing ------------------------------------------------------------------------ */

static void show(const char *before, const struct header *header)
{
    for (uint32_t i = 0; i < header->len; i++)
        if (text[i] == 0)
            text[i] = '|';
    text[header->len] = 0;
    print(before);
    print(text);
    print("\n");
}

static void keep_transaction(struct header *header)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i + 1 < header->len; i++)
        n = n * 10 + (uint32_t)(text[i] - '0');
    CHECK(nr_transactions < 9);
    transactions[nr_transactions++] = n;
    text[0] = 'T';
    text[1] = (char)('0' + nr_transactions);
    text[2] = 0;
    header->len = 3;
}

static struct header hear(void)
{
    struct header header;

    get(&header, sizeof(header));
    CHECK(header.len < sizeof(text) && header.type < TYPES);
    get(text, header.len);
    if (header.type == 6)
        keep_transaction(&header);
    if (header.type == 15) {
        show("! a ", &header);
        return header;
    }
    print("= ");
    print(types[header.type]);
    show(" ", &header);
    return header;
}

/* ---- saying ------------------------------------------------------------------------- */

static void say(const char *line, const char *end)
{
    struct header header = {.req_id = 7};
    char payload[512];

    header.type = parse_type(&line);
    header.tx_id = parse_transaction(&line);
    CHECK((uint64_t)(end - line) < sizeof(payload));
    for (; line < end; line++)
        payload[header.len++] = *line == '|' ? 0 : *line;
    put(&header, sizeof(header));
    put(payload, header.len);
    while (hear().type == 15)
        ;
}

static void say_line(const char *line, const char *end)
{
    if (end - line < 3 || line[0] != 'a' || line[1] != ' ')
        return;
    for (const char *c = line; c < end; c++) {
        char one[2] = {*c, 0};

        print(one);
    }
    print("\n");
    say(line + 2, end);
}

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
    const char *at = (const char *)start_info->mod_start;
    const char *end = at + start_info->mod_len;

    CHECK(at != NULL);
    map(store_page, start_info->store_mfn << 12 | WRITABLE);
    while (at < end) {
        const char *line = at;

        while (at < end && *at != '\n')
            at++;
        say_line(line, at++);
    }
    while (wait(200000000))
        (void)hear();
    print("the end\n");
    while (option("stay", 0))
        wait(1000000000);
}
