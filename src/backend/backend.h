/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtual guest expects around it: a store, a console, a grant
 * table and disks, served by domain 0, which is one thread here.
 *
 * The layer knows of its guest only how a frame is reached (`frame`), and its
 * domain in libevc, through whose host ends it hears and rings.  It needs no
 * running guest: tests drive the rings by hand.
 *
 *     evc_backend_create()   opens the disks, fills the store, opens two ports
 *     evc_backend_start()    starts the thread: call it before the guest runs
 *     evc_backend_stop()     the guest has ended: what it said last is written
 *     evc_backend_destroy()
 *
 * Everything in the guest's memory may be hostile and change at any time: it is
 * read once, checked, then used.  A ring whose indices make no sense is left
 * alone for good, with one line to `log`.
 */
#ifndef EVC_BACKEND_BACKEND_H
#define EVC_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evc/evc.h>

#define EVC_BACKEND_PAGE 4096u

/* The ports that evc_backend_create() opens in the guest, for start_info. */
#define EVC_BACKEND_STORE_PORT   1u
#define EVC_BACKEND_CONSOLE_PORT 2u

/* ---- what the embedder gives -------------------------------------------- */

/* `guest` is the cookie of the config. */
struct evc_backend_ops {
    /*
     * The page of a machine frame, readable and writable, or NULL: no such
     * frame, or none that the guest may give away.  It must stay valid until
     * evc_backend_destroy().  Any thread; must not call back.
     */
    void *(*frame)(void *guest, uint64_t frame);

    /*
     * A fresh, zeroed frame of the guest's machine memory, for its grant
     * table: `frame` must know it, the guest may map it.  Not given back.
     * Thread: the caller's of evc_backend_grant_op(), and of create.
     * Return: 0; -ENOMEM.
     */
    int (*alloc)(void *guest, uint64_t *frame);

    /*
     * Copy between the host and the guest's own (virtual) addresses.
     * Thread: the caller's of evc_backend_grant_op().  Return: 0; -EFAULT.
     */
    int (*copy_from)(void *guest, void *to, uint64_t from, size_t size);
    int (*copy_to)(void *guest, uint64_t to, const void *from, size_t size);

    /*
     * With a peer: map its `frame` at `address` of the guest's, which has a
     * page table there, or take that away.  Thread: as copy_from.
     * Return: 0; -EINVAL (no page table there).
     */
    int (*map_peer)(void *guest, uint64_t address, uint64_t frame, bool write);
    void (*unmap_peer)(void *guest, uint64_t address);
    /* As `frame`, of the peer's frames, as long as there is a link. */
    void *(*peer_frame)(void *guest, uint64_t frame);

    /* One line, without newline, that a user should see.  Any thread. */
    void (*log)(void *guest, const char *line);

    /*
     * Whoever sits at the terminal typed Ctrl-].  Thread: the back ends';
     * must not block.  NULL: the byte is passed on like any other.
     */
    void (*leave)(void *guest);
};

enum evc_console_kind {
    EVC_CONSOLE_STDIO, /* what comes from `in` is typed, `out` shows */
    EVC_CONSOLE_PTY,   /* a new pseudo-terminal: evc_backend_console_path() */
};

struct evc_backend_disk {
    const char *path; /* a file, or a block device */
    const char *name; /* "xvdb", "hda", "sdc"; NULL: by its place in the list */
    bool read_only;   /* also if the file cannot be opened for writing */
};

/**
 * evc_backend_disk_number() - of a disk's name, as in device/vbd of the store
 *
 * xvda to xvdp, sda to sdp and hda to hdd, as xen-vbd-interface(7) numbers them.
 *
 * Return: the number; 0: there is no such name.
 */
unsigned evc_backend_disk_number(const char *name);

#define EVC_BACKEND_DISKS 16u /* xvda to xvdp */

struct evc_link; /* between the back ends of two guests, see below */

struct evc_backend_config {
    struct evc_domain *domain; /* ports 1 and 2 must be free */
    const struct evc_backend_ops *ops;
    void *guest; /* handed to ops */

    const char *name;  /* of the domain; letters, digits, "-_." */
    const char *image; /* for the store, or NULL */
    uint64_t memory_kib;
    unsigned vcpus;
    bool guest_32bit; /* of evc_backend_grant_op()'s structs */

    uint64_t store_frame, console_frame; /* zeroed pages of the guest's */
    const char *store; /* a xenstored's socket; or NULL: a store of its own */
    enum evc_console_kind console;
    int in, out; /* EVC_CONSOLE_STDIO: descriptors, still the caller's */

    struct evc_backend_disk disks[EVC_BACKEND_DISKS];
    unsigned nr_disks;

    struct evc_link *link; /* or NULL: there is no peer */
    unsigned side;         /* of the link: 0 or 1 */
    evc_domid peer;        /* the id of the guest at the other side */
};

/* ---- its life ----------------------------------------------------------- */

struct evc_backend;

