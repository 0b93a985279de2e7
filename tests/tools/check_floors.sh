#!/bin/sh
# tools/check_floors accepts a good tree and finds every kind of fault in a bad one.
set -eu
check=$UNROLL_SOURCE_DIR/tools/check_floors
tree=$(mktemp -d ./floors.XXXXXX)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/include/unroll"
for folder in base kernels backend/cpu tensor tape nn io text data models train run cli; do
    mkdir -p "$tree/src/$folder"
done
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

file() {
    path=$tree/$1
    shift
    printf '%s\n' "$@" >"$path"
}

file include/unroll/core.h '#include <stddef.h>'
file include/unroll/nn.h '#include "unroll/core.h"'
file include/unroll/text.h '#include "unroll/core.h"'
file include/unroll/model.h '#include "unroll/nn.h"' '#include "unroll/text.h"'
file include/unroll/train.h '#include "unroll/model.h"'
file include/unroll.h '#include "unroll/train.h"'
file src/base/a.h '#include "unroll/core.h"'
file src/kernels/k.h '#include <math.h>' '#include "base/a.h"'
file src/backend/cpu/c.c '#include "kernels/k.h"' '#include "d.h"'
file src/backend/cpu/d.h ''
file src/tensor/l.h '#include "kernels/k.h"' '#include "base/a.h"'
file src/backend/b.h '#include "tensor/l.h"' '#include "kernels/k.h"'
file src/kernels/math.h ''
file src/nn/n.c '#include "unroll/nn.h"' '#include "backend/b.h"' '#include "kernels/math.h"'
file src/io/i.h '#include <utf8proc.h>'
file src/text/t.h '#include "unroll/text.h"'
file src/data/d.c '#include "text/t.h"' '#include "io/i.h"' '#include "unroll/text.h"'
file src/models/m.h '#include "unroll/model.h"' '#include "unroll/nn.h"'
file src/run/r.h ''
file src/train/t.c '#include "models/m.h"' '#include "unroll/train.h"'
file src/run/r.c '#include "models/m.h"' '#include "unroll/train.h"'
file src/cli/main.c '#include <unroll.h>' '#include "verbs.h"' '#include "cli/verbs.h"'
file src/cli/verbs.h '#include <stdio.h>'
sh "$check" "$tree" || fail "a good tree was refused"

# fault PATH INCLUDE: the file with this include line in it must be found, by path and line.
fault() {
    file "$1" '/* a fault */' "$2"
    if output=$(sh "$check" "$tree"); then
        fail "$1 with $2 was accepted"
    elif ! printf '%s\n' "$output" | grep -q "^$1:2: "; then
        fail "$1 with $2: the line was not named: $output"
    elif [ "$(printf '%s\n' "$output" | wc -l)" != 1 ]; then
        fail "$1 with $2: more than one complaint: $output"
    fi
    rm "$tree/$1"
}

fault src/base/x.c '#include "kernels/k.h"'
fault src/kernels/x.c '#include "unroll/nn.h"'
fault src/backend/cpu/x.c '#include "io/i.h"'
fault src/nn/x.c '#include "io/i.h"'
fault src/nn/x.c '#include "backend/cpu/d.h"'
fault src/tape/x.c '#include "kernels/k.h"'
fault src/tensor/x.c '#include "backend/b.h"'
fault src/nn/x.c '#  include "text/t.h"'
fault src/nn/x.c '#include <text/t.h>'
fault src/text/x.c '#include "unroll/nn.h"'
fault src/models/x.c '#include "unroll/train.h"'
fault src/train/x.c '#include "run/r.h"'
fault src/train/x.c '#include "cli/verbs.h"'
fault src/train/x.c '#include "unroll.h"'
fault src/cli/x.c '#include "unroll/core.h"'
fault src/cli/x.c '#include "base/a.h"'
fault src/nn/x.c '#include "../base/a.h"'
fault src/nn/x.c '#include "missing.h"'
fault src/nn/x.c '#include HEADER'
fault include/unroll/x.h '#include "unroll/core.h"'

file include/unroll/core.h '' '#include "unroll/nn.h"'
sh "$check" "$tree" >/dev/null && fail "core.h on nn.h was accepted"
file include/unroll/core.h '' '#include "base/a.h"'
sh "$check" "$tree" >/dev/null && fail "core.h on src was accepted"
file include/unroll/core.h ''

mkdir "$tree/src/attic"
file src/attic/x.c ''
sh "$check" "$tree" >/dev/null && fail "a folder without a floor was accepted"
rm -r "$tree/src/attic"

sh "$check" "$tree" || fail "the repaired tree was refused"
[ "$failures" = 0 ]
