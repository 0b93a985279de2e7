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

# measured_as_then FILE: the same of what eval said; of the lines before the first blank one, which it
# words in another way and has more of now, the names and numbers that 0.1 had.
figures() {
    sed -n '/^$/q; s/^\(macro \)\{0,1\}\([A-Za-z0-9-]*\)  *\([0-9.,]*\).*/\2 \3/p' "$1" |
        sort
}
measured_as_then() {
    cp out said
    figures said >now
    figures "expected/$1" >earlier
    comm -23 earlier now >lost
    [ ! -s lost ] || [ -n "${UNROLL_TINY:-}" ] || fail "$1: is now another: $(cat lost)"
    [ -s earlier ] || fail "$1: no figures"
    sed '1,/^$/d' "expected/$1" >earlier
    sed '1,/^$/d' said >out
    cmp -s earlier out || [ -n "${UNROLL_TINY:-}" ] || fail "$1: another table: $(diff earlier out)"
}

opened=0
skipped=
while read -r name kind epochs verb data input; do
    case $name in '' | '#'*) continue ;; esac
    opened=$((opened + 1))
    folder=runs/$name
    case $kind in
    tagger | classifier) run eval "$folder" --data "$data" --confusion ;;
    *) run eval "$folder" --data "$data" ;;
    esac
    [ $code -eq 0 ] || fail "$name.eval: exit code $code: $(head -c 300 err)"
    measured_as_then "$name.eval"
    if [ "$verb" = predict ]; then
        printf '%s\n' "$input" | tr '|' '\n' >texts
        run predict "$folder" - <texts
        as_then "$name.predict"
    elif [ "$verb" = generate ]; then
        run generate "$folder" --prompt "$input" --tokens 12 --greedy
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
