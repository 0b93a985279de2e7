#!/bin/sh
# The mean of checkpoints: of one it is that one, of two each weight lies between; it opens alone.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
train run --epochs 4 --save-every 1 --keep 3
[ "$(find run/checkpoints -name '*.safetensors' | wc -l)" -eq 3 ] || fail "--keep 3: $(ls run/checkpoints)"
expect 0 'run/average.safetensors: the mean of 1 checkpoint$' average run --last 1
"$tool" predict run/average.safetensors 1/2/88 >averaged || fail "average.safetensors does not open"
newest=$(find run/checkpoints -name '*.safetensors' | sed 's|.*/||' | sort -n | tail -1)
"$tool" predict "run/checkpoints/$newest" 1/2/88 >last
same averaged last
expect 0 'mean.safetensors: the mean of 3 checkpoints$' average run --last 3 --output mean.safetensors
expect 0 'loss' eval mean.safetensors --data builtin:dates --size 20
cmp -s mean.safetensors run/average.safetensors && fail "the mean of 3 is that of 1"
expect 0 . average run --last 3 --output again.safetensors --threads 3
same mean.safetensors again.safetensors
expect 3 'has 3 checkpoints, the mean of 4 was asked for' average run --last 4
expect 3 'a file of weights has no checkpoints' average run/model.safetensors
expect 2 'run is missing' average

# ---- the best ones by validation: training data and validation data contradict each other, so these are early
printf 'aa\tb\nab\tb\nba\tb\nbb\tb\n' >train.txt
printf 'aa\ta\nbb\ta\n' >valid.txt
best='--data train.txt --valid valid.txt --hidden 8 --batch 2 --lr 0.01 --save-every 1 --quiet'
# shellcheck disable=SC2086
run train seq2seq $best --epochs 12 --keep 1 --keep-best 3 --out best
[ "$code" -eq 0 ] || fail "--keep-best: $(cat err)"
sed -n 's/.*"step": *\([0-9]*\),.*"valid_loss": *\([0-9.e-]*\),.*/\2 \1/p' best/metrics.jsonl >losses
[ "$(wc -l <losses)" -eq 12 ] || fail "metrics: $(cat best/metrics.jsonl)"
(sort -g losses | head -3; tail -1 losses) | cut -d' ' -f2 | sort -n | uniq >wanted
find best/checkpoints -name '*.safetensors' | sed 's|.*/||; s|[.].*||' | sort -n >kept
same wanted kept
# a stop and a resume keep the same ones
# shellcheck disable=SC2086
run train seq2seq $best --epochs 12 --keep 1 --keep-best 3 --max-steps 9 --out stopped
run train seq2seq --out stopped --resume --quiet
find stopped/checkpoints -name '*.safetensors' | sed 's|.*/||; s|[.].*||' | sort -n >again
same kept again
expect 0 'best/average.safetensors: the mean of 1 checkpoint$' average best --best 1
"$tool" eval best/average.safetensors --data valid.txt --json >averaged 2>err
"$tool" eval best --data valid.txt --json >one 2>err
same averaged one # which best.safetensors has
expect 0 'the mean of 3 checkpoints$' average best --best 3 --output three.safetensors
cmp -s three.safetensors best/average.safetensors && fail "the mean of the best 3 is the best one"
expect 3 'that were validated, the mean of 9 was asked for' average best --best 9
expect 3 'has 3 checkpoints that were validated\|has 4 checkpoints that were validated' average best --best 8
expect 2 'two ways' average best --best 2 --last 2
expect 3 'keep_best goes by validation data' train seq2seq --data train.txt --keep-best 2 --out no
# by a figure of which more is better
# shellcheck disable=SC2086
run train seq2seq $best --epochs 4 --keep 1 --keep-best 1 --best-by forced_accuracy --out by
expect 0 '"unroll.valid":"forced_accuracy=' inspect by/checkpoints/"$(find by/checkpoints -name '*.safetensors' |
    sed 's|.*/||' | sort -n | head -1)" --json
expect 2 'last' average run --last 0
finish
