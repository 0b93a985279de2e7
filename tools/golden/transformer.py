#!/usr/bin/env python3
"""Golden cases of Transformers and what they are made of; of label smoothing."""
import contextlib
import math

import numpy as np
import torch
import torch.nn.functional as F

from cells import Masks, scaled
from common import leaf, seeded, write_case

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh")}

# size, eps, affine, bias, whether a residual connection comes before
NORMS = [(7, 1e-5, True, True, False), (32, 1e-5, True, False, False), (33, 1e-12, False, False, False),
         (96, 1e-5, True, True, True), (5, 0.1, True, False, True), (64, 1e-5, False, False, True)]
ROWS = 9


def norms_case(name, seed):
    g = seeded(seed)
    fixed, shapes = {}, []
    for i, (size, eps, affine, bias, residual) in enumerate(NORMS):
        n = f"{i}."
        shapes.append(f"{size} {eps} {int(affine)} {int(bias)} {int(residual)}")
        for t in ("x", "f", "wy", "ws")[: 4 if residual else 3]:
            fixed[n + t] = torch.randn(ROWS, size, generator=g)
        fixed[n + "x"][2] += 30.0  # far from zero
        fixed[n + "x"][3] *= 1e-3  # eps counts
        if affine:
            fixed[n + "weight"] = torch.randn(size, generator=g)
            if bias:
                fixed[n + "bias"] = torch.randn(size, generator=g)

    def compute(dtype):
        out = dict(fixed)
        for i, (size, eps, affine, bias, residual) in enumerate(NORMS):
            n = f"{i}."
            v = {t: leaf(fixed[n + t], dtype) for t in ("x", "f", "weight", "bias") if n + t in fixed}
            if not residual:
                v.pop("f", None)
            s = v["x"] + v["f"] if residual else v["x"]
            y = F.layer_norm(s, (size,), v.get("weight"), v.get("bias"), eps)
            loss = (y * fixed[n + "wy"].to(dtype)).sum()
            if residual:
                loss = loss + (s * fixed[n + "ws"].to(dtype)).sum()
            loss.backward()
            out[n + "y"] = y
            out.update({f"{n}grad.{t}": w.grad for t, w in v.items()})
        for i, (_, _, _, _, residual) in enumerate(NORMS):
            if not residual:
                out.pop(f"{i}.f", None)
        return out

    write_case(name, seed, {"settings": "; ".join(shapes)}, compute)


# activation, in, inner, out, bias
FEEDS = [("relu", 8, 24, 8, True), ("gelu", 13, 37, 11, True), ("gelu_tanh", 6, 33, 6, False),
         ("relu", 32, 70, 5, False)]


def feeds_case(name, seed):
    g = seeded(seed)
    fixed = {}
    for i, (_, size, inner, out_size, bias) in enumerate(FEEDS):
        n = f"{i}."
        fixed[n + "x"] = torch.randn(ROWS, size, generator=g) * 2
        fixed[n + "wy"] = torch.randn(ROWS, out_size, generator=g)
        fixed[n + "linear1.weight"] = torch.randn(inner, size, generator=g) / size ** 0.5
        fixed[n + "linear2.weight"] = torch.randn(out_size, inner, generator=g) / inner ** 0.5
        if bias:
            fixed[n + "linear1.bias"] = torch.randn(inner, generator=g)
            fixed[n + "linear2.bias"] = torch.randn(out_size, generator=g)

    def compute(dtype):
        out = dict(fixed)
        for i, (act, *_rest) in enumerate(FEEDS):
            n = f"{i}."
            v = {t[len(n):]: leaf(x, dtype) for t, x in fixed.items()
                 if t.startswith(n) and not t.endswith("wy")}
            h = ACTIVATIONS[act](F.linear(v["x"], v["linear1.weight"], v.get("linear1.bias")))
            y = F.linear(h, v["linear2.weight"], v.get("linear2.bias"))
            (y * fixed[n + "wy"].to(dtype)).sum().backward()
            out[n + "y"] = y
            out.update({f"{n}grad.{t}": w.grad for t, w in v.items()})
        return out

    write_case(name, seed, {"settings": "; ".join(" ".join(map(str, f)) for f in FEEDS)}, compute)


