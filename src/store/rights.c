/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do with a tree that is in a xenstored: what it might with one
 * of our own, by the rules of change.c.
 *
 * Looking at permissions and doing what they allow are one step to everybody
 * else: a transaction, the guest's own or one for the purpose, which is made
 * again if something of it has changed meanwhile.
 */
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES       64u /* of a transaction */
#define COUNT_AGAIN 2   /* seconds, at least, between counting all nodes */

struct asker {
    struct evc_store_conn *conn;
    struct remote *remote;
    uint32_t trans;
};

/* ---- permissions, as guests see them -------------------------------------------- */

/* An owner that xenstored does not know stands behind domain 0 there. */
static void decode(struct perms *perms)
{
    if (perms->n < 2 || perms->of[0].domain != 0 ||
        perms->of[1].bits != (READ | WRITE))
        return;
    perms->of[0].domain = perms->of[1].domain;
    perms->n--;
    memmove(&perms->of[1], &perms->of[2],
            (perms->n - 1u) * sizeof(perms->of[0]));
}

static void encode(struct perms *perms)
{
    uint16_t owner = perms->of[0].domain;

    if (owner == 0 || perms->n == PERMS_MAX)
        return;
    memmove(&perms->of[2], &perms->of[1],
            (perms->n - 1u) * sizeof(perms->of[0]));
    perms->n++;
    perms->of[0].domain = 0;
    perms->of[1] = (struct perm){owner, READ | WRITE};
}

static int get_perms(const struct asker *a, const char *path,
                     struct perms *perms)
{
    int r = remote_ask_about(a->remote, EVC_XS_GET_PERMS, a->trans, path, NULL);

    if (r < 0)
        return r;
    if (evc_perms_parse(perms, a->remote->answer, a->remote->size) < 0)
        return -EACCES; /* more than there is room for: not for guests */
    decode(perms);
    return 0;
}

static int set_perms(const struct asker *a, const char *path,
                     struct perms perms)
{
    char text[PERMS_TEXT];
    struct part parts[] = {{path, strlen(path) + 1}, {text, 0}};

    encode(&perms);
    parts[1].size = evc_perms_print(&perms, text);
    return remote_ask(a->remote, EVC_XS_SET_PERMS, a->trans, parts, 2);
}

/*
 * Of the node, or of the nearest above it that is there.
 * Return: how many are missing; a negative errno.
 */
static int nearest(const struct asker *a, const char *path, struct perms *perms)
{
    char above[PATH_ROOM];
    int missing = 0, r;

    strcpy(above, path);
    while ((r = get_perms(a, above, perms)) == -ENOENT && above[1] != '\0') {
        evc_path_up(above);
        missing++;
    }
    return r < 0 ? r : missing;
}

/* As evc_view_find(). Return: 0; -EACCES; -ENOENT; -EIO. */
static int find(const struct asker *a, const char *path, unsigned bits)
{
    struct perms perms;
    int missing = nearest(a, path, &perms);

    if (missing < 0)
        return missing;
    if (missing > 0)
        return evc_perms_allow(&perms, a->conn->domain, bits) ? -ENOENT
                                                              : -EACCES;
    return evc_perms_allow(&perms, a->conn->domain, bits) ? 0 : -EACCES;
}

/* ---- in one step ------------------------------------------------------------------- */

static int in_transaction(struct asker *a,
                          int (*does)(const struct asker *, void *), void *data)
{
    int r = -EAGAIN, end;

    for (unsigned i = 0; r == -EAGAIN && i < TRIES; i++) {
        r = remote_begin(a->remote, &a->trans);
        if (r < 0)
            return r;
        r = does(a, data);
        end = remote_end(a->remote, a->trans, r >= 0);
        if (r >= 0 && end < 0)
            r = end;
    }
    return r;
}

static int do_it(struct evc_store_conn *conn, struct trans *trans,
                 int (*does)(const struct asker *, void *), void *data)
{
    struct asker a = {.conn = conn, .remote = conn->store->remote};

    if (trans == NULL)
        return in_transaction(&a, does, data);
    if (trans->nr_steps++ >= trans->max_steps)
        return -ENOSPC;
    a.trans = trans->id;
    return does(&a, data);
}

/* ---- looking ------------------------------------------------------------------------- */

struct look {
    enum evc_xs_type type;
    const char *path, *more;
    size_t more_size;
    uint32_t size; /* the answer: the transaction's end has one too */
    char answer[EVC_XS_PAYLOAD + 1];
};

static int answer_perms(const struct asker *a, struct look *look)
{
    struct perms perms;
    int r = get_perms(a, look->path, &perms);

    if (r == 0)
        look->size = (uint32_t)evc_perms_print(&perms, look->answer);
    return r;
}

