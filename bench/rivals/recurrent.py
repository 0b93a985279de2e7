"""Recurrent layers in inference runtimes: one node of ONNX, with the weights and inputs of unroll, whose outputs
are compared with unroll's before anything is measured.

    layer cell= hidden= [input=] batch= steps= [ragged=1]      forward; variant padded: without lengths
    stream cell= hidden= [input=]                              a step, its states given to the next
"""
import json
import os
import struct
import subprocess
import tempfile

import numpy as np

import serve

# PyTorch's order of gates -> ONNX's
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
TOLERANCE = 1e-4  # relative to the largest output


def tensors(path):
    """Of a safetensors file of floats."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"]).copy()
            for name, entry in header.items() if name != "__metadata__"}


def ours(line):
    """What unroll makes of a layer: weights, x (steps, batch, input), y (steps, batch, hidden)."""
    program = os.environ.get("BENCH_UNROLL", os.path.join("build", "release", "bench_unroll"))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "layer.safetensors")
        subprocess.run([program, "--write-layer", path, line], check=True)
        return {name.removeprefix("rnn."): x for name, x in tensors(path).items()}


def same(name, y, expected):
    difference = np.abs(y - expected).max() / np.abs(expected).max()
    if not difference <= TOLERANCE:
        raise ValueError(f"{name}: outputs differ from unroll's by {difference:.1e}")


def model(cell, weights, inputs, outputs):
    """The bytes of an ONNX model of one node. inputs, outputs: {ONNX's name: its array}, in the operator's
    order; what is not there is left out."""
    from onnx import TensorProto, helper, numpy_helper
    hidden = weights["weight_hh_l0"].shape[1]

    def by_gate(x):
        return np.concatenate(np.split(x, len(GATES[cell]))) if cell == "rnn" else \
            np.concatenate([np.split(x, len(GATES[cell]))[g] for g in GATES[cell]])
    fixed = {"W": by_gate(weights["weight_ih_l0"])[None], "R": by_gate(weights["weight_hh_l0"])[None],
             "B": np.concatenate([by_gate(weights["bias_ih_l0"]), by_gate(weights["bias_hh_l0"])])[None]}
    states = ["initial_h"] + (["initial_c"] if cell == "lstm" else [])
    given = ["X", "W", "R", "B", "sequence_lens"] + states
    results = ["Y", "Y_h"] + (["Y_c"] if cell == "lstm" else [])

    def value(name, x):
        kind = TensorProto.INT32 if x.dtype == np.int32 else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, x.shape)
    node = helper.make_node(cell.upper(), [n if n in fixed or n in inputs else "" for n in given],
                            [n if n in outputs else "" for n in results], hidden_size=hidden,
                            **({"linear_before_reset": 1} if cell == "gru" else {}))
    graph = helper.make_graph([node], cell, [value(*x) for x in inputs.items()],
                              [value(*x) for x in outputs.items()],
                              [numpy_helper.from_array(x, n) for n, x in fixed.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)],
                             ir_version=8).SerializeToString()


def cell_of(words):
    if words.number("proj") or words.number("backward"):
        raise serve.Refused("neither projections nor gradients")
    return words.get("cell", "lstm")


def layer(words, bind):
    """bind: of runtimes.BIND."""
    cell, hidden, batch = cell_of(words), words.number("hidden", 256), words.number("batch", 32)
    known, lengths = ours(words.line), np.array(serve.lengths(words), np.int32)
    steps, _, y = *known["x"].shape[:2], np.zeros_like(known["y"])[:, None]
    inputs, seen = {"X": known["x"]}, np.arange(steps)[:, None, None] < lengths[:, None]
    if words.number("ragged") and words.get("variant") != "padded":
        inputs["sequence_lens"] = lengths
    run = bind(model(cell, known, inputs, {"Y": y}), inputs, {"Y": y})
    run()
    same(words.line, y.reshape(steps, batch, hidden) * seen, known["y"])
    return run


def stream(words, bind):
    """Two states, each read and written in turn; one of several steps is compared with a layer's."""
    cell, hidden, steps = cell_of(words), words.number("hidden", 256), 4
    features = words.number("input", hidden)
    known = ours(f"layer cell={cell} hidden={hidden} input={features} batch=1 steps={steps}")
    x = np.zeros((1, 1, features), np.float32)
    names = ["h", "c"] if cell == "lstm" else ["h"]
    states = [{n: np.zeros((1, 1, hidden), np.float32) for n in names} for _ in range(2)]
    turns = []
    for old, new in (states, states[::-1]):
        inputs = {"X": x} | {"initial_" + n: s for n, s in old.items()}
        outputs = {"Y_" + n: s for n, s in new.items()}
        turns.append(bind(model(cell, known, inputs, outputs), inputs, outputs))
    for t in range(steps):
        x[:] = known["x"][t]
        turns[t % 2]()
        same(words.line, states[1 - t % 2]["h"][0], known["y"][t])

    def run():
        turns[0]()
        turns[1]()
    run.scale = 0.5  # a step
    return run
