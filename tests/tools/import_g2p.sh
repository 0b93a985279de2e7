#!/bin/sh
# tools/import_g2p.py: the tool says of 1,000 words what g2p-en's own code says.
# $UNROLL_PYTHON: a Python with NumPy and g2p-en (its dependencies are not needed), where it is not the
# usual one.
set -u
python=${UNROLL_PYTHON:-python3}
find='import importlib.util as u, sys; sys.exit(not (u.find_spec("numpy") and u.find_spec("g2p_en")))'
if ! "$python" -c "$find" 2>/dev/null; then
    echo "skipped: $python with NumPy and g2p-en is not here"
    exit 0
fi
tool=$UNROLL_BUILD_DIR/unroll
work=$(mktemp -d "${TMPDIR:-/tmp}/g2p.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

"$python" "$UNROLL_SOURCE_DIR/tools/import_g2p.py" g2p.safetensors || exit 1
"$python" "$UNROLL_SOURCE_DIR/tests/tools/g2p_words.py" >words.tsv || exit 1
[ "$(wc -l <words.tsv)" -eq 1000 ] || { echo "FAIL: $(wc -l <words.tsv) words" && exit 1; }
cut -f1 words.tsv | sed 's/./& /g; s/ $//' >words
cut -f2 words.tsv >want
for threads in 1 2; do
    "$tool" predict g2p.safetensors --max-tokens 20 --threads $threads - <words >got || exit 1
    cmp want got || { diff want got | head -20 && exit 1; }
done
