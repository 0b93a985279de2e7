#!/usr/bin/env python3
"""Writes a PyTorch-initialised model as a run folder, for unroll to load.

    export_model.py RUN_DIR [--from RUN_DIR2] [--vocab-size N ...] [--logits]

Without --from: model.safetensors and config.json holding only the model's keys (embed_size
hidden_size attention ... vocab_size). With --from: sizes and options of that run,
its config.json and vocab.txt copied, its weights replaced by fresh ones; unroll can then open the
folder. --logits adds logits.safetensors: random `questions`, `answers_in` and PyTorch's `logits`.
"""
import argparse
import json
import os
import shutil

import torch

from check_model import load_run
from common import write_safetensors
from seq2seq import CELLS, OPTIONS, Seq2Seq, options_of


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--from", dest="source")
    parser.add_argument("--vocab-size", type=int, default=59)
    parser.add_argument("--embed-size", type=int, default=16)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--attention", choices=("dot", "none"), default="dot")
    parser.add_argument("--peeky", action="store_true")
    parser.add_argument("--decoder-start", choices=("h", "hc"), default="h")
    parser.add_argument("--cell", choices=tuple(CELLS), default="lstm")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--decoder-layers", type=int, default=1)
    parser.add_argument("--bidirectional", choices=("no", "concat", "average"), default="no")
    parser.add_argument("--proj-size", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logits", action="store_true")
    parser.add_argument("--question-width", type=int, default=29)
    parser.add_argument("--answer-width", type=int, default=10)
    args = parser.parse_args()
    os.makedirs(args.run, exist_ok=True)
    torch.manual_seed(args.seed)
    if args.source:
        old, config = load_run(args.source)
        model = Seq2Seq(**options_of(old.state_dict(), config))
        for name in ("config.json", "vocab.txt"):
            if os.path.exists(os.path.join(args.source, name)):
                shutil.copy(os.path.join(args.source, name), args.run)
    else:
        config = {key: getattr(args, key) for key in OPTIONS}
        model = Seq2Seq(args.vocab_size, **config)
        with open(os.path.join(args.run, "config.json"), "w", encoding="utf-8") as file:
            json.dump(dict(config, vocab_size=args.vocab_size), file, indent=2)
            file.write("\n")
    metadata = {"torch": torch.__version__.split("+")[0], "seed": args.seed}
    write_safetensors(os.path.join(args.run, "model.safetensors"), model.state_dict(), metadata)
    if args.logits:
        questions = torch.randint(0, model.encoder.embed.num_embeddings, (8, args.question_width))
        answers_in = torch.randint(0, model.decoder.embed.num_embeddings, (8, args.answer_width))
        with torch.no_grad():
            logits = model.double()(questions, answers_in)
        write_safetensors(os.path.join(args.run, "logits.safetensors"),
                          {"questions": questions, "answers_in": answers_in, "logits": logits},
                          metadata)
    print(f"{args.run}: {config}")


if __name__ == "__main__":
    main()
