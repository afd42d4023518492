#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does our libxenevtchn.so.1 export what Debian's does, with the same versions?
#
#   symbols.sh OURS      exit: 0, 1, or 77: there is none to compare with
set -u
theirs=$(ldconfig -p 2>/dev/null |
    awk '$1 == "libxenevtchn.so.1" { print $NF; exit }')
[ -n "$theirs" ] || {
    echo 'missing: libxenevtchn1'
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exported() {
    nm -D --defined-only --with-symbol-versions "$1" |
        awk '{ print $2, $3 }' | sort
}

soname() {
    objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'
}

exported "$theirs" >"$work/theirs"
exported "$1" >"$work/ours"
soname "$theirs" >>"$work/theirs"
soname "$1" >>"$work/ours"
diff "$work/theirs" "$work/ours" || exit 1
echo "$(wc -l <"$work/ours") names equal"
