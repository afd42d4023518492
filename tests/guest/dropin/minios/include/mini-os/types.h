/* SPDX-License-Identifier: MIT */
/* Types as Mini-OS brings its own, without <stdint.h>. */
#ifndef MINIOS_TYPES_H
#define MINIOS_TYPES_H

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
typedef unsigned long uintptr_t;

#endif
