/* SPDX-License-Identifier: MIT */
/*
 * The same facts, as Xen's headers have them.
 *
 * The newest interface is asked for, as the oldest is what one gets unasked.
 * Xen's foreign headers leave it to the includer whether a vCPU has an upcall
 * mask: x86 has one, ARM has not.
 */
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <stdint.h>

#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#undef XEN_HAVE_PV_UPCALL_MASK
#include <xen/foreign/arm32.h>
#include <xen/foreign/arm64.h>

#define XEN_HAVE_PV_UPCALL_MASK 1
#include <xen/foreign/x86_32.h>
#include <xen/foreign/x86_64.h>

#include "table.h"

/* The machine's own, whose member this is at best a macro for. */
#undef xen_wc_sec_hi
#if defined(__i386__)
#define xen_wc_sec_hi arch.wc_sec_hi
#else
#define xen_wc_sec_hi wc_sec_hi
#endif

#if defined(__x86_64__)
#define MACHINE_X86 64
#elif defined(__i386__)
#define MACHINE_X86 32
#else
#define MACHINE_X86 0
#endif

static const struct fact facts[] = {
#include "entries.inc"

#define LAYOUT    "guest's"
#define STRUCT(x) x
#define X86       MACHINE_X86
#define CALLS     1
#include "layout_entries.inc"

#define LAYOUT    "host's"
#define STRUCT(x) x
#define X86       MACHINE_X86
#define CALLS     1
#include "layout_entries.inc"

#define LAYOUT    "x86_64"
#define STRUCT(x) x##_x86_64
#define X86       64
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "x86_32"
#define STRUCT(x) x##_x86_32
#define X86       32
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "arm64"
#define STRUCT(x) x##_arm64
#define X86       0
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "arm32"
#define STRUCT(x) x##_arm32
#define X86       0
#define CALLS     0
#include "layout_entries.inc"
};

const struct table theirs = {facts, sizeof(facts) / sizeof(facts[0])};
