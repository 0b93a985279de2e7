#!/bin/sh
# A tiny training from its data to its pictures: every file is there, every verb uses them.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

# ---- a log has one line per epoch, standard output a few samples
# shellcheck disable=SC2086
run train seq2seq $tiny --out runs/a --epochs 3
[ $code -eq 0 ] || fail "train: exit code $code: $(cat err)"
[ "$(grep -c '^epoch [123]/3  loss [0-9.]*  validation [0-9.]*  accuracy .* %  [0-9,]* sequences/s  [0-9.]* s$' err)" \
    -eq 3 ] || fail "train: the log is not as expected: $(cat err)"
[ "$(tr -cd '\r\033' <err | wc -c)" -eq 0 ] || fail "train: a log with a terminal's signs"
[ "$(cut -c 1-3 out | tr -d '\n')" = 'Q: T: A: Q: T: A: Q: T: A: ' ] || fail "samples: $(cat out)"
grep -q '^T: [12][09][0-9][0-9]-[01][0-9]-[0-3][0-9]$' out || fail "samples: $(cat out)"
for file in config.json vocab.txt model.safetensors metrics.jsonl train.log \
    checkpoints/18.safetensors; do
    [ -s runs/a/$file ] || fail "runs/a/$file is missing"
done
[ "$(wc -l <runs/a/metrics.jsonl)" -eq 3 ] || fail "metrics.jsonl: $(cat runs/a/metrics.jsonl)"
[ "$(wc -l <runs/a/train.log)" -eq 3 ] || fail "train.log: $(cat runs/a/train.log)"
[ -z "$(find runs/a -name '*tmp*' -o -name '.*' -type f)" ] || fail "left behind: $(ls -aR runs/a)"

# ---- --json: the epochs on standard output, with the keys of metrics.jsonl; --quiet: nothing else
train b --epochs 2 --json
[ -s err ] && fail "--quiet: something was said: $(cat err)"
keys() {
    tr ',{' '\n\n' <"$1" | sed -n 's/^ *"\([a-z_]*\)": *.*/\1/p' | sort -u
}
keys out >a.keys
keys b/metrics.jsonl >b.keys
same a.keys b.keys
for key in epoch step train_loss valid_accuracy seconds train_seconds sequences_per_second; do
    grep -q "^$key\$" b.keys || fail "metrics.jsonl has no $key"
done
[ "$(grep -c '^{"epoch":[12],.*}$' out)" -eq 2 ] || fail "--json: $(cat out)"
train c --epochs 1
[ -s out ] && fail "--quiet: standard output has: $(cat out)"

# ---- eval
expect 0 '^accuracy  *[0-9.]* %' eval runs/a --data builtin:dates --size 60
grep -q '^pairs  *60$' out || fail "eval: $(cat out)"
expect 0 '^{"accuracy":[0-9.e-]*,.*"loss":[0-9.]*,"positions":600,"examples":60}$' \
    eval runs/a --data builtin:dates --size 60 --json
# the data it was validated with: the same figures
loss=$(sed -n '3s/.*"valid_loss": *\([0-9]\.[0-9][0-9][0-9][0-9][0-9]\).*/\1/p' runs/a/metrics.jsonl)
grep -q "\"loss\":$loss" out || fail "eval: loss is not $loss: $(cat out)"
cp out folder.json
for file in model checkpoints/18; do
    expect 0 . eval runs/a/$file.safetensors --data builtin:dates --size 60 --json
    same out folder.json
done

# ---- plot
expect 0 '^runs/a/plots/curves.svg$' plot runs/a
expect 0 '^runs/a/plots/attention.svg$' plot runs/a/ --attention 1/2/88
expect 0 '^runs/a/plots/comparison.svg$' plot runs/a b
expect 0 '^both.svg$' plot runs/a b --out both.svg
expect 0 '^{"path":"c.svg"}$' plot runs/a --out=c.svg --json
for file in runs/a/plots/curves.svg runs/a/plots/attention.svg runs/a/plots/comparison.svg \
    both.svg c.svg; do
    grep -q '</svg>' "$file" || fail "$file is no picture"
