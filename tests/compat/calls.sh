#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Which calls of the library make no system call?
#
#   calls.sh EVCD LIBDIR PROGRAM      PROGRAM is calls.c
set -u
# shellcheck disable=SC2034 # daemon.sh
evcd=$1
# shellcheck source=tests/compat/daemon.sh
. "$(dirname "$0")/daemon.sh"

start_daemon --foreground
status=0
LD_LIBRARY_PATH=$2 "$3" || status=$?
[ $status = 0 ] || [ $status = 77 ] || fail "see above"
exit $status
