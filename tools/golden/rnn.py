#!/usr/bin/env python3
"""Golden cases of the recurrent family: nn.RNN, nn.LSTM (with and without projection) and nn.GRU over
layers, directions, biases and lengths; the LSTM written out by hand; and the packed batches of large
layers, whose weights both sides compute by a formula."""
import itertools

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import leaf, seeded, write_case

INPUT, HIDDEN, PROJ = 3, 5, 2
RAGGED, FULL = [3, 0, 5, 1], [4, 4, 4]


def make_module(cell, **options):
    if cell.startswith("rnn"):
        return torch.nn.RNN(nonlinearity=cell.split("_")[1], **options)
    return {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](**options)


def flat(tensors):
    """All parameters one after the other, in state_dict's order."""
    return torch.cat([t.reshape(-1) for t in tensors])


def run_without_empty(module, x, lengths, h0, c0):
    """PyTorch refuses lengths of zero: those rows are left out and put back, the output without
    steps, the state as it came in."""
    kept = [b for b, n in enumerate(lengths) if n > 0]
    packed = pack_padded_sequence(x[kept], [lengths[b] for b in kept], batch_first=True,
                                  enforce_sorted=False)
    state = (h0[:, kept], c0[:, kept]) if c0 is not None else h0[:, kept]
    y, last = module(packed, state)
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])

    def put_back(rows, initial):
        return torch.stack([rows[:, kept.index(b)] if b in kept else initial[:, b]
                            for b in range(len(lengths))], dim=1)

    y = torch.stack([y[kept.index(b)] if b in kept else torch.zeros_like(y[0])
                     for b in range(len(lengths))])
    if c0 is None:
        return y, put_back(last, h0), None
    return y, put_back(last[0], h0), put_back(last[1], c0)


def one_case(g, cell, proj, layers, both, bias, lengths):
    """A function of the type computed in, which gives the tensors of one case."""
    options = {"input_size": INPUT, "hidden_size": HIDDEN, "num_layers": layers,
               "bidirectional": both, "bias": bias, "batch_first": True}
    if proj:
        options["proj_size"] = PROJ
    weights = {n: p.detach().clone() for n, p in make_module(cell, **options).named_parameters()}
    batch, steps, width = len(lengths), max(lengths), PROJ if proj else HIDDEN
    states, ways = layers * (2 if both else 1), 2 if both else 1
    mask = (torch.arange(steps)[None, :] < torch.tensor(lengths)[:, None])[:, :, None]
    fixed = {"x": torch.randn(batch, steps, INPUT, generator=g) * mask,
             "h0": torch.randn(states, batch, width, generator=g) * 0.5,
             "wy": torch.randn(batch, steps, ways * width, generator=g) * mask,
             "wh": torch.randn(states, batch, width, generator=g)}
    if cell == "lstm":
        fixed["c0"] = torch.randn(states, batch, HIDDEN, generator=g)
        fixed["wc"] = torch.randn(states, batch, HIDDEN, generator=g)

    def compute(dtype):
        module = make_module(cell, **options).to(dtype)
        module.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        x, h0 = leaf(fixed["x"], dtype), leaf(fixed["h0"], dtype)
        c0 = leaf(fixed["c0"], dtype) if cell == "lstm" else None
        y, h_n, c_n = run_without_empty(module, x, lengths, h0, c0)
        loss = (y * fixed["wy"].to(dtype)).sum() + (h_n * fixed["wh"].to(dtype)).sum()
        if c_n is not None:
            loss = loss + (c_n * fixed["wc"].to(dtype)).sum()
        loss.backward()
        out = dict(fixed, lengths=torch.tensor(lengths), params=flat(weights.values()), y=y, h_n=h_n)
        out.update({"grad.x": x.grad, "grad.h0": h0.grad,
                    "grad.params": flat([p.grad for p in module.parameters()])})
        if c_n is not None:
            out.update({"c_n": c_n, "grad.c0": c0.grad})
        return out

    return compute


def family(name, seed, cell, proj=False):
    g = seeded(seed)
    cases = {}
    for layers, both, bias, ragged in itertools.product((1, 3), (0, 1), (0, 1), (0, 1)):
        case = "_".join([f"{layers}l", "both" if both else "one", "bias" if bias else "nobias",
                         "ragged" if ragged else "full"])
        cases[case] = one_case(g, cell, proj, layers, bool(both), bool(bias),
                               RAGGED if ragged else FULL)

    def compute(dtype):
        return {f"{key}.{case}": value for case, one in cases.items()
                for key, value in one(dtype).items()}

    write_case(name, seed, {"cell": cell, "input_size": INPUT, "hidden_size": HIDDEN,
                            "proj_size": PROJ if proj else 0, "cases": list(cases)}, compute)


# ---- by hand ------------------------------------------------------------------------------------


def lstm_by_hand(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr=None):
    """One layer, batch first: the equations, a step at a time."""
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        if w_hr is not None:
            h = h @ w_hr.T
        outputs.append(h)
    return torch.stack(outputs, dim=1), h, c


