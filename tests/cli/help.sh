#!/bin/sh
# Help: on standard output, within 80 columns, with an example, in groups, of each kind with its own
# defaults.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

expect 0 '^unroll [0-9]*\.[0-9]*\.[0-9]*$' --version
expect 0 "^usage: unroll VERB" --help
"$tool" help >again && same out again

kinds=$("$tool" help train | sed -n 's/^  train \([a-z0-9]*\)  .*/\1/p')
[ -n "$kinds" ] || fail "help train lists no kinds"
verbs='train eval predict generate plot inspect completions'
for verb in $verbs; do
    "$tool" --help | grep -q "^  $verb  *[a-z]" || fail "--help does not list $verb"
done
for kind in $kinds; do
    verbs="$verbs train=$kind"
done

# train and the words of a verb of two
for words in $verbs; do
    verb=$(echo "$words" | tr '=' ' ')
    # shellcheck disable=SC2086
    expect 0 "^usage: unroll $verb" help $verb
    for part in '^Example:' '^  \$ ' '^Options:' '^  --help ' '^Exit codes:' '^See also: '; do
        grep -q "$part" out || fail "help $verb has no '$part'"
    done
    awk -v verb="$verb" 'length > 79 { print "FAIL: help " verb ": too wide: " $0; bad = 1 }
                       / $/ { print "FAIL: help " verb ": a space at the end: " $0; bad = 1 }
                       END { exit bad }' out || failures=$((failures + 1))
    # shellcheck disable=SC2086
    "$tool" $verb --help >again && same out again
    # shellcheck disable=SC2086
    "$tool" $verb x --quiet --help >again && same out again
done

# what matters most comes first
for kind in $kinds; do
    order=$("$tool" help train "$kind" | sed -n '/^With/q; s/^\([A-Z][a-z]*\):$/\1/p' | tr '\n' ' ')
    [ "$order" = 'Example Data Model Training Optimizer Schedule Options ' ] ||
        fail "help train $kind: groups $order"
done

# default KIND OPTION VALUE
default() {
    [ "$("$tool" completions words -- train "$1" | grep -m 1 "^--$2:" |
        sed 's/.* Default: \(.*\)\.$/\1/')" = "$3" ] || fail "help train $1: --$2 is not $3"
}
default seq2seq batch 32
default lm batch 16
default lm epochs auto
default tagger epochs auto
default seq2seq clip 1
default classifier clip 1
default seq2seq hidden 64
default lm hidden 128
default tagger min-freq 2
default lm min-freq 1
default classifier tokenizer word-punct
default lm tokenizer char
"$tool" help train lm | sed '1,/^With --context/d' | grep -A 9 -e '--tokenizer' | grep -q 'word\.$' ||
    fail "help train lm: --tokenizer with --context is not word"
finish
