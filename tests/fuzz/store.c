/* SPDX-License-Identifier: MIT */
/*
 * Bytes as steps: two guests at the store's ring, one of them hostile, and a
 * toolstack that changes things under them.
 *
 * After each step: nobody has more than his quota, what is not theirs is as it
 * was, and the honest guest gets one reply to each request, of its number.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "internal.h"

#define STEPS_MAX 400u

struct world {
    struct evc_store *store;
    struct evc_store_conn *hostile, *honest;
    struct evc_store_ring ring; /* the hostile one's */
    struct evc_xs_ring *page;
    uint32_t requests; /* the honest one's */
};

/* ---- requests ------------------------------------------------------------- */

static const char *const names[] = {
    "/local/domain/1/data",
    "data",
    "data/a",
    "data/a/b",
    "data/b",
    "/local/domain/2/data",
    "/secret",
    "/secret/deep",
    "/",
    "",
    "//",
    "/local/domain/1",
    "@releaseDomain",
    "data/",
    "n1",
    "/new/node",
};

/* A payload of two or three strings, the last one perhaps without its end. */
static uint32_t make_payload(struct input *in, char payload[256])
{
    static const char *const others[] = {"token", "T",  "F", "value",
                                         "n1",    "b2", "0", "n0"};
    uint8_t how = byte(in);
    uint32_t size = (uint32_t)sprintf(payload, "%s", names[how % 16]) + 1;

    if (how & 0x10)
        size +=
            (uint32_t)sprintf(payload + size, "%s", others[byte(in) % 8]) + 1;
    if (how & 0x20)
        size +=
            (uint32_t)sprintf(payload + size, "%s", others[byte(in) % 8]) + 1;
    return how & 0x40 ? size - 1 : size;
}

static struct evc_xs_header make_header(struct input *in, uint32_t size)
{
    uint8_t what = byte(in);

    return (struct evc_xs_header){what % 25, byte(in), what / 25 % 5, size};
}

/* ---- the hostile guest ------------------------------------------------------ */

static void put(struct world *w, const void *bytes, size_t size)
{
    uint32_t prod = evc_a32_load_rlx(&w->page->req_prod);

    for (size_t i = 0; i < size; i++)
        w->page->req[prod++ % EVC_XS_RING] = ((const uint8_t *)bytes)[i];
    evc_a32_store_rlx(&w->page->req_prod, prod);
}

static void put_request(struct world *w, struct input *in)
{
    char payload[256];
    uint32_t size = make_payload(in, payload);
    struct evc_xs_header header = make_header(in, size);

    if (byte(in) == 0)
        header.len = word(in);
    put(w, &header, sizeof(header));
    put(w, payload, size);
}

static void put_anything(struct world *w, struct input *in)
{
    for (uint8_t n = byte(in) % 40; n > 0; n--) {
        uint8_t b = byte(in);

        put(w, &b, 1);
    }
}

static void scribble(struct world *w, struct input *in)
{
    evc_a32 *words = &w->page->req_cons;
    uint32_t value = byte(in) & 1 ? word(in) : byte(in) % 3;

    evc_a32_store_rlx(&words[byte(in) % 7], value);
}

/* Take what there is, as an honest guest would. */
static void catch_up(struct world *w)
{
    evc_a32_store_rlx(&w->page->rsp_cons, w->ring.rsp_prod);
}

static void reconnect(struct world *w)
{
    evc_a32_store_rlx(&w->page->connection, EVC_XS_RECONNECT);
}

/* ---- the honest one ------------------------------------------------------------ */

static bool hear(struct world *w, struct evc_xs_header *header)
{
    char payload[EVC_XS_PAYLOAD];
    size_t n = evc_store_output(w->honest, header, sizeof(*header));

    if (n == 0)
        return false;
    assert(n == sizeof(*header));
    assert(header->len <= sizeof(payload));
    assert(evc_store_output(w->honest, payload, header->len) == header->len);
    return true;
}

