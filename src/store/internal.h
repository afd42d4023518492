/* SPDX-License-Identifier: MIT */
/*
 * The store's parts.
 *
 *     ring.c     a page of a guest     to bytes
 *     conn.c     bytes                 to whole messages and back
 *     request.c  messages              to operations
 *     change.c   operations            to trees, with their permissions
 *     trans.c    a tree of one's own, and its way back
 *     watch.c    who is to be told
 *     perm.c, path.c, tree.c           what they stand on
 *     remote.c, rights.c               in their place: a tree in a xenstored
 *
 * A tree is a counted reference to its root.  Nodes that two trees share are
 * never changed: who changes one makes the path to it his own first (tree.c).
 * A transaction is therefore nothing but a second reference.
 */
#ifndef EVC_STORE_INTERNAL_H
#define EVC_STORE_INTERNAL_H

#include "store.h"

/* ---- permissions (perm.c) ------------------------------------------------- */

enum { READ = 1, WRITE = 2 };

#define PERMS_MAX 8u

struct perm {
    uint16_t domain;
    uint8_t bits; /* READ, WRITE */
};

/* The first is the owner, and its bits are everybody else's. */
struct perms {
    unsigned n;
    struct perm of[PERMS_MAX];
};

bool evc_perms_allow(const struct perms *perms, uint16_t domain, unsigned bits);
/* "n0" NUL "r1" NUL. Return: 0; -EINVAL; -ENOSPC (too many). */
int evc_perms_parse(struct perms *perms, const char *text, size_t size);
/* The same, into `text`; the bytes written. PERMS_TEXT always suffice. */
#define PERMS_TEXT (PERMS_MAX * 8u)
/* "n0,r1" to that, into `text` of as many: its size; 0: too long. */
size_t evc_perms_text(const char *perms, char *text);
size_t evc_perms_print(const struct perms *perms, char *text);

/* ---- paths (path.c) --------------------------------------------------------- */

#define PATH_ROOM (EVC_XS_ABS_PATH + 32u)

/*
 * `name` as a domain says it, to one that begins at the root.
 * Return: 0; -EINVAL.
 */
int evc_path_canonical(const char *name, uint16_t domain, char path[PATH_ROOM]);
/* Is `path` the same as `above`, or below it? */
bool evc_path_within(const char *path, const char *above);
/* The one above, "/" at last; shortens in place. */
void evc_path_up(char *path);
/* Length of the part of `path` that names the domain itself, with its slash. */
size_t evc_path_home(uint16_t domain, const char *path);

/* ---- trees (tree.c) ----------------------------------------------------------- */

struct node {
    unsigned refs;
    uint64_t changed; /* its value, permissions or list of children: when */
    struct perms perms;
    uint32_t size, nr_children;
    char *name, *value;
    struct node **children; /* in the order in which they came */
};

struct node *evc_node_create(const char *name, size_t length,
                             const struct perms *perms);
struct node *evc_node_get(struct node *node);
void evc_node_put(struct node *node);
unsigned evc_node_count(const struct node *node, uint16_t owner);

struct node *evc_tree_find(struct node *root, const char *path);
/* When it changed last; 0: it is not there. */
uint64_t evc_tree_changed(struct node *root, const char *path);
/*
 * The node, in a version that only this tree has; NULL with *missing set: it is
 * not there; without: no memory.
 */
struct node *evc_tree_own(struct node **root, const char *path, bool *missing);
int evc_tree_add(struct node *parent, struct node *child);
void evc_tree_drop(struct node *parent, const char *name);

/* ---- changes (change.c) ---------------------------------------------------------- */

enum change_kind {
    CHANGE_NONE,
    CHANGE_WRITE,
    CHANGE_MKDIR,
    CHANGE_RM,
    CHANGE_PERMS
};

struct change {
    enum change_kind kind; /* NONE: it was only looked at */
    const char *path;
    const char *data;
    size_t size;
};

/* Who asks, of which tree, and the number that marks what changes. */
struct view {
    uint16_t domain;
    struct node **root;
    uint64_t now;
};

/* Look: READ or WRITE must be allowed. NULL: *error is set. */
struct node *evc_view_find(const struct view *view, const char *path,
                           unsigned bits, int *error);
