#!/bin/sh
# Wrong usage: exit code 2, a sentence that says what was given and what was expected, and nothing
# written.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

run
[ $code -eq 2 ] || fail "no verb: exit code $code"
grep -q '^usage: ' err || fail "no verb: no help on standard error"
[ ! -s out ] || fail "no verb: something on standard output"

expect 2 "unknown verb 'trian'; did you mean train?" trian
expect 2 "unknown verb 'xyzzyx'" xyzzyx
expect 2 "unknown verb 'nothing'" help nothing
expect 2 'unknown option --verbose before the verb' --verbose train

# arguments
expect 2 'what to train is missing' train
expect 2 'what to train is missing' train --data x
for kind in seq2seq lm tagger classifier; do
    grep -q "^  *train $kind  *[a-z]" err || fail "train --data x does not list $kind: $(cat err)"
done
expect 2 "'tagger' is no verb; did you mean unroll train tagger?" tagger --data x
expect 2 "unknown verb 'test'; here it is: unroll eval" test x
expect 2 "unknown verb 'translate'; here it is: unroll predict" translate x
expect 2 '^unroll: --out a.b/x.png: pictures are SVG: --out a.b/x.svg, and then$' plot r --out a.b/x.png
grep -q '^  rsvg-convert -o a.b/x.png a.b/x.svg$' err || fail "no rsvg-convert: $(cat err)"
expect 2 'pictures are SVG' plot r --out x.PDF
grep -q '^  rsvg-convert -f pdf -o x.pdf x.svg$' err || fail "no rsvg-convert: $(cat err)"
expect 2 "unknown model 'lstm'; there is:" train lstm --data a --out b
expect 2 "'x' is one argument too many" train seq2seq x --data a --out b
expect 2 '--out is missing' train seq2seq --data builtin:dates
expect 2 '--data is missing' train seq2seq --out o
expect 2 'the run is missing' eval
expect 2 '--data is missing' eval r
expect 2 "'b' is one argument too many" eval a x b --data c
expect 2 'the run is missing' predict
expect 2 'the text is missing' predict r
expect 2 'the run is missing' plot
expect 2 'the run is missing' generate
expect 2 "'b' is one argument too many; the prompt goes after --prompt" generate a b
expect 2 '--out is missing' train lm --data f.txt
expect 2 '--data is missing: a text file' train lm --out o
expect 2 '--attention draws one run, 2 were given' plot a b --attention x
expect 2 '--layer 0: layers are counted from 1' plot a --attention x --layer 0
expect 2 '--head 0: heads are counted from 1' plot a --attention x --head 0
expect 2 'two pictures' plot a --attention x --head 1 --all-heads
expect 2 '--all-heads belongs to --attention' plot a --all-heads
expect 2 '--which belongs to --attention' plot a --which encoder
expect 2 'expected cross or encoder or decoder' plot a --attention x --which self
expect 2 'what to inspect is missing' inspect
expect 2 "'b' is one argument too many" inspect a b

# option names and forms
expect 2 'unknown option --epocs; did you mean --epochs?' train seq2seq --epocs 3
expect 2 'unknown option --epoch; did you mean --epochs?' train seq2seq --epoch=3
expect 2 'unknown option --hiden; did you mean --hidden?' train seq2seq --hiden 3
expect 2 'unknown option --zzzzzzzz (' train seq2seq --zzzzzzzz
expect 2 'unknown option -x (' predict r -x
expect 2 'unknown option --data (' predict r --data x
expect 2 '--out needs a value: --out FOLDER' train seq2seq --data builtin:dates --out
expect 2 '--out needs a value: --out FOLDER' train seq2seq --out --resume
expect 2 '--out: expected FOLDER, not an empty text' train seq2seq --out=
expect 2 "--peeky takes no value, but was given 'yes'" train seq2seq --peeky=yes
expect 2 "--quiet takes no value, but was given ''" eval r --quiet=

# values
whole='expected a whole number from 1 to 1000000000, or auto'
for value in x '' 3x -3 +3 ' 3' 1e3 0x10 3.0 99999999999999999999999 1000000001; do
    expect 2 "^unroll: --epochs $value: $whole\$" train seq2seq --epochs "$value"
    expect 2 "^unroll: --epochs $value: $whole\$" train seq2seq "--epochs=$value"
done
expect 2 '--hidden 0: expected a whole number from 1 to 65536' train seq2seq --hidden 0
expect 2 '--embed 65537: ' train seq2seq --embed 65537
expect 2 '--batch 0: ' train seq2seq --batch 0
expect 2 '--threads 0: expected a whole number from 1 to 1024' predict r x --threads 0
expect 2 '--threads 1025: ' predict r x --threads 1025
expect 2 '--seed -1: expected a whole number from 0 to 18446744073709551615' \
    train seq2seq --seed -1
