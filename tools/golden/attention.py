#!/usr/bin/env python3
"""Golden cases of attention: the operation with dot and additive scores, heads, masks, drop-out; additive
attention's layer; and nn.MultiheadAttention with its options. Composed sequence by sequence with autograd,
since PyTorch gives NaN where a query has no key; where it does not, nn.MultiheadAttention itself must
agree."""
import math

import numpy as np
import torch

from cells import SEED, STEP, Masks, philox, scaled
from common import leaf, write_case
from rnn import made_up

HEAD_BITS = 24  # as UNIT_BITS in cells.py: (query * heads + head) stands above

NONE, CAUSAL, LAST = range(3)


def numbers(seed, *shape, scale=1.0):
    n = int(np.prod(shape))
    values = np.array(made_up(seed, n), dtype=np.float32) * np.float32(scale)
    return torch.tensor(values.reshape(shape))


def mask_of(case, queries, keys):
    """(heads or 1, queries, keys): what is added, -inf where hidden."""
    heads = case["heads"] if case.get("per_head") else 1
    mask = torch.zeros(heads, queries, keys)
    if "a" in case.get("mask", ""):
        mask = numbers(5, heads, queries, keys, scale=2.0)
    if "h" in case.get("mask", ""):
        hidden = numbers(6, heads, queries, keys) > 0.4
        if queries > 2:
            hidden[:, 2] = True  # a query that sees nothing
        mask = mask.masked_fill(hidden, -math.inf)
    return mask


def seen(case, queries, keys):
    if not case.get("causal"):
        return torch.ones(queries, keys, dtype=torch.bool)
    ahead = keys - queries if case["causal"] == LAST else 0
    return torch.arange(keys)[None, :] <= torch.arange(queries)[:, None] + ahead


def kept(case, b, queries, keys, dtype):
    """Drop-out's mask of sequence b, (heads, queries, keys)."""
    p, heads = case.get("dropout", 0.0), case["heads"]
    if not p or not queries * keys:
        return torch.ones(heads, queries, keys, dtype=dtype)
    words = philox(SEED, STEP, 0)
    key = words[0] << 32 | words[1]
    rows = [[Masks.kept(key, p, b, t * heads + h, keys) for t in range(queries)]
            for h in range(heads)]
    return scaled(np.array(rows), p, dtype)


