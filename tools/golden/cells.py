#!/usr/bin/env python3
"""Golden cases of what PyTorch has no recurrent layer for, composed step by step with autograd: a GRU
that resets before the product, an LSTM with peepholes, one with layer normalisation; and of every cell
with random masks: recurrent drop-out, zoneout, and drop-out between the layers. The masks come from
Philox4x32-10, written here a second time."""
import itertools

import numpy as np
import torch

from common import leaf, seeded, write_case
from rnn import FULL, HIDDEN, INPUT, PROJ, RAGGED, flat

SEED, STEP = 11, 4  # of the masks
UNIT_BITS = 24  # of the counter's low word that count blocks of units; the step stands above


# ---- random numbers -----------------------------------------------------------------------------


def philox(key, low, high):
    """Philox4x32-10 (Salmon et al. 2011): four words of 32 bits."""
    mask = 0xffffffff
    c = [low & mask, low >> 32 & mask, high & mask, high >> 32 & mask]
    k = [key & mask, key >> 32 & mask]
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [k[0] + 0x9E3779B9 & mask, k[1] + 0xBB67AE85 & mask]
    return c


class Masks:
    """Each use of random masks in a forward pass has a key of its own, in the order of use."""

    def __init__(self):
        self.uses = 0

    def key(self, p):
        if not p:
            return None
        words = philox(SEED, STEP, self.uses)
        self.uses += 1
        return words[0] << 32 | words[1]

    @staticmethod
    def kept(key, p, sequence, step, width):
        """Which units are not dropped."""
        least = int(float(np.float32(p)) * 2.0 ** 32 + 0.5)
        words = [philox(key, (step << UNIT_BITS) + block, sequence)
                 for block in range((width + 3) // 4)]
        return np.array([w >= least for four in words for w in four][:width])


def scaled(kept, p, dtype):
    """A mask of drop-out: 0, or 1/(1-p)."""
    factor = float(np.float32(1) / (np.float32(1) - np.float32(p)))
    return torch.tensor(kept * factor, dtype=dtype)


# ---- cells --------------------------------------------------------------------------------------

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "gru_original": 3, "lstm": 4, "lstm_peephole": 4,
         "lstm_layer_norm": 4}


def shapes(cell, input_size, bias, proj):
    """A layer's own parameters in one direction, in the order of its table."""
    rows, width = GATES[cell] * HIDDEN, proj or HIDDEN
    out = {"weight_ih": (rows, input_size), "weight_hh": (rows, width)}
    if bias:
        out.update({"bias_ih": (rows,), "bias_hh": (rows,)})
    if proj:
        out["weight_hr"] = (proj, HIDDEN)
    if cell == "lstm_peephole":
        out.update({"weight_ci": (HIDDEN,), "weight_cf": (HIDDEN,), "weight_co": (HIDDEN,)})
    if cell == "lstm_layer_norm":
        out.update({"weight_ln_ih": (rows,), "weight_ln_hh": (rows,), "weight_ln_c": (HIDDEN,),
                    "bias_ln_c": (HIDDEN,)})
    return out


def norm(v, gain):
    return gain * (v - v.mean()) / torch.sqrt(v.var(unbiased=False) + 1e-5)


def step(cell, p, x, h, c, h_in):
    """One step of one sequence: the new h and c. h_in is what the recurrent product takes of h."""
    def bias(name):
        return p.get(name, 0.0)

    if cell.startswith("rnn"):
        a = p["weight_ih"] @ x + bias("bias_ih") + p["weight_hh"] @ h_in + bias("bias_hh")
        return (torch.tanh if cell == "rnn_tanh" else torch.relu)(a), None
    if cell == "gru":
        xr, xz, xn = (p["weight_ih"] @ x + bias("bias_ih")).chunk(3)
        hr, hz, hn = (p["weight_hh"] @ h_in + bias("bias_hh")).chunk(3)
        z = torch.sigmoid(xz + hz)
        return (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * h, None
    if cell == "gru_original":
        xr, xz, xn = (p["weight_ih"] @ x + bias("bias_ih") + bias("bias_hh") +
                      torch.zeros(3 * HIDDEN, dtype=x.dtype)).chunk(3)
        w_r, w_z, w_n = p["weight_hh"].chunk(3)
        r, z = torch.sigmoid(xr + w_r @ h_in), torch.sigmoid(xz + w_z @ h_in)
        return (1 - z) * torch.tanh(xn + w_n @ (r * h_in)) + z * h, None
    if cell == "lstm_layer_norm":
        a = norm(p["weight_ih"] @ x, p["weight_ln_ih"]) + norm(p["weight_hh"] @ h_in,
                                                               p["weight_ln_hh"])
    else:
        a = p["weight_ih"] @ x + p["weight_hh"] @ h_in
    i, f, g, o = (a + bias("bias_ih") + bias("bias_hh")).chunk(4)
    if cell == "lstm_peephole":
        i, f = i + p["weight_ci"] * c, f + p["weight_cf"] * c
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    if cell == "lstm_peephole":
        o = o + p["weight_co"] * c
    seen = norm(c, p["weight_ln_c"]) + p["bias_ln_c"] if cell == "lstm_layer_norm" else c
    h = torch.sigmoid(o) * torch.tanh(seen)
    return (p["weight_hr"] @ h if "weight_hr" in p else h), c


def keep(key, p, b, t, new, old, training):
    """Zoneout: units that keep their old value, or in inference the expectation."""
    if not p:
        return new
    w = (torch.tensor(Masks.kept(key, p, b, t, len(new)), dtype=new.dtype) if training
         else 1 - float(np.float32(p)))
    return w * new + (1 - w) * old


def direction(cell, p, xs, h0, c0, noise, masks, training):
    """A layer in one direction over sequences that are already turned around."""
    keys = [masks.key(noise[n]) if training else None
            for n in ("recurrent_dropout", "zoneout_h", "zoneout_c")]
    outputs, last_h, last_c = [], [], []
    for b, x in enumerate(xs):
        h, c, ys = h0[b], None if c0 is None else c0[b], []
        for t in range(len(x)):
            h_in = h
            if keys[0] is not None:
                rate = noise["recurrent_dropout"]
                h_in = h * scaled(Masks.kept(keys[0], rate, b, 0, len(h)), rate, h.dtype)
            new_h, new_c = step(cell, p, x[t], h, c, h_in)
            h = keep(keys[1], noise["zoneout_h"], b, t, new_h, h, training)
            if c is not None:
                c = keep(keys[2], noise["zoneout_c"], b, t, new_c, c, training)
            ys.append(h)
        outputs.append(torch.stack(ys) if ys else x.new_zeros(0, len(h)))
        last_h.append(h)
        last_c.append(c)
    return outputs, torch.stack(last_h), None if c0 is None else torch.stack(last_c)


def stack(cell, parts, both, x, lengths, h0, c0, noise, training):
    """parts: a dictionary of parameters per layer and direction. x (B,T,I) -> y (B,T,.), h_n, c_n."""
    masks, ways = Masks(), 2 if both else 1
    xs, h_n, c_n = [x[b, :n] for b, n in enumerate(lengths)], [], []
    for first in range(0, len(parts), ways):
        outputs = []
        for way in range(ways):
            k = first + way
            turned = [s.flip(0) for s in xs] if way else xs
            ys, h, c = direction(cell, parts[k], turned, h0[k], None if c0 is None else c0[k],
                                 noise, masks, training)
            outputs.append([y.flip(0) for y in ys] if way else ys)
            h_n.append(h)
            c_n.append(c)
        xs = [torch.cat(ys, dim=1) for ys in zip(*outputs)]
        rate = noise["dropout"]
        if rate and training and first + ways < len(parts):
            key = masks.key(rate)
            xs = [torch.stack([v * scaled(Masks.kept(key, rate, b, t, len(v)), rate, v.dtype)
                               for t, v in enumerate(s)]) if len(s) else s
                  for b, s in enumerate(xs)]
    longest = max(lengths)
    y = torch.stack([torch.cat([s, s.new_zeros(longest - len(s), s.shape[1])]) for s in xs])
    return y, torch.stack(h_n), None if c0 is None else torch.stack(c_n)


# ---- cases --------------------------------------------------------------------------------------


def one_case(g, cell, layers, both, bias, lengths, proj=0, training=True, **some_noise):
    noise = dict({"recurrent_dropout": 0, "zoneout_h": 0, "zoneout_c": 0, "dropout": 0},
                 **some_noise)
    ways, width = 2 if both else 1, proj or HIDDEN
    weights = []
    for part in range(layers * ways):
        wanted = shapes(cell, INPUT if part < ways else ways * width, bias, proj)
        weights.append({n: torch.randn(s, generator=g) * 0.4 + (1.0 if "weight_ln" in n else 0.0)
                        for n, s in wanted.items()})
    batch, states, has_c = len(lengths), layers * ways, cell.startswith("lstm")
    mask = (torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None])[:, :, None]
    fixed = {"x": torch.randn(batch, max(lengths), INPUT, generator=g) * mask,
             "h0": torch.randn(states, batch, width, generator=g) * 0.5,
             "wy": torch.randn(batch, max(lengths), ways * width, generator=g) * mask,
             "wh": torch.randn(states, batch, width, generator=g)}
    if has_c:
        fixed["c0"] = torch.randn(states, batch, HIDDEN, generator=g)
        fixed["wc"] = torch.randn(states, batch, HIDDEN, generator=g)

    def compute(dtype):
        parts = [{n: leaf(w, dtype) for n, w in part.items()} for part in weights]
        x, h0 = leaf(fixed["x"], dtype), leaf(fixed["h0"], dtype)
        c0 = leaf(fixed["c0"], dtype) if has_c else None
        y, h_n, c_n = stack(cell, parts, both, x, lengths, h0, c0, noise, training)
        out = dict(fixed, lengths=torch.tensor(lengths), y=y, h_n=h_n,
                   params=flat([w for part in weights for w in part.values()]))
        if has_c:
            out["c_n"] = c_n
        if not training:
            return {n: v for n, v in out.items() if n not in ("wy", "wh", "wc")}
        loss = (y * fixed["wy"].to(dtype)).sum() + (h_n * fixed["wh"].to(dtype)).sum()
        if has_c:
            loss = loss + (c_n * fixed["wc"].to(dtype)).sum()
        loss.backward()
        out.update({"grad.x": x.grad, "grad.h0": h0.grad,
                    "grad.params": flat([w.grad for part in parts for w in part.values()])})
        if has_c:
            out["grad.c0"] = c0.grad
        return out

    return compute


def write(name, seed, config, cases):
    def compute(dtype):
        return {f"{key}.{case}": value for case, one in cases.items()
                for key, value in one(dtype).items()}

    write_case(name, seed, dict({"input_size": INPUT, "hidden_size": HIDDEN, "cases": list(cases)},
                                **config), compute)


def family(name, seed, cell):
    g = seeded(seed)
    cases = {}
    for layers, both, bias, ragged in itertools.product((1, 3), (0, 1), (0, 1), (0, 1)):
        case = "_".join([f"{layers}l", "both" if both else "one", "bias" if bias else "nobias",
                         "ragged" if ragged else "full"])
        cases[case] = one_case(g, cell, layers, bool(both), bool(bias), RAGGED if ragged else FULL)
    write(name, seed, {"cell": cell, "proj_size": 0}, cases)


def noisy(name, seed):
    """Two layers in both directions, ragged, of every cell."""
    g = seeded(seed)
    rates = {"recurrent_dropout": 0.4, "zoneout_h": 0.3, "zoneout_c": 0.45, "dropout": 0.35}
    cases = {}

    def add(case, cell, *names, **options):
        noise = {n: rates[n] for n in names if n != "zoneout_c" or cell.startswith("lstm")}
        cases[case] = one_case(g, cell, 2, True, True, RAGGED, **options, **noise)

    for cell in GATES:
        add(f"{cell}_recurrent", cell, "recurrent_dropout")
        add(f"{cell}_zoneout", cell, "zoneout_h", "zoneout_c")
        add(f"{cell}_all", cell, *rates)
        add(f"{cell}_expected", cell, "zoneout_h", "zoneout_c", training=False)
    add("lstm_projected", "lstm", "recurrent_dropout", "dropout", proj=PROJ)
    write(name, seed, dict(rates, mask_seed=SEED, mask_step=STEP, proj_size=PROJ), cases)


def main():
    assert philox(0, 0, 0) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]  # published
    family("cell_gru_original", 61, "gru_original")
    family("cell_lstm_peephole", 62, "lstm_peephole")
    family("cell_lstm_layer_norm", 67, "lstm_layer_norm")
    noisy("cell_noise", 64)


if __name__ == "__main__":
    main()
