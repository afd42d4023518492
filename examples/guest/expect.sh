#!/bin/sh
# SPDX-License-Identifier: MIT
# expect.sh PROGRAM FILE: does it print just that, and end well?
set -eu
said=$("$1")
[ "$said" = "$(cat "$2")" ] || {
    echo "$said"
    exit 1
}
