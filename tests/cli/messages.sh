#!/bin/sh
# Whatever bytes stand in arguments, names of files and files: a message is UTF-8 and controls no terminal.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

escape=$(printf '\033[31m')
odd=$(printf '\377\303(\302\233\011')
long=$(head -c 5000 /dev/zero | tr '\0' 'a')
cut=$(head -c 4000 /dev/zero | tr '\0' '\303')

clean() {
    # no control character but the line feed, nothing that iconv does not take
    [ "$(LC_ALL=C tr -d '\n\040-\176\200-\377' <err | wc -c)" -eq 0 ] ||
        fail "a control character in the message of: $1: $(od -c <err | head -n 4)"
    iconv -f UTF-8 -t UTF-8 <err >/dev/null 2>&1 || fail "no UTF-8 in the message of: $1"
}

commands="predict eval inspect plot embed fill generate average score"
hurry && commands="predict plot"
for text in "a${escape}b" "$odd" "$long" "$cut" "$(printf 'a\nb')"; do
    for command in $commands; do
        run $command "$text"
        [ $code -ne 0 ] || fail "unroll $command with an odd argument: exit code 0"
        clean "unroll $command"
        run $command "--$text"
        clean "unroll $command --"
        run $command x --seed "$text"
        clean "unroll $command --seed"
    done
    run "$text"
    clean "unroll"
    run train seq2seq --out x --data "$text"
    clean "unroll train --data"
    printf '%s\n' "$text" >file.txt
    run train tagger --out x --data file.txt
    clean "unroll train tagger"
    mkdir -p odd
    printf '{"model": "%s", "%s": 1}' "$text" "$text" >odd/config.json
    run predict odd x
    clean "unroll predict odd"
done
finish
