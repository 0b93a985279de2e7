#!/bin/sh
# What cannot be written: exit code 4 and one sentence, found before training where it can be, and
# nothing half-written where it cannot.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
train good --epochs 1
: >file

# ---- a folder that cannot be made, before a single step
# unwritable FOLDER PATTERN
unwritable() {
    # shellcheck disable=SC2086
    expect 4 "$2" train seq2seq $tiny --out "$1" --epochs 1
    grep -q '^epoch' err && fail "$1: trained before it was found"
}
unwritable file file
unwritable file/run file
[ ! -d /proc/self ] || unwritable /proc/unroll /proc
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod 555 locked
    unwritable locked/run locked
    chmod 755 locked
fi
[ ! -s file ] || fail "the file in the way was written to"
expect 4 'file/a.svg' plot good --out file/a.svg
expect 4 'nowhere/a.svg' plot good --out nowhere/a.svg --attention 1/2/88

# ---- no room while saving: the old model survives, nothing stays behind
# full FOLDER: checks what the failed resuming left
full() {
    wanted=4
    pattern="$1/"
    check_result "no room in $1"
    same "$1/$weights" good/$weights
    [ -z "$(find "$1" -type f ! -name '*.safetensors' ! -name config.json ! -name vocab.txt \
        ! -name metrics.jsonl ! -name train.log ! -name lock)" ] || fail "left behind: $(ls -aR "$1")"
    expect 0 . predict "$1" 1/2/88
}
cp -R good limited
(
    ulimit -f 40 # 20 or 40 KiB; the model has more than 32
    "$tool" train seq2seq --out limited --resume --epochs 2 >out 2>err
)
code=$?
if [ "$(wc -c <good/$weights)" -gt 41000 ] || [ $code -ne 0 ]; then
    full limited
else
    fail "a limit of 20 KiB was not met"
fi

if unshare -rm true 2>/dev/null; then
    mkdir disk
    # shellcheck disable=SC2016
    unshare -rm sh -c '
        mount -t tmpfs -o size=$(($(du -sk good | cut -f1) + 16))k tmpfs disk || exit 99
        cp -R good disk/run
        "$0" train seq2seq --out disk/run --resume --epochs 2 >out 2>err
        echo $? >code
        cp -R disk/run kept' "$tool"
    if [ $? -ne 99 ]; then
        code=$(cat code)
        cp -R kept disk/run
        grep -q 'No space left' err || fail "a full disk is not named: $(cat err)"
        full disk/run
    fi
else
    echo "no file system of its own to fill: skipped"
fi

# ---- standard output
if [ -c /dev/full ]; then
    for arguments in '--help' 'help train' 'predict good 1/2/88' 'predict good 1/2/88 --json' \
        'inspect good' 'eval good --data builtin:dates --size 9' 'plot good'; do
        # shellcheck disable=SC2086
        "$tool" $arguments >/dev/full 2>err
        code=$?
        wanted=4
        pattern='writing to standard output failed: No space left'
        check_result "$arguments >/dev/full"
    done
fi
"$tool" inspect good >&- 2>err
code=$?
wanted=4
pattern='writing to standard output failed'
check_result 'inspect good, closed standard output'

# a reader that leaves is no reason for a message
awk 'BEGIN { for (i = 0; i < 20000; i++) print "1/2/88" }' >lines
{
    "$tool" predict good - <lines 2>err
    echo $? >code
} | head -n 1 >out
[ "$(cat code)" -eq 4 ] || fail "a closed pipe: exit code $(cat code)"
[ ! -s err ] || fail "a closed pipe: $(cat err)"
finish