def by_hand(name, seed):
    g = seeded(seed)
    batch, steps, input_size, hidden = 2, 3, 4, 5

    def one(proj):
        width = proj or hidden
        module = torch.nn.LSTM(input_size, hidden, batch_first=True, proj_size=proj)
        weights = {n: p.detach().clone() for n, p in module.named_parameters()}
        fixed = {"x": torch.randn(batch, steps, input_size, generator=g),
                 "h0": torch.randn(1, batch, width, generator=g),
                 "c0": torch.randn(1, batch, hidden, generator=g),
                 "wy": torch.randn(batch, steps, width, generator=g),
                 "wh": torch.randn(1, batch, width, generator=g),
                 "wc": torch.randn(1, batch, hidden, generator=g)}

        def compute(dtype):
            params = {n: leaf(w, dtype) for n, w in weights.items()}
            x, h0, c0 = (leaf(fixed[n], dtype) for n in ("x", "h0", "c0"))
            y, h_n, c_n = lstm_by_hand(x, h0[0], c0[0], *params.values())
            theirs, (h, c) = module.to(dtype)(x, (h0, c0))
            assert (theirs - y).abs().max() < 1e-6 and (h[0] - h_n).abs().max() < 1e-6
            assert (c[0] - c_n).abs().max() < 1e-6
            loss = (y * fixed["wy"].to(dtype)).sum() + (h_n * fixed["wh"][0].to(dtype)).sum()
            (loss + (c_n * fixed["wc"][0].to(dtype)).sum()).backward()
            return dict(fixed, lengths=torch.tensor([steps] * batch), params=flat(weights.values()),
                        y=y, h_n=h_n[None], c_n=c_n[None],
                        **{"grad.x": x.grad, "grad.h0": h0.grad, "grad.c0": c0.grad,
                           "grad.params": flat([p.grad for p in params.values()])})

        return compute

    cases = {"plain": one(0), "projected": one(3)}

    def compute(dtype):
        return {f"{key}.{case}": value for case, each in cases.items()
                for key, value in each(dtype).items()}

    write_case(name, seed, {"cell": "lstm", "input_size": input_size, "hidden_size": hidden,
                            "proj_size": 3, "cases": list(cases)}, compute)


# ---- packed batches -----------------------------------------------------------------------------

LENGTHS = [20, 18, 18, 17, 15, 10, 8, 6, 6, 5]
VOCABULARY, EMBEDDING, WIDE = 100, 256, 512
STRIDE = 61  # every so many features of outputs and states are stored


def made_up(seed, count):
    """The numbers in [-1, 1) of tests/support/contexts.c."""
    mask = (1 << 64) - 1
    with np.errstate(over="ignore"):
        i = np.arange(1, count + 1, dtype=np.uint64)
        x = np.uint64(((seed + 1) * 0x9e3779b97f4a7c15) & mask) ^ i * np.uint64(0xd1342543de82ef95)
        for _ in range(2):
            x = (x ^ x >> np.uint64(32)) * np.uint64(0xd6e8feb86659fd93)
    return ((x >> np.uint64(41)).astype(np.float32) * np.float32(2.0 ** -22) - np.float32(1)
            ).astype(np.float32)


def packed(name):
    ids = torch.zeros(len(LENGTHS), LENGTHS[0], dtype=torch.int64)
    for b, n in enumerate(LENGTHS):  # 1 to 99; 0 is the padding
        ids[b, :n] = torch.tensor([(b * 37 + t * t * 11 + t * 5) % 99 + 1 for t in range(n)])

    def digest(prefix, value):
        value = value.detach()
        return {f"{prefix}": value[..., ::STRIDE], f"sum.{prefix}": value.double().abs().sum()}

    def one(cell, layers, both, use_pack, dtype):
        options = {"input_size": EMBEDDING, "hidden_size": WIDE, "num_layers": layers,
                   "bidirectional": both}
        module = make_module(cell, **options).to(dtype)
        table = torch.tensor(made_up(0, VOCABULARY * EMBEDDING) * np.float32(2), dtype=dtype)
        with torch.no_grad():
            for k, p in enumerate(module.parameters()):
                p.copy_(torch.tensor(made_up(k + 1, p.numel()) * np.float32(0.0625),
                                     dtype=dtype).reshape(p.shape))
            x = table.reshape(VOCABULARY, EMBEDDING)[ids.T]  # (20, 10, 256)
            if use_pack:
                y, last = module(pack_padded_sequence(x, LENGTHS))
                y, lengths = pad_packed_sequence(y)
                assert lengths.tolist() == LENGTHS
            else:
                y, last = module(x)
        out = digest("y", y)
        h_n, c_n = last if cell == "lstm" else (last, None)
        out.update(digest("h_n", h_n))
        if c_n is not None:
            out.update(digest("c_n", c_n))
        assert y.shape == (20, 10, WIDE * (2 if both else 1)), y.shape
        assert h_n.shape == (layers * (2 if both else 1), 10, WIDE), h_n.shape
        return out

    cases = {f"{cell}_{layers}{'both' if both else 'one'}_{'packed' if p else 'whole'}":
             (cell, layers, both, p)
             for cell in ("lstm", "gru") for layers, both in ((1, False), (2, True))
             for p in (True, False)}

    def compute(dtype):
        out = {f"{key}.{case}": value for case, options in cases.items()
               for key, value in one(*options, dtype).items()}
        return dict(out, ids=ids, lengths=torch.tensor(LENGTHS))

    write_case(name, 0, {"vocabulary": VOCABULARY, "embedding": EMBEDDING, "hidden_size": WIDE,
                         "stride": STRIDE, "cases": list(cases)}, compute)


def main():
    family("rnn_tanh", 51, "rnn_tanh")
    family("rnn_relu", 52, "rnn_relu")
    family("rnn_lstm", 53, "lstm")
    family("rnn_lstm_projected", 54, "lstm", proj=True)
    family("rnn_gru", 55, "gru")
    by_hand("rnn_lstm_by_hand", 56)
    packed("rnn_packed")


if __name__ == "__main__":
    main()
