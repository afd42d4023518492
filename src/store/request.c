/* SPDX-License-Identifier: MIT */
/*
 * Requests: what each type takes, does and replies.
 */
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct evc_store_conn *conn;
    struct trans *trans; /* or NULL */
    const char *text;
    size_t size, at; /* strings are read from here on */
};

/* ---- arguments and replies ------------------------------------------------ */

/* The next string; NULL: the payload has no (whole) one left. */
static const char *next_string(struct request *q)
{
    const char *text = q->text + q->at;
    const char *end = memchr(text, '\0', q->size - q->at);

    if (end == NULL)
        return NULL;
    q->at += (size_t)(end - text) + 1;
    return text;
}

static bool is_at_end(const struct request *q)
{
    return q->at == q->size;
}

static const char *only_string(struct request *q)
{
    const char *text = next_string(q);

    return text != NULL && is_at_end(q) ? text : NULL;
}

/* Behind the events that there are by now. */
static int reply(struct request *q, const void *payload, size_t size)
{
    struct evc_store_conn *conn = q->conn;
    unsigned events = 0;

    if (size > sizeof(conn->reply))
        return -E2BIG;
    conn->reply_header = conn->header;
    conn->reply_header.len = (uint32_t)size;
    memcpy(conn->reply, payload, size);
    conn->reply_size = sizeof(conn->reply_header) + size;
    for (const struct event *e = conn->events; e != NULL; e = e->next)
        events++;
    conn->before_reply = events;
    return 0;
}

static int reply_text(struct request *q, const char *text)
{
    return reply(q, text, strlen(text) + 1);
}

