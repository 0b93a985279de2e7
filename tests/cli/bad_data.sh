#!/bin/sh
# Data that is missing or not what it should be: exit code 3, one sentence with the file and the
# line, and no run folder.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

# refused PATTERN FILE: as data and as validation data of a training, and to evaluate with.
refused() {
    expect 3 "$1" train seq2seq --data "$2" --out o --epochs 1
    [ ! -e o ] || fail "$2: a run folder was made"
    expect 3 "$1" train seq2seq --data builtin:dates --size 50 --valid "$2" --out o --epochs 1
    [ ! -e o ] || fail "$2: a run folder was made"
    expect 3 "$1" eval model --data "$2"
}

train model --epochs 1
refused 'missing.txt' missing.txt
: >empty.txt
refused 'empty.txt.* empty' empty.txt
mkdir folder
refused 'folder' folder
printf '1/2/88_1988-01-02\nno separator\n' >line.txt
refused 'line.txt: line 2' line.txt
printf '1/2/88_1988-01-02\n1/3/88_1988-01-03\n\377_1\n' >bytes.txt
refused 'bytes.txt: line 3.*UTF-8' bytes.txt
printf '1/2/88\t1988-01-02\n1/3/88\t1988\000-01-03\n' >zero.txt
refused 'zero.txt: line 2' zero.txt
refused "builtin:poems" builtin:poems
[ -z "$(ls -d runs 2>/dev/null)" ] || fail "something was written"

# what only a trained model can miss
printf '1/2/88_1988-01-02\n1/\303\251/88_1988-01-03\n' >new.txt
expect 0 '^pairs  *2$' eval model --data new.txt
grep -q 'new.txt: 1 characters, in 1 of 2 pairs, are unknown to the model: nothing is read' err ||
    fail "eval, unknown: $(cat err)"
expect 0 '^pairs  *1$' eval model --data new.txt --skip
grep -q 'new.txt: 1 pairs are left out' err || fail "eval --skip: $(cat err)"
expect 2 'no such option' eval model --data new.txt --label-column 1
printf '1/2/88                          _1988-01-02\n' >long.txt
expect 3 'long.txt: line 1: the question has 32 characters' eval model --data long.txt
expect 3 'at most 400000 pairs' train seq2seq --data builtin:additions --size 400001 --out o
[ ! -e o ] || fail "a run folder was made"

# texts to predict
run predict model 1/2/88 "$(printf '1/\303\251')" 1/3/88
[ $code -eq 0 ] && [ "$(wc -l <out)" -eq 3 ] && [ "$(grep -c . out)" -eq 3 ] ||
    fail "predict, unknown: $code $(cat out)"
grep -q '^unroll: 1 token, in 1 of 3 texts, is unknown to the model and read as nothing$' err ||
    fail "predict, unknown: $(cat err)"
run predict model --skip 1/2/88 "$(printf '1/\303\251')" 1/3/88
[ $code -eq 0 ] && [ "$(grep -n '^$' out)" = 2: ] || fail "predict --skip: $code $(cat out)"
grep -q '1 of 3 texts were left out (--skip)' err || fail "predict --skip: $(cat err)"
expect 3 'text 1: .*UTF-8' predict model "$(printf '\377')"
expect 3 'text 1: the question has 40 characters, .* at most 29' \
    predict model 1234567890123456789012345678901234567890

# lines to predict: those that cannot be answered have empty answers and are named by their number
# answered ANSWERS PATTERN EMPTY: so many answers to the file lines, this sentence, empty ones where.
answered() {
    run predict model - <lines
    wanted=3
    pattern="^unroll: standard input: $2"
    check_result "predict, expecting '$2'"
    [ "$(wc -l <out)" -eq "$1" ] || fail "predict: $(wc -l <out) answers, expected $1"
    [ "$(grep -n '^$' out | tr '\n' ' ')" = "$3" ] || fail "predict: $(grep -n '^$' out), expected $3"
    "$tool" predict model --in lines >again 2>err.in
    same out again
    grep -q "^unroll: lines: $2" err.in || fail "--in: $(cat err.in)"
}

awk 'BEGIN { for (i = 1; i <= 700; i++) print i == 600 ? "123456789012345678901234567890" : "1/2/88" }' >lines
answered 700 "line 600: the question has 30 characters" '600: '
printf '1/2/88\n1\0002\n3\n' >lines
answered 3 'line 2: a zero byte' '2: '
{ echo 1/2/88; head -c 3000000 /dev/zero | tr '\0' 1; printf '\n3/4/99\n'; } >lines
answered 3 'line 2: longer than 1 MiB' '2: '
printf '1/2/88\n\377\n\376\n1/2/88\n' >lines
run predict model --json - <lines
[ $code -eq 3 ] && [ "$(grep -c '"text":"' out)" -eq 2 ] &&
    [ "$(grep -c '^{"input":"\\ufffd","error":"the question is not valid UTF-8 (byte 1)"}$\|^{"input":".*","error":"the question is not valid UTF-8 (byte 1)"}$' out)" -eq 2 ] ||
    fail "errors as JSON: $code $(cat out)"
[ "$(grep -c 'standard input: line [23]: ' err)" -eq 2 ] || fail "errors of lines: $(cat err)"
run predict model lines
grep -q "^unroll: 'lines' is taken as a text, and is the name of a file: --in 'lines' answers" err ||
    fail "no hint at --in: $(cat err)"
run predict model "$(printf '1/2/88\t1988-01-02')"
grep -q '^unroll: text 1 has a tab in it: a text has no columns' err || fail "no hint at columns: $(cat err)"
expect 2 'one argument too many' predict model --in lines text
expect 3 'none.txt: cannot be opened' predict model --in none.txt
run predict model - <folder
wanted=4
pattern='standard input: line 1 cannot be read: '
check_result 'predict from a folder'
finish
