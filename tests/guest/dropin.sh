#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do the library's files build as part of somebody else's source tree?
#
#   dropin.sh edk2|minios SOURCE-ROOT
#
# Copies src/guest and the headers into a folder, beside a few files as they
# look in EDK2 and in Mini-OS, and builds there the way those do: none of our
# build system, none of a libc's headers, not even the compiler's own.
# Exit: 0 or 1.
set -eu
kind=$1 root=$2
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cp -r "$here/dropin/$kind/." "$place"
mkdir -p "$place/evc-guest/include"
cp "$root"/src/guest/*.[ch] "$place/evc-guest"
cp -r "$root/include/evc" "$place/evc-guest/include/evc"
rm -f "$place/evc-guest/include/evc/evc.h"
make -s -C "$place" CC="${CC:-cc}"
