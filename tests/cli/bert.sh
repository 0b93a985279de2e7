#!/bin/sh
# unroll train bert: what the run's folder holds and who opens it; the same bytes for any number of threads,
# and interrupted and resumed; vocabularies; going on from a published model; pictures; what is refused.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
bert=$UNROLL_SOURCE_DIR/tests/golden/bert_tiny

# Paragraphs of two to four sentences.
awk 'BEGIN {
    split("cat dog bird fish horse", who); split("sat ran slept sang", did); split("mat hill sea", where)
    for (i = 1; i <= 60; i++) {
        line = ""
        for (k = 0; k < 2 + i % 3; k++)
            line = line "The " who[(i * 7 + k * 3) % 5 + 1] " " did[(i + k * 5) % 4 + 1] " on the " \
                   where[(i * k + i) % 3 + 1] (k % 2 ? "! " : ". ")
        print line
    }
}' >text
head -20 text >valid
echo "= Heading =" >>text
echo "The cat sat. The dog ran." >short
size='--max-size 60 --hidden 16 --heads 2 --ffn 24 --positions 24 --batch 16'

pretrain() {
    folder=$1
    shift
    # shellcheck disable=SC2086
    run train bert --data text --valid valid $size --quiet --out "$folder" "$@"
    [ $code -eq 0 ] || fail "train bert $folder: exit code $code: $(head -c 500 err)"
}

pretrain one --epochs 4 --threads 1
pretrain three --epochs 4 --threads 3
pretrain part --epochs 4 --max-steps 9
run train bert --out part --resume --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
sed -i '/"epoch": 2, "step": 9,/d' part/metrics.jsonl # the line of the interruption
sed 's/, "seconds.*//' one/metrics.jsonl >want
for other in three part; do
    same one/model.safetensors $other/model.safetensors
    same one/best.safetensors $other/best.safetensors
    sed 's/, "seconds.*//' $other/metrics.jsonl >got
    same want got
done
on_plain pretrain plain --epochs 1
pretrain best --epochs 1
same plain/model.safetensors best/model.safetensors
grep -q '"train_loss": [0-9.]*, "valid_loss": [0-9.]*, "train_mlm_loss": [0-9.]*, "train_nsp_loss": [0-9.]*, "valid_mlm_loss"' \
    one/metrics.jsonl || fail "metrics: $(cat one/metrics.jsonl)"
first=$(sed -n '1s/.*"train_mlm_loss": \([0-9.]*\).*/\1/p' one/metrics.jsonl)
last=$(sed -n '4s/.*"train_mlm_loss": \([0-9.]*\).*/\1/p' one/metrics.jsonl)
awk "BEGIN { exit !($last < $first && $last > 0) }" || fail "the loss of masked words: $first, $last"

# Paragraphs of the text itself to validate with, as the seed says: equal ones on one side, so that
# repeating the text changes nothing of who is on which.
for name in split:1 again:3 other:1; do
    seed=42
    [ $name = other:1 ] && seed=7
    # shellcheck disable=SC2086
    run train bert --data text --valid-split 0.25 $size --epochs 1 --out "${name%:*}" --threads "${name#*:}" --seed $seed
    [ "$code" -eq 0 ] || fail "--valid-split: $(cat err)"
    sed -n 's/^\([0-9]*\) pairs of neighbouring sentences to learn, \([0-9]*\) to validate.*/\1 \2/p' err >"${name%:*}.parts"
done
read -r learned validated <split.parts
[ $((learned + validated)) -eq 120 ] && [ "$validated" -ge 20 ] && [ "$validated" -le 40 ] ||
    fail "--valid-split 0.25: $learned and $validated"
same split/model.safetensors again/model.safetensors
grep -q '"valid_mlm_loss": [0-9]' split/metrics.jsonl || fail "--valid-split: $(cat split/metrics.jsonl)"
cmp -s split/model.safetensors other/model.safetensors && fail "--valid-split does not follow the seed"
# shellcheck disable=SC2086
expect 3 'two ways' train bert --data text --valid valid --valid-split 0.3 $size --out no
expect 3 'one side would be empty' train bert --data short --valid-split 0.3 --out no

# Hugging Face's names.
head -5 one/vocab.txt | tr '\n' ' ' | grep -q '^\[PAD\] \[UNK\] \[CLS\] \[SEP\] \[MASK\] $' || fail "vocab.txt"
grep -q '^##' one/vocab.txt || fail "no piece inside a word"
for key in '"model_type": "bert"' '"vocab_size": 60' '"num_hidden_layers": 2' '"hidden_act": "gelu"'; do
    grep -q "$key" one/config.json || fail "config.json has no $key"
