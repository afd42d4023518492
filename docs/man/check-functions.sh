#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is each public function in the header, in the version map, and in one man page,
# with the same prototype?
#
#   check-functions.sh [LIBRARY]      and does the library export just these?
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# compare WHAT WITH: two sorted lists of names, as files
compare() {
    cmp -s "$work/$1" "$work/$2" && return
    failed=1
    comm -23 "$work/$1" "$work/$2" | sed "s/$/: in $1, not in $2/"
    comm -13 "$work/$1" "$work/$2" | sed "s/$/: in $2, not in $1/"
}

# Those of the engine; the guest's have a header of their own, see below.
pages=$(ls "$here"/*.3 | grep -v /evc-guest)

# Prototypes begin in the first column; types of callbacks do not.
sed -n 's/^[a-z].*[ *]\(evc_[a-z0-9_]*\)(.*/\1/p' "$top/include/evc/evc.h" \
    "$top/include/evc/bell.h" | sort >"$work/evc.h"
sed -n '/^global:/,/^local:/s/^ *\(evc_[a-z0-9_]*\);.*/\1/p' \
    "$top/lib/libevc.map" | sort >"$work/libevc.map"

# The names of section 3 that are functions, and the prototypes.
awk '/^\.Sh/ { name = ($2 == "NAME") }
     name && $1 == ".Nm" && $2 != "libevc" && $2 != "evc_ops" { print $2 }' \
    $pages | sort >"$work/NAME"
awk '/^\.Sh/ { synopsis = ($2 == "SYNOPSIS") }
     synopsis && $1 == ".Fn" { print $2 }' $pages | sort >"$work/SYNOPSIS"

# The guest's: each function of its header has a page.
grep -v '^typedef' "$top/include/evc/guest.h" |
    sed -n 's/^[a-z].*[ *]\(evc_guest_[a-z0-9_]*\)(.*/\1/p' |
    sort >"$work/guest.h"
awk '/^\.Sh/ { name = ($2 == "NAME") }
     name && $1 == ".Nm" && $2 ~ /^evc_guest_/ { print $2 }' \
    "$here"/evc-guest*.3 | sort >"$work/guest-pages"
compare guest.h guest-pages

compare evc.h libevc.map
compare evc.h NAME
compare evc.h SYNOPSIS

if [ $# -gt 0 ]; then
    nm -D --defined-only "$1" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' |
        sort >"$work/library"
    compare evc.h library
fi

# A prototype that is not the header's does not compile beside it.
{
    echo '#include <evc/evc.h>'
    echo '#include <evc/bell.h>'
    cat $pages | awk '
        /^\.Sh/ { synopsis = ($2 == "SYNOPSIS") }
        !synopsis { next }
        $1 == ".Ft" { sub(/^\.Ft /, ""); type = $0 }
        $1 == ".Fn" {
            name = $2
            sub(/^\.Fn [a-z0-9_]* /, "")
            gsub(/^"|"$/, "")
            gsub(/" "/, ", ")
            print type " " name "(" $0 ");"
        }'
} >"$work/prototypes.c"
${CC:-cc} -fsyntax-only -I"$top/include" "$work/prototypes.c" || failed=1

echo "$(wc -l <"$work/evc.h") functions"
exit $failed
