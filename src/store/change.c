/* SPDX-License-Identifier: MIT */
/*
 * What requests do to a tree, if its permissions and the quotas allow.
 *
 * A change that fails has changed nothing that anybody can see: at most, nodes
 * are copied that were shared.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking -------------------------------------------------------------- */

/* The node, or the nearest above it that is there; the root always is. */
static struct node *nearest(struct node *root, const char *path)
{
    char above[PATH_ROOM];
    struct node *node;

    strcpy(above, path);
    while ((node = evc_tree_find(root, above)) == NULL)
        evc_path_up(above);
    return node;
}

/* Who may not do it to what is above is not told that a name is not there. */
struct node *evc_view_find(const struct view *view, const char *path,
                           unsigned bits, int *error)
{
    struct node *node = evc_tree_find(*view->root, path);

    if (node != NULL && evc_perms_allow(&node->perms, view->domain, bits))
        return node;
    *error = -EACCES;
    if (node == NULL &&
        evc_perms_allow(&nearest(*view->root, path)->perms, view->domain, bits))
        *error = -ENOENT;
    return NULL;
}

/* ---- making nodes --------------------------------------------------------- */

static bool is_too_big(const struct view *view, const char *path, size_t size)
{
    return view->domain != 0 && size + strlen(path) > EVC_STORE_SIZE;
}

/* How many of `path` are missing. */
static unsigned count_missing(const struct view *view, const char *path)
{
    char above[PATH_ROOM];
    unsigned n = 0;

    strcpy(above, path);
    while (evc_tree_find(*view->root, above) == NULL) {
        evc_path_up(above);
        n++;
    }
    return n;
}

static bool are_too_many(const struct view *view, const char *path)
{
    return view->domain != 0 && evc_node_count(*view->root, view->domain) +
                                        count_missing(view, path) >
                                    EVC_STORE_NODES;
}

/* New nodes have the permissions of the one above, but belong to their maker. */
static struct node *make_child(const struct view *view,
                               const struct node *parent, const char *name,
                               size_t length)
{
    struct perms perms = parent->perms;
    struct node *child;

    if (view->domain != 0)
        perms.of[0].domain = view->domain;
    child = evc_node_create(name, length, &perms);
    if (child != NULL)
        child->changed = view->now;
    return child;
}

/*
 * Make what is missing of `rest`, a chain of new nodes; the last into *last.
 * Not yet part of any tree.
 */
static struct node *make_chain(const struct view *view,
                               const struct node *parent, const char *rest,
                               struct node **last)
{
    size_t length = strcspn(rest, "/");
    struct node *node = make_child(view, parent, rest, length), *below;

    *last = node;
    if (node == NULL || rest[length] == '\0')
        return node;
    below = make_chain(view, node, rest + length + 1, last);
    if (below == NULL || evc_tree_add(node, below) < 0) {
        evc_node_put(below);
        evc_node_put(node);
        return NULL;
    }
    return node;
}

static int set_value(struct node *node, const char *data, size_t size)
{
    char *value = malloc(size + 1);

    if (value == NULL)
        return -ENOMEM;
    memcpy(value, data, size);
    free(node->value);
    node->value = value;
    node->size = (uint32_t)size;
    return 0;
}

/* `path` is not there: make it, with its value, and hang it in last of all. */
static int create(const struct view *view, const struct change *change)
{
    char above[PATH_ROOM];
    struct node *parent, *chain, *last;
    bool missing;

    strcpy(above, change->path);
    do
        evc_path_up(above);
    while (evc_tree_find(*view->root, above) == NULL);
    parent = evc_tree_own(view->root, above, &missing);
    if (parent == NULL)
        return -ENOMEM;
    chain = make_chain(
        view, parent, change->path + strlen(above) + (above[1] != '\0'), &last);
    if (chain == NULL)
        return -ENOMEM;
    if (set_value(last, change->data, change->size) < 0 ||
        evc_tree_add(parent, chain) < 0) {
        evc_node_put(chain);
        return -ENOMEM;
    }
    parent->changed = view->now;
    return 0;
}

/* ---- the four ------------------------------------------------------------- */

static int change_missing(const struct view *view, const struct change *change)
{
    const struct node *above = nearest(*view->root, change->path);

    if (!evc_perms_allow(&above->perms, view->domain, WRITE))
        return -EACCES;
    if (is_too_big(view, change->path, change->size) ||
        are_too_many(view, change->path))
        return -ENOSPC;
    return create(view, change);
}

static int change_value(const struct view *view, const struct change *change)
{
    struct node *node;
    bool missing;
    int r;

    if (is_too_big(view, change->path, change->size))
        return -ENOSPC;
    node = evc_tree_own(view->root, change->path, &missing);
    if (node == NULL)
        return -ENOMEM;
    r = set_value(node, change->data, change->size);
    if (r == 0)
        node->changed = view->now;
    return r;
}

static int change_perms(const struct view *view, const struct change *change)
{
    struct perms perms;
    struct node *node;
    bool missing;
    int r = evc_perms_parse(&perms, change->data, change->size);

    if (r < 0)
        return r;
    if (view->domain != 0 && perms.n > EVC_STORE_PERMS)
        return -ENOSPC;
    node = evc_tree_find(*view->root, change->path);
    if (view->domain != 0 && node->perms.of[0].domain != view->domain)
        return -EACCES; /* who may write it does not own it */
    if (view->domain != 0 && perms.of[0].domain != view->domain)
        return -EPERM; /* and who owns it cannot give it away */
    node = evc_tree_own(view->root, change->path, &missing);
    if (node == NULL)
        return -ENOMEM;
    node->perms = perms;
    node->changed = view->now;
    return 0;
}

static int remove_node(const struct view *view, const struct change *change)
{
    char above[PATH_ROOM];
    struct node *parent;
    bool missing;

    if (change->path[1] == '\0')
        return -EINVAL; /* the root stays */
    strcpy(above, change->path);
    evc_path_up(above);
    parent = evc_tree_own(view->root, above, &missing);
    if (parent == NULL)
        return -ENOMEM;
    evc_tree_drop(parent, strrchr(change->path, '/') + 1);
    parent->changed = view->now;
    return 0;
}

/* Removing what is not there is done, if there is a place where it could be. */
static int remove_missing(const struct view *view, const struct change *change,
                          int error)
{
    return error == -ENOENT && count_missing(view, change->path) == 1 ? 1
                                                                      : error;
}

static int change_what_is_missing(const struct view *view,
                                  const struct change *change, int error)
{
    switch (change->kind) {
    case CHANGE_WRITE:
    case CHANGE_MKDIR:
        return change_missing(view, change);
    case CHANGE_RM:
        return remove_missing(view, change, error);
    default:
        return error;
    }
}

int evc_view_change(const struct view *view, const struct change *change)
{
    int error = 0;

    if (evc_view_find(view, change->path, WRITE, &error) == NULL) {
        if (evc_tree_find(*view->root, change->path) != NULL)
            return error;
        return change_what_is_missing(view, change, error);
    }
    switch (change->kind) {
    case CHANGE_WRITE:
        return change_value(view, change);
    case CHANGE_RM:
        return remove_node(view, change);
    case CHANGE_PERMS:
        return change_perms(view, change);
    default:
        return 1; /* the directory is there */
    }
}
