#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The kinds of program the ABI headers are for, each as a small user.
#
#   compile-users.sh [COMPILER...]      as for compile-alone.sh
#
# user_stdint.c has <stdint.h> from the compiler; user_edk2.c and user_handles.c
# have no header but ours (-nostdinc).  Every layout, whatever the machine.
# Exit: 0 all compiled, 1 something did not, 77 a compiler is not there.
set -u
here=$(cd "$(dirname "$0")" && pwd)
include=${EVC_INCLUDE:-$here/../../include}
options="-ffreestanding -Wall -Wextra -Wpedantic -Wundef -Werror"
failed=0 missing=0 count=0

if [ $# -eq 0 ]; then
    set -- gcc clang 'gcc -m32' 'clang --target=i386-none-elf' \
        'clang --target=aarch64-none-elf' 'clang --target=arm-none-eabi' \
        'clang --target=riscv64-unknown-elf'
fi

# compile <file> <options...>
compile() {
    file=$1 && shift
    count=$((count + 1))
    # shellcheck disable=SC2086 # a compiler and its options are several words
    $cc $options -I"$include" -x $language -std=$standard $guest "$@" \
        -c -o /dev/null "$here/$file" || {
        echo "FAILED: $cc: $file, $standard $guest $*"
        failed=1
    }
}

for cc in "$@"; do
    # shellcheck disable=SC2086
    if ! echo 'int works;' | $cc -x c -fsyntax-only - 2>/dev/null; then
        echo "missing: $cc"
        missing=1
        continue
    fi

    cpp=c++17
    # shellcheck disable=SC2086
    echo | $cc -x c++ -std=c++17 -fsyntax-only - 2>/dev/null || cpp=

    for standard in c99 c17 gnu11 $cpp; do
        case $standard in c++*) language=c++ ;; *) language=c ;; esac
        for layout in '' X86_64 X86_32 ARM; do
            guest=${layout:+-DEVC_ABI_GUEST_$layout}
            compile user_stdint.c
            compile user_edk2.c -nostdinc
            compile user_handles.c -nostdinc
            case $layout in # its own handles have eight bytes
            X86_64 | ARM) compile user_handles.c -nostdinc -DOWN_HANDLES ;;
            esac
        done
        echo "$cc: $standard: stdint, EDK2, handles, own handles; 4 layouts"
    done
done

echo "$count compilations"
[ $failed = 0 ] || exit 1
[ $missing = 0 ] || exit 77
