/* SPDX-License-Identifier: MIT */
/*
 * Two guests with engines and back ends of their own, joined by a link: what
 * they can do to each other, and what is left when one has gone.
 */
#include "front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evc/abi/event_channel.h>
#include <evc/abi/xen.h>

#define ARG ((uint64_t)DATA_FRAME * PAGE)
#define AT  ((uint64_t)(DATA_FRAME + 5) * PAGE) /* where a frame is mapped */

struct world {
    struct evc_link *link;
    struct front one, two;
};

static void init(struct front *f, struct front *peer, struct evc_link *link,
                 unsigned side)
{
    front_init_as(f, (evc_domid)(side + 1));
    f->peer = peer;
    f->config.link = link;
    f->config.side = side;
    f->config.peer = (evc_domid)(2 - side);
    front_start(f);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(evc_link_create(&w->link), 0);
    init(&w->one, &w->two, w->link, 0);
    init(&w->two, &w->one, w->link, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->one.memory != NULL)
        front_finish(&w->one);
    if (w->two.memory != NULL)
        front_finish(&w->two);
    evc_link_destroy(w->link);
    free(w);
    return 0;
}

static void end(struct front *f)
{
    front_finish(f);
    f->memory = NULL;
}

static evc_port offer(struct front *f, evc_domid to)
{
    struct evtchn_alloc_unbound arg = {.dom = DOMID_SELF, .remote_dom = to};

    assert_int_equal(
        evc_event_channel_op(f->domain, EVTCHNOP_alloc_unbound, &arg), 0);
    return arg.port;
}

static uint32_t status_of(struct front *f, evc_port port)
{
    struct evc_port_info info;

    assert_int_equal(evc_port_info(f->domain, port, &info), 0);
    return info.status;
}

struct channel {
    evc_port one, two;
};

static struct channel join(struct world *w)
{
    struct channel c = {.two = offer(&w->two, 1)};

    assert_int_equal(evc_backend_bind_peer(w->one.backend, c.two, &c.one), 0);
    return c;
}

/* ---- channels -------------------------------------------------------------------- */

static void test_events_go_both_ways(void **state)
{
    struct world *w = *state;
    struct channel c = join(w);

    assert_true(is_pending(&w->one, c.one)); /* binding leaves one */
    assert_false(is_pending(&w->two, c.two));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(evc_send(w->one.domain, c.one), 0);
        WAIT_UNTIL(is_pending(&w->two, c.two));
        assert_int_equal(evc_send(w->two.domain, c.two), 0);
        WAIT_UNTIL(is_pending(&w->one, c.one));
    }
    assert_int_equal(status_of(&w->one, c.one), EVTCHNSTAT_interdomain);
    assert_int_equal(status_of(&w->two, c.two), EVTCHNSTAT_interdomain);
}

static void test_each_channel_has_its_own_events(void **state)
{
    struct world *w = *state;
    struct channel c[8];

    for (int i = 0; i < 8; i++) {
        c[i] = join(w);
        (void)is_pending(&w->one, c[i].one);
    }
    assert_int_equal(evc_send(w->two.domain, c[5].two), 0);
    assert_int_equal(evc_send(w->two.domain, c[7].two), 0);
    WAIT_UNTIL(is_pending(&w->one, c[7].one));
    WAIT_UNTIL(is_pending(&w->one, c[5].one));
    for (int i = 0; i < 8; i++)
        assert_false(is_pending(&w->one, c[i].one));
}

static void test_only_what_is_offered_can_be_bound(void **state)
{
    struct world *w = *state;
    evc_port other = offer(&w->two, 9), port = 0;
    evc_port taken = join(w).two;

    assert_int_equal(evc_backend_bind_peer(w->one.backend, other, &port),
                     -EINVAL);
    assert_int_equal(evc_backend_bind_peer(w->one.backend, taken, &port),
                     -EINVAL);
    assert_int_equal(evc_backend_bind_peer(w->one.backend, 999, &port),
                     -EINVAL);
    assert_int_equal(evc_backend_bind_peer(w->one.backend, 1u << 31, &port),
                     -EINVAL);
    /* the store's port is domain 0's */
    assert_int_equal(evc_backend_bind_peer(w->one.backend, 1, &port), -EINVAL);
    assert_int_equal(evc_port_next(w->one.domain, 3), 0); /* none was left */
}

static void test_channels_have_a_limit(void **state)
{
    struct world *w = *state;
    evc_port port;

    for (unsigned i = 0; i < EVC_PEER_CHANNELS; i++)
        (void)join(w);
    assert_int_equal(
        evc_backend_bind_peer(w->one.backend, offer(&w->two, 1), &port),
        -ENOSPC);
}

