#!/usr/bin/env python3
"""Golden cases of language models that are Transformers: logits, loss, gradients, three steps of Adam; and the
losses of 100 steps in float64. The text is B windows of T tokens, one after the other."""
import json
import os

import torch
from torch import nn
from torch.nn import functional as F

from common import FOLDER, seeded, write_case, write_safetensors
from transformer import ACTIVATIONS, causal_mask

LR, EPS, STEPS = 1e-2, 1e-4, 3


class Model(nn.Module):
    """A decoder alone, pre-norm, learned positions, the embedding as the output layer's weights."""

    def __init__(self, vocabulary, d, heads, ffn, layers, block, activation):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, d)
        self.positions = nn.Embedding(block, d)
        layer = nn.TransformerEncoderLayer(d, heads, ffn, 0.0, ACTIVATIONS[activation],
                                           batch_first=True, norm_first=True)
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(d),
                                                 enable_nested_tensor=False)
        self.fc = nn.Linear(d, vocabulary, bias=False)
        self.fc.weight = self.embed.weight

    def forward(self, ids):
        x = self.embed(ids) + self.positions.weight[: ids.shape[1]]
        return self.fc(self.transformer(x, causal_mask(ids.shape[1], x.dtype), is_causal=True))


def weights_of(options, seed):
    """Not as fresh layers are: norms that are not one, biases that are not zero."""
    model = Model(**options)
    g = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        scale = 0.3 if p.dim() == 1 else p.shape[1] ** -0.5
        p.data = p.data * (p.dim() == 1) + torch.randn(p.shape, generator=g) * scale
    return {n: p.detach().clone() for n, p in model.state_dict().items()}


def made(options, weights, dtype):
    model = Model(**options).to(dtype)
    model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
    return model.train()


def windows(g, vocabulary, block, batch):
    text = torch.randint(0, vocabulary, (batch * block + block,), generator=g)
    x, y = text[: batch * block].view(batch, block), text[1: batch * block + 1].view(batch, block)
    return text, x, y


def loss_of(model, x, y):
    logits = model(x)
    return logits, F.cross_entropy(logits.flatten(0, 1), y.flatten())


def train(model, x, y, lr, eps, steps, on_first=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, eps=eps)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        logits, loss = loss_of(model, x, y)
        loss.backward()
        if step == 0 and on_first:
            on_first(logits)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def case(name, seed, batch, **options):
    g = seeded(seed)
    weights = weights_of(options, seed)
    text, x, y = windows(g, options["vocabulary"], options["block"], batch)

    def compute(dtype):
        model = made(options, weights, dtype)
        out = dict(weights, text=text)
        named = dict(model.named_parameters(remove_duplicate=False))

        def first(logits):
            out.update(logits=logits.detach())
            out.update({"grad." + n: named[n].grad.clone() for n in weights})
        out["losses"] = train(model, x, y, LR, EPS, STEPS, first)
        out.update({"after." + n: p.detach() for n, p in model.state_dict().items()})
        return out

    write_case(name, seed, dict({"batch": batch, "lr": LR, "eps": EPS}, **options), compute)


def trajectory(name, seed, batch, **options):
    g = seeded(seed)
    weights = weights_of(options, seed)
    text, x, y = windows(g, options["vocabulary"], options["block"], batch)
    losses = [train(made(options, weights, dtype), x, y, 1e-4, 1e-8, 100).double()
              for dtype in (torch.float64, torch.float32)]
    apart = (losses[1] - losses[0]).abs() / losses[0]
    print(f"{name}: float32 differs by {apart.max():.1e}")
    write_safetensors(os.path.join(FOLDER, name + ".safetensors"),
                      dict(weights, text=text, losses=losses[0], float32=apart), {
        "torch": torch.__version__.split("+")[0], "seed": seed, "case": name,
        "computed": "float64, stored as float32",
        "config": json.dumps(dict(options, batch=batch, lr=1e-4), sort_keys=True)})


def main():
    torch.set_num_threads(1)
    case("language_transformer", 81, 3, vocabulary=9, d=8, heads=2, ffn=12, layers=2, block=5,
         activation="gelu")
    case("language_transformer_tanh", 82, 4, vocabulary=7, d=6, heads=3, ffn=24, layers=1, block=9,
         activation="gelu_tanh")
    case("language_transformer_one", 83, 5, vocabulary=7, d=4, heads=1, ffn=8, layers=1, block=1,
         activation="relu")
    trajectory("language_transformer_path", 84, 8, vocabulary=23, d=16, heads=4, ffn=64, layers=2,
               block=16, activation="gelu")


if __name__ == "__main__":
    main()
