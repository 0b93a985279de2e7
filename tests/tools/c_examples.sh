#!/bin/sh
# The C in README and docs/ compiles: whole programs as they are, pieces as the body of a function, where the
# names of tests/examples/fragments.h are known. What docs/extending.md has is built by tools/check_extending.
cd "$UNROLL_SOURCE_DIR" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for page in README.md docs/*.md; do
    [ "$page" != docs/extending.md ] || continue
    awk -v out="$work/$(basename "$page" .md)" '
        function finish() {
            program = text ~ /int main\(/
            if (program)
                printf "%s", text >(out "-" begin ".c")
            else
                printf "#include \"fragments.h\"\nvoid fragment(void);\nvoid fragment(void)\n{\n%s%s}\n", given,
                    text >(out "-" begin ".c")
            given = ""
        }
        /^<!-- c: .* -->$/ { given = substr($0, 9, length($0) - 12) "\n" }
        /^```c$/ { code = 1; begin = NR; text = ""; next }
        /^```/ { if (code) finish(); code = 0; next }
        code {
            sub(/for \(\.\.\.\)/, "for (;;)")
            if ($0 !~ /^ *\.\.\.$/)
                text = text $0 "\n"
        }' "$page"
done
for file in "$work"/*.c; do
    ${CC:-cc} -std=c11 -Wall -Wextra -Werror -Wno-unused -fsyntax-only -Iinclude -Itests/examples "$file" 2>"$work/said" ||
        {
            echo "FAIL: the page and line of $(basename "$file" .c):"
            head -n 5 "$work/said"
            failed=1
        }
done
[ "$(find "$work" -name '*.c' | wc -l)" -ge 17 ] || {
    echo "FAIL: only $(find "$work" -name '*.c' | wc -l) pieces of C were found"
    failed=1
}
exit $failed
