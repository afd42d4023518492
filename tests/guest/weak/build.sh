#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh SOURCE-ROOT GUEST-SOURCES PROGRAM: the models with a guest library
set -eu
root=$1 guest=$2 out=$3
here=$root/tests/guest/weak
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

compile() { # compile FLAG... FILE...
    ${CC:-cc} -std=gnu11 -O1 -g -w -D_GNU_SOURCE -include "$here/weak.h" \
        -I"$here" -I"$root/include" -I"$(dirname "$guest")" -I"$root/src/base" \
        -I"$root/src/port" -I"$root/src/delivery" \
        -DEVC_RMW_IS_FENCE=0 "$@"
}

# For the thread sanitizer, so that plain accesses call weak.c as well.
compile -fsanitize=thread -c "$root/lib/evc-guest.c" -o "$place/guest.o"
compile "$here"/model.c "$here"/weak.c "$place/guest.o" \
    "$root"/src/delivery/*.c "$root"/src/port/table.c -o "$out"
