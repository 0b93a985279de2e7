#!/bin/sh
# The instruction sets that the system's list of the processor's features promises are those that the
# tool can compute with, and the best of them is what it takes: a set that is no longer detected fails
# here, where a test that walks the detected ones would be content with fewer.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

# What the system calls the features that each needs; the better ones last.
known='avx2 avx2 fma
avx512 avx512f avx512bw avx512dq avx512vl avx2 fma
neon asimd'

grep -o '^ *"[a-z0-9]* *|' "$UNROLL_SOURCE_DIR/cmake/Isa.cmake" | tr -d ' "|' >built
while read -r name; do
    printf '%s\n' "$known" | grep -q "^$name " || fail "which features does $name need?"
done <built
[ -s built ] || fail "cmake/Isa.cmake names no instruction set"

if ! features=$(grep -m 1 -E '^(flags|Features)[[:space:]]*:' /proc/cpuinfo 2>/dev/null); then
    echo "skipped: this system has no list of the processor's features"
    finish
fi

# starts ISA: a step of training; leaves what the tool says it computes with in $with.
starts() {
    UNROLL_ISA=$1
    export UNROLL_ISA
    rm -rf o
    # shellcheck disable=SC2086
    run train seq2seq $tiny --max-steps 1 --threads 1 --out o
    unset UNROLL_ISA
    with=$(sed -n 's/.*; \([a-z0-9]*\), 1 thread.*/\1/p' err)
}

best=plain
while read -r name needs; do
    has=yes
    for feature in $needs; do
        case " $features " in
        *" $feature "*) ;;
        *) has=no ;;
        esac
    done
    starts "$name"
    if [ $has = yes ]; then
        best=$name
        [ "$code:$with" = "0:$name" ] ||
            fail "the system lists $needs, but $name: exit code $code, computes with '$with': $(cat err)"
    else
        [ "$code" -ne 0 ] || fail "the system does not list $needs, but $name starts"
    fi
done <<END
$known
END
starts plain
[ "$code:$with" = 0:plain ] || fail "plain: exit code $code, computes with '$with': $(cat err)"
starts ''
[ "$with" = $best ] || fail "the best one is $best, but the tool takes '$with'"
finish
