#!/bin/sh
# SPDX-License-Identifier: MIT
# evc replay EVC RECORDED: whatever the input is, an error and no crash.
set -u
evc=$1
recorded=$2
. "$(dirname "$0")/lib.sh"

# ---- not a scenario ----------------------------------------------------------

run 2 replay "$dir/absent.evt" && says err "$dir/absent.evt: No such file"
mkdir "$dir/empty"
run 2 replay "$dir/empty" && says err 'no scenarios'
run 2 replay /dev/null && says err 'not a regular file'
mkfifo "$dir/fifo.evt"
run 2 replay "$dir/fifo.evt" && says err 'not a regular file'

if test "$(id -u)" -ne 0; then
    cp "$recorded/status.evt" "$dir/secret.evt"
    chmod 0 "$dir/secret.evt"
    run 2 replay "$dir/secret.evt" && says err 'Permission denied'
fi

: >"$dir/nothing.evt"
run 0 replay "$dir/nothing.evt"
printf '\n\n# only a comment\n' >"$dir/comment.evt"
run 0 replay "$dir/comment.evt" && says out '# only a comment'

printf 'd0.0 send port=1\n\0\n' >"$dir/nul.evt"
run 2 replay "$dir/nul.evt" && says err "$dir/nul.evt:2: not a text file"
printf 'd0.0 send port=1\r\n' >"$dir/crlf.evt"
run 2 replay "$dir/crlf.evt" && says err "$dir/crlf.evt:1: a carriage return"
{ printf '#\n#' && head -c 70000 /dev/zero | tr '\0' x; } >"$dir/long.evt"
run 2 replay "$dir/long.evt" && says err "$dir/long.evt:2: the line is too long"
truncate -s 65M "$dir/huge.evt"
run 2 replay "$dir/huge.evt" && says err 'larger than 64 MiB'
run 2 replay "$evc"

# One that cannot be used does not stop the others.
run 2 replay "$dir/nul.evt" "$recorded/status.evt" && says out '1 equal'
run 2 replay --update "$dir/nul.evt"

# ---- wrong scenarios: the complaint, with its line ---------------------------

# wrong STATEMENT COMPLAINT
wrong() {
    printf '# first line\n%s\n' "$1" >"$dir/wrong.evt"
    cp "$dir/wrong.evt" "$dir/kept"
    run 2 replay "$dir/wrong.evt"
    says err "$dir/wrong.evt:2: $2"
    run 2 replay --update "$dir/wrong.evt"
    same "$dir/wrong.evt" "$dir/kept"
}

wrong 'd1.0 send port=1' 'no such actor: d1.0'
wrong 'd0.7 send port=1' 'no such actor: d0.7'
wrong 'd0.0' 'no operation: d0.0'
wrong 'd0.0 jump' 'unknown operation: jump'
wrong 'jump' 'unknown statement: jump'
wrong 'd0.0 send port=$none' 'no such variable: $none'
wrong 'd0.0 send port=one' 'bad value: one'
wrong 'd0.0 init_control page=136' 'no such page: 136'
wrong 'd0.0 send port=1 arg=odd' 'bad arg: odd'
wrong 'd0.0 raise pirq=2' 'cannot raise pirq=2'
wrong 'd0.0 block &' 'd0.0 runs the scenario and cannot wait: block'
wrong 'create dom=d0' 'cannot create d0'
wrong 'destroy dom=d2' 'no such domain: d2'
wrong 'create' 'cannot create'
wrong 'd0.0 raise' 'cannot raise'
wrong 'd0.0 repeat 3' 'unknown operation: '

# ---- scenarios that do not end -----------------------------------------------

wrong 'd0.0 block' 'nothing can end this wait'
wrong 'd0.0 poll' 'nothing can end this wait'
wrong 'd0.1 poll nr=0' 'nothing can end this wait'
wrong 'shutdown dom=d0 reason=0' 'this ends the machine'
wrong 'd0.0 repeat 0xffffffffffffffff unmask port=0' 'too many repetitions'

printf '%s\n' 'create dom=d1 active' 'pause dom=d1' 'pause dom=d1' \
    'unpause dom=d1' 'd1.0 send port=1' >"$dir/paused.evt"
run 2 replay "$dir/paused.evt"
says err "$dir/paused.evt:5: nothing can end this wait"

# Waits that are open at the end are no obstacle.
printf '%s\n' 'create dom=d1 vcpus=2 active' 'd0.1 block &' 'd1.0 block &' \
    'd1.1 poll &' 'd0.2 poll timeout=9999999 &' 'destroy dom=d1' >"$dir/w.evt"
run 0 replay "$dir/w.evt"

# A queue that a guest has tied in a knot.
cat >"$dir/knot.evt" <<'END'
d0.0 init_control page=0 offset=0 vcpu=0
d0.0 expand_array page=1
d0.0 bind_ipi vcpu=0
d0.0 send port=1
d0.0 poke page=1 offset=4 value=0xa001ffff
d0.0 handle
END
run 2 replay "$dir/knot.evt" && says err 'the queue leads nowhere'

# ---- truncated recordings ----------------------------------------------------

size=$(wc -c <"$recorded/domu-handshake.evt")
for part in 1 2 3 4 5 6 7; do
    head -c $((size * part / 8)) "$recorded/domu-handshake.evt" >"$dir/t.evt"
    timeout 60 "$evc" replay "$dir/t.evt" >/dev/null 2>&1
    test $? -le 2 || fail "a recording cut at $part/8 of its length"
done

# ---- random files: bytes, and lines that are nearly right --------------------

# Prints a random scenario; the same seed gives the same one.
random_scenario() {
    cat "$recorded"/[a-f]*.evt | awk -v seed="$1" '
    BEGIN { srand(seed) }
    !/^[=~!#]/ && rand() < 0.08 {
        n = split($0, word, " ")
        if (rand() < 0.5)
            word[1 + int(rand() * n)] = word[1 + int(rand() * n)]
        if (rand() < 0.1)
            sub(/[0-9]+/, int(rand() * 70000), word[1 + int(rand() * n)])
        for (i = 1; i <= n; i++)
            printf "%s%s", word[i], i < n ? " " : "\n"
    }'
}

mkdir "$dir/random"
i=0
while test $i -lt 100; do
    head -c $((i * 37 + 1)) /dev/urandom >"$dir/random/bytes-$i.evt"
    random_scenario $i >"$dir/random/lines-$i.evt"
    i=$((i + 1))
done
status=0
timeout 250 "$evc" replay -q "$dir/random" >"$dir/out" 2>"$dir/err" || status=$?
test $status -le 2 || {
    fail "random files: exit status $status: $(tail -n 3 "$dir/err")"
    cp -r "$dir/random" "${TMPDIR:-/tmp}/evc-replay-failed.$$"
    echo "the files are in ${TMPDIR:-/tmp}/evc-replay-failed.$$"
}
says out '200 scenarios'

finish
