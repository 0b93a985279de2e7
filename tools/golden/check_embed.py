#!/usr/bin/env python3
"""Compares the vectors that unroll embed gives with those of sentence-transformers, line by line.

    tools/golden/check_embed.py UNROLL FOLDER LINES     the tool, a published BERT, a text file

Prints the largest difference, relative to the largest number of its vector, of sentence vectors and
of other poolings (cls, mean, max); exit code 1 when one is above 1e-5.
"""
import json
import subprocess
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

BOUND = 1e-5


def ours(unroll, folder, path, *options):
    out = subprocess.run([unroll, "embed", folder, "--in", path, "--json", *options], check=True,
                         stdout=subprocess.PIPE).stdout
    return np.array([json.loads(line)["vector"] for line in out.decode().splitlines()], np.float64)


def vectors(model, lines):
    """Of each line alone, so that nothing is padded: what the modules give, and poolings of the
    last layer's outputs, of length 1 where the folder normalises."""
    out = {"": [], "cls": [], "mean": [], "max": []}
    normalises = any(type(m).__name__ == "Normalize" for m in model)
    for line in lines:
        features = model.preprocess([line])
        x = model[0](dict(features))["token_embeddings"][0].double()
        rows = {"cls": x[0], "mean": x.mean(0), "max": x.max(0).values}
        for pool, row in rows.items():
            out[pool].append(row / row.norm() if normalises else row)
        out[""].append(model(features)["sentence_embedding"][0].double())
    return {pool: torch.stack(rows).numpy() for pool, rows in out.items()}


def main():
    unroll, folder, path = sys.argv[1:]
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    torch.set_num_threads(1)
    with torch.no_grad():
        wants = vectors(SentenceTransformer(folder, device="cpu"), lines)
    worst = 0.0
    for pool, want in wants.items():
        got = ours(unroll, folder, path, *(["--pool", pool] if pool else []))
        assert got.shape == want.shape, (got.shape, want.shape)
        difference = (np.abs(got - want).max(1) / np.abs(want).max(1)).max()
        worst = max(worst, difference)
        print(f"{pool or 'as the folder says':20} {len(lines)} lines, largest difference {difference:.2e}")
    sys.exit(1 if worst > BOUND else 0)


main()
