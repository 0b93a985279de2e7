#!/bin/sh
# unroll fill: the most probable words of each [MASK], as lines and as objects; what cannot be filled.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
bert=$UNROLL_SOURCE_DIR/tests/golden/bert_tiny

"$tool" fill "$bert" "the [MASK] sat" >words || fail "fill"
[ "$(wc -l <words)" -eq 5 ] || fail "five words: $(cat words)"
awk -F '\t' 'NF != 2 || $2 > last && NR > 1 { exit 1 } { last = $2 }' words || fail "falling: $(cat words)"
"$tool" fill "$bert" "the [MASK] sat on [MASK]" "the [MASK] sat" --best 2 >out || fail "two texts"
[ "$(grep -c -v '^$' out)" -eq 6 ] && [ "$(grep -c '^$' out)" -eq 2 ] || fail "blank lines: $(cat out)"
tail -2 out >got
head -2 words >want
same want got
printf 'the [MASK] sat on [MASK]\nthe [MASK] sat\n' | "$tool" fill "$bert" - --best 2 --threads 1 >lines ||
    fail "fill -"
same out lines
expect 0 '^{"text":"the \[MASK\] sat","masks":\[\[{"word":"[^"]*","id":[0-9]*,"probability":0\.[0-9e-]*}\]\]}$' \
    fill "$bert" --json --best 1 "the [MASK] sat"

expect 2 'the folder is missing' fill
expect 2 'the text is missing' fill "$bert"
expect 2 '--best 0' fill "$bert" --best 0 "[MASK]"
expect 3 'text 1: the text has no \[MASK\]' fill "$bert" "the cat sat"
expect 3 'no such folder' fill nowhere "[MASK]"
printf '[MASK]\n\377\n' | "$tool" fill "$bert" - >out 2>err && fail "a line that is not UTF-8"
grep -q 'standard input: line 2: the text is not UTF-8' err || fail "$(cat err)"
mkdir bare
cp -r "$bert"/* bare
sed 's/^\[MASK\]$/[NONE]/' "$bert/vocab.txt" >bare/vocab.txt
expect 3 'the vocabulary has no \[MASK\]' fill bare "[MASK]"

# The help text's example.
cp -r "$bert" bert-base-uncased
"$tool" help fill | sed -n 's/^ *\$ unroll fill/"$tool" fill/p' >example
[ "$(wc -l <example)" -eq 1 ] || fail "the example: $(cat example)"
eval "$(cat example)" >shown || fail "the example"
[ "$(wc -l <shown)" -eq 2 ] || fail "the example's words: $(cat shown)"
finish
