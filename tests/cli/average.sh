#!/bin/sh
# The mean of checkpoints: of one it is that one, of two each weight lies between; it opens alone.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
train run --epochs 4 --save-every 1 --keep 3
[ "$(find run/checkpoints -name '*.safetensors' | wc -l)" -eq 3 ] || fail "--keep 3: $(ls run/checkpoints)"
expect 0 'run/average.safetensors: the mean of 1 checkpoint$' average run --last 1
"$tool" predict run/average.safetensors 1/2/88 >averaged || fail "average.safetensors does not open"
newest=$(find run/checkpoints -name '*.safetensors' | sed 's|.*/||' | sort -n | tail -1)
"$tool" predict "run/checkpoints/$newest" 1/2/88 >last
same averaged last
expect 0 'mean.safetensors: the mean of 3 checkpoints$' average run --last 3 --output mean.safetensors
expect 0 'loss' eval mean.safetensors --data builtin:dates --size 20
cmp -s mean.safetensors run/average.safetensors && fail "the mean of 3 is that of 1"
expect 0 . average run --last 3 --output again.safetensors --threads 3
same mean.safetensors again.safetensors
expect 3 'has 3 checkpoints, the mean of 4 was asked for' average run --last 4
expect 3 'a file of weights has no checkpoints' average run/model.safetensors
expect 2 'run is missing' average
expect 2 'last' average run --last 0
finish
