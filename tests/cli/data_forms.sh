#!/bin/sh
# Data as people have it: what is recognised is said, what is unknown is counted, and texts are read as
# files were.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
small='--epochs 2 --hidden 8 --embed 8'

# learns KIND FILE PATTERN ARGUMENT...: a run of the name of the file's first part, and what is said.
learns() {
    kind=$1 file=$2 pattern=$3
    shift 3
    # shellcheck disable=SC2086
    run train "$kind" --data "$file" --out "${file%.*}" $small "$@"
    [ "$code" -eq 0 ] || fail "train $kind $file: $code $(cat err)"
    [ -z "$pattern" ] || grep -q -e "^unroll: $file: $pattern" err ||
        fail "train $kind $file: no '$pattern' in: $(cat err)"
}

# ---- a label for each token
awk 'BEGIN { for (i = 0; i < 6; i++) {
    printf "# sent_id = %d\n1-2\tAda'"'"'s\t_\t_\t_\t_\t_\t_\t_\t_\n", i
    printf "1\tAda\tAda\tPROPN\tNNP\t_\t2\tnsubj\t_\t_\n2\tlived\tlive\tVERB\tVBD\t_\t0\troot\t_\t_\n"
    printf "2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_\n3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_\n\n" } }' >ud.conllu
learns tagger ud.conllu 'read as CoNLL-U, columns FORM and UPOS$'
[ "$(sort ud/labels.txt | tr '\n' ' ')" = 'PROPN PUNCT VERB ' ] || fail "labels: $(cat ud/labels.txt)"
expect 0 '^tokens  *18$' eval ud --data ud.conllu
awk -F '\t' 'NF == 10 { print $2, $4 } /^$/' ud.conllu | grep -v "^Ada's\|^x" >two.txt
expect 0 '^tokens  *18$' eval ud --data two.txt # other files go by their own form
expect 0 '^tokens  *18$' eval ud --data ud.conllu --label-column upos
expect 0 '^  *18 *of these are unknown to the model' eval ud --data ud.conllu --label-column XPOS
expect 3 'no column is called "pos" (--label-column)' eval ud --data ud.conllu --label-column pos

awk 'BEGIN { print "-DOCSTART- -X- -X- O\n"; for (i = 0; i < 6; i++)
    print "Ada NNP I-NP B-PER\nlived VBD I-VP O\n\n-DOCSTART- -X- -X- O\n" }' >docs.txt
learns tagger docs.txt '7 lines of -DOCSTART- are borders$'
grep -q '^unroll: docs.txt: of 4 columns, 1 is the token and 4 the label$' err || fail "columns: $(cat err)"
grep -q '^6 sentences to learn' err || fail "borders: $(cat err)"
printf 'a N B\nb N B\nc N\n' >ragged.txt
expect 3 'ragged.txt: line 3: 2 columns, line 1 has 3' train tagger --data ragged.txt --out ragged

# a token with a no-break space in it: learned, measured and labelled as one
awk 'BEGIN { for (i = 0; i < 8; i++) print "10\302\240000\tNUM\nships\tN\n\n" }' >spaces.txt
learns tagger spaces.txt ''
"$tool" predict spaces "$(printf '10\302\240000 ships')" >out
[ "$(wc -l <out)" -eq 3 ] || fail "another cut than in training: $(cat out)"
cut -f1 spaces.txt | sed -n 1p >word
head -n 1 out | cut -f1 | cmp - word || fail "another token: $(cat out)"

# ---- a label for each text
awk 'BEGIN { print "Label,id,Text"; for (i = 0; i < 8; i++)
    print (i % 2 ? "bad" : "good") "," i ",\"" (i % 2 ? "dull" : "fine") ", a \"\"film\"\"\"" }' >films.csv
learns classifier films.csv 'columns "Text" and "Label" are read$'
expect 0 '^texts  *8$' eval films --data films.csv
awk 'BEGIN { print "what,verdict\nfine film,good" }' >new.csv
expect 3 'new.csv: which columns are meant? .*say --text-column and --label-column' eval films --data new.csv
expect 0 '^texts  *1$' eval films --data new.csv --text-column what --label-column verdict
grep -q '"text_column"' films/config.json || fail "how files are read is not in config.json"
awk 'BEGIN { for (i = 0; i < 9; i++) print (i % 3 ? i % 2 ? "cold" : "warm" : "dull") "\t" (i % 2 ? "bad" : "good") }' >swapped.txt
learns classifier swapped.txt 'warning: 3 different labels for 2 different texts: are the columns swapped?$'
printf 'good\ta b\ngood\tc d\n' >one.txt
learns classifier one.txt 'warning: every text has the same label: nothing can be learned$'
awk 'BEGIN { print "X\ta b c"; printf "Y\t"; for (i = 0; i < 70000; i++) printf "b "; print "" }' >long.txt
expect 3 'long.txt: line 2: a text of more than 65536 tokens (--max-length cuts)' \
    train classifier --data long.txt --out long
learns classifier long.txt '1 texts were cut to 5 tokens$' --max-length 5
run predict long - <long.txt
[ "$code" -eq 0 ] && grep -q '^unroll: 1 of 2 texts were cut (--max-length)$' err ||
    fail "cut: $code $(cat err)"
sed -n '2s/^Y.//p' long.txt | "$tool" predict long --json - | grep -q '"unknown":0,"cut":69995}$' ||
    fail "cut, as JSON"

# ---- pairs
for word in cat dog cow pen cup hat; do printf '%s\t%ss\tCC-BY 2.0 #1\n' $word $word; done >third.txt
learns seq2seq third.txt 'what stands behind a second tab is not read (first on line 1)$' --strip
printf 'cat\tcats\rdog\tdogs\rcow\tcows\rpen\tpens\r' >returns.txt
learns seq2seq returns.txt 'all questions have 3 characters and all answers 4, but none is filled up'
grep -q '^4 pairs to learn' err || fail "CRs: $(cat err)"
expect 0 . predict returns bird
[ -s err ] || fail "what the model does not know is not said"
printf 'A\314\212\tx\nB\ty\n\n' >marks.txt
learns seq2seq marks.txt '1 blank line is passed over$' --lower --unicode nfc
run predict marks "$(printf '\303\245')" b B
[ "$code" -eq 0 ] && [ ! -s err ] || fail "not normalised alike: $(cat err)"
printf '\377\376A\000\t\000b\000\n\000' >wide.txt
expect 3 'wide.txt: line 1: this file is UTF-16, and UTF-8 is expected; iconv -f UTF-16 -t UTF-8' \
    train seq2seq --data wide.txt --out wide
finish
