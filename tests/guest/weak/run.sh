#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh SOURCE-ROOT TIMES: build the models with the library as it is, run them
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$1/tests/guest/weak/build.sh" "$1" "$1/src/guest" "$place/model"
"$place/model" "$2"
