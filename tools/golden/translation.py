#!/usr/bin/env python3
"""Golden cases of the translators: of the recurrent ones logits, loss, gradients, three steps of Adam; of all the
losses of 100 steps at two rates, in float64, beside which stands how far PyTorch's own float32 is from them."""
import json
import math
import os

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import FOLDER, seeded, write_case, write_safetensors

SOURCE, TARGET, EMBED, HIDDEN = 13, 11, 6, 8
BOS, EOS, RESERVED = 1, 2, 3
SOURCE_LENGTHS, TARGET_LENGTHS = [3, 6, 1, 4, 6, 2], [2, 1, 5, 4, 3, 4]
LR, EPS, CLIP, STEPS = 1e-2, 1e-4, 1.0, 3


def stack(cell, inputs, hidden, layers, bidirectional=False):
    modules = {"gru": nn.GRU, "lstm": nn.LSTM}
    return modules[cell](inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)


class Attention(nn.Module):
    """Dive into Deep Learning's additive attention; masked scores have no weight."""

    def __init__(self, width):
        super().__init__()
        self.W_q = nn.Linear(width, width, bias=False)
        self.W_k = nn.Linear(width, width, bias=False)
        self.w_v = nn.Linear(width, 1, bias=False)

    def forward(self, query, keys, mask):
        scores = self.w_v(torch.tanh(self.W_q(query)[:, None] + self.W_k(keys))).squeeze(-1)
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        return (weights[:, :, None] * keys).sum(1)


class Translator(nn.Module):
    def __init__(self, model, cell="gru", layers=2, directions="no", embed=EMBED, hidden=HIDDEN,
                 source=SOURCE, target=TARGET):
        super().__init__()
        width = 2 * hidden if directions == "concat" else hidden
        self.layers, self.directions, self.cell = layers, directions, cell
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.embed = nn.Embedding(source, embed)
        self.encoder.add_module(cell, stack(cell, embed, hidden, layers, directions != "no"))
        self.decoder.embed = nn.Embedding(target, embed)
        self.decoder.add_module(cell, stack(cell, embed + width, width, layers))
        self.decoder.fc = nn.Linear(width, target)
        if model == "bahdanau":
            self.decoder.attention = Attention(width)

    def join(self, states):
        if self.directions == "no":
            return states
        pairs = states.view(self.layers, 2, *states.shape[1:])
        if self.directions == "average":
            return pairs.mean(1)
        return torch.cat([pairs[:, 0], pairs[:, 1]], -1)

    def forward(self, sources, source_lengths, inputs):
        packed = pack_padded_sequence(self.encoder.embed(sources), source_lengths, batch_first=True,
                                      enforce_sorted=False)
        y, state = getattr(self.encoder, self.cell)(packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=sources.shape[1])
        if self.directions == "average":
            y = y.view(*y.shape[:2], 2, -1).mean(2)
        state = tuple(self.join(s) for s in state) if self.cell == "lstm" else self.join(state)
        state = tuple(s.contiguous() for s in state) if self.cell == "lstm" else state.contiguous()
        rnn, x = getattr(self.decoder, self.cell), self.decoder.embed(inputs)
        top = (state[0] if self.cell == "lstm" else state)[-1]
        if not hasattr(self.decoder, "attention"):
            context = top[:, None].expand(-1, x.shape[1], -1)
            return self.decoder.fc(rnn(torch.cat([x, context], -1), state)[0])
        mask = torch.arange(sources.shape[1])[None] < torch.tensor(source_lengths)[:, None]
        outputs = []
        for t in range(x.shape[1]):
            query = (state[0] if self.cell == "lstm" else state)[-1]
            context = self.decoder.attention(query, y, mask)
            out, state = rnn(torch.cat([context, x[:, t]], -1)[:, None], state)
            outputs.append(out)
        return self.decoder.fc(torch.cat(outputs, 1))


def sines(steps, d, dtype):
    """Vaswani et al. 2017, section 3.5."""
    position = torch.arange(steps, dtype=torch.float64)[:, None]
    angle = position * torch.exp(-math.log(10000.0) * torch.arange(0, d, 2, dtype=torch.float64) / d)
    out = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :d]
    return out.float().to(dtype)  # what the library has: float32 numbers


class Transformer(nn.Module):
    """nn.Transformer over two embeddings with sines."""

    def __init__(self, model, embed, hidden, source, target, heads, ffn, layers):
        super().__init__()
        del model, embed  # embeddings are as wide as the layers
        body = nn.Transformer(hidden, heads, layers, layers, ffn, 0.0, batch_first=True)
        self.encoder, self.decoder, self.width = body.encoder, body.decoder, hidden
        self.encoder.embed = nn.Embedding(source, hidden)
        self.decoder.embed = nn.Embedding(target, hidden)
        self.decoder.fc = nn.Linear(hidden, target)
        for e in (self.encoder.embed, self.decoder.embed):
            e.weight.data *= hidden ** -0.5

    def place(self, table, ids):
        return math.sqrt(self.width) * table(ids) + sines(ids.shape[1], self.width, table.weight.dtype)

    def forward(self, sources, source_lengths, inputs):
        behind = torch.arange(sources.shape[1])[None] >= torch.tensor(source_lengths)[:, None]
        memory = self.encoder(self.place(self.encoder.embed, sources), src_key_padding_mask=behind)
        ahead = torch.ones(inputs.shape[1], inputs.shape[1], dtype=torch.bool).triu(1)
        y = self.decoder(self.place(self.decoder.embed, inputs), memory, tgt_mask=ahead,
                         memory_key_padding_mask=behind)
        return self.decoder.fc(y)


