#!/bin/sh
# unroll train lm, eval and generate: from a text file to a model that writes; the same bytes however
# the training went; what is wrong with texts and prompts.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors

i=0
while [ $i -lt 40 ]; do
    echo "the quick brown fox jumps over the lazy dog, and $((i % 7)) more."
    i=$((i + 1))
done >text
head -n 9 text >valid

# lm FOLDER ARGUMENT...: a small training, which takes a moment.
lm() {
    folder=$1
    shift
    run train lm --data text --hidden 24 --batch 8 --bptt 10 --lr 0.02 --out "$folder" "$@"
    if [ $code -ne 0 ]; then
        fail "train lm $folder $*: exit code $code: $(head -c 2000 err)"
        finish
    fi
}

lm run --epochs 8 --valid valid --sample-prompt 'the quick'
grep -q '^2,[0-9]* tokens to learn, 5[0-9]* to validate; [0-9]* different tokens, ' err ||
    fail "train lm: no line about the text: $(cat err)"
grep -q '^epoch 8/8  loss [0-9.]*  perplexity [0-9.]*  validation [0-9.]*  [0-9,]* tokens/s' err ||
    fail "train lm: no line with perplexities: $(cat err)"
grep -q '^the quick brown fox' out || fail "train lm: the sample is: $(cat out)"
[ "$(wc -l <run/metrics.jsonl)" -eq 8 ] || fail "train lm: not an entry an epoch"
for key in train_perplexity valid_perplexity tokens_per_second; do
    grep -q "\"$key\": [0-9]" run/metrics.jsonl || fail "metrics.jsonl: no $key"
done

# perplexity of a text: what the last epoch measured
expect 0 '^perplexity  *[0-9.]*  *per character$' eval run --data valid
measured=$(sed -n 's/.*"valid_perplexity": \([0-9.]*\).*/\1/p' run/metrics.jsonl | tail -n 1)
run eval run --data valid --json
again=$(sed -n 's/.*"perplexity":\([0-9.]*\).*/\1/p' out)
awk "BEGIN { exit !($measured - $again < 1e-6 && $again - $measured < 1e-6) }" ||
    fail "eval: perplexity $again, the training measured $measured"
grep -q '"bits":[0-9]' out || fail "eval --json: no bits: $(cat out)"

# the picture's axis says what the perplexity is told of
expect 0 'curves.svg$' plot run
grep -q '>perplexity per character</text>' run/plots/curves.svg || fail "curves.svg: no unit"
lm split --epochs 1 --tokenizer word
expect 0 'curves.svg$' plot split
grep -q '>perplexity per word</text>' split/plots/curves.svg || fail "curves.svg: not per word"
expect 0 '^both.svg$' plot run split --out both.svg
grep -q '>perplexity</text>' both.svg || fail "both.svg: a unit that is not everybody's"

# writing
expect 0 '^the quick brown fox jumps' generate run --prompt 'the quick' --tokens 20
[ "$(wc -c <out)" -eq 30 ] || fail "generate: $(wc -c <out) bytes, expected 9 + 20 and a line feed"
run generate run --prompt 'the quick' --tokens 5 --json
[ "$(grep -c '^{"id":[0-9]*,"token":".*","text":".*","log_probability":-[0-9.e-]*}$' out)" -eq 5 ] ||
    fail "generate --json: $(cat out)"
expect 0 . generate run --tokens 40 --temperature 1.5 --seed 3
cp out drawn
run generate run --tokens 40 --temperature 1.5 --seed 3 --threads 2
same out drawn
run generate run/$weights --tokens 40 --temperature 1.5 --seed 3
same out drawn
run generate run --tokens 40 --temperature 1.5 --seed 4
cmp -s out drawn && fail "another seed draws the same text"
run generate run --tokens 40 --temperature 1.5 --top-k 1
cp out first
run generate run --tokens 40
same out first

# the best of several continuations; the older name of --max-tokens
expect 0 '^the quick' generate run --prompt 'the quick' --max-tokens 20 --beam 3
[ "$(wc -c <out)" -eq 30 ] || fail "--beam: $(cat out)"
expect 0 '^ brown	-[0-9.]*$' generate run --prompt 'the quick' --tokens 6 --beam 3 --n-best 2
[ "$(wc -l <out)" -eq 3 ] || fail "--n-best 2: $(cat out)"
run generate run --prompt 'the quick' --tokens 6 --beam 2 --json
grep -q '^{"input":"the quick","text":" brown","log_probability":-' out || fail "--beam --json: $(cat out)"
expect 0 '^ brown$' predict run 'the quick' --max-tokens 6

# words: unknown ones are named
lm words --epochs 3 --tokenizer word-punct --lower --min-freq 6 --tied --quiet
[ ! -s out ] || fail "--quiet prints a sample"
expect 0 '^the <unk>' generate words --prompt 'The Zebra' --tokens 30 --temperature 3
[ "$(grep -o '<unk>' out | wc -l)" -eq 1 ] || fail "generate writes <unk>: $(cat out)"
grep -q "1 of the prompt's tokens are unknown to the model and read as <unk>: 'Zebra'" err ||
    fail "generate: the unknown word is not named: $(cat err)"
expect 0 . generate words --prompt '' --tokens 5 --top-p 0.9
expect 2 'does not go with --temperature' generate words --greedy --temperature 1

# what the text that was learned does not contain is never written, whatever is drawn
{ for i in 1 2 3 4 5 6 7 8 9; do printf 'abba baba bab abab '; done; printf 'zzzz\n'; } >half
lm never --data half --max-tokens 100 --epochs 1 --batch 2 --bptt 5 --quiet
grep -q '"unseen": "0,' never/config.json || fail "unseen: $(cat never/config.json)"
expect 0 . generate never --temperature 50 --tokens 400 --quiet
! grep -q z out || fail "generate writes what it never learned: $(cat out)"
grep -q a out || fail "generate writes: $(cat out)"

# resumed is what was not interrupted
lm whole --epochs 3 --layers 2 --embed 7 --dropout 0.2 --threads 1
lm part --epochs 3 --layers 2 --embed 7 --dropout 0.2 --max-steps 31
run train lm --out part --resume --threads 2 --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
same whole/$weights part/$weights

# both ways: says what it is, and does not generate
lm both --epochs 1 --bidirectional --cell gru --sampling random
grep -q 'a bidirectional model cannot generate' err || fail "--bidirectional says nothing"
expect 1 'a bidirectional model cannot generate' generate both --prompt the

# what is no run, no text, too little of it
expect 3 'missing' generate missing --prompt x
expect 3 'missing' eval run --data missing
printf 'x' >one
expect 3 'a text of 1 token has nothing that follows' eval run --data one
printf 'a \303\251 b' >other
refused() {
    expect 3 "$1" train lm --data "$2" --out o --hidden 8
    [ ! -e o ] || fail "$2: a run folder was made"
}
refused 'one batch of 16 windows of 35 steps takes' other
refused 'missing.txt' missing.txt
: >empty
refused 'empty' empty
printf '\377' >bytes
refused 'UTF-8' bytes
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "x" }' >same
refused 'one and the same token 3000 times' same
expect 3 'an empty file' train lm --data text --valid empty --out o
expect 3 'a part of 0.0001 of .* tokens is not enough' train lm --data text --valid-split 1e-4 --out o
[ ! -e o ] || fail "a run folder was made"

# a run of another kind
train pairs --epochs 1
expect 1 'pairs is a seq2seq, which does not write texts' generate pairs --prompt x
expect 3 'pairs holds a seq2seq, which unroll train lm does not train' \
    train lm --out pairs --resume
finish
