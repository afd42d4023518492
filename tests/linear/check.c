/* SPDX-License-Identifier: MIT */
/*
 * Is a history linearizable?  (Wing and Gong, with the states seen remembered.)
 *
 * Look for an order of its operations in which no operation comes before one
 * that had ended when it began, and in which the engine, used by one thread,
 * gives the same answers and ends in the same state.  The engine is its own
 * specification: what one thread sees is what tests/unit and the recordings
 * hold it to.
 *
 * A send may be taken apart: it reads its channel at one moment and posts at a
 * later one.  And one that overlaps a close of its channel may find it as it
 * was before.  So it may surface as one spurious event (10.2), but never get
 * lost. Nothing else may be taken apart.
 */
#include "history.h"

#include <string.h>

#define STEPS_MAX (2 * OPS_MAX)
#define SEEN      4096u /* states remembered, a power of two */
#define BUDGET    200000u

struct search {
    struct pair *spec;
    const struct history *h;
    uint32_t first, second; /* bit: that half of an operation is done */
    struct {
        uint8_t op, after; /* after: 1 + the close that it does not see */
    } path[STEPS_MAX];
    unsigned depth;
    bool current; /* the spec is where the path leads */
    struct target target[OPS_MAX];
    struct {
        struct target end[2]; /* of a close: what was one channel before it, */
        uint32_t raised;      /* bit: that operation would have raised it */
    } cut[OPS_MAX];
    uint64_t seen[SEEN];
    unsigned budget; /* of steps, until it is given up */
};

/* What channel does this close cut? */
static void note_cut(struct search *s, unsigned i)
{
    const struct op *op = &s->h->op[i];

    s->cut[i].end[0] = (struct target){true, op->side, op->port};
    (void)send_begin(s->spec, op, &s->cut[i].end[1]);
    for (unsigned k = 0; k < s->h->n; k++) {
        struct target target;

        s->cut[i].raised &= ~(1u << k);
        if (s->h->op[k].kind == OP_SEND || !is_send(&s->h->op[k]))
            continue;
        (void)send_begin(s->spec, &s->h->op[k], &target);
        if (target.any && target.side == op->side && target.port == op->port)
            s->cut[i].raised |= 1u << k;
    }
}

/* Where a send leads that does not see the close `k`, which it overlaps. */
static struct target uncut(const struct search *s, unsigned i, unsigned k)
{
    const struct op *send = &s->h->op[i], *close = &s->h->op[k];

    if (close->kind != OP_CLOSE || !(s->second & 1u << k) ||
        close->end < send->begin || send->end < close->begin)
        return (struct target){0};
    if (s->cut[k].raised & 1u << i)
        return s->cut[k].end[0];
    if (send->kind == OP_SEND && s->cut[k].end[1].any) {
        for (unsigned e = 0; e < 2; e++)
            if (s->cut[k].end[e].side == send->side &&
                s->cut[k].end[e].port == send->port)
                return s->cut[k].end[!e];
    }
    return (struct target){0};
}

/*
 * The next step of operation `i`, on the spec; is its answer the recorded one?
 * A send that does not see the close number `after` - 1 posts all the same.
 */
static bool step(struct search *s, unsigned i, unsigned after)
{
    const struct op *op = &s->h->op[i];
    bool right = true;

    if (s->first & 1u << i) { /* a send's second half */
        send_end(s->spec, s->target[i]);
        s->second |= 1u << i;
        return true;
    }
    s->first |= 1u << i;
    if (after != 0) {
        s->target[i] = uncut(s, i, after - 1);
        return op->result == 0;
    }
    if (is_send(op)) {
        right = send_begin(s->spec, op, &s->target[i]) == op->result;
        if (!s->target[i].any)
            s->second |= 1u << i;
        return right;
    }
    if (op->kind == OP_CLOSE)
        note_cut(s, i);
    right = op_do(s->spec, op) == op->result;
    s->second |= 1u << i;
    return right;
}

/* Bring the spec to where the first `depth` steps of the path lead. */
static void replay(struct search *s)
{
    pair_clear(s->spec);
    s->first = s->second = 0;
    for (unsigned i = 0; i < s->h->n_before; i++)
        (void)op_do(s->spec, &s->h->before[i]);
    for (unsigned d = 0; d < s->depth; d++)
        (void)step(s, s->path[d].op, s->path[d].after);
    s->current = true;
}

/* Has every operation ended that had ended when `i` began? */
static bool may_be_next(const struct search *s, unsigned i)
{
    if (s->second & 1u << i)
        return false;
    for (unsigned k = 0; k < s->h->n; k++)
        if (!(s->second & 1u << k) && s->h->op[k].end < s->h->op[i].begin)
            return false;
    return true;
}

/* True: this state, with these operations done, has been tried in vain. */
static bool was_here(struct search *s, const struct view *view)
{
    uint64_t hash = (uint64_t)s->first << 32 | s->second;
    const uint64_t *words = view->port[0];
    uint64_t *slot;

    for (unsigned i = 0; i < 2 * PORTS_SEEN; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u ^ hash >> 29;
    for (unsigned i = 0; i < s->h->n; i++)
        if ((s->first & ~s->second) >> i & 1)
            hash = (hash ^ (s->target[i].side << 8 | s->target[i].port)) *
                   0x9e3779b97f4a7c15u;
    hash |= 1;
    slot = &s->seen[hash >> 32 & (SEEN - 1)];
    if (*slot == hash)
        return true;
    *slot = hash;
    return false;
}

static bool explore(struct search *s);

/* Is there a way on with this step? */
static bool try_step(struct search *s, unsigned i, unsigned after)
{
    bool right;

    if (!s->current)
        replay(s);
    right = step(s, i, after);
    s->path[s->depth].op = (uint8_t)i;
    s->path[s->depth++].after = (uint8_t)after;
    if (right && explore(s))
        return true;
    s->depth--;
    s->current = false;
    return false;
}

/* The same for a send that has closes not to see. */
static bool try_unseeing(struct search *s, unsigned i)
{
    for (unsigned k = 0; k < s->h->n; k++) {
        if (!s->current)
            replay(s);
        if (!is_send(&s->h->op[i]) || s->first & 1u << i)
            return false;
        if (uncut(s, i, k).any && try_step(s, i, k + 1))
            return true;
    }
    return false;
}

static bool explore(struct search *s)
{
    uint32_t all = (1u << s->h->n) - 1;
    struct view view;

    if (s->budget == 0)
        return true; /* too hard */
    s->budget--;
    view_take(s->spec, &view);
    if (s->second == all)
        return memcmp(&view, &s->h->after, sizeof(view)) == 0;
    if (was_here(s, &view))
        return false;
    for (unsigned i = 0; i < s->h->n; i++) {
        if (!s->current)
            replay(s);
        if (may_be_next(s, i) && (try_step(s, i, 0) || try_unseeing(s, i)))
            return true;
    }
    return false;
}

enum verdict linear_check(struct pair *spec, const struct history *h)
{
    struct search s = {.spec = spec, .h = h, .budget = BUDGET};

    replay(&s);
    if (!explore(&s))
        return NOT_LINEAR;
    return s.budget == 0 ? TOO_HARD : LINEAR;
}
