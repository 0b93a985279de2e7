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
expect 3 "new.txt: line 2: the character U+00E9 '.*' is not in the model's vocabulary" \
    eval model --data new.txt
printf '1/2/88                          _1988-01-02\n' >long.txt
expect 3 'long.txt: line 1: the question has 32 characters' eval model --data long.txt
expect 3 'at most 400000 pairs' train seq2seq --data builtin:additions --size 400001 --out o
[ ! -e o ] || fail "a run folder was made"

# texts to predict
expect 3 "text 2: the character U+00E9 '.*' (number 3 of the question)" \
    predict model 1/2/88 "$(printf '1/\303\251')" 1/3/88
[ "$(wc -l <out)" -eq 1 ] || fail "predict: the answer before the bad text is missing"
expect 3 'text 1: .*UTF-8' predict model "$(printf '\377')"
expect 3 'text 1: the question has 40 characters, .* at most 29' \
    predict model 1234567890123456789012345678901234567890

# lines to predict: answers first, then the number of the bad one
# answered ANSWERS PATTERN: the file lines is refused with this sentence after so many answers.
answered() {
    run predict model - <lines
    wanted=3
    pattern="^unroll: standard input: $2"
    check_result "predict, expecting '$2'"
    [ "$(wc -l <out)" -eq "$1" ] || fail "predict: $(wc -l <out) answers, expected $1"
}

awk 'BEGIN { for (i = 1; i <= 700; i++) print i == 600 ? "#" : "1/2/88" }' >lines
answered 599 "line 600: the character U+0023 '#'"
printf '1/2/88\n1\0002\n3\n' >lines
answered 1 'line 2 has a zero byte'
head -c 1100000 /dev/zero | tr '\0' 1 >lines
answered 0 'line 1 is longer than 1 MiB'
run predict model - <folder
wanted=4
pattern='reading standard input failed: '
check_result 'predict from a folder'
finish
