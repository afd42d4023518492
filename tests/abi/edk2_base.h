/* SPDX-License-Identifier: MIT */
/*
 * What an EDK2 module finds when it starts: EDK2's types and no others.
 *
 * A stand-in for <Base.h>.  The names of <stdint.h> are poisoned, so that a
 * header which needs one does not compile.
 */
#ifndef TESTS_ABI_EDK2_BASE_H
#define TESTS_ABI_EDK2_BASE_H

typedef signed char INT8;
typedef unsigned char UINT8;
typedef unsigned char BOOLEAN;
typedef char CHAR8;
typedef unsigned short UINT16;
typedef int INT32;
typedef unsigned int UINT32;
typedef unsigned long long UINT64;
typedef __UINTPTR_TYPE__ UINTN;
typedef __INTPTR_TYPE__ INTN;

#define VOID  void
#define CONST const
#define IN
#define OUT
#define EFIAPI
#define OFFSET_OF(TYPE, Field) ((UINTN) __builtin_offsetof(TYPE, Field))

#pragma GCC poison int8_t int16_t int32_t int64_t intptr_t
#pragma GCC poison uint8_t uint16_t uint32_t uint64_t uintptr_t size_t

#endif /* TESTS_ABI_EDK2_BASE_H */
