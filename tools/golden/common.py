"""What the golden scripts share: a byte-for-byte reproducible safetensors writer and case helpers.

Every case is computed by PyTorch in float64 from parameters and inputs that are float32 numbers, and
stored as float32: the oracle then has no rounding error of its own worth mentioning. The same
computation in PyTorch's float32 must agree, or the case is refused as too sensitive to be a test.
"""
import json
import os
import struct

import numpy as np
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "tests", "golden")

# Largest difference between float32 and float64, relative to a tensor's largest element.
FORWARD_BOUND = 2e-6
GRADIENT_BOUND = 1e-5

DTYPES = {"int64": "I64", "float32": "F32"}


def seeded(seed):
    """A generator of its own, and the global one (module initialisation) set to the same seed."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed + 1000)


def to_array(value):
    """float tensors -> float32, integers -> int64; a scalar gets shape (1)."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return np.ascontiguousarray(array.reshape(1) if array.ndim == 0 else array)


def write_safetensors(path, tensors, metadata):
    """The format's own order: wider types first, then by name, so that everything is aligned."""
    arrays = {name: to_array(value) for name, value in tensors.items()}
    names = sorted(arrays, key=lambda n: (-arrays[n].dtype.itemsize, n))
    header, offset = {"__metadata__": {k: str(v) for k, v in sorted(metadata.items())}}, 0
    for name in names:
        array = arrays[name]
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(arrays[name].astype(arrays[name].dtype.newbyteorder("<")).tobytes())


def relative_difference(a, b):
    a, b = to_array(a).astype(np.float64), to_array(b).astype(np.float64)
    largest = np.abs(b).max() if b.size else 0.0
    return float(np.abs(a - b).max() / largest) if largest > 0 else float(np.abs(a - b).sum())


def is_gradient_like(name):
    return bool({"grad", "after"} & set(name.split(".")[:2]))


def write_case(name, seed, config, compute):
    """compute(dtype) -> {tensor name: tensor}; called for float64 (stored) and float32 (check)."""
    results = compute(torch.float64)
    check = compute(torch.float32)
    assert results.keys() == check.keys()
    worst = {False: (0.0, ""), True: (0.0, "")}
    for key, value in results.items():
        kind = is_gradient_like(key)
        assert not isinstance(value, torch.Tensor) or not value.is_floating_point() \
            or bool(torch.isfinite(value).all()), (name, key)
        worst[kind] = max(worst[kind], (relative_difference(check[key], value), key))
    assert worst[False][0] <= FORWARD_BOUND, (name, worst)
    assert worst[True][0] <= GRADIENT_BOUND, (name, worst)
    write_safetensors(os.path.join(FOLDER, name + ".safetensors"), results, {
        "torch": torch.__version__.split("+")[0], "seed": seed, "case": name,
        "computed": "float64, stored as float32", "config": json.dumps(config, sort_keys=True)})
    print(f"{name}: float32 against float64: forward {worst[False][0]:.1e} ({worst[False][1]}), "
          f"gradients {worst[True][0]:.1e} ({worst[True][1]})")


def leaf(value, dtype):
    """A float32 value as a fresh leaf of the type computed in."""
    return value.detach().clone().to(dtype).requires_grad_(True)
