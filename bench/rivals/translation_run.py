#!/usr/bin/env python3
"""The Transformer of a translation run, trained anew by PyTorch: the same pairs as ids, module, first
weights, loss, optimiser and schedule; drop-out masks and the order of batches are PyTorch's own.

    unroll train translation --model transformer ... --out RUN --keep 100
    bench_unroll --write-ids RUN DATA IDS          the training pairs as the run reads them
    PYTHON bench/rivals/translation_run.py RUN IDS OUT --minutes M [--bfloat16] [--threads N]
    unroll eval OUT/S.safetensors --data TEST --beam 5

Batches hold at most as many target positions as the run's, pairs of like lengths together. At every
`--mark` seconds of training the weights go to OUT/S.safetensors, S being the seconds, in the form of the
run's own files of weights, which unroll opens; writing is outside the time. Prints a JSON line a mark.
"""
import argparse
import contextlib
import json
import os
import struct
import time

import serve
serve.keep_memory()

import torch
from torch import nn
import torch.nn.functional as F

from runs import read_weights
from translation import positions


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


def rate(training, step):
    """Of step 1, 2 ...: a line up over the warm-up, then times the root of warmup / step."""
    warmup = max(training["warmup"], 1)
    assert training["schedule"] == "inverse_sqrt"
    return training["lr"] * min(step / warmup, (warmup / step) ** 0.5)


def write_like(model_file, weights, path):
    """The file of weights with other values."""
    with open(model_file, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head, data = file.read(size), bytearray(file.read())
    for name, entry in json.loads(head).items():
        if name in weights:
            begin, end = entry["data_offsets"]
            data[begin:end] = weights[name].detach().numpy().astype("<f4").tobytes()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", size) + head + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("ids")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--mark", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true")
    args = parser.parse_args()
    with open(os.path.join(args.run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    training, pairs = config["training"], read_ids(args.ids)
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    model_file = os.path.join(args.run, "model.safetensors")
    first = read_weights(os.path.join(args.run, "checkpoints", "0.safetensors"),
                         ("encoder.", "decoder."))
    model = Transformer(config, config["vocabulary_size"], len(first["decoder.fc.bias"]))
    model.load_state_dict(first, strict=False)  # a tied weight has one of its names
    parameters = list(model.parameters())
    adam = torch.optim.Adam(parameters, lr=1.0, betas=(training["beta1"], training["beta2"]),
                            eps=training["eps"], fused=True)
    half = torch.autocast("cpu", torch.bfloat16) if args.bfloat16 else contextlib.nullcontext()
    os.makedirs(args.out, exist_ok=True)
    spent, step, epoch, mark = 0.0, 0, 0, args.mark
    while spent < args.minutes * 60:
        epoch += 1
        for batch in batches(pairs, training["batch_tokens"]):
            begin, step = time.perf_counter(), step + 1
            sources, padding, inputs, places, targets = tensors(batch)
            for group in adam.param_groups:
                group["lr"] = rate(training, step)
            adam.zero_grad(set_to_none=True)
            with half:
                logits = model(sources, padding, inputs, places)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=config["label_smoothing"])
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, training["clip"], foreach=True)
            adam.step()
            spent += time.perf_counter() - begin
            if spent >= mark or spent >= args.minutes * 60:
                path = os.path.join(args.out, f"{round(spent)}.safetensors")
                write_like(model_file, dict(model.named_parameters(remove_duplicate=False)), path)
                print(json.dumps({"seconds": round(spent, 1), "step": step, "epoch": epoch,
                                  "loss": round(loss.item(), 4)}), flush=True)
                mark += args.mark
            if spent >= args.minutes * 60:
                break


if __name__ == "__main__":
    main()
