#!/bin/sh
# Runs from anywhere: paths as they are recorded, data that moved, presets, what is overwritten, how long
# a training goes on, which weights answer, and what is said about a training that learned nothing.
. "$(dirname "$0")/lib.sh"

config() { # FOLDER KEY VALUE
    grep -q "\"$2\": $3,*\$" "$1/config.json" || fail "$1: $2 is not $3: $(grep "\"$2\"" "$1/config.json")"
}

# ---- a resume from another folder, with data that has another name now
printf 'ab\tcd\nba\tdc\nbb\tdd\n' >one.tsv
run train seq2seq --data one.tsv --out run --hidden 4 --epochs 3 --quiet
[ "$code" -eq 0 ] || fail "train: $(cat err)"
cp -r run straight
(cd / && "$tool" train seq2seq --out "$work/straight" --resume --epochs 6 --quiet >/dev/null) ||
    fail "a resume from another folder"
mkdir moved
mv one.tsv moved/two.tsv
expect 3 'one.tsv is not there any more, .*; --data FILE says where it is now' \
    train seq2seq --out run --resume --epochs 6
printf 'ab\tcd\nba\tdc\nbb\tcc\n' >other.tsv
expect 3 'not the data this run began with' train seq2seq --out run --resume --data other.tsv
run train seq2seq --out run --resume --data moved/two.tsv --epochs 6 --quiet
[ "$code" -eq 0 ] || fail "a resume with moved data: $(cat err)"
cmp -s run/model.safetensors straight/model.safetensors || fail "moved data gives another model"
grep -q '^resumed after step 3:  epochs 6 instead of 3  the data is now moved/two.tsv$' run/train.log ||
    fail "train.log: $(cat run/train.log)"
config run data "\"$work/moved/two.tsv\""

# ---- another learning rate on the way
run train seq2seq --out run --resume --lr 1e-4 --epochs 7 --quiet
[ "$code" -eq 0 ] || fail "--resume --lr: $(cat err)"
grep -q 'epochs 7 instead of 6  lr 0.0001 instead of 0.004' run/train.log ||
    fail "train.log: $(cat run/train.log)"
config run lr 0.0001
tail -n 1 run/metrics.jsonl | grep -q '"lr": 0.0001,' || fail "the rate is not 1e-4"

# ---- a run is removed when that is asked for, and only after the data was read
expect 3 'already holds a run' train seq2seq --data moved/two.tsv --out run --epochs 1
expect 3 'cannot open none.tsv' train seq2seq --data none.tsv --out run --epochs 1 --overwrite
[ -s run/model.safetensors ] || fail "--overwrite removed a run before it had another"
run train seq2seq --data moved/two.tsv --out run --hidden 4 --epochs 2 --overwrite --quiet
[ "$code" -eq 0 ] || fail "--overwrite: $(cat err)"
[ "$(wc -l <run/metrics.jsonl)" -eq 2 ] || fail "--overwrite keeps metrics"
[ "$(ls run/checkpoints | tr '\n' ' ')" = '1.safetensors 2.safetensors ' ] ||
    fail "--overwrite keeps checkpoints: $(ls run/checkpoints)"

# ---- presets; what is given stays
few='--data builtin:dates --size 60 --valid-size 20 --max-steps 1 --quiet'
# shellcheck disable=SC2086
run train seq2seq $few --preset notes --out notes
config notes hidden_size 128
config notes batch 256
config notes epochs 30
config notes lr 0.0002
config notes clip 0.0
# shellcheck disable=SC2086
run train seq2seq $few --preset book --hidden 8 --out book
config book hidden_size 8
config book batch 128
config book lr 0.001
config book clip 5.0
grep -q '"reverse_input": true' book/config.json || fail "--preset book reads from the start"
printf 'The Time Machine, by H. G. Wells. %0400d\nso it goes\n' 1 | sed 's/0/a b /g' >text
run train lm --data text --preset book --epochs 1 --batch 2 --bptt 5 --hidden 8 --out time --quiet
[ "$code" -eq 0 ] || fail "lm --preset book: $(cat err)"
config time optimizer '"sgd"'
config time lr 1.0
run train lm --data text --context 2 --preset notes --epochs 1 --hidden 4 --out next --quiet
config next output_from '"gate"'
expect 2 "there is no preset 'poem'; there is: notes, book" train seq2seq $few --preset poem --out x

# ---- a part of the data to validate with, the same after a resume
for i in 1 2 3 4 5 6 7 8; do printf 'a%s\tb%s\n' $i $i; done >eight.tsv
run train seq2seq --data eight.tsv --valid-split 0.25 --hidden 4 --epochs 4 --out split
grep -q '^6 pairs to learn, 2 to validate; ' err || fail "--valid-split: $(head -1 err)"
run train seq2seq --data eight.tsv --valid-split 0.25 --hidden 4 --epochs 2 --out halves --quiet
run train seq2seq --out halves --resume --epochs 4 --quiet
cmp -s split/model.safetensors halves/model.safetensors || fail "--valid-split is another one later"
printf 'up\tgo on\ndown\tgo off\nup\tcome on\ndown\tturn off\n' >four
run train classifier --data four --valid-split 0.5 --hidden 4 --epochs 1 --out kinds
grep -q '^2 texts to learn, 2 to validate; ' err || fail "classifier --valid-split: $(head -1 err)"
expect 3 'one side would be empty' train seq2seq --data eight.tsv --valid-split 0.99 --out x
expect 3 'two ways' train seq2seq --data eight.tsv --valid-split 0.5 --valid four --out x
expect 3 'two ways' train seq2seq --data builtin:dates --size 9 --valid-split 0.5 --out x

# ---- minutes: as many steps as fit, recorded, and at least one
run train seq2seq --data moved/two.tsv --hidden 4 --minutes 1e-7 --out short --quiet
[ "$code" -eq 0 ] || fail "--minutes: $(cat err)"
config short epochs 1
[ "$(wc -l <short/metrics.jsonl)" -eq 1 ] || fail "--minutes 1e-7 took more than one epoch"
config short steps 1
expect 2 'two ways' train seq2seq --data moved/two.tsv --minutes 1 --epochs 3 --out x
expect 2 'two ways' train seq2seq --data moved/two.tsv --minutes 1 --steps 3 --out x

# ---- the best weights answer, and it is said; --last takes the others
printf 'aa\tb\nab\tb\nba\tb\nbb\tb\n' >train.tsv
printf 'aa\ta\nbb\ta\n' >valid.tsv
run train seq2seq --data train.tsv --valid valid.tsv --out best --hidden 8 --batch 2 --lr 1e-2 --epochs 12
[ "$code" -eq 0 ] || fail "train: $(cat err)"
run predict best aa
grep -q '^unroll: best: the weights of epoch [1-9], which had the least validation loss' err ||
    fail "whose weights is not said: $(cat err)"
run predict best aa --last
[ ! -s err ] || fail "--last says: $(cat err)"
run predict best aa --quiet
[ ! -s err ] || fail "--quiet says: $(cat err)"
run eval best --data valid.tsv
cp out best-eval
run eval best --data valid.tsv --last
cmp -s out best-eval && fail "eval --last is eval"

# ---- a training that learned nothing
run train seq2seq --data train.tsv --valid valid.tsv --out nothing --hidden 4 --lr 1e-9 --epochs 3
grep -q '^unroll: the training loss did not fall: [0-9.]* after the first epoch, [0-9.]* after the last$' err ||
    fail "nothing is said: $(cat err)"
grep -q '^unroll: what to try: another --lr (it was 1e-09; ' err || fail "no advice: $(cat err)"
finish
