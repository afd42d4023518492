/* SPDX-License-Identifier: MIT */
/*
 * Histories: what each of a few threads asked of two domains, what it was told,
 * and when the call began and ended.
 *
 *   history.c   the operations, on a pair of guests
 *   linear.c    threads that do them at random, and write them down
 *   check.c     is there an order of them that one thread could have done?
 */
#ifndef EVC_TESTS_HISTORY_H
#define EVC_TESTS_HISTORY_H

#include "guest.h"

#define OPS_MAX     16u
#define PORTS       3u  /* 1 .. 3 of each side are used */
#define PORTS_SEEN  24u /* and so many looked at: more cannot be opened */
#define LINEAR_CPUS 2u

enum op_kind {
    OP_ALLOC, /* offer a port to the other side */
    OP_BIND,  /* bind to the other side's port */
    OP_BIND_IPI,
    OP_BIND_VIRQ, /* a vCPU's own one */
    OP_BIND_PIRQ,
    OP_CLOSE,
    OP_SEND,
    OP_RAISE_VIRQ, /* by the host */
    OP_RAISE_PIRQ,
    OP_UNMASK,
    OP_BIND_VCPU,
    OP_PRIORITY,
    OP_STATUS,
    OP_MASK,    /* by the guest itself */
    OP_CONSUME, /* by the guest itself: clear PENDING; was it set? */
    OP_KINDS,
};

struct op {
    enum op_kind kind;
    unsigned side, port, arg;
    int64_t result;
    uint64_t begin, end; /* no two moments are the same */
};

/* What can be seen of both sides when nobody does anything. */
struct view {
    uint64_t port[2][PORTS_SEEN];
};

struct history {
    bool fifo;
    unsigned n_before, n; /* `before`: one by one, before the threads began */
    struct op before[OPS_MAX], op[OPS_MAX];
    struct view after;
};

/* Two domains that start from nothing. */
struct pair {
    struct world *world;
    struct guest *side[2];
    bool fifo;
};

void pair_create(struct pair *pair, bool fifo);
void pair_destroy(struct pair *pair);
/* Close all ports and clear what the guests share: as if just created. */
void pair_clear(struct pair *pair);

/* Do one; the answer. */
int64_t op_do(struct pair *pair, const struct op *op);
void op_print(const struct op *op);
void view_take(struct pair *pair, struct view *view);

/*
 * A send, or what the host raises, in its two halves: where it leads, and the
 * post, which may come later.  Between the two the port may be closed: the one
 * spurious event (10.2).
 */
bool is_send(const struct op *op);
struct target {
    bool any;
    unsigned side, port;
};
int64_t send_begin(struct pair *pair, const struct op *op,
                   struct target *target);
void send_end(struct pair *pair, struct target target);

/* Every pending, unmasked event is found by upcalls. False: one is lost. */
bool pair_drain(struct pair *pair, const struct view *view);

enum verdict {
    NOT_LINEAR,
    LINEAR,
    TOO_HARD, /* so many orders that none was found in time */
};
enum verdict linear_check(struct pair *spec, const struct history *h);

#endif /* EVC_TESTS_HISTORY_H */
