#!/usr/bin/env python3
"""PyTorch as a contestant: the works of bench/rows.py, each in several variants (`variant=`), of which
the runner takes the fastest. See bench/README.md for what was tried."""
import serve
serve.keep_memory()

import itertools

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence

import date_epoch
from bert import bert
from serve import Refused
from bert_pretraining import bert_pretraining
from transformer_lm import transformer_lm
from translation import translation

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def rnn_of(words, input_size, **options):
    cell, proj = CELLS.get(words.get("cell", "lstm")), words.number("proj")
    if not cell or (proj and cell is not nn.LSTM):
        raise Refused("PyTorch has no such cell")
    if proj:
        options["proj_size"] = proj
    return cell(input_size, words.number("hidden", 256), **options)


def choose_onednn(words):
    """A function that keeps nn.LSTM on PyTorch's own loop over MKL's products, where the variant says
    so: what the context torch.backends.mkldnn.flags does, at a fraction of its cost."""
    use, choose = not words.get("variant", "").startswith("mkl"), torch._C._set_mkldnn_enabled
    return lambda: choose(use)


def layer(words):
    """layer cell= hidden= [input=] [proj=] batch= steps= [ragged=1] [backward=1]; variants: time
    first, batch first, packed, each on oneDNN or (mkl-...) not; compile."""
    hidden, batch = words.number("hidden", 256), words.number("batch", 32)
    steps, features = words.number("steps", 35), words.number("input", hidden)
    variant = words.get("variant", "time").removeprefix("mkl-")
    batch_first, backward = variant == "batch", words.number("backward") == 1
    rnn = rnn_of(words, features, batch_first=batch_first)
    long_first = sorted(serve.lengths(words), reverse=True)
    x = torch.rand((batch, steps, features) if batch_first else (steps, batch, features)) * 2 - 1
    if variant == "packed":
        x = pack_padded_sequence(x, torch.tensor(long_first))
    rows = x.data
    rows.requires_grad_(backward)
    dy = torch.rand(rows.shape[:-1] + (words.number("proj") or hidden,)) * 2 - 1
    onednn, call = choose_onednn(words), rnn
    if variant == "compile":  # the recurrence unrolled
        torch._dynamo.config.allow_rnn = True
        call = torch.compile(rnn, dynamic=False)

    def run():
        onednn()
        with torch.inference_mode(not backward):
            y, _ = call(x)
            if backward:
                rows.grad = None
                rnn.zero_grad(set_to_none=True)
                (y.data if variant == "packed" else y).backward(dy)
    return run


