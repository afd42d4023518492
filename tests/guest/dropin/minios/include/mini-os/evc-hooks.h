/* SPDX-License-Identifier: MIT */
/* The inline hook: Mini-OS's own hypercall page. */
#ifndef MINIOS_EVC_HOOKS_H
#define MINIOS_EVC_HOOKS_H

extern const uint8_t hypercall_page[];
#define evc_guest_hypercall_page hypercall_page
#include <evc/guest/x86.h>

#endif
