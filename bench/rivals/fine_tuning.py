#!/usr/bin/env python3
"""Fine-tunes a published BERT on SNLI with transformers and PyTorch, and with unroll: the same recipe,
batches of as many pairs (drawn anew in each epoch; padded to their longest pair in PyTorch), several seeds.

    fine_tuning.py UNROLL FOLDER SNLI OUT [--seeds 1 2 3] [--epochs 3] [--batch 32] [--lr 5e-5] [--steps N]
                   [--only unroll|pytorch] [--threads 2]

SNLI has snli_dev.csv (what is learned) and snli_test.csv (what is measured). Writes OUT/NAME.json, and prints
accuracies and times. --steps N ends after N steps of each, to try it and to see the time of a step.

Recipe of both: AdamW (betas 0.9 0.999, eps 1e-8, weight decay 0.01 but for biases and norms), gradient clipped
to norm 1, rate from lr down to 0 in a line, drop-out as the folder's config.json says, pairs cut to 128 pieces."""
import argparse
import csv
import json
import random
import statistics
import subprocess
import time
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("unroll")
    parser.add_argument("folder")
    parser.add_argument("snli", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["unroll", "pytorch"])
    return parser.parse_args()


def by_unroll(o, seed):
    run = o.out / f"unroll-{seed}"
    options = ["--seed", seed, "--epochs", o.epochs, "--batch", o.batch, "--lr", o.lr, "--threads", o.threads,
               "--max-length", 128, "--save-every", o.epochs, "--overwrite", "--quiet"]
    if o.steps:
        options += ["--max-steps", o.steps]
    began = time.monotonic()
    subprocess.run([o.unroll, "train", "classifier", "--data", o.snli / "snli_dev.csv", "--init-from", o.folder,
                    "--out", run, *map(str, options)], check=True)
    wall = time.monotonic() - began
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = o.steps or lines[-1]["step"]
    said = subprocess.run([o.unroll, "eval", run, "--data", o.snli / "snli_test.csv", "--json", "--quiet"],
                          check=True, capture_output=True, text=True)
    training = lines[-1]["train_seconds"] if lines else wall
    return {"accuracy": json.loads(said.stdout)["accuracy"], "seconds": training, "wall": wall, "steps": steps}


def pairs_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [(r["sentence1"], r["sentence2"], r["gold_label"]) for r in csv.DictReader(file)]


def groups_of(model, decay):
    """Biases and norms do not decay."""
    spared = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    others = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "LayerNorm" in n)]
    return [{"params": others, "weight_decay": decay}, {"params": spared, "weight_decay": 0.0}]


def by_pytorch(o, seed):
    import torch
    from transformers import (AutoModelForSequenceClassification, AutoTokenizer,
                              get_linear_schedule_with_warmup)
    torch.set_num_threads(o.threads)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(o.folder)
    train, test = pairs_of(o.snli / "snli_dev.csv"), pairs_of(o.snli / "snli_test.csv")
    labels = list(dict.fromkeys(label for _, _, label in train))
    model = AutoModelForSequenceClassification.from_pretrained(o.folder, num_labels=len(labels))
    optimizer = torch.optim.AdamW(groups_of(model, 0.01), lr=o.lr)
    steps = o.epochs * -(-len(train) // o.batch)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)

    def inputs(rows):
        texts, seconds, _ = zip(*rows)
        return tokenizer(list(texts), list(seconds), padding=True, truncation="longest_first", max_length=128,
                         return_tensors="pt")

    order, done = random.Random(seed), 0
    began = time.monotonic()
    model.train()
    for _ in range(o.epochs):
        order.shuffle(train)
        for at in range(0, len(train), o.batch):
            rows = train[at:at + o.batch]
            wanted = torch.tensor([labels.index(label) for _, _, label in rows])
            model(**inputs(rows), labels=wanted).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            if done == o.steps:
                break
        if done == o.steps:
            break
    seconds = time.monotonic() - began
    model.eval()
    right = 0
    with torch.inference_mode():
        for at in range(0, len(test), 64):
            rows = test[at:at + 64]
            said = model(**inputs(rows)).logits.argmax(-1).tolist()
            right += sum(labels[k] == label for k, (_, _, label) in zip(said, rows))
    return {"accuracy": right / len(test), "seconds": seconds, "steps": done}


def main():
    o = arguments()
    o.out.mkdir(parents=True, exist_ok=True)
    for name, fine_tune in (("unroll", by_unroll), ("pytorch", by_pytorch)):
        if o.only and o.only != name:
            continue
        results = []
        for seed in o.seeds:
            results.append({"seed": seed, **fine_tune(o, seed)})
            print(name, json.dumps(results[-1]), flush=True)
        (o.out / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
        accuracy = [100 * r["accuracy"] for r in results]
        each = [1000 * r["seconds"] / r["steps"] for r in results]
        print(f"{name}: accuracy {statistics.mean(accuracy):.2f} % ({', '.join(f'{a:.2f}' for a in accuracy)}), "
              f"{statistics.median(each):.0f} ms a step", flush=True)


if __name__ == "__main__":
    main()
