# SPDX-License-Identifier: MIT
# What the tests of `evc replay` share: a folder of their own that goes away,
# and checks that say what they expected.  Sourced after $evc has been set.

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# run STATUS ARGUMENTS...: run evc, keep its output, check its exit status
run() {
    expected=$1 && shift
    status=0
    timeout 60 "$evc" "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
    test "$status" -eq "$expected" ||
        fail "evc $*: exit status $status, not $expected: $(cat "$dir/err")"
}

# says out|err TEXT: the last run printed this
says() {
    grep -qF -e "$2" "$dir/$1" ||
        fail "std$1 does not say '$2' but: $(head -c 2000 "$dir/$1")"
}

silent() {
    test ! -s "$dir/$1" || fail "std$1 is not empty: $(cat "$dir/$1")"
}

same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ: $(diff "$1" "$2" | head -20)"
}

finish() {
    test "$failures" -eq 0 || exit 1
    echo ok
}
