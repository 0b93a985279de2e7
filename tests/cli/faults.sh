#!/bin/sh
# One allocation of the whole process fails, or one call that has to do with files, in whichever library it is made:
# each verb, each kind of model, one and two threads. The tool then ends with exit code 5 (memory) or 4 (files) and
# a sentence, or it does without and gives what it gives undisturbed. Interrupted calls (EINTR) change nothing.
#
# UNROLL_FAULTS_EVERY=1: every allocation and every call; else so many of each command, in the order of a
# fixed sequence: one and by two threads, with UNROLL_SLOW=1 about a minute's worth. UNROLL_FAULTS_PART=K/N: of the
# commands every N-th alone, from the K-th on.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
. "$UNROLL_SOURCE_DIR/tests/cli/lib_faults.sh"

# The files of a run whose bytes do not tell the time.
results() {
    for file in out vectors.npy made/model.safetensors made/best.safetensors made/config.json made/vocab.txt \
        made/labels.txt made/tokenizer_config.json; do
        [ ! -f "$file" ] || cksum "$file"
    done
    ls made/checkpoints 2>/dev/null
}

# one FAULT CODE ARGUMENT...: this fault, after which CODE (a pattern) is right, and 0 where all is as ever.
one() {
    fault=$1
    right=$2
    shift 2
    tried=$((tried + 1))
    disturbed "$fault" "$@"
    read -r _ _ which <counts || which=
    if [ $code -eq 0 ]; then
        results >got
        case $which in
        unlink | opendir | readdir) # an old checkpoint may stay, which the next save removes
            grep ' ' got >got.files
            grep ' ' wanted >wanted.files
            ;;
        *)
            cp got got.files
            cp wanted wanted.files
            ;;
        esac
        cmp -s got.files wanted.files || fail "$fault ($which): exit code 0, but other results: unroll $*"
    elif ! expr "$code" : "$right\$" >/dev/null; then
        fail "$fault ($which): exit code $code: unroll $*: $(head -c 300 err)"
    elif [ ! -s err ]; then
        fail "$fault ($which): says nothing: unroll $*"
    fi
    for left in made/.unroll-*.tmp made/checkpoints/.unroll-*.tmp; do
        [ ! -e "$left" ] || [ "$which" = unlink ] || fail "$fault ($which): $left is left: unroll $*"
    done
}

# sweep ARGUMENT...: a command, whose folder is `made`; what is in `ready` is there before.
sweep() {
    is_of_part || return 0
    disturbed memory:0 "$@"
    [ $code -eq 0 ] || {
        fail "undisturbed: exit code $code: unroll $*: $(head -c 300 err)"
        return
    }
    results >wanted
    read -r allocations calls _ <counts
    sample "$allocations" >numbers
    rest=$((rest + 1))
    while read -r n; do
        one "memory:$n" 5 "$@"
        one "memory:$n+" 5 "$@"
    done <numbers
    sample "$calls" >numbers
    while read -r n; do
        one "file:$n:EIO" 4 "$@"
        one "file:$n:ENOMEM" "[45]" "$@"
    done <numbers
    one file:0:EINTR 0 "$@"
}

: >input
: >wanted
data=$UNROLL_SOURCE_DIR/tests/run/v0.1/data
small='--quiet --epochs 1 --max-steps 2 --batch 4 --hidden 4'
printf 'the cat\nthe dog\nthe cat sat\n' >text.txt
for i in 1 2 3 4 5 6; do cat text.txt; done >texts.txt
printf 'go home\tva chez toi\ngo on\tva toi\ncome home\tviens chez toi\ncome on\tviens toi\n' >two.tsv

printf '{"data":[{"paragraphs":[{"context":"the cat sat","qas":[{"id":"a","question":"cat","answers":[' >squad.json
printf '{"text":"sat","answer_start":8}]}]}]}]}\n' >>squad.json

# What a verb is about, trained undisturbed: folder `run`.
trained() {
    rm -rf run
    "$tool" train "$@" --out run >out 2>err || fail "train $*: $(head -c 300 err)"
}

