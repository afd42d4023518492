#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is what `meson install` puts down enough to build a program with?
#
#   installed.sh BUILD-DIR PROGRAM.c
#
# Installs into a folder of its own, compiles PROGRAM.c there with what
# pkg-config says, against the shared and against the static library, and runs
# both.  Exit: 0, 1, or 77: something needed is missing.
set -eu
build=$1 program=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

say() {
    echo "installed: $*"
}

fail() {
    say "$*" >&2
    exit 1
}

present() { # present GLOB: under the root, whatever the prefix
    test -n "$(find "$root" -path "$1" -print -quit)" || fail "no $1"
}

command -v pkg-config >/dev/null || {
    say 'missing: pkg-config'
    exit 77
}
# A library full of a sanitizer's calls is for its own tests only.
if meson introspect "$build" --buildoptions |
    grep -q '"name": "b_sanitize", "value": "[^n]'; then
    say 'a sanitizer build is not for installing'
    exit 77
fi

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >/dev/null

for file in '*/bin/evc' '*/libevc.so' '*/libevc.so.0' '*/libevc.a' \
    '*/include/evc/evc.h' '*/include/evc/abi/layouts.h' \
    '*/man1/evc.1*' '*/man3/evc_host_listen.3*' '*/man7/event-channels.7*'; do
    present "$file"
done

pc=$(find "$root" -name libevc.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
PKG_CONFIG_PATH=$(dirname "$pc")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH

flags() { # the installed tree has been moved under the root
    pkg-config --define-variable=prefix="$root$prefix" "$@" libevc
}

cc=${CC:-cc}
# shellcheck disable=SC2046
$cc -Wall -Wextra -Werror -o "$root/shared" "$program" \
    $(flags --cflags --libs)
"$root/shared"
ldd "$root/shared" | grep -q "$root.*libevc\.so\.0" ||
    fail 'the program does not use the installed library'

# shellcheck disable=SC2046
$cc -static -Wall -Wextra -Werror -o "$root/static" "$program" \
    $(flags --static --cflags --libs)
LD_LIBRARY_PATH='' "$root/static"
! ldd "$root/static" | grep -q libevc ||
    fail 'the static program wants the shared library'

LD_LIBRARY_PATH='' "$root$prefix/bin/evc" --version ||
    fail 'evc does not find its library'
say ok
