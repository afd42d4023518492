#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does Debian's xenstored serve a ring, when its event channels are ours?
#
#   xenstored.sh EVCD LIBDIR KERNEL NAME many|recorded
#
# NAME: xenstored or oxenstored.  "many": what examples/xenstored/kernel.c asks;
# "recorded": what was asked in a real dom0, with the answers of then.
set -u
evcd=$1 libdir=$2 kernel=$3 name=$4 questions=$5
here=$(cd "$(dirname "$0")" && pwd)
example=$here/../../examples/xenstored/run
recorded=$here/../../conformance/libxenevtchn/xsd-peer.txt
# shellcheck source=tests/compat/daemon.sh
. "$here/daemon.sh"

# The recording is of xenstored.  The other one tells of a change after its
# answer, which is as good: there, the lines are compared and not their order.
in_order() {
    if [ "$name" = xenstored ]; then
        cat
    else
        sort
    fi
}

compare() { # with the ring's lines; the others are about the socket
    grep '^peer:' "$recorded" | in_order >"$work/want"
    in_order <"$work/out" >"$work/have"
    diff "$work/want" "$work/have" || fail "not as recorded (< Xen, > evc)"
    echo "$(wc -l <"$work/want") lines equal"
}

start_daemon
case $questions in
many) set -- -a "$kernel" ;;
recorded) set -- "$kernel" --recorded ;;
*) fail "no such questions: $questions" ;;
esac
[ "$name" = xenstored ] || [ "$1" != -a ] || shift # its socket stays closed
status=0
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    "$example" -s "$name" "$@" >"$work/out" 2>"$work/err" || status=$?
cat "$work/err"
case $status in
0) ;;
77) cat "$work/out" && exit 77 ;;
*) fail "it ended with $status: $(cat "$work/out")" ;;
esac
case $questions in
many) cat "$work/out" ;;
recorded) compare ;;
esac
stop_daemon || fail "the daemon ended with $?"
