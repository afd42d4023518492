/* SPDX-License-Identifier: MIT */
/* Names and types as an EDK2 module finds them in its own <Base.h>. */
#ifndef BASE_H
#define BASE_H

typedef unsigned long long UINT64 __attribute__((aligned(8)));
typedef long long INT64 __attribute__((aligned(8)));
typedef unsigned int UINT32;
typedef int INT32;
typedef unsigned short UINT16;
typedef unsigned char BOOLEAN;
typedef unsigned char UINT8;
typedef signed char INT8;
typedef unsigned short CHAR16;
typedef void VOID;
#if defined(__LP64__)
typedef UINT64 UINTN;
#else
typedef UINT32 UINTN;
#endif
typedef UINTN EFI_STATUS;

#define EFI_SUCCESS 0
#define EFI_DEVICE_ERROR \
    ((EFI_STATUS)7 | (EFI_STATUS)1 << (sizeof(UINTN) * 8 - 1))
#define STATIC static
#define CONST  const
#define IN
#define OUT
#define EFIAPI
#define OFFSET_OF(type, field) ((UINTN) __builtin_offsetof(type, field))

#endif