# d, heads, ffn, layers, norm_first, activation, bias, last norm, causal, lengths
ENCODERS = [
    (4, 1, 8, 1, False, "relu", True, False, False, [3, 0, 1]),
    (6, 3, 10, 1, True, "relu", True, False, True, [5, 2]),
    (8, 2, 16, 2, False, "gelu", True, True, False, [4, 7, 1]),
    (8, 4, 12, 2, True, "gelu", False, True, True, [9, 3, 0, 2]),
    (16, 8, 24, 2, False, "relu", False, False, True, [17, 5]),
    (12, 4, 20, 3, True, "gelu_tanh", True, True, False, [6, 6]),
    (32, 4, 64, 1, False, "relu", True, True, False, [70]),
    (96, 6, 40, 1, True, "gelu", True, True, True, [3, 9]),
]
# the same with the memory's lengths in place of causal
DECODERS = [
    (4, 1, 8, 1, False, "relu", True, False, [3, 1, 0], [2, 4, 3]),
    (6, 2, 10, 1, True, "gelu", True, False, [5, 2], [1, 6]),
    (8, 4, 16, 2, False, "gelu", False, True, [4, 7, 1], [3, 3, 5]),
    (16, 8, 24, 2, True, "relu", True, True, [11, 3], [9, 2]),
    (12, 3, 20, 3, False, "gelu_tanh", True, True, [6, 2], [8, 1]),
    (32, 4, 48, 1, True, "relu", False, True, [1, 9], [70, 2]),
]
MODELS = [
    (8, 2, 16, (1, 2), False, "relu", True, [4, 2], [3, 5]),
    (12, 4, 24, (2, 1), True, "gelu", True, [5, 1, 3], [2, 6, 1]),
]


# With drop-out.
DROPPED_ENCODERS = [
    (8, 2, 16, 2, False, "gelu", True, True, False, [4, 7, 1]),
    (6, 3, 10, 1, True, "relu", False, False, True, [5, 0, 2]),
]
DROPPED_DECODERS = [
    (6, 2, 10, 1, False, "relu", True, False, [3, 1], [2, 4]),
    (8, 4, 12, 2, True, "gelu_tanh", True, True, [4, 6], [7, 3]),
]
DROPPED_MODELS = [(8, 2, 16, (1, 1), True, "gelu", True, [4, 2], [3, 5])]
P = 0.25


class Given:
    """The library's masks, which are functions of the drop-out's number in the forward, the sequence, its step
    and the unit, for PyTorch's own modules: in place of what draws at random."""
    masks, sequence = Masks(), 0

    @classmethod
    def begin(cls, sequence):
        cls.masks, cls.sequence = Masks(), sequence

    @classmethod
    def rows(cls, count, width, p, dtype):
        key = cls.masks.key(p)
        kept = [Masks.kept(key, p, cls.sequence, r, width) for r in range(count)]
        return scaled(np.array(kept), p, dtype)

    @classmethod
    def dropout(cls, x, p=0.5, training=True, inplace=False):
        del inplace
        if not training or not p:
            return x
        return x * cls.rows(x.shape[1], x.shape[2], p, x.dtype)

    @classmethod
    def attention(cls, q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False):
        """(1, heads, steps, width); a row of the masks is a step and a head of it."""
        heads, queries, keys = q.shape[1], q.shape[2], k.shape[2]
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if is_causal:
            scores = scores + causal_mask(queries, q.dtype)
        if attn_mask is not None:
            scores = scores + attn_mask
        weights = scores.softmax(-1)
        if dropout_p:
            rows = cls.rows(queries * heads, keys, dropout_p, q.dtype)
            weights = weights * rows.view(queries, heads, keys).transpose(0, 1)
        return weights @ v


@contextlib.contextmanager
def given_masks():
    names = {"dropout": Given.dropout, "scaled_dot_product_attention": Given.attention}
    own = {n: getattr(F, n) for n in names}
    for n, f in names.items():
        setattr(F, n, f)
    yield
    for n, f in own.items():
        setattr(F, n, f)


def losses_case(name, seed):
    g = seeded(seed)
    rows, classes = 7, 11
    logits0 = torch.randn(rows, classes, generator=g) * 3
    logits0[2] += 200
    targets = torch.randint(0, classes, (rows,), generator=g)
    targets[4] = -100

    def compute(dtype):
        out = {"logits": logits0, "targets": targets}
        for s in (0.1, 0.5, 1.0):
            logits = leaf(logits0, dtype)
            loss = F.cross_entropy(logits, targets, ignore_index=-100, label_smoothing=s)
            loss.backward()
            out[f"{s}.loss"] = loss
            out[f"{s}.grad.logits"] = logits.grad
        return out

    write_case(name, seed, {"rows": rows, "classes": classes}, compute)


def made(module, seed):
    """The module's parameters as float32 numbers that are nothing special; norms are not ones."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        scale = 1.0 if p.dim() == 1 else p.shape[1] ** -0.5
        p.data = (torch.randn(p.shape, generator=g) * scale).to(p.dtype)
    return {n: p.detach().clone() for n, p in module.named_parameters()}


def filled(module, weights, dtype):
    module = module.to(dtype).train()
    module.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
    return module


def causal_mask(steps, dtype):
    return torch.full((steps, steps), float("-inf"), dtype=dtype).triu(1)


def run_rows(forward, lengths, *rows):
    """forward(part of each, one sequence at a time), put together again."""
    parts = [torch.split(x, n) for x, n in rows]
    out = []
    for b in range(len(lengths)):
        Given.begin(b)
        if lengths[b]:
            out.append(forward(*[p[b][None] for p in parts])[0])
    return torch.cat(out)


def trained(module, loss_of, steps=3):
    """Losses of some steps and the parameters after them. Not by Adam, which makes whole steps of the
    rounding errors of gradients that are zero: keys' biases have such."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=0.01)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of()
        losses.append(loss.detach().reshape(1))
        loss.backward()
        optimizer.step()
    return torch.cat(losses)


