#!/usr/bin/env python3
"""Golden cases of BERT's heads: logits, loss and gradients of transformers' BertForSequenceClassification,
BertForTokenClassification and BertForQuestionAnswering with random weights (PYTHON with transformers)."""
import torch
from torch.nn.functional import cross_entropy
from transformers import (BertConfig, BertForQuestionAnswering, BertForSequenceClassification,
                          BertForTokenClassification)

from common import seeded, write_case

# class, labels, hidden, layers, heads, feed-forward, lengths of the first texts with [CLS] [SEP], of the
# second ones with [SEP] (0: none)
CASES = [(BertForSequenceClassification, 3, 8, 2, 2, 12, [5, 3, 2, 7], [4, 0, 1, 5]),
         (BertForTokenClassification, 4, 12, 1, 3, 16, [6, 3, 9], [0, 0, 0]),
         (BertForQuestionAnswering, 2, 8, 1, 2, 12, [4, 5], [6, 3])]
VOCABULARY, POSITIONS = 20, 12


def model_of(case):
    kind, labels, hidden, layers, heads, inner, _, _ = case
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers,
                        num_attention_heads=heads, intermediate_size=inner, num_labels=labels,
                        max_position_embeddings=POSITIONS, attn_implementation="eager")
    return kind(config).eval()


def named(model):
    """The head for spans is one of two labels for each piece."""
    return {name.replace("qa_outputs", "classifier"): p for name, p in model.named_parameters()}


def case_of(i, case, g, fixed):
    kind, labels, _, _, _, _, first, second = case
    n, lengths = f"{i}.", [a + b for a, b in zip(first, second)]
    for name, p in named(model_of(case)).items():
        scale = 0.2 if p.ndim < 2 else 0.5 if "embeddings" in name else p.shape[1] ** -0.5
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        fixed[n + "param." + name] = centre + scale * torch.randn(p.shape, generator=g)
    rows = sum(lengths)
    fixed[n + "lengths"] = torch.tensor(lengths)
    fixed[n + "ids"] = torch.randint(1, VOCABULARY, (rows,), generator=g)
    fixed[n + "segments"] = torch.cat([torch.tensor([0] * a + [1] * b) for a, b in zip(first, second)])
    count = {BertForSequenceClassification: len(lengths), BertForTokenClassification: rows}.get(kind, 0)
    if count:
        fixed[n + "targets"] = torch.randint(0, labels, (count,), generator=g)
    if kind is BertForTokenClassification:  # pieces inside words have none
        fixed[n + "targets"][1::3] = -100
    if not count:
        fixed[n + "wl"] = torch.randn(rows, 2, generator=g)


def run(i, case, fixed, dtype, out):
    """Sequence by sequence: what is ragged has no padding."""
    n = f"{i}."
    model = model_of(case).to(dtype)
    with torch.no_grad():
        for name, p in named(model).items():
            p.copy_(fixed[n + "param." + name])
    logits, at = [], 0
    for length in fixed[n + "lengths"].tolist():
        part = slice(at, at + length)
        y = model(fixed[n + "ids"][None, part], token_type_ids=fixed[n + "segments"][None, part])
        spans = case[0] is BertForQuestionAnswering
        logits.append(torch.stack((y.start_logits[0], y.end_logits[0]), 1) if spans
                      else y.logits.reshape(-1, case[1]))
        at += length
    logits = torch.cat(logits)
    out[n + "logits"] = logits
    loss = (logits * fixed[n + "wl"].to(dtype)).sum() if n + "wl" in fixed \
        else cross_entropy(logits, fixed[n + "targets"])
    out[n + "loss"] = loss.reshape(1)
    loss.backward()
    for name, p in named(model).items():
        if not name.endswith("key.bias"):  # zero but for rounding: the softmax does not see it
            out[f"{n}grad.{name}"] = p.grad


def main():
    seed = 1531
    g = seeded(seed)
    fixed = {}
    for i, case in enumerate(CASES):
        case_of(i, case, g, fixed)

    def compute(dtype):
        out = dict(fixed)
        for i, case in enumerate(CASES):
            run(i, case, fixed, dtype, out)
        return out

    write_case("bert_heads", seed, {"settings": "; ".join(str(c) for c in CASES)}, compute)


if __name__ == "__main__":
    main()