def batch(g, source=SOURCE, target=TARGET, source_lengths=SOURCE_LENGTHS,
          target_lengths=TARGET_LENGTHS):
    """Sentences without marks, and what the model reads and is to write."""
    sentences, translations = [], []
    for n, m in zip(source_lengths, target_lengths):
        sentences.append(torch.randint(RESERVED, source, (n,), generator=g))
        translations.append(torch.randint(RESERVED, target, (m,), generator=g))
    pad = nn.utils.rnn.pad_sequence
    one = lambda i: torch.tensor([i])
    return {"sentences": pad(sentences, batch_first=True),
            "translations": pad(translations, batch_first=True),
            "sources": pad([torch.cat([s, one(EOS)]) for s in sentences], batch_first=True),
            "inputs": pad([torch.cat([one(BOS), t]) for t in translations], batch_first=True),
            "targets": pad([torch.cat([t, one(EOS)]) for t in translations], batch_first=True,
                           padding_value=-100),
            "source_lengths": source_lengths, "target_lengths": target_lengths}


def loss_of(model, b):
    logits = model(b["sources"], [n + 1 for n in b["source_lengths"]], b["inputs"])
    return logits, nn.functional.cross_entropy(logits.flatten(0, 1), b["targets"].flatten())


def train(model, b, lr, steps, on_first=None, eps=1e-8):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, eps=eps)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        logits, loss = loss_of(model, b)
        loss.backward()
        if step == 0 and on_first:
            on_first(logits, loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def stored(b):
    return {"sentences": b["sentences"], "translations": b["translations"],
            "source_lengths": torch.tensor(b["source_lengths"]),
            "target_lengths": torch.tensor(b["target_lengths"])}


def case(name, seed, **options):
    g = seeded(seed)
    weights = {n: p.detach().clone() * (4 if "attention" in n else 1)  # sharper than fresh ones
               for n, p in Translator(**options).named_parameters()}
    b = batch(g)
    valid = (b["targets"] >= 0)[:, :, None]

    def compute(dtype):
        model = Translator(**options).to(dtype)
        model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        out = dict(stored(b), **weights)

        def first(logits, loss):
            out.update(logits=(logits * valid).detach(), loss=loss.detach())
            out.update({"grad." + n: p.grad.clone() for n, p in model.named_parameters()})
        out["losses"] = train(model, b, LR, STEPS, first, EPS)
        out.update({"after." + n: p.detach() for n, p in model.named_parameters()})
        return out

    write_case(name, seed, dict({"lr": LR, "eps": EPS, "clip": CLIP, "steps": STEPS}, **options), compute)


def trajectory(name, seed, make, small, **more):
    """32 pairs as one batch, sizes of the book, 100 steps at a small rate and at the book's 5e-3."""
    g = seeded(seed)
    sizes = dict({"embed": 32, "hidden": 32, "source": 40, "target": 50}, **more)
    weights = {n: p.detach().clone() for n, p in make(**sizes).named_parameters()}
    lengths = [torch.randint(1, 8, (32,), generator=g).tolist() for _ in range(2)]
    b = batch(g, 40, 50, *lengths)
    out = dict(stored(b), **weights)
    for key, lr in (("small", small), ("book", 5e-3)):
        losses = []
        for dtype in (torch.float64, torch.float32):
            m = make(**sizes).to(dtype)
            m.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
            losses.append(train(m, b, lr, 100).double())
        out["losses." + key] = losses[0]
        out["float32." + key] = (losses[1] - losses[0]).abs() / losses[0]
        print(f"{name}: {key}: float32 differs by {out['float32.' + key].max():.1e}")
    write_safetensors(os.path.join(FOLDER, name + ".safetensors"), out, {
        "torch": torch.__version__.split("+")[0], "seed": seed, "case": name,
        "computed": "float64, stored as float32",
        "config": json.dumps(dict(sizes, clip=CLIP), sort_keys=True)})


def main():
    torch.set_num_threads(1)  # small products: more threads wait for each other
    case("translation_rnn", 71, model="rnn")
    case("translation_rnn_lstm", 72, model="rnn", cell="lstm", layers=1, directions="average")
    case("translation_bahdanau", 73, model="bahdanau")
    case("translation_bahdanau_concat", 74, model="bahdanau", layers=1, directions="concat")
    case("translation_bahdanau_lstm", 75, model="bahdanau", cell="lstm", layers=2,
         directions="average")
    trajectory("translation_path_rnn", 76, Translator, 5e-4, model="rnn")
    trajectory("translation_path_bahdanau", 77, Translator, 5e-4, model="bahdanau")
    trajectory("translation_path_transformer", 78, Transformer, 1e-4, model="transformer", heads=4,
               ffn=64, layers=2)


if __name__ == "__main__":
    main()