/**
 * evc_backend_create() - everything the guest will find, not yet moving
 * @config: what there is; not kept, but for its ops and strings of paths
 * @out:    freed by evc_backend_destroy()
 *
 * The first grant table frame is allocated, and entries 0 (console) and 1
 * (store) of it filled in, as a toolstack would.
 *
 * Return: 0; a negative errno, with a line to `log` that names what and why.
 */
int evc_backend_create(const struct evc_backend_config *config,
                       struct evc_backend **out);

/**
 * evc_backend_start() - start the thread (all signals blocked in it)
 * Return: 0; -EAGAIN, -ENOMEM.
 */
int evc_backend_start(struct evc_backend *backend);

/**
 * evc_backend_stop() - no more from the guest
 *
 * What it said last reaches the console (a reader who takes nothing for a
 * second loses it), requests under way end, disks are flushed.  The thread has
 * ended when this returns.  The guest's vCPUs must no longer run.
 */
void evc_backend_stop(struct evc_backend *backend);

/** evc_backend_destroy() - stop, and free; NULL is nothing. */
void evc_backend_destroy(struct evc_backend *backend);

/** evc_backend_console_path() - the pty's name, "/dev/pts/3", or NULL. */
const char *evc_backend_console_path(const struct evc_backend *backend);

/**
 * evc_backend_ask() - write control/shutdown: "poweroff", "reboot", "halt"
 *
 * Guests that watch it shut down by themselves; others take no notice.  Any
 * thread; returns before it is done.
 */
void evc_backend_ask(struct evc_backend *backend, const char *what);

/* ---- a store that others use as well -------------------------------------- */

/**
 * evc_world_claim() - the lowest domain id that is free in a xenstored
 * @store: its socket
 *
 * Its home is made, so that nobody else takes it.
 *
 * Return: the id; a negative errno.
 */
int evc_world_claim(const char *store);
/** evc_world_release() - remove all that a domain has there */
void evc_world_release(const char *store, evc_domid id);

/* ---- grants ------------------------------------------------------------- */

/**
 * evc_backend_grant_op() - the guest's grant_table_op hypercall
 * @cmd:   GNTTABOP_*
 * @arg:   guest address of an array of its struct
 * @count: how many
 *
 * map_grant_ref is for frames of the peer, at addresses of the guest's; other
 * domains are GNTST_bad_domain, other ways GNTST_general_error.  Copies are
 * between the guest and itself, or the peer, who must have granted its end.
 *
 * Return: 0, and the outcome in each struct; -EFAULT; -ENOSYS; -EINVAL.
 * Threads: a vCPU's.
 */
int64_t evc_backend_grant_op(struct evc_backend *backend, uint32_t cmd,
                             uint64_t arg, uint32_t count);

/* ---- a peer: another guest, in another process ---------------------------- */

/*
 * Two guests, each with an engine and back ends in a process of its own, can
 * have channels to each other and map what the other one grants.  The link is
 * made before the processes part:
 *
 *     evc_link_create()
 *     fork: evc_link_keep(link, 0), then evc_backend_create() with it
 *     fork: evc_link_keep(link, 1), ...
 *     evc_link_destroy()     the parent's copy
 *
 * A side that ends leaves the other one's ports unbound, and what was mapped of
 * the other one's memory unmarked.
 */

/** evc_link_create() - Return: 0; -EMFILE, -ENFILE, -ENOMEM. */
int evc_link_create(struct evc_link **out);
/** evc_link_keep() - in one of the two processes: give up the other's ends */
void evc_link_keep(struct evc_link *link, unsigned side);
/** evc_link_destroy() - give up what is left; NULL is nothing */
void evc_link_destroy(struct evc_link *link);

/**
 * evc_backend_bind_peer() - bind_interdomain to a port of the peer's
 * @remote: its port, offered to this guest
 * @local:  the new port, on which an event is pending then
 *
 * The guest sees a channel to the peer, port 0.
 *
 * Return: 0; -ESRCH (there is no peer, or it has ended); what bind_interdomain
 *         says otherwise.
 * Threads: a vCPU's.
 */
int evc_backend_bind_peer(struct evc_backend *backend, evc_port remote,
                          evc_port *local);

/**
 * evc_backend_closed() - the guest may have closed ports: the peer is to be told
 *
 * Threads: a vCPU's.
 */
void evc_backend_closed(struct evc_backend *backend);

/* ---- the terminal (of the process that has it) --------------------------- */

/**
 * evc_terminal_raw() - make a terminal raw, and remember how it was
 * @fd: a descriptor; one that is no terminal is left alone
 *
 * Return: 0; a negative errno of tcsetattr().
 */
int evc_terminal_raw(int fd);

/**
 * evc_terminal_restore() - as it was before evc_terminal_raw()
 *
 * Async-signal-safe, may be called any number of times and from the parent of
 * a process that made it raw, if evc_terminal_raw() was called before the fork.
 */
void evc_terminal_restore(void);

#endif /* EVC_BACKEND_BACKEND_H */