expect 2 '--seed 18446744073709551616: ' train seq2seq --seed 18446744073709551616
for value in 0 -1 nan inf 0x1p-3 1e 1e999 '' 1000001; do
    expect 2 "^unroll: --lr $value: expected a number above 0 and at most 1e+06\$" \
        train seq2seq --lr "$value"
done
expect 2 '--dropout 1: expected a number of at least 0 and at most 0.99' train seq2seq --dropout 1
expect 2 '--momentum 1: expected a number of at least 0 and below 1' train seq2seq --momentum 1
expect 2 '--clip -1: ' train seq2seq --clip -1
expect 2 '--attention dots: expected none or dot' train seq2seq --attention dots
expect 2 '--optimizer Adam: expected adam or sgd' train seq2seq --optimizer Adam
expect 2 '--decoder-start c: expected h or hc' train seq2seq --decoder-start c
expect 2 '--reverse-answer maybe: expected no or yes or with-start' train seq2seq --reverse-answer=maybe
expect 2 '--reverse-answer : expected no or yes or with-start' train seq2seq --reverse-answer=

expect 2 '--tokenizer chars: expected char or word or word-punct' train lm --tokenizer chars
expect 2 '--sampling any: expected sequential or random' train lm --sampling any
expect 2 '--valid-split 1: expected a number of at least 0 and below 1' train lm --valid-split 1
expect 2 '--bptt 0: expected a whole number from 1 to 1048576' train lm --bptt 0
expect 2 '--temperature -1: ' generate r --temperature -1
expect 2 '--top-p 1.1: expected a number of at least 0 and at most 1' generate r --top-p 1.1
expect 2 '--top-k -1: ' generate r --top-k -1
expect 2 '--max-tokens 0: ' generate r --tokens 0

# what does not go together
expect 2 'builtin:dates: unroll train lm has no built-in data; it learns from a text file' train lm --data builtin:dates --out o
expect 3 'are two ways' \
    train lm --data f.txt --valid g.txt --valid-split 0.1 --out o
expect 2 '--one-hot goes with --embed 0, not 3' train lm --data f.txt --one-hot --embed 3 --out o
expect 2 'one-hot rows have no embedding' train lm --data f.txt --one-hot --tied --out o
expect 2 'outputs of the layers, 128; it is 8' train lm --data f.txt --embed 8 --tied --out o
expect 2 '--peeky goes with --attention none, not dot' \
    train seq2seq --data builtin:dates --out o --peeky --attention dot
expect 2 '--momentum belongs to --optimizer sgd' \
    train seq2seq --data builtin:dates --out o --momentum 0.9
expect 2 '--lr-epochs belongs to --schedule step' \
    train seq2seq --data builtin:dates --out o --lr-epochs 3 --schedule cosine
expect 2 '--lr-factor belongs to --schedule step or plateau' \
    train seq2seq --data builtin:dates --out o --lr-factor 0.5
expect 2 '--eps belongs to --optimizer adam' \
    train seq2seq --data builtin:dates --out o --eps 1e-7 --optimizer sgd
expect 2 "--momentum belongs to --optimizer sgd" \
    train seq2seq --data builtin:dates --out o --momentum 0.5
expect 2 '--eps 0: expected a number above 0' train seq2seq --eps 0
expect 2 '--lr-patience belongs to --schedule plateau' \
    train seq2seq --data builtin:dates --out o --lr-patience 3 --schedule step
expect 2 '--lr-min belongs to --schedule cosine or plateau' \
    train seq2seq --data builtin:dates --out o --lr-min 0 --schedule step
expect 2 'least learning rate 0.1, it must be from 0 to 0.01' \
    train seq2seq --data builtin:dates --out o --lr 0.01 --lr-min 0.1 --schedule cosine
expect 2 '--schedule polynomial: expected constant or step or cosine or plateau' \
    train seq2seq --schedule polynomial
expect 2 '--lr-factor 1: expected a number above 0 and below 1' train seq2seq --lr-factor 1
expect 2 '--size is for built-in data; f.txt has' train seq2seq --data f.txt --out o --size 3
expect 2 '--valid-size is for built-in data, not for f.txt' \
    train seq2seq --data builtin:dates --valid f.txt --out o --valid-size 3
for option in size=3 valid-size=3 strip hidden=3 embed=3 attention=dot peeky \
    decoder-start=h reverse-input reverse-answer batch=3 optimizer=sgd minutes=1 momentum=0 \
    beta1=0.5 beta2=0.5 eps=1e-7 weight-decay=0 clip=0 dropout=0 seed=1 schedule=step lr-epochs=3 \
    lr-factor=0.5 lr-patience=1 lr-min=0 warmup=3 early-stop=1; do
    expect 2 "^unroll: --${option%%=*} does not go with --resume: " \
        train seq2seq --out o --resume "--$option"
done

[ ! -e o ] || fail "something was written"
finish
