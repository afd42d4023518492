#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Xen's headers and ours in one file, and Xen's headers on each machine.
#
#   compile-xen.sh [COMPILER...]        as for compile-alone.sh
#
# xen_offsets.c holds offsets.h against Xen's structs; user_xen_first.c and
# user_xen_last.c have both sets of headers, in either order.  Xen's headers are
# looked for in $XEN_INCLUDE, or /usr/include, after the compiler's own.
# Exit: 0 all compiled, 1 something did not, 77 compiler or headers missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
include=${EVC_INCLUDE:-$here/../../include}
xen=${XEN_INCLUDE:-/usr/include}
options="-ffreestanding -Wall -Wextra -Wpedantic -Werror"
failed=0 missing=0 count=0

if [ ! -e "$xen/xen/event_channel.h" ] || [ ! -e "$xen/xenevtchn.h" ]; then
    echo "missing: xen/event_channel.h or xenevtchn.h in $xen (libxen-dev)"
    exit 77
fi
if [ $# -eq 0 ]; then
    set -- gcc clang 'gcc -m32' 'clang --target=i386-none-elf' \
        'clang --target=aarch64-none-elf' 'clang --target=arm-none-eabi'
fi

# compile <file> <options...>
compile() {
    file=$1 && shift
    count=$((count + 1))
    # shellcheck disable=SC2086 # a compiler and its options are several words
    $cc $options -I"$include" -idirafter "$xen" "$@" \
        -c -o /dev/null "$here/$file" || {
        echo "FAILED: $cc: $file, $*"
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

    compile xen_offsets.c -std=gnu11
    echo "$cc: Xen's own structs have the numbers of offsets.h"

    cpp=c++17
    # shellcheck disable=SC2086
    echo | $cc -x c++ -std=c++17 -fsyntax-only - 2>/dev/null || cpp=

    for standard in c99 c17 gnu11 $cpp; do
        case $standard in c++*) language=c++ ;; *) language=c ;; esac
        for file in user_xen_first.c user_xen_last.c; do
            for define in -DDEFAULT_INTERFACE -D__XEN_TOOLS__ \
                -D__XEN_INTERFACE_VERSION__=0x00040e00; do
                compile $file -x $language -std=$standard $define
            done
        done
        echo "$cc: $standard: Xen's headers before ours, and after"
    done
done

echo "$count compilations"
[ $failed = 0 ] || exit 1
[ $missing = 0 ] || exit 77