static void ask(struct world *w, struct input *in)
{
    char bytes[sizeof(struct evc_xs_header) + 256];
    uint32_t size = make_payload(in, bytes + sizeof(struct evc_xs_header));
    struct evc_xs_header header = make_header(in, size), reply;
    unsigned replies = 0;

    header.req_id = ++w->requests;
    memcpy(bytes, &header, sizeof(header));
    while (hear(w, &reply))
        assert(reply.type == EVC_XS_WATCH_EVENT);
    assert(evc_store_input(w->honest, bytes, sizeof(header) + size) ==
           (int)(sizeof(header) + size));
    while (hear(w, &reply)) {
        if (reply.type == EVC_XS_WATCH_EVENT && reply.req_id == 0)
            continue;
        assert(reply.type == header.type || reply.type == EVC_XS_ERROR);
        assert(reply.req_id == header.req_id && reply.tx_id == header.tx_id);
        replies++;
    }
    assert(replies == 1);
}

/* ---- the toolstack --------------------------------------------------------------- */

static void change(struct world *w, struct input *in)
{
    static const char *const paths[] = {
        "/local/domain/1/data", "/local/domain/1/data/a",
        "/local/domain/2/data/x", "/local/domain/1/x"};
    static const char *const perms[] = {NULL, "n1,b2", "n2", "n0,b1"};
    uint8_t how = byte(in);

    if (how % 8 == 7)
        evc_store_remove(w->store, paths[how / 8 % 4]);
    else
        assert(evc_store_set(w->store, paths[how / 8 % 4], "v",
                             perms[how % 4]) == 0);
}

/* ---- what must hold -------------------------------------------------------------- */

static void check_quotas(const struct evc_store_conn *conn)
{
    assert(conn->nr_watches <= EVC_STORE_WATCHES);
    assert(conn->nr_transactions <= EVC_STORE_TRANSACTIONS);
    assert(conn->unread <= EVC_STORE_UNREAD);
    assert(evc_node_count(conn->store->root, conn->domain) <=
           EVC_STORE_NODES + 8); /* domain 0 may have given it some */
}

static void check(struct world *w)
{
    char *secret = evc_store_get(w->store, "/secret/deep");

    assert(secret != NULL && strcmp(secret, "kept") == 0);
    free(secret);
    assert(evc_store_get(w->store, "/new") == NULL);
    check_quotas(w->hostile);
    check_quotas(w->honest);
}

static void step(struct world *w, uint8_t what, struct input *in)
{
    switch (what % 8) {
    case 0:
    case 1:
        put_request(w, in);
        break;
    case 2:
        ask(w, in);
        break;
    case 3:
        change(w, in);
        break;
    case 4:
        catch_up(w);
        break;
    case 5:
        what & 0x80 ? put_anything(w, in) : put_request(w, in);
        break;
    case 6:
        if (what & 0x40)
            scribble(w, in);
        break;
    case 7:
        if (what & 0x80)
            reconnect(w);
        break;
    }
    (void)evc_store_ring_serve(&w->ring);
    check(w);
}

static void open_world(struct world *w)
{
    assert(evc_store_create(&w->store) == 0);
    assert(evc_store_connect(w->store, 1, NULL, NULL, &w->hostile) == 0);
    assert(evc_store_connect(w->store, 2, NULL, NULL, &w->honest) == 0);
    assert(evc_store_set(w->store, "/secret/deep", "kept", "n0") == 0);
    assert(evc_store_set(w->store, "/local/domain/1", "", "n0,r1") == 0);
    assert(evc_store_set(w->store, "/local/domain/1/data", "", "n1,b2") == 0);
    assert(evc_store_set(w->store, "/local/domain/2/data", "", "n2,r1") == 0);
    w->page = aligned_alloc(4096, 4096);
    assert(w->page != NULL);
    memset(w->page, 0, 4096);
    evc_store_ring_init(&w->ring, w->page, w->hostile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w = {0};

    open_world(&w);
    for (unsigned i = 0; i < STEPS_MAX && in.size > 0; i++)
        step(&w, byte(&in), &in);
    evc_store_destroy(w.store);
    free(w.page);
    return 0;
}
