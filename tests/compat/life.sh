#!/bin/sh
# SPDX-License-Identifier: MIT
#
# How a daemon starts and ends.
#
#   life.sh EVCD LIBDIR PROGRAM
set -u
evcd=$1 program=$3
LD_LIBRARY_PATH=$2${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# shellcheck source=tests/compat/daemon.sh
. "$(dirname "$0")/daemon.sh"

daemons() { # pids of those that serve our socket
    grep -laF "$EVC_SOCKET" /proc/[0-9]*/cmdline 2>/dev/null |
        while IFS=/ read -r _ _ pid _; do
            grep -qx evcd "/proc/$pid/comm" 2>/dev/null && echo "$pid"
        done
}
none_left() {
    test -z "$(daemons)"
}

# Nobody there, and nobody to be started.
test "$("$program" open)" = ENOENT || fail "open without a daemon"

# Started twice.
start_daemon
"$evcd" 2>"$work/second" && fail "a second daemon runs"
grep -q "another evcd serves $EVC_SOCKET already" "$work/second" ||
    fail "the second says: $(cat "$work/second")"

# A clean end, also with clients.
mkfifo "$work/keep"
"$program" hold <"$work/keep" >"$work/held" &
holder=$!
exec 8>"$work/keep"
wait_for grep -qs holds "$work/held" || fail "hold"
stop_daemon || fail "SIGTERM: exit $?"
test ! -e "$EVC_SOCKET" || fail "the socket stayed"
exec 8>&-
wait $holder || fail "a client whose daemon has ended"

# Killed: clients notice; the next daemon takes its place, socket and all.
start_daemon
"$program" survive >"$work/survivor" &
survivor=$!
wait_for grep -qs ready "$work/survivor" || fail "survive"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
daemon=
wait $survivor || fail "survive: $(cat "$work/survivor")"
test -S "$EVC_SOCKET" || fail "no stale socket to try with"
test "$("$program" open)" = ECONNREFUSED || fail "open with a stale socket"
start_daemon
test "$("$program" open)" = opened || fail "open after a stale socket"
stop_daemon || fail "SIGTERM"

# On demand: eight at once start one, which ends when they have gone.
unset EVC_AUTOSTART
for i in 1 2 3 4 5 6 7 8; do
    "$program" ping-pong 5 >"$work/auto.$i" 2>&1 &
    eval "auto_$i=$!"
done
for i in 1 2 3 4 5 6 7 8; do
    eval "wait \$auto_$i" || fail "autostart $i: $(cat "$work/auto.$i")"
done
count=$(daemons | wc -l)
test "$count" -eq 1 || fail "$count daemons after autostart"
kill "$(daemons)"
wait_for none_left || fail "the autostarted daemon stays"
"$evcd" --autostarted --linger=1 --socket="$EVC_SOCKET" || fail "--autostarted"
test "$(daemons | wc -l)" -eq 1 || fail "--autostarted is not in the background"
"$program" open >/dev/null
wait_for none_left || fail "the autostarted daemon does not end by itself"
EVC_AUTOSTART=0
export EVC_AUTOSTART

# Who is wrong is told what.
says() { # says TEXT OPTION...: on stderr, and fails
    text=$1 && shift
    "$evcd" "$@" >"$work/out" 2>&1 && fail "accepted: $*"
    grep -qF -- "$text" "$work/out" || fail "$*: $(cat "$work/out")"
}
says 'evcd takes options only' nonsense
says 'not a number of seconds' --linger=soon
says "longer than a socket's path" --socket="$(printf '%0200d' 0)"
says 'No such file' --config="$work/none"
printf '[domain 5]\nprivileged = perhaps\n' >"$work/conf"
says '[domain 5] privileged = perhaps: not understood' --config="$work/conf"
printf '[domain 99999]\nprivileged = yes\n' >"$work/conf"
says '[domain 99999] privileged = yes: not understood' --config="$work/conf"
printf 'no section\n' >"$work/conf"
says "$work/conf, line 1: not understood" --config="$work/conf"

# A configuration: who is not named is not there.
printf '[daemon]\non-demand = no\n[domain 7]\nmax-handles = 1\n' >"$work/conf"
start_daemon --config="$work/conf"
test "$(EVC_DOMID=3 "$program" open)" = ESRCH || fail "a domain nobody named"
test "$(EVC_DOMID=7 "$program" open)" = opened || fail "a domain of the file"
test "$(EVC_DOMID=x "$program" open)" = EINVAL || fail "EVC_DOMID=x"
mkfifo "$work/keep2"
EVC_DOMID=7 "$program" hold <"$work/keep2" >"$work/held" &
holder=$!
exec 8>"$work/keep2"
wait_for grep -qs holds "$work/held" || fail "hold"
test "$(EVC_DOMID=7 "$program" open)" = EMFILE || fail "more handles than allowed"
exec 8>&-
wait $holder || fail "hold"
stop_daemon || fail "SIGTERM"
