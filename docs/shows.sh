#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does a page show, line by line, what a program prints?
#
#   shows.sh PAGE EXPECTED
set -eu
page=$1
failed=0
while IFS= read -r line; do
    grep -qF "    $line" "$page" || {
        echo "$page does not show: $line"
        failed=1
    }
done <"$2"
exit $failed