def stacks_case(name, seed, settings, build, rows_of, forward, train):
    """build(setting) -> module; rows_of(setting) -> {input: lengths}, the first being the output's too."""
    g = seeded(seed)
    fixed, weights = {}, []
    for i, setting in enumerate(settings):
        d = setting[0]
        inputs = rows_of(setting)
        for t, lengths in inputs.items():
            fixed[f"{i}.{t}"] = torch.randn(sum(lengths), d, generator=g)
        fixed[f"{i}.wy"] = torch.randn(sum(next(iter(inputs.values()))), d, generator=g)
        weights.append(made(build(setting), seed + i))
        fixed.update({f"{i}.{n}": w for n, w in weights[-1].items()})

    def compute(dtype):
        out = dict(fixed)
        for i, setting in enumerate(settings):
            module = filled(build(setting), weights[i], dtype)
            inputs = rows_of(setting)
            x = {t: leaf(fixed[f"{i}.{t}"], dtype) for t in inputs}
            wy = fixed[f"{i}.wy"].to(dtype)
            lengths = next(iter(inputs.values()))

            def loss():
                y = run_rows(lambda *v: forward(module, setting, dtype, *v), lengths,
                             *[(x[t], n) for t, n in inputs.items()])
                out[f"{i}.y"] = y
                return (y * wy).sum()

            first = loss()
            y = out[f"{i}.y"]
            first.backward()
            out.update({f"{i}.grad.{t}": v.grad.clone() for t, v in x.items()})
            out.update({f"{i}.grad.{n}": p.grad.clone() for n, p in module.named_parameters()})
            if i in train:
                out[f"{i}.losses"] = trained(module, loss)
                out.update({f"{i}.after.{n}": p for n, p in module.named_parameters()})
            out[f"{i}.y"] = y
        return out

    write_case(name, seed, {"settings": "; ".join(str(s) for s in settings)}, compute)


def layer_options(d, heads, ffn, norm_first, act, bias, p):
    return {"d_model": d, "nhead": heads, "dim_feedforward": ffn, "dropout": p,
            "activation": ACTIVATIONS[act], "batch_first": True, "norm_first": norm_first,
            "bias": bias}


def last_norm(d, bias, norm):
    return torch.nn.LayerNorm(d, bias=bias) if norm else None


def build_encoder(s, p=0.0):
    d, heads, ffn, layers, first, act, bias, norm, _, _ = s
    layer = torch.nn.TransformerEncoderLayer(**layer_options(d, heads, ffn, first, act, bias, p))
    return torch.nn.TransformerEncoder(layer, layers, last_norm(d, bias, norm),
                                       enable_nested_tensor=False)


def encode(module, s, dtype, x):
    return module(x, mask=causal_mask(x.shape[1], dtype) if s[8] else None)


def build_decoder(s, p=0.0):
    d, heads, ffn, layers, first, act, bias, norm, _, _ = s
    layer = torch.nn.TransformerDecoderLayer(**layer_options(d, heads, ffn, first, act, bias, p))
    return torch.nn.TransformerDecoder(layer, layers, last_norm(d, bias, norm))


def decode(module, _, dtype, x, memory):
    return module(x, memory, tgt_mask=causal_mask(x.shape[1], dtype))


def build_model(s, p=0.0):
    d, heads, ffn, (encoder, decoder), first, act, bias, _, _ = s
    return torch.nn.Transformer(num_encoder_layers=encoder, num_decoder_layers=decoder,
                                **layer_options(d, heads, ffn, first, act, bias, p))


def transform(module, _, dtype, x, source):
    return module(source, x, tgt_mask=causal_mask(x.shape[1], dtype))


def main():
    stacks_case("transformer_encoders", 73, ENCODERS, build_encoder, lambda s: {"x": s[-1]}, encode,
                (0, 3))
    stacks_case("transformer_decoders", 74, DECODERS, build_decoder,
                lambda s: {"x": s[-2], "memory": s[-1]}, decode, (0, 1))
    stacks_case("transformers", 75, MODELS, build_model, lambda s: {"x": s[-1], "source": s[-2]},
                transform, (1,))
    with given_masks():
        stacks_case("transformer_encoders_dropout", 77, DROPPED_ENCODERS,
                    lambda s: build_encoder(s, P), lambda s: {"x": s[-1]}, encode, ())
        stacks_case("transformer_decoders_dropout", 78, DROPPED_DECODERS,
                    lambda s: build_decoder(s, P), lambda s: {"x": s[-2], "memory": s[-1]}, decode,
                    ())
        stacks_case("transformers_dropout", 79, DROPPED_MODELS, lambda s: build_model(s, P),
                    lambda s: {"x": s[-1], "source": s[-2]}, transform, ())
    losses_case("label_smoothing", 76)
    norms_case("layer_norms", 71)
    feeds_case("feed_forwards", 72)


if __name__ == "__main__":
    main()
