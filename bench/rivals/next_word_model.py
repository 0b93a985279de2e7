#!/usr/bin/env python3
"""The next-word model of a run, trained anew by PyTorch: the same text, module, optimiser and epochs,
first weights of its own, unless given some, and the run's shuffles or its own.

    unroll train lm --context 5 ... --out RUN --max-steps 1
    cp RUN/checkpoints/0.safetensors FIRST
    unroll train lm --out RUN --resume
    PYTHON bench/rivals/next_word_model.py RUN [--weights FIRST] [--own-shuffles] [--seed N]

Takes everything else from RUN/config.json and vocab.txt. Prints one JSON line an epoch, RUN's own
figures beside it:  epoch train_perplexity valid_perplexity valid_accuracy, unroll_...  and
`difference`, that of the two valid_perplexity as a part of PyTorch's. `--measure` measures
RUN/model.safetensors in PyTorch instead.
"""
import argparse
import json
import math
import os
import re
import struct
import sys
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                                "golden"))
from text_lstm import States, TextLSTM  # noqa: E402

ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "<": "<"}


def unescape(line):
    def one(match):
        return ESCAPES[match[1]] if match[1] in ESCAPES else chr(int(match[2], 16))
    return re.sub(r"\\(u\{([0-9a-f]+)\}|.)", one, line)


def read_weights(path):
    """The model's tensors of a safetensors file; a checkpoint's others have longer names."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    return {name: torch.from_numpy(np.frombuffer(
                data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy())
            for name, entry in header.items()
            if name.startswith(("embed.", "layers."))}


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


def split(path, ids, text):
    """What is learned and what is for validation."""
    tokens = read_ids(path, ids, text)
    if text["max_tokens"]:
        tokens = tokens[:text["max_tokens"]]
    valid = int(math.floor(text["valid_split"] * len(tokens)))
    return tokens[:len(tokens) - valid], tokens[len(tokens) - valid:]


def examples(tokens, context):
    return tokens.unfold(0, context, 1)[:len(tokens) - context], tokens[context:]


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


def train_epoch(model, states, words, following, optimizer, order, batch, clip):
    total = 0.0
    for items in order.split(batch):
        optimizer.zero_grad(set_to_none=True)
        logits, end = model(words[items], states.of(items))
        loss = cross_entropy(logits, following[items])
        loss.backward()
        states.keep(items, end)
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total += loss.item() * len(items)
    return math.exp(total / len(words))


@torch.no_grad()
def measure(model, words, following):
    """Every layer starts from zeros."""
    loss, right = 0.0, 0
    for w, f in zip(words.split(256), following.split(256)):
        logits, _ = model(w)
        loss += cross_entropy(logits, f, reduction="sum").item()
        right += (logits.argmax(dim=1) == f).sum().item()
    return math.exp(loss / len(words)), right / len(words)


def figures_of(run):
    """What unroll measured so far, by epoch."""
    path = os.path.join(run, "metrics.jsonl")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {m["epoch"]: m for m in map(json.loads, file)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--weights", help="where to start from: a checkpoint, a model.safetensors")
    parser.add_argument("--own-shuffles", action="store_true")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="those of the run unless given")
    args = parser.parse_args()
    with open(os.path.join(args.run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    training, text = config["training"], config["text"]
    ids = vocabulary(os.path.join(args.run, "vocab.txt"))
    learned, held = split(training["data"], ids, text)
    words, following = examples(learned, config["context"])
    held = examples(held, config["context"])
    model = TextLSTM(len(ids), config["embed_size"], config["hidden_size"], config["layers"],
                     config["output_from"], config["bias_init"])
    if args.measure:
        args.weights = os.path.join(args.run, "model.safetensors")
    if args.weights:
        model.load_state_dict(read_weights(args.weights))
    if args.measure:
        valid, accuracy = measure(model, *held)
        print(json.dumps({"valid_perplexity": valid, "valid_accuracy": accuracy}))
        return
    states = States(model, len(words))
    assert training["optimizer"] == "adam" and not training["weight_decay"]
    optimizer = torch.optim.Adam(model.parameters(), lr=training["lr"],
                                 betas=(training["beta1"], training["beta2"]), eps=training["eps"])
    for epoch in range(1, 1 + (args.epochs or training["epochs"])):
        start = time.perf_counter()
        order = torch.randperm(len(words)) if args.own_shuffles else \
            shuffle_of(training["seed"], epoch - 1, len(words))
        train = train_epoch(model, states, words, following, optimizer, order, training["batch"],
                            training["clip"])
        seconds = time.perf_counter() - start
        valid, accuracy = measure(model, *held)
        line = {"epoch": epoch, "train_perplexity": train, "valid_perplexity": valid,
                "valid_accuracy": accuracy, "seconds": seconds}
        mine = figures_of(args.run).get(epoch)
        if mine:
            for key in ("train_perplexity", "valid_perplexity", "valid_accuracy"):
                line["unroll_" + key] = mine[key]
            line["difference"] = mine["valid_perplexity"] / valid - 1
        print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}),
              flush=True)


if __name__ == "__main__":
    main()
