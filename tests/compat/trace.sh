#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does our library do what Xen's did, line by line?
#
#   trace.sh EVCD LIBDIR TRACER GROUP
set -u
evcd=$1 libdir=$2 tracer=$3 group=$4
here=$(cd "$(dirname "$0")" && pwd)
recorded=$here/../../conformance/libxenevtchn
# shellcheck source=tests/compat/daemon.sh
. "$here/daemon.sh"

# Lines of children, which begin with two spaces, belong to what follows them.
of_group() { # of_group FILE
    awk -v group="$group." '
        /^  \(/ { held = held $0 "\n"; next }
        { if (index($0, group) == 1) printf "%s%s\n", held, $0; held = "" }' "$1"
}

without_differences() { # lines that may differ are not looked at
    grep -v '^#' "$recorded/differences" | cut -d' ' -f1 >"$work/may"
    awk 'FILENAME == ARGV[1] { may[$1] = 1; next } !($1 in may)' \
        "$work/may" "$1"
}

start_daemon
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    "$tracer" -q 100 "$group" >"$work/all" || fail "the tracer ended with $?"
of_group "$work/all" >"$work/got"
of_group "$recorded/evtchn_api.trace" >"$work/recorded"
test -s "$work/recorded" || fail "no such group: $group"
without_differences "$work/recorded" >"$work/want"
without_differences "$work/got" >"$work/have"
diff "$work/want" "$work/have" >"$work/diff" || {
    cat "$work/diff"
    fail "not as recorded (< Xen, > evc)"
}
stop_daemon || fail "the daemon ended with $?"
test -s "$work/want" || fail "nothing was compared"
echo "$(wc -l <"$work/want") lines equal"
