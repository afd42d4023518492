/* SPDX-License-Identifier: MIT */
/*
 * The store as domain 0 sees it, which is this program.
 */
#include "store.h"

#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int evc_store_create(struct evc_store **out)
{
    static const struct perms nobody = {.n = 1};
    struct evc_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return -ENOMEM;
    store->root = evc_node_create("", 0, &nobody);
    if (store->root == NULL) {
        free(store);
        return -ENOMEM;
    }
    store->root->changed = ++store->now;
    *out = store;
    return 0;
}

int evc_store_create_remote(const char *path, struct evc_store **out)
{
    struct evc_store *store = calloc(1, sizeof(*store));
    int r = store != NULL ? remote_open(path, &store->remote) : -ENOMEM;

    if (r < 0)
        free(store);
    else
        *out = store;
    return r;
}

void evc_store_destroy(struct evc_store *store)
{
    if (store == NULL)
        return;
    while (store->conns != NULL)
        evc_store_disconnect(store->conns);
    remote_close(store->remote);
    evc_node_put(store->root);
    free(store);
}

void evc_store_listen(struct evc_store *store,
                      struct evc_store_listener *listener)
{
    char token[16];

    listener->next = store->listeners;
    store->listeners = listener;
    if (store->remote == NULL)
        return;
    listener->id = ++store->remote->last_watch;
    sprintf(token, "L%" PRIu32, listener->id);
    (void)remote_ask_about(store->remote, EVC_XS_WATCH, 0, listener->path,
                           token);
}

/* ---- a remote tree --------------------------------------------------------- */

int evc_store_fd(const struct evc_store *store)
{
    return store->remote != NULL ? store->remote->fd : -1;
}

void evc_store_on_events(struct evc_store *store, void (*ready)(void *data),
                         void *data)
{
    store->remote->ready = ready;
    store->remote->data = data;
}

bool evc_store_serve(struct evc_store *store)
{
    remote_take(store->remote);
    evc_watch_deliver(store);
    return !store->remote->gone;
}

int evc_store_claim(struct evc_store *store)
{
    return remote_claim(store->remote);
}

/* ---- reading and writing -------------------------------------------------- */

static int change(struct evc_store *store, enum change_kind kind,
                  const char *path, const char *data, size_t size)
{
    struct view view = {0, &store->root, ++store->now};

    return evc_view_change(&view, &(struct change){kind, path, data, size});
}

/* "n0,r1" as SET_PERMS has it. */
static int set_perms(struct evc_store *store, const char *path,
                     const char *perms)
{
    char text[PERMS_TEXT];
    size_t size = evc_perms_text(perms, text);

    if (size == 0)
        return -EINVAL;
    return change(store, CHANGE_PERMS, path, text, size);
}

/* Make what is missing above `path`, and `path`, each with these. */
static int make_all(struct evc_store *store, const char *path,
                    const char *perms)
{
    char above[PATH_ROOM];
    int r = 0;

    for (const char *end = path; *end != '\0' && r == 0;) {
        size_t length;

        end += 1 + strcspn(end + 1, "/");
        length = (size_t)(end - path);
        memcpy(above, path, length);
        above[length] = '\0';
        if (evc_tree_find(store->root, above) != NULL)
            continue;
        r = change(store, CHANGE_MKDIR, above, "", 0);
        if (r == 0)
            r = set_perms(store, above, perms);
    }
    return r;
}

int evc_store_set(struct evc_store *store, const char *path, const char *value,
                  const char *perms)
{
    char canonical[PATH_ROOM];
    int r = evc_path_canonical(path, 0, canonical);

    if (r == 0 && store->remote != NULL)
        return remote_set(store->remote, canonical, value, perms);
    if (r == 0 && perms != NULL)
        r = make_all(store, canonical, perms);
    if (r == 0)
        r = change(store, CHANGE_WRITE, canonical, value, strlen(value));
    if (r == 0)
        evc_watch_fire(store, canonical, NULL);
    return r;
}

char *evc_store_get(struct evc_store *store, const char *path)
{
    const struct node *node;
    char *value;

    if (store->remote != NULL)
        return remote_get(store->remote, path);
    node = evc_tree_find(store->root, path);
    if (node == NULL)
        return NULL;
    value = malloc(node->size + 1u);
    if (value == NULL)
        return NULL;
    if (node->size > 0)
        memcpy(value, node->value, node->size);
    value[node->size] = '\0';
    return value;
}

void evc_store_remove(struct evc_store *store, const char *path)
{
    struct node *before;

    if (store->remote != NULL) {
        (void)remote_ask_about(store->remote, EVC_XS_RM, 0, path, NULL);
        return;
    }
    before = evc_node_get(store->root);
    if (change(store, CHANGE_RM, path, "", 0) == 0)
        evc_watch_fire(store, path, before);
    evc_node_put(before);
}
