/* SPDX-License-Identifier: MIT */
/*
 * What back ends share with their guests: the grant table, the console ring,
 * block rings, states of devices.  The store's ring is in wire.h.
 *
 * Source: xen/include/public/grant_table.h, io/console.h, io/ring.h,
 * io/blkif.h, io/xenbus.h; tests/backend/abi.c compares.
 */
#ifndef EVC_BACKEND_ABI_H
#define EVC_BACKEND_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

/* ---- the grant table, version 1 ------------------------------------------- */

struct evc_grant_entry {
    evc_a32 who;   /* EVC_GTF_*, and the domain in the upper half */
    evc_a32 frame; /* the guest */
};

#define EVC_GRANTS_PER_PAGE 512u

#define EVC_GTF_TYPE          3u
#define EVC_GTF_PERMIT_ACCESS 1u
#define EVC_GTF_READONLY      4u  /* the guest */
#define EVC_GTF_READING       8u  /* the host, while it is mapped */
#define EVC_GTF_WRITING       16u /* the host, while it is mapped to write */
#define EVC_GTF_DOMAIN_SHIFT  16

enum evc_gnttab_op {
    EVC_GNTTAB_MAP = 0,
    EVC_GNTTAB_UNMAP = 1,
    EVC_GNTTAB_SETUP_TABLE = 2,
    EVC_GNTTAB_COPY = 5,
    EVC_GNTTAB_QUERY_SIZE = 6,
    EVC_GNTTAB_SET_VERSION = 8,
    EVC_GNTTAB_GET_VERSION = 10,
};

enum evc_gntst { /* `status` in the operations' structs */
                 EVC_GNTST_OKAY = 0,
                 EVC_GNTST_GENERAL_ERROR = -1,
                 EVC_GNTST_BAD_DOMAIN = -2,
                 EVC_GNTST_BAD_GNTREF = -3,
                 EVC_GNTST_BAD_HANDLE = -4,
                 EVC_GNTST_BAD_VIRT_ADDR = -5,
                 EVC_GNTST_PERMISSION_DENIED = -8,
                 EVC_GNTST_BAD_PAGE = -9,
                 EVC_GNTST_BAD_COPY_ARG = -10,
                 EVC_GNTST_NO_SPACE = -13,
};

#define EVC_GNTCOPY_SOURCE_GREF 1u
#define EVC_GNTCOPY_DEST_GREF   2u

#define EVC_GRANT_CONSOLE 0u /* reserved references */
#define EVC_GRANT_STORE   1u

/* ---- the console ---------------------------------------------------------- */

#define EVC_CONSOLE_IN  1024u
#define EVC_CONSOLE_OUT 2048u

struct evc_console_ring {
    uint8_t in[EVC_CONSOLE_IN];   /* typed: the host writes */
    uint8_t out[EVC_CONSOLE_OUT]; /* shown: the guest writes */
    evc_a32 in_cons;              /* the guest */
    evc_a32 in_prod;              /* the host */
    evc_a32 out_cons;             /* the host */
    evc_a32 out_prod;             /* the guest */
};

_Static_assert(offsetof(struct evc_console_ring, in_cons) == 3072,
               "the console's layout is the ABI's");

/* ---- block rings ---------------------------------------------------------- */

struct evc_blk_ring {
    evc_a32 req_prod;  /* the guest */
    evc_a32 req_event; /* the host: tell me when req_prod passes it */
    evc_a32 rsp_prod;  /* the host */
    evc_a32 rsp_event; /* the guest */
    uint8_t pad[48];
    uint8_t entries[];
};

#define EVC_BLK_ENTRIES  32u
#define EVC_BLK_SEGMENTS 11u
#define EVC_BLK_SECTOR   512u

/* Where things are in an entry: 64-bit integers are aligned, or are not. */
struct evc_blk_abi {
    const char *name; /* of the `protocol` node */
    uint8_t entry, id, sector, segments;
    uint8_t response;
};

#define EVC_BLK_SEGMENT 8u /* gref, first_sect, last_sect, two of padding */

enum evc_blk_op {
    EVC_BLK_READ = 0,
    EVC_BLK_WRITE = 1,
    EVC_BLK_FLUSH = 3,
};

enum evc_blk_status {
    EVC_BLK_OKAY = 0,
    EVC_BLK_ERROR = -1,
    EVC_BLK_NOT_SUPPORTED = -2,
};

#define EVC_VDISK_READONLY 4u /* in `info` */

/* ---- devices -------------------------------------------------------------- */

enum evc_xenbus_state {
    EVC_XENBUS_UNKNOWN = 0,
    EVC_XENBUS_INITIALISING = 1,
    EVC_XENBUS_INIT_WAIT = 2,
    EVC_XENBUS_INITIALISED = 3,
    EVC_XENBUS_CONNECTED = 4,
    EVC_XENBUS_CLOSING = 5,
    EVC_XENBUS_CLOSED = 6,
};

#endif /* EVC_BACKEND_ABI_H */
