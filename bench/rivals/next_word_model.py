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
import time

import torch
from torch.nn.functional import cross_entropy

from runs import beside, read_ids, read_weights, shuffle_of, vocabulary
from text_lstm import States, TextLSTM

def split(path, ids, text):
    """What is learned and what is for validation."""
    tokens = read_ids(path, ids, text)
    if text["max_tokens"]:
        tokens = tokens[:text["max_tokens"]]
    valid = int(math.floor(text["valid_split"] * len(tokens)))
    return tokens[:len(tokens) - valid], tokens[len(tokens) - valid:]


def examples(tokens, context):
    return tokens.unfold(0, context, 1)[:len(tokens) - context], tokens[context:]


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
        model.load_state_dict(read_weights(args.weights, ("embed.", "layers.")))
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
        print(beside(line, args.run, ("train_perplexity", "valid_perplexity", "valid_accuracy")),
              flush=True)


if __name__ == "__main__":
    main()
