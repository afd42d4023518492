#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Many handles, many ports, and clients that behave badly while others work.
#
#   many.sh EVCD LIBDIR PROGRAM
set -u
evcd=$1 program=$3
LD_LIBRARY_PATH=$2${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# shellcheck source=tests/compat/daemon.sh
. "$(dirname "$0")/daemon.sh"

descriptors() { # of the daemon
    find "/proc/$daemon/fd" -type l | wc -l
}

start_daemon
"$program" ping-pong 3 || fail "ping-pong"
before=$(descriptors)

limit=$(ulimit -Hn) # the daemon needs three for each
if [ "$limit" = unlimited ] || [ "$limit" -ge 4096 ]; then
    "$program" handles 1000 || fail "1,000 handles"
else
    "$program" handles $((limit / 4)) || fail "$((limit / 4)) handles"
fi
"$program" ports 10000 || fail "10,000 ports"

"$program" garbage 300 &
garbage=$!
"$program" scribble 20 &
scribble=$!
"$program" ping-pong 500 || fail "ping-pong beside garbage"
wait $garbage || fail "garbage"
wait $scribble || fail "scribble"
"$program" ping-pong 3 || fail "ping-pong after garbage"

back_to() { # what others had open is closed
    test "$(descriptors)" -le "$1"
}
wait_for back_to "$before" ||
    fail "descriptors: $before before, $(descriptors) after"
kill -0 "$daemon" || fail "the daemon died"
stop_daemon || fail "the daemon ended with $?"
