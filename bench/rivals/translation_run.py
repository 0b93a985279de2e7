#!/usr/bin/env python3
"""The Transformer of a translation run, trained anew by PyTorch: the same pairs as ids, module, first
weights, loss, optimiser and schedule; drop-out masks and the order of batches are PyTorch's own.

    unroll train translation --model transformer ... --out RUN --keep 100
    bench_unroll --write-ids RUN DATA IDS          the training pairs as the run reads them
    PYTHON bench/rivals/translation_run.py RUN IDS OUT --minutes M [--bfloat16] [--threads N]
    unroll eval OUT/S.safetensors --data TEST --beam 5

Batches hold at most as many target positions as the run's, pairs of like lengths together. At every
`--mark` seconds of training the weights go to OUT/S.safetensors (timed_run.py).
"""
import argparse
import json
import os

import serve
serve.keep_memory()

import torch
from torch import nn
import torch.nn.functional as F

from translation import positions  # before runs, which finds another module of that name
import timed_run


class Transformer(nn.Module):
    """Names as unroll's; pre-norm, ties and smoothing as the run's configuration has them."""

    def __init__(self, c, sources, targets):
        super().__init__()
        width = c["hidden_size"]
        body = nn.Transformer(width, c["heads"], c["layers"], c["layers"],
                              c["feed_forward_size"] or 4 * width, c["dropout"], c["activation"],
                              batch_first=True, norm_first=c["norm_first"])
        self.encoder, self.decoder = body.encoder, body.decoder
        self.encoder.embed, self.decoder.embed = (nn.Embedding(n, width) for n in (sources, targets))
        self.decoder.fc = nn.Linear(width, targets)
        if c["tie"] != "none":
            self.decoder.fc.weight = self.decoder.embed.weight
        if c["tie"] == "all":
            self.encoder.embed.weight = self.decoder.embed.weight
        self.dropout = nn.Dropout(c["dropout"])
        self.register_buffer("positions", positions(1024, width), persistent=False)

    def embed(self, table, ids):
        x = table(ids) * table.embedding_dim ** 0.5 + self.positions[:ids.shape[1]]
        return self.dropout(x)

    def forward(self, sources, padding, inputs, places):
        x, y = self.embed(self.encoder.embed, sources), self.embed(self.decoder.embed, inputs)
        memory = self.encoder(x, src_key_padding_mask=padding)
        causal = nn.Transformer.generate_square_subsequent_mask(inputs.shape[1])
        y = self.decoder(y, memory, tgt_mask=causal, tgt_is_causal=True,
                         memory_key_padding_mask=padding)
        return self.decoder.fc(y[places])


def read_ids(path):
    with open(path, encoding="ascii") as file:
        return [[[int(i) for i in side.split()] for side in line.rstrip("\n").split("\t")]
                for line in file]


def batches(pairs, tokens):
    """Lists of pairs of like length, each with at most so many target positions."""
    order = torch.randperm(len(pairs)).tolist()
    order.sort(key=lambda i: (len(pairs[i][1]), len(pairs[i][0])))
    lists, count = [[]], 0
    for i in order:
        count += len(pairs[i][1]) + 1
        if count > tokens and lists[-1]:
            lists.append([])
            count = len(pairs[i][1]) + 1
        lists[-1].append(pairs[i])
    return [lists[i] for i in torch.randperm(len(lists)).tolist()]


def tensors(batch, bos=1, eos=2):
    def pad(rows, value=0):
        return nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], True, value)
    sources = pad([s + [eos] for s, _ in batch], -1)
    targets = pad([t + [eos] for _, t in batch], -1)
    inputs = pad([[bos] + t for _, t in batch])
    places = targets >= 0
    return sources.clamp(min=0), sources < 0, inputs, places, targets[places]


def loss_of(model, batch, half, smoothing):
    sources, padding, inputs, places, targets = tensors(batch)
    with half:
        logits = model(sources, padding, inputs, places)
    return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("ids")
    args = timed_run.arguments(parser)
    with open(os.path.join(args.run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    training, pairs = config["training"], read_ids(args.ids)
    torch.manual_seed(1)
    first = timed_run.first_weights(args.run, ("encoder.", "decoder."))
    model = Transformer(config, config["vocabulary_size"], len(first["decoder.fc.bias"]))
    model.load_state_dict(first, strict=False)  # a tied weight has one of its names
    timed_run.train(args, training, model, lambda: batches(pairs, training["batch_tokens"]),
                    lambda *given: loss_of(*given, config["label_smoothing"]))


if __name__ == "__main__":
    main()