done
same c.svg runs/a/plots/curves.svg
expect 2 '--out is missing' plot runs/a/model.safetensors --attention 1/2/88
expect 0 '^one.svg$' plot runs/a/model.safetensors --attention 1/2/88 --out one.svg
expect 3 'b/model' plot b/model.safetensors --out d.svg
train none --epochs 1 --attention none
expect 1 'no attention' plot none --attention 1/2/88
[ ! -e none/plots/attention.svg ] || fail "a picture of no attention"

# ---- inspect
expect 0 '^decoder.fc.weight  *F32  *(59, 32)  *1,888  *7,552$' inspect runs/a
grep -q '"hidden_size": 16' out || fail "inspect: no configuration: $(cat out)"
expect 0 '"name":"decoder.fc.weight","dtype":"F32","shape":\[59,32\],"count":1888,"bytes":7552}' \
    inspect runs/a --json
grep -q '"configuration":{.*"hidden_size":16[,}].*}}$' out || fail "inspect --json: $(cat out)"
expect 0 '^total  *8,187  *32,748$' inspect runs/a/model.safetensors
expect 0 '"count":8187,"bytes":32748,"metadata":{.*}}$' inspect --json runs/a/model.safetensors
expect 0 'moment' inspect runs/a/checkpoints/18.safetensors

# ---- a file of one's own: tabs, real lengths, no validation
awk 'BEGIN { for (i = 1; i < 40; i++) printf "%d\tx%d\n", i, i + 1 }' >own.txt
run train seq2seq --data own.txt --out own --hidden 8 --epochs 2 --batch 8
[ $code -eq 0 ] || fail "own data: $code $(cat err)"
grep -q '^Q: 39$' out || fail "own data: no samples: $(cat out)"
grep -q '^epoch 2/2  loss [0-9.]*  [0-9,]* seq' err || fail "own data: $(cat err)"
expect 0 '"form":"ragged"' inspect own --json
expect 0 . predict own 7
expect 0 '"complete":\(true\|false\)' predict --json own 7 ''
[ "$(wc -l <out)" -eq 2 ] || fail "two questions, $(wc -l <out) answers"
expect 0 '^runs/strip/plots/curves.svg$' plot "$(train runs/strip --epochs 1 --strip && echo runs/strip)"

# ---- every way to build a model
for options in '--peeky --decoder-start hc' '--attention none --reverse-answer' \
    '--optimizer sgd --momentum 0.9 --weight-decay 0.01 --clip 1 --lr 0.1' \
    '--beta1 0.8 --beta2 0.99 --eps 1e-6' \
    '--dropout 0.2 --reverse-input --embed 5'; do
    # shellcheck disable=SC2086
    train "way$options" --epochs 1 $options
    expect 0 . predict "way$options" 1/2/88
done
config='way--beta1 0.8 --beta2 0.99 --eps 1e-6/config.json'
for value in '"beta1": 0.8,' '"beta2": 0.99,' '"eps": 1e-06'; do
    grep -q "$value" "$config" || fail "no $value in $(cat "$config")"
done
# shellcheck disable=SC2086
run train seq2seq $tiny --out with-start --epochs 1 --reverse-input --reverse-answer=with-start
[ $code -eq 0 ] || fail "with-start: $code $(cat err)"
grep -q '^A: ' out || fail "with-start: no samples: $(cat out)"
expect 0 'teacher-forced' eval with-start --data builtin:dates --size 60
expect 1 'answer' predict with-start 1/2/88

# ---- training that goes wrong
# shellcheck disable=SC2086
expect 6 'finite' train seq2seq $tiny --out infinite --epochs 9 --optimizer sgd --lr 1000 \
    --weight-decay 1000
# How large the weights were a step before is a matter of one order of sums.
[ -n "${UNROLL_TINY:-}" ] || expect 0 . predict infinite 1/2/88
if [ -z "${UNROLL_SANITIZE:-}" ]; then # sanitizers take all the addresses there are
    (
        ulimit -v 400000 2>/dev/null || exit 99
        "$tool" train seq2seq --data builtin:dates --size 100 --hidden 16384 --out large \
            --threads 1 >out 2>err
    )
    code=$?
    wanted=5
    pattern=memory
    [ $code -eq 99 ] || check_result 'too large a model'
    [ ! -e large ] || fail "too large a model: a folder was made"
fi
finish