static const struct {
    int error;
    const char *name;
} error_names[] = {
    {EACCES, "EACCES"}, {EEXIST, "EEXIST"}, {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"}, {ENOSPC, "ENOSPC"}, {ENOSYS, "ENOSYS"},
    {EBUSY, "EBUSY"},   {EAGAIN, "EAGAIN"}, {E2BIG, "E2BIG"},
    {EPERM, "EPERM"},   {EIO, "EIO"},       {EINVAL, "EINVAL"},
};

static const char *name_of(int error)
{
    for (size_t i = 0; i < sizeof(error_names) / sizeof(*error_names); i++)
        if (error_names[i].error == error)
            return error_names[i].name;
    return "EINVAL";
}

int evc_store_error(const char *name)
{
    for (size_t i = 0; i < sizeof(error_names) / sizeof(*error_names); i++)
        if (strcmp(error_names[i].name, name) == 0)
            return error_names[i].error;
    return 0;
}

/* ---- the tree ------------------------------------------------------------- */

static struct view view_of(const struct request *q)
{
    struct evc_store *store = q->conn->store;

    return (struct view){q->conn->domain,
                         q->trans ? &q->trans->root : &store->root,
                         store->now + 1};
}

/* The node of a path as the domain says it, for reading; NULL: *error. */
static const struct node *node_of(struct request *q, const char *name,
                                  int *error)
{
    const struct view view = view_of(q);
    char path[PATH_ROOM];

    *error = -EINVAL;
    if (name == NULL || evc_path_canonical(name, q->conn->domain, path) < 0)
        return NULL;
    if (q->trans != NULL &&
        evc_trans_note(q->trans, &(struct change){.path = path}, error) == NULL)
        return NULL;
    return evc_view_find(&view, path, READ, error);
}

static int do_read(struct request *q)
{
    int error;
    const struct node *node = node_of(q, only_string(q), &error);

    return node ? reply(q, node->size ? node->value : "", node->size) : error;
}

static int do_directory(struct request *q)
{
    char names[EVC_XS_PAYLOAD];
    size_t size = 0;
    int error;
    const struct node *node = node_of(q, only_string(q), &error);

    if (node == NULL)
        return error;
    for (uint32_t i = 0; i < node->nr_children; i++) {
        size_t length = strlen(node->children[i]->name) + 1;

        if (size + length > sizeof(names))
            return -E2BIG;
        memcpy(names + size, node->children[i]->name, length);
        size += length;
    }
    return reply(q, names, size);
}

/* As xenstored reads one: what is no number is 0. */
static unsigned long parse_number(const char *text)
{
    return strtoul(text, NULL, 10);
}

/*
 * From byte `offset` of the list on, what fits; an empty name ends the list.
 * The number before it tells the reader whether the list is still the same.
 */
static int do_directory_part(struct request *q)
{
    const char *name = next_string(q);
    const char *number = next_string(q);
    char text[EVC_XS_PAYLOAD];
    const struct node *node;
    size_t offset, at = 0, size;
    int error;

    if (number == NULL || !is_at_end(q))
        return -EINVAL;
    offset = parse_number(number);
    node = node_of(q, name, &error);
    if (node == NULL)
        return error;
    size = (size_t)sprintf(text, "%" PRIu64, node->changed) + 1;
    for (uint32_t i = 0; i < node->nr_children; i++) {
        const char *child = node->children[i]->name;
        size_t length = strlen(child) + 1;

        if (at >= offset && size + length > sizeof(text))
            return reply(q, text, size);
        if (at >= offset) {
            memcpy(text + size, child, length);
            size += length;
        }
        at += length;
    }
    if (size < sizeof(text))
        text[size++] = '\0';
    return reply(q, text, size);
}

static int do_get_perms(struct request *q)
{
    char text[PERMS_TEXT];
    int error;
    const struct node *node = node_of(q, only_string(q), &error);

    if (node == NULL)
        return error;
    return reply(q, text, evc_perms_print(&node->perms, text));
}

/* The same of a remote tree; what follows the path is passed on. */
static int look_there(struct request *q)
{
    const char *name = next_string(q);
    struct evc_store_conn *conn = q->conn;
    enum evc_xs_type type = conn->header.type;
    char path[PATH_ROOM];
    int r;

    if (name == NULL || (type != EVC_XS_DIRECTORY_PART && !is_at_end(q)) ||
        evc_path_canonical(name, conn->domain, path) < 0)
        return -EINVAL;
    r = rights_look(conn, q->trans, type, path, q->text + q->at,
                    q->size - q->at);
    if (r < 0)
        return r;
    return reply(q, conn->store->remote->answer, conn->store->remote->size);
}

/* ---- changes -------------------------------------------------------------- */

static int change_in(struct trans *trans, const struct view *view,
                     const struct change *change)
{
    int r;
    struct step *step = evc_trans_note(trans, change, &r);

    if (step == NULL)
        return r;
    r = evc_view_change(view, change);
    if (r != 0)
        step->kind = CHANGE_NONE; /* it has looked, no more */
    return r;
}

static int change_at_once(struct evc_store *store, const struct view *view,
                          const struct change *change)
{
    struct node *before = NULL;
    int r;

    if (change->kind == CHANGE_RM)
        before = evc_node_get(store->root);
    r = evc_view_change(view, change);
    if (r == 0)
        evc_watch_fire(store, change->path, before);
    evc_node_put(before);
    return r;
}

/* Its events come before the reply. */
static int change_there(struct evc_store_conn *conn, struct trans *trans,
                        const struct change *change)
{
    int r = rights_change(conn, trans, change);

    evc_watch_deliver(conn->store);
    return r;
}

static int do_change(struct request *q, enum change_kind kind, const char *name)
{
    struct view view = view_of(q);
    char path[PATH_ROOM];
    struct change change = {kind, path, q->text + q->at, q->size - q->at};
    int r;

    if (name == NULL || evc_path_canonical(name, q->conn->domain, path) < 0)
        return -EINVAL;
    q->conn->store->now++;
    if (q->conn->store->remote != NULL)
        r = change_there(q->conn, q->trans, &change);
    else if (q->trans != NULL)
        r = change_in(q->trans, &view, &change);
    else
        r = change_at_once(q->conn->store, &view, &change);
    return r < 0 ? r : reply_text(q, "OK");
}

static int do_write(struct request *q)
{
    return do_change(q, CHANGE_WRITE, next_string(q));
}

static int do_mkdir(struct request *q)
{
    return do_change(q, CHANGE_MKDIR, only_string(q));
}

static int do_rm(struct request *q)
{
    return do_change(q, CHANGE_RM, only_string(q));
}

/* ---- watches and transactions --------------------------------------------- */

static int do_watch(struct request *q)
{
    const char *name = next_string(q);
    const char *token = next_string(q);
    int r;

    if (name == NULL || token == NULL || !is_at_end(q))
        return -EINVAL;
    r = evc_watch_add(q->conn, name, token);
    if (r < 0)
        return r;
    (void)reply_text(q, "OK");
    evc_conn_event(q->conn, name, token); /* as if it had just changed */
    return 0;
}

static int do_unwatch(struct request *q)
{
    const char *name = next_string(q);
    const char *token = next_string(q);
    int r;

    if (name == NULL || token == NULL || !is_at_end(q))
        return -EINVAL;
    r = evc_watch_remove(q->conn, name, token);
    return r < 0 ? r : reply_text(q, "OK");
}

static int do_reset_watches(struct request *q)
{
    evc_watch_remove_all(q->conn);
    evc_trans_end_all(q->conn);
    return reply_text(q, "OK");
}

static int do_start(struct request *q)
{
    char text[16];
    uint32_t id;
    int r;

    if (q->trans != NULL)
        return -EBUSY;
    r = evc_trans_start(q->conn, &id);
    if (r < 0)
        return r;
    sprintf(text, "%" PRIu32, id);
    return reply_text(q, text);
}

static int do_end(struct request *q)
{
    const char *how = only_string(q);
    int r;

    if (how == NULL || (strcmp(how, "T") != 0 && strcmp(how, "F") != 0))
        return -EINVAL;
    if (q->trans == NULL)
        return -ENOENT;
    r = evc_trans_end(q->conn, q->trans, *how == 'T');
    if (q->conn->store->remote != NULL)
        evc_watch_deliver(q->conn->store);
    return r < 0 ? r : reply_text(q, "OK");
}

/* ---- domains -------------------------------------------------------------- */

/* Where others have domains too, those have a home. */
static bool has_home(struct remote *remote, uint16_t domain)
{
    char home[32];

    sprintf(home, "/local/domain/%u", domain);
    return remote_ask_about(remote, EVC_XS_GET_PERMS, 0, home, NULL) == 0;
}

static bool is_known(const struct evc_store *store, uint16_t domain)
{
    const struct evc_store_conn *c = store->conns;

    while (c != NULL && c->domain != domain)
        c = c->next;
    return c != NULL || domain == 0 ||
           (store->remote != NULL && has_home(store->remote, domain));
}

static int do_domain_path(struct request *q)
{
    const char *domain = only_string(q);
    char text[48];

    if (domain == NULL)
        return -EINVAL;
    sprintf(text, "/local/domain/%u", (uint16_t)parse_number(domain));
    return reply_text(q, text);
}

static int do_is_introduced(struct request *q)
{
    const char *domain = only_string(q);

    if (domain == NULL)
        return -EINVAL;
    if (q->conn->domain != 0)
        return -EACCES;
    return reply_text(
        q,
        is_known(q->conn->store, (uint16_t)parse_number(domain)) ? "T" : "F");
}

/* To a domain that is there. */
static int do_set_perms(struct request *q)
{
    const char *name = next_string(q);
    struct perms perms;
    int r;

    if (name == NULL)
        return -EINVAL;
    r = evc_perms_parse(&perms, q->text + q->at, q->size - q->at);
    if (r < 0)
        return r;
    if (!is_known(q->conn->store, perms.of[0].domain))
        return -ENOENT;
    return do_change(q, CHANGE_PERMS, name);
}

/* A toolstack's: there is none but this program. */
static int do_refuse(struct request *q)
{
    return q->conn->domain == 0 ? -ENOSYS : -EACCES;
}

/* Nobody was introduced through this connection. */
static int do_not_mine(struct request *q)
{
    return q->conn->domain == 0 ? -ENOENT : -EACCES;
}

/* ---- all of them ---------------------------------------------------------- */

static int (*const does[])(struct request *) = {
    [EVC_XS_CONTROL] = do_refuse,
    [EVC_XS_DIRECTORY] = do_directory,
    [EVC_XS_READ] = do_read,
    [EVC_XS_GET_PERMS] = do_get_perms,
    [EVC_XS_WATCH] = do_watch,
    [EVC_XS_UNWATCH] = do_unwatch,
    [EVC_XS_TRANSACTION_START] = do_start,
    [EVC_XS_TRANSACTION_END] = do_end,
    [EVC_XS_INTRODUCE] = do_refuse,
    [EVC_XS_RELEASE] = do_not_mine,
    [EVC_XS_GET_DOMAIN_PATH] = do_domain_path,
    [EVC_XS_WRITE] = do_write,
    [EVC_XS_MKDIR] = do_mkdir,
    [EVC_XS_RM] = do_rm,
    [EVC_XS_SET_PERMS] = do_set_perms,
    [EVC_XS_IS_DOMAIN_INTRODUCED] = do_is_introduced,
    [EVC_XS_RESUME] = do_not_mine,
    [EVC_XS_SET_TARGET] = do_refuse,
    [EVC_XS_RESET_WATCHES] = do_reset_watches,
    [EVC_XS_DIRECTORY_PART] = do_directory_part,
};

/* READ, DIRECTORY, GET_PERMS, DIRECTORY_PART. */
static bool only_looks(uint32_t type)
{
    return type == EVC_XS_READ || type == EVC_XS_DIRECTORY ||
           type == EVC_XS_GET_PERMS || type == EVC_XS_DIRECTORY_PART;
}

static int carry_out(struct request *q)
{
    const struct evc_xs_header *header = &q->conn->header;

    if (header->type >= sizeof(does) / sizeof(*does) ||
        does[header->type] == NULL)
        return -ENOSYS;
    if (header->tx_id != 0) {
        q->trans = evc_trans_find(q->conn, header->tx_id);
        if (q->trans == NULL)
            return -ENOENT;
        evc_trans_begin(q->conn, q->trans);
    }
    if (q->conn->store->remote != NULL && only_looks(header->type))
        return look_there(q);
    return does[header->type](q);
}

void evc_conn_request(struct evc_store_conn *conn)
{
    struct request q = {
        .conn = conn, .text = conn->payload, .size = conn->header.len};
    int r = carry_out(&q);

    if (r == 0)
        return;
    (void)reply_text(&q, name_of(-r));
    conn->reply_header.type = EVC_XS_ERROR;
}
