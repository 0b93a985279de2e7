#!/bin/sh
# The manual page and the page of options are those that the tables make (tools/manual).
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
docs=$UNROLL_SOURCE_DIR/docs

grep -q "\"$("$tool" --version)\"" "$docs/unroll.1.scd" ||
    fail "the manual page is of another version"
"$UNROLL_SOURCE_DIR/tools/manual" "$tool" . || fail "tools/manual failed"
for page in unroll.1.scd options.md; do
    diff -u "$docs/$page" $page >difference ||
        fail "docs/$page is stale, tools/manual makes another: $(head -20 difference)"
done
for option in hidden min-freq context beam out threads; do
    grep -q "^\*--$option\*" unroll.1.scd || fail "unroll.1.scd: no --$option"
    grep -q "^| \`--$option " options.md || fail "options.md: no --$option"
done

# every verb has its part of the manual page, with all of its options
for verb in $("$tool" completions words | cut -d: -f1); do
    [ "$verb" = help ] && continue
    heading=$(echo "$verb" | tr '[:lower:]' '[:upper:]')
    grep -q -x "# $heading" unroll.1.scd || fail "unroll.1.scd: nothing about $verb"
    sed -n "/^# $heading\$/,/^# /p" unroll.1.scd >part
    [ "$verb" = train ] && continue
    for option in $("$tool" help --list "$verb" | sed -n 's/^option\t\(--[a-z0-9-]*\).*/\1/p'); do
        grep -q "^\*$option\*" part || fail "unroll.1.scd: no $option in the part of $verb"
    done
done

# the page that is installed is the one that its source makes
if [ -e unroll.1 ]; then
    for page in unroll.1 "$docs/unroll.1"; do
        sed '/^\.TH/d; /^\.\\"/d' "$page" >"$(basename "$(dirname "$page")").page"
    done
    same ..page docs.page
fi
finish
