#!/bin/sh
# The same bytes of model.safetensors with any number of threads, any instruction set, stopped and
# resumed, interrupted and resumed.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
how='--epochs 3 --clip 1 --dropout 0.1 --lr 1e-2'
weights=model.safetensors

# shellcheck disable=SC2086
{
train one $how --threads 1
train two $how --threads 2
train three $how --threads 3
same one/$weights two/$weights
same one/$weights three/$weights
train other $how --seed 43
cmp -s one/$weights other/$weights && fail "another seed gives the same model"

sets=0
for isa in plain avx2 avx512 neon; do
    hurry && [ $isa = plain ] && continue
    UNROLL_ISA=$isa
    export UNROLL_ISA
    run train seq2seq $tiny --quiet --out $isa $how
    # an instruction set that this machine lacks is refused, by name
    if [ $code -ne 0 ]; then
        [ $code -eq 1 ] && grep -q "\"$isa\"" err || fail "UNROLL_ISA=$isa: $code $(cat err)"
        continue
    fi
    sets=$((sets + 1))
    same one/$weights $isa/$weights
done
UNROLL_ISA=sse9
expect 1 '"sse9"' train seq2seq $tiny --out sse9
unset UNROLL_ISA
[ $sets -ge 1 ] || fail "no instruction set at all"
echo "$sets instruction sets compared"

# 18 steps; stopped inside an epoch, at its end, and twice
for stop in 1 8 12; do
    train stop$stop $how --max-steps $stop
    cmp -s one/$weights stop$stop/$weights && fail "--max-steps $stop did not stop"
    [ -s stop$stop/checkpoints/$stop.safetensors ] || fail "no checkpoint after step $stop"
    run train seq2seq --out stop$stop --resume --quiet --threads 3
    [ $code -eq 0 ] || fail "resume after $stop: $(cat err)"
    same one/$weights stop$stop/$weights
done
train twice $how --max-steps 4
run train seq2seq --out twice --resume --max-steps 11 --quiet
run train seq2seq --out twice --resume --quiet
same one/$weights twice/$weights
for folder in one stop12; do
    sed 's/"seconds.*//; s/"train_seconds.*//' $folder/metrics.jsonl >$folder.metrics
done
same one.metrics stop12.metrics

# more epochs than first asked for
train less --clip 1 --dropout 0.1 --lr 1e-2 --epochs 1
run train seq2seq --out less --resume --epochs 3 --quiet
same one/$weights less/$weights
run train seq2seq --out less --resume
[ $code -eq 0 ] && grep -q 'has had its 3 epochs' err || fail "nothing to resume: $code $(cat err)"
same one/$weights less/$weights

# SGD with momentum has its own state
train sgd --optimizer sgd --momentum 0.9 --lr 0.5 --epochs 2
train sgd5 --optimizer sgd --momentum 0.9 --lr 0.5 --epochs 2 --max-steps 5
run train seq2seq --out sgd5 --resume --quiet
same sgd/$weights sgd5/$weights
}
finish
