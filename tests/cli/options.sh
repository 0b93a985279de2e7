#!/bin/sh
# Options come from tables: each is accepted at its default, where it means what leaving it out means;
# is refused by name by the kinds that do not have it; and is completed by the shells.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"

for _ in 1 2 3 4 5 6 7 8 9 10; do
    printf 'the D\ndog N\nruns V\n\n' >>tags
    printf 'good\ta fine film\nbad\ta film to forget\n' >>texts
    echo 'the quick brown fox jumps over the lazy dog, and runs' >>text
    echo 'The quick fox runs. The lazy dog sleeps! The fox is gone.' >>paragraphs
done
printf 'the dog runs.\tle chien court.\na dog\tun chien\n' >pairs
printf '{"data":[{"paragraphs":[{"context":"the cat sat","qas":[' >squad.json
printf '{"id":"a","question":"cat","answers":[{"text":"sat","answer_start":8}]}]}]}]}\n' >>squad.json
kinds=$("$tool" completions words -- train | cut -d: -f1)
[ "$(echo "$kinds" | wc -l)" -ge 4 ] || fail "kinds: $kinds"

# What each kind is trained with here.
how_of() {
    case $1 in
    seq2seq) echo '--data builtin:dates --size 60 --valid-size 20' ;;
    lm) echo '--data text --bptt 5 --batch 4' ;;
    lm+context) echo '--data text --context 3' ;;
    tagger) echo '--data tags' ;;
    classifier) echo '--data texts' ;;
    translation) echo '--data pairs --valid pairs' ;;
    bert) echo '--data paragraphs' ;;
    qa) echo "--data squad.json --init-from $UNROLL_SOURCE_DIR/tests/golden/bert_tiny" ;;
    esac
}

# ---- at its default an option changes nothing
# "NAME VALUE" of the options of what is trained whose default can be given; of two kinds that share
# a verb the chosen one's comes last.
defaults_of() {
    "$tool" completions words -- train "${1%+*}" |
        sed -n 's/^--\([a-z0-9-]*\):.* Default: \([^ ]*\)\.$/\1 \2/p' |
        awk -v last="${1#*+}" -v own="$1" '
            !($1 in value) { names[++n] = $1 }
            !($1 in value) || last != own { value[$1] = $2 }
            END { for (i = 1; i <= n; i++) print names[i], value[names[i]] }'
}

# What the model of a run says to its data, to nine digits.
figures() {
    data=${how#--data }
    "$tool" eval "$1" --data "${data%% *}" --json
}

for trained in $kinds lm+context; do
    kind=${trained%+*}
    how=$(how_of "$trained")
    [ -n "$how" ] || fail "this test does not know how to train $kind"
    small='--hidden 8 --max-steps 2 --quiet'
    [ "$kind" != qa ] || small='--max-steps 2 --quiet' # its sizes are the published model's
    # shellcheck disable=SC2086
    run train "$kind" $how $small --out plain
    [ $code -eq 0 ] || fail "train $kind: $(cat err)"
    figures plain >plain.figures
    [ -s plain.figures ] || fail "eval: no figures of $trained"
    defaults_of "$trained" >defaults
    accepted=0
    tried=0
    while read -r name value; do
        case $value in
        [0-9]*) ;;
        *) "$tool" completions words -- train "$kind" "--$name" | grep -q "^$value:" || continue ;;
        esac
        case " $how --hidden --max-steps " in
        *" --$name "*) continue ;;
        esac
        tried=$((tried + 1))
        hurry && [ $((tried % 5)) -ne 0 ] && continue
        # shellcheck disable=SC2086
        run train "$kind" $how $small --out one "--$name" "$value"
        if [ $code -eq 2 ] &&
            grep -q -e ' belongs to --' -e ' does not go with --' -e ' goes with --.* alone' err; then
            continue
        fi
        [ $code -eq 0 ] || fail "train $kind --$name $value: $code $(cat err)"
        figures one >given
        cmp -s plain.figures given || fail "train $trained --$name $value, its default, counts"
        rm -rf one
        accepted=$((accepted + 1))
    done <defaults
    [ $accepted -ge 12 ] || hurry || fail "train $trained: only $accepted options have a default to give"
    rm -rf plain
done

# ---- an option of another kind is refused by name
for kind in $kinds; do
    "$tool" completions words -- train "$kind" | sed 's/^--//; s/:.*//' | sort -u >"has.$kind"
done
sort -u has.* >all
for kind in $kinds; do
    comm -23 all "has.$kind" >others
    [ -s others ] || fail "train $kind has the options of all kinds"
    while read -r name; do
        expect 2 "^unroll: --$name is an option of unroll train [a-z0-9]*, not of unroll train $kind" \
            train "$kind" "--$name"
    done <others
done
expect 2 '^unroll: --bias-init goes with --context alone' train lm --bias-init one
expect 2 '^unroll: --bptt does not go with --context' train lm --context 3 --bptt 5
expect 2 '^unroll: --context does not go with --resume' train lm --context 3 --out o --resume

# ---- what can be trained is listed
for words in 'train' 'train --data x' 'train nothing'; do
    # shellcheck disable=SC2086
    run $words
    [ $code -eq 2 ] || fail "$words: exit code $code"
    for kind in $kinds; do
        grep -q "^  train $kind  *[a-z]" err || fail "$words: does not list $kind: $(cat err)"
    done
done

# ---- completions have what help has
for words in 'train seq2seq' 'train lm' 'train tagger' 'train classifier' eval predict generate plot \
    inspect; do
    # shellcheck disable=SC2086
    "$tool" help $words | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' | sort -u >help_options
    # shellcheck disable=SC2086
    "$tool" completions words -- $words | sed 's/^--//; s/:.*//' | sort -u >completed
    same help_options completed
    [ "$(wc -l <completed)" -ge 3 ] || fail "$words: $(cat completed)"
done
"$tool" completions words -- train lm --sampling | tr '\n' ' ' >words
[ "$(cat words)" = 'sequential: random: ' ] || fail "words of --sampling: $(cat words)"
[ -z "$("$tool" completions words -- train lm --out)" ] || fail "--out takes any path"
expect 2 'bash or zsh' completions
expect 2 'bash or zsh' completions fish

"$tool" completions bash >bash_script
if command -v bash >/dev/null 2>&1; then
    # shellcheck disable=SC2016
    PATH=$(dirname "$tool"):$PATH bash -c '
        . ./bash_script
        COMP_WORDS=(unroll train lm --samp) COMP_CWORD=3
        _unroll
        echo "${COMPREPLY[*]}"
        COMP_WORDS=(unroll tr) COMP_CWORD=1
        _unroll
        echo "${COMPREPLY[*]}"' >completed
    printf '%s\n' '--sample-prompt --sampling' train >expected
    diff completed expected >difference || fail "bash completes: $(cat difference)"
fi
"$tool" completions zsh >zsh_script
grep -q '^#compdef unroll$' zsh_script || fail "no script for zsh"
if command -v zsh >/dev/null 2>&1; then
    zsh -n zsh_script || fail "zsh cannot read its script"
fi
finish