static int look_at(const struct asker *a, void *data)
{
    struct look *look = data;
    const struct part parts[] = {{look->path, strlen(look->path) + 1},
                                 {look->more, look->more_size}};
    int r = find(a, look->path, READ);

    if (r < 0)
        return r;
    if (look->type == EVC_XS_GET_PERMS)
        return answer_perms(a, look);
    r = remote_ask(a->remote, look->type, a->trans, parts, 2);
    if (r == 0) {
        look->size = a->remote->size;
        memcpy(look->answer, a->remote->answer, look->size);
    }
    return r;
}

int rights_look(struct evc_store_conn *conn, struct trans *trans,
                enum evc_xs_type type, const char *path, const char *more,
                size_t size)
{
    struct look look = {
        .type = type, .path = path, .more = more, .more_size = size};
    int r = do_it(conn, trans, look_at, &look);

    if (r == 0) {
        conn->store->remote->size = look.size;
        memcpy(conn->store->remote->answer, look.answer, look.size);
    }
    return r;
}

bool rights_hear(struct evc_store_conn *conn, const char *path)
{
    const struct asker a = {.conn = conn, .remote = conn->store->remote};
    struct perms perms;

    return strlen(path) < PATH_ROOM && nearest(&a, path, &perms) >= 0 &&
           evc_perms_allow(&perms, conn->domain, READ);
}

/* ---- how many nodes it has --------------------------------------------------------- */

/* Those of its own below `path`, which is extended and put back. */
static int count_below(const struct asker *a, char path[PATH_ROOM],
                       unsigned *count)
{
    size_t length = strlen(path), size;
    struct perms perms;
    char *names;
    int r = get_perms(a, path, &perms);

    if (r == 0 && perms.of[0].domain == a->conn->domain)
        ++*count;
    if (r == 0)
        r = remote_ask_about(a->remote, EVC_XS_DIRECTORY, a->trans, path, NULL);
    if (r < 0 || a->remote->size == 0)
        return r;
    size = a->remote->size;
    names = malloc(size + 1);
    if (names == NULL)
        return -ENOMEM;
    memcpy(names, a->remote->answer, size);
    names[size] = '\0';
    for (size_t at = 0; r == 0 && at < size && *count <= EVC_STORE_NODES;
         at += strlen(names + at) + 1) {
        if (length + strlen(names + at) + 2 > PATH_ROOM)
            continue;
        sprintf(path + length, "/%s", names + at);
        r = count_below(a, path, count);
    }
    path[length] = '\0';
    free(names);
    return r;
}

/*
 * They are counted as they come and go, and anew only when there are too many:
 * some may have been removed by others, or not have been made in the end.
 */
static void count_anew(const struct asker *a)
{
    const struct asker outside = {.conn = a->conn, .remote = a->remote};
    struct evc_store_conn *conn = a->conn;
    char home[PATH_ROOM];
    struct timespec now;
    unsigned count = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (conn->counted != 0 && now.tv_sec < conn->counted + COUNT_AGAIN)
        return;
    snprintf(home, sizeof(home), "/local/domain/%u", conn->domain);
    if (count_below(&outside, home, &count) == 0)
        conn->nr_nodes = count;
    conn->counted = now.tv_sec;
}

static bool may_have(const struct asker *a, unsigned more)
{
    if (a->conn->domain == 0)
        return true;
    if (a->conn->counted == 0 || a->conn->nr_nodes + more > EVC_STORE_NODES)
        count_anew(a);
    return a->conn->nr_nodes + more <= EVC_STORE_NODES;
}

/* ---- changing -------------------------------------------------------------------------- */

/* The lowest `missing` nodes of `path` are new, and their maker's. */
static int own_new(const struct asker *a, const char *path, int missing,
                   struct perms perms)
{
    char above[PATH_ROOM];
    int r = 0;

    perms.of[0].domain = a->conn->domain;
    strcpy(above, path);
    for (; r == 0 && missing > 0; missing--) {
        r = set_perms(a, above, perms);
        evc_path_up(above);
        a->conn->nr_nodes++;
    }
    return r;
}

static bool is_too_big(const struct evc_store_conn *conn,
                       const struct change *change)
{
    return conn->domain != 0 &&
           change->size + strlen(change->path) > EVC_STORE_SIZE;
}

static int make(const struct asker *a, const struct change *change)
{
    enum evc_xs_type type =
        change->kind == CHANGE_WRITE ? EVC_XS_WRITE : EVC_XS_MKDIR;
    const struct part parts[] = {{change->path, strlen(change->path) + 1},
                                 {change->data, change->size}};
    struct perms perms;
    int missing = nearest(a, change->path, &perms), r;

    if (missing < 0)
        return missing;
    if (!evc_perms_allow(&perms, a->conn->domain, WRITE))
        return -EACCES;
    if (missing == 0 && change->kind == CHANGE_MKDIR)
        return 1;
    if (is_too_big(a->conn, change) ||
        (missing > 0 && !may_have(a, (unsigned)missing)))
        return -ENOSPC;
    r = remote_ask(a->remote, type, a->trans, parts, 2);
    if (r < 0 || a->conn->domain == 0)
        return r;
    return own_new(a, change->path, missing, perms);
}

