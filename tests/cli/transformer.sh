#!/bin/sh
# Encoder-decoders that are Transformers: trained, gone on with, asked, drawn; the same bytes whatever the
# instruction set, the threads and what stands beside a question.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
options='--model transformer --heads 2 --ffn 24 --layers 2 --dropout 0.1 --label-smoothing 0.1 --lr 3e-3'
every='--tie all --norm-first --activation gelu'

# shellcheck disable=SC2086
train whole $options $every --epochs 3 --threads 1
# shellcheck disable=SC2086
train part $options $every --epochs 2 --threads 3
run train seq2seq --out part --resume --epochs 3 --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
same whole/$weights part/$weights
# shellcheck disable=SC2086
on_plain train plain $options $every --epochs 3
same whole/$weights plain/$weights
for option in '--tie output' '--tie none --strip' '--activation gelu-tanh --reverse-input' ''; do
    name=run$(echo "$option" | tr -d ' -')
    # shellcheck disable=SC2086
    train "$name" $options $option --epochs 1
    expect 0 . predict "$name" 1/2/88
done

# One by one, together, by a beam.
printf '%s\n' 'september 27, 1994' '1/2/88' 'monday, may 5, 2003' 'august 3, 2001' >questions
for search in '' '--beam 4' '--beam 5 --n-best 2' '--temperature 0.7 --seed 3'; do
    # shellcheck disable=SC2086
    "$tool" predict whole $search - <questions >together || fail "predict $search"
    [ -z "$search" ] || [ "${search#--t}" != "$search" ] || while read -r line; do
        # shellcheck disable=SC2086
        "$tool" predict whole $search "$line"
    done <questions >alone
    case $search in
    --beam*) same together alone ;;
    esac
done
expect 0 'accuracy' eval whole --data builtin:dates --size 40
expect 0 . plot whole --attention '1/2/88'
grep -q '>layer 2, mean of 2 heads</text>' whole/plots/attention.svg || fail "no picture of attention"

# one head, a layer's heads, all of them; of the encoder, of the decoder
expect 0 '^one.svg$' plot whole --attention '1/2/88' --layer 1 --head 2 --out one.svg
grep -q '>layer 1, head 2</text>' one.svg || fail "--layer 1 --head 2 is another"
expect 0 '^layer.svg$' plot whole --attention '1/2/88' --layer 2 --all-heads --out layer.svg
[ "$(grep -c '>layer [12], head [12]</text>' layer.svg)" -eq 2 ] || fail "--layer 2 --all-heads"
for which in cross encoder decoder; do
    expect 0 "^$which.svg$" plot whole --attention '1/2/88' --which $which --all-heads --out $which.svg
    [ "$(grep -c '>layer [12], head [12]</text>' $which.svg)" -eq 4 ] || fail "--which $which --all-heads"
done
cmp -s encoder.svg decoder.svg && fail "--which draws the same picture"
expect 3 'no layer 3: the cross attention has layers 1 to 2 and heads 1 to 2' plot whole \
    --attention 1/2/88 --layer 3
expect 3 'no head 3: the encoder attention' plot whole --attention 1/2/88 --head 3 --which encoder
tied=$("$tool" inspect whole | grep -c 'embed.weight')
[ "$tied" -ge 1 ] || fail "inspect does not list embeddings"

# shellcheck disable=SC2086
train preset --preset transformer --epochs 1 --max-steps 3
grep -q '"network": "transformer"' preset/config.json || fail "--preset transformer is none"
grep -q '"strip": true' preset/config.json || fail "--preset transformer keeps spaces"

expect 2 'belongs to' train seq2seq --out bad --data builtin:dates --heads 2
expect 2 'do not divide' train seq2seq --out bad --data builtin:dates --model transformer --heads 3
expect 2 'cannot be none' train seq2seq --out bad --data builtin:dates --model transformer \
    --activation none
finish
