/* SPDX-License-Identifier: MIT */
/*
 * The back ends' parts.
 *
 *     backend.c   the thread, its loop, and who is to be served
 *     world.c     what the guest finds in the store
 *     console.c   the console ring; terminal.c: real terminals
 *     disk.c      a block ring and its file, by whichever thread
 *     vbd.c       a disk on the store: states, connecting, its worker
 *     grant.c     the table; grantop.c: the guest's hypercall
 *     link.c      what two processes share; peer.c: what is said over it
 */
#ifndef EVC_BACKEND_INTERNAL_H
#define EVC_BACKEND_INTERNAL_H

#include "backend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <uv.h>

#include "abi.h"
#include "store.h"

#define PAGE EVC_BACKEND_PAGE

/* A line of the embedder's log. */
struct evc_log {
    void (*line)(void *guest, const char *line);
    void *guest;
};

__attribute__((format(printf, 2, 3))) void evc_log(const struct evc_log *log,
                                                   const char *format, ...);

/* ---- grants (grant.c, grantop.c) ------------------------------------------ */

#define EVC_GRANT_FRAMES 64u /* as many as Xen gives */

struct evc_grant_use { /* how often an entry is mapped */
    uint16_t readers, writers;
};

struct evc_grants {
    const struct evc_backend_ops *ops;
    void *guest;
    uint16_t self; /* whose table it is */
    bool guest_32bit;

    pthread_mutex_t lock; /* of what follows */
    uint32_t nr_frames;
    uint64_t frame[EVC_GRANT_FRAMES];
    struct evc_grant_entry *entries[EVC_GRANT_FRAMES];
    struct evc_grant_use *uses[EVC_GRANT_FRAMES];
};

/* One frame at first. Return: 0; -ENOMEM. */
int evc_grants_init(struct evc_grants *grants,
                    const struct evc_backend_config *config);
void evc_grants_finish(struct evc_grants *grants);
/* Return: 0; -EINVAL (too many); -ENOMEM. */
int evc_grants_grow(struct evc_grants *grants, uint32_t nr_frames);
/* Fill in an entry, as the guest could: `domain` may map `frame`. */
void evc_grants_offer(struct evc_grants *grants, uint32_t ref, uint16_t domain,
                      uint64_t frame);

/*
 * The page granted to `domain` by `ref`; it is marked as in use until
 * evc_grant_unmap() with the same arguments.
 * Return: 0; -EINVAL (no such grant); -EACCES (not to write, not to that
 *         domain); -EFAULT (a frame that is none); -EBUSY (the entry will not
 *         keep still, or is mapped too often).
 */
int evc_grant_map(struct evc_grants *grants, uint32_t ref, uint16_t domain,
                  bool write, void **page);
/* The same, for one that has the frames at other addresses. */
int evc_grant_map_frame(struct evc_grants *grants, uint32_t ref,
                        uint16_t domain, bool write, uint64_t *frame);
void evc_grant_unmap(struct evc_grants *grants, uint32_t ref, bool write);

/* `peer` may be NULL. */
struct evc_peer;
int64_t evc_grants_op(struct evc_grants *grants, struct evc_peer *peer,
                      uint32_t cmd, uint64_t arg, uint32_t count);

/* ---- disks (disk.c) -------------------------------------------------------- */

struct evc_blk_request {
    uint8_t op, nr_segments;
    uint64_t id, sector;
    struct {
        uint32_t ref;
        uint8_t first, last; /* sectors of the page, both included */
    } segment[EVC_BLK_SEGMENTS];
    int16_t status; /* the answer */
};

/*
 * A file, and the ring whose requests it serves, in the order in which they
 * came: fetch a batch, run it (another thread may), answer it.
 */
struct evc_disk {
    int fd;
    bool read_only;
    uint64_t sectors;
    struct evc_grants *grants;

    struct evc_blk_ring *ring; /* NULL: none */
    const struct evc_blk_abi *abi;
    uint32_t req_cons, rsp_prod;
    bool broken; /* nothing more is read from this ring */
    unsigned nr_batch;
    struct evc_blk_request batch[EVC_BLK_ENTRIES];
};

/* Return: 0; or a negative errno, and a line that names the file and why. */
int evc_disk_open(struct evc_disk *disk, const struct evc_backend_disk *config,
                  struct evc_grants *grants, const struct evc_log *log);
/* Flushes what was written. */
void evc_disk_close(struct evc_disk *disk);
/* The ABI of a `protocol` node; NULL: unknown. */
const struct evc_blk_abi *evc_blk_abi_find(const char *name);
void evc_disk_attach(struct evc_disk *disk, void *page,
                     const struct evc_blk_abi *abi);
/* Requests into the batch, which must be empty; how many. */
unsigned evc_disk_fetch(struct evc_disk *disk);
void evc_disk_run(struct evc_disk *disk);
/* True: the guest wants to be told. */
bool evc_disk_answer(struct evc_disk *disk);

/* ---- what is served, and when (backend.c) ---------------------------------- */

/*
 * Rung from any thread; `serve` runs in the back ends' thread some time after.
 * It does a bounded amount of work and returns whether there is more.
 */
struct evc_source {
    struct evc_source *next;
    struct evc_backend *backend;
    bool (*serve)(void *data);
    void *data;
    atomic_bool rung;
};

void evc_source_add(struct evc_backend *backend, struct evc_source *source,
                    bool (*serve)(void *data), void *data);
/* Of the shape of a host end's notify; `source` is a struct evc_source. */
void evc_source_ring(void *source);

