#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do the files and functions that the documents name exist?
#
# Names are in backquotes: `layer/file.c`, `function()`, `layer/file.c: function()`.
# The first is looked for in the tree and under src/, the second in all sources,
# the third in that file.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0

missing() {
    echo "no such thing: $*"
    failed=1
}

file_of() { # file_of NAME: the path it has in the tree
    for path in "$1" "src/$1" "src/delivery/$1"; do
        test -e "$path" && echo "$path" && return
    done
}

# shellcheck disable=SC2016 # backquotes, not commands
names=$(cat README.md CONTRIBUTING.md docs/*.md | grep -o '`[^`]*`' | tr -d '`' |
    sort -u)

# What looks like a path of ours: has a slash or ends in .c or .h, no spaces.
for name in $(echo "$names" | grep -xE '[a-z0-9_./-]*(/|\.[ch]|\.md)' |
    grep -v '^build'); do
    test -n "$(file_of "$name")" || missing "$name"
done
for name in $(echo "$names" | grep -xE '(evc_)?[a-z_]+\(\)'); do
    grep -rqw --include='*.[ch]' "${name%()}" src include || missing "$name"
done
for pair in $(echo "$names" | grep -xE '[a-z]+/[a-z]+\.[ch]: [a-z_0-9]+\(\)' |
    tr -d ' '); do
    file=$(file_of "${pair%%:*}")
    function=${pair#*:}
    grep -qw "${function%()}" "${file:-/dev/null}" || missing "$pair"
done
exit $failed
