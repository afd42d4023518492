#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do the rules of evcd-conf(5) hold for other users?
#
#   users.sh EVCD LIBRARY PROGRAM
set -u
evcd=$1
# shellcheck source=tests/compat/daemon.sh
. "$(dirname "$0")/daemon.sh"

user=65534 group=65533 # nobody's, and a group that is not root's
as() { # as UID GID COMMAND...
    uid=$1 gid=$2 && shift 2
    setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"
}
[ "$(id -u)" = 0 ] || {
    echo "skipped: only root can become another user"
    exit 77
}
as $user $group true 2>"$work/why" || {
    echo "skipped: no other user here: $(cat "$work/why")"
    exit 77
}

# Where they can get at it, wherever the tree is.
chmod 755 "$work"
cp "$2" "$work/libxenevtchn.so.1"
cp "$3" "$work/program"
chmod 755 "$work/program"

gets() { # gets WHAT UID GID DOMAIN
    got=$(as "$2" "$3" env LD_LIBRARY_PATH="$work" EVC_DOMID="$4" \
        "$work/program" open)
    [ "$got" = "$1" ] || fail "$2:$3 in domain $4: $got, not $1"
}

with() { # with LINE...: a daemon that is configured so
    [ -z "$daemon" ] || stop_daemon || fail "the daemon ended with $?"
    printf '%s\n' "$@" >"$work/conf"
    start_daemon --config="$work/conf"
}

# Without rules: the socket is the user's who runs it, and root's.
start_daemon
gets opened 0 0 0
gets EACCES $user $group 0

# Others get through to the socket, but not in.
with '[daemon]' 'join = uid:1'
gets opened 0 0 0
gets ECONNRESET $user $group 0
gets ECONNRESET $user 1 0

with '[daemon]' "join = uid:1 uid:$user"
gets opened $user $group 0
gets opened $user 0 7
gets ECONNRESET 2 $group 0

with '[daemon]' "join = gid:$group"
gets opened $user $group 0
gets opened 1 $group 0
gets ECONNRESET $user $user 0

# A domain's own rules are in the place of the general ones, if it has some.
with '[daemon]' 'join = any' '[domain 3]' "join = uid:$user" \
    '[domain 4]' "join = gid:$group" '[domain 5]' 'join = any' \
    '[domain 6]' 'join =' '[domain 8]' 'max-ports = 100'
gets opened $user 1 3
gets EACCES 1 $group 3
gets opened 1 $group 4
gets EACCES $user 1 4
gets opened 1 1 5
gets EACCES $user $group 6
gets opened 0 0 6
gets opened 1 1 7
gets opened 1 1 8
stop_daemon || fail "the daemon ended with $?"
echo "rules of uid, gid and any hold, in general and for a domain"
