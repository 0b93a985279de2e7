#!/usr/bin/env python3
"""Loads a run's model into the equal PyTorch module, strictly, and compares logits.

    check_model.py RUN_DIR [LOGITS.safetensors] [--bound 1e-5]

RUN_DIR holds model.safetensors and config.json (keys embed_size hidden_size attention peeky
decoder_start cell layers decoder_layers bidirectional proj_size, anywhere in it; the last five may
be absent). LOGITS holds what unroll computed: `questions` (B, L) as the encoder
reads them, `answers_in` (B, T), `logits` (B, T, V), and for ragged batches `question_lengths` (B)
and `answer_lengths` (B); positions behind an end are not compared. Without it only the loading is
checked. Exit status 0 if all agrees, 1 if not.
"""
import argparse
import json
import os
import sys

import torch
from safetensors.torch import load_file

from seq2seq import OPTIONS, from_state_dict, valid


def find_keys(value, found):
    """The known keys, wherever they stand in the configuration."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in OPTIONS and not isinstance(inner, (dict, list)):
                found.setdefault(key, inner)
            else:
                find_keys(inner, found)
    return found


def load_run(folder):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = find_keys(json.load(file), {})
    return from_state_dict(load_file(os.path.join(folder, "model.safetensors")), config), config


@torch.no_grad()
def compare(model, data):
    """Largest difference of logits, relative to the largest logit."""
    lengths = data.get("question_lengths")
    questions, answers_in = data["questions"].long(), data["answers_in"].long()
    expected = model.double()(questions, answers_in, None if lengths is None else lengths.long())
    actual = data["logits"].double()
    if actual.shape != expected.shape:
        raise SystemExit(f"logits have shape {tuple(actual.shape)}, not {tuple(expected.shape)}")
    if "answer_lengths" in data:
        keep = valid(data["answer_lengths"].long(), answers_in.shape[1])
        expected, actual = expected[keep], actual[keep]
    return float((actual - expected).abs().max() / expected.abs().max())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("logits", nargs="?")
    parser.add_argument("--bound", type=float, default=1e-5)
    args = parser.parse_args()
    model, config = load_run(args.run)
    print(f"{args.run}: loads strictly, {sum(p.numel() for p in model.parameters())} parameters, "
          f"{config}")
    if args.logits:
        difference = compare(model, load_file(args.logits))
        ok = difference <= args.bound  # false for a NaN, too
        print(f"{args.logits}: logits differ by {difference:.2e} of the largest "
              f"({'ok' if ok else 'TOO MUCH'}, bound {args.bound:.0e})")
        sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
