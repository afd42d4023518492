#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is the library as freestanding as it says?
#
#   objects.sh SOURCE-ROOT COMPILER [FLAG...]
#
# Compiles every file of src/guest at four levels of optimisation, without a
# libc's headers, and with all warnings; whatever an object leaves undefined,
# another object of the library must define.  Exit: 0, 1, or 77: no compiler.
set -eu
root=$1
shift
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

command -v "$1" >/dev/null || {
    echo "objects: missing: $1"
    exit 77
}
echo 'int x;' >"$place/x.c"
"$@" -ffreestanding -c "$place/x.c" -o "$place/x.o" 2>/dev/null || {
    echo "objects: $* cannot compile"
    exit 77
}

flags='-std=c11 -ffreestanding -fno-builtin -fno-stack-protector -Wall -Wextra
    -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wwrite-strings -Wvla -Wundef'
for level in -O0 -Os -O2 -O3; do
    for file in "$root"/src/guest/*.c; do
        object=$place/$(basename "$file" .c).o
        # shellcheck disable=SC2086 # several words
        "$@" $flags $level -I"$root/include" -c "$file" -o "$object"
    done
    nm -u "$place"/[!x]*.o | awk 'NF == 2 { print $2 }' | sort -u >"$place/wanted"
    nm --defined-only "$place"/[!x]*.o | awk 'NF == 3 { print $3 }' |
        sort -u >"$place/given"
    # The linker itself makes this one, for i386 code that may lie anywhere.
    missing=$(comm -23 "$place/wanted" "$place/given" |
        grep -v '^_GLOBAL_OFFSET_TABLE_$' || true)
    if [ -n "$missing" ]; then
        echo "objects: $* $level: undefined:" $missing
        exit 1
    fi
done
# Nothing but our own names is global.
strays=$(nm -g --defined-only "$place"/[!x]*.o | awk 'NF == 3 { print $3 }' |
    grep -v -E '^(evc_g_|evc_guest_|__x86\.get_pc)' || true)
[ -z "$strays" ] || {
    echo "objects: global names without our prefix:" $strays
    exit 1
}
