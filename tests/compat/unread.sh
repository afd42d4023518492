#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Are the ports closed of a process that ended with an event unread?
#
#   unread.sh EVCD LIBDIR PROGRAM      PROGRAM is unread.c
set -u
evcd=$1
. "$(dirname "$0")/daemon.sh"

start_daemon --foreground
LD_LIBRARY_PATH=$2 "$3" || fail "the port of a closed handle stays open"
echo ok
