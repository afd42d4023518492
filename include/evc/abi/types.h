/* SPDX-License-Identifier: MIT */
/**
 * @file types.h
 *
 * The base types of the ABI headers, for three kinds of program.
 *
 *   nothing defined      <stdint.h> is included; a compiler alone has it, so
 *                        freestanding code needs no libc for this.
 *   EVC_ABI_NO_STDINT    uint8_t and friends are declared already, by the
 *                        kernel's own header that came before this one.
 *   EVC_ABI_EDK2         there is no stdint.h and none of its names; <Base.h>
 *                        or <Uefi.h> came before and supplies UINT8 and so on.
 *
 * All three get the same evc_abi_* types and nothing else is left behind: no
 * uint32_t appears in an EDK2 module that did not have one.
 */
#ifndef EVC_ABI_TYPES_H
#define EVC_ABI_TYPES_H

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the ABI is little-endian, and these structs are read in place"
#endif
#endif

#if defined(EVC_ABI_EDK2)
typedef INT8 evc_abi_s8;
typedef INT32 evc_abi_s32;
typedef UINT8 evc_abi_u8;
typedef UINT16 evc_abi_u16;
typedef UINT32 evc_abi_u32;
typedef UINT64 evc_abi_u64;
typedef UINTN evc_abi_uptr;
#else
#if !defined(EVC_ABI_NO_STDINT)
#include <stdint.h>
#endif
typedef int8_t evc_abi_s8;
typedef int32_t evc_abi_s32;
typedef uint8_t evc_abi_u8;
typedef uint16_t evc_abi_u16;
typedef uint32_t evc_abi_u32;
typedef uint64_t evc_abi_u64;
typedef uintptr_t evc_abi_uptr;
#endif

/*
 * A 64-bit member is aligned to 8 bytes in the 64-bit layouts and to 4 in the
 * i386 one, whatever the machine does that compiles this: i386 itself would
 * align it to 4 everywhere, x86-64 to 8.  A compiler that does not know the
 * attribute either agrees by nature or stops at the asserts next to a struct.
 */
#if defined(__GNUC__)
typedef evc_abi_u64 evc_abi_u64_align4 __attribute__((aligned(4)));
typedef evc_abi_u64 evc_abi_u64_align8 __attribute__((aligned(8)));
#else
typedef evc_abi_u64 evc_abi_u64_align4;
typedef evc_abi_u64 evc_abi_u64_align8;
#endif

/* EVC_ABI_ASSERT(): a static assert in every language these headers speak. */
#if defined(__cplusplus)
#define EVC_ABI_ASSERT(condition, text) static_assert(condition, text)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define EVC_ABI_ASSERT(condition, text) _Static_assert(condition, text)
#elif defined(__GNUC__)
#define EVC_ABI_ASSERT(condition, text) \
    __extension__ _Static_assert(condition, text)
#else
#define EVC_ABI_ASSERT(condition, text) static_assert(condition, text)
#endif

#if defined(__GNUC__)
#define EVC_ABI_OFFSET(type, member) __builtin_offsetof(type, member)
#elif defined(EVC_ABI_EDK2)
#define EVC_ABI_OFFSET(type, member) OFFSET_OF(type, member)
#else
#include <stddef.h>
#define EVC_ABI_OFFSET(type, member) offsetof(type, member)
#endif

/*
 * The two things worth asserting about a struct that two programs share.  The
 * detour through a second macro is for the text: it names the struct in full
 * where the tag is made by a macro.
 */
#define EVC_ABI_SIZE(type, bytes)       EVC_ABI_SIZE_(type, bytes)
#define EVC_ABI_AT(type, member, bytes) EVC_ABI_AT_(type, member, bytes)
#define EVC_ABI_SIZE_(type, bytes) \
    EVC_ABI_ASSERT(sizeof(type) == (bytes), "size of " #type)
#define EVC_ABI_AT_(type, member, bytes)                    \
    EVC_ABI_ASSERT(EVC_ABI_OFFSET(type, member) == (bytes), \
                   "offset of " #member " in " #type)

#endif /* EVC_ABI_TYPES_H */
