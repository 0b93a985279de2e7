#!/bin/sh
# Taggers and classifiers, from training to pictures: what is printed, in lines and as JSON; the same
# bytes however they are computed; bad data and texts.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
small='--hidden 8 --embed 4 --epochs 2 --lr 0.02 --batch 8 --min-freq 1'

# A word is D if it begins the sentence or stands behind "the", else V or N by itself.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    printf 'the D\ndog N\nruns V\n\ndog D\nruns V\nthe D\ndog N\n\nruns D\ndog N\n\n'
done >tags.txt
head -12 tags.txt >few.txt
for _ in 1 2 3 4 5 6 7 8 9 10; do
    printf 'good\ta fine film, really\nbad\ta film to forget\ngood\tfine\nvery bad\tno film\n'
done >texts.txt

# shellcheck disable=SC2086
{
# ---- a tagger
run train tagger --data tags.txt --valid few.txt --out tagger $small
[ "$code" -eq 0 ] || fail "train tagger: $(cat err)"
grep -q '^30 sentences to learn, 3 to validate; 4 different tokens, 3 labels, ' err ||
    fail "train tagger: $(head -1 err)"
grep -q '^epoch 2/2  loss [0-9.]*  validation [0-9.]*  accuracy  *[0-9.]* %  F1 [0-9.]*  [0-9,]* tokens/s' err ||
    fail "train tagger: $(cat err)"
grep -q '^accuracy  *[0-9.]* %' out || fail "no scores: $(cat out)"
grep -q '^tokens  *9$' out || fail "no counts: $(cat out)"
grep -q '^N  *[01]\.' out || fail "no label's scores: $(cat out)"
grep -q '^true labels down' out && fail "a matrix that nobody asked for: $(cat out)"
grep -q '"valid_accuracy": [0-9.e-]*, "valid_f1": [0-9.e-]*,' tagger/metrics.jsonl ||
    fail "metrics: $(cat tagger/metrics.jsonl)"
[ "$(cat tagger/labels.txt)" = "$(printf 'D\nN\nV')" ] || fail "labels: $(cat tagger/labels.txt)"

expect 0 "^N  *[01]\.[0-9]* *[01]\.[0-9]* *[01]\.[0-9]* *3$" eval tagger --data few.txt
cp out lines
expect 0 '^true labels down' eval tagger --data few.txt --confusion
head -n "$(wc -l <lines)" out | cmp - lines || fail "--confusion changes the scores: $(cat out)"
expect 0 '^{"accuracy":[0-9.]*,"f1":[0-9.]*,"loss":[0-9.]*,"positions":9,"examples":9,"labels":\[{"label":"D","present":4,' \
    eval tagger --data few.txt --json
grep -q '"f1":[0-9.]*}\]}$' out || fail "eval --json: $(cat out)"
run eval tagger --data few.txt --json --confusion
grep -q '"f1":[0-9.]*}\],"confusion":\[\[[0-9],[0-9],[0-9]\],\[[0-9],[0-9],[0-9]\],\[[0-9],[0-9],[0-9]\]\]}$' out ||
    fail "eval --json: $(cat out)"

expect 0 "^dog	[DNV]	0\.[0-9][0-9][0-9][0-9]$" predict tagger 'the dog  zebra' ''
[ "$(cut -f1 out | tr '\n' '|')" = 'the|dog|zebra|||' ] || fail "predict: $(cat out)"
cp out arguments
printf 'the dog  zebra\n\n' >input
"$tool" predict tagger - <input >out 2>err || fail "predict -: $(cat err)"
same arguments out
expect 0 '^{"input":"the dog","tokens":\[{"token":"the","label":"[DNV]","probability":[0-9.e-]*,"probabilities":{"D":[0-9.e-]*,"N":[0-9.e-]*,"V":[0-9.e-]*}},{"token":"dog",' \
    predict tagger 'the dog' --json
expect 0 '^tagger/plots/confusion.svg$' plot tagger --confusion
grep -q '>true label</text>' tagger/plots/confusion.svg || fail "confusion.svg: no titles"
expect 0 '^mine.svg$' plot tagger --confusion --data tags.txt --out mine.svg
cmp -s mine.svg tagger/plots/confusion.svg && fail "--data changed nothing"
expect 0 '^tagger/plots/curves.svg$' plot tagger
expect 0 '"model": "tagger"' inspect tagger

# ---- a classifier
run train classifier --data texts.txt --out classifier --quiet $small
[ "$code" -eq 0 ] || fail "train classifier: $(cat err)"
if [ -s out ] || [ -s err ]; then fail "train --quiet said: $(cat out err)"; fi
expect 0 "^[a-z ]*	0\.[0-9][0-9][0-9][0-9]$" predict classifier 'no film' 'no film'
[ "$(wc -l <out)" -eq 2 ] || fail "predict: $(cat out)"
expect 0 '^{"input":"fine","tokens":\[{"label":"good","probability":[0-9.e-]*,"probabilities":{"good":[0-9.e-]*,"bad":[0-9.e-]*,"very bad":[0-9.e-]*}}\],"unknown":0}$' \
    predict classifier/$weights fine --json
expect 0 . predict classifier '' # what it says to nothing
expect 0 '^texts  *40$' eval classifier --data texts.txt
grep -q '^very bad  *[01]' out || fail "eval: $(cat out)"
expect 3 'data is missing: this run has no validation file' plot classifier --confusion

# ---- the same bytes
for kind in tagger classifier; do
    data=tags.txt
    [ $kind = tagger ] || data=texts.txt
    for threads in 1 2 3; do
        run train $kind --data $data --out $kind-$threads --quiet $small --threads $threads
        same $kind-1/$weights $kind-$threads/$weights
    done
    run train $kind --data $data --out $kind-parts --quiet $small --max-steps 3
    run train $kind --out $kind-parts --resume --quiet
    [ "$code" -eq 0 ] || fail "resume: $(cat err)"
    same $kind-1/$weights $kind-parts/$weights
    UNROLL_ISA=plain
    export UNROLL_ISA
    run train $kind --data $data --out $kind-plain --quiet $small
    same $kind-1/$weights $kind-plain/$weights
    unset UNROLL_ISA
done
same tagger/$weights tagger-1/$weights # validation changes nothing

# ---- other ways to build one
run train tagger --data tags.txt --out one --quiet $small --directions one --cell gru --layers 2 \
    --lower --max-size 3 --dropout 0.1
[ "$code" -eq 0 ] || fail "one way: $(cat err)"
expect 0 '^the	' predict one 'the dog'
run train classifier --data texts.txt --out chars --quiet $small --tokenizer char --letters-only \
    --directions average --cell rnn
[ "$code" -eq 0 ] || fail "characters: $(cat err)"
expect 0 . predict chars 'a film'

# ---- too many labels for a matrix: the pairs that are confused most, most first
for i in 1 2 3 4 5 6 7 8 9; do
    printf 'a very long label, the %sth\tx\na very long label, the %sth\tx\nother\tx\n' $i $i
done >many.txt
run train classifier --data many.txt --out many --quiet --epochs 1 --hidden 4 --lr 0.1
expect 0 '^other  *1\.0000\|^other  *0\.' eval many --data many.txt --confusion
grep -q '^most often confused' out || fail "no confusions: $(cat out)"
grep -q '^true labels down' out && fail "a matrix too wide: $(cat out)"
sed -n '/^most often/,$p' out | sed 1,2d >pairs
[ "$(wc -l <pairs)" -eq 9 ] || fail "confusions: $(cat out)"
[ "$(awk '{ print $NF }' pairs | sort -u)" = 2 ] || fail "confusions: $(cat out)"

# ---- far too many for any: the scores of each, and a sentence where the matrix is asked for
awk 'BEGIN { for (i = 0; i < 2100; i++) printf "l%d\tx\n", i }' >crowd.txt
run train classifier --data crowd.txt --out crowd --quiet --epochs 1 --hidden 2 --embed 2
[ "$code" -eq 0 ] || fail "2,100 labels: $(cat err)"
expect 0 '^l2099 ' eval crowd --data crowd.txt
expect 3 '^unroll: confusion matrix: 2100 labels, at most 2000 expected$' \
    eval crowd --data crowd.txt --confusion
expect 3 '^unroll: confusion matrix: 2100 labels, at most 2000 expected$' \
    plot crowd --confusion --data crowd.txt

# ---- bad data
printf 'the D\ndog X\n' >new.txt
strange='new.txt: 1 of 2 labels were none in training and count as wrong; the first is "X" on line 2'
# shellcheck disable=SC2086
run train tagger --data tags.txt --valid new.txt --out strange $small
[ "$code" -eq 0 ] && grep -q "$strange" err || fail "a new label: $code $(cat err)"
expect 0 '^accuracy  *50.0000 %' eval tagger --data new.txt
grep -q "$strange" err || fail "a new label: $(cat err)"
grep -q '^tokens  *2$' out && grep -q '^  *1 *of these are unknown to the model' out ||
    fail "a new label: $(cat out)"
expect 0 '"accuracy":0.5,.*"positions":2,"examples":2,"unknown":1' eval tagger --data new.txt --json
expect 3 'new.txt: nothing is left that can be used' eval tagger --data new.txt --skip
}
: >empty.txt
printf 'one\n' >columns.txt
expect 3 'empty.txt' train tagger --data empty.txt --out never
expect 3 'empty.txt' train classifier --data empty.txt --out never
expect 3 'columns.txt: line 1: one column' train tagger --data columns.txt --out never
expect 3 'columns.txt: line 1: no tab' train classifier --data columns.txt --out never
expect 3 'columns.txt: line 1: no tab' eval classifier --data columns.txt
expect 3 'text 2: .*UTF-8' predict tagger the "$(printf 'dog\377')"
grep -q '^the	' out || fail "the text before was not answered: $(cat out)"
[ ! -e never ] || fail "something was written"

# ---- wrong usage
expect 2 '^unroll: --data is missing' train tagger --out never
expect 2 'unroll train classifier has no built-in data' train classifier --data builtin:dates --out never
expect 2 'does not go with --resume' train tagger --out tagger --resume --hidden 9
expect 2 '^unroll: --data belongs to --confusion' plot tagger --data few.txt
expect 2 'two pictures' plot tagger --confusion --attention x
expect 2 'draws one run, 2 were given' plot tagger classifier --confusion
train questions --epochs 1
expect 1 'questions is a seq2seq, which has no labels' eval questions --data builtin:dates --confusion
expect 1 'tagger is a tagger, which does not write texts; unroll predict tagger TEXT answers' generate tagger
expect 3 'classifier holds a classifier, which unroll train tagger does not train; that is unroll train classifier' \
    train tagger --out classifier --resume
expect 2 'expected no or concat or average' \
    train tagger --data tags.txt --out never --directions two
finish
