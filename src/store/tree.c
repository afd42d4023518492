/* SPDX-License-Identifier: MIT */
/*
 * Trees that share what is the same in both.
 *
 * A node with one reference belongs to one tree and may be changed; one with
 * more is copied first, and so is everything above it (own()).  Children are
 * few: they are searched one after another.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct node *evc_node_create(const char *name, size_t length,
                             const struct perms *perms)
{
    struct node *node = calloc(1, sizeof(*node));

    if (node == NULL)
        return NULL;
    node->refs = 1;
    node->perms = *perms;
    node->name = strndup(name, length);
    if (node->name != NULL)
        return node;
    free(node);
    return NULL;
}

struct node *evc_node_get(struct node *node)
{
    node->refs++;
    return node;
}

/* As deep as a path has names: 1536 at most. */
void evc_node_put(struct node *node)
{
    if (node == NULL || --node->refs > 0)
        return;
    for (uint32_t i = 0; i < node->nr_children; i++)
        evc_node_put(node->children[i]);
    free(node->children);
    free(node->name);
    free(node->value);
    free(node);
}

unsigned evc_node_count(const struct node *node, uint16_t owner)
{
    unsigned n = node->perms.of[0].domain == owner;

    for (uint32_t i = 0; i < node->nr_children; i++)
        n += evc_node_count(node->children[i], owner);
    return n;
}

/* ---- finding -------------------------------------------------------------- */

/* The next name of a path, and its length; 0: there is none. */
static size_t next_name(const char **path)
{
    *path += **path == '/';
    return strcspn(*path, "/");
}

static struct node **child_of(struct node *node, const char *name,
                              size_t length)
{
    for (uint32_t i = 0; i < node->nr_children; i++) {
        const char *other = node->children[i]->name;

        if (strncmp(other, name, length) == 0 && other[length] == '\0')
            return &node->children[i];
    }
    return NULL;
}

struct node *evc_tree_find(struct node *root, const char *path)
{
    struct node **slot = &root;
    size_t length;

    while (slot != NULL && (length = next_name(&path)) > 0) {
        slot = child_of(*slot, path, length);
        path += length;
    }
    return slot != NULL ? *slot : NULL;
}

uint64_t evc_tree_changed(struct node *root, const char *path)
{
    const struct node *node = evc_tree_find(root, path);

    return node != NULL ? node->changed : 0;
}

/* ---- changing ------------------------------------------------------------- */

static struct node *copy_of(const struct node *node)
{
    struct node *copy =
        evc_node_create(node->name, strlen(node->name), &node->perms);

    if (copy == NULL)
        return NULL;
    copy->changed = node->changed;
    copy->value = malloc(node->size + 1u);
    copy->children = calloc(node->nr_children + 1u, sizeof(*copy->children));
    if (copy->value == NULL || copy->children == NULL) {
        evc_node_put(copy);
        return NULL;
    }
    copy->size = node->size;
    if (node->size > 0)
        memcpy(copy->value, node->value, node->size);
    for (; copy->nr_children < node->nr_children; copy->nr_children++)
        copy->children[copy->nr_children] =
            evc_node_get(node->children[copy->nr_children]);
    return copy;
}

/* Let the reference in `slot` be to a node that nobody else refers to. */
static struct node *own(struct node **slot)
{
    struct node *copy;

    if ((*slot)->refs == 1)
        return *slot;
    copy = copy_of(*slot);
    if (copy == NULL)
        return NULL;
    evc_node_put(*slot);
    *slot = copy;
    return copy;
}

struct node *evc_tree_own(struct node **root, const char *path, bool *missing)
{
    struct node **slot = root, *node;
    size_t length;

    *missing = false;
    while ((node = own(slot)) != NULL && (length = next_name(&path)) > 0) {
        slot = child_of(node, path, length);
        path += length;
        if (slot == NULL) {
            *missing = true;
            return NULL;
        }
    }
    return node;
}

int evc_tree_add(struct node *parent, struct node *child)
{
    struct node **more =
        realloc(parent->children, (parent->nr_children + 1u) * sizeof(*more));

    if (more == NULL)
        return -1;
    parent->children = more;
    more[parent->nr_children++] = child;
    return 0;
}

void evc_tree_drop(struct node *parent, const char *name)
{
    struct node **slot = child_of(parent, name, strlen(name));
    size_t behind;

    if (slot == NULL)
        return;
    evc_node_put(*slot);
    behind = (size_t)(parent->children + parent->nr_children - slot) - 1u;
    memmove(slot, slot + 1, behind * sizeof(*slot));
    parent->nr_children--;
}
