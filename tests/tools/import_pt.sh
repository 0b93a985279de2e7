#!/bin/sh
# tools/import_pt.py: checkpoints of several kinds become safetensors files that the library reads.
# $UNROLL_PYTHON: a Python with PyTorch, where it is not the usual one.
set -u
python=${UNROLL_PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "skipped: $python with PyTorch is not here"
    exit 0
fi
tool=$UNROLL_SOURCE_DIR/tools/import_pt.py
read=$UNROLL_BUILD_DIR/examples/example_read_safetensors
work=$(mktemp -d "${TMPDIR:-/tmp}/import.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

"$python" - <<'END'
import torch
from torch import nn

torch.manual_seed(1)
lstm = nn.LSTM(3, 4, 2, bidirectional=True)
torch.save(lstm.state_dict(), "plain.pt")
torch.save({"epoch": 3, "state_dict": {"module.rnn." + k: v for k, v in lstm.state_dict().items()},
            "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}}, "nested.pth")
torch.save({"step": 9, "weights": lstm.state_dict(), "optimizer_state": {
    "state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]}}, "other.pt")
shared = torch.arange(6.0).reshape(2, 3)
torch.save({"model": {"a": shared, "tied": shared, "turned": shared.t(), "step": 7,
                      "half": torch.tensor([1.5, -2.0]).half(), "brain": torch.ones(2).bfloat16(),
                      "ids": torch.tensor([1, 2]), "flag": torch.tensor(True),
                      "empty": torch.zeros(0, 3)}}, "kinds.pt")
torch.save(lstm, "module.pt")
torch.save({"epoch": 3}, "none.pt")
torch.save([shared], "list.pt")
torch.save({"z": torch.ones(2, dtype=torch.complex64)}, "complex.pt")
torch.save({"x.a": shared, "a": shared}, "clash.pt")
open("broken.pt", "wb").write(b"no checkpoint")
END

"$python" "$tool" plain.pt plain.safetensors >out || fail "plain.pt"
grep -q '^weight_ih_l0_reverse *F32 *(16, 3)$' out || fail "no list of tensors: $(cat out)"
grep -q '^16 tensors, ' out || fail "no sum: $(cat out)"
"$python" "$tool" nested.pth nested.safetensors --prefix module.rnn. --strip-prefix module.rnn. \
    >/dev/null || fail "nested.pth"
cmp plain.safetensors nested.safetensors || fail "a nested state_dict gives another file"
"$python" "$tool" other.pt other.safetensors >/dev/null || fail "other.pt"
cmp plain.safetensors other.safetensors || fail "under a key of its own it gives another file"
"$python" "$tool" nested.pth --strip-prefix module. >out || fail "list alone"
grep -q '^rnn.bias_hh_l1 ' out || fail "the prefix was not stripped: $(cat out)"
"$python" "$tool" kinds.pt kinds.safetensors >/dev/null 2>err || fail "kinds.pt"
grep -q 'step is a int' err || fail "what was left out was not told: $(cat err)"
[ -z "$(find . -name '.import_pt-*')" ] || fail "a temporary file was left"

# The library opens them all.
for file in plain kinds; do
    "$read" $file.safetensors >$file.list || fail "the library refuses $file.safetensors"
done
grep -q '^weight_hh_l1_reverse F32 (16, 4)$' plain.list || fail "list: $(cat plain.list)"
for line in 'tied *F32 (2, 3)' 'half *F16 (2)' 'brain *BF16 (2)' 'flag *BOOL ()' 'empty *F32 (0, 3)'; do
    grep -q "^$line$" kinds.list || fail "no $line in: $(cat kinds.list)"
done

# The numbers, read by hand.
"$python" - <<'END' || fail "the numbers differ"
import json, struct, torch

def read(path, name):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])[name]
    begin, end = entry["data_offsets"]
    return data[8 + size + begin:8 + size + end]

def floats(values):
    return struct.pack(f"<{len(values)}f", *values)

lstm = torch.load("plain.pt", weights_only=True)
for name, tensor in lstm.items():
    assert read("plain.safetensors", name) == floats(tensor.flatten().tolist()), name
for name in ("a", "tied"):
    assert read("kinds.safetensors", name) == floats([0, 1, 2, 3, 4, 5]), name
assert read("kinds.safetensors", "turned") == floats([0, 3, 1, 4, 2, 5])
assert read("kinds.safetensors", "half") == struct.pack("<2e", 1.5, -2.0)
assert read("kinds.safetensors", "brain") == bytes.fromhex("803f803f")
assert read("kinds.safetensors", "ids") == struct.pack("<2q", 1, 2)
END

# What cannot be used is refused in one line. (All in one process: PyTorch takes seconds to load.)
"$python" - "$tool" <<'END' || fail "refusals"
import runpy, sys

tool, failures = sys.argv[1], 0
for part, *arguments in (
        ("there is no such file", "missing.pt"),
        ("torch.serialization", "module.pt"),  # PyTorch's own sentence to its end
        ("state_dict", "module.pt", "module.safetensors"),
        ("state_dict", "broken.pt"),
        ("keys: epoch", "none.pt"),
        ("holds a list", "list.pt"),
        ("complex64", "complex.pt", "complex.safetensors"),
        ('cannot be called "a"', "clash.pt", "--strip-prefix", "x."),
        ('begins with "nowhere."', "plain.pt", "--prefix", "nowhere."),
        ("cannot be written", "plain.pt", "no/such/folder.safetensors")):
    sys.argv = [tool, *arguments]
    said = None
    try:
        runpy.run_path(tool, run_name="__main__")
    except SystemExit as stop:
        said = stop.code
    if not isinstance(said, str) or part not in said or "\n" in said or "\033" in said:
        print("FAIL:", arguments, "said", said)
        failures += 1
sys.exit(failures)
END
if [ -e module.safetensors ] || [ -e complex.safetensors ]; then
    fail "a refused file was written"
fi

[ "$failures" = 0 ]