static void close_port(struct front *f, evc_port port)
{
    struct evtchn_close arg = {.port = port};

    assert_int_equal(evc_event_channel_op(f->domain, EVTCHNOP_close, &arg), 0);
    evc_backend_closed(f->backend);
}

static void test_closing_leaves_the_other_end_unbound(void **state)
{
    struct world *w = *state;
    struct channel c = join(w);
    evc_port again;

    close_port(&w->one, c.one);
    assert_int_equal(status_of(&w->two, c.two), EVTCHNSTAT_unbound);
    assert_int_equal(evc_send(w->two.domain, c.two), 0); /* to nobody */
    assert_int_equal(evc_backend_bind_peer(w->one.backend, c.two, &again), 0);
    close_port(&w->two, c.two);
    assert_int_equal(status_of(&w->one, again), EVTCHNSTAT_unbound);
    for (int i = 0; i < 200; i++) /* nothing is used up by this */
        close_port(&w->one, join(w).one);
}

static void test_reset_leaves_all_other_ends_unbound(void **state)
{
    struct world *w = *state;
    struct channel c[3] = {join(w), join(w), join(w)};
    struct evtchn_reset arg = {.dom = DOMID_SELF};
    evc_port again;

    assert_int_equal(evc_event_channel_op(w->one.domain, EVTCHNOP_reset, &arg),
                     0);
    evc_backend_closed(w->one.backend);
    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of(&w->two, c[i].two), EVTCHNSTAT_unbound);
    assert_int_equal(evc_backend_bind_peer(w->one.backend, c[1].two, &again),
                     0);
    evc_backend_closed(w->one.backend); /* which closes nothing that is open */
    assert_int_equal(status_of(&w->two, c[1].two), EVTCHNSTAT_interdomain);
}

static void test_peer_that_ends_leaves_ports_unbound(void **state)
{
    struct world *w = *state;
    struct channel c = join(w);
    evc_port port;

    end(&w->two);
    WAIT_UNTIL(status_of(&w->one, c.one) == EVTCHNSTAT_unbound);
    assert_int_equal(evc_send(w->one.domain, c.one), 0);
    assert_int_equal(evc_backend_bind_peer(w->one.backend, c.two, &port),
                     -ESRCH);
}

/* ---- grants ---------------------------------------------------------------------- */

struct map_arg {
    uint64_t address;
    uint32_t flags, ref;
    uint16_t domain;
    int16_t status;
    uint32_t handle;
    uint64_t bus;
};

#define HOST      2u
#define READ_ONLY 4u

static struct map_arg map(struct front *f, struct map_arg arg)
{
    void *at = front_page(f, DATA_FRAME);

    arg.status = 99;
    memcpy(at, &arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_MAP, ARG, 1),
                     0);
    memcpy(&arg, at, sizeof(arg));
    return arg;
}

static int unmap(struct front *f, uint64_t address, uint32_t handle)
{
    struct {
        uint64_t address, bus;
        uint32_t handle;
        int16_t status;
    } arg = {address, 0, handle, 99};
    void *at = front_page(f, DATA_FRAME);

    memcpy(at, &arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_UNMAP, ARG, 1),
                     0);
    memcpy(&arg, at, sizeof(arg));
    return arg.status;
}

static void test_granted_frame_is_mapped_and_marked(void **state)
{
    struct world *w = *state;
    struct map_arg got;

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    got = map(&w->one, (struct map_arg){AT, HOST, 20, 2, 0, 0, 0});
    assert_int_equal(got.status, EVC_GNTST_OKAY);
    assert_true(w->one.mapped.address == AT);
    assert_true(w->one.mapped.frame == DATA_FRAME + 9);
    assert_true(w->one.mapped.write);
    assert_true(front_grant_flags(&w->two, 20) & EVC_GTF_WRITING);
    assert_int_equal(unmap(&w->one, AT, got.handle), EVC_GNTST_OKAY);
    assert_true(w->one.mapped.address == 0);
    assert_false(front_grant_flags(&w->two, 20) &
                 (EVC_GTF_WRITING | EVC_GTF_READING));
    assert_int_equal(unmap(&w->one, AT, got.handle), EVC_GNTST_BAD_HANDLE);
}

static void test_read_only_grants_are_mapped_read_only(void **state)
{
    struct world *w = *state;
    struct map_arg arg = {AT, HOST, 20, 2, 0, 0, 0};

    front_grant(&w->two, 20, DATA_FRAME + 9,
                EVC_GTF_READONLY | 1u << EVC_GTF_DOMAIN_SHIFT);
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_PERMISSION_DENIED);
    arg.flags |= READ_ONLY;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_OKAY);
    assert_false(w->one.mapped.write);
    assert_false(front_grant_flags(&w->two, 20) & EVC_GTF_WRITING);
}

