#!/bin/sh
# bench/compare.py: nobody's threads run while another contestant or a limit is measured; who is faster than the
# limit makes a row invalid, and the exit status 1.
set -eu
if ! command -v python3 >/dev/null 2>&1 || [ ! -r /proc/self/stat ]; then
    echo "skipped: it takes python3 and /proc"
    exit 0
fi
work=$(mktemp -d ./bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p pids build rivals/bin
printf '1_2\n' >pairs

# A contestant that takes as long as the file `seconds.NAME` says; a limit's unit takes a second. Asked, it looks
# whether any other is not stopped, and whether it measured a limit before.
cat >build/bench_unroll <<'END'
#!/bin/sh
name=${0##*/}
: >"pids/$$"
echo "{\"ready\": true, \"name\": \"$name\"}"
while read -r line; do
    for path in pids/*; do
        pid=${path##*/}
        [ -r "/proc/$pid/stat" ] && [ "$pid" != $$ ] || continue
        stat=$(cat "/proc/$pid/stat")
        case ${stat##*) } in
        T*) ;;
        *) echo "$pid ran at: $line" >>awake ;;
        esac
    done
    case $line in
    drop) ;;
    flops | reading*)
        : >"measured.$$"
        echo '{"seconds": 1}'
        ;;
    product*)
        [ ! -e "measured.$$" ] || echo "$$ measures a limit and does: $line" >>awake
        echo "{\"seconds\": $(cat "seconds.$name")}"
        ;;
    *) echo '{"none": "unknown"}' ;;
    esac
done
END
chmod +x build/bench_unroll
cp build/bench_unroll rivals/bin/rival_openblas

# round OURS THEIRS STATUS: 86,016 operations, of which the limit allows 1e9 in a second.
round() {
    rm -f pids/*
    echo "$1" >seconds.bench_unroll
    echo "$2" >seconds.rival_openblas
    status=0
    PYTHONDONTWRITEBYTECODE=1 python3 "$UNROLL_SOURCE_DIR/bench/compare.py" --build build --rivals rivals \
        --data pairs --rounds 2 --rows product/M6-N28-K256 --json results.json >out 2>&1 || status=$?
    if [ "$status" != "$3" ]; then
        echo "FAIL: $1 and $2 seconds: exit status $status, not $3"
        cat out
        exit 1
    fi
}

round 0.0001 0.0002 0
grep -q '2.00x  rival_openblas' out || { cat out && echo "FAIL: no ratio" && exit 1; }
if grep -q INVALID out; then
    echo "FAIL: a valid row is called invalid"
    exit 1
fi
round 0.000085 0.0002 0 # 1.2 hundredths above
for seconds in "0.00008 0.0002" "0.0002 0.00008"; do
    # shellcheck disable=SC2086
    round $seconds 1
    for said in 'INVALID: above the limit' '^1 invalid, above their limit: product/M6'; do
        grep -q "$said" out || { cat out && echo "FAIL: $said is not said" && exit 1; }
    done
    grep -q '"valid": false' results.json || { cat results.json && echo "FAIL: called valid" && exit 1; }
done
if [ -e awake ]; then
    echo "FAIL: measured while others ran, or where works had been done:"
    head -n 5 awake
    exit 1
fi
