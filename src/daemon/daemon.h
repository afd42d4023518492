/* SPDX-License-Identifier: MIT */
/*
 * evcd: one engine, the domains in it, and the handles by which processes act
 * for them.
 *
 * One thread, an event loop.  The engine (libevc) says what is bound to what and
 * who may; this layer gives each port to a handle, each channel a slot in a
 * region (wire/share.h), and wakes handles.  Nothing that a client sends or
 * writes is believed without a look at what the daemon itself knows.
 */
#ifndef EVC_DAEMON_DAEMON_H
#define EVC_DAEMON_DAEMON_H

#include <evc/evc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "share.h"
#include "wire.h"

struct event;
struct event_base;

#define EVC_RULES    16u
#define EVC_PATH_MAX 108u

/* ---- configuration (config.c) ------------------------------------------- */

struct evc_rule {
    enum { EVC_RULE_UID, EVC_RULE_GID, EVC_RULE_ANY } kind;
    uint32_t id;
};

/* Who may. None: whoever runs the daemon, and root. */
struct evc_rules {
    struct evc_rule rule[EVC_RULES];
    unsigned n;
};

struct evc_domain_settings {
    uint16_t id;
    bool privileged, keep; /* keep: also when nobody has it open */
    uint32_t max_port, max_handles;
    uint32_t kernel_virqs; /* a bit each: held as by the domain's kernel */
    uint32_t virqs;        /* a bit each: global ones that it handles */
    struct evc_rules join;
    bool own_rules; /* the file has some; else the general ones are `join` */
    LIST_ENTRY(evc_domain_settings) next;
};

struct evc_settings {
    char socket[EVC_PATH_MAX];
    bool autostarted; /* ends when nobody has needed it for a while */
    bool on_demand;   /* domains that no file names */
    unsigned linger;  /* s */
    struct evc_rules join;
    struct evc_domain_settings other; /* what no file says */
    LIST_HEAD(, evc_domain_settings) domains;
};

void evc_settings_init(struct evc_settings *settings);
/* 0, or -1 after it has said on stderr what is wrong where. */
int evc_settings_read(struct evc_settings *settings, const char *path);
void evc_settings_finish(struct evc_settings *settings);
const struct evc_domain_settings *
evc_settings_of(const struct evc_settings *settings, uint16_t id);
bool evc_rules_allow(const struct evc_rules *rules, uid_t uid, gid_t gid);

/* ---- what there is ------------------------------------------------------ */

struct evc_dom;
struct evc_owner;

/* A page that two handles (or two ends of one) share. */
struct evc_shared {
    struct evc_region *region;
    int fd;
    uint32_t id;
    uint64_t used; /* slots, a bit each */
    uint8_t ends[EVC_SHARE_SLOTS];
    uint32_t port[EVC_SHARE_SLOTS][2]; /* of each side; 0: none */
    struct evc_owner *owner[2];        /* of each side; NULL: gone */
    uint32_t place[2];                 /* where it is in the owner's home */
    LIST_ENTRY(evc_shared) next[2];
};

/* A port that somebody has open. */
struct evc_end {
    struct evc_owner *owner;
    uint32_t port;
    struct evc_shared *shared; /* NULL: no slot, or one of the own region */
    uint32_t slot, side;       /* the side that it receives at */
    bool has_slot, connected;
    int virq; /* -1: none */
    LIST_ENTRY(evc_end) next;
};

/* A handle. */
struct evc_owner {
    uint64_t id, cookie; /* ours; the kernel's name for its descriptor */
    struct evc_daemon *daemon;
    struct evc_dom *dom;
    struct evc_home *home;
    int fd, home_fd; /* our end of its descriptor; its memory */
    struct event *gone;
    bool restricted;
    uint16_t restricted_to;
    pid_t pid;                 /* of who opened it */
    struct evc_shared **place; /* by number; 0 is unused */
    uint32_t places, room;
    uint64_t own_used; /* slots of the own region */
    LIST_HEAD(, evc_end) ends;
    LIST_HEAD(, evc_member) members;
    LIST_ENTRY(evc_owner) next;
};

/* A process's connection. */
struct evc_conn {
    struct evc_daemon *daemon;
    int fd;
    uid_t uid;
    gid_t gid;
    pid_t pid;
    struct event *readable;
    LIST_HEAD(, evc_member) members;
    LIST_ENTRY(evc_conn) next;
};

/* That a connection speaks for a handle. */
struct evc_member {
    struct evc_conn *conn;
    struct evc_owner *owner;
    unsigned times;
    LIST_ENTRY(evc_member) of_conn, of_owner;
};

