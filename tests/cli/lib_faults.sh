# lib_faults.sh - what scripts share that let calls of the whole process fail (faults.c), after lib.sh.
if [ ! -f "${UNROLL_FAULTS-}" ]; then
    echo "skipped: this needs glibc, and a build without sanitizers"
    exit 77
fi
most=1
each=2 # threads
[ "${UNROLL_SLOW-}" != 1 ] || { most=8 && each='1 2'; }
[ "${UNROLL_FAULTS_EVERY-}" != 1 ] || { most=1000000 && each='1 2'; }
export UNROLL_FAULT_COUNT="$PWD/counts"
rest=0
tried=0

# Whether the next command is of the part that is asked for: UNROLL_FAULTS_PART=K/N.
command_number=0
is_of_part() {
    command_number=$((command_number + 1))
    part=${UNROLL_FAULTS_PART:-1/1}
    [ $((command_number % ${part#*/})) -eq $((${part%/*} % ${part#*/})) ]
}

# disturbed FAULT ARGUMENT...: leaves the exit code in $code. The folder is `made`; what is in `ready` is there
# before.
disturbed() {
    fault=$1
    shift
    rm -rf made
    [ ! -d ready ] || cp -R ready made
    LD_PRELOAD=$UNROLL_FAULTS UNROLL_FAULT=$fault "$tool" "$@" >out 2>err <input
    code=$?
}

# sample COUNT: numbers from 1 to COUNT; a fixed sequence goes on from command to command, so that these try
# different ones.
sample() {
    if [ "$1" -le $most ]; then
        seq 1 "$1"
        return
    fi
    i=0
    while [ $i -lt $most ]; do
        rest=$(((rest * 7919 + 12345) % 1000003))
        echo $((rest % $1 + 1))
        i=$((i + 1))
    done
}
