#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Eight processes bind, notify and are killed; nothing is lost, nothing left.
#
#   soak.sh EVCD LIBDIR SOAK [SECONDS]      5 s; by hand: 600
set -u
evcd=$1 soak=$3 seconds=${4:-5}
LD_LIBRARY_PATH=$2${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# shellcheck source=tests/compat/daemon.sh
. "$(dirname "$0")/daemon.sh"

descriptors() {
    find "/proc/$daemon/fd" -type l | wc -l
}
back_to() {
    test "$(descriptors)" -le "$1"
}

start_daemon
before=$(descriptors)
EVC_DAEMON_PID=$daemon "$soak" "$seconds" || fail "see above"
wait_for back_to "$before" ||
    fail "descriptors: $before before, $(descriptors) after"
stop_daemon || fail "the daemon ended with $?"
