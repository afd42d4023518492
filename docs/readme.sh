#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does README.md show the example as it is, and what it prints?
#
#   readme.sh PROGRAM       the built examples/embed
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016
sed -n '/^```c$/,/^```$/p' "$top/README.md" | sed '1d;$d' >"$work/shown"
# Without the head, whose last line is an include.
awk 'code; /^#include <evc\/evc.h>/ { code = 1; getline }' \
    "$top/examples/embed.c" >"$work/real"
diff "$work/shown" "$work/real"

"$1" | while read -r line; do
    grep -qxF "    $line" "$top/README.md" || {
        echo "README.md does not show: $line"
        exit 1
    }
done
