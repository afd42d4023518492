#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh SOURCE-ROOT GUEST-SOURCES PROGRAM: the models with a guest library
set -eu
root=$1 guest=$2 out=$3
here=$root/tests/guest/weak
${CC:-cc} -std=gnu11 -O1 -g -w -D_GNU_SOURCE -include "$here/weak.h" \
    -I"$here" -I"$root/include" -I"$guest" -I"$root/src/base" \
    -I"$root/src/port" -I"$root/src/delivery" \
    "$here"/model.c "$here"/weak.c "$guest"/*.c \
    "$root"/src/delivery/*.c "$root"/src/port/table.c -o "$out"
