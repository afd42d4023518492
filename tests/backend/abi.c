/* SPDX-License-Identifier: MIT */
/*
 * Our words for what is shared with guests, held against Xen's own headers.
 * All of it is decided by the compiler.
 */
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040d00 /* no older words for things */
#include <xen/xen.h>

#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#include "abi.h"
#include "wire.h"

#define SAME(ours, theirs) \
    _Static_assert((long)(ours) == (long)(theirs), #ours " is " #theirs)
#define SAME_PLACE(our, a, their, b) \
    SAME(offsetof(struct our, a), offsetof(struct their, b))

/* ---- the store ------------------------------------------------------------------ */

SAME(EVC_XS_CONTROL, XS_CONTROL);
SAME(EVC_XS_DIRECTORY, XS_DIRECTORY);
SAME(EVC_XS_READ, XS_READ);
SAME(EVC_XS_GET_PERMS, XS_GET_PERMS);
SAME(EVC_XS_WATCH, XS_WATCH);
SAME(EVC_XS_UNWATCH, XS_UNWATCH);
SAME(EVC_XS_TRANSACTION_START, XS_TRANSACTION_START);
SAME(EVC_XS_TRANSACTION_END, XS_TRANSACTION_END);
SAME(EVC_XS_INTRODUCE, XS_INTRODUCE);
SAME(EVC_XS_RELEASE, XS_RELEASE);
SAME(EVC_XS_GET_DOMAIN_PATH, XS_GET_DOMAIN_PATH);
SAME(EVC_XS_WRITE, XS_WRITE);
SAME(EVC_XS_MKDIR, XS_MKDIR);
SAME(EVC_XS_RM, XS_RM);
SAME(EVC_XS_SET_PERMS, XS_SET_PERMS);
SAME(EVC_XS_WATCH_EVENT, XS_WATCH_EVENT);
SAME(EVC_XS_ERROR, XS_ERROR);
SAME(EVC_XS_IS_DOMAIN_INTRODUCED, XS_IS_DOMAIN_INTRODUCED);
SAME(EVC_XS_RESUME, XS_RESUME);
SAME(EVC_XS_SET_TARGET, XS_SET_TARGET);
SAME(EVC_XS_RESET_WATCHES, XS_RESET_WATCHES);
SAME(EVC_XS_DIRECTORY_PART, XS_DIRECTORY_PART);
SAME(sizeof(struct evc_xs_header), sizeof(struct xsd_sockmsg));
SAME_PLACE(evc_xs_header, req_id, xsd_sockmsg, req_id);
SAME_PLACE(evc_xs_header, tx_id, xsd_sockmsg, tx_id);
SAME_PLACE(evc_xs_header, len, xsd_sockmsg, len);
SAME(EVC_XS_PAYLOAD, XENSTORE_PAYLOAD_MAX);
SAME(EVC_XS_ABS_PATH, XENSTORE_ABS_PATH_MAX);
SAME(EVC_XS_REL_PATH, XENSTORE_REL_PATH_MAX);
SAME(EVC_XS_RING, XENSTORE_RING_SIZE);
SAME(sizeof(struct evc_xs_ring), sizeof(struct xenstore_domain_interface));
SAME_PLACE(evc_xs_ring, rsp, xenstore_domain_interface, rsp);
SAME_PLACE(evc_xs_ring, req_cons, xenstore_domain_interface, req_cons);
SAME_PLACE(evc_xs_ring, req_prod, xenstore_domain_interface, req_prod);
SAME_PLACE(evc_xs_ring, rsp_cons, xenstore_domain_interface, rsp_cons);
SAME_PLACE(evc_xs_ring, rsp_prod, xenstore_domain_interface, rsp_prod);
SAME_PLACE(evc_xs_ring, features, xenstore_domain_interface, server_features);
SAME_PLACE(evc_xs_ring, connection, xenstore_domain_interface, connection);
SAME_PLACE(evc_xs_ring, error, xenstore_domain_interface, error);
SAME(EVC_XS_FEATURE_RECONNECT, XENSTORE_SERVER_FEATURE_RECONNECTION);
SAME(EVC_XS_FEATURE_ERROR, XENSTORE_SERVER_FEATURE_ERROR);
SAME(EVC_XS_RECONNECT, XENSTORE_RECONNECT);
SAME(EVC_XS_RING_BAD_INDEX, XENSTORE_ERROR_RINGIDX);
SAME(EVC_XS_RING_PROTOCOL, XENSTORE_ERROR_PROTO);

/* ---- grants ---------------------------------------------------------------------- */

SAME(sizeof(struct evc_grant_entry), sizeof(struct grant_entry_v1));
SAME_PLACE(evc_grant_entry, frame, grant_entry_v1, frame);
SAME(EVC_GTF_DOMAIN_SHIFT, 8 * offsetof(struct grant_entry_v1, domid));
SAME(EVC_GTF_TYPE, GTF_type_mask);
SAME(EVC_GTF_PERMIT_ACCESS, GTF_permit_access);
SAME(EVC_GTF_READONLY, GTF_readonly);
SAME(EVC_GTF_READING, GTF_reading);
SAME(EVC_GTF_WRITING, GTF_writing);
SAME(EVC_GRANT_CONSOLE, GNTTAB_RESERVED_CONSOLE);
SAME(EVC_GRANT_STORE, GNTTAB_RESERVED_XENSTORE);
SAME(EVC_GNTTAB_MAP, GNTTABOP_map_grant_ref);
SAME(EVC_GNTTAB_UNMAP, GNTTABOP_unmap_grant_ref);
SAME(EVC_GNTTAB_SETUP_TABLE, GNTTABOP_setup_table);
SAME(EVC_GNTTAB_COPY, GNTTABOP_copy);
SAME(EVC_GNTTAB_QUERY_SIZE, GNTTABOP_query_size);
SAME(EVC_GNTTAB_SET_VERSION, GNTTABOP_set_version);
SAME(EVC_GNTTAB_GET_VERSION, GNTTABOP_get_version);
SAME(EVC_GNTST_OKAY, GNTST_okay);
SAME(EVC_GNTST_GENERAL_ERROR, GNTST_general_error);
SAME(EVC_GNTST_BAD_DOMAIN, GNTST_bad_domain);
SAME(EVC_GNTST_BAD_GNTREF, GNTST_bad_gntref);
SAME(EVC_GNTST_BAD_HANDLE, GNTST_bad_handle);
SAME(EVC_GNTST_PERMISSION_DENIED, GNTST_permission_denied);
SAME(EVC_GNTST_BAD_PAGE, GNTST_bad_page);
SAME(EVC_GNTST_BAD_COPY_ARG, GNTST_bad_copy_arg);
SAME(EVC_GNTCOPY_SOURCE_GREF, GNTCOPY_source_gref);
SAME(EVC_GNTCOPY_DEST_GREF, GNTCOPY_dest_gref);

/* What grantop.c says about 64-bit structs. */
SAME(32, sizeof(struct gnttab_map_grant_ref));
SAME(18, offsetof(struct gnttab_map_grant_ref, status));
SAME(24, sizeof(struct gnttab_unmap_grant_ref));
SAME(20, offsetof(struct gnttab_unmap_grant_ref, status));
SAME(24, sizeof(struct gnttab_setup_table));
SAME(4, offsetof(struct gnttab_setup_table, nr_frames));
SAME(8, offsetof(struct gnttab_setup_table, status));
SAME(16, offsetof(struct gnttab_setup_table, frame_list));
SAME(40, sizeof(struct gnttab_copy));
SAME(16, offsetof(struct gnttab_copy, dest));
SAME(10, offsetof(struct gnttab_copy, source.offset));
SAME(32, offsetof(struct gnttab_copy, len));
SAME(34, offsetof(struct gnttab_copy, flags));
SAME(36, offsetof(struct gnttab_copy, status));
SAME(16, sizeof(struct gnttab_query_size));
SAME(12, offsetof(struct gnttab_query_size, status));
SAME(8, sizeof(struct gnttab_get_version));
SAME(4, offsetof(struct gnttab_get_version, version));

/* ---- the console ------------------------------------------------------------------- */

SAME(sizeof(struct evc_console_ring), sizeof(struct xencons_interface));
SAME_PLACE(evc_console_ring, out, xencons_interface, out);
SAME_PLACE(evc_console_ring, in_cons, xencons_interface, in_cons);
SAME_PLACE(evc_console_ring, in_prod, xencons_interface, in_prod);
SAME_PLACE(evc_console_ring, out_cons, xencons_interface, out_cons);
SAME_PLACE(evc_console_ring, out_prod, xencons_interface, out_prod);

/* ---- block rings: disk.c's table for the 64-bit ABI ---------------------------------- */

SAME_PLACE(evc_blk_ring, req_prod, blkif_sring, req_prod);
SAME_PLACE(evc_blk_ring, req_event, blkif_sring, req_event);
SAME_PLACE(evc_blk_ring, rsp_prod, blkif_sring, rsp_prod);
SAME_PLACE(evc_blk_ring, rsp_event, blkif_sring, rsp_event);
SAME_PLACE(evc_blk_ring, entries, blkif_sring, ring);
SAME(EVC_BLK_ENTRIES, __CONST_RING_SIZE(blkif, 4096));
SAME(EVC_BLK_SEGMENTS, BLKIF_MAX_SEGMENTS_PER_REQUEST);
SAME(EVC_BLK_SEGMENT, sizeof(struct blkif_request_segment));
SAME(4, offsetof(struct blkif_request_segment, first_sect));
SAME(5, offsetof(struct blkif_request_segment, last_sect));
SAME(112, sizeof(union blkif_sring_entry));
SAME(8, offsetof(struct blkif_request, id));
SAME(16, offsetof(struct blkif_request, sector_number));
SAME(24, offsetof(struct blkif_request, seg));
SAME(0, offsetof(struct blkif_response, id));
SAME(8, offsetof(struct blkif_response, operation));
SAME(10, offsetof(struct blkif_response, status));
SAME(EVC_BLK_READ, BLKIF_OP_READ);
SAME(EVC_BLK_WRITE, BLKIF_OP_WRITE);
SAME(EVC_BLK_FLUSH, BLKIF_OP_FLUSH_DISKCACHE);
SAME(EVC_BLK_OKAY, BLKIF_RSP_OKAY);
SAME(EVC_BLK_ERROR, BLKIF_RSP_ERROR);
SAME(EVC_BLK_NOT_SUPPORTED, BLKIF_RSP_EOPNOTSUPP);
SAME(EVC_VDISK_READONLY, VDISK_READONLY);

/* The 32-bit one: the same members where 64-bit integers are not aligned. */
struct packed_request {
    uint8_t operation, nr_segments;
    uint16_t handle;
    uint64_t id, sector_number;
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
} __attribute__((packed, aligned(4)));

SAME(108, sizeof(struct packed_request));
SAME(4, offsetof(struct packed_request, id));
SAME(12, offsetof(struct packed_request, sector_number));
SAME(20, offsetof(struct packed_request, seg));

/* ---- devices --------------------------------------------------------------------------- */

SAME(EVC_XENBUS_INITIALISING, XenbusStateInitialising);
SAME(EVC_XENBUS_INIT_WAIT, XenbusStateInitWait);
SAME(EVC_XENBUS_INITIALISED, XenbusStateInitialised);
SAME(EVC_XENBUS_CONNECTED, XenbusStateConnected);
SAME(EVC_XENBUS_CLOSING, XenbusStateClosing);
SAME(EVC_XENBUS_CLOSED, XenbusStateClosed);

int main(void)
{
    return 0;
}
