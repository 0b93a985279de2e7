#!/bin/sh
# Names of files are any bytes: what a run was trained with is found again by a resume.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

name=$(printf 'p\377\303(\357\277\275"\\')
"$tool" train seq2seq --data builtin:additions --size 20 --valid-size 5 --hidden 4 --embed 4 --epochs 1 --quiet \
    --out first >/dev/null 2>err || fail "$(cat err)"
printf 'ab\tba\nabc\tcba\nb\tb\n' >"$name"
for folder in run "$(printf 'r\200')"; do
    run train seq2seq --data "$name" --valid "$name" --init-from first --own-vocabulary --hidden 4 --embed 4 \
        --epochs 1 --quiet --out "$folder"
    [ $code -eq 0 ] || fail "training: exit code $code: $(cat err)"
    grep -q 'p\\udcff\\udcc3(' "$folder/config.json" || fail "config.json has: $(grep '"data"' "$folder/config.json")"
    run train seq2seq --resume --out "$folder" --epochs 2 --quiet
    [ $code -eq 0 ] || fail "resuming: exit code $code: $(cat err)"
    run predict "$folder" ab
    [ $code -eq 0 ] || fail "predicting: exit code $code: $(cat err)"
done
finish
