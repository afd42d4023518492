/* SPDX-License-Identifier: MIT */
/*
 * libevc-guest as one translation unit: libevc-guest.a has this one object, in
 * which nothing is undefined, and only evc_guest_*() is global.
 *
 * For a source tree of one's own: compile this file with -I to src, or the files
 * of src/guest by themselves; either way all of them belong together.
 */
#define EVC_HIDDEN static

#include "guest/bind.c"
#include "guest/fifo.c"
#include "guest/guest.c"
#include "guest/mask.c"
#include "guest/poll.c"
#include "guest/settle.c"
#include "guest/storm.c"
#include "guest/twolevel.c"
#include "guest/upcall.c"
