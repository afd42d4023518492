#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does evcd serve the socket that systemd has for it, and refuse another?
#
#   activate.sh EVCD LIBDIR PROGRAM PYTHON
set -u
evcd=$1 program=$3 python=$4
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/compat/daemon.sh
. "$here/daemon.sh"

# Before it is there, clients wait at the socket; nobody else is asked.
XDG_RUNTIME_DIR=$work/elsewhere
export XDG_RUNTIME_DIR
"$python" "$here/activate.py" seqpacket "$EVC_SOCKET" "$evcd" \
    --socket="$work/other" >"$work/log" 2>&1 </dev/null &
daemon=$!
wait_for test -S "$EVC_SOCKET" || fail "there is no socket"
got=$(LD_LIBRARY_PATH=$2 "$program" open)
[ "$got" = opened ] || fail "a client gets $got"
LD_LIBRARY_PATH=$2 "$program" ping-pong || fail "events do not come"
grep -qx "evcd: listens at $EVC_SOCKET" "$work/log" ||
    fail "it does not say where it listens"
[ ! -e "$work/other" ] || fail "it has made a socket of its own"
stop_daemon || fail "SIGTERM: exit $?"
[ -S "$EVC_SOCKET" ] || fail "it has removed what is systemd's"

# For another process.
got=$(LISTEN_PID=1 LISTEN_FDS=1 "$evcd" --socket="$work/none/evcd.sock/no" 2>&1)
echo "$got" | grep -q "$work/none/evcd.sock/no: " ||
    fail "it takes what is another one's: $got"

refuses() { # refuses KIND ERROR
    rm -f "$work/given"
    status=0
    timeout 60 "$python" "$here/activate.py" "$1" "$work/given" "$evcd" \
        >"$work/said" 2>&1 || status=$?
    [ $status = 1 ] || fail "$1: exit $status: $(cat "$work/said")"
    echo "evcd: descriptor 3 of LISTEN_FDS, a listening Unix socket of type" \
        "SOCK_SEQPACKET: $2" >"$work/want"
    cmp -s "$work/want" "$work/said" || fail "$1: it says: $(cat "$work/said")"
}
refuses stream "Protocol wrong type for socket"
refuses silent "Invalid argument"
refuses file "Socket operation on non-socket"
refuses none "Bad file descriptor"
echo "serves the one socket, refuses four others"
