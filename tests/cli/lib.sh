# lib.sh - what the scripts of this folder share. A script sources it, calls its functions, and ends
# with `finish`, which fails if anything did.
tool=$UNROLL_TOOL
LC_ALL=C
export LC_ALL
unset UNROLL_ISA
work=$(mktemp -d "$PWD/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# Whether everything takes ten times as long here: as in support/slow.h.
hurry() {
    [ "${UNROLL_SLOW-}" = 0 ]
}

# The arguments, computed by plain C; in a hurry by the best instruction set again.
on_plain() {
    hurry || { UNROLL_ISA=plain && export UNROLL_ISA; }
    "$@"
    unset UNROLL_ISA
}

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

finish() {
    if [ $failures -ne 0 ]; then
        echo "$failures failed"
        exit 1
    fi
    exit 0
}

# run ARGUMENT...: the tool; leaves its exit code in $code, its output in files out and err.
run() {
    "$tool" "$@" >out 2>err
    code=$?
}

# expect CODE PATTERN ARGUMENT...: exit code, and a pattern that standard error (for code 0:
# standard output) has. An error is one sentence, and one more line on wrong usage; what it lists
# beyond that stands behind two spaces.
expect() {
    wanted=$1
    pattern=$2
    shift 2
    run "$@"
    check_result "$*"
}

check_result() {
    [ "$code" -eq "$wanted" ] || fail "$1: exit code $code, expected $wanted: $(head -c 300 err)"
    if [ "$wanted" -eq 0 ]; then
        grep -q -e "$pattern" out || fail "$1: no '$pattern' in: $(head -c 300 out)"
        return
    fi
    grep -q -e "$pattern" err || fail "$1: no '$pattern' in: $(head -c 300 err)"
    lines=1
    [ "$wanted" -ne 2 ] || lines=2
    [ "$(grep -c -v -e '^epoch' -e ' to learn, ' -e '^  ' err)" -eq $lines ] ||
        fail "$1: expected $lines line(s): $(head -c 400 err)"
}

# A small training, which takes a moment.
tiny='--data builtin:dates --size 300 --valid-size 60 --hidden 16 --batch 50'

# train FOLDER ARGUMENT...: a tiny run; without it the rest of a script says nothing.
train() {
    folder=$1
    shift
    # shellcheck disable=SC2086
    run train seq2seq $tiny --quiet --out "$folder" "$@"
    if [ $code -ne 0 ]; then
        fail "train $folder $*: exit code $code: $(head -c 2000 err)"
        finish
    fi
}

same() {
    cmp "$1" "$2" >/dev/null 2>&1 || fail "$1 and $2 differ"
}
