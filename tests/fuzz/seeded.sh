#!/bin/sh
# SPDX-License-Identifier: MIT
# seeded.sh SEEDS.PY RECORDED TEST [-N]: run a test on what the recordings do.
set -eu
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
"$1" "$2" "$seeds"
test=$3
shift 3
"$test" "$@" "$seeds"/*
