#!/bin/sh
# Steps of several batches: the same bytes when a training is stopped and goes on, with any number of
# threads, and other bytes than steps of one batch; the rate that falls by inverse square roots.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
options='--accumulate 4 --dropout 0.2 --epochs 3 --schedule inverse_sqrt --warmup 2'
# shellcheck disable=SC2086
train whole $options --threads 1
# shellcheck disable=SC2086
train part $options --threads 2 --max-steps 3
grep -q '"step": *3\b' part/metrics.jsonl || fail "3 steps are one epoch and a half"
run train seq2seq --out part --resume --max-steps 6 --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
same whole/$weights part/$weights
train single --epochs 3 --dropout 0.2
cmp -s whole/$weights single/$weights && fail "--accumulate changes nothing"
expect 2 'accumulate' train seq2seq --out bad --data builtin:dates --accumulate x
expect 2 'warm-up' train seq2seq --out bad --data builtin:dates --schedule inverse_sqrt
finish