def attend(case, b, q, k, v, w, mask):
    """One sequence: q (Tq, h D), k (Tk, h D), v (Tk, h E) -> context (Tq, h E), weights (h, Tq, Tk)."""
    heads, (tq, width), tk = case["heads"], q.shape, k.shape[0]
    if tk == 0:
        return q.new_zeros(tq, v.shape[1]), q.new_zeros(heads, tq, 0)
    qh, kh, vh = (x.reshape(x.shape[0], heads, x.shape[1] // heads).transpose(0, 1)
                  for x in (q, k, v))
    if w is not None:
        features = torch.tanh(qh[:, :, None] + kh[:, None])
        scores = (features * w.reshape(heads, 1, 1, -1)).sum(-1) * case.get("scale", 1.0)
    else:
        scores = qh @ kh.transpose(1, 2) * case.get("scale", 1.0 / math.sqrt(width / heads))
    allowed = (mask[:, :tq, :tk] > -math.inf) & seen(case, tq, tk)
    scores = scores + mask[:, :tq, :tk].to(q.dtype).masked_fill(~allowed, 0.0)
    some = allowed.any(-1, keepdim=True)
    weights = scores.masked_fill(~allowed, -math.inf).masked_fill(~some, 0.0).softmax(-1)
    weights = weights.masked_fill(~allowed.expand_as(weights), 0.0)
    context = (weights * kept(case, b, tq, tk, q.dtype)) @ vh
    return context.transpose(0, 1).reshape(tq, v.shape[1]), weights


def sequences(x, lengths):
    return torch.split(x, lengths)


def whole(case, q, k, v, w):
    """All sequences, rows one after the other; weights likewise, flat."""
    mask = mask_of(case, max(case["q"]), max(case["k"]))
    parts = [attend(case, b, *part, w, mask) for b, part in
             enumerate(zip(sequences(q, case["q"]), sequences(k, case["k"]),
                           sequences(v, case["k"])))]
    return torch.cat([c for c, _ in parts]), [p for _, p in parts]


def flat_weights(case, weights):
    if case.get("average"):
        weights = [p.mean(0) for p in weights]
    return torch.cat([p.reshape(-1) for p in weights])


def settings(case):
    """As integers, in the order in which the test reads them."""
    return torch.tensor([case["heads"], case.get("causal", NONE), "h" in case.get("mask", ""),
                         "a" in case.get("mask", ""), bool(case.get("per_head")),
                         bool(case.get("average")), round(1000 * case.get("dropout", 0.0)),
                         round(1000 * case.get("scale", 0.0))])


def record(out, name, case, y, weights, gradients):
    out[f"settings.{name}"] = settings(case)
    out[f"q_lengths.{name}"] = torch.tensor(case["q"])
    out[f"k_lengths.{name}"] = torch.tensor(case["k"])
    out[f"y.{name}"] = y
    out[f"weights.{name}"] = flat_weights(case, weights)
    out.update({f"grad.{n}.{name}": g for n, g in gradients.items()})


# ---- the operation ------------------------------------------------------------------------------


def operation(out, name, case, dtype):
    rows_q, rows_k = sum(case["q"]), sum(case["k"])
    heads, width, value_width = case["heads"], case["width"], case["value_width"]
    q = leaf(numbers(1, rows_q, heads * width, scale=2.0), dtype)
    k = leaf(numbers(2, rows_k, heads * width), dtype)
    v = leaf(numbers(3, rows_k, heads * value_width), dtype)
    w = leaf(numbers(7, heads * width), dtype) if case.get("additive") else None
    y, weights = whole(case, q, k, v, w)
    (y * numbers(4, *y.shape).to(dtype)).sum().backward()
    gradients = {"q": q.grad, "k": k.grad, "v": v.grad}
    if w is not None:
        gradients["w"] = w.grad
    record(out, name, case, y, weights, gradients)
    out[f"widths.{name}"] = torch.tensor([width, value_width, w is not None])


SOME_Q, SOME_K = [3, 0, 5, 1, 4], [4, 2, 0, 7, 3]
LONG = [70, 1, 17]

OPERATIONS = {
    "one": dict(heads=1, width=1, value_width=1, q=[1], k=[1]),
    "plain": dict(heads=1, width=5, value_width=3, q=SOME_Q, k=SOME_K),
    "scaled": dict(heads=2, width=4, value_width=6, q=SOME_Q, k=SOME_K, scale=0.3),
    "three_heads": dict(heads=3, width=7, value_width=2, q=SOME_Q, k=SOME_K, average=True),
    "four_heads": dict(heads=4, width=4, value_width=4, q=[6, 6], k=[6, 6]),
    "five_heads": dict(heads=5, width=2, value_width=3, q=[2, 9], k=[9, 2], average=True),
    "six_heads": dict(heads=6, width=3, value_width=1, q=[4, 3], k=[3, 4], causal=CAUSAL),
    "seven_heads": dict(heads=7, width=1, value_width=2, q=[4, 3], k=[3, 5], causal=LAST),
    "eight_heads": dict(heads=8, width=2, value_width=2, q=[3, 7], k=[5, 2], mask="h"),
    "wide": dict(heads=1, width=96, value_width=40, q=[5, 2], k=[3, 9]),
    "long": dict(heads=1, width=4, value_width=4, q=LONG, k=LONG),
    "long_causal": dict(heads=2, width=2, value_width=2, q=LONG, k=LONG, causal=CAUSAL),
    "long_keys": dict(heads=1, width=4, value_width=8, q=[2, 1, 3], k=[70, 33, 64]),
    "long_queries": dict(heads=1, width=4, value_width=2, q=[70, 33, 49], k=[2, 1, 3]),
    "causal": dict(heads=1, width=6, value_width=5, q=SOME_Q, k=SOME_K, causal=CAUSAL),
    "causal_last": dict(heads=1, width=6, value_width=5, q=SOME_Q, k=SOME_K, causal=LAST),
    "hidden": dict(heads=2, width=4, value_width=4, q=SOME_Q, k=SOME_K, mask="h"),
    "hidden_heads": dict(heads=2, width=4, value_width=4, q=SOME_Q, k=SOME_K, mask="h",
                         per_head=True),
    "added": dict(heads=2, width=4, value_width=4, q=SOME_Q, k=SOME_K, mask="a"),
    "added_heads": dict(heads=3, width=4, value_width=4, q=SOME_Q, k=SOME_K, mask="a",
                        per_head=True, causal=CAUSAL),
    "both": dict(heads=2, width=4, value_width=4, q=[50, 3], k=[52, 20], mask="ha",
                 per_head=True, causal=LAST, average=True),
    "dropout": dict(heads=2, width=4, value_width=3, q=SOME_Q, k=SOME_K, dropout=0.3),
    "dropout_long": dict(heads=1, width=3, value_width=3, q=[50, 7], k=[66, 9], dropout=0.1,
                         causal=CAUSAL, mask="h"),
    "one_query": dict(heads=4, width=4, value_width=2, q=[1, 1, 1, 1], k=[5, 0, 70, 1]),
    "additive": dict(additive=True, heads=1, width=8, value_width=5, q=SOME_Q, k=SOME_K),
    "additive_tails": dict(additive=True, heads=1, width=19, value_width=4, q=[1, 1, 1],
                           k=[5, 0, 11]),
    "additive_heads": dict(additive=True, heads=3, width=5, value_width=2, q=SOME_Q, k=SOME_K,
                           mask="ha", scale=0.5),
    "additive_causal": dict(additive=True, heads=2, width=3, value_width=4, q=[7, 4], k=[7, 9],
                            causal=CAUSAL, dropout=0.2),
    "additive_long": dict(additive=True, heads=1, width=4, value_width=3, q=[60, 2], k=[70, 9],
                          dropout=0.4),
}


# ---- additive attention's layer -----------------------------------------------------------------


def additive_layer(out, name, case, dtype):
    query, key, hidden, value = case["sizes"]
    shapes = {"W_q.weight": (hidden, query), "W_k.weight": (hidden, key), "w_v.weight": (1, hidden)}
    params = {n: leaf(numbers(10 + i, *s, scale=0.5), dtype)
              for i, (n, s) in enumerate(shapes.items())}
    q = leaf(numbers(1, sum(case["q"]), query, scale=2.0), dtype)
    k = leaf(numbers(2, sum(case["k"]), key), dtype)
    v = leaf(numbers(3, sum(case["k"]), value), dtype)
    y, weights = whole(case, q @ params["W_q.weight"].T, k @ params["W_k.weight"].T, v,
                       params["w_v.weight"][0])
    (y * numbers(4, *y.shape).to(dtype)).sum().backward()
    gradients = {"q": q.grad, "k": k.grad, "v": v.grad}
    gradients.update({n: p.grad for n, p in params.items()})
    record(out, name, case, y, weights, gradients)
    out[f"sizes.{name}"] = torch.tensor(case["sizes"])


ADDITIVE = {  # query, key, hidden, value
    "notes": dict(heads=1, sizes=[20, 2, 8, 4], q=[1, 1], k=[2, 6]),
    "decoder": dict(heads=1, sizes=[16, 24, 20, 24], q=[1, 1, 1, 1], k=[9, 0, 3, 12]),
    "queries": dict(heads=1, sizes=[5, 7, 6, 3], q=SOME_Q, k=SOME_K),
    "dropped": dict(heads=1, sizes=[5, 7, 33, 3], q=SOME_Q, k=SOME_K, dropout=0.1),
}


# ---- multi-head attention -----------------------------------------------------------------------


def shapes_of(case):
    width = case["embed"]
    sizes = [case.get(n, width) for n in ("qdim", "kdim", "vdim")]
    if sizes == [width] * 3:
        shapes = {"in_proj_weight": (3 * width, width)}
    else:
        shapes = {f"{n}_proj_weight": (width, s) for n, s in zip("qkv", sizes)}
    if case.get("bias", True):
        shapes.update({"in_proj_bias": (3 * width,), "out_proj.weight": (width, width),
                       "out_proj.bias": (width,)})
    else:
        shapes["out_proj.weight"] = (width, width)
    return shapes, sizes


def compose(case, params, q, k, v):
    weights = (params["in_proj_weight"].chunk(3) if "in_proj_weight" in params else
               [params[f"{n}_proj_weight"] for n in "qkv"])
    bias = params["in_proj_bias"].chunk(3) if "in_proj_bias" in params else [0.0] * 3
    q, k, v = (x @ w.T + b for x, w, b in zip((q, k, v), weights, bias))
    y, weights = whole(case, q, k, v, None)
    return y @ params["out_proj.weight"].T + params.get("out_proj.bias", 0.0), weights


def check_module(case, params, q, k, v, y, weights):
    """nn.MultiheadAttention, padded, must agree where its queries all have keys."""
    if case.get("dropout") or "qdim" in case or "h" in case.get("mask", "") \
            or case.get("causal") == LAST:
        return False
    width = case["embed"]
    module = torch.nn.MultiheadAttention(width, case["heads"], bias=case.get("bias", True),
                                         kdim=case.get("kdim"), vdim=case.get("vdim"),
                                         batch_first=True).to(q.dtype)
    module.load_state_dict({n: p.detach() for n, p in params.items()})
    tq, tk = max(case["q"]), max(case["k"])
    pad = [torch.nn.utils.rnn.pad_sequence(sequences(x, n), batch_first=True)
           for x, n in ((q, case["q"]), (k, case["k"]), (v, case["k"]))]
    padding = torch.zeros(len(case["k"]), tk, dtype=q.dtype).masked_fill(
        torch.arange(tk)[None] >= torch.tensor(case["k"])[:, None], -math.inf)
    mask = mask_of(case, tq, tk).masked_fill(~seen(case, tq, tk), -math.inf)
    heads = case["heads"]
    mask = mask.expand(heads, tq, tk).repeat(len(case["q"]), 1, 1).to(q.dtype)
    want, p = module(*pad, key_padding_mask=padding, attn_mask=mask,
                     average_attn_weights=bool(case.get("average")))
    got, mine = sequences(y, case["q"]), weights
    for b, (a, c) in enumerate(zip(case["q"], case["k"])):
        if a and c:
            assert torch.allclose(got[b], want[b, :a], atol=1e-5), case
            w = mine[b].mean(0) if case.get("average") else mine[b]
            assert torch.allclose(w, p[b, ..., :a, :c], atol=1e-5), case
    return True


def multi_head(out, name, case, dtype):
    shapes, sizes = shapes_of(case)
    params = {n: leaf(numbers(10 + i, *s, scale=0.5), dtype)
              for i, (n, s) in enumerate(shapes.items())}
    q = leaf(numbers(1, sum(case["q"]), sizes[0]), dtype)
    k = q if case.get("same") == 2 else leaf(numbers(2, sum(case["k"]), sizes[1]), dtype)
    v = k if case.get("same") else leaf(numbers(3, sum(case["k"]), sizes[2]), dtype)
    y, weights = compose(case, params, q, k, v)
    with torch.no_grad():
        checked = check_module(case, params, q, k, v, y, weights)
    (y * numbers(4, *y.shape).to(dtype)).sum().backward()
    gradients = {n: x.grad for n, x in (("q", q), ("k", k), ("v", v))[:3 - case.get("same", 0)]}
    gradients.update({n: p.grad for n, p in params.items()})
    record(out, name, case, y, weights, gradients)
    out[f"sizes.{name}"] = torch.tensor([case["embed"], *sizes, case.get("bias", True),
                                         case.get("same", 0)])
    return checked


SELF = [6, 1, 9]

MULTI_HEAD = {  # same: 1: keys are values, 2: queries, too
    "one": dict(embed=1, heads=1, q=[1], k=[1], same=2),
    "self": dict(embed=8, heads=2, q=SELF, k=SELF, same=2),
    "self_causal": dict(embed=12, heads=3, q=SELF, k=SELF, same=2, causal=CAUSAL),
    "self_no_bias": dict(embed=16, heads=4, q=SELF, k=SELF, same=2, bias=False, average=True),
    "self_full": dict(embed=32, heads=4, q=[10, 10], k=[10, 10], same=2),
    "self_long": dict(embed=4, heads=2, q=[70, 0, 20], k=[70, 0, 20], same=2, average=True),
    "self_wide": dict(embed=64, heads=8, q=[4, 7], k=[4, 7], same=2, average=True),
    "self_96": dict(embed=96, heads=6, q=[3, 2], k=[3, 2], same=2, bias=False),
    "self_mask": dict(embed=10, heads=5, q=SELF, k=SELF, same=2, mask="h"),
    "self_mask_added": dict(embed=8, heads=2, q=SELF, k=SELF, same=2, mask="a"),
    "self_mask_heads": dict(embed=14, heads=7, q=SELF, k=SELF, same=2, mask="ha", per_head=True),
    "self_added_heads": dict(embed=8, heads=4, q=SELF, k=SELF, same=2, mask="a", per_head=True,
                             causal=CAUSAL),
    "self_dropout": dict(embed=8, heads=2, q=SELF, k=SELF, same=2, dropout=0.1),
    "self_dropout_causal": dict(embed=8, heads=4, q=SELF, k=SELF, same=2, dropout=0.5,
                                causal=CAUSAL, bias=False),
    "cross": dict(embed=8, heads=2, q=SOME_Q, k=SOME_K, same=1),
    "cross_average": dict(embed=24, heads=3, q=[4, 2], k=[7, 3], same=1, average=True),
    "cross_no_bias": dict(embed=8, heads=8, q=SOME_Q, k=SOME_K, same=1, bias=False),
    "cross_last": dict(embed=8, heads=2, q=[2, 3, 1], k=[9, 3, 70], same=1, causal=LAST),
    "cross_one_query": dict(embed=16, heads=4, q=[1, 1, 1], k=[9, 0, 5], same=1),
    "three": dict(embed=8, heads=2, q=SOME_Q, k=SOME_K),
    "three_dropout": dict(embed=12, heads=6, q=SOME_Q, k=SOME_K, dropout=0.2, mask="a"),
    "kdim": dict(embed=8, heads=2, kdim=5, q=SOME_Q, k=SOME_K),
    "vdim": dict(embed=8, heads=4, vdim=3, q=SOME_Q, k=SOME_K, average=True),
    "kdim_vdim": dict(embed=12, heads=4, kdim=20, vdim=6, q=SOME_Q, k=SOME_K, bias=False),
    "kdim_is_vdim": dict(embed=8, heads=2, kdim=6, vdim=6, q=SOME_Q, k=SOME_K, same=1),
    "d2l": dict(embed=20, heads=5, qdim=7, kdim=9, vdim=4, q=[4, 4], k=[3, 2], bias=False),
    "d2l_masked": dict(embed=6, heads=3, qdim=11, kdim=6, vdim=6, q=SOME_Q, k=SOME_K, mask="h",
                       same=1, dropout=0.5),
}


def write(name, cases, compute):
    def all_cases(dtype):
        out = {}
        for case, config in cases.items():
            compute(out, case, config, dtype)
        return out

    write_case(name, 0, {"cases": list(cases)}, all_cases)


def main():
    write("attention_cases", OPERATIONS, operation)
    write("attention_additive", ADDITIVE, additive_layer)
    write("attention_multi_head", MULTI_HEAD, multi_head)


if __name__ == "__main__":
    main()
