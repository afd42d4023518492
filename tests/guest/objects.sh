#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is the library as freestanding as it says?
#
#   objects.sh SOURCE-ROOT COMPILER [FLAG...]
#
# At four levels of optimisation, without a libc's headers, with all warnings:
#
#   lib/evc-guest.c, which libevc-guest.a consists of, leaves nothing undefined,
#   and makes nothing global but evc_guest_*
#   each file of src/guest, for who compiles them one by one, leaves undefined
#   only what internal.h promises of another one, or the public header does
#
# Exit: 0, 1, or 77: no compiler.
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

compile() { # compile COMPILER... FILE: to $place/NAME.o, at $level
    for file in "$@"; do :; done
    # shellcheck disable=SC2086 # several words
    "$@" $flags $level -I"$root/include" -I"$root/src" -c \
        -o "$place/$(basename "$file" .c).o"
}

undefined() { # undefined OBJECT
    nm -u "$1" | awk 'NF == 2 { print $2 }' | sort -u
}

global() { # global OBJECT...
    nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u
}

complain() { # complain WHAT NAMES: if there are any
    [ -z "$2" ] || {
        echo "objects: $compiler $level: $1:" $2
        exit 1
    }
}

compiler=$*
for level in -O0 -Os -O2 -O3; do
    compile "$@" "$root/lib/evc-guest.c"
    complain 'undefined' "$(undefined "$place/evc-guest.o")"
    complain 'global, and not ours to take' \
        "$(global "$place/evc-guest.o" | grep -v '^evc_guest_' || true)"
    global "$place/evc-guest.o" >"$place/public"
    rm "$place/evc-guest.o" "$place/x.o" 2>/dev/null || true

    for file in "$root"/src/guest/*.c; do
        compile "$@" "$file"
    done
    global "$place"/*.o >"$place/all"
    complain 'not in lib/evc-guest.c' \
        "$(grep '^evc_guest_' "$place/all" | comm -3 - "$place/public")"
    complain 'global, and not ours to take' \
        "$(grep -v -E '^evc_(g|guest)_' "$place/all" || true)"
    for object in "$place"/*.o; do
        complain "$(basename "$object") asks for what no other has" \
            "$(undefined "$object" | comm -23 - "$place/all")"
        complain "$(basename "$object") asks for what internal.h has not" "$(
            undefined "$object" | while read -r name; do
                cat "$root/src/guest/internal.h" "$root/include/evc/guest.h" |
                    grep -qw "$name" || echo "$name"
            done)"
    done
    rm "$place"/*.o
done
