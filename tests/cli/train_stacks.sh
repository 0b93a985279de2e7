#!/bin/sh
# Models of other cells, depths and directions, from training to pictures; what does not go together;
# the same bytes however they are computed; a configuration from before there was a choice.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
stack='--cell gru --layers 2 --bidirectional --dropout 0.1 --epochs 2'

# ---- every verb uses such a model
# shellcheck disable=SC2086
train one $stack --threads 1
expect 0 '^accuracy  *[0-9.]* %' eval one --data builtin:dates --size 60
expect 0 . predict one 1/2/88
expect 0 '^one/plots/curves.svg$' plot one
expect 0 '^one/plots/attention.svg$' plot one --attention 1/2/88
expect 0 '^encoder.gru l1_reverse  *(48, 32) (48, 16)  *2,400  *9,600$' inspect one
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
    '--bidirectional=concat --decoder-start hc' '--cell gru_original' '--cell lstm_peephole'; do
    # shellcheck disable=SC2086
    train "way$options" --epochs 1 $options
    expect 0 . predict "way$options" 1/2/88
done
expect 0 '"cell": "rnn_tanh"' \
    inspect 'way--cell rnn --layers 3 --decoder-layers 3 --bidirectional=concat'

# ---- a configuration without the keys is that of one LSTM layer; with some it is broken
train before --epochs 1
expect 0 . eval before --data builtin:dates --size 60 --json
cp out before.json
all='cell|layers|decoder_layers|bidirectional|proj_size'
cp before/config.json config.json
grep -Ev "\"($all)\":" config.json >before/config.json
expect 0 . eval before --data builtin:dates --size 60 --json
same out before.json
grep -v '"cell":' config.json >before/config.json
expect 3 'cell' eval before --data builtin:dates --size 60
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
refuse '--cell lstn: expected lstm or gru or rnn ' --cell lstn
refuse '--layers 17: expected a whole number from 1 to 16' --layers 17
refuse '--bidirectional mean: expected concat or average' --bidirectional=mean
refuse 'only an lstm has a projection, not gru' --cell gru --proj 4
refuse 'projection to 16 features must be below hidden size 16' --proj 16
refuse 'a decoder of 2 layers for an encoder of 3' --layers 3 --decoder-layers 2
refuse 'gru has no c' --cell gru --decoder-start hc
refuse 'averaging two directions drops c' --bidirectional --decoder-start hc
refuse 'the projection makes h narrower' --proj 4 --decoder-start hc
for option in cell=gru layers=2 decoder-layers=1 bidirectional proj=3; do
    expect 2 "^unroll: --${option%%=*} does not go with --resume: " \
        train seq2seq --out one --resume "--$option"
done
[ ! -e refused ] || fail "something was written"
finish
