/* SPDX-License-Identifier: MIT */
/*
 * libevc-guest as one translation unit: libevc-guest.a has this one object, in
 * which nothing is undefined, and only evc_guest_*() is global.
 *
 * For a source tree of one's own: compile this file with -I to src/guest, or the
 * files of src/guest by themselves; either way all of them belong together.
 */
#define EVC_HIDDEN static

#include "bind.c"
#include "fifo.c"
#include "guest.c"
#include "mask.c"
#include "poll.c"
#include "settle.c"
#include "storm.c"
#include "twolevel.c"
#include "upcall.c"
