#!/bin/sh
# Learning-rate schedules and early stopping from the command line, in the metrics, and over a stop.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

rates() {
    sed -n 's/.*"lr": *\([0-9.e-]*\).*/\1/p' "$1/metrics.jsonl" | tr '\n' ' '
}
expect_rates() {
    [ "$(rates "$1")" = "$2" ] || fail "$1: rates $(rates "$1"), expected $2"
}

train_on() {
    folder=$1
    shift
    run train seq2seq --out "$folder" --resume --quiet "$@"
    [ $code -eq 0 ] || fail "resume $folder: exit code $code: $(cat err)"
}

# six steps an epoch; the last one's rate is told
train constant --epochs 2 --lr 0.01
expect_rates constant '0.01 0.01 '
grep -q '"schedule": "constant"' constant/config.json || fail "no schedule: $(cat constant/config.json)"
train step --epochs 4 --lr 0.5 --optimizer sgd --clip 1 --schedule step --lr-epochs 2 --lr-factor 0.25
expect_rates step '0.5 0.5 0.125 0.125 '
train warm --epochs 2 --lr 0.008 --warmup 8
expect_rates warm '0.006 0.008 '
train cosine --epochs 3 --lr 0.01 --schedule cosine
case $(rates cosine) in
'0.00'*' 0.00'*' 7.59612349'*'e-05 ') ;;
*) fail "cosine: $(rates cosine)" ;;
esac

# ---- over a stop, to the last bit
for options in '--schedule cosine --lr-min 1e-4 --warmup 9' '--schedule step --lr-epochs 1' \
    '--schedule plateau --lr-patience 0 --lr-factor 0.5 --early-stop 3'; do
    rm -rf whole half
    # shellcheck disable=SC2086
    train whole --epochs 3 --lr 0.02 $options
    # shellcheck disable=SC2086
    train half --epochs 3 --lr 0.02 $options --max-steps 8
    train_on half
    same whole/model.safetensors half/model.safetensors
    same whole/config.json half/config.json
done

# ---- a rate at which nothing gets better: the first epoch's model stays
stops_early() {
    # shellcheck disable=SC2086
    run train seq2seq $tiny --out early --epochs 9 --optimizer sgd --lr 30 --clip 1 --early-stop 2
    [ $code -eq 0 ] || fail "early: $code $(cat err)"
    epochs=$(wc -l <early/metrics.jsonl)
    [ "$epochs" -lt 9 ] || fail "early: all $epochs epochs: $(cat early/metrics.jsonl)"
    grep -q '^unroll: validation got no better; the best model is in early$' err ||
        fail "early: $(cat err)"
    least=$(sed -n 's/.*"valid_loss": *\([0-9]*\.[0-9][0-9][0-9][0-9]\).*/\1/p' early/metrics.jsonl |
        sort -n | head -1)
    expect 0 "\"loss\":$least" eval early --data builtin:dates --size 60 --json
    train_on early --epochs 30
    [ "$(wc -l <early/metrics.jsonl)" -eq "$epochs" ] || fail "early: it went on after its end"
}
if [ -n "${UNROLL_TINY:-}" ]; then
    echo "early stopping is left out: that nothing gets better is a matter of one order of sums"
else
    stops_early
fi

# ---- nothing to go by
printf '1\t2\n3\t4\n' >pairs.txt
expect 3 'early stopping goes by validation data, and there is none' \
    train seq2seq --data pairs.txt --out o --early-stop 1
expect 3 'plateau schedule goes by validation data' \
    train seq2seq --data pairs.txt --out o --schedule plateau
[ ! -e o ] || fail "a folder was made for a run that cannot be"
finish
