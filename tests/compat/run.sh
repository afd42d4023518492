#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is a program under `evc run` as it would be alone, and does nothing stay?
#
#   run.sh EVCD EVC
# shellcheck disable=SC2016,SC2034,SC2119 # quotes for other shells, daemon.sh
set -u
evcd=$1 evc=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/compat/daemon.sh
. "$here/daemon.sh"
XDG_RUNTIME_DIR=$work # private daemons have their folders here
export XDG_RUNTIME_DIR

# ---- what is left ---------------------------------------------------------

folders() {
    ls -d "$work"/evc-run-* 2>/dev/null
}

processes() { # those that were told of a socket in here
    grep -la "$work/evc-run[-]" /proc/[0-9]*/cmdline 2>/dev/null
}

nothing_left() {
    [ -z "$(folders)" ] && [ -z "$(processes)" ]
}

expect() { # expect STATUS [COMMAND...]
    want=$1 && shift
    got=0
    "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$want" ] ||
        fail "$*: ended with $got, not $want: $(cat "$work/out" "$work/err")"
    wait_for nothing_left || fail "$*: left $(folders) $(processes)"
}

says() { # says PATTERN: the last one did, on stderr
    grep -q "$1" "$work/err" || fail "not '$1', but: $(cat "$work/err")"
}

# ---- how it ends ----------------------------------------------------------

expect 0 "$evc" run --new true
expect 7 "$evc" run --new -- sh -c 'exit 7'
expect 127 "$evc" run --new "$work/none"
says "none: No such file"
expect 126 "$evc" run --new "$work"
says "Permission denied"
expect 143 sh -c '"$0" run --new -- sh -c "kill \$\$"; exit $?' "$evc"

# ---- what cannot be -------------------------------------------------------

expect 125 "$evc" run
says "no program given"
expect 125 "$evc" run --domid=32752 true
says "0 to 32751, not '32752'"
expect 125 "$evc" run --new --socket=x true
says "socket of its own"
expect 125 "$evc" run --config=x true
says "of --new"
expect 125 "$evc" run --new --config="$work/none" true
says "$work/none: No such file"
expect 125 "$evc" run true
says "no daemon at $EVC_SOCKET"

# ---- what it gets ---------------------------------------------------------

show='echo "$EVC_SOCKET $EVC_DOMID $EVC_AUTOSTART ${LD_LIBRARY_PATH%%:*}"'
expect 0 "$evc" run --new --domid 12 -- sh -c "$show"
grep -q "^$work/evc-run-....../evcd.sock 12 0 /" "$work/out" ||
    fail "with --new: $(cat "$work/out")"
read -r _ _ _ libraries <"$work/out"
[ -f "$libraries/libxenevtchn.so.1" ] || fail "no library in $libraries"

start_daemon
expect 0 "$evc" run -- sh -c "$show"
grep -q "^$EVC_SOCKET  0 $libraries" "$work/out" ||
    fail "with a daemon: $(cat "$work/out")"
stop_daemon || fail "the daemon ended with $?"

# ---- when somebody interferes ---------------------------------------------

begin() { # begin COMMAND...: under evc, and it is there
    rm -f "$work/there"
    "$evc" run --new -- "$@" >"$work/out" 2>&1 &
    it=$!
    wait_for test -e "$work/there" || fail "$*: did not begin"
}

end() { # end STATUS: and nothing is left
    got=0
    wait "$it" || got=$?
    [ "$got" = "$1" ] || fail "it ended with $got, not $1"
    wait_for nothing_left || fail "left: $(folders) $(processes)"
}

begin sh -c 'trap "exit 5" TERM; touch "$0"; while :; do sleep 0.05; done' \
    "$work/there"
kill -TERM $it
end 5

begin sh -c 'trap "exit 6" USR1; touch "$0"; while :; do sleep 0.05; done' \
    "$work/there"
kill -USR1 $it
end 6

begin sh -c 'echo $$ >"$0.pid"; touch "$0"; exec sleep 1000' "$work/there"
kill -KILL $it
end 137
program=$(cat "$work/there.pid")
is_gone() {
    ! kill -0 "$program" 2>/dev/null ||
        grep -q '^State:.Z' "/proc/$program/status" 2>/dev/null
}
wait_for is_gone || fail 'the program outlives evc'

# Two at once, which know nothing of each other.
begin sh -c 'touch "$0"; exec sleep 1000' "$work/there"
one=$it
begin sh -c 'touch "$0"; exec sleep 1000' "$work/there"
[ "$(folders | wc -l)" = 2 ] || fail "two have: $(folders)"
kill $it
wait $it
[ "$(folders | wc -l)" = 1 ] || fail "one has: $(folders)"
it=$one
kill $it
end 143
echo 'as alone, and nothing is left'
