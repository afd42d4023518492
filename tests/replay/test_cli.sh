#!/bin/sh
# SPDX-License-Identifier: MIT
# evc replay EVC RECORDED: options, exit statuses, differences, updating.
set -u
evc=$1
recorded=$2
. "$(dirname "$0")/lib.sh"

# ---- evc itself --------------------------------------------------------------

run 0 --version && says out 'evc '
run 0 --help && says out 'replay' && says out 'Usage: evc'
run 0 help && says out 'replay'
run 0 help replay && says out '--width'
run 0 replay --help && says out '--compat'
run 2 && says err 'Usage'
run 2 nonsense && says err "unknown command 'nonsense'"
run 2 help nonsense && says err "unknown command 'nonsense'"
run 2 --nonsense
run 2 replay && says err 'no file or directory given'
run 2 replay --nonsense "$recorded/status.evt"
run 2 replay --width=48 "$recorded/status.evt" && says err '32 or 64'
run 2 replay --compat=xen-1 "$recorded/status.evt" && says err 'xen-4.17'

# ---- equal -------------------------------------------------------------------

run 0 replay "$recorded/status.evt"
says out '1 scenarios, 1 equal, 0 different, 0 excepted'
silent err
run 0 replay -v "$recorded/status.evt" && says out 'status.evt: equal'
run 0 replay "$recorded/status.evt" "$recorded/masked.evt"
says out '2 scenarios, 2 equal'

mkdir "$dir/some"
cp "$recorded/status.evt" "$dir/some/b.evt"
cp "$recorded/masked.evt" "$dir/some/a.evt"
echo 'not a scenario' >"$dir/some/README"
run 0 replay -v "$dir/some" && says out '2 scenarios, 2 equal'
test "$(head -n 1 "$dir/out")" = "$dir/some/a.evt: equal" ||
    fail "a directory is not read in sorted order"

# ---- different ---------------------------------------------------------------

cat >"$dir/d.evt" <<'END'
# two answers are wrong
d0.0 bind_ipi vcpu=0 -> a
= 0 port=1
d0.0 send port=$a
= 0
~ d0 pending set 2
~ d0.0 pending_sel 0x0 -> 0x1
~ d0.0 upcall_pending 0 -> 1
d0.0 close port=9
= 0
END
cp "$dir/d.evt" "$dir/kept.evt"

run 1 replay "$dir/d.evt"
says out "$dir/d.evt:4: d0.0 send port=\$a"
says out 'expected: ~ d0 pending set 2'
says out 'got:      ~ d0 pending set 1'
says out '0 equal, 1 different'
! grep -q 'close' "$dir/out" || fail "more than the first difference is shown"

run 1 replay --diff "$dir/d.evt"
says out "$dir/d.evt:4: d0.0 send port=\$a"
says out ' = 0'
says out '-~ d0 pending set 2'
says out '+~ d0 pending set 1'
says out "$dir/d.evt:9: d0.0 close port=9"
says out '-= 0'
says out '+= -22 EINVAL'

run 1 replay -q "$dir/d.evt"
test "$(wc -l <"$dir/out")" -eq 1 || fail "-q prints more than the summary"
same "$dir/d.evt" "$dir/kept.evt"

printf 'd0.0 close port=9\n' >"$dir/missing.evt"
printf '= -22 EINVAL\n= 0\nd0.0 close port=9\n' >>"$dir/missing.evt"
run 1 replay --diff "$dir/missing.evt"
says out '-= 0' && says out '+= -22 EINVAL'

printf '= 0\nd0.0 close port=9\n= -22 EINVAL\n' >"$dir/early.evt"
run 1 replay --diff "$dir/early.evt" && says out "$dir/early.evt:1:"

printf 'd0.0 close port=9\n= -22 EINVAL' >"$dir/cut.evt"
run 1 replay "$dir/cut.evt" && says out 'no newline at the end'

# A complaint that follows from a difference is not the scenario's fault.
printf '%s\n' 'create dom=d1 vcpus=0 active' '= 0' 'd1.0 send port=1' \
    '= -22 EINVAL' >"$dir/follows.evt"
run 1 replay "$dir/follows.evt" && says out "$dir/follows.evt:1:"

# ---- no answers, and updating ------------------------------------------------

grep -v '^[=~!]' "$recorded/poll.evt" >"$dir/scenario.evt"
run 0 replay "$dir/scenario.evt"
same "$dir/out" "$recorded/poll.evt"
says err '1 printed'

chmod 640 "$dir/scenario.evt"
run 0 replay --update "$dir/scenario.evt" && says out '1 written'
same "$dir/scenario.evt" "$recorded/poll.evt"
test "$(stat -c %a "$dir/scenario.evt")" = 640 ||
    fail "--update does not keep the permissions"

run 0 replay --update "$dir/d.evt"
run 0 replay "$dir/d.evt"
run 0 replay --update "$dir/d.evt" && says out '1 equal'
run 0 replay --update "$dir/cut.evt" "$dir/early.evt"
run 0 replay "$dir/cut.evt" "$dir/early.evt"
test -z "$(find "$dir" -name '*.evt.*')" || fail "--update leaves files behind"

ln -s d.evt "$dir/link.evt"
cp "$dir/kept.evt" "$dir/d.evt"
run 0 replay --update "$dir/link.evt"
test -L "$dir/link.evt" || fail "--update replaces a link"
run 0 replay "$dir/d.evt"

# ---- output that goes nowhere ------------------------------------------------

if test -c /dev/full; then
    "$evc" replay "$recorded/status.evt" >/dev/full 2>"$dir/err"
    test $? -eq 2 || fail "an error of writing is not noticed"
    says err 'cannot write'
fi

# ---- widths ------------------------------------------------------------------

run 0 replay --width=32 "$recorded/status.evt"
cp "$recorded/limit-2level.evt" "$dir/some/c.evt"
run 1 replay --width=32 "$dir/some/c.evt"
echo 'c only so many ports' >"$dir/width32.exceptions"
run 0 replay --width=32 "$dir/some/c.evt"
says out 'excepted (only so many ports)' && says out '1 excepted'
run 0 replay "$dir/some/c.evt"

finish
