#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A guest finds in its store what GRUB found on Xen 4.17, where xl had made it:
#
#   world.sh WORLD RECORDED
#
# Left out is what is not about the guest: domain 0's own nodes, pools, and the
# notes that xl keeps.  What no two guests have the same has a name.
set -eu
world=$1 recorded=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

comparable() {
    grep -v -e '^/libxl' -e '^/local/pool' -e '^/local/domain/0/control' |
        sed -E -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g' \
            -e 's,(/ring-ref = )"[0-9]+",\1FRAME,' \
            -e 's,(/start_time = )"[0-9.]+",\1TIME,' \
            -e 's,(/tty = )"/dev/pts/[0-9]+",\1TTY,' |
        LC_ALL=C sort
}

"$world" >"$work/out" || exit $?
comparable <"$recorded" >"$work/want"
comparable <"$work/out" >"$work/have"
diff "$work/want" "$work/have" || {
    echo 'not as recorded (< Xen, > evc)'
    exit 1
}
echo "$(wc -l <"$work/want") nodes as on Xen"
