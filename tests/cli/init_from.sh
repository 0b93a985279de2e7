#!/bin/sh
# --init-from and --freeze: the options, the vocabulary and the weights of a run come along; what was
# interrupted becomes what it would have become, without the run it started from.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

awk 'BEGIN { for (i = 0; i < 120; i++) printf "the %s man sees the %s dog\n", \
    i % 3 ? "old" : "young", i % 2 ? "black" : "white" }' >first.txt
awk 'BEGIN { for (i = 0; i < 60; i++) printf "the %s man sees the %s %s\n", \
    i % 3 ? "old" : "young", i % 2 ? "black" : "white", i % 5 ? "dog" : "cat" }' >second.txt
small='--tokenizer word --cell gru --layers 2 --hidden 12 --embed 6 --epochs 12 --lr 0.02 --bptt 5 --batch 4'
# shellcheck disable=SC2086
run train lm --data first.txt --out first $small --quiet
[ "$code" -eq 0 ] || fail "train: $(cat err)"

# the options of the model are those of the run, unless they are given
run train lm --data second.txt --out second --init-from first --epochs 3 --bptt 4 --batch 4
[ "$code" -eq 0 ] || fail "--init-from: $(cat err)"
for line in '"cell": "gru"' '"layers": 2' '"hidden_size": 12' '"bptt": 4' '"epochs": 3' '"tokenizer": "word"' \
    "\"init_from\": \"$work/first\""; do
    grep -q "$line" second/config.json || fail "no $line in $(cat second/config.json)"
done
cmp first/vocab.txt second/vocab.txt || fail "another vocabulary"
grep -q '^unroll: first/model.safetensors: 11 tensors to start with, and the vocabulary$' err ||
    fail "tensors: $(cat err)"
grep -q '^unroll: the vocabulary that came with the weights lacks 12 tokens of the data' err || fail "unknown: $(cat err)"
run train lm --data second.txt --out drawn --tokenizer word --cell gru --layers 2 --hidden 12 --embed 6 \
    --epochs 1 --bptt 4 --batch 4 --json --quiet
loss() {
    sed -n '1s/.*"train_loss": *\([0-9.]*\).*/\1/p' "$1"
}
awk -v a="$(loss second/metrics.jsonl)" -v b="$(loss drawn/metrics.jsonl)" 'BEGIN { exit !(a < 0.7 * b) }' ||
    fail "a start from weights is no better: $(loss second/metrics.jsonl), drawn $(loss drawn/metrics.jsonl)"

# a stop, a resume from elsewhere, without the first run
run train lm --data second.txt --out part --init-from first --epochs 3 --bptt 4 --batch 4 \
    --freeze 'embed.*,gru.weight*' --max-steps 7 --quiet
run train lm --data second.txt --out whole --init-from first --epochs 3 --bptt 4 --batch 4 \
    --freeze 'embed.*,gru.weight*' --threads 1
grep -q '^unroll: 5 of 11 parameters are frozen$' err || fail "frozen: $(cat err)"
mv first moved
run train lm --out part --resume --quiet
[ "$code" -eq 0 ] || fail "resume: $(cat err)"
same part/model.safetensors whole/model.safetensors
mv moved first
cmp -s whole/model.safetensors second/model.safetensors && fail "--freeze changes nothing"

# vocabularies of one's own
run train lm --data second.txt --out own --init-from first --own-vocabulary --epochs 1 --bptt 4 --batch 4
grep -q '^unroll: first/model.safetensors: 10 of the 11 symbols are known there' err || fail "own: $(cat err)"
cmp -s first/vocab.txt own/vocab.txt && fail "--own-vocabulary: the same vocabulary"
expect 0 . generate own --prompt 'the old' --max-tokens 5

# ---- what is refused
expect 3 'gru.weight_ih_l0 is (36,6) there, but (60,6) in this model' \
    train lm --data second.txt --out no --init-from first --hidden 20
expect 3 'lstm.weight_ih_l0' train lm --data second.txt --out no --init-from first --cell lstm --freeze 'lstm.x'
expect 3 "matches 'encoder" train lm --data second.txt --out no --init-from first --freeze 'encoder.*'
expect 3 'nothing to be trained' train lm --data second.txt --out no --init-from first --freeze '*'
expect 3 'nowhere' train lm --data second.txt --out no --init-from nowhere
printf '\200\002}q' >other.pt
expect 3 'other.pt' train lm --data second.txt --out no --init-from other.pt
expect 2 'belongs to --init-from' train lm --data second.txt --out no --own-vocabulary
expect 2 '--init-from does not go with --resume' train lm --out whole --resume --init-from first
[ ! -e no ] || fail "a run was begun"
finish
