"""What a run's folder holds, and the random numbers that it was made with, for its rivals in PyTorch."""
import json
import os
import re
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                                "golden"))

ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "<": "<"}


def unescape(line):
    def one(match):
        return ESCAPES[match[1]] if match[1] in ESCAPES else chr(int(match[2], 16))
    return re.sub(r"\\(u\{([0-9a-f]+)\}|.)", one, line)


def read_weights(path, prefixes):
    """The model's tensors of a safetensors file, whose names begin so; a checkpoint has others, too."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    return {name: torch.from_numpy(np.frombuffer(
                data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy())
            for name, entry in header.items() if name.startswith(prefixes)}


def vocabulary(path):
    """Tokens -> ids; reserved ones, <unk> and <eos>, are how their text is written in a file."""
    with open(path, encoding="utf-8", newline="\n") as file:
        return {unescape(line.rstrip("\n")): i for i, line in enumerate(file)}


def read_ids(path, ids, text):
    """The ids of a text of words, each line ending with <eos>."""
    assert text["tokenizer"] == "words" and text["line_ends"], "words with line ends alone"
    assert not text["lower"] and not text["letters_only"], "texts as they are alone"
    tokens = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            tokens += [ids.get(word, ids["<unk>"]) for word in line.split()] + [ids["<eos>"]]
    return torch.tensor(tokens)


def philox(key, stream, blocks):
    """Philox4x32-10 (Salmon et al. 2011) of counters 0, 1, 2 ...: (blocks, 4) numbers."""
    word, low = np.uint64(32), np.uint64(0xffffffff)
    key = [np.uint64(key & 0xffffffff), np.uint64(key >> 32)]
    at = np.arange(blocks, dtype=np.uint64)
    x = [at & low, at >> word, np.full(blocks, stream & 0xffffffff, np.uint64),
         np.full(blocks, stream >> 32, np.uint64)]
    for _ in range(10):
        a, b = x[0] * np.uint64(0xd2511f53), x[2] * np.uint64(0xcd9e8d57)
        x = [b >> word ^ x[1] ^ key[0], b & low, a >> word ^ x[3] ^ key[1], a & low]
        key = [key[0] + np.uint64(0x9e3779b9) & low, key[1] + np.uint64(0xbb67ae85) & low]
    return np.stack(x, axis=1)


def shuffle_of(seed, epoch, examples):
    """The order in which unroll takes the examples of an epoch, counted from 0."""
    x = philox(seed, (1 << 32) + epoch, (examples + 1) // 2).reshape(-1, 2)
    chosen = (x[:, 0] | x[:, 1] << np.uint64(32)).tolist()
    order = list(range(examples))
    for left in range(examples, 1, -1):
        i = chosen[examples - left] % left
        order[left - 1], order[i] = order[i], order[left - 1]
    return torch.tensor(order)


def figures_of(run):
    """What unroll measured so far, by epoch."""
    path = os.path.join(run, "metrics.jsonl")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {m["epoch"]: m for m in map(json.loads, file)}


def beside(line, run, keys):
    """The line, rounded, with unroll's own figures of that epoch where RUN has them."""
    mine = figures_of(run).get(line["epoch"])
    if mine:
        line |= {"unroll_" + key: mine[key] for key in keys}
        line["difference"] = mine["valid_perplexity"] / line["valid_perplexity"] - 1
    return json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()})
