#!/usr/bin/env python3
"""The Transformer of a character language model's run, trained anew by PyTorch: the same text, module, first
weights, loss, optimiser and schedule; drop-out masks and the order of windows are PyTorch's own.

    unroll train lm --model transformer --data TRAIN --valid VALID ... --out RUN --keep 100
    PYTHON bench/rivals/transformer_lm_run.py RUN OUT --minutes M [--bfloat16] [--threads N]
    unroll eval OUT/S.safetensors --data VALID

At every `--mark` seconds of training the weights go to OUT/S.safetensors (timed_run.py).
"""
import argparse
import json
import os

import serve
serve.keep_memory()

import torch
from torch import nn
import torch.nn.functional as F

import timed_run
from runs import vocabulary


class Decoder(nn.Module):
    """Names as unroll's: GPT-2's form, the output layer being the embedding."""

    def __init__(self, c):
        super().__init__()
        width, steps = c["hidden_size"], c["bptt"]
        layer = nn.TransformerEncoderLayer(
            width, c["heads"], c["feed_forward_size"] or 4 * width, c["dropout"],
            F.gelu if c["activation"] == "gelu" else c["activation"], batch_first=True,
            norm_first=True)
        self.embed = nn.Embedding(c["vocabulary_size"], width)
        self.positions = nn.Embedding(steps, width)
        self.transformer = nn.TransformerEncoder(layer, c["layers"], nn.LayerNorm(width),
                                                 enable_nested_tensor=False)
        self.dropout = nn.Dropout(c["dropout"])
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(steps), False)

    def forward(self, ids):
        x = self.dropout(self.embed(ids) + self.positions.weight)
        return F.linear(self.transformer(x, self.causal, is_causal=True), self.embed.weight)


def windows(tokens, batch, steps):
    """An epoch's: all that begin every `steps` tokens from a random one of the first on, in any order."""
    begin = int(torch.randint(steps, ()))
    places = begin + steps * torch.randperm((len(tokens) - 1 - begin) // steps)
    reach = torch.arange(steps + 1)
    for at in range(0, len(places) - batch + 1, batch):
        yield tokens[places[at:at + batch, None] + reach]


def loss_of(model, window, half):
    with half:
        logits = model(window[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    args = timed_run.arguments(parser)
    with open(os.path.join(args.run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    training = config["training"]
    ids = vocabulary(os.path.join(args.run, "vocab.txt"))
    with open(training["data"], encoding="utf-8", newline="") as file:
        tokens = torch.tensor([ids[c] for c in file.read()])
    torch.manual_seed(1)
    model = Decoder(config)
    first = timed_run.first_weights(args.run, ("embed.", "positions.", "transformer."))
    model.load_state_dict(first)
    timed_run.train(args, training, model,
                    lambda: windows(tokens, training["batch"], config["bptt"]), loss_of)


if __name__ == "__main__":
    main()
