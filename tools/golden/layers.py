#!/usr/bin/env python3
"""Golden cases of single layers: LSTM, linear, embedding, cross-entropy, dot-product attention."""
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import leaf, seeded, write_case


def valid(lengths, steps):
    """(B, steps), true where a position is inside its sequence."""
    return torch.arange(steps)[None, :] < torch.as_tensor(lengths)[:, None]


def lstm_case(name, seed, lengths, input_size, hidden_size):
    g = seeded(seed)
    batch, steps = len(lengths), max(lengths)
    ragged = min(lengths) != steps
    module = torch.nn.LSTM(input_size, hidden_size, batch_first=True)
    weights = {n: p.detach().clone() for n, p in module.named_parameters()}
    mask = valid(lengths, steps)[:, :, None]
    fixed = {
        "x": torch.randn(batch, steps, input_size, generator=g) * mask,
        "h0": torch.randn(batch, hidden_size, generator=g) * 0.5,
        "c0": torch.randn(batch, hidden_size, generator=g),
        "wy": torch.randn(batch, steps, hidden_size, generator=g) * mask,
        "wh": torch.randn(batch, hidden_size, generator=g),
        "wc": torch.randn(batch, hidden_size, generator=g),
    }

    def compute(dtype):
        lstm = torch.nn.LSTM(input_size, hidden_size, batch_first=True).to(dtype)
        lstm.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        x, h0, c0 = (leaf(fixed[n], dtype) for n in ("x", "h0", "c0"))
        wy, wh, wc = (fixed[n].to(dtype) for n in ("wy", "wh", "wc"))
        if ragged:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, (h_n, c_n) = lstm(packed, (h0[None], c0[None]))
            y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
        else:
            y, (h_n, c_n) = lstm(x, (h0[None], c0[None]))
        h_n, c_n = h_n[0], c_n[0]
        loss = (y * wy).sum() + (h_n * wh).sum() + (c_n * wc).sum()
        loss.backward()
        out = dict(fixed, **weights, lengths=torch.tensor(lengths), y=y, h_n=h_n, c_n=c_n)
        out.update({"grad.x": x.grad, "grad.h0": h0.grad, "grad.c0": c0.grad})
        out.update({"grad." + n: p.grad for n, p in lstm.named_parameters()})
        return out

    write_case(name, seed, {"lengths": lengths if ragged else [steps] * batch,
                            "input_size": input_size, "hidden_size": hidden_size}, compute)


def linear_case(name, seed, rows, in_features, out_features, bias):
    g = seeded(seed)
    module = torch.nn.Linear(in_features, out_features, bias=bias)
    weights = {n: p.detach().clone() for n, p in module.named_parameters()}
    x0 = torch.randn(rows, in_features, generator=g)
    wy0 = torch.randn(rows, out_features, generator=g)

    def compute(dtype):
        x = leaf(x0, dtype)
        params = {n: leaf(w, dtype) for n, w in weights.items()}
        y = F.linear(x, params["weight"], params.get("bias"))
        loss = (y * wy0.to(dtype)).sum()
        loss.backward()
        out = dict(weights, x=x0, wy=wy0, y=y)
        out["grad.x"] = x.grad
        out.update({"grad." + n: p.grad for n, p in params.items()})
        return out

    write_case(name, seed, {"rows": rows, "in_features": in_features,
                            "out_features": out_features, "bias": bias}, compute)


def embedding_case(name, seed):
    g = seeded(seed)
    weight0 = torch.randn(13, 5, generator=g)
    ids = torch.randint(0, 11, (4, 6), generator=g)  # rows 11 and 12 are never used
    ids[1] = ids[0]  # and some are used often
    wy0 = torch.randn(4, 6, 5, generator=g)

    def compute(dtype):
        weight = leaf(weight0, dtype)
        y = F.embedding(ids, weight)
        loss = (y * wy0.to(dtype)).sum()
        loss.backward()
        return {"ids": ids, "weight": weight0, "wy": wy0, "y": y, "grad.weight": weight.grad}

    write_case(name, seed, {"num_embeddings": 13, "embedding_dim": 5}, compute)


def cross_entropy_case(name, seed):
    g = seeded(seed)
    rows, classes = 19, 21
    logits0 = torch.randn(rows, classes, generator=g) * 2
    logits0[3] *= 30      # one class takes everything
    logits0[4] += 500     # exp of it overflows
    logits0[5] = 0.25     # all equal
    targets = torch.randint(0, classes, (rows,), generator=g)
    targets[[0, 7, 8, 18]] = -100

    def compute(dtype):
        logits = leaf(logits0, dtype)
        loss = F.cross_entropy(logits, targets, ignore_index=-100)
        loss.backward()
        return {"logits": logits0, "targets": targets, "loss": loss,
                "losses": F.cross_entropy(logits, targets, ignore_index=-100, reduction="none"),
                "loss_sum": F.cross_entropy(logits, targets, ignore_index=-100, reduction="sum"),
                "grad.logits": logits.grad}

    write_case(name, seed, {"rows": rows, "classes": classes, "ignore_index": -100}, compute)


