"""Texts that BERT's rivals get, as arrays."""
import numpy as np


def sizes_of(words):
    """hidden, layers, heads, ffn."""
    return tuple(words.number(k, o) for k, o in
                 (("hidden", 768), ("layers", 12), ("heads", 12), ("ffn", 3072)))


def lengths(words):
    """As bench_spread in bench/common/serve.c."""
    batch, shortest = words.number("batch", 1), words.number("shortest", 128)
    longest = words.number("longest", shortest)
    if batch == 1:
        return [longest]
    steps = batch - 1
    return [shortest + (2 * ((7 * b + 3) % batch) * (longest - shortest) + steps) // (2 * steps)
            for b in range(batch)]


def padded(each):
    """ids and mask (texts, longest) of texts of such lengths."""
    mask = (np.arange(max(each)) < np.array(each)[:, None]).astype(np.int64)
    return np.full_like(mask, 7) * mask, mask


def pairs(words):
    """Pairs of texts as bench/bert_pretraining.c makes them: ids, segments and whether a piece is there (batch,
    steps); rows and targets of the masked pieces; whether the second text follows."""
    batch, steps = words.number("batch", 512), words.number("steps", 64)
    each = [5 + i * 193 % batch * (steps - 4) // batch for i in range(batch)] if words.number("ragged") \
        else [steps] * batch
    ids = np.random.default_rng(1).integers(5, words.number("vocabulary", 20256), (batch, steps))
    segments, rows = np.zeros_like(ids), []
    for i, n in enumerate(each):
        first, masks = (n - 3) // 2, max(1, int(0.15 * n + 0.5))
        segments[i, first + 2:n] = 1
        for k in range(masks):
            at = 1 + k * (n - 3) // masks
            rows.append(i * steps + at + (at > first))
    rows = np.array(rows)
    targets = ids.reshape(-1)[rows]
    ids.reshape(-1)[rows] = 4
    return {"ids": ids, "segments": segments, "there": np.arange(steps) < np.array(each)[:, None],
            "rows": rows, "targets": targets, "follows": np.arange(batch) % 2}
