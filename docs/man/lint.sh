#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Are the man pages well-formed, and does each reference lead somewhere?
#
#   lint.sh      exit: 0, 1, or 77: no mandoc
set -u
cd "$(dirname "$0")" || exit 1
command -v mandoc >/dev/null || {
    echo 'missing: mandoc'
    exit 77
}

# References are checked below; mandoc would look among what is installed.
complaints=$(mandoc -T lint ./*.[1-9] 2>/dev/null |
    grep -v 'referenced manual not found')

# Ours exist as a file or as a name in one; others are the system's.
names=$(awk '
    FNR == 1 { print FILENAME; section = FILENAME; sub(".*[.]", "", section) }
    /^\.Sh/ { name = ($2 == "NAME") }
    name && $1 == ".Nm" { print "./" $2 "." section }
' ./*.[1-9])
lost=$(grep -h '^\.Xr' ./*.[1-9] | awk '{ print $2, $3 }' | sort -u |
    while read -r name section; do
        case $name in
        *evc* | event-channels)
            echo "$names" | grep -qxF "./$name.$section" ||
                echo "no page for $name($section)"
            ;;
        esac
    done)

test -z "$complaints$lost" && exit
printf '%s\n' "$complaints" "$lost"
exit 1