/* ---- the console (console.c, terminal.c) ------------------------------------ */

struct evc_console {
    struct evc_backend *backend;
    struct evc_source source;
    struct evc_host *host;
    struct evc_console_ring *ring;
    uint32_t in_prod, out_cons;
    bool broken;

    int in, out;              /* our own; -1: at its end */
    int slave;                /* the pty's other side, kept open; or -1 */
    bool in_waits, out_waits; /* they can be waited for; else always ready */
    bool out_is_socket, is_terminal;
    uv_poll_t in_poll, out_poll;
    char path[64]; /* of the pty, or "" */

    /* Said, and not yet written.  A pty's reader may never come: it loses
     * what is oldest; others make the guest wait. */
    uint8_t *said;
    size_t room, first, size;
    bool may_lose;
};

int evc_console_open(struct evc_console *console, struct evc_backend *backend,
                     const struct evc_backend_config *config);
int evc_console_start(struct evc_console *console);
/* What is in the ring is written, if someone reads; true: more to come. */
bool evc_console_drain(struct evc_console *console);
void evc_console_stop(struct evc_console *console); /* in the thread */
void evc_console_close(struct evc_console *console);

/* ---- disks on the store (vbd.c) ---------------------------------------------- */

struct evc_vbd {
    struct evc_backend *backend;
    struct evc_disk disk;
    unsigned number; /* 51712: xvda */
    char name[8];
    char front[80], back[80];
    char front_state[96];
    struct evc_store_listener listener;
    struct evc_source look, requests; /* the store; the ring */

    unsigned state; /* as we wrote it */
    struct evc_host *host;
    uint32_t ring_ref;
    bool connected, working; /* working: the worker has the batch */
    uv_work_t work;
};

int evc_vbd_open(struct evc_vbd *vbd, struct evc_backend *backend,
                 unsigned index, const struct evc_backend_disk *config);
/* In the thread: true: a worker is still at it. */
bool evc_vbd_stop(struct evc_vbd *vbd);
void evc_vbd_close(struct evc_vbd *vbd);

/* ---- a peer (link.c, peer.c) ---------------------------------------------------- */

#define EVC_LINK_PORTS    4096u
#define EVC_PEER_CHANNELS 64u
#define EVC_PEER_MAPS     1024u

struct evc_link {
    struct evc_link_side {
        int call, serve; /* ends of sockets: what it asks, what it is asked */
        int bell;        /* an eventfd: look at `pending` */
    } side[2];
    struct evc_link_shared {
        evc_a64 pending[2][EVC_LINK_PORTS / 64]; /* events, by side and port */
    } * shared;
};

struct evc_channel { /* local to remote */
    struct evc_peer *peer;
    struct evc_host *host; /* NULL: this one is free */
    evc_port local, remote;
};

struct evc_peer {
    struct evc_backend *backend;
    struct evc_link *link;
    unsigned side;
    uint16_t id; /* the peer's */
    bool polls;
    uv_poll_t bell, serve;

    pthread_mutex_t mapping; /* of grants, by one vCPU at a time: `ours` */
    pthread_mutex_t asking;  /* likewise; the innermost */
    pthread_mutex_t lock;    /* of what follows: a vCPU's thread, and ours */
    bool gone;
    struct evc_channel channels[EVC_PEER_CHANNELS];

    /* grants of ours that the peer has mapped; our thread's */
    struct evc_peer_map {
        bool used, write;
        uint32_t ref;
    } theirs[EVC_PEER_MAPS];
    /* where the guest has mapped grants of the peer's, by its handle */
    uint64_t ours[EVC_PEER_MAPS]; /* the address, and 1; 0: not mapped */
};

void evc_peer_open(struct evc_peer *peer, struct evc_backend *backend,
                   const struct evc_backend_config *config);
int evc_peer_start(struct evc_peer *peer);
void evc_peer_stop(struct evc_peer *peer); /* in the thread */
void evc_peer_close(struct evc_peer *peer);

/* Ask the peer for a grant of its. Return: 0; an evc_gntst. */
int evc_peer_map(struct evc_peer *peer, uint32_t ref, bool write,
                 uint32_t *handle, uint64_t *frame);
void evc_peer_unmap(struct evc_peer *peer, uint32_t handle);

/* ---- all of it ------------------------------------------------------------------ */

int evc_world_fill(struct evc_backend *backend,
                   const struct evc_backend_config *config);

struct evc_backend {
    const struct evc_backend_ops *ops;
    void *guest;
    struct evc_log log;
    struct evc_domain *domain;
    unsigned id; /* of the domain */

    struct evc_store *store;
    struct evc_store_conn *conn;
    struct evc_store_ring ring;
    struct evc_source store_source;
    struct evc_source changed; /* with a store elsewhere: it has events */
    uv_poll_t store_poll;
    bool polls_store;
    struct evc_host *store_host;

    struct evc_grants grants;
    struct evc_console console;
    struct evc_vbd vbds[EVC_BACKEND_DISKS];
    unsigned nr_vbds;
    struct evc_peer peer;
    bool has_peer;

    struct evc_source *sources;
    uv_loop_t loop;
    uv_async_t bell;
    uv_timer_t patience; /* with a reader who takes nothing */
    pthread_t thread;
    bool has_loop, started;
    atomic_bool stopping;
    _Atomic(const char *) asked;
    struct evc_source ask_source;
};

#endif /* EVC_BACKEND_INTERNAL_H */
