#!/bin/sh
# Answers: one a line and in order, however they are asked for; promptly where somebody waits.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
train model --epochs 30 --lr 2e-2

awk 'BEGIN { for (i = 0; i < 600; i++) printf "%d/%d/%02d\n", 1 + i % 12, 1 + i % 28, i % 100 }' \
    >lines
run predict model - <lines
[ $code -eq 0 ] && [ "$(wc -l <out)" -eq 600 ] || fail "600 lines: $code, $(wc -l <out) answers"
cp out answers
[ "$(sort -u answers | wc -l)" -gt 3 ] || fail "all answers are the same: the test says nothing"

# the same one by one, as arguments, with other threads, in pieces, with other ends of lines
# shellcheck disable=SC2046
run predict model $(cat lines) --threads 3
same out answers
head -n 20 lines | while read -r line; do
    "$tool" predict model -- "$line"
done >out
head -n 20 answers | cmp - out || fail "one by one differs"
awk '{ printf "%s\r\n", $0; if (NR % 7 == 0) system("") }' lines | "$tool" predict model - >out
same out answers
sed '1!d' lines | { printf '\357\273\277'; cat; } | "$tool" predict model - >out
head -n 1 answers | cmp - out || fail "a byte order mark makes a difference"
printf '%s' "$(head -n 2 lines)" | "$tool" predict model - >out
head -n 2 answers | cmp - out || fail "a last line without line feed differs"
run predict model - </dev/null
[ $code -eq 0 ] && [ ! -s out ] && [ ! -s err ] || fail "no lines: $code $(cat out err)"
run predict model - --json <lines
[ $code -eq 0 ] || fail "--json: $code"
sed -n 's/^{"input":"[^"]*","text":"\([^"]*\)","log_probability":-*[0-9.e-]*,"complete":true,"tokens":\[{"token":".","probability":[0-9.e-]*}.*\],"unknown":0}$/\1/p' \
    out >json.answers
same json.answers answers
run predict model --json '1/2/88' -- '--"'
[ $code -eq 0 ] && grep -q '^{"input":"--\\"","text":' out || fail "a quote: $code $(cat out)"
expect 0 '^[^ ]' predict model -- '-1'

# a wider search: the best first, each text's answers ended by a blank line; the same as JSON
expect 0 . predict model --n-best 3 1/2/88 3/4/99
[ "$(grep -c '^[^	]*	-[0-9.]*$' out)" -eq 6 ] || fail "--n-best 3: $(cat out)"
[ "$(grep -n '^$' out | tr '\n' ' ')" = '4: 8: ' ] || fail "--n-best 3: $(cat out)"
awk -F '\t' 'NF == 2 { if (before != "" && $2 > before) exit 1; before = $2 }
            NF < 2 { before = "" }' out || fail "--n-best 3 in another order: $(cat out)"
cp out best
expect 0 . predict model --beam 3 --n-best 3 1/2/88 3/4/99
same out best
expect 0 . predict model --beam 3 1/2/88 3/4/99
sed -n '1s/	.*//p; 5s/	.*//p' best | cmp - out || fail "--beam 3: $(cat out)"
expect 0 '"alternatives":\[{"text":"[^"]*","log_probability":-[0-9.e-]*,"score":-[0-9.e-]*,"complete":true},{' \
    predict model --n-best 2 --json 1/2/88
expect 0 . predict model --beam 1 1/2/88
[ "$("$tool" predict model 1/2/88)" = "$(cat out)" ] || fail "a beam of 1 is another search"
expect 0 . predict model --temperature 3 --seed 1 1/2/88 3/4/99
cp out drawn
expect 0 . predict model --temperature 3 --seed 1 1/2/88 3/4/99 --threads 2
same out drawn
expect 2 'a beam' predict model --beam 2 --temperature 1 1/2/88
expect 2 'best' predict model --beam 2 --n-best 3 1/2/88

# CRs end lines where there is no line feed, in files, from pipes, and in a file of more than a megabyte
printf '1/2/88\r3/4/99\r5/6/77\r' >mac
printf '1/2/88\n3/4/99\n5/6/77\n' >feeds
expect 0 . predict model --in feeds
cp out three
expect 0 . predict model --in mac
same out three
"$tool" predict model - <mac >out 2>err && same out three
(cat mac; printf '7/8/66') | "$tool" predict model - >out 2>err
[ "$(wc -l <out)" -eq 4 ] || fail "CRs from a pipe: $(cat out err)"
head -3 out | cmp - three || fail "CRs from a pipe: $(cat out)"
awk 'BEGIN { for (i = 0; i < 300; i++) { printf "1/2/88"; for (j = 0; j < 4000; j++) printf " "; printf "\r" } }' >large
run predict model --in large # lines that are too long for the model, each by itself
[ $code -eq 3 ] && [ "$(wc -l <out)" -eq 300 ] || fail "CRs in a large file: $(wc -l <out) answers"
grep -q '^unroll: large: line 300: the question has 4006 characters' err || fail "$(tail -1 err)"
printf '1/2/88\r\n3/4/99\r\n5/6/77' | "$tool" predict model - >out 2>err && same out three

# another encoding is named, as in training data
printf '\377\3761\000/\0002\000\n\000' >wide16
printf '\0001\000/\0002\000\n' >big16
expect 3 'wide16: line 1: this is UTF-16, and UTF-8 is expected; iconv -f UTF-16 -t UTF-8 makes it' \
    predict model --in wide16
"$tool" predict model - <big16 >out 2>err
[ $? -eq 3 ] && grep -q '^unroll: standard input: line 1: this is UTF-16BE, ' err && [ ! -s out ] ||
    fail "UTF-16BE: $(cat out err)"
cat wide16 | "$tool" predict model - >out 2>err
[ $? -eq 3 ] && grep -q 'this is UTF-16, ' err || fail "UTF-16 from a pipe: $(cat out err)"

# somebody who waits for each answer before asking again (hangs if answers are held back)
mkfifo questions replies
"$tool" predict model - <questions >replies &
child=$!
exec 3>questions 4<replies
for number in 1 2 3 300; do
    sed "${number}q;d" lines >&3
    read -r reply <&4
    [ "$reply" = "$(sed "${number}q;d" answers)" ] || fail "question $number: got $reply"
done
exec 3>&-
wait $child || fail "a conversation ends with $?"
exec 4<&-

# on a terminal a line rewrites itself and fits its width
if command -v script >/dev/null 2>&1 && script -qec true /dev/null >/dev/null 2>&1; then
    TERM=xterm script -qec "stty cols 40; '$tool' train seq2seq $tiny --out shown --epochs 2" \
        /dev/null >seen </dev/null
    tr '\r' '\n' <seen | grep -q 'epoch 1/2 .*%  loss [0-9.]*' || fail "no progress: $(cat seen)"
    escape=$(printf '\033')
    tr '\r' '\n' <seen | grep "$escape" | sed "s/$escape\[K.*//" | awk 'length > 39' >wide
    [ ! -s wide ] || fail "wider than the terminal: $(cat wide)"
    TERM=dumb script -qec "'$tool' train seq2seq $tiny --out plain --epochs 2" /dev/null >seen \
        </dev/null
    grep -q "$escape" seen && fail "a dumb terminal got escapes"
    TERM=xterm script -qec "'$tool' train seq2seq $tiny --out quiet --epochs 1 --quiet" /dev/null \
        >seen </dev/null
    [ ! -s seen ] || fail "--quiet on a terminal: $(cat seen)"
else
    echo "no script(1): the terminal is not tested"
fi
finish
