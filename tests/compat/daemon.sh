# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# A daemon of the test's own, in a folder of its own, which goes with the test.
#
#   . daemon.sh            $evcd is its program; then: start_daemon [options]
work=$(mktemp -d)
daemon=
EVC_SOCKET=$work/evcd.sock
EVC_AUTOSTART=0
export EVC_SOCKET EVC_AUTOSTART

fail() {
    echo "failed: $*"
    [ ! -s "$work/log" ] || sed 's/^/evcd says: /' "$work/log"
    exit 1
}

wait_for() { # wait_for COMMAND...: until it succeeds
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || return 1
        sleep 0.05
    done
}

start_daemon() {
    rm -f "$work/log"
    "$evcd" "$@" >"$work/log" 2>&1 </dev/null &
    daemon=$!
    wait_for grep -qs listens "$work/log" || fail "the daemon does not listen"
}

stop_daemon() { # its exit status
    kill "$daemon"
    status=0
    wait "$daemon" || status=$?
    daemon=
    return $status
}

clean_up() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
