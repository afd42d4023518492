/* SPDX-License-Identifier: MIT */
/*
 * Transactions: a tree of one's own, and a list of what was done to it.
 *
 * At its end everything the transaction has seen is compared with the store: if
 * nothing of it has changed since, its changes are made again, there.
 */
#include "remote.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static uint32_t free_id(struct evc_store_conn *conn)
{
    do
        conn->last_transaction++;
    while (conn->last_transaction == 0 ||
           evc_trans_find(conn, conn->last_transaction) != NULL);
    return conn->last_transaction;
}

static int here(struct evc_store_conn *conn, struct trans *trans)
{
    trans->id = free_id(conn);
    trans->base = evc_node_get(conn->store->root);
    trans->root = evc_node_get(conn->store->root);
    return 0;
}

int evc_trans_start(struct evc_store_conn *conn, uint32_t *id)
{
    struct remote *remote = conn->store->remote;
    struct trans *trans;
    int r;

    if (conn->domain != 0 && conn->nr_transactions >= EVC_STORE_TRANSACTIONS)
        return -ENOSPC;
    trans = calloc(1, sizeof(*trans));
    if (trans == NULL)
        return -ENOMEM;
    r = remote != NULL ? remote_begin(remote, &trans->id) : here(conn, trans);
    if (r < 0) {
        free(trans);
        return r;
    }
    trans->max_steps = conn->domain != 0 ? EVC_STORE_STEPS : UINT_MAX;
    *id = trans->id;
    trans->last = &trans->steps;
    trans->next = conn->transactions;
    conn->transactions = trans;
    conn->nr_transactions++;
    return 0;
}

struct trans *evc_trans_find(struct evc_store_conn *conn, uint32_t id)
{
    struct trans *trans = conn->transactions;

    while (trans != NULL && trans->id != id)
        trans = trans->next;
    return trans;
}

void evc_trans_begin(struct evc_store_conn *conn, struct trans *trans)
{
    if (conn->store->remote != NULL || trans->steps != NULL)
        return;
    evc_node_put(trans->base);
    evc_node_put(trans->root);
    trans->base = evc_node_get(conn->store->root);
    trans->root = evc_node_get(conn->store->root);
}

struct step *evc_trans_note(struct trans *trans, const struct change *change,
                            int *error)
{
    size_t length = strlen(change->path) + 1;
    struct step *step;

    *error = -ENOSPC;
    if (trans->nr_steps >= trans->max_steps)
        return NULL;
    *error = -ENOMEM;
    step = calloc(1, sizeof(*step) + length + change->size);
    if (step == NULL)
        return NULL;
    step->kind = change->kind;
    step->size = change->size;
    step->data = step->path + length;
    memcpy(step->path, change->path, length);
    if (change->size > 0)
        memcpy(step->data, change->data, change->size);
    *trans->last = step;
    trans->last = &step->next;
    trans->nr_steps++;
    return step;
}

/* ---- its end -------------------------------------------------------------- */

static bool has_conflict(const struct trans *trans, struct node *now)
{
    for (const struct step *s = trans->steps; s != NULL; s = s->next)
        if (evc_tree_changed(trans->base, s->path) !=
            evc_tree_changed(now, s->path))
            return true;
    return false;
}

static int make_again(const struct trans *trans, const struct view *view)
{
    for (const struct step *s = trans->steps; s != NULL; s = s->next) {
        int r = 0;

        if (s->kind != CHANGE_NONE)
            r = evc_view_change(
                view, &(struct change){s->kind, s->path, s->data, s->size});
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_told(const struct trans *trans, const struct step *step)
{
    const struct step *s = trans->steps;

    while (s != step &&
           (s->kind == CHANGE_NONE || strcmp(s->path, step->path) != 0))
        s = s->next;
    return s != step;
}

/* Of each node once, however often it was changed; not of what came and went. */
static void tell_of(struct evc_store *store, const struct trans *trans,
                    struct node *before)
{
    for (const struct step *s = trans->steps; s != NULL; s = s->next) {
        bool gone = evc_tree_find(store->root, s->path) == NULL;

        if (s->kind == CHANGE_NONE || is_told(trans, s))
            continue;
        if (!gone || evc_tree_find(before, s->path) != NULL)
            evc_watch_fire(store, s->path, gone ? before : NULL);
    }
}

static int commit_to(struct evc_store_conn *conn, const struct trans *trans)
{
    struct evc_store *store = conn->store;
    struct node *root, *before;
    struct view view = {conn->domain, &root, store->now + 1};
    int r;

    if (has_conflict(trans, store->root))
        return -EAGAIN;
    root = evc_node_get(store->root);
    r = make_again(trans, &view);
    if (r < 0) {
        evc_node_put(root);
        return r;
    }
    before = store->root;
    store->root = root;
    store->now++;
    tell_of(store, trans, before);
    evc_node_put(before);
    return 0;
}

static void free_trans(struct trans *trans)
{
    while (trans->steps != NULL) {
        struct step *step = trans->steps;

        trans->steps = step->next;
        free(step);
    }
    evc_node_put(trans->base);
    evc_node_put(trans->root);
    free(trans);
}

int evc_trans_end(struct evc_store_conn *conn, struct trans *trans, bool commit)
{
    struct trans **slot = &conn->transactions;
    int r = 0;

    if (conn->store->remote != NULL)
        r = remote_end(conn->store->remote, trans->id, commit);
    else if (commit)
        r = commit_to(conn, trans);
    while (*slot != trans)
        slot = &(*slot)->next;
    *slot = trans->next;
    conn->nr_transactions--;
    free_trans(trans);
    return r;
}

void evc_trans_end_all(struct evc_store_conn *conn)
{
    while (conn->transactions != NULL)
        (void)evc_trans_end(conn, conn->transactions, false);
}
