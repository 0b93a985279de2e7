#!/bin/sh
# The examples of help, manual page and docs that are quick do what the pages say (tools/check_examples); all
# of them are a step of .ci/run. Where a page is wrong, that is told.
[ -z "${UNROLL_SANITIZE:-}${UNROLL_TINY:-}" ] || exit 0 # other sums, and hours
check=$UNROLL_SOURCE_DIR/tools/check_examples
"$check" --quick || exit 1

cat >wrong.md <<'END'
One that is right, and each way to be wrong:

    $ printf 'a  b\n1\n2\nc 3.5 s\n'
    a b
    ...
    c ... s
    $ printf 'a\n'
    b
    $ false
    $ false # exit code 1

Not run:

<!-- examples: not run: it fails -->

    $ false

Without a sign:

    unroll help
END
if "$check" "$PWD/wrong.md" >out 2>err; then
    echo "FAIL: wrong examples pass"
    exit 1
fi
for said in 'wrong.md:7: . printf .a' '^the page says:$' 'wrong.md:9: . false$' 'exit code 1, not 0' \
    'wrong.md:20: a command without' '^4 examples, 3 wrong$'; do
    cat out err | grep -q -e "$said" || {
        echo "FAIL: no \"$said\" in: $(cat out err)"
        exit 1
    }
done