/* 0: done; 1: nothing was to be done; or a negative errno, nothing changed. */
int evc_view_change(const struct view *view, const struct change *change);

/* ---- the store itself ---------------------------------------------------------------- */

struct watch {
    struct watch *next;
    uint32_t id;        /* in a remote tree; 0: it is not known there */
    bool fresh;         /* its first event is still to come from there */
    char *name, *token; /* as the domain gave them */
    char path[];        /* canonical */
};

struct step { /* of a transaction */
    struct step *next;
    enum change_kind kind;
    size_t size;
    char *data; /* behind the path */
    char path[];
};

struct trans {
    struct trans *next;
    uint32_t id;
    struct node *base, *root; /* as it was; as it is to be */
    struct step *steps, **last;
    unsigned nr_steps, max_steps;
};

struct event { /* not yet taken */
    struct event *next;
    size_t size; /* with the header */
    uint8_t bytes[];
};

/*
 * Requests are read one at a time, and none while anything waits to be taken:
 * there is one reply at most.  It has its place among the events: behind those
 * that the request itself has caused.
 */
struct evc_store_conn {
    struct evc_store_conn *next;
    struct evc_store *store;
    uint16_t domain;
    void (*ready)(void *data);
    void *data;

    struct watch *watches;
    unsigned nr_watches;
    struct trans *transactions;
    unsigned nr_transactions;
    uint32_t last_transaction;
    unsigned nr_nodes; /* in a remote tree: its own, or fewer; rights.c */
    int64_t counted;   /* when they were, in seconds */

    struct event *events, **last_event;
    size_t unread;         /* bytes of them */
    size_t taken;          /* bytes of what is being taken */
    bool taking_event;     /* that is an event */
    size_t reply_size;     /* 0: no reply is waiting */
    unsigned before_reply; /* so many events are to be taken first */
    struct evc_xs_header reply_header;
    char reply[EVC_XS_PAYLOAD];

    size_t in; /* bytes of `header` and `payload` that are there */
    struct evc_xs_header header;
    char payload[EVC_XS_PAYLOAD + 1]; /* and a zero */
};

struct evc_store {
    struct remote *remote; /* or NULL: the tree is here */
    struct node *root;
    uint64_t now; /* counts changes */
    struct evc_store_conn *conns;
    struct evc_store_listener *listeners;
};

/* ---- telling (watch.c) ------------------------------------------------------------------ */

int evc_watch_add(struct evc_store_conn *conn, const char *name,
                  const char *token);
int evc_watch_remove(struct evc_store_conn *conn, const char *name,
                     const char *token);
void evc_watch_remove_all(struct evc_store_conn *conn);
/*
 * `path` has changed.  `before`: it was removed with all that was below, and
 * this is the tree that still has it; else NULL.
 */
void evc_watch_fire(struct evc_store *store, const char *path,
                    struct node *before);
/* Tell of what has come from a remote tree so far. */
void evc_watch_deliver(struct evc_store *store);

/* ---- transactions (trans.c) ------------------------------------------------------------- */

int evc_trans_start(struct evc_store_conn *conn, uint32_t *id);
struct trans *evc_trans_find(struct evc_store_conn *conn, uint32_t id);
/* Before each of its requests: until it has seen anything, it sees what is. */
void evc_trans_begin(struct evc_store_conn *conn, struct trans *trans);
/* Remember what a request looks at, or is about to change; NULL: *error. */
struct step *evc_trans_note(struct trans *trans, const struct change *change,
                            int *error);
/* Return: 0; -EAGAIN (something it saw has changed); as evc_view_change(). */
int evc_trans_end(struct evc_store_conn *conn, struct trans *trans,
                  bool commit);
void evc_trans_end_all(struct evc_store_conn *conn);

/* ---- messages (conn.c, request.c) ------------------------------------------------------- */

/* An event for the guest; lost if too many are unread, or without memory. */
void evc_conn_event(struct evc_store_conn *conn, const char *path,
                    const char *token);
/* The errno of a name, such as "ENOENT"; 0: there is none. */
int evc_store_error(const char *name);
/* Carry out conn->header and conn->payload, and reply. */
void evc_conn_request(struct evc_store_conn *conn);

#endif /* EVC_STORE_INTERNAL_H */
