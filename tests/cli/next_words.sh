#!/bin/sh
# Next-word models: trained with --context, measured, asked for the next word; and what is refused.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
awk 'BEGIN { n = split("one two three four five six seven", w)
    for (i = 0; i < 40; i++) print w[1 + i * i % n], "bottles of beer on the wall",
        i % 3 ? "and now" : "down falls", w[1 + (i + 1) * (i + 1) % n] }' >text
tail -n 8 text >valid
small='--data text --hidden 16 --batch 32 --lr 2e-2 --context 5'

# shellcheck disable=SC2086
run train lm $small --epochs 8 --valid valid --out model
[ $code -eq 0 ] || fail "training: $code $(cat err)"
grep -q 'words to learn, 83 to validate; [0-9]* different words, ' err || fail "no beginning: $(cat err)"
grep -q 'validation [0-9.]*  accuracy *[0-9.]* %' err || fail "no figures: $(cat err)"
[ "$(grep -c '^Q: [^ ]* [^ ]* [^ ]* [^ ]* [^ ]*$' out)" -eq 5 ] || fail "no samples: $(cat out)"
[ "$(grep -c '^[TA]: [^ ]*$' out)" -eq 10 ] || fail "no answers: $(cat out)"
grep -q '"train_perplexity": [0-9.]*, .*"valid_perplexity": [0-9.]*.*"valid_accuracy": ' \
    model/metrics.jsonl || fail "metrics: $(cat model/metrics.jsonl)"

expect 0 '^perplexity  *[0-9.]*  *per word$' eval model --data valid
grep -q '^words  *83$' out || fail "83 words have 5 before them: $(cat out)"
expect 0 '^{"perplexity":[0-9.]*,"bits":[0-9.]*,"accuracy":0.[0-9]*,"loss":[0-9.]*,"positions":83,"examples":83}$' \
    eval model --data valid --json

expect 0 '^wall$' predict model 'bottles of beer on the'
expect 0 '^the$' predict model 'whatever comes first: two bottles of beer on'
expect 0 '^wall$' predict model/model.safetensors 'bottles of beer on the'
printf 'bottles of beer on the\nof beer on the wall\n' >asked
run predict model - <asked
[ $code -eq 0 ] && [ "$(wc -l <out)" -eq 2 ] || fail "lines: $code $(cat out err)"
expect 0 '^{"input":"bottles of beer on the","text":"wall",.*"tokens":\[{"token":"wall","probability":0.[0-9]*}\],"alternatives":\[{"text":"wall",.*\],"unknown":0}$' \
    predict model --json --n-best 10 'bottles of beer on the'
expect 3 'text 2: the text has 3 words, but the model predicts from the 5 before' \
    predict model 'bottles of beer on the' 'beer on the'
[ "$(cat out)" = "$(printf 'wall\n\n')" ] && [ "$(wc -l <out)" -eq 2 ] || fail "what can be answered is answered: $(cat out)"
run predict model 'a b c on the'
[ $code -eq 0 ] && grep -q '^unroll: 3 tokens, in 1 of 1 text, are unknown to the model and read as <unk>$' err || fail "unknown: $(cat err)"
expect 1 'does not write texts' generate model

# several layers, whose states go with the run: stopped and resumed it is the same
stack='--layers 2 --one-hot --bias-init one --output-from gate --epochs 2 --quiet'
# shellcheck disable=SC2086
run train lm $small $stack --out whole
[ $code -eq 0 ] || fail "whole: $code $(cat err)"
# shellcheck disable=SC2086
run train lm $small $stack --out stopped --max-steps 15
[ $code -eq 0 ] || fail "stopped: $code $(cat err)"
run train lm --out stopped --resume --quiet
[ $code -eq 0 ] || fail "resume: $code $(cat err)"
same whole/model.safetensors stopped/model.safetensors

# shellcheck disable=SC2086
expect 2 'does not go with --context' train lm $small --cell gru --out bad
# shellcheck disable=SC2086
expect 2 'does not go with --context' train lm $small --bptt 35 --out bad
expect 2 'goes with --context alone' train lm --data text --bias-init one --out bad
expect 2 'context' train lm --data text --context 0 --out bad
# shellcheck disable=SC2086
expect 3 'raise that limit' train lm $small --hidden 512 --layers 2 --state-memory 1 --out bad
head -c 20 text >short
expect 3 'a context of 5 and the word after it need at least 6' \
    train lm --data short --context 5 --out bad
finish
