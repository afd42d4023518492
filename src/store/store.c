/* SPDX-License-Identifier: MIT */
/*
 * The store as domain 0 sees it, which is this program.
 */
#include "store.h"

#include "internal.h"

#include <errno.h>
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

void evc_store_destroy(struct evc_store *store)
{
    if (store == NULL)
        return;
    while (store->conns != NULL)
        evc_store_disconnect(store->conns);
    evc_node_put(store->root);
    free(store);
}

void evc_store_listen(struct evc_store *store,
                      struct evc_store_listener *listener)
{
    listener->next = store->listeners;
    store->listeners = listener;
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
    size_t size = strlen(perms) + 1;

    if (size > sizeof(text))
        return -EINVAL;
    memcpy(text, perms, size);
    for (char *c = text; *c != '\0'; c++)
        if (*c == ',')
            *c = '\0';
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
    const struct node *node = evc_tree_find(store->root, path);
    char *value;

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
    struct node *before = evc_node_get(store->root);

    if (change(store, CHANGE_RM, path, "", 0) == 0)
        evc_watch_fire(store, path, before);
    evc_node_put(before);
}
