#!/usr/bin/env python3
"""Golden cases of BERT's pretraining: logits of both heads, losses and all gradients of transformers'
BertForPreTraining on padded batches, and the losses of 100 steps of Adam (PYTHON with transformers). Each in
two variants: BERT's own, and that of Dive into Deep Learning (no norm after the embeddings, ReLU, an output
of its own, eps 1e-5). Of the trajectory weights and examples are made by formulas, which
tests/models/test_bert_pretraining.c has, too."""
import torch
from transformers import BertConfig, BertForPreTraining

from common import seeded, write_case

VARIANTS = [("gelu", 1e-12, True), ("relu", 1e-5, False)]
BATCH, BATCHES, STEPS, VOCABULARY, MASK = 32, 10, 100, 1000, 4


def model_of(variant, **sizes):
    act, eps, own = VARIANTS[variant]
    model = BertForPreTraining(BertConfig(
        hidden_act=act, layer_norm_eps=eps, tie_word_embeddings=own, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager", **sizes))
    if not own:
        model.bert.embeddings.LayerNorm = torch.nn.Identity()
        model.cls.predictions.decoder.bias = model.cls.predictions.bias
    return model


def named(model):
    """Each parameter once, under the first of its names."""
    return dict(model.named_parameters())


# ---- heads ----

LENGTHS = [(2, 3), (5, 1), (3, 3)]  # pieces of the two texts


def batch_of(examples):
    """(ids, mask, segments, labels, follows) of examples (first, second, {place: shown}, follows), padded."""
    longest = max(len(a) + len(b) + 3 for a, b, _, _ in examples)
    ids, attention, segments, labels, follows = [], [], [], [], []
    for a, b, shown, next_one in examples:
        words = [2] + a + [3] + b + [3]
        pad = longest - len(words)
        ids.append([shown.get(i, w) for i, w in enumerate(words)] + [0] * pad)
        labels.append([w if i in shown else -100 for i, w in enumerate(words)] + [-100] * pad)
        attention.append([1] * len(words) + [0] * pad)
        segments.append([0] * (len(a) + 2) + [1] * (len(b) + 1) + [0] * pad)
        follows.append(0 if next_one else 1)
    return [torch.tensor(x) for x in (ids, attention, segments, labels, follows)]


def head_case(variant, g, fixed):
    """Random weights and examples."""
    sizes = {"vocab_size": 29, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 12, "max_position_embeddings": 12}
    n = f"{variant}."
    for name, p in named(model_of(variant, **sizes)).items():
        scale = 0.2 if p.ndim < 2 else 0.5 if "embeddings" in name else p.shape[1] ** -0.5
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        fixed[n + "param." + name] = centre + scale * torch.randn(p.shape, generator=g)
    examples = []
    for i, (first, second) in enumerate(LENGTHS):
        a, b = (torch.randint(5, 29, (k,), generator=g).tolist() for k in (first, second))
        shown = {1: MASK} if i == 0 else {2: MASK, first + 2: 7}
        examples.append((a, b, shown, i != 1))
    return sizes, examples


def run_heads(variant, sizes, examples, fixed, dtype, out):
    n = f"{variant}."
    model = model_of(variant, **sizes).to(dtype).eval()
    with torch.no_grad():
        for name, p in named(model).items():
            p.copy_(fixed[n + "param." + name])
    ids, attention, segments, labels, follows = batch_of(examples)
    y = model(input_ids=ids, attention_mask=attention, token_type_ids=segments, labels=labels,
              next_sentence_label=follows)
    y.loss.backward()
    out[n + "words"] = y.prediction_logits[labels != -100]
    out[n + "next"] = y.seq_relationship_logits
    out[n + "loss"] = y.loss
    for name, p in named(model).items():
        if not name.endswith("key.bias"):  # zero but for rounding: the softmax does not see it
            out[f"{n}grad.{name}"] = p.grad
    out[n + "ids"] = torch.tensor(sum((a + b for a, b, _, _ in examples), []))


# ---- trajectory ----

class Numbers:
    """A linear congruential generator that C has as well."""

    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = (self.x * 1103515245 + 12345) % 2 ** 31
        return (self.x >> 8) % n

    def unit(self):
        return self.below(1 << 20) / float(1 << 20)


def formula_examples():
    numbers, examples = Numbers(1), []
    for i in range(BATCH * BATCHES):
        a = [5 + numbers.below(VOCABULARY - 5) for _ in range(5 + i * 7 % 12)]
        b = [5 + numbers.below(VOCABULARY - 5) for _ in range(4 + i * 5 % 10)]
        n = len(a) + len(b) + 3
        shown, place = {}, 1 + numbers.below(3)
        for k in range(1 + n // 8):
            place += place == len(a) + 1
            words = [2] + a + [3] + b + [3]
            shown[place] = (words[place], 5 + numbers.below(VOCABULARY - 5), MASK)[min(k % 10, 2)]
            place += 2 + numbers.below(3)
            if place >= n - 1:
                break
        examples.append((a, b, shown, numbers.below(2) == 0))
    return examples


def formula_weights(model, dtype):
    with torch.no_grad():
        for name, p in named(model).items():
            numbers = Numbers(sum(name.encode()) * 7 + p.numel())
            scale = 0.05 if p.ndim < 2 else 0.2 if "embeddings" in name else p.shape[1] ** -0.5
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            values = [centre + scale * (2 * numbers.unit() - 1) for _ in range(p.numel())]
            p.copy_(torch.tensor(values, dtype=torch.float64).to(torch.float32).to(dtype).view(p.shape))


def run_path(variant, out):
    """In float64 alone: float32 goes its own way after some steps."""
    dtype = torch.float64
    model = model_of(variant, vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2,
                     num_attention_heads=2, intermediate_size=128, max_position_embeddings=32)
    model = model.to(dtype).train()
    formula_weights(model, dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    examples, losses = formula_examples(), []
    for step in range(STEPS):
        begin = step % BATCHES * BATCH
        ids, attention, segments, labels, follows = batch_of(examples[begin:begin + BATCH])
        y = model(input_ids=ids, attention_mask=attention, token_type_ids=segments)
        words = torch.nn.functional.cross_entropy(y.prediction_logits.view(-1, VOCABULARY), labels.view(-1))
        pairs = torch.nn.functional.cross_entropy(y.seq_relationship_logits, follows)
        optimizer.zero_grad()
        (words + pairs).backward()
        optimizer.step()
        losses.append((words.item(), pairs.item()))
    out[f"{variant}.path.words"] = torch.tensor([a for a, _ in losses], dtype=torch.float64)
    out[f"{variant}.path.next"] = torch.tensor([b for _, b in losses], dtype=torch.float64)


def main():
    seed = 1502
    g = seeded(seed)
    fixed, cases, paths = {}, [], {}
    for variant in range(len(VARIANTS)):
        cases.append(head_case(variant, g, fixed))
        run_path(variant, paths)

    def compute(dtype):
        out = dict(fixed)
        for variant, (sizes, examples) in enumerate(cases):
            run_heads(variant, sizes, examples, fixed, dtype, out)
        out.update(paths)
        return out

    write_case("bert_pretraining", seed, {"variants": str(VARIANTS), "lengths": str(LENGTHS)}, compute)


if __name__ == "__main__":
    main()
