#!/bin/sh
# Questions that a part of a text answers: training on files of SQuAD's form, answers and their places, windows,
# texts without an answer, published folders, and what is refused.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
bert=$UNROLL_SOURCE_DIR/tests/golden/bert_tiny
few='--epochs 2 --lr 5e-3 --batch 4 --quiet'

# squad NAME: the lines of standard input, `question|text|answer`, as a file; a text with ! before it has no answer.
squad() {
    awk -F'|' 'BEGIN { printf "{\"version\":\"1.1\",\"data\":[{\"title\":\"t\",\"paragraphs\":[" }
        { text = $2; none = sub(/^!/, "", text)
          printf "%s{\"context\":\"%s\",\"qas\":[{\"id\":\"%d\",\"question\":\"%s\",", (NR > 1 ? "," : ""), text, NR, $1
          if (none) printf "\"is_impossible\":true,\"answers\":[]}]}"
          else printf "\"answers\":[{\"text\":\"%s\",\"answer_start\":%d}]}]}", $3, index(text, $3) - 1 }
        END { printf "]}]}\n" }' >"$1"
}
for what in cat mat world b; do
    for where in mat cat world x; do
        echo "sat on ?|the $what sat on the $where .|the $where"
    done
done >lines
squad all.json <lines

# shellcheck disable=SC2086
{
# ---- learned, asked, measured
run train qa --data all.json --valid all.json --init-from "$bert" --out run --epochs 30 --lr 1e-2 --batch 4
[ "$code" -eq 0 ] || fail "train: $(cat err)"
grep -q 'bert_tiny: a published BERT to start with; qa_outputs.\* start anew$' err || fail "start: $(cat err)"
grep -q '^16 questions to learn, 16 to validate; ' err || fail "train: $(cat err)"
for line in '"model": "bert_qa"' '"model_type": "bert"' '"BertForQuestionAnswering"' '"best_by": "f1"' '"hidden_size": 8' \
    '"schedule": "linear"' '"optimizer": "adamw"' '"stride": "auto"' '"unanswerable": false'; do
    grep -q "$line" run/config.json || fail "no $line in $(cat run/config.json)"
done
grep -q 'id2label' run/config.json && fail "labels: $(cat run/config.json)"
grep -q '"valid_exact_match": 1.0, "valid_f1": 1.0' run/metrics.jsonl || fail "metrics: $(tail -1 run/metrics.jsonl)"
expect 0 '^exact match      100.0000 %' eval run --data all.json --last
grep -q '^F1               100.0000 %' out || fail "F1: $(cat out)"
expect 0 '"exact_match":1,"f1":1,"loss":0.*"positions":16,"examples":16' eval run --data all.json --last --json
printf 'sat on ?\tthe cat sat on the world .\nsat on ?\tthe b sat on the x .\n' >asked
run predict run - --last <asked
[ "$(cut -f1,3- out)" = "$(printf 'the world\t15\t24\nthe x\t13\t18')" ] || fail "answers: $(cat out)"
awk -F'\t' '$2 < 0.5 || $2 > 1 { exit 1 }' out || fail "probabilities: $(cat out)"
cp out given
run predict run --in asked --last
same given out
expect 0 '"text":"the world","probability":0.*,"start":15,"end":24,' predict run --last --json "$(head -1 asked)"
# characters are counted, not bytes
expect 0 '^the mat	0.*	16	23$' predict run --last 'sat on ?	the café sat on the mat .'
# the best ones, a line each
run predict run --last --n-best 3 "$(head -1 asked)"
[ "$(wc -l <out)" -eq 4 ] || fail "n-best: $(cat out)"
head -1 out >first && head -1 given >want && same first want
expect 0 '"alternatives":\[{"text":"the world","probability"' predict run --last --json --n-best 2 "$(head -1 asked)"
expect 0 'qa_outputs  *(2, 8)' inspect run
expect 0 '^run/plots/curves.svg$' plot run
"$tool" embed run 'the cat' >vector 2>err || fail "embed: $(cat err)"

# ---- several windows: 16 pieces are read, 3 + 3 of them the question and special tokens
long='a b c d a b c d a b c d a b c d the cat sat on the world . a b c d'
for options in '' '--stride 0' '--max-length 8' '--max-answer 1'; do # the answer is what stands at its place
    run predict run --last "sat on ?	$long" $options
    awk -F'\t' -v text="$long" 'END { exit !(NR == 1 && $1 != "" && substr(text, $3 + 1, $4 - $3) == $1) }' out ||
        fail "$options: $(cat out)"
done
grep -q '^[^ 	]*	' out || fail "--max-answer 1: $(cat out)"
run predict run --last --stride 10 "sat on ?	$long" "$(head -1 asked)"
[ "$code" -eq 3 ] || fail "--stride 10: exit code $code"
grep -q 'text 1: a question of 3 pieces leaves room for 10 of its text, so that windows cannot share 10' err ||
    fail "--stride 10: $(cat err)"
[ "$(wc -l <out)" -eq 2 ] || fail "--stride 10: $(cat out)"
expect 0 '^$' predict run --last --stride 10 --skip "sat on ?	$long"
grep -q '1 of 1 texts were left out' err || fail "--skip: $(cat err)"
echo "sat on ?|$long|the world" | squad long.json
expect 0 '^windows  *5' eval run --data long.json --last
expect 0 '^windows  *3' eval run --data long.json --last --stride 0
expect 3 'qas\[0\].question": a question of 3 pieces leaves room for 10' eval run --data long.json --last --stride 10

# ---- the same bytes: threads, instruction sets, a stop and a resume; frozen layers; a part for validation
cat all.json >both.json
run train qa --data all.json --init-from "$bert" --out one $few --threads 1 --warmup 3
[ "$code" -eq 0 ] || fail "train: $(cat err)"
run train qa --data all.json --init-from "$bert" --out two $few --threads 2 --warmup 3
same one/$weights two/$weights
UNROLL_ISA=plain && export UNROLL_ISA
run train qa --data all.json --init-from "$bert" --out plain $few --warmup 3
unset UNROLL_ISA
same one/$weights plain/$weights
run train qa --data all.json --init-from "$bert" --out part $few --warmup 3 --max-steps 5
run train qa --out part --resume --max-steps 1000 --quiet
[ "$code" -eq 0 ] || fail "resume: $(cat err)"
same one/$weights part/$weights
run train qa --data all.json --init-from "$bert" --out frozen --epochs 1 --freeze 'bert.*' --valid-split 0.25
grep -q '^unroll: [0-9]* of [0-9]* parameters are frozen$' err || fail "frozen: $(cat err)"
grep -q '^12 questions to learn, 4 to validate' err || fail "--valid-split: $(cat err)"
run train qa --data all.json --init-from "$bert" --out tokens $few --batch-tokens 40
[ "$code" -eq 0 ] || fail "--batch-tokens: $(cat err)"
# from a run, whose head comes along
run train qa --data all.json --init-from run --out again --epochs 1
grep -q 'tensors to start with' err || fail "from a run: $(cat err)"

# ---- texts without an answer
{ cat lines; sed 's/^sat on/hello/; s/|the/|!the/; s/|[^|]*$//' lines; } | squad two.json
run train qa --data two.json --valid two.json --init-from "$bert" --out none --epochs 60 --lr 1e-2 --batch 8
[ "$code" -eq 0 ] || fail "no answers: $(cat err)"
grep -q '"unanswerable": true' none/config.json || fail "no answers: $(cat none/config.json)"
expect 0 '^exact match      100.0000 %' eval none --data two.json --last
expect 0 '^	[01]\.[0-9]*	0	0$' predict none --last 'hello ?	the cat sat on the mat .'
expect 0 '"text":"","probability":[0-9.]*,"start":0,"end":0,' predict none --last --json 'hello ?	the cat sat on the mat .'
expect 0 '^the mat	0.*	15	22$' predict none --last 'sat on ?	the cat sat on the mat .'
expect 0 '^[a-z.][^	]*	' predict none --last --null-threshold 1000 'hello ?	the cat sat on the mat .'
expect 0 '^	' predict none --last --null-threshold=-1000 'sat on ?	the cat sat on the mat .'
# where the data has such questions, whatever the model was trained with
expect 0 '^exact match  *[0-9]' eval run --data two.json --last

# ---- published folders with the head are asked as they are
mkdir folder
cp run/$weights run/vocab.txt run/tokenizer_config.json folder
sed 's/"model": "bert_qa",//' run/config.json >folder/config.json
run predict run --last - --json <asked
cp out of_run
run predict folder - --json <asked
same of_run out
expect 0 '^F1               100' eval folder --data all.json
run train qa --data all.json --init-from folder --out on --epochs 1
grep -q 'folder: a published BERT to start with; its head is taken, too$' err || fail "head: $(cat err)"
run train classifier --data "$UNROLL_SOURCE_DIR/tests/run/v0.1/data/none" --init-from folder --out none2
[ "$code" -eq 3 ] || fail "no data: $(cat err)"
printf 'a\tthe cat\nb\tthe mat\n' >texts.txt
run train classifier --data texts.txt --init-from folder --out labels --epochs 1
grep -q 'classifier.\* start anew' err || fail "another head: $(cat err)"

# ---- where its layers look: the window that the answer is from
"$tool" plot run --attention "$(printf 'sat on ?\tthe cat sat on the world .')" --all-heads --out heads.svg >/dev/null ||
    fail "plot"
for word in world '\[CLS\]' '\?'; do
    grep -q ">$word<" heads.svg || fail "heads.svg has no $word"
done

# ---- what is refused, and said
expect 3 'init_from has to name' train qa --data all.json --out no
expect 3 'no tab between a question and its text' predict run --last 'the cat'
expect 3 'the text that is asked about is empty' predict run --last 'the cat	'
printf '{"data": [\n{"paragraphs": [}' >bad.json
expect 3 'bad.json:2: not valid JSON' train qa --data bad.json --init-from "$bert" --out no
sed 's/"answer_start":15/"answer_start":99/' all.json >bad.json
expect 3 'answer_start" is 99, expected a whole number from 0 to' train qa --data bad.json --init-from "$bert" --out no
sed 's/"id":"3",//' all.json >bad.json
expect 3 'data\[0\].paragraphs\[2\].qas\[0\].id" is missing' train qa --data bad.json --init-from "$bert" --out no
sed 's/"answer_start":15/"answer_start":16/' all.json >moved.json
run train qa --data moved.json --init-from "$bert" --out moved $few
run train qa --data moved.json --init-from "$bert" --out moved --overwrite --epochs 1
[ "$(grep -c 'answers do not stand where the file says' err)" -eq 1 ] || fail "moved: $(cat err)"
expect 2 'reads 16 at most' train qa --data all.json --init-from "$bert" --out no --max-length 17
expect 2 '.' train qa --data all.json --init-from "$bert" --out no --hidden 8
expect 3 'best_by goes by validation data' train qa --data all.json --init-from "$bert" --out no --best-by exact_match
}
finish
