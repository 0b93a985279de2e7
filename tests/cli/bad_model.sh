#!/bin/sh
# Runs that are missing, cut off or altered: exit code 3 and one sentence, from every verb that
# opens them.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
train good --epochs 1

# refused PATTERN: what `bad` now is, by whatever opens it; then it is made anew.
refused() {
    expect 3 "$1" predict bad 1/2/88
    expect 3 "$1" eval bad --data builtin:dates --size 10
    expect 3 "$1" inspect bad
    expect 3 "$1" plot bad --attention 1/2/88
    renew
}

renew() {
    rm -rf bad
    cp -R good bad
}

# ---- what is missing

for verb in 'predict missing x' 'eval missing --data builtin:dates' 'inspect missing' \
    'plot missing' 'plot missing --attention x' 'train seq2seq --out missing --resume'; do
    # shellcheck disable=SC2086
    expect 3 'missing' $verb
done
[ ! -e missing ] || fail "a folder was made"
mkdir hollow
expect 3 'hollow/config.json' predict hollow x
expect 3 'hollow/' plot hollow
[ ! -e hollow/plots/curves.svg ] || fail "a picture was drawn of nothing"
for file in config.json vocab.txt model.safetensors; do
    renew
    rm bad/$file
    refused "bad/$file"
done

# ---- the configuration

# altered SED-SCRIPT PATTERN
altered() {
    sed "$1" good/config.json >bad/config.json
    cmp -s good/config.json bad/config.json && fail "$1 changes nothing"
    refused "$2"
}

altered '2,$d' 'bad/config.json'
altered 's/"hidden_size": 16/"hidden_size": 17/' 'bad/model.safetensors'
altered 's/"hidden_size": 16/"hidden_size": 0/' 'config.json.*hidden_size'
altered 's/"hidden_size": 16/"hidden_size": 1e99/' 'config.json.*hidden_size'
altered 's/"hidden_size": 16/"hidden_size": "16"/' 'config.json.*hidden_size'
altered '/"hidden_size"/d' 'config.json.*hidden_size'
altered 's/"peeky": false,/&"peeky": false,/' 'config.json.*peeky'
altered 's/"peeky": false,/&"peeking": false,/' 'config.json.*peeking'
altered 's/"peeky": false/"peeky": true/' 'config.json'
altered 's/"attention": "dot"/"attention": "dots"/' 'config.json.*attention'
altered 's/"attention": "dot"/"attention": "none"/' 'decoder.fc.weight'
altered 's/"vocabulary_size": /&1/' 'config.json.*vocabulary'
altered 's/"model": "seq2seq"/"model": "lstm"/' 'config.json.*model'
altered '$s/$/ more/' 'config.json'
printf '\000' >>bad/config.json
refused 'config.json'

# ---- the vocabulary

head -n 20 good/vocab.txt >bad/vocab.txt
refused 'vocabulary'
sed '5p' good/vocab.txt >bad/vocab.txt
refused 'vocab.txt: line 6'
printf '\377\n' >>bad/vocab.txt
refused 'vocab.txt: line'

# ---- the weights

weights=model.safetensors
size=$(wc -c <good/$weights)
header=$(od -A n -t u1 -N 4 good/$weights | awk '{ print $1 + 256 * ($2 + 256 * ($3 + 256 * $4)) }')
tail -c +9 good/$weights | head -c "$header" >header
tail -c +$((9 + header)) good/$weights >data

# file HEADER DATA: a safetensors file of those two, the header filled up with spaces.
file() {
    cp "$1" padded
    while [ $(($(wc -c <padded) % 8)) -ne 0 ]; do
        printf ' ' >>padded
    done
    length=$(wc -c <padded)
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o\\%03o\\%03o\\000\\000\\000\\000\\000' $((length % 256)) \
        $((length / 256 % 256)) $((length / 65536)))"
    cat padded "$2"
}

file header data >rebuilt
same rebuilt good/$weights

for cut in 0 4 8 100 $((8 + header)) $((size - 1)); do
    head -c "$cut" good/$weights >bad/$weights
    refused "bad/$weights"
done
printf 'x' >>bad/$weights
refused "bad/$weights"

