#!/bin/sh
# SPDX-License-Identifier: MIT
# evc bench EVC ADAPTER.so: options, exit statuses, what is said of bad input.
set -u
evc=$1
adapter=$2
. "$(dirname "$0")/../replay/lib.sh"

# quickly STATUS OPTIONS...: as little as possible
quickly() {
    expected=$1 && shift
    run "$expected" bench --quick --no-realtime --rounds=1 "$@"
}

run 0 help bench && says out '--plot'
run 0 bench --help && says out '--adapters'

run 0 bench --list
silent err
for name in evc-fifo evc-2level bitmap futex eventfd eventfd+epoll pipe mq \
    seqpacket io_uring notify pingpong; do
    says out "  $name "
done
run 0 bench --load="$adapter" --list && says out '  eventfd+poll '

# ---- what is asked for is measured, and nothing else -------------------------

quickly 0 --adapters=pipe,evc-fifo --cases=notify --places=one
silent err
says out 'pipe  ' && says out 'evc-fifo  '
! grep -q 'futex' "$dir/out" || fail "futex was measured"
! grep -q 'Two threads' "$dir/out" || fail "threads were measured"
quickly 0 --cases=pending --places=one && says out 'B  FIFO'
quickly 0 --cases=setup --places=one --no-goals
! grep -q '^B ' "$dir/out" || fail "goals of the engine were measured"
# An adapter may be named before it is loaded.
quickly 0 --adapters=eventfd+poll --load="$adapter" --cases=notify --places=one
says out 'eventfd+poll'

# One CPU: what takes two is said to be missing.
cpu=$(taskset -cp $$ 2>/dev/null | sed 's/.*: *\([0-9]*\).*/\1/')
if [ -n "$cpu" ]; then
    quickly 0 --cpus="$cpu" --adapters=futex --cases=notify,wake
    says out 'this takes two CPUs'
fi

# ---- bad input ---------------------------------------------------------------

refuse() { # refuse TEXT OPTIONS...: one line that says so, and no table
    text=$1 && shift
    quickly 2 "$@"
    says err "$text"
    silent out
    test "$(grep -c "^evc bench: " "$dir/err")" = 1 ||
        fail "not one complaint: $(cat "$dir/err")"
}

refuse "there is no 'nonsense'" --adapters=pipe,nonsense
refuse "there is no ''" --adapters=
refuse "there is no 'nonsense'" --cases=nonsense,notify
refuse "'four' is none of" --places=one,four
refuse "'0' is not a number" --ports=0
refuse "'1x' is not a number" --ports=10,1x
refuse "'99999999999' is not a number" --ports=99999999999
refuse 'more than 16' --ports=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17
refuse 'rounds is a number' --rounds=0
refuse 'rounds is a number' --rounds=1001
refuse 'cpus is A or A,B' --cpus=x
refuse 'cpus is A or A,B' --cpus=0,
refuse 'these CPUs are not to be had' --cpus=99999
refuse 'these CPUs are not to be had' --cpus=0,0
refuse "'more' is too much" more
refuse "$dir/none/x.svg" --plot="$dir/none/x.svg"
refuse "$dir/none.so" --load="$dir/none.so"
echo 'not a library' >"$dir/bad.so"
refuse "$dir/bad.so" --load="$dir/bad.so"
refuse 'there is an adapter of that name' --load="$adapter" --load="$adapter"

# What cannot be written is no success.
if [ -w /dev/full ]; then
    timeout 60 "$evc" bench --quick --rounds=1 --no-realtime --places=one \
        --cases=notify --adapters=futex >/dev/full 2>"$dir/err" &&
        fail 'a full disk is success'
    says err 'cannot write'
fi

finish
