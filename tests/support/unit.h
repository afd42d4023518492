/* SPDX-License-Identifier: MIT */
/* What every test of this kind includes. */
#ifndef EVC_TESTS_UNIT_H
#define EVC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* EVC_TESTS_UNIT_H */