# Every tensor at fault is named: in the sentence as far as it has room, the others below.
sed 's/"hidden_size": 16/"hidden_size": 17/' good/config.json >bad/config.json
for verb in 'predict bad x' 'eval bad --data builtin:dates' 'inspect bad' 'plot bad --attention x'; do
    # shellcheck disable=SC2086
    expect 3 'bad/model.safetensors does not fit the model, 9 tensors at fault: ' $verb
    for name in encoder.lstm decoder.lstm; do
        for tensor in weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0; do
            grep -q "ill-shaped: $name.$tensor is (64" err || fail "$verb: no $name.$tensor"
        done
    done
    grep -q 'ill-shaped: decoder.fc.weight is (59,32), (59,34) expected' err ||
        fail "$verb: no decoder.fc.weight"
    [ "$(tr ';' '\n' <err | grep -c ill-shaped)" -eq 9 ] || fail "$verb: $(cat err)"
    grep -q '^  ' err || fail "$verb: all in one line: $(cat err)"
done
renew

# renamed FROM TO PATTERN: the header with another text in place of one
renamed() {
    sed "s/$1/$2/" header >changed
    cmp -s header changed && fail "$1 is not in the header"
    file changed data >bad/$weights
    refused "$3"
}

# JSON may or may not have spaces after its colons and commas
s='[ ]*'
last='"decoder.fc.bias":'$s'{[^}]*}'
bytes=$(sed -n "s/.*\"decoder.fc.bias\":$s{[^}]*\"data_offsets\":$s\[\([0-9]*\),$s\([0-9]*\)\].*/\1 \2/p" \
    header)
from=${bytes%% *}
to=${bytes##* }
[ "$to" = "$(wc -c <data | tr -d ' ')" ] || fail "the bias is not at the end of the file"

renamed '"decoder.fc.bias"' '"decoder.fc.bies"' 'decoder.fc.bias'
renamed '"decoder.fc.bias"' '"decoder.fc.weight"' 'decoder.fc.weight'
renamed "\\(\"decoder.fc.bias\":$s{.*\"shape\":$s\\)\\[\\([0-9]*\\)\\]" '\1[1,\2]' 'decoder.fc.bias'
renamed "\\(\"decoder.fc.bias\":$s{.*\"shape\":$s\\)\\[\\([0-9]*\\)\\]" \
    '\1[4611686018427387904,4]' 'decoder.fc.bias'
renamed "$last" "&,\"surplus\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[$to,$to]}" \
    'surplus'
renamed "\\(\"decoder.fc.bias\":$s{\"dtype\":$s\\)\"F32\"" '\1"I32"' 'decoder.fc.bias'
renamed "\\[$from," '[0,' 'decoder.fc.bias'
renamed '^{' '[' "bad/$weights"

sed "s/,$s$last//" header >changed
head -c "$from" data >less
file changed less >bad/$weights
refused 'decoder.fc.bias'

# ---- a file on its own

cp good/$weights alone.safetensors
expect 0 '.' predict alone.safetensors 1/2/88
head -c 100 alone.safetensors >cut.safetensors
expect 3 'cut.safetensors' predict cut.safetensors 1/2/88
expect 3 'cut.safetensors' inspect cut.safetensors
sed 's/unroll.config/unroll.konfig/' header >changed
file changed data >plain.safetensors
expect 3 'plain.safetensors holds weights but no configuration' predict plain.safetensors 1/2/88
expect 0 'decoder.fc.bias' inspect plain.safetensors

# ---- files of others

printf '{"w\\u001b[31mred":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]},"__metadata__":{"a\\u001b]":"\\u0007"}}' >other.header
printf abcd >other.data
file other.header other.data >other.safetensors
expect 0 '^w\\u{1b}\[31mred  F8_E5M2  (4)  *4  *4$' inspect other.safetensors
grep -q '^a\\u{1b}\]: \\u{7}$' out || fail "metadata: $(cat -v out)"
printf 'PK\003\004\000\000\000\000\000\000' >other.pt
expect 3 'other.pt: no safetensors file, but a zip archive, .* unroll-import-pt' inspect other.pt
expect 3 'other.pt: no safetensors file, but a zip archive, .* unroll-import-pt' predict other.pt x

# ---- checkpoints

renew
rm bad/checkpoints/*
expect 3 'bad has no checkpoint' train seq2seq --out bad --resume --epochs 2
renew
for file in bad/checkpoints/*; do
    head -c 5000 "$file" >short
    cp short "$file"
done
expect 3 'bad/checkpoints/' train seq2seq --out bad --resume --epochs 2
same bad/$weights good/$weights
renew
sed 's/"size": 300/"size": 301/' good/config.json >bad/config.json
expect 3 'not the data this run began with' train seq2seq --out bad --resume --epochs 2
same bad/$weights good/$weights
expect 3 'good already holds a run' train seq2seq --data builtin:dates --out good
finish
