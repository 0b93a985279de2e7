#!/bin/sh
# Ctrl-C, SIGTERM and SIGHUP finish the step, save and exit with 130; resuming gives the bytes of a training
# that nobody interrupted. A second signal ends at once.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
weights=model.safetensors
train whole --epochs 4

# interrupted FOLDER COMMAND ARGUMENT...: trains "for ever" and runs the command with the process's
# id once the first epoch was logged. Exit code in $code. Nothing runs in the background, where
# shells have SIGINT ignored.
interrupted() {
    folder=$1
    signal=$2
    shift 2
    # shellcheck disable=SC2086,SC2016
    {
        sh -c 'echo $$ >pid; exec "$0" "$@"' "$tool" train seq2seq $tiny --out "$folder" \
            --epochs 1000000 "$@"
        echo $? >code
    } 2>&1 >out | while read -r line; do
        echo "$line"
        case $line in
        'epoch '*1/1000000*) $signal "$(cat pid)" ;;
        esac
    done >err
    code=$(cat code)
}

# Whoever runs this may ignore SIGINT; the tool then does so, too.
signals=TERM
sh -c 'kill -INT $$' || signals="$signals INT"
sh -c 'kill -HUP $$' || signals="$signals HUP"

for name in $signals; do
    interrupted "$name" "kill -$name"
    wanted=130
    pattern="interrupted after step [0-9]*; to go on: unroll train seq2seq --out $name --resume\$"
    grep -v 'stopping after this step' err >rest
    cp rest err
    check_result "SIG$name"
    [ -s $name/$weights ] || fail "SIG$name: no model"
    step=$(sed -n 's/.*after step \([0-9]*\);.*/\1/p' err)
    [ -s "$name/checkpoints/$step.safetensors" ] || fail "SIG$name: no checkpoint of step $step"
    expect 0 . predict $name 1/2/88
    # goes on to the end of the epoch that it stopped in, as if nothing had been
    epochs=$((step / 6 + 1))
    run train seq2seq --out $name --resume --epochs $epochs --quiet
    [ $code -eq 0 ] || fail "SIG$name: resume: $(cat err)"
    train "whole$name" --epochs $epochs
    same "whole$name/$weights" $name/$weights
done

both() {
    kill -TERM "$1"
    kill -TERM "$1"
}
interrupted both both
[ "$code" -eq 143 ] || [ "$code" -eq 130 ] || fail "two signals: exit code $code"
run train seq2seq --out both --resume --epochs 1 --quiet
[ $code -eq 0 ] || fail "two signals: not resumable: $(cat err)"
[ -z "$(find both -name '.*' -type f)" ] || echo "a temporary file stayed"
finish
