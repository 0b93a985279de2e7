#!/bin/sh
# A Transformer as a language model: trained, gone on with, measured, written with beyond its window; the
# same bytes whatever the instruction set, the threads and where a training stopped.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors

i=0
while [ $i -lt 60 ]; do
    echo "the quick brown fox jumps over the lazy dog, and $((i % 7)) more."
    i=$((i + 1))
done >text
head -n 9 text >valid

# lm FOLDER ARGUMENT...: a small training, which takes a moment.
lm() {
    folder=$1
    shift
    run train lm --data text --model transformer --hidden 32 --layers 2 --heads 2 --bptt 24 \
        --batch 8 --lr 0.01 --out "$folder" "$@"
    [ $code -eq 0 ] || { fail "train lm $folder $*: exit code $code: $(head -c 2000 err)"; finish; }
}

lm run --epochs 30 --valid valid --sample-prompt 'the quick'
grep -q '^epoch 30/30  loss [0-9.]*  perplexity [0-9.]*  validation [0-9.]*  [0-9,]* tokens/s' err ||
    fail "no line with perplexities: $(cat err)"
grep -q '^the quick brown fox' out || fail "the sample is: $(cat out)"
grep -q '"network": "transformer"' run/config.json || fail "config.json: $(cat run/config.json)"
expect 0 . plot run
[ -s run/plots/curves.svg ] || fail "no curves: $(ls run/plots)"

# perplexity of a text: what the last epoch measured
measured=$(sed -n 's/.*"valid_perplexity": \([0-9.]*\).*/\1/p' run/metrics.jsonl | tail -n 1)
run eval run --data valid --json --last
again=$(sed -n 's/.*"perplexity":\([0-9.]*\).*/\1/p' out)
awk "BEGIN { exit !($measured - $again < 1e-6 && $again - $measured < 1e-6 && $again < 1.5) }" ||
    fail "eval: perplexity $again, the training measured $measured"
for threads in 1 2 3; do
    on_plain expect 0 "$again" eval run --data valid --json --last --threads $threads
done

# writing: far beyond the window, drawn and searched, alike everywhere
expect 0 '^the quick brown fox jumps over the lazy dog' generate run --prompt 'the quick' --greedy \
    --tokens 300
[ "$(wc -c <out)" -ge 309 ] || fail "generate: $(wc -c <out) bytes"
[ "$(grep -c 'quick brown fox jumps over the lazy dog, and' out)" -ge 3 ] ||
    fail "beyond the window: $(cat out)"
for options in '--temperature 1.5 --seed 3' '--beam 3 --n-best 2' '--greedy'; do
    # shellcheck disable=SC2086
    expect 0 . generate run --prompt 'lazy' --tokens 60 $options --threads 1
    cp out first
    # shellcheck disable=SC2086
    on_plain expect 0 . generate run --prompt 'lazy' --tokens 60 $options --threads 3
    same out first
done
expect 0 . generate run --prompt '' --tokens 5
run generate run --prompt "$(cat valid)" --greedy --tokens 20 # longer than the window
[ $code -eq 0 ] || fail "a long prompt: $(cat err)"
expect 0 '^ brown fox$' predict run 'the quick' --max-tokens 10
printf '%s\n' 'the quick' 'fox' >prompts
"$tool" predict run --max-tokens 30 - <prompts >together
while read -r line; do "$tool" predict run --max-tokens 30 "$line"; done <prompts >alone
same together alone

# words; resumed is what was not interrupted; the same bytes on every machine
options='--tokenizer word-punct --dropout 0.2 --epochs 4 --activation relu --ffn 40 --quiet'
# shellcheck disable=SC2086
lm whole $options --threads 1
# shellcheck disable=SC2086
lm part $options --max-steps 7
run train lm --out part --resume --threads 2 --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
same whole/$weights part/$weights
# shellcheck disable=SC2086
on_plain lm plain $options --threads 3
same whole/$weights plain/$weights
expect 0 . generate whole --prompt 'the quick' --tokens 40

# the preset; what does not go together
run train lm --data text --preset transformer --bptt 24 --batch 4 --max-steps 2 --out preset --quiet
[ $code -eq 0 ] || fail "--preset transformer: $(cat err)"
grep -q '"layers": 4' preset/config.json || fail "--preset transformer: $(cat preset/config.json)"
for option in '--cell gru' '--tied' '--embed 4' '--sampling random' '--bidirectional' '--one-hot'; do
    # shellcheck disable=SC2086
    expect 2 . train lm --data text --out bad --model transformer $option
    grep -q 'belongs to\|does not go' err || fail "$option: $(cat err)"
done
expect 2 '--heads belongs to' train lm --data text --out bad --heads 2
expect 2 'do not divide' train lm --data text --out bad --model transformer --heads 3
expect 2 'cannot be none' train lm --data text --out bad --model transformer --activation none
expect 3 'one batch of 16 windows' train lm --data text --out bad --model transformer --bptt 4000
[ ! -e bad ] || fail "a run folder was made"
finish