/* A domain. */
struct evc_dom {
    struct evc_daemon *daemon;
    const struct evc_domain_settings *settings;
    uint16_t id;
    struct evc_domain *engine;
    void *shared_info, *control;
    evc_a32 **words; /* pages of the event array: the guest's memory, ours */
    uint32_t pages;
    struct evc_end **end; /* by port */
    unsigned handles;
    LIST_ENTRY(evc_dom) next;
};

struct evc_daemon {
    struct evc_settings *settings;
    struct evc_engine *engine;
    struct event_base *base;
    struct event *listening, *idle, *stop[2];
    int socket, lock;
    uint64_t next_id;
    uint32_t next_region;
    bool log_to_journal;
    LIST_HEAD(, evc_dom) doms;
    LIST_HEAD(, evc_owner) owners;
    LIST_HEAD(, evc_conn) conns;
    void *by_id; /* a search tree of handles */
};

/* ---- domains (dom.c) ---------------------------------------------------- */

int evc_doms_init(struct evc_daemon *daemon);
void evc_doms_finish(struct evc_daemon *daemon);
struct evc_dom *evc_dom_find(struct evc_daemon *daemon, uint16_t id);
/* Makes it, if it is not there. */
int evc_dom_get(struct evc_daemon *daemon, uint16_t id, struct evc_dom **out);
/* A handle has gone; the last one may take the domain along. */
void evc_dom_put(struct evc_dom *dom);
/* The event array reaches this port. */
int evc_dom_cover(struct evc_dom *dom, uint32_t port);
/* VIRQs that the engine has raised go to who holds them. */
void evc_doms_deliver(struct evc_daemon *daemon);

/* ---- ports (port.c) ----------------------------------------------------- */

int evc_port_unbound(struct evc_owner *owner, uint32_t domain);
int evc_port_interdomain(struct evc_owner *owner, uint32_t domain,
                         uint32_t port);
int evc_port_virq(struct evc_owner *owner, uint32_t virq);
int evc_port_unbind(struct evc_owner *owner, uint32_t port);
int evc_port_restrict(struct evc_owner *owner, uint16_t domain);
void evc_port_drop(struct evc_end *end);

/* ---- regions (region.c) ------------------------------------------------- */

/* A slot for a channel between two ends; both get it. */
int evc_region_join(struct evc_end *a, struct evc_end *b);
/* A slot of the handle's own region, where the daemon sends. */
int evc_region_own(struct evc_end *end);
void evc_region_leave(struct evc_end *end);
/* Tell the handle what its port is now. */
void evc_region_publish(struct evc_end *end);
struct evc_region *evc_region_of(const struct evc_end *end);
/* The handle goes: nobody is there any more for its peers. */
void evc_region_forget(struct evc_owner *owner);

/* ---- waking (wake.c) ---------------------------------------------------- */

/* Make the descriptor readable, if it is not. */
void evc_wake_raise(struct evc_owner *owner);
/* Somebody rings at place, slot of `owner`: its peer is to wake. */
void evc_wake_kick(struct evc_owner *owner, uint32_t place, uint32_t slot,
                   uint32_t bell);
/* The daemon itself sends to this end. */
void evc_wake_post(struct evc_end *end);
/* Whoever sent to this end may not have come to ring. */
void evc_wake_look(struct evc_end *end);
/* A process that had this handle has gone, perhaps in the middle. */
void evc_wake_repair(struct evc_owner *owner);

/* ---- handles (owner.c) -------------------------------------------------- */

/* `theirs`: the descriptor to hand over; the caller's to close. */
int evc_owner_open(struct evc_daemon *daemon, uint16_t domain, pid_t pid,
                   struct evc_owner **out, int *theirs);
void evc_owner_close(struct evc_owner *owner);
struct evc_owner *evc_owner_find(struct evc_daemon *daemon, uint64_t id);
struct evc_owner *evc_owner_by_fd(struct evc_daemon *daemon, int fd);
/* Has nobody its descriptor any more? */
bool evc_owner_is_gone(const struct evc_owner *owner);

/* ---- requests, connections (request.c, server.c) ------------------------ */

/* The answer, and descriptors to go with it. False: there is no answer. */
bool evc_request(struct evc_conn *conn, const struct evc_wire_request *request,
                 int fd, struct evc_wire_reply *reply, int *fds, unsigned *n,
                 int *theirs);
struct evc_member *evc_member_find(struct evc_conn *conn,
                                   struct evc_owner *owner);
int evc_member_add(struct evc_conn *conn, struct evc_owner *owner);
void evc_member_drop(struct evc_member *member);

/* Run until SIGTERM, SIGINT, or nobody needs it. The exit status. */
int evc_daemon_run(struct evc_settings *settings);
/* When there are no clients: end after a while, if so wanted. */
void evc_daemon_idle(struct evc_daemon *daemon);

void evc_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* EVC_DAEMON_DAEMON_H */