def masked_softmax(scores, mask):
    """Softmax over the last axis where mask is true; a row with no valid entry gives zeros."""
    some = mask.any(-1, keepdim=True)
    scores = scores.masked_fill(~mask, float("-inf")).masked_fill(~some, 0.0)
    return scores.softmax(-1).masked_fill(~mask, 0.0)


def attention_case(name, seed, query_lengths, key_lengths, width, value_width):
    """weights = softmax(q k^T), context = weights v; nothing scaled."""
    g = seeded(seed)
    batch, tq, tk = len(query_lengths), max(query_lengths), max(key_lengths)
    q_valid, k_valid = valid(query_lengths, tq), valid(key_lengths, tk)
    mask = q_valid[:, :, None] & k_valid[:, None, :]
    fixed = {
        "query": torch.randn(batch, tq, width, generator=g) * q_valid[:, :, None],
        "key": torch.randn(batch, tk, width, generator=g) * k_valid[:, :, None],
        "value": torch.randn(batch, tk, value_width, generator=g) * k_valid[:, :, None],
        "wy": torch.randn(batch, tq, value_width, generator=g) * q_valid[:, :, None],
    }

    def compute(dtype):
        q, k, v = (leaf(fixed[n], dtype) for n in ("query", "key", "value"))
        weights = masked_softmax(q @ k.transpose(1, 2), mask)
        context = weights @ v
        loss = (context * fixed["wy"].to(dtype)).sum()
        loss.backward()
        return dict(fixed, **{"query_lengths": torch.tensor(query_lengths),
                              "key_lengths": torch.tensor(key_lengths),
                              "weights": weights, "context": context,
                              "grad.query": q.grad, "grad.key": k.grad, "grad.value": v.grad})

    write_case(name, seed, {"query_lengths": query_lengths, "key_lengths": key_lengths,
                            "width": width, "value_width": value_width}, compute)


def attention_operations_case(name, seed):
    """The two halves on their own, for one query a sequence, and their composition."""
    g = seeded(seed)
    batch, length, width = 6, 9, 14
    fixed = {
        "hs": torch.randn(batch, length, width, generator=g),
        "p": torch.rand(batch, length, generator=g),
        "query": torch.randn(batch, width, generator=g),
        "w_sum": torch.randn(batch, width, generator=g),
        "w_weights": torch.randn(batch, length, generator=g),
        "w_context": torch.randn(batch, width, generator=g),
    }

    def weighted_sum(hs, p):
        return (p[:, None, :] @ hs)[:, 0]

    def weights_of(hs, query):
        return (hs @ query[:, :, None])[:, :, 0].softmax(-1)

    def compute(dtype):
        out = dict(fixed)

        def run(prefix, function, inputs, w):
            leaves = {n: leaf(fixed[n], dtype) for n in inputs}
            y = function(**leaves)
            (y * fixed[w].to(dtype)).sum().backward()
            out[prefix] = y
            out.update({f"grad.{prefix}.{n}": t.grad for n, t in leaves.items()})

        run("weighted_sum", weighted_sum, ("hs", "p"), "w_sum")
        run("weights", weights_of, ("hs", "query"), "w_weights")
        run("context", lambda hs, query: weighted_sum(hs, weights_of(hs, query)),
            ("hs", "query"), "w_context")
        return out

    write_case(name, seed, {"batch": batch, "length": length, "width": width}, compute)


def main():
    lstm_case("lstm_ragged", 1, [4, 7, 1, 7, 2], 6, 9)
    lstm_case("lstm_full", 2, [12] * 33, 16, 48)
    lstm_case("lstm_tiny", 3, [1], 1, 1)
    lstm_case("lstm_wide", 4, [6] * 7, 70, 130)
    linear_case("linear", 5, 37, 30, 41, True)
    linear_case("linear_no_bias", 6, 5, 17, 3, False)
    embedding_case("embedding", 7)
    cross_entropy_case("cross_entropy", 8)
    attention_case("attention_full", 9, [4] * 3, [6] * 3, 20, 20)
    attention_case("attention_ragged", 10, [3, 4, 2, 1, 4], [5, 3, 0, 1, 7], 11, 13)
    attention_operations_case("attention_operations", 11)


if __name__ == "__main__":
    main()
