#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each ABI header alone, with nothing but the compiler's own headers.
#
#   compile-alone.sh [COMPILER...]      e.g. "gcc -m32" clang
#
# A compiler is a command with its options in one argument.  For each: every
# header by itself in C99, C17, GNU11 and C++17, then all of them together in
# each of the three guest layouts, then the two an assembler may include.
# Exit: 0 all compiled, 1 something did not, 77 a compiler is not there.
set -u
here=$(cd "$(dirname "$0")" && pwd)
include=${EVC_INCLUDE:-$here/../../include}
headers=$(cd "$include/evc/abi" && echo *.h)
warnings='-Wall -Wextra -Wpedantic -Wundef -Werror'
failed=0 missing=0 count=0

if [ $# -eq 0 ]; then
    set -- gcc clang 'gcc -m32' 'clang --target=i386-none-elf' \
        'clang --target=aarch64-none-elf' 'clang --target=arm-none-eabi' \
        'clang --target=riscv64-unknown-elf'
fi

# compile <what> <program> <options...>
compile() {
    what=$1 program=$2 && shift 2
    count=$((count + 1))
    # shellcheck disable=SC2086 # a compiler and its options are several words
    $cc -ffreestanding $warnings -I"$include" "$@" -c -o /dev/null - <<END ||
$program
END
        {
            echo "FAILED: $cc: $what"
            failed=1
        }
}

# A line per header named, and something to compile beside them.
includes() {
    for header in "$@"; do
        echo "#include <evc/abi/$header>"
    done
}

# The header's numbers as data: C that is no number would not assemble.
numbers() {
    includes "$1"
    sed -n 's/^#define \([A-Z_][A-Za-z0-9_]*\) .*/.long \1/p' \
        "$include/evc/abi/$1"
}

for cc in "$@"; do
    # shellcheck disable=SC2086
    if ! echo 'int works;' | $cc -x c -fsyntax-only - 2>/dev/null; then
        echo "missing: $cc"
        missing=1
        continue
    fi

    cpp=c++17
    # shellcheck disable=SC2086
    if ! echo | $cc -x c++ -std=c++17 -fsyntax-only - 2>/dev/null; then
        echo "$cc: no C++ compiler, C++17 is left out"
        cpp=
    fi

    for standard in c99 c17 gnu11 $cpp; do
        case $standard in c++*) language=c++ ;; *) language=c ;; esac
        for header in $headers; do # twice each: the guard is tested as well
            compile "$header, $standard" "$(includes "$header" "$header")
                extern int not_empty;" -x $language -std=$standard
        done
        for guest in X86_64 X86_32 ARM; do
            # shellcheck disable=SC2086
            compile "all for $guest, $standard" "$(includes $headers)" \
                -x $language -std=$standard -DEVC_ABI_GUEST_$guest
        done
        echo "$cc: $standard: each of $headers; together for 3 guests"
    done

    for header in offsets.h numbers.h; do
        compile "$header, assembler" "$(numbers $header)" \
            -x assembler-with-cpp
    done
    echo "$cc: assembler: offsets.h numbers.h"
done

echo "$count compilations"
[ $failed = 0 ] || exit 1
[ $missing = 0 ] || exit 77
