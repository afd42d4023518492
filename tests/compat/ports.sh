#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The commands of `evc` that scripts use: what works, and what they say when it
# cannot.
#
#   ports.sh EVCD EVC
# shellcheck disable=SC2016,SC2034,SC2119 # quotes for other shells, daemon.sh
set -u
evcd=$1 evc=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/compat/daemon.sh
. "$here/daemon.sh"

expect() { # expect STATUS COMMAND [ARGUMENT...]: of evc
    want=$1 && shift
    got=0
    "$evc" "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$want" ] ||
        fail "evc $*: ended with $got, not $want: $(cat "$work/out" "$work/err")"
}

says() { # says PATTERN: the last one did, on stderr
    grep -q -e "$1" "$work/err" || fail "not '$1', but: $(cat "$work/err")"
}

shows() { # shows PATTERN: the last one did, on stdout
    grep -q -e "$1" "$work/out" || fail "not '$1', but: $(cat "$work/out")"
}

bound() { # bound ARGUMENT...: the port that `evc bind` prints, in $port
    expect 0 bind "$@"
    port=$(cat "$work/out")
    shows '^[0-9]*$'
}

is_gone() { # is_gone PID: or a zombie, where nobody looks after them
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# ---- without a daemon -----------------------------------------------------

for command in status 'send 1' 'wait 1' 'close 1' 'virq raise debug' 'bind 0'; do
    # shellcheck disable=SC2086 # several words
    expect 2 $command
    says "no daemon at $EVC_SOCKET"
done

# ---- two domains ----------------------------------------------------------

start_daemon
bound 1
offered=$port
expect 0 status --domid 0
shows "^ *$offered: VCPU 0: Interdomain (Waiting connection) - Remote Domain 1"
bound --domid 1 0 "$offered"
taken=$port
expect 0 status
shows "^ *$offered: .*(Connected) - Remote Domain 1, Port $taken  process"
shows "^ *$taken: .*(Connected) - Remote Domain 0, Port $offered .*, pending"

expect 0 wait --timeout 60 --domid 1 "$taken" # who binds has one event
expect 1 wait --timeout 0 --domid 1 "$taken"
expect 1 wait --timeout 0.01 "$offered"
expect 0 send "$offered"
expect 0 status -d 1
shows "1 sent to it, pending"
expect 0 wait --domid 1 "$taken"
expect 1 wait -t 0 -d 1 "$taken"
EVC_DOMID=1 expect 0 send "$taken"
expect 0 wait "$offered"

"$evc" wait "$offered" & # one that sleeps when the event comes
waiter=$!
expect 0 send -d 1 "$taken"
wait $waiter || fail "the one that waited ended with $?"

# ---- VIRQs ----------------------------------------------------------------

bound --virq con_ring
virq=$port
expect 0 status
shows "^ *$virq: VCPU 0: Virtual IRQ 8 "
expect 1 wait -t 0 "$virq"
expect 0 virq raise CON_RING
expect 0 wait -t 60 "$virq"
expect 0 virq raise 8
expect 0 wait -t 60 "$virq"

# ---- what cannot be -------------------------------------------------------

expect 2 send 99
says '^evc send: domain 0 has no port 99$'
expect 2 send 1
says "^evc send: port 1 of domain 0 is its kernel's"
expect 2 wait -d 7 1
says '^evc wait: there is no domain 7$'
expect 2 send
says 'no port given'
for port in 0 -- -1 131072 12x '' 99999999999999999999; do
    [ "$port" = -- ] || expect 2 close -- "$port"
done
says 'is not the number of a port'
expect 2 wait 1 2
says 'one port at a time'
expect 2 wait -t soon 1
says "number of seconds, not 'soon'"
expect 2 bind
says 'neither a domain nor a VIRQ'
expect 2 bind 32752
says "'32752' is not the number of a domain"
expect 2 bind 0 1 2
says "'2' is one argument too many"
expect 2 bind 9 1
says 'there is no domain 9'
expect 2 bind -d 3 0 "$offered"
says "port $offered of domain 0 is not one that domain 3 may bind to"
expect 2 bind --virq con_ring
says 'VIRQ 8 is taken already'
expect 2 bind --virq nonsense
says "no VIRQ 'nonsense'"
expect 2 virq raise
says 'no VIRQ to raise'
expect 2 virq lower 3
says "not 'lower'"
expect 2 virq raise 24
says "no VIRQ '24'"
expect 2 virq raise -d 9 debug
says 'there is no domain 9'
expect 1 status -d 9
says 'there is no domain 9'
expect 2 status 9
says "a domain is given with --domid"
EVC_DOMID=x expect 2 status
says "EVC_DOMID is a domain's number"
expect 2 status --socket "$work/none"
says "no daemon at $work/none"

# ---- the end --------------------------------------------------------------

expect 0 close -d 1 "$taken"
expect 0 status -d 0
shows "^ *$offered: .*Waiting connection"
expect 2 close "$offered" "$offered"
says "domain 0 has no port $offered"
keeper=$("$evc" status -d 0 |
    sed -n "s/^ *$virq: .*  process \\([0-9]*\\).*/\\1/p")
kill "$keeper"
wait_for is_gone "$keeper" || fail 'a keeper does not end when told to'

bound 1
keeper=$("$evc" status -d 0 |
    sed -n "s/^ *$port: .*  process \\([0-9]*\\).*/\\1/p")
stop_daemon || fail "the daemon ended with $?"
wait_for is_gone "$keeper" || fail 'a keeper outlives its daemon'
expect 2 send "$port"
says "no daemon at"

# ---- two at once, which know nothing of each other ------------------------

expect 0 run --new -- sh -c '
    "$0" bind -v dom_exc && ! "$0" bind -v dom_exc && "$0" run --new -- sh -c "
        \"\$0\" bind -v dom_exc && ! \"\$0\" bind -v dom_exc" "$0"' "$evc"

# ---- another user ---------------------------------------------------------

as_nobody() { # expect's commands, as somebody else
    setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

if [ "$(id -u)" = 0 ] && chmod 755 "$work" && as_nobody "$evc" --version; then
    real=$evc
    printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 %s "%s" "$@"\n' \
        --clear-groups "$real" >"$work/other"
    chmod 755 "$work/other"

    start_daemon # for root alone
    evc=$work/other
    expect 2 status
    says 'not for this user'
    expect 2 bind 0
    says 'not for this user'
    stop_daemon || fail "the daemon ended with $?"

    printf '[daemon]\njoin = any\n' >"$work/conf"
    evc=$real
    start_daemon --config "$work/conf"
    bound 0
    ours=$port
    evc=$work/other
    bound 0
    expect 0 send "$port"
    expect 2 send "$ours"
    says "port $ours of domain 0: another user's"
    expect 2 close "$ours"
    evc=$real
    expect 0 send "$port" # root may
    expect 0 close "$port" "$ours"
    stop_daemon || fail "the daemon ended with $?"
fi
echo 'each said what it should'