static void test_mapping_wrongly_is_refused_and_leaves_no_mark(void **state)
{
    struct world *w = *state;
    const struct map_arg good = {AT, HOST, 20, 2, 0, 0, 0};
    struct map_arg arg;

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    front_grant(&w->two, 21, DATA_FRAME + 9, 7u << EVC_GTF_DOMAIN_SHIFT);
    front_grant(&w->two, 22, FIRST + FRAMES, 1u << EVC_GTF_DOMAIN_SHIFT);
    arg = good, arg.domain = 3;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_BAD_DOMAIN);
    arg = good, arg.ref = 21;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_PERMISSION_DENIED);
    arg = good, arg.ref = 22;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_BAD_PAGE);
    arg = good, arg.ref = 23;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_BAD_GNTREF);
    arg = good, arg.flags = HOST | 16; /* an entry's address */
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_GENERAL_ERROR);
    arg = good, arg.flags = 0;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_GENERAL_ERROR);
    arg = good, arg.address = 0;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_BAD_VIRT_ADDR);
    arg = good, arg.address++;
    assert_int_equal(map(&w->one, arg).status, EVC_GNTST_GENERAL_ERROR);
    assert_int_equal(front_grant_flags(&w->two, 20), EVC_GTF_PERMIT_ACCESS);
    assert_int_equal(unmap(&w->one, 0, UINT32_MAX), EVC_GNTST_BAD_HANDLE);
    assert_int_equal(unmap(&w->one, 0, 5), EVC_GNTST_BAD_HANDLE);
}

static void test_mappings_of_a_peer_that_ends_are_unmarked(void **state)
{
    struct world *w = *state;
    struct map_arg got;

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    got = map(&w->one, (struct map_arg){AT, HOST, 20, 2, 0, 0, 0});
    assert_int_equal(got.status, EVC_GNTST_OKAY);
    end(&w->one);
    WAIT_UNTIL(front_grant_flags(&w->two, 20) == EVC_GTF_PERMIT_ACCESS);
}

static void test_nothing_can_be_mapped_of_a_peer_that_has_ended(void **state)
{
    struct world *w = *state;
    struct map_arg got;

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    got = map(&w->one, (struct map_arg){AT, HOST, 20, 2, 0, 0, 0});
    end(&w->two);
    assert_int_equal(unmap(&w->one, AT, got.handle), EVC_GNTST_OKAY);
    assert_int_equal(
        map(&w->one, (struct map_arg){AT, HOST, 20, 2, 0, 0, 0}).status,
        EVC_GNTST_BAD_DOMAIN);
}

/* ---- copies ----------------------------------------------------------------------- */

struct copy_arg {
    struct {
        uint64_t what; /* a frame, or a reference */
        uint16_t domain, offset;
    } from, to;
    uint16_t size, flags;
    int16_t status;
};

#define FROM_REF EVC_GNTCOPY_SOURCE_GREF
#define TO_REF   EVC_GNTCOPY_DEST_GREF

static int copy(struct front *f, struct copy_arg arg)
{
    void *at = front_page(f, DATA_FRAME);

    arg.status = 99;
    memcpy(at, &arg, sizeof(arg));
    assert_int_equal(evc_backend_grant_op(f->backend, EVC_GNTTAB_COPY, ARG, 1),
                     0);
    memcpy(&arg, at, sizeof(arg));
    return arg.status;
}

static void test_copies_go_from_and_to_what_the_peer_grants(void **state)
{
    struct world *w = *state;
    char *own = front_page(&w->one, DATA_FRAME + 1);
    char *theirs = front_page(&w->two, DATA_FRAME + 9);

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    memcpy(theirs + 100, "from two", 9);
    assert_int_equal(
        copy(
            &w->one,
            (struct copy_arg){
                {20, 2, 100}, {DATA_FRAME + 1, DOMID_SELF, 7}, 9, FROM_REF, 0}),
        EVC_GNTST_OKAY);
    assert_string_equal(own + 7, "from two");
    memcpy(own, "from one", 9);
    assert_int_equal(
        copy(&w->one,
             (struct copy_arg){
                 {DATA_FRAME + 1, 1, 0}, {20, 2, 4087}, 9, TO_REF, 0}),
        EVC_GNTST_OKAY);
    assert_string_equal(theirs + 4087, "from one");
    assert_int_equal(front_grant_flags(&w->two, 20), EVC_GTF_PERMIT_ACCESS);
}

