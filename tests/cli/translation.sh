#!/bin/sh
# Translators, from training to pictures: what is printed, lines in and out, two files, scores, a run that
# goes on, bad data.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
small='--hidden 24 --embed 12 --epochs 40 --lr 0.01 --batch 16 --min-freq 1 --bpe 30 --valid-split 0'

for a in one two three four; do
    for b in cats dogs birds; do
        printf '%s %s.\tdes %s, %s !\n' "$a" "$b" "$b" "$a"
    done
done >pairs.tsv
cut -f1 pairs.tsv >a.en
cut -f2 pairs.tsv >a.fr

# shellcheck disable=SC2086
{
run train translation --data pairs.tsv --valid pairs.tsv --out run $small
[ "$code" -eq 0 ] || fail "train: $(cat err)"
grep -q '^12 pairs to learn, 12 to validate; [0-9]* different tokens, ' err || fail "$(head -1 err)"
grep -q '^epoch 40/40  loss [0-9.]*  .*BLEU [0-9.]*  chrF2 [0-9.]*  ' err || fail "$(cat err)"
grep -q '"valid_bleu": [0-9.e-]*, "valid_bleu_first": [0-9.e-]*, "valid_chrf": ' run/metrics.jsonl ||
    fail "metrics: $(cat run/metrics.jsonl)"
head -1 run/bpe.codes | grep -q '^#version: 0.2$' || fail "codes: $(head -1 run/bpe.codes)"
grep -q '^T: des birds, four !$' out || fail "samples: $(cat out)"

# the same bytes from two files, with other threads, and gone on with
run train translation --data a.en a.fr --valid a.en a.fr --out two $small --threads 1
[ "$code" -eq 0 ] || fail "two files: $(cat err)"
cmp run/$weights two/$weights || fail "two files give another model"
run train translation --data pairs.tsv --valid pairs.tsv --out part $small --max-steps 7
run train translation --out part --resume
[ "$code" -eq 0 ] || fail "resume: $(cat err)"
cmp run/$weights part/$weights || fail "a resumed run is another"

expect 0 '^BLEU  *[0-9.]*     nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp$' eval run --data pairs.tsv
cp out first
run eval two/$weights --data a.en a.fr
same first out
expect 0 '"bleu_signature":"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp","bleu_first":' \
    eval run --data pairs.tsv --beam 3 --json

# a line out for each line in; what stands beside a sentence changes nothing
printf 'two dogs.\n\n  \nfour birds.\nzz @ dogs\n' >input
"$tool" predict run - --beam 3 <input >lines 2>err || fail "predict -: $(cat err)"
[ "$(wc -l <lines)" -eq 5 ] || fail "predict -: $(cat lines)"
[ "$(sed -n 2p lines)" = '' ] || fail "an empty line became $(sed -n 2p lines)"
"$tool" predict run --beam 3 'four birds.' >one 2>err
[ "$(sed -n 4p lines)" = "$(cat one)" ] || fail "$(cat one), alone"
"$tool" predict run - --beam 3 --n-best 2 <input >lines 2>err
[ "$(grep -c '^[0-4] ||| .* ||| -*[0-9.]*$' lines)" -eq 8 ] || fail "n best: $(cat lines)"
[ "$(sed -n 3p lines)" = '1 |||  ||| 0.000000' ] || fail "n best: $(cat lines)"
"$tool" predict run --beam 3 --length-penalty 1 --penalty ctranslate2 'one cats.' >other 2>err ||
    fail "--penalty: $(cat err)"

expect 0 '^-[0-9.]*$' score run --data pairs.tsv
[ "$(wc -l <out)" -eq 12 ] || fail "score: $(cat out)"
expect 0 '^{"log_probability":-[0-9.e-]*}$' score run --data a.en a.fr --json
expect 0 '^run/plots/curves.svg$' plot run
grep -q '>BLEU</text>' run/plots/curves.svg || fail "curves without BLEU"

# ---- every model: the same bytes with other threads, alone and in company
for model in rnn bahdanau transformer; do
    settings='--hidden 16 --epochs 3 --lr 0.01 --batch 5 --min-freq 1 --bpe 30 --valid-split 0 --dropout 0.1'
    run train translation --data pairs.tsv --out $model-2 --model $model --layers 2 $settings --threads 2
    [ "$code" -eq 0 ] || fail "--model $model: $(cat err)"
    run train translation --data pairs.tsv --out $model-1 --model $model --layers 2 $settings --threads 1
    cmp $model-1/$weights $model-2/$weights || fail "$model: threads change the weights"
    "$tool" predict $model-1 - --beam 4 <input >lines 2>err || fail "$model: predict: $(cat err)"
    while IFS= read -r line; do
        "$tool" predict $model-1 --beam 4 -- "$line"
    done <input >one 2>err
    same lines one
done
expect 0 '^transformer-1/plots/attention.svg$' plot transformer-1 --attention 'two dogs.'
grep -q '>layer 2, mean of 4 heads</text>' transformer-1/plots/attention.svg || fail "attention.svg: no mean"
expect 0 '^heads.svg$' plot transformer-1 --attention 'two dogs.' --which encoder --all-heads --out heads.svg
[ "$(grep -c '>layer [12], head [1-4]</text>' heads.svg)" -eq 8 ] || fail "--all-heads: not 8 heads"
expect 0 '^bahdanau-1/plots/attention.svg$' plot bahdanau-1 --attention 'two dogs.'
expect 1 'no encoder attention: it is no Transformer' plot bahdanau-1 --attention x --which encoder
expect 3 'no layer 2: the attention has one layer and head' plot bahdanau-1 --attention x --layer 2
expect 1 'no attention to draw' plot rnn-1 --attention 'two dogs.'

# ---- batches of tokens: other ones than those of sentences, the same with other threads and after a stop
settings='--hidden 16 --epochs 4 --lr 0.01 --batch-tokens 30 --min-freq 1 --bpe 30 --valid-split 0'
run train translation --data pairs.tsv --out tokens-2 $settings --threads 2
[ "$code" -eq 0 ] || fail "--batch-tokens: $(cat err)"
steps=$(sed -n 's/.*"step": \([0-9]*\),.*/\1/p' tokens-2/metrics.jsonl | tail -1)
[ "$steps" -ge 12 ] && [ "$steps" -lt 48 ] || fail "--batch-tokens 30: $steps steps"
run train translation --data pairs.tsv --out tokens-1 $settings --threads 1 --max-steps 6
run train translation --out tokens-1 --resume
cmp tokens-1/$weights tokens-2/$weights || fail "batches of tokens change with threads or a stop"
expect 2 'not of unroll train lm' train lm --data a.fr --out no --batch-tokens 5

# ---- validation every few steps, the best model by BLEU
settings='--hidden 16 --epochs 30 --lr 0.02 --batch 4 --min-freq 1 --bpe 30 --valid-every 5'
run train translation --data pairs.tsv --valid pairs.tsv --out by $settings --best-by bleu --early-stop 3
[ "$code" -eq 0 ] || fail "--best-by: $(cat err)"
grep -q '"epoch": 2, "step": 5,' by/metrics.jsonl || fail "--valid-every 5: $(cat by/metrics.jsonl)"
# the last three validations were no better than the best before them
sed -n 's/.*"valid_bleu": \([0-9.]*\).*/\1/p' by/metrics.jsonl | awk '
    { x[NR] = $1 + 0 }
    END { for (i = 1; i <= NR - 3; i++) if (x[i] > best) best = x[i]
          for (i = NR - 2; i <= NR; i++) if (x[i] > best) exit 1 }' || fail "early stop: $(cat by/metrics.jsonl)"
expect 0 'curves.svg' plot by
expect 3 'no figure "rouge"' train translation --data pairs.tsv --out no --best-by rouge

# ---- two files: the same pairs, and a run goes on from any folder
run train translation --data a.en a.fr --out files $small --epochs 2
[ "$code" -eq 0 ] || fail "two files: $(cat err)"
mkdir -p elsewhere
(cd elsewhere && "$tool" train translation --out ../files --resume --epochs 3 --quiet) >out 2>err ||
    fail "two files: resume: $(cat err)"
mv a.fr b.fr
expect 3 'a.fr is not there any more' train translation --out files --resume --epochs 4
run train translation --out files --resume --epochs 4 --data a.en b.fr
[ "$code" -eq 0 ] || fail "two files that were moved: $(cat err)"
mv b.fr a.fr

# ---- --overwrite leaves nothing of the run before it: no merges of words that are whole now
run train translation --data pairs.tsv --out files $small --epochs 1 --bpe 30 --no-joint --overwrite
[ -s files/bpe.codes ] && [ -s files/target.txt ] || fail "no merges: $(ls files) $(cat err)"
run train translation --data pairs.tsv --out files $small --epochs 1 --bpe 0 --overwrite
expect 0 . predict files 'two dogs.'

# ---- a part for validation: by the seed, the same after a stop; none of it beside --valid
run train translation --data pairs.tsv --out split --hidden 16 --epochs 3 --batch 4 --bpe 30 --valid-split 0.3
grep -q '^8 pairs to learn, 4 to validate; ' err || fail "--valid-split 0.3: $(cat err)"
run train translation --data pairs.tsv --out again --hidden 16 --epochs 3 --batch 4 --bpe 30 --valid-split 0.3 --max-steps 3
run train translation --out again --resume
same split/$weights again/$weights
same split/vocab.txt again/vocab.txt
run train translation --data pairs.tsv --out seeded --hidden 16 --epochs 1 --bpe 30 --valid-split 0.3 --seed 7
cmp -s split/vocab.txt seeded/vocab.txt && fail "--valid-split does not follow the seed"
run train translation --data pairs.tsv --out some --hidden 16 --epochs 1
grep -q '^11 pairs to learn, 1 to validate; ' err || fail "a twentieth: $(cat err)"
expect 3 'two ways' train translation --data pairs.tsv --valid pairs.tsv --valid-split 0.3 --out no
run help train translation
grep -q 'validate with this part' out || grep -q 'Validate with this part' out || fail "help: $(cat out)"
grep -A4 -e '--valid-split' out | grep -q 'Default: 0.05' || fail "help: $(grep -A4 -e --valid-split out)"
# a configuration that has the split among the model's own keys
sed 's/"max_length": 256/"max_length": 256, "valid_split": 0.05/' some/config.json >changed
cmp -s changed some/config.json && fail "no max_length in $(cat some/config.json)"
cp changed some/config.json
expect 0 . predict some 'two dogs.'

# ---- columns, by name when learning and in eval and score; directions under both names
awk -F '\t' 'BEGIN { print "n,fr,en" } { printf "%d,\"%s\",%s\n", NR, $2, $1 }' pairs.tsv >pairs.csv
run train translation --data pairs.csv --source-column en --target-column fr --valid pairs.csv --out csv $small \
    --bidirectional
[ "$code" -eq 0 ] || fail "columns: $(cat err)"
run train translation --data pairs.tsv --valid pairs.tsv --out tsv $small --directions concat
same csv/vocab.txt tsv/vocab.txt
for line in '"source_column": "en"' '"bidirectional": "concat"'; do
    grep -q "$line" csv/config.json || fail "no $line in $(cat csv/config.json)"
done
run eval tsv --data pairs.tsv
cp out first
run eval csv --data pairs.csv
same first out
run eval tsv --data pairs.csv --source-column 3 --target-column 2
grep -q '^pairs  *13$' out || fail "numbers take the first line for a pair: $(cat out err)"
run score tsv --data pairs.tsv
cp out first
run score tsv --data pairs.csv --source-column en --target-column fr
same first out
expect 3 'no column is called "de"' eval csv --data pairs.csv --source-column de
expect 3 'say --source-column and --target-column' eval tsv --data pairs.csv
expect 3 'columns are chosen in one file' eval tsv --data a.en a.fr --source-column 1 --target-column 2
run train translation --data pairs.tsv --out mean $small --epochs 1 --bidirectional=average
grep -q '"bidirectional": "average"' mean/config.json || fail "average: $(cat err)"

# ---- <unk> is learned, and never written; what is unknown is counted and said
awk 'BEGIN { for (i = 1; i <= 40; i++) printf "my name is n%d .\tje suis m%d .\n", i, i }' >names.tsv
run train translation --data names.tsv --out names --bpe 0 --tokenizer word --hidden 16 --embed 8 --epochs 30 \
    --lr 0.02 --batch 8 --valid-split 0.1
[ "$code" -eq 0 ] || fail "names: $(cat err)"
grep -q '^unroll: 4 of 20 tokens of the sentences and 4 of 16 of their translations are unknown to the model' err ||
    fail "unknown in validation: $(cat err)"
for search in '' '--beam 4' '--beam 4 --n-best 4' '--temperature 1'; do
    # shellcheck disable=SC2086
    run predict names 'my name is zoe .' $search
    [ "$code" -eq 0 ] && grep -q 'suis' out || fail "predict $search: $(cat out err)"
    grep -q '<unk>' out && fail "predict $search writes <unk>: $(cat out)"
    grep -q '^unroll: 1 token, in 1 of 1 text, is unknown to the model and read as <unk>$' err ||
        fail "unknown: $(cat err)"
done
run eval names --data names.tsv
grep -q '^unroll: 40 of 200 tokens of the sentences and 40 of 160' err || fail "eval: $(cat err)"

# ---- a given beginning: forced, part of the translation, and what the model writes itself changes nothing
for search in '' '--beam 3' '--temperature 0.5'; do
    # shellcheck disable=SC2086
    run predict run 'two dogs.' --begin 'des birds,' $search
    [ "$code" -eq 0 ] || fail "--begin: $(cat err)"
    grep -q '^des birds, ' out || fail "--begin $search: $(cat out)"
    [ "$(wc -l <out)" -eq 1 ] || fail "--begin $search: $(cat out)"
done
expect 0 '^0 ||| des birds.* ||| -' predict run 'two dogs.' --begin 'des birds' --beam 3 --n-best 2
grep -v '^0 ||| des birds' out && fail "n best: $(cat out)"
expect 0 '"text":"des birds,.*"tokens":\[{"token":"des"' predict run 'two dogs.' --begin 'des birds,' --json
"$tool" predict run 'two dogs.' --json --beam 3 >first 2>err
wrote=$(sed 's/.*"text":"\([^"]*\)".*/\1/' first)
"$tool" predict run 'two dogs.' --json --beam 3 --begin "${wrote%%,*}," >out 2>err
same first out
"$tool" predict run - --begin 'des birds,' --beam 3 <input >lines 2>err || fail "predict -: $(cat err)"
[ "$(grep -c '^des birds,' lines)" -eq 3 ] && [ "$(sed -n 2p lines)" = '' ] || fail "--begin, lines: $(cat lines)"
"$tool" predict run --begin 'des birds,' --beam 3 'four birds.' >one 2>err
[ "$(sed -n 4p lines)" = "$(cat one)" ] || fail "$(cat one), alone"
long='des birds, des birds, des birds, des birds, des birds, des birds, des birds, des birds,'
expect 0 "^$long " predict run 'dogs.' --begin "$long"
expect 3 "does not know and cannot write: 'des @'" predict run 'two dogs.' --begin 'des @'
for model in rnn transformer; do
    expect 0 '^des birds' predict $model-1 'two dogs.' --begin 'des birds' --beam 2
done
expect 2 'unknown option --begin' generate run --begin 'des'
train dates --epochs 1
expect 1 'takes no beginning' predict dates 1/2/88 --begin 19

# ---- what is said about the data, once
awk 'NR == 3 { print "long long long long long long.\tx\tCC #3 (a)"; print "\tempty\tCC #4" }
     { print $0 "\tCC #" NR }' pairs.tsv >third.tsv
run train translation --data third.tsv --valid pairs.tsv --out third $small --epochs 1 --max-length 6 --bpe 0
[ "$(grep '^unroll: ' err)" = 'unroll: the third column is an attribution and is passed over
unroll: 1 pairs with an empty side are left out
unroll: 1 pairs with a sentence of more than --max-length tokens are left out' ] || fail "remarks: $(cat err)"

# ---- what is refused
expect 2 '3 heads do not divide' train translation --data pairs.tsv --out no --model transformer --heads 3
expect 2 'wants one vocabulary' train translation --data pairs.tsv --out no --model transformer \
    --tie all --no-joint
expect 2 'merges are of words' train translation --data pairs.tsv --out no --tokenizer char
printf 'a\tb\tc\n' >three.tsv
expect 3 'three.tsv: line 1: three columns' train translation --data three.tsv --out no
expect 3 'pairs.tsv has 12 lines, three.tsv has 1' train translation --data pairs.tsv three.tsv --out no
expect 2 "'a.fr' is one argument too many" train tagger --data a.en a.fr --out no
}
finish
