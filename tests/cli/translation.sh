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
grep -q '^epoch 40/40  loss [0-9.]*  validation [0-9.]*  BLEU [0-9.]*  chrF2 [0-9.]*  ' err || fail "$(cat err)"
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

# ---- what is refused
printf 'a\tb\tc\n' >three.tsv
expect 3 'three.tsv: line 1: three columns' train translation --data three.tsv --out no
expect 3 'pairs.tsv has 12 lines, three.tsv has 1' train translation --data pairs.tsv three.tsv --out no
expect 2 "'a.fr' is one argument too many" train tagger --data a.en a.fr --out no
}
finish