static int remove_node(const struct asker *a, const struct change *change)
{
    char above[PATH_ROOM];
    unsigned gone = 0;
    int r = find(a, change->path, WRITE);

    if (change->path[1] == '\0')
        return r < 0 ? r : -EINVAL;
    strcpy(above, change->path);
    if (r == -ENOENT) { /* done, if there is a place where it could be */
        evc_path_up(above);
        return find(a, above, WRITE) == 0 ? 1 : r;
    }
    if (r < 0)
        return r;
    r = count_below(a, above, &gone);
    if (r == 0)
        r = remote_ask_about(a->remote, EVC_XS_RM, a->trans, change->path,
                             NULL);
    if (r == 0)
        a->conn->nr_nodes -=
            gone < a->conn->nr_nodes ? gone : a->conn->nr_nodes;
    return r;
}

static int change_perms(const struct asker *a, const struct change *change)
{
    struct perms old, new;
    int r = evc_perms_parse(&new, change->data, change->size);

    if (r == 0)
        r = find(a, change->path, WRITE);
    if (r == 0)
        r = get_perms(a, change->path, &old);
    if (r < 0)
        return r;
    if (a->conn->domain == 0)
        return set_perms(a, change->path, new);
    if (new.n > EVC_STORE_PERMS)
        return -ENOSPC;
    if (old.of[0].domain != a->conn->domain)
        return -EACCES;
    if (new.of[0].domain != a->conn->domain)
        return -EPERM;
    return set_perms(a, change->path, new);
}

static int change_it(const struct asker *a, void *data)
{
    const struct change *change = data;

    switch (change->kind) {
    case CHANGE_WRITE:
    case CHANGE_MKDIR:
        return make(a, change);
    case CHANGE_RM:
        return remove_node(a, change);
    case CHANGE_PERMS:
        return change_perms(a, change);
    default:
        return -EINVAL;
    }
}

int rights_change(struct evc_store_conn *conn, struct trans *trans,
                  const struct change *change)
{
    struct change copy = *change;

    return do_it(conn, trans, change_it, &copy);
}

/* ---- domain 0 ----------------------------------------------------------------------------- */

struct setting {
    const char *path, *value;
    const struct perms *perms; /* or NULL */
};

static int set(const struct asker *a, void *data)
{
    const struct setting *s = data;
    const struct part parts[] = {{s->path, strlen(s->path) + 1},
                                 {s->value, strlen(s->value)}};
    char above[PATH_ROOM];
    struct perms old;
    int missing = nearest(a, s->path, &old), r;

    r = missing < 0 && missing != -EACCES
            ? missing
            : remote_ask(a->remote, EVC_XS_WRITE, a->trans, parts, 2);
    strcpy(above, s->path);
    for (; r == 0 && missing > 0 && s->perms != NULL; missing--) {
        r = set_perms(a, above, *s->perms);
        evc_path_up(above);
    }
    return r;
}

int remote_set(struct remote *remote, const char *path, const char *value,
               const char *perms)
{
    struct asker a = {.remote = remote};
    char text[PERMS_TEXT];
    struct perms parsed;
    struct setting setting = {path, value, perms ? &parsed : NULL};
    size_t size;

    if (perms != NULL) {
        size = evc_perms_text(perms, text);
        if (size == 0 || evc_perms_parse(&parsed, text, size) < 0)
            return -EINVAL;
    }
    return in_transaction(&a, set, &setting);
}

char *remote_get(struct remote *remote, const char *path)
{
    char *value;

    if (remote_ask_about(remote, EVC_XS_READ, 0, path, NULL) < 0)
        return NULL;
    value = malloc(remote->size + 1u);
    if (value != NULL)
        memcpy(value, remote->answer, remote->size + 1u);
    return value;
}

#define DOMAIN_MAX 0x7fefu

static int claim(const struct asker *a, void *data)
{
    uint16_t *id = data;
    struct perms perms = {.n = 2, .of = {{0, 0}, {0, READ}}};
    char path[32];
    int r = 0;

    for (*id = 1; *id <= DOMAIN_MAX; ++*id) {
        sprintf(path, "/local/domain/%u", *id);
        r = remote_ask_about(a->remote, EVC_XS_GET_PERMS, a->trans, path, NULL);
        if (r < 0)
            break;
    }
    if (r != -ENOENT)
        return r < 0 ? r : -ENOSPC;
    r = remote_ask_about(a->remote, EVC_XS_MKDIR, a->trans, path, NULL);
    perms.of[1].domain = *id;
    return r < 0 ? r : set_perms(a, path, perms);
}

int remote_claim(struct remote *remote)
{
    struct asker a = {.remote = remote};
    uint16_t id;
    int r = in_transaction(&a, claim, &id);

    return r < 0 ? r : id;
}