printf 'the cat sat. a dog ran.\na dog sat. the cat ran. the end.\n' >paragraphs.txt
bert='bert --data paragraphs.txt --hidden 4 --heads 2 --ffn 4 --layers 1 --positions 24 --min-freq 1'
few='--quiet --epochs 1 --max-steps 2 --batch 2'

for threads in $each; do
    t="--threads $threads"
    for kind in "seq2seq --data builtin:additions --size 40 --valid-size 8 --embed 4" \
        "seq2seq --data builtin:additions --size 40 --valid-size 8 --model transformer --heads 2" \
        "tagger --data $data/tags.txt --embed 4" "classifier --data $data/classes.txt --embed 4" \
        "lm --data texts.txt --valid texts.txt --bptt 4 --tokenizer word" \
        "lm --data texts.txt --valid texts.txt --bptt 4 --model transformer --heads 2 --tokenizer word" \
        "lm --data texts.txt --valid texts.txt --context 2 --embed 4" \
        "translation --data two.tsv --embed 4 --bpe 5 --batch-tokens 0"; do
        # shellcheck disable=SC2086
        sweep train $kind $small $t --out made
    done
    # shellcheck disable=SC2086
    trained seq2seq --data builtin:additions --size 40 --valid-size 8 --embed 4 $small
    printf '1+1\n2+2\n' >input
    sweep eval run $t --data builtin:additions --size 10
    sweep eval run $t --data builtin:additions --size 10 --json
    sweep predict run $t 16+75 1+1
    sweep predict run $t -
    sweep predict run $t --json --beam 2 16+75
    : >input
    sweep inspect run --json
    sweep inspect run/model.safetensors
    sweep average run --last 1 --output averaged
    sweep plot run --out picture.svg
    sweep plot run --attention 16+75 --out picture.svg
    cp -R run ready
    sweep train seq2seq --resume --out made --epochs 2 --max-steps 4 --quiet $t
    rm -rf ready
    # shellcheck disable=SC2086
    trained tagger --data "$data/tags.txt" --embed 4 $small
    sweep eval run $t --data "$data/tags.txt"
    sweep predict run $t 'a b'
    sweep plot run --confusion --data "$data/tags.txt" --out picture.svg
    # shellcheck disable=SC2086
    trained lm --data texts.txt --valid texts.txt --bptt 4 --tokenizer word $small
    sweep generate run $t --max-tokens 5 --prompt the
    # shellcheck disable=SC2086
    trained translation --data two.tsv --embed 4 $small
    sweep predict run $t 'go home'
    sweep score run $t --data two.tsv
    sweep embed "$UNROLL_SOURCE_DIR/tests/golden/bert_tiny" $t 'the cat' --npy vectors.npy
    sweep fill "$UNROLL_SOURCE_DIR/tests/golden/bert_tiny" $t 'the [MASK]'
    # shellcheck disable=SC2086
    {
        sweep train $bert $few $t --valid paragraphs.txt --out made
        trained $bert $few
        sweep embed run $t 'the cat'
        sweep fill run $t 'the [MASK]' --json
        cp -R run ready
        sweep train bert --resume --out made --epochs 2 --max-steps 4 --quiet $t
        rm -rf ready
        cp -R run start
        sweep train tagger --data "$data/tags.txt" --init-from start $few $t --out made
        sweep train classifier --data "$data/classes.txt" --init-from start $few $t --out made
        trained classifier --data "$data/classes.txt" --init-from start $few
        cp -R run ready
        sweep train classifier --resume --out made --epochs 2 --max-steps 4 --quiet $t
        rm -rf ready start
    }
    sweep eval run $t --data "$data/classes.txt" --confusion
    sweep predict run $t --json 'the cat'
    sweep inspect run --json
    tuned="--init-from $UNROLL_SOURCE_DIR/tests/golden/bert_tiny --quiet --epochs 1 --max-steps 2 --batch 4"
    # shellcheck disable=SC2086
    sweep train qa --data squad.json --valid squad.json $tuned $t --out made
    # shellcheck disable=SC2086
    trained qa --data squad.json $tuned
    sweep eval run $t --data squad.json
    sweep predict run $t "$(printf 'cat\tthe cat sat')"
done
sweep completions bash
sweep help train seq2seq
sweep --help
echo "tried $tried"
finish
