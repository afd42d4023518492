/* SPDX-License-Identifier: MIT */
/*
 * Watches: whoever wants to hear of a path hears of all that is below it, in
 * the words it used itself, if it may read what has changed.
 */
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct watch **slot_of(struct evc_store_conn *conn, const char *path,
                              const char *token)
{
    struct watch **slot = &conn->watches;

    while (*slot != NULL && (strcmp((*slot)->path, path) != 0 ||
                             strcmp((*slot)->token, token) != 0))
        slot = &(*slot)->next;
    return slot;
}

static int canonical(const struct evc_store_conn *conn, const char *name,
                     char path[PATH_ROOM])
{
    if (name[0] != '@')
        return evc_path_canonical(name, conn->domain, path);
    if (strlen(name) > EVC_XS_REL_PATH)
        return -EINVAL;
    strcpy(path, name); /* "@releaseDomain" */
    return 0;
}

static void free_watch(struct watch *watch)
{
    free(watch->name);
    free(watch->token);
    free(watch);
}

static struct watch *make_watch(const char *path, const char *name,
                                const char *token)
{
    struct watch *watch = calloc(1, sizeof(*watch) + strlen(path) + 1);

    if (watch == NULL)
        return NULL;
    strcpy(watch->path, path);
    watch->name = strdup(name);
    watch->token = strdup(token);
    if (watch->name != NULL && watch->token != NULL)
        return watch;
    free_watch(watch);
    return NULL;
}

/* ---- in a remote tree ------------------------------------------------------- */

static bool is_remote(const struct evc_store_conn *conn,
                      const struct watch *watch)
{
    return conn->store->remote != NULL && watch->path[0] == '/';
}

static int ask(struct evc_store_conn *conn, enum evc_xs_type type,
               const struct watch *watch)
{
    char token[16];

    sprintf(token, "G%" PRIu32, watch->id);
    return remote_ask_about(conn->store->remote, type, 0, watch->path, token);
}

/* Its first event is ours, told at once: the one from there is left out. */
static int add_remote(struct evc_store_conn *conn, struct watch *watch)
{
    if (!is_remote(conn, watch))
        return 0;
    watch->id = ++conn->store->remote->last_watch;
    watch->fresh = true;
    return ask(conn, EVC_XS_WATCH, watch);
}

static void remove_remote(struct evc_store_conn *conn,
                          const struct watch *watch)
{
    if (is_remote(conn, watch))
        (void)ask(conn, EVC_XS_UNWATCH, watch);
}

/* ---- adding and removing ------------------------------------------------------ */

/* The newest is told last. */
int evc_watch_add(struct evc_store_conn *conn, const char *name,
                  const char *token)
{
    char path[PATH_ROOM];
    struct watch **slot;
    int r = canonical(conn, name, path);

    if (r < 0)
        return r;
    slot = slot_of(conn, path, token);
    if (*slot != NULL)
        return -EEXIST;
    if (conn->domain != 0 && conn->nr_watches >= EVC_STORE_WATCHES)
        return -E2BIG;
    *slot = make_watch(path, name, token);
    if (*slot == NULL)
        return -ENOMEM;
    r = add_remote(conn, *slot);
    if (r < 0) {
        free_watch(*slot);
        *slot = NULL;
        return r;
    }
    conn->nr_watches++;
    return 0;
}

int evc_watch_remove(struct evc_store_conn *conn, const char *name,
                     const char *token)
{
    char path[PATH_ROOM];
    struct watch **slot, *watch;
    int r = canonical(conn, name, path);

    if (r < 0)
        return r;
    slot = slot_of(conn, path, token);
    watch = *slot;
    if (watch == NULL)
        return -ENOENT;
    remove_remote(conn, watch);
    *slot = watch->next;
    free_watch(watch);
    conn->nr_watches--;
    return 0;
}

void evc_watch_remove_all(struct evc_store_conn *conn)
{
    while (conn->watches != NULL) {
        struct watch *watch = conn->watches;

        conn->watches = watch->next;
        remove_remote(conn, watch);
        free_watch(watch);
    }
    conn->nr_watches = 0;
}

/* ---- telling -------------------------------------------------------------- */

static bool may_hear(const struct evc_store_conn *conn, const char *path,
                     struct node *before)
{
    struct view view = {.domain = conn->domain,
                        .root = before ? &before : &conn->store->root};
    int error;

    return conn->domain == 0 ||
           evc_view_find(&view, path, READ, &error) != NULL;
}

static void tell_one(struct evc_store_conn *conn, const struct watch *watch,
                     const char *path, struct node *before)
{
    if (!may_hear(conn, path, before))
        return;
    if (watch->name[0] != '/')
        path += evc_path_home(conn->domain, path);
    evc_conn_event(conn, path, watch->token);
}

/* Who watches what was below, and has gone with it. */
static void tell_below(struct evc_store_conn *conn, const char *path,
                       struct node *before)
{
    for (const struct watch *w = conn->watches; w != NULL; w = w->next)
        if (evc_path_within(w->path, path) && strcmp(w->path, path) != 0 &&
            evc_tree_find(before, w->path) != NULL)
            tell_one(conn, w, w->path, before);
}

static void tell(struct evc_store_conn *conn, const char *path,
                 struct node *before)
{
    for (const struct watch *w = conn->watches; w != NULL; w = w->next)
        if (evc_path_within(path, w->path))
            tell_one(conn, w, path, before);
}

void evc_watch_fire(struct evc_store *store, const char *path,
                    struct node *before)
{
    struct evc_store_listener *l;
    struct evc_store_conn *conn;

    for (l = store->listeners; l != NULL; l = l->next)
        if (evc_path_within(path, l->path) ||
            (before != NULL && evc_path_within(l->path, path)))
            l->changed(l->data);
    for (conn = store->conns; conn != NULL; conn = conn->next) {
        if (before != NULL)
            tell_below(conn, path, before);
        tell(conn, path, before);
    }
}

/* ---- of a remote tree --------------------------------------------------------- */

static void tell_listener(struct evc_store *store, uint32_t id)
{
    for (struct evc_store_listener *l = store->listeners; l; l = l->next)
        if (l->id == id)
            l->changed(l->data);
}

static void tell_watch(struct evc_store_conn *conn, uint32_t id,
                       const char *path)
{
    struct watch *w = conn->watches;

    while (w != NULL && w->id != id)
        w = w->next;
    if (w == NULL)
        return;
    if (w->fresh) {
        w->fresh = false;
        return;
    }
    if (!rights_hear(conn, path))
        return;
    if (w->name[0] != '/')
        path += evc_path_home(conn->domain, path);
    evc_conn_event(conn, path, w->token);
}

static void tell_of(struct evc_store *store, const struct remote_event *event)
{
    uint32_t id = (uint32_t)strtoul(event->token + 1, NULL, 10);

    if (event->token[0] == 'L')
        tell_listener(store, id);
    for (struct evc_store_conn *c = store->conns;
         event->token[0] == 'G' && c != NULL; c = c->next)
        tell_watch(c, id, event->path);
}

/* Asking whether it may hear brings more of them: for another time. */
void evc_watch_deliver(struct evc_store *store)
{
    struct remote_event *event;

    for (unsigned n = store->remote->nr_events; n > 0; n--) {
        event = remote_next_event(store->remote);
        tell_of(store, event);
        remote_free_event(event);
    }
}
