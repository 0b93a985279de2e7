#!/bin/sh
# What version 0.1 trained opens, answers as it did, and goes on training to the same weights: a run of
# each kind of model (tests/run/v0.1/make says how they were made, `list` what is asked of them).
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
cp -r "$UNROLL_SOURCE_DIR"/tests/run/v0.1/* .
chmod -R u+w .

# as_then FILE: what the tool just said is what 0.1 said, to the last bit where sums have its order.
as_then() {
    if [ $code -ne 0 ]; then
        fail "$1: exit code $code: $(head -c 300 err)"
    elif [ -n "${UNROLL_TINY:-}" ]; then
        skipped="bytes are not compared: in this build sums have another order"
    elif ! cmp -s out "expected/$1"; then
        fail "$1 was, and is now: $(diff "expected/$1" out | head -n 12)"
    fi
}

# The same of an evaluation, whose words and lines may be others: 0.1's measures in their order.
measures_as_then() {
    grep -o '[0-9][0-9]*\.[0-9][0-9]*' "expected/$1" >wanted
    grep -o '[0-9][0-9]*\.[0-9][0-9]*' out >found
    if [ $code -ne 0 ]; then
        fail "$1: exit code $code: $(head -c 300 err)"
    elif [ -n "${UNROLL_TINY:-}" ]; then
        skipped="bytes are not compared: in this build sums have another order"
    elif [ ! -s wanted ] ||
        ! awk 'NR == FNR { want[++n] = $0; next } $0 == want[at + 1] { at++ } END { exit at < n }' \
            wanted found; then
        fail "$1 was: $(cat "expected/$1") and is now: $(cat out)"
    fi
}

opened=0
skipped=
while read -r name kind epochs verb data input; do
    case $name in '' | '#'*) continue ;; esac
    opened=$((opened + 1))
    folder=runs/$name
    run eval "$folder" --data "$data"
    measures_as_then "$name.eval"
    if [ "$verb" = predict ]; then
        printf '%s\n' "$input" | tr '|' '\n' >texts
        run predict "$folder" - <texts
        as_then "$name.predict"
    elif [ "$verb" = generate ]; then
        run generate "$folder" --prompt "$input" --tokens 12 --temperature 1
        as_then "$name.generate"
    fi
    for file in "$folder"/checkpoints/*.safetensors; do
        expect 0 . inspect "$file"
    done
    run train "$kind" --out "$folder" --resume --epochs "$epochs" --threads 2 --quiet
    [ $code -eq 0 ] || fail "$name does not go on: exit code $code: $(head -c 300 err)"
    last=$(tail -n 1 "$folder/metrics.jsonl")
    case $last in
    *"\"epoch\": $epochs,"*) ;;
    *) fail "$name went on to: $last" ;;
    esac
    "$UNROLL_TENSORS" "$folder/model.safetensors" >out 2>err
    code=$?
    as_then "$name.tensors"
done <list
[ -z "$skipped" ] || echo "$skipped"
[ $opened -ge 8 ] || fail "list names $opened runs"
finish
