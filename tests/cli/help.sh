#!/bin/sh
# Help: on standard output, within 80 columns, with an example; and the manual page knows the same
# verbs and options.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
manual=$UNROLL_SOURCE_DIR/docs/unroll.1.scd

expect 0 '^unroll [0-9]*\.[0-9]*\.[0-9]*$' --version
expect 0 "^usage: unroll VERB" --help
"$tool" help >again && same out again
grep -q "\"$("$tool" --version)\"" "$manual" || fail "the manual page is of another version"

for verb in train eval predict plot inspect; do
    "$tool" --help | grep -q "^  $verb  *[a-z]" || fail "--help does not list $verb"
    grep -q "^\*unroll $verb" "$manual" || fail "the manual page does not have $verb"
    expect 0 "^usage: unroll $verb " help $verb
    for part in '^Example:' '^  \$ unroll ' '^Options:' '^  --help ' '^Exit codes:' \
        '^See also: '; do
        grep -q "$part" out || fail "help $verb has no '$part'"
    done
    awk -v verb=$verb 'length > 79 { print "FAIL: help " verb ": too wide: " $0; bad = 1 }
                       / $/ { print "FAIL: help " verb ": a space at the end: " $0; bad = 1 }
                       END { exit bad }' out || failures=$((failures + 1))
    "$tool" $verb --help >again && same out again
    "$tool" $verb x --quiet --help >again && same out again
    sed -n 's/^  --\([a-z-]*\).*/\1/p' out | sort >"options.$verb"
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
"$tool" help train | defaults '  --' | grep -v -e '^valid-size' >help_defaults
sed -n '/^# TRAIN/,/^# EVAL/p' "$manual" | defaults '*--' >manual_defaults
diff help_defaults manual_defaults >difference ||
    fail "defaults of help and manual page differ: $(cat difference)"
[ "$(wc -l <help_defaults)" -gt 12 ] || fail "found too few defaults: $(cat help_defaults)"

# the page that is installed is the one that its source makes
if command -v scdoc >/dev/null 2>&1; then
    scdoc <"$manual" | sed '/^\.TH/d; /^\.\\"/d' >made
    sed '/^\.TH/d; /^\.\\"/d' "$UNROLL_SOURCE_DIR/docs/unroll.1" >kept
    same made kept
fi
finish
