#!/bin/sh
# Help: on standard output, within 80 columns, with an example; and the manual page knows the same
# verbs and options.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
manual=$UNROLL_SOURCE_DIR/docs/unroll.1.scd

expect 0 '^unroll [0-9]*\.[0-9]*\.[0-9]*$' --version
expect 0 "^usage: unroll VERB" --help
"$tool" help >again && same out again
grep -q "\"$("$tool" --version)\"" "$manual" || fail "the manual page is of another version"

for verb in train eval predict generate plot inspect; do
    "$tool" --help | grep -q "^  $verb  *[a-z]" || fail "--help does not list $verb"
done
kinds=$("$tool" help train | sed -n 's/^  train \([a-z0-9]*\)  .*/\1/p')
[ -n "$kinds" ] || fail "help train lists no kinds"
verbs='eval predict generate plot inspect train'
for kind in $kinds; do
    verbs="$verbs train=$kind"
done

# train and the words of a verb of two
for words in $verbs; do
    verb=$(echo "$words" | tr '=' ' ')
    grep -q "^\*unroll $verb" "$manual" || fail "the manual page does not have $verb"
    # shellcheck disable=SC2086
    expect 0 "^usage: unroll $verb" help $verb
    for part in '^Example:' '^  \$ unroll ' '^Options:' '^  --help ' '^Exit codes:' \
        '^See also: '; do
        grep -q "$part" out || fail "help $verb has no '$part'"
    done
    awk -v verb="$verb" 'length > 79 { print "FAIL: help " verb ": too wide: " $0; bad = 1 }
                       / $/ { print "FAIL: help " verb ": a space at the end: " $0; bad = 1 }
                       END { exit bad }' out || failures=$((failures + 1))
    # shellcheck disable=SC2086
    "$tool" $verb --help >again && same out again
    # shellcheck disable=SC2086
    "$tool" $verb x --quiet --help >again && same out again
    sed -n 's/^  --\([a-z-]*\).*/\1/p' out | sort >"options.$words"
done

sort -u options.* >help_options
sed -n '/^\*--.*/p' "$manual" | tr ',' '\n' | sed -n 's/^ *\*--\([a-z-]*\).*/\1/p' |
    sort -u >manual_options
diff help_options manual_options >difference ||
    fail "options of help and manual page differ: $(cat difference)"

# Defaults: "name value" for each option, whose lines begin with $1, that has one.
defaults() {
    awk -v open="$1" '
        index($0, open) == 1 {
            name = substr($0, length(open) + 1)
            sub(/[^a-z-].*/, "", name)
        }
        /^$/ { name = "" }
        { text[name] = text[name] " " $0 }
        END {
            delete text[""]
            for (name in text) {
                gsub(/[\t *]+/, " ", text[name])
                if (match(text[name], /Default: [^ ]*[^ .]/))
                    print name, substr(text[name], RSTART + 9, RLENGTH - 9)
            }
        }' | sort
}
# A kind's section of the manual page comes after what all have, and its defaults before theirs.
section() {
    awk -v name="# $1" '/^# / { in_it = $0 == name } in_it' "$manual" | defaults '*--'
}
section TRAIN >all_defaults
for kind in $kinds; do
    "$tool" help train "$kind" | defaults '  --' | grep -v -e '^valid-size' >help_defaults
    section "TRAIN $(echo "$kind" | tr '[:lower:]' '[:upper:]')" >own_defaults
    awk '!seen[$1]++' own_defaults all_defaults | sort >manual_defaults
    diff help_defaults manual_defaults >difference ||
        fail "defaults of help train $kind and manual page differ: $(cat difference)"
    [ "$(wc -l <help_defaults)" -gt 12 ] || fail "found too few defaults: $(cat help_defaults)"
done

# the page that is installed is the one that its source makes
if command -v scdoc >/dev/null 2>&1; then
    scdoc <"$manual" | sed '/^\.TH/d; /^\.\\"/d' >made
    sed '/^\.TH/d; /^\.\\"/d' "$UNROLL_SOURCE_DIR/docs/unroll.1" >kept
    same made kept
fi
finish
