#!/usr/bin/env python3
"""The language model of a run, trained anew by PyTorch: the same text, module, optimiser, windows and
epochs, from the run's first weights; drop-out masks are PyTorch's own.

    unroll train lm ... --valid FILE --out RUN --max-steps 1
    cp RUN/checkpoints/0.safetensors FIRST
    unroll train lm --out RUN --resume
    PYTHON bench/rivals/language_run.py RUN --weights FIRST [--threads N] [--seed N] [--measure]

Takes everything else from RUN/config.json and vocab.txt: words, sequential windows and SGD alone.
Prints one JSON line an epoch:  epoch train_perplexity valid_perplexity seconds, RUN's own figures
beside them (unroll_...), and `difference`, that of the two valid_perplexity as a part of PyTorch's.
`--measure` measures RUN/model.safetensors in PyTorch instead.
"""
import argparse
import json
import math
import os
import time

import torch
from torch.nn.functional import cross_entropy

from runs import beside, philox, read_ids, read_weights, vocabulary
from text_model import TextModel, detach

WINDOW_STREAM = 2 << 32
CHUNK = 256  # steps that are measured at a time


def batches(tokens, seed, epoch, batch, steps):
    """An epoch's batches, as src/data/windows.c cuts them: inputs and targets, (batch, steps)."""
    low, high = (int(x) for x in philox(seed, WINDOW_STREAM + epoch, 1)[0][:2])
    offset = (low | high << 32) % (steps + 1)
    length = (len(tokens) - offset - 1) // batch
    x = tokens[offset:offset + batch * length].view(batch, length)
    y = tokens[offset + 1:offset + 1 + batch * length].view(batch, length)
    for at in range(0, length - steps + 1, steps):
        yield x[:, at:at + steps], y[:, at:at + steps]


def train_epoch(model, tokens, epoch, training, steps, optimizer):
    model.train()
    total, count, state = 0.0, 0, None
    for x, y in batches(tokens, training["seed"], epoch, training["batch"], steps):
        optimizer.zero_grad(set_to_none=True)
        logits, state = model(x, state)
        state = detach(state)
        loss = cross_entropy(logits.flatten(0, 1), y.flatten())
        loss.backward()
        if training["clip"]:
            torch.nn.utils.clip_grad_norm_(model.parameters(), training["clip"])
        optimizer.step()
        total, count = total + loss.item(), count + 1
    return math.exp(total / count)


@torch.no_grad()
def measure(model, tokens):
    """One stream from start to end, states carried."""
    model.eval()
    total, state = 0.0, None
    for at in range(0, len(tokens) - 1, CHUNK):
        part = tokens[at:at + CHUNK + 1]
        logits, state = model(part[None, :-1], state)
        total += cross_entropy(logits[0], part[1:], reduction="sum").item()
    return math.exp(total / (len(tokens) - 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--weights", help="where to start from: a checkpoint, a model.safetensors")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    with open(os.path.join(args.run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    training = config["training"]
    assert training["optimizer"] == "sgd" and config["sampling"] == "sequential"
    assert not training["momentum"] and not training["weight_decay"] and not config["keep_tail"]
    ids = vocabulary(os.path.join(args.run, "vocab.txt"))
    valid = read_ids(training["valid"], ids, config["text"])
    model = TextModel(len(ids), config["hidden_size"], config["cell"], config["embed_size"],
                      config["layers"], config["bidirectional"], config["tied"], config["dropout"])
    if args.measure:
        args.weights = os.path.join(args.run, "model.safetensors")
    if args.weights:
        weights = read_weights(args.weights, ("embed.", model.name + ".", "fc."))
        if config["tied"]:
            weights["fc.weight"] = weights["embed.weight"]
        model.load_state_dict(weights)
    if args.measure:
        print(json.dumps({"valid_perplexity": measure(model, valid)}))
        return
    tokens = read_ids(training["data"], ids, config["text"])
    optimizer = torch.optim.SGD(model.parameters(), lr=training["lr"])
    for epoch in range(1, 1 + training["epochs"]):
        start = time.perf_counter()
        train = train_epoch(model, tokens, epoch - 1, training, config["bptt"], optimizer)
        line = {"epoch": epoch, "train_perplexity": train, "seconds": time.perf_counter() - start,
                "valid_perplexity": measure(model, valid)}
        print(beside(line, args.run, ("train_perplexity", "valid_perplexity")), flush=True)


if __name__ == "__main__":
    main()
