/* SPDX-License-Identifier: MIT */
/*
 * A tree that is in a xenstored, behind its socket (remote.c), and what a guest
 * may do with it there (rights.c).
 *
 * To xenstored we are domain 0, and it knows no domain of ours.  So what a guest
 * may do is decided here, by the same rules as in a tree of our own (change.c).
 * Permissions are the store's, for all who use it to see and change; but a node
 * of ours cannot belong to a domain that xenstored does not know, so
 *
 *     what guests see   owner, of everyone else   n3 r5
 *     what is there     domain 0 in his place     n0 b3 r5
 *
 * One thread; each question waits for its answer.
 */
#ifndef EVC_STORE_REMOTE_H
#define EVC_STORE_REMOTE_H

#include "internal.h"

#define REMOTE_PATIENCE 30 /* seconds, for an answer */

struct remote_event { /* a watch's, not yet told */
    struct remote_event *next;
    char *token;
    char path[];
};

struct remote {
    int fd;
    bool gone; /* it has ended, or makes no sense: for good */
    uint32_t request, last_watch;
    void (*ready)(void *data);
    void *data;

    struct remote_event *events, **last;
    unsigned nr_events;

    uint32_t size; /* of the last answer, which has a zero behind it */
    char answer[EVC_XS_PAYLOAD + 1];
};

/* ---- asking (remote.c) ------------------------------------------------------ */

struct part { /* of a payload */
    const void *bytes;
    size_t size;
};

/* Connect, and see that it answers. Return: 0; a negative errno. */
int remote_open(const char *path, struct remote **out);
void remote_close(struct remote *remote);

/*
 * Ask, as domain 0.  Return: 0, with the answer; the negative errno that it
 * names; -EIO: there is no store any more.
 */
int remote_ask(struct remote *remote, enum evc_xs_type type, uint32_t trans,
               const struct part *parts, unsigned n);
/* With one string, or two. */
int remote_ask_about(struct remote *remote, enum evc_xs_type type,
                     uint32_t trans, const char *path, const char *more);
int remote_begin(struct remote *remote, uint32_t *trans);
/* Return: as remote_ask(); -EAGAIN: once more, from the beginning. */
int remote_end(struct remote *remote, uint32_t trans, bool commit);

/* Read events that have come, without waiting for more. */
void remote_take(struct remote *remote);
/* The oldest, to be freed by remote_free_event(); or NULL. */
struct remote_event *remote_next_event(struct remote *remote);
void remote_free_event(struct remote_event *event);

/* ---- what a guest may (rights.c) ---------------------------------------------- */

/*
 * READ, DIRECTORY, DIRECTORY_PART, GET_PERMS; `more` is what follows the path.
 * The answer is remote->answer.  `trans` may be NULL, here and below.
 */
int rights_look(struct evc_store_conn *conn, struct trans *trans,
                enum evc_xs_type type, const char *path, const char *more,
                size_t size);
int rights_change(struct evc_store_conn *conn, struct trans *trans,
                  const struct change *change);
/* May it hear that `path`, which may have gone, has changed? */
bool rights_hear(struct evc_store_conn *conn, const char *path);

/* As domain 0. */
int remote_set(struct remote *remote, const char *path, const char *value,
               const char *perms);
/* To be freed; or NULL. */
char *remote_get(struct remote *remote, const char *path);
/* Make the home of the lowest domain that has none. Return: its id; -errno. */
int remote_claim(struct remote *remote);

#endif /* EVC_STORE_REMOTE_H */
