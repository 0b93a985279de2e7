#!/bin/sh
# The process is killed in place of one of its calls on files, while it trains and while it goes on: what it leaves
# opens, goes on or begins anew, and ends with the bytes of a training that nobody killed; nothing of a killed
# process stays. Sampled as faults.sh says.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
. "$UNROLL_SOURCE_DIR/tests/cli/lib_faults.sh"

weights='model.safetensors config.json vocab.txt'

# What a killed training left is usable: its weights, if any, open; training goes on, or where it had not begun yet
# (config.json comes last) begins again.
usable() {
    [ ! -f made/model.safetensors ] || "$tool" inspect made/model.safetensors >out 2>err ||
        fail "$fault: weights do not open: $*: $(head -c 300 err)"
    if ! "$tool" train "$1" --resume --out made --max-steps 4 --quiet >out 2>err; then
        [ ! -f made/config.json ] ||
            fail "$fault: does not go on: $*: $(head -c 300 err)"
        "$tool" train "$@" --out made --overwrite >out 2>err ||
            fail "$fault: does not begin again: $*: $(head -c 300 err)"
    fi
    for file in $weights; do
        cmp -s "made/$file" "whole/$file" || fail "$fault: $file is another: $*"
    done
    for left in made/.unroll-*.tmp made/checkpoints/.unroll-*.tmp; do
        [ ! -e "$left" ] || fail "$fault: $left is left: $*"
    done
}

# kills KIND ARGUMENT...: a training that is killed; the same after its first half is `ready`.
kills() {
    is_of_part || return 0
    rm -rf ready whole
    disturbed kill:0 train "$@" --out made
    [ $code -eq 0 ] || fail "undisturbed: exit code $code: $*: $(head -c 300 err)"
    read -r _ calls _ <counts
    cp -R made whole
    sample "$calls" >numbers
    while read -r n; do
        tried=$((tried + 1))
        disturbed "kill:$n" train "$@" --out made
        [ $code -eq 137 ] || fail "$fault: exit code $code: $*"
        usable "$@"
    done <numbers
    rm -rf ready
    "$tool" train "$@" --max-steps 2 --out ready >out 2>err || fail "half: $*: $(head -c 300 err)"
    disturbed kill:0 train "$1" --resume --out made --max-steps 4 --quiet
    read -r _ calls _ <counts
    sample "$calls" >numbers
    while read -r n; do
        tried=$((tried + 1))
        disturbed "kill:$n" train "$1" --resume --out made --max-steps 4 --quiet
        [ $code -eq 137 ] || fail "$fault: resume: exit code $code: $*"
        # goes on to the same end
        "$tool" train "$1" --resume --out made --max-steps 4 --quiet >out 2>err ||
            fail "$fault: resume: does not go on: $*: $(head -c 300 err)"
        cmp -s made/model.safetensors whole/model.safetensors || fail "$fault: resume: other weights: $*"
    done <numbers
    rm -rf ready
}

# replaced FILE ARGUMENT...: a verb that writes a file leaves it as it was or as it should be.
replaced() {
    is_of_part || return 0
    file=$1
    shift
    rm -f "$file"
    disturbed kill:0 "$@"
    [ $code -eq 0 ] || fail "undisturbed: exit code $code: $*: $(head -c 300 err)"
    read -r _ calls _ <counts
    cp "$file" should
    sample "$calls" >numbers
    while read -r n; do
        tried=$((tried + 1))
        echo before >"$file"
        cp "$file" before
        disturbed "kill:$n" "$@"
        [ $code -eq 137 ] || fail "$fault: exit code $code: $*"
        cmp -s "$file" before || cmp -s "$file" should || fail "$fault: $file is neither: $*"
    done <numbers
}

: >input
data=$UNROLL_SOURCE_DIR/tests/run/v0.1/data
small='--quiet --epochs 9 --max-steps 4 --save-every 1 --batch 4 --hidden 4 --threads 1'
for i in 1 2 3 4 5 6; do printf 'the cat\nthe dog\nthe cat sat\n'; done >texts.txt
printf 'the cat sat. a dog ran.\na dog sat. the cat ran. the end.\n' >paragraphs.txt

# shellcheck disable=SC2086
{
    kills seq2seq --data builtin:additions --size 8 --valid-size 4 --embed 4 $small
    kills tagger --data "$data/tags.txt" --embed 4 $small
    kills lm --data texts.txt --valid texts.txt --bptt 4 --tokenizer word $small
    kills bert --data paragraphs.txt --heads 2 --ffn 4 --layers 1 --positions 24 --min-freq 1 $small
    "$tool" train seq2seq --data builtin:additions --size 8 --valid-size 4 --embed 4 $small --out run >out 2>err ||
        fail "train: $(head -c 300 err)"
}
replaced average.safetensors average run --last 1 --output average.safetensors
replaced picture.svg plot run --out picture.svg
echo "tried $tried"
finish