done
grep -q '"do_lower_case": true' one/tokenizer_config.json || fail "tokenizer_config.json"
"$tool" inspect one >inspected || fail "inspect"
grep -q 'cls.seq_relationship.weight' inspected || fail "inspect: $(cat inspected)"

# It is a BERT's folder.
"$tool" embed one --quiet "the cat sat" | awk -F '\t' 'NF != 16 { exit 1 }' || fail "embed a run"
expect 0 '^[a-z.!#]*	0\.' fill one "the [MASK] sat on the mat." --best 2
expect 0 '^the [a-z.!]* sat on the mat.$' predict one "the [MASK] sat on the mat."
expect 0 '^masked-word loss ' eval one --data valid
grep -q '^loss  *[0-9.]*     sum of the two means$' out || fail "eval: $(cat out)"
"$tool" plot one >/dev/null || fail "plot"
grep -q 'masked-word loss' one/plots/curves.svg || fail "curves have no loss of masked words"
grep -q 'next-sentence loss' one/plots/curves.svg || fail "curves have no loss of next sentences"
"$tool" plot one --attention "the cat sat" --layer 2 --head 1 --out head.svg >/dev/null || fail "one head"
grep -q 'layer 2, head 1' head.svg || fail "head.svg"
for word in '\[CLS\]' cat '\[SEP\]'; do
    grep -q ">$word<" head.svg || fail "head.svg has no $word"
done
"$tool" plot one --attention "the cat sat" --all-heads --out heads.svg >/dev/null || fail "all heads"
[ "$(grep -c -o 'layer [12], head [12]' heads.svg)" -ge 4 ] || grep -q 'layer 2, head 2' heads.svg || fail "heads.svg"
expect 1 'no cross attention: there is encoder attention alone' plot one --attention "the cat" --which cross --out x.svg
expect 3 'there is no layer 3' plot one --attention "the cat" --layer 3 --out x.svg

# A published folder: pictures, answers, and a training that goes on with it.
"$tool" plot "$bert" --attention "the cat sat" --out published.svg >/dev/null || fail "plot a published model"
expect 0 'sat' predict "$bert" "the [MASK] sat"
printf 'the cat. the mat.\na cat sat! a dog.\n' >short
run train bert --data short --init-from "$bert" --out on --epochs 1 --max-length 16 --quiet
[ $code -eq 0 ] || fail "from a published model: $(cat err)"
cmp on/vocab.txt "$bert/vocab.txt" || fail "the vocabulary did not come along"
grep -q '"hidden_size": 8' on/config.json || fail "the sizes did not come along"
run train bert --data text --init-from one --out more --epochs 1 --quiet
[ $code -eq 0 ] || fail "from a run: $(cat err)"
same one/vocab.txt more/vocab.txt

# Other vocabularies.
sed 's/\([.!]\) / . /g' text >stops
pretrain words --data stops --valid stops --epochs 1 --tokens words --special-tokens angle --sentences stops \
    --min-freq 3
head -5 words/vocab.txt | tr '\n' ' ' | grep -q '^<pad> <unk> <cls> <sep> <mask> $' || fail "words/vocab.txt"
grep -q '^##' words/vocab.txt && fail "pieces among whole words"
expect 0 '^[a-z.!]*	0\.' fill words "the <mask> sat." --best 1
pretrain given --epochs 1 --vocab one/vocab.txt
same one/vocab.txt given/vocab.txt
pretrain words --overwrite --epochs 1
[ -f words/tokenizer_config.json ] || fail "overwritten: no tokenizer_config.json"

# shellcheck disable=SC2086
set -- train bert $size --out refused
expect 2 'data is missing: a text with a paragraph' "$@"
expect 3 'no line has two sentences' "$@" --data one/vocab.txt
expect 3 'have at most 4 pieces together' "$@" --data text --max-length 4
expect 2 'positions' "$@" --data text --max-length 99
expect 2 'do not divide' "$@" --data text --heads 3
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n' >nomask
expect 3 'no token for masked words' "$@" --data text --vocab nomask
expect 3 'the vocabulary has no \[UNK\]' "$@" --data text --vocab text
expect 2 'pieces or words' "$@" --data text --tokens letters
[ -d refused ] && fail "a refused training left a folder"
finish
