#!/bin/sh
# unroll embed: vectors as lines, objects and a file of NumPy's, in the order of the texts, the same
# bits in any company; what cannot be embedded.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
bert=$UNROLL_SOURCE_DIR/tests/golden/bert_tiny

# A line of 16 numbers for each text; the empty one has a vector, too.
"$tool" embed "$bert" "the cat sat" "" "hello world" >vectors || fail "embed"
[ "$(awk -F '\t' '{ print NF }' vectors | sort -u)" = 16 ] || fail "16 features: $(head -c 300 vectors)"
printf 'the cat sat\n\nhello world\n' | "$tool" embed "$bert" - >lines || fail "embed -"
same vectors lines
printf 'the cat sat\r\n\nhello world' >texts
"$tool" embed "$bert" --in texts --threads 3 >lines || fail "embed --in"
same vectors lines

# More lines than are taken together, of many lengths, stay in their order.
for i in $(seq 1 1100); do
    case $((i % 3)) in
    0) echo "the cat sat" ;;
    1) echo ;;
    2) echo "hello world" ;;
    esac
done >many
"$tool" embed "$bert" --in many >out || fail "many lines"
sed -n '1p' vectors >the
sed -n '3p' vectors >hello
[ "$(wc -l <out)" -eq 1100 ] || fail "1100 lines: $(wc -l <out)"
sed -n '999p' out >got
same the got
sed -n '1100p' out >got
same hello got

# Objects, and a file of NumPy's.
expect 0 '^{"text":"the cat sat","vector":\[-*[0-9]' embed "$bert" --json "the cat sat"
run embed "$bert" --in texts --npy vectors.npy
[ "$code" -eq 0 ] && [ ! -s out ] || fail "--npy: $code $(head -c 200 out err)"
[ "$(wc -c <vectors.npy)" -eq $((128 + 3 * 16 * 4)) ] || fail "size of the file: $(wc -c <vectors.npy)"
head -c 128 vectors.npy | grep -a -q "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 16), }" ||
    fail "header: $(head -c 128 vectors.npy)"
first=$(od -A n -t f4 -j 128 -N 4 vectors.npy | tr -d ' ')
awk -v a="$first" -F '\t' 'NR == 1 && (a - $1) ^ 2 > 1e-12 { exit 1 }' vectors || fail "first number: $first"

# What is pooled, of length 1 (the folder says so), and a prompt.
expect 0 . embed "$bert" --pool max "the cat"
awk -F '\t' '{ for (i = 1; i <= NF; i++) s += $i * $i; exit NF != 8 || (s - 1) ^ 2 > 1e-10 }' out ||
    fail "--pool max: $(cat out)"
expect 0 . embed "$bert" --prompt query "the cat"
cp out prompted
expect 0 . embed "$bert" "on the mat: the cat"
same prompted out

# Texts that are too long are counted, once.
run embed "$bert" "$(head -c 400 many | tr '\n' ' ')" "the" "$(head -c 300 many | tr '\n' ' ')"
grep -q '^unroll: 2 of 3 texts have more than 12 pieces' err || fail "cut: $(cat err)"
[ "$(wc -l <err)" -eq 1 ] || fail "said more than once: $(cat err)"

# What is wrong.
expect 2 'the folder is missing' embed
expect 2 'the text is missing' embed "$bert"
expect 2 'one argument too many' embed "$bert" text --in texts
expect 2 '--npy and --json' embed "$bert" text --npy x.npy --json
expect 2 '--pool sum' embed "$bert" text --pool sum
expect 3 'no such folder' embed nowhere text
printf 'a\tb\nb\ta\n' >two.tsv
run train seq2seq --data two.tsv --hidden 4 --epochs 1 --out plain --quiet
expect 1 'plain/config.json: a run of the kind seq2seq; a BERT is expected here' embed plain text
expect 3 'no prompt passage' embed "$bert" text --prompt passage
expect 3 'cannot be opened' embed "$bert" --in nowhere
expect 3 'text 2: the text is not UTF-8: byte 3' embed "$bert" ok "$(printf 'ab\377')"
printf 'ok\nab\0c\n' | "$tool" embed "$bert" - >out 2>err && fail "a zero byte"
grep -q 'standard input: line 2: a zero byte' err || fail "a zero byte: $(cat err)"
[ "$(wc -l <out)" -eq 0 ] || [ "$(wc -l <out)" -eq 1 ] || fail "lines before: $(wc -l <out)"
printf '\377\376a\0\n\0' >wide
expect 3 'wide: line 1: this is UTF-16' embed "$bert" --in wide
printf 'the cat sat\r\rhello world\r' >returns
"$tool" embed "$bert" --in returns >lines || fail "lines that end with CR"
same vectors lines
run embed "$bert" --in texts --npy nowhere/x.npy
[ "$code" -eq 4 ] || fail "--npy nowhere: exit code $code"
printf 'ok\n\377\n' >bad
run embed "$bert" --in bad --npy bad.npy
[ "$code" -eq 3 ] || fail "bad text: exit code $code"
[ -z "$(find . -name '*.npy*' ! -name vectors.npy)" ] || fail "left behind: $(find . -name '*.npy*')"

# The help text's example.
cp -r "$bert" all-MiniLM-L6-v2
cp texts sentences.txt
"$tool" help embed | sed -n 's/^ *\$ unroll embed/"$tool" embed/p' >example
[ "$(wc -l <example)" -eq 3 ] || fail "the example: $(cat example)"
while read -r line; do
    eval "$line" >shown 2>err || fail "$line: $(cat err)"
done <example
[ -s vectors.jsonl ] && [ -s vectors.npy ] || fail "the example's files: $(ls)"
finish
