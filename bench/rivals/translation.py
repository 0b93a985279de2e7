"""Translators in PyTorch, as bench/translation.c has them: one step over one batch, forward, cross-entropy,
backward, clipping to norm 1, Adam.

Variants: `module`, nn.Transformer as it stands; `written`, the same layers written out over one product
for q, k and v and scaled_dot_product_attention, logits of true positions alone; compile-... of either.
Recurrent models have nn.GRU (`module`, compile-module)."""
import math

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence

import serve


def positions(steps, width):
    at = torch.arange(steps)[:, None] / torch.pow(10000, torch.arange(0, width, 2) / width)
    return torch.stack((at.sin(), at.cos()), 2).flatten(1)


class Attention(nn.Module):
    def __init__(self, width, heads, crossed=False):
        super().__init__()
        self.heads, self.crossed = heads, crossed
        self.q = nn.Linear(width, width) if crossed else None
        self.kv = nn.Linear(width, (2 if crossed else 3) * width)
        self.out = nn.Linear(width, width)

    def split(self, x, parts):
        return (p.transpose(1, 2) for p in x.unflatten(-1, (parts, self.heads, -1)).unbind(2))

    def forward(self, x, memory=None, mask=None, causal=False):
        if self.crossed:
            q, (k, v) = next(self.split(self.q(x), 1)), self.split(self.kv(memory), 2)
        else:
            q, k, v = self.split(self.kv(x), 3)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return self.out(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, width, heads, ffn, decodes):
        super().__init__()
        self.own = Attention(width, heads)
        self.other = Attention(width, heads, True) if decodes else None
        self.inner, self.outer = nn.Linear(width, ffn), nn.Linear(ffn, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if decodes else 2))

    def forward(self, x, memory=None, mask=None):
        x = self.norms[0](x + (self.own(x, mask=mask) if memory is None
                               else self.own(x, causal=True)))
        if memory is not None:
            x = self.norms[1](x + self.other(x, memory, mask))
        return self.norms[-1](x + self.outer(F.relu(self.inner(x))))


class Transformer(nn.Module):
    def __init__(self, words, written):
        super().__init__()
        width, layers = words.number("hidden", 256), words.number("layers", 3)
        heads, ffn = words.number("heads", 4), words.number("ffn") or 4 * width
        vocabulary, self.written = words.number("vocabulary", 8000), written
        self.sources, self.targets = nn.Embedding(vocabulary, width), nn.Embedding(vocabulary, width)
        self.output = nn.Linear(width, vocabulary)
        self.register_buffer("positions", positions(1000, width))
        if written:
            self.encoder = nn.ModuleList(Layer(width, heads, ffn, False) for _ in range(layers))
            self.decoder = nn.ModuleList(Layer(width, heads, ffn, True) for _ in range(layers))
            self.norms = nn.ModuleList((nn.LayerNorm(width), nn.LayerNorm(width)))
        else:
            self.body = nn.Transformer(width, heads, layers, layers, ffn, 0.0, batch_first=True)

    def embed(self, table, ids):
        return table(ids) * math.sqrt(table.embedding_dim) + self.positions[:ids.shape[1]]

    def loss(self, batch):
        x, y = self.embed(self.sources, batch["sources"]), self.embed(self.targets, batch["inputs"])
        padding = batch["padding"]
        if self.written:
            mask = None if padding is None else ~padding[:, None, None]
            for layer in self.encoder:
                x = layer(x, mask=mask)
            x = self.norms[0](x)
            for layer in self.decoder:
                y = layer(y, x, mask)
            y = self.norms[1](y).flatten(0, 1)[batch["places"]]
        else:
            y = self.body(x, y, tgt_mask=batch["causal"], tgt_is_causal=True,
                          src_key_padding_mask=padding, memory_key_padding_mask=padding)
            y = y.flatten(0, 1)[batch["places"]]
        return F.cross_entropy(self.output(y), batch["targets"])


class Recurrent(nn.Module):
    """GRU encoder-decoder, without attention or with the additive one of Bahdanau et al."""

    def __init__(self, words):
        super().__init__()
        width, layers = words.number("hidden", 32), words.number("layers", 2)
        embed, vocabulary = words.number("embed", 32), words.number("vocabulary", 200)
        self.attends = words.get("model") == "bahdanau"
        self.sources, self.targets = nn.Embedding(vocabulary, embed), nn.Embedding(vocabulary, embed)
        self.encoder = nn.GRU(embed, width, layers)
        self.decoder = nn.GRU(embed + width, width, layers)
        self.output = nn.Linear(width, vocabulary)
        if self.attends:
            self.queries, self.keys = (nn.Linear(width, width, bias=False) for _ in range(2))
            self.score = nn.Linear(width, 1, bias=False)

    def loss(self, batch):
        x = self.sources(batch["sources"].t())
        y, inputs = None, self.targets(batch["inputs"].t())
        if batch["padding"] is None:
            y, state = self.encoder(x)
        else:
            packed, state = self.encoder(pack_padded_sequence(x, batch["lengths"],
                                                              enforce_sorted=False))
            y = nn.utils.rnn.pad_packed_sequence(packed)[0]
        if not self.attends:
            context = state[-1].expand(len(inputs), -1, -1)
            out = self.decoder(torch.cat((context, inputs), 2), state)[0]
        else:
            y = y.transpose(0, 1)
            keys, outs = self.keys(y), []
            for step in inputs:
                scores = self.score(torch.tanh(self.queries(state[-1])[:, None] + keys)).squeeze(2)
                if batch["padding"] is not None:
                    scores = scores.masked_fill(batch["padding"], -torch.inf)
                context = torch.bmm(scores.softmax(1)[:, None], y)[:, 0]
                o, state = self.decoder(torch.cat((context, step), 1)[None], state)
                outs.append(o)
            out = torch.cat(outs)
        out = out.transpose(0, 1).flatten(0, 1)[batch["places"]]
        return F.cross_entropy(self.output(out), batch["targets"])


def batch_of(words):
    """Lengths as write_pairs has them, an end symbol on both sides."""
    sources = [n + 1 for n in serve.lengths(words)]
    targets, longest = sources[::-1], max(sources)
    ids = torch.randint(3, words.number("vocabulary", 8000), (2, len(sources), longest))
    padding = torch.arange(longest) >= torch.tensor(sources)[:, None]
    places = torch.cat([b * longest + torch.arange(n) for b, n in enumerate(targets)])
    return {"sources": ids[0], "inputs": ids[1], "lengths": torch.tensor(sources), "places": places,
            "targets": torch.randint(3, words.number("vocabulary", 8000), (len(places),)),
            "padding": padding if words.number("ragged") else None,
            "causal": nn.Transformer.generate_square_subsequent_mask(longest)}


def translation(words):
    """translation model= hidden= layers= [heads=] [ffn=] vocabulary= batch= steps= [ragged=1]"""
    variant = words.get("variant", "written")
    base = variant.removeprefix("compile-")
    if words.get("model", "transformer") == "transformer":
        model = Transformer(words, base == "written")
    elif base == "module":
        model = Recurrent(words)
    else:
        raise serve.Refused("there is no such variant")
    parameters, batch = list(model.parameters()), batch_of(words)
    adam, loss = torch.optim.Adam(parameters, lr=1e-4, fused=True), model.loss
    if variant != base:
        torch._dynamo.config.allow_rnn = True
        loss = torch.compile(loss, dynamic=False)

    def run():
        adam.zero_grad(set_to_none=True)
        loss(batch).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        adam.step()
    return run
