/* SPDX-License-Identifier: MIT */
/*
 * The facts, as our headers have them: the plain names of the machine this is
 * compiled for, then every layout.  ARM's two widths share one of ours.
 */
#include <evc/abi/errno.h>
#include <evc/abi/event_channel.h>
#include <evc/abi/layouts.h>
#include <evc/abi/numbers.h>
#include <evc/abi/sched.h>
#include <evc/abi/vcpu.h>
#include <evc/abi/xen.h>

#include "table.h"

/* This machine's layout under its name with a suffix. */
#if EVC_ABI_GUEST_X86 == 64
#define HOST(x) evc_abi_##x##_x86_64
#elif EVC_ABI_GUEST_X86 == 32
#define HOST(x) evc_abi_##x##_x86_32
#else
#define HOST(x) evc_abi_##x##_arm
#endif

static const struct fact facts[] = {
#include "entries.inc"

#define LAYOUT    "guest's"
#define STRUCT(x) x
#define X86       EVC_ABI_GUEST_X86
#define CALLS     1
#include "layout_entries.inc"

#define LAYOUT    "host's"
#define STRUCT(x) HOST(x)
#define X86       EVC_ABI_GUEST_X86
#define CALLS     1
#include "layout_entries.inc"

#define LAYOUT    "x86_64"
#define STRUCT(x) evc_abi_##x##_x86_64
#define X86       64
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "x86_32"
#define STRUCT(x) evc_abi_##x##_x86_32
#define X86       32
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "arm64"
#define STRUCT(x) evc_abi_##x##_arm
#define X86       0
#define CALLS     0
#include "layout_entries.inc"

#define LAYOUT    "arm32"
#define STRUCT(x) evc_abi_##x##_arm
#define X86       0
#define CALLS     0
#include "layout_entries.inc"
};

const struct table ours = {facts, sizeof(facts) / sizeof(facts[0])};