class Attention(nn.Module):
    """nn.MultiheadAttention's computation for one sequence batch, without what it does for options."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.inputs, self.output = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, mask=None, causal=False):
        parts = self.inputs(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        q, k, v = (p.transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return self.output(y.transpose(1, 2).flatten(2))

    def by_sequence(self, x, lengths, causal=False):
        """Rows of all sequences, without padding."""
        y = []
        for rows in self.inputs(x).split(lengths):
            q, k, v = rows.unflatten(-1, (3, self.heads, -1)).permute(1, 2, 0, 3).unsqueeze(1)
            y.append(F.scaled_dot_product_attention(q, k, v, is_causal=causal)[0].transpose(0, 1))
        return self.output(torch.cat(y).flatten(1))


def attention(words):
    """attention dim= heads= batch= steps= [ragged=1] [causal=1] [backward=1]; variants: module,
    sdpa (written out), rows (without padding, sequence by sequence), each compiled with compile-."""
    dim, heads, batch = words.number("dim", 256), words.number("heads", 4), words.number("batch", 32)
    steps, backward = words.number("steps", 32), words.number("backward") == 1
    causal, compiled = words.number("causal") == 1, words.get("variant", "").startswith("compile-")
    variant = words.get("variant", "sdpa").removeprefix("compile-")
    ragged = words.number("ragged") == 1
    lengths = torch.tensor(serve.lengths(words))
    padding = torch.arange(steps)[None] >= lengths[:, None]  # true beyond the end
    x = torch.rand(batch, steps, dim) * 2 - 1
    if variant == "module":
        module = nn.MultiheadAttention(dim, heads, batch_first=True).train(backward)
        mask = nn.Transformer.generate_square_subsequent_mask(steps) if causal else None

        def call(x):
            return module(x, x, x, key_padding_mask=padding if ragged else None, attn_mask=mask,
                          is_causal=causal, need_weights=False)[0]
    elif variant == "sdpa":
        module = Attention(dim, heads)
        mask = ~padding[:, None, None] if ragged else None

        def call(x):
            return module(x, mask, causal)
    else:
        module = Attention(dim, heads)
        x = torch.rand(int(lengths.sum()), dim) * 2 - 1

        def call(x):
            return module.by_sequence(x, lengths.tolist(), causal)
    x.requires_grad_(backward)
    dy = torch.rand_like(x.detach())
    call = torch.compile(call, dynamic=False) if compiled else call

    def run():
        with torch.inference_mode(not backward):
            y = call(x)
            if backward:
                x.grad = None
                module.zero_grad(set_to_none=True)
                y.backward(dy)
    return run


class LanguageModel(nn.Module):
    def __init__(self, words, vocabulary, batch_first):
        super().__init__()
        self.register_buffer("one_hot", torch.eye(vocabulary))
        self.rnn = rnn_of(words, vocabulary, batch_first=batch_first)
        self.output = nn.Linear(words.number("hidden", 256), vocabulary)

    def loss(self, ids, targets):
        y, _ = self.rnn(F.embedding(ids, self.one_hot))
        return F.cross_entropy(self.output(y).flatten(0, 1), targets.flatten())


class NextWord(nn.Module):
    """TextLSTM of one layer."""

    def __init__(self, words, vocabulary, batch_first):
        super().__init__()
        hidden, self.last = words.number("hidden", 256), (slice(None), -1) if batch_first else -1
        self.embed = nn.Embedding(vocabulary, words.number("embed", hidden))
        self.rnn = rnn_of(words, self.embed.embedding_dim, batch_first=batch_first)
        self.output = nn.Linear(hidden, vocabulary)

    def loss(self, ids, targets):
        y, _ = self.rnn(self.embed(ids))
        return F.cross_entropy(self.output(y[self.last]), targets)


def steps_of(words, model, batches, optimizer):
    """A pass: forward, backward, clip, a step."""
    parameters = list(model.parameters())
    optimizer, turn, onednn = optimizer(parameters), itertools.cycle(batches), choose_onednn(words)

    def run():
        ids, targets = next(turn)
        onednn()
        optimizer.zero_grad(set_to_none=True)
        model.loss(ids, targets).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
    return run


def is_batch_first(words):
    return words.get("variant", "time").removeprefix("mkl-") == "batch"


def language_model(words):
    """language_model cell= hidden= vocabulary= batch= steps=: forward, backward, clip, SGD."""
    vocabulary, batch = words.number("vocabulary", 28), words.number("batch", 32)
    batch_first = is_batch_first(words)
    text = torch.randint(vocabulary, (8, batch, words.number("steps", 35) + 1))
    batches = [(t[:, :-1].contiguous(), t[:, 1:].contiguous()) if batch_first
               else (t.t()[:-1].contiguous(), t.t()[1:].contiguous()) for t in text]
    return steps_of(words, LanguageModel(words, vocabulary, batch_first), batches,
                    lambda p: torch.optim.SGD(p, lr=0.01, fused=True))


def text_lstm(words):
    """text_lstm hidden= [embed=] vocabulary= batch= context=: forward, backward, clip, Adam."""
    vocabulary, batch = words.number("vocabulary", 7000), words.number("batch", 128)
    batch_first, context = is_batch_first(words), words.number("context", 5)
    text = torch.randint(vocabulary, (8, batch, context + 1))
    batches = [((t[:, :-1] if batch_first else t[:, :-1].t()).contiguous(), t[:, -1].contiguous()) for t in text]
    return steps_of(words, NextWord(words, vocabulary, batch_first), batches,
                    lambda p: torch.optim.Adam(p, lr=1e-4, fused=True))


def stream(words):
    """stream cell= hidden= [input=]: one step, the state carried; variants: the layer (time,
    mkl-time), the single cell (cell), the same traced (trace)."""
    hidden = words.number("hidden", 256)
    features, variant = words.number("input", hidden), words.get("variant", "time")
    lstm = words.get("cell", "lstm") == "lstm"
    single = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
    if variant in ("cell", "trace"):
        step = single[words.get("cell", "lstm")](features, hidden).requires_grad_(False)
        x, h = torch.rand(1, features), torch.zeros(1, hidden)
    else:
        layer_ = rnn_of(words, features)
        x, h = torch.rand(1, 1, features), torch.zeros(1, 1, hidden)

        def step(inputs, state):
            return layer_(inputs, state)[1]
    state = (h, h.clone()) if lstm else h
    if variant == "trace":
        step = torch.jit.trace(step, (x, state))
    onednn = choose_onednn(words)

    def run():
        nonlocal state
        onednn()
        with torch.inference_mode():
            state = step(x, state)
    return run


def product(words):
    """product m= n= k=: variants: weights as (N, K) (mm-rows) or as (K, N) (mm-columns)."""
    m, n, k = words.number("m"), words.number("n"), words.number("k")
    a, c = torch.rand(m, k), torch.empty(m, n)
    b = torch.rand(n, k).t() if words.get("variant") == "mm-rows" else torch.rand(k, n)

    def run():
        with torch.inference_mode():
            torch.mm(a, b, out=c)
    return run


def date(words):
    """date data= [part=]: date_epoch.py's trainer; variants: batch, time."""
    options = date_epoch.arguments(
        [words.get("data"), "--threads", str(torch.get_num_threads()),
         "--batch-first" if words.get("variant", "batch") == "batch" else "--no-batch-first"])
    return date_epoch.Trainer(options).run_part(words.number("part", 1))


def main():
    args = serve.arguments(__doc__)
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    serve.serve(args, "PyTorch " + torch.__version__.split("+")[0],
                {"layer": layer, "language_model": language_model, "text_lstm": text_lstm, "stream": stream,
                 "product": product, "date": date, "attention": attention,
                 "translation": translation, "transformer_lm": transformer_lm,
                 "bert_pretraining": bert_pretraining, "bert": bert})


if __name__ == "__main__":
    main()
