#!/bin/sh
# Models of other cells, depths and directions, from training to pictures; what does not go together;
# the same bytes however they are computed; a configuration from before there was a choice.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
stack='--cell gru --layers 2 --bidirectional --dropout 0.1 --recurrent-dropout 0.2 --zoneout 0.1 --epochs 2'

# ---- every verb uses such a model
# shellcheck disable=SC2086
train one $stack --threads 1
expect 0 '^accuracy  *[0-9.]* %' eval one --data builtin:dates --size 60
expect 0 . predict one 1/2/88
expect 0 '^one/plots/curves.svg$' plot one
expect 0 '^one/plots/attention.svg$' plot one --attention 1/2/88
expect 0 '^encoder.gru l1_reverse  *(48, 32) (48, 16)  *2,400  *9,600$' inspect one
[ "$(grep -c '^total  *[0-9,]*  *[0-9,]*$' out)" -eq 2 ] || fail "inspect: no totals"
grep '^total' out | tr -s ' ' | sort -u | wc -l | grep -q '^ *1$' || fail "totals differ: $(cat out)"
for line in '"cell": "gru"' '"layers": 2' '"decoder_layers": 1' '"bidirectional": "average"'; do
    grep -q "$line" out || fail "inspect: no $line"
done
expect 0 '{"name":"decoder.gru l0","shapes":\[\[48,16\],\[48,16\]\],"parameters":1632,' \
    inspect one --json

# ---- the same bytes
# shellcheck disable=SC2086
{
train two $stack --threads 2
train three $stack --threads 3
same one/$weights two/$weights
same one/$weights three/$weights
for isa in plain avx2 avx512 neon; do
    hurry && [ $isa = plain ] && continue
    UNROLL_ISA=$isa
    export UNROLL_ISA
    run train seq2seq $tiny --quiet --out $isa $stack
    [ $code -eq 0 ] || continue # this machine lacks it, which train_bytes.sh looks at
    same one/$weights $isa/$weights
done
unset UNROLL_ISA
train stopped $stack --max-steps 5
cmp -s one/$weights stopped/$weights && fail "--max-steps 5 did not stop"
run train seq2seq --out stopped --resume --quiet
[ $code -eq 0 ] || fail "resume: $(cat err)"
same one/$weights stopped/$weights
}

# ---- other ways to build one
for options in '--cell rnn --layers 3 --decoder-layers 3 --bidirectional=concat' \
    '--layers 2 --proj 5 --bidirectional=average' '--cell rnn_relu --peeky --strip' \
    '--bidirectional=concat --decoder-start hc' '--cell gru_original' '--cell lstm_peephole' \
    '--cell lstm_layer_norm --layers 2 --bidirectional' '--no-bias --layers 2' \
    '--recurrent-dropout 0.3 --zoneout 0.1 --zoneout-c 0.4'; do
    # shellcheck disable=SC2086
    train "way$options" --epochs 1 $options
    expect 0 . predict "way$options" 1/2/88
done
expect 0 '"cell": "rnn_tanh"' \
    inspect 'way--cell rnn --layers 3 --decoder-layers 3 --bidirectional=concat'

noisy='way--recurrent-dropout 0.3 --zoneout 0.1 --zoneout-c 0.4'
for line in '"recurrent_dropout": 0.3' '"zoneout_h": 0.1' '"zoneout_c": 0.4' '"bias": true'; do
    expect 0 "$line" inspect "$noisy"
done
expect 0 '"bias": false' inspect 'way--no-bias --layers 2'
grep -q 'lstm l1 .*(64, 16) (64, 16)  *2,048 ' out || fail "biases without biases: $(cat out)"
expect 0 '^encoder.lstm l1_reverse  *(64, 32) (64, 16)  *3,360  *13,440$' \
    inspect 'way--cell lstm_layer_norm --layers 2 --bidirectional'

# Each kind of noise changes what is learnt, and noise in training is off when answering.
train quiet --epochs 1
for options in '--recurrent-dropout 0.3' '--zoneout 0.3' '--zoneout-c 0.3'; do
    # shellcheck disable=SC2086
    train "noise$options" --epochs 1 $options
    cmp -s quiet/$weights "noise$options/$weights" && fail "$options changes nothing"
done
expect 0 . eval "$noisy" --data builtin:dates --size 60 --json
cp out noisy.json
expect 0 . eval "$noisy" --data builtin:dates --size 60 --json
same out noisy.json

# ---- a configuration without the keys, or some of them, is that of one LSTM layer
train before --epochs 1
expect 0 . eval before --data builtin:dates --size 60 --json
cp out before.json
all='cell|layers|decoder_layers|bidirectional|proj_size|recurrent_dropout|zoneout_h|zoneout_c|bias'
cp before/config.json config.json
grep -Ev "\"($all)\":" config.json >before/config.json
expect 0 . eval before --data builtin:dates --size 60 --json
same out before.json
grep -v -e '"cell":' -e '"zoneout_h":' config.json >before/config.json
expect 0 . eval before --data builtin:dates --size 60 --json
same out before.json
sed 's/"zoneout_c": 0/"zoneout_c": 1/' config.json >before/config.json
expect 3 'zoneout_c' eval before --data builtin:dates --size 60
sed 's/"cell": "lstm"/"cell": "gru"/' config.json >before/config.json
expect 3 'before' eval before --data builtin:dates --size 60
sed 's/"layers": 1/"layers": 17/' config.json >before/config.json
expect 3 'layers' eval before --data builtin:dates --size 60
sed 's/"decoder_layers": 1/"decoder_layers": 2/' config.json >before/config.json
expect 3 'a decoder of 2 layers' eval before --data builtin:dates --size 60

# ---- what does not go together is told before anything is read
refuse() {
    pattern=$1
    shift
    expect 2 "$pattern" train seq2seq --data builtin:dates --out refused --hidden 16 "$@"
}
refuse '--cell lstn: expected lstm or gru or rnn_tanh or ' --cell lstn
refuse '--layers 17: expected a whole number from 1 to 16' --layers 17
refuse '--bidirectional mean: expected no or concat or average' --bidirectional=mean
refuse 'only an lstm has a projection, not gru' --cell gru --proj 4
refuse 'projection to 16 features must be below hidden size 16' --proj 16
refuse 'a decoder of 2 layers for an encoder of 3' --layers 3 --decoder-layers 2
refuse 'gru has no c' --cell gru --decoder-start hc
refuse 'averaging two directions drops c' --bidirectional --decoder-start hc
refuse 'the projection makes h narrower' --proj 4 --decoder-start hc
refuse 'gru: zoneout of c, but this cell has no c' --cell gru --zoneout-c 0.1
refuse 'zoneout keeps units of h, but a projection' --proj 4 --zoneout 0.1
refuse '--zoneout 1: expected a number of at least 0 and at most 0.99' --zoneout 1
refuse '--recurrent-dropout -1: ' --recurrent-dropout -1
for option in no-bias recurrent-dropout=0 zoneout=0 zoneout-c=0 cell=gru layers=2 decoder-layers=1 bidirectional proj=3; do
    expect 2 "^unroll: --${option%%=*} does not go with --resume: " \
        train seq2seq --out one --resume "--$option"
done
[ ! -e refused ] || fail "something was written"
finish