static void test_copies_between_two_pages_of_the_peers(void **state)
{
    struct world *w = *state;

    front_grant(&w->two, 20, DATA_FRAME + 9, 1u << EVC_GTF_DOMAIN_SHIFT);
    front_grant(&w->two, 21, DATA_FRAME + 10, 1u << EVC_GTF_DOMAIN_SHIFT);
    memcpy(front_page(&w->two, DATA_FRAME + 9), "inside", 7);
    assert_int_equal(copy(&w->one,
                          (struct copy_arg){
                              {20, 2, 0}, {21, 2, 0}, 7, FROM_REF | TO_REF, 0}),
                     EVC_GNTST_OKAY);
    assert_string_equal(front_page(&w->two, DATA_FRAME + 10), "inside");
}

static void test_copies_that_the_peer_does_not_allow_are_refused(void **state)
{
    struct world *w = *state;
    const struct copy_arg good = {
        {20, 2, 0}, {DATA_FRAME + 1, DOMID_SELF, 0}, 16, FROM_REF, 0};
    struct copy_arg c;

    front_grant(&w->two, 20, DATA_FRAME + 9,
                EVC_GTF_READONLY | 1u << EVC_GTF_DOMAIN_SHIFT);
    front_grant(&w->two, 21, DATA_FRAME + 9, 7u << EVC_GTF_DOMAIN_SHIFT);
    front_grant(&w->two, 22, FIRST + FRAMES, 1u << EVC_GTF_DOMAIN_SHIFT);
    assert_int_equal(copy(&w->one, good), EVC_GNTST_OKAY);
    c = good, c.from.what = 21;
    assert_int_equal(copy(&w->one, c), EVC_GNTST_PERMISSION_DENIED);
    c = good, c.from.what = 22;
    assert_int_equal(copy(&w->one, c), EVC_GNTST_BAD_PAGE);
    c = good, c.from.what = 23;
    assert_int_equal(copy(&w->one, c), EVC_GNTST_BAD_GNTREF);
    c = good, c.from.domain = 3;
    assert_int_equal(copy(&w->one, c), EVC_GNTST_BAD_DOMAIN);
    c = good, c.flags = 0, c.from.what = DATA_FRAME + 9; /* its frame */
    assert_int_equal(copy(&w->one, c), EVC_GNTST_PERMISSION_DENIED);
    c = (struct copy_arg){{DATA_FRAME + 1, DOMID_SELF, 0},
                          {20, 2, 0},
                          16,
                          TO_REF,
                          0}; /* which may only be read */
    assert_int_equal(copy(&w->one, c), EVC_GNTST_PERMISSION_DENIED);
    c = good, c.to.what = 0; /* the second end; the first is let go */
    assert_int_equal(copy(&w->one, c), EVC_GNTST_BAD_PAGE);
    assert_int_equal(front_grant_flags(&w->two, 20),
                     EVC_GTF_PERMIT_ACCESS | EVC_GTF_READONLY);
    end(&w->two);
    assert_int_equal(copy(&w->one, good), EVC_GNTST_BAD_DOMAIN);
}

/* ---- a guest alone ------------------------------------------------------------------ */

static void test_without_a_link_there_is_no_peer(void **state)
{
    struct front f;
    evc_port port;

    (void)state;
    front_init(&f);
    front_start(&f);
    assert_int_equal(evc_backend_bind_peer(f.backend, 3, &port), -ESRCH);
    evc_backend_closed(f.backend);
    front_finish(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_events_go_both_ways),
        TEST(test_each_channel_has_its_own_events),
        TEST(test_only_what_is_offered_can_be_bound),
        TEST(test_channels_have_a_limit),
        TEST(test_closing_leaves_the_other_end_unbound),
        TEST(test_reset_leaves_all_other_ends_unbound),
        TEST(test_peer_that_ends_leaves_ports_unbound),
        TEST(test_granted_frame_is_mapped_and_marked),
        TEST(test_read_only_grants_are_mapped_read_only),
        TEST(test_mapping_wrongly_is_refused_and_leaves_no_mark),
        TEST(test_mappings_of_a_peer_that_ends_are_unmarked),
        TEST(test_nothing_can_be_mapped_of_a_peer_that_has_ended),
        TEST(test_copies_go_from_and_to_what_the_peer_grants),
        TEST(test_copies_between_two_pages_of_the_peers),
        TEST(test_copies_that_the_peer_does_not_allow_are_refused),
        cmocka_unit_test(test_without_a_link_there_is_no_peer),
    };

    return FRONT_RUN(tests);
}
