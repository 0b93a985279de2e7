#!/usr/bin/env python3
"""Golden cases of what Transformers are made of: LayerNorm, residual connections, feed-forward layers."""
import torch
import torch.nn.functional as F

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


def main():
    norms_case("layer_norms", 71)
    feeds_case("feed_forwards", 72)


if __name__ == "__main__":
    main()
