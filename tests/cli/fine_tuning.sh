#!/bin/sh
# Published BERTs that are fine-tuned: classifiers of texts and of pairs, taggers; what their runs hold, what is
# the same however it is computed, and what is refused.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
bert=$UNROLL_SOURCE_DIR/tests/golden/bert_tiny
few='--epochs 3 --lr 5e-3 --batch 4 --quiet'

for _ in 1 2 3 4 5 6; do
    printf 'animal\tthe cat sat on the mat\nplanet\thello world\nanimal\ta cat\nplanet\tworld\n'
done >texts.txt
for _ in 1 2 3 4 5 6; do
    printf 'yes,the cat sat,a cat\nno,hello world,the mat\nyes,"hello, hello",hello\n'
done | sed '1i gold_label,sentence1,sentence2' >pairs.csv
sed '1d; s/^\([a-z]*\),"\(.*\)",\(.*\)$/\1	\2	\3/; t
s/,/	/g' pairs.csv >pairs.txt
for _ in 1 2 3 4 5 6; do
    printf 'the O\ncat B\nsat O\n\nhello O\nwatching C\nworld B\n\n'
done >tags.txt

# shellcheck disable=SC2086
{
# ---- texts
run train classifier --data texts.txt --valid texts.txt --init-from "$bert" --out texts --epochs 40 --lr 5e-3
[ "$code" -eq 0 ] || fail "train: $(cat err)"
grep -q '^unroll: .*bert_tiny: a published BERT to start with; classifier.\* start anew$' err ||
    fail "start: $(cat err)"
grep -q '^24 texts to learn, 24 to validate; 2 labels, ' err || fail "train: $(cat err)"
grep -q '^accuracy  *100.0000 %' out || fail "not learned: $(cat out)"
for line in '"model": "bert_classifier"' '"model_type": "bert"' '"BertForSequenceClassification"' \
    '"1": "planet"' '"animal": 0' '"hidden_size": 8' '"schedule": "linear"' '"optimizer": "adamw"'; do
    grep -q "$line" texts/config.json || fail "no $line in $(cat texts/config.json)"
done
cmp "$bert/vocab.txt" texts/vocab.txt || fail "another vocabulary"
grep -q '"do_lower_case": true' texts/tokenizer_config.json || fail "$(cat texts/tokenizer_config.json)"
expect 0 '^animal	0\.' predict texts 'the cat sat'
grep -q '^animal' out || fail "predict: $(cat out)"
expect 0 '"label":"planet"' predict texts 'hello world' --json
expect 0 '^accuracy  *100' eval texts --data texts.txt
expect 0 '^texts/plots/confusion.svg$' plot texts --confusion
expect 0 'classifier  *(2, 8)' inspect texts
"$tool" embed texts 'the cat' >vector 2>err || fail "embed: $(cat err)"
[ "$(awk -F'\t' '{ print NF }' vector)" -eq 8 ] || fail "embed: $(cat vector)"
# weights that another program saved into a run's folder are newer than the best ones of the run
cp -r texts saved
cp "$bert/model.safetensors" saved
[ -f saved/best.safetensors ] || fail "no best weights: $(ls saved)"
mkdir bare
cp "$bert/config.json" "$bert/vocab.txt" "$bert/tokenizer_config.json" "$bert/model.safetensors" bare
expect 0 . embed saved 'the cat'
cp out vector
expect 0 . embed bare 'the cat'
same vector out
# a weight that is not finite
cp -r "$bert" damaged
size=$(wc -c <damaged/model.safetensors)
printf '\000\000\300\177' | dd of=damaged/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc 2>err
expect 3 'has a weight that is not finite' predict damaged 'the [MASK]'
# a text longer than the positions is cut, which is said once
long='a a a a a a a a a a a a a a a a a a a a'
run predict texts "$long" "$long" 'a cat'
[ "$(grep -c 'texts were cut' err)" -eq 1 ] || fail "cut: $(cat err)"
grep -q '^unroll: 2 of 3 texts were cut' err || fail "cut: $(cat err)"
run eval texts --data texts.txt --max-length 5
grep -q 'texts.txt: 6 texts were cut to 5 tokens' err || fail "eval --max-length: $(cat err)"
# labels that the head has not are counted, and never right
printf 'animal\ta cat\nwater\tthe mat\n' >other.txt
expect 0 '^accuracy  *[05]0*\.0000 %' eval texts --data other.txt
grep -q '1 of 2 labels were none in training' err || fail "other labels: $(cat err)"

# ---- the same bytes: threads, instruction sets, a stop and a resume
run train classifier --data texts.txt --init-from "$bert" --out one $few --threads 1
[ "$code" -eq 0 ] || fail "train: $(cat err)"
run train classifier --data texts.txt --init-from "$bert" --out two $few --threads 2
same one/$weights two/$weights
UNROLL_ISA=plain && export UNROLL_ISA
run train classifier --data texts.txt --init-from "$bert" --out plain $few
unset UNROLL_ISA
same one/$weights plain/$weights
run train classifier --data texts.txt --init-from "$bert" --out part $few --max-steps 7
run train classifier --out part --resume --max-steps 1000 --quiet
[ "$code" -eq 0 ] || fail "resume: $(cat err)"
same one/$weights part/$weights
run train classifier --data texts.txt --init-from "$bert" --out tokens $few --batch-tokens 20
[ "$code" -eq 0 ] || fail "--batch-tokens: $(cat err)"
# frozen layers stay as they were
run train classifier --data texts.txt --init-from "$bert" --out frozen --epochs 1 --freeze 'bert.*'
grep -q '^unroll: [0-9]* of [0-9]* parameters are frozen$' err || fail "frozen: $(cat err)"
# from a run that was fine-tuned, with labels that it has and with others
run train classifier --data texts.txt --init-from texts --out again --epochs 1
grep -q 'tensors to start with' err || fail "from a run: $(cat err)"
run train classifier --data other.txt --init-from texts --out others --epochs 1
[ "$(cat others/labels.txt)" = "$(printf 'animal\nwater')" ] || fail "labels: $(cat others/labels.txt)"
grep -q '1 of the 2 labels are known there' err || fail "other labels: $(cat err)"

# ---- pairs: two columns of a file with names, or two tabs
run train classifier --data pairs.csv --init-from "$bert" --out pairs $few
[ "$code" -eq 0 ] || fail "pairs: $(cat err)"
grep -q '"pairs": true' pairs/config.json || fail "pairs: $(cat pairs/config.json)"
run train classifier --data pairs.txt --pairs --init-from "$bert" --out tabs $few
same pairs/$weights tabs/$weights
run train classifier --data pairs.csv --text-column sentence1 --pair-column 3 --label-column 1 \
    --init-from "$bert" --out columns $few
for name in pairs columns; do # whose files tell of other columns
    "$tool" predict $name 'the cat	hello' --json >$name.json 2>err || fail "predict: $(cat err)"
done
same pairs.json columns.json
run train classifier --data pairs.csv --text-column sentence1 --label-column gold_label \
    --init-from "$bert" --out single $few
grep -q '"pairs": false' single/config.json || fail "one text alone: $(cat single/config.json)"
expect 0 '^[yn][eos]*	0\.' predict pairs 'the cat sat	a cat'
[ -s err ] && fail "predict a pair: $(cat err)"
expect 3 'no tab between the two texts' predict pairs 'the cat sat'
expect 0 '^accuracy' eval pairs --data pairs.csv
expect 0 '^accuracy' eval pairs --data pairs.txt
expect 3 'line 1: no tab between' eval pairs --data texts.txt
expect 3 'which column has the second text' train classifier --pairs --data pairs.csv \
    --text-column gold_label --label-column sentence2 --init-from "$bert" --out none
printf 'text,label\na,b\n' >one.csv
expect 3 'which column has the second text' train classifier --pairs --data one.csv --init-from "$bert" --out none

# ---- words
run train tagger --data tags.txt --valid tags.txt --init-from "$bert" --out words --epochs 60 --lr 5e-3
[ "$code" -eq 0 ] || fail "tagger: $(cat err)"
grep -q '^words  *36$' out || fail "words: $(cat out)"
grep -q '^accuracy  *100.0000 %' out || fail "not learned: $(cat out)"
grep -q '"BertForTokenClassification"' words/config.json || fail "$(cat words/config.json)"
expect 0 '^cat	B	' predict words 'the cat  sat' ''
[ "$(cut -f1,2 out | tr '\t\n' ' |')" = 'the O|cat B|sat O|||' ] || fail "tags: $(cat out)"
run predict words "$long"
[ "$(wc -l <out)" -eq 15 ] || fail "14 of 20 words: $(cat out)"
grep -q '1 of 1 texts were cut' err || fail "cut: $(cat err)"
run train tagger --data tags.txt --init-from "$bert" --out tags1 $few --threads 1 --valid-split 0.3
run train tagger --data tags.txt --init-from "$bert" --out tags2 $few --threads 2 --valid-split 0.3
same tags1/$weights tags2/$weights

# ---- where their layers look
"$tool" plot words --attention 'the cat sat' --layer 1 --head 1 --out words.svg >/dev/null || fail "plot a tagger"
grep -q '>cat<' words.svg || fail "words.svg has no cat"
"$tool" plot pairs --attention "$(printf 'the cat\tthe mat')" --all-heads --out pairs.svg >/dev/null || fail "plot pairs"
for word in cat mat '\[SEP\]'; do
    grep -q ">$word<" pairs.svg || fail "pairs.svg has no $word"
done
expect 3 'no tab between' plot pairs --attention 'the cat' --out none.svg
expect 3 'there is no layer 9' plot texts --attention 'the cat' --layer 9 --out none.svg

# ---- published folders with a head are asked as they are
mkdir folder
cp texts/$weights texts/vocab.txt folder
sed 's/"model": "bert_classifier",//' texts/config.json >folder/config.json
"$tool" predict texts --last 'the cat sat' 'world' --json >of_run 2>err || fail "$(cat err)"
"$tool" predict folder 'the cat sat' 'world' --json >of_folder 2>err || fail "predict folder: $(cat err)"
same of_run of_folder
expect 0 '^accuracy' eval folder --data texts.txt
# the order of id2label's keys says nothing; none may be missing
cp folder/config.json as_it_was
sed -i 's/"0": "animal"/"1": "planet"/; t
s/"1": "planet"/"0": "animal"/' folder/config.json
"$tool" predict folder 'the cat sat' 'world' --json >turned 2>err || fail "another order: $(cat err)"
same of_run turned
sed -i 's/"1": "planet"/"x": "planet"/' folder/config.json
expect 3 'id2label.1" is missing, expected a string' predict folder a
cp as_it_was folder/config.json
sed -i 's/"0": "animal"/"0": "animal", "2": "third"/' folder/config.json
expect 3 'more labels than the 2' predict folder a
sed 's/"0": "animal", "2": "third"/"0": "planet"/' folder/config.json >changed && cp changed folder/config.json
expect 3 'two labels are called the same' predict folder a

# ---- refused
expect 3 'has no vocab.txt' train classifier --data texts.txt --init-from "$(mkdir -p half; cp "$bert/config.json" half; echo half)" --out none
expect 2 'reads 16 at most' train classifier --data texts.txt --init-from "$bert" --out none --max-length 17
expect 2 '.' train classifier --data texts.txt --init-from "$bert" --out none --hidden 8
}
finish
