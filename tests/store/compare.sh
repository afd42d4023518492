#!/bin/sh
# SPDX-License-Identifier: MIT
# Our store answers as the recording says: compare.sh SPEAK RECORDED
set -eu
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
"$1" <"$2" >"$answers"
diff "$2" "$answers"
