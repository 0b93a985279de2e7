#!/usr/bin/env python3
"""JAX as a contestant: multi-head attention, the translators, the language models and BERT of
bench/*.c, each pass compiled as a whole by XLA: loss, gradients, clipping to norm 1, Adam or SGD, the old
parameters' memory given to the new ones. Ragged batches are padded and masked, logits computed of true
positions alone."""
import os

import serve

ARGUMENTS = serve.arguments(__doc__)
if ARGUMENTS.threads == 1 and hasattr(os, "sched_setaffinity"):  # XLA makes a thread for each CPU
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy

import texts

RANDOM = numpy.random.default_rng(1)


def matrix(*shape):
    bound = (6 / sum(shape[-2:])) ** 0.5
    return jnp.asarray(RANDOM.uniform(-bound, bound, shape), jnp.float32)


def linear(columns, rows, bias=True):
    return {"w": matrix(columns, rows), "b": jnp.zeros(rows)} if bias else {"w": matrix(columns, rows)}


def apply(p, x):
    return x @ p["w"] + p["b"] if "b" in p else x @ p["w"]


def norm(p, x):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p["g"] + p["b"]


def norms(count, width):
    return [{"g": jnp.ones(width), "b": jnp.zeros(width)} for _ in range(count)]


def cross_entropy(logits, targets):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], 1).mean()


# ---- attention and the Transformer ---------------------------------------------------------------


def attend(q, k, v, heads, mask):
    """(batch, steps, width) each; mask, broadcast to (batch, heads, queries, keys), says what is seen."""
    q, k, v = (x.reshape(*x.shape[:2], heads, -1) for x in (q, k, v))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = jnp.where(mask, scores, -1e30)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(*q.shape[:2], -1)


def attention_weights(width):
    return {"in": linear(width, 3 * width), "out": linear(width, width)}


def self_attention(p, x, heads, mask):
    return apply(p["out"], attend(*jnp.split(apply(p["in"], x), 3, -1), heads, mask))


def cross_attention(p, x, memory, heads, mask):
    width = x.shape[-1]
    w, b = p["in"]["w"], p["in"]["b"]
    k, v = jnp.split(memory @ w[:, width:] + b[width:], 2, -1)
    return apply(p["out"], attend(x @ w[:, :width] + b[:width], k, v, heads, mask))


def layer_weights(width, ffn, decodes=False):
    p = {"own": attention_weights(width), "inner": linear(width, ffn), "outer": linear(ffn, width),
         "norms": norms(3 if decodes else 2, width)}
    return p | {"other": attention_weights(width)} if decodes else p


def feed_forward(p, x, act=jax.nn.relu):
    return apply(p["outer"], act(apply(p["inner"], x)))


def post_norm_layer(p, x, heads, mask, memory=None, memory_mask=None, act=jax.nn.relu):
    x = norm(p["norms"][0], x + self_attention(p["own"], x, heads, mask))
    if memory is not None:
        x = norm(p["norms"][1], x + cross_attention(p["other"], x, memory, heads, memory_mask))
    return norm(p["norms"][-1], x + feed_forward(p, x, act))


def pre_norm_layer(p, x, heads, mask):
    x = x + self_attention(p["own"], norm(p["norms"][0], x), heads, mask)
    return x + feed_forward(p, norm(p["norms"][1], x))


def causal(steps):
    return jnp.tril(jnp.ones((steps, steps), bool))


def sines(steps, width):
    at = numpy.arange(steps)[:, None] / numpy.power(10000, numpy.arange(0, width, 2) / width)
    return jnp.asarray(numpy.stack((numpy.sin(at), numpy.cos(at)), 2).reshape(steps, -1), jnp.float32)


# ---- a training step -----------------------------------------------------------------------------


def clipped(g):
    """What makes a gradient's norm 1 at most."""
    size = jnp.sqrt(sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(g)))
    return jnp.minimum(1.0, 1.0 / (size + 1e-6))


def passes(step, state):
    """A function that goes a step on."""
    step = jax.jit(step, donate_argnums=0)

    def run():
        nonlocal state
        state = jax.block_until_ready(step(state))
    return run


def sgd(loss, parameters):
    def step(p):
        g = jax.grad(loss)(p)
        scale = 0.01 * clipped(g)
        return jax.tree.map(lambda x, y: x - scale * y, p, g)
    return passes(step, parameters)


def adam(loss, parameters, clip=True):
    zeros = jax.tree.map(jnp.zeros_like, parameters)

    def step(state):
        p, m, v, t = state
        g = jax.grad(loss)(p)
        scale, t = clipped(g) if clip else 1.0, t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * scale * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * jnp.square(scale * b), v, g)
        rate = 1e-4 * jnp.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
        p = jax.tree.map(lambda x, a, b: x - rate * a / (jnp.sqrt(b) + 1e-8), p, m, v)
        return p, m, v, t
    return passes(step, (parameters, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0)))


# ---- works ---------------------------------------------------------------------------------------


def attention(words):
    """attention dim= heads= batch= steps= [ragged=1] [causal=1] [backward=1]"""
    dim, heads, batch = words.number("dim", 256), words.number("heads", 4), words.number("batch", 32)
    steps, mask = words.number("steps", 32), None
    if words.number("ragged"):
        mask = jnp.asarray(numpy.arange(steps) < numpy.array(serve.lengths(words))[:, None])
        mask = mask[:, None, None]
    if words.number("causal"):
        mask = causal(steps) if mask is None else mask & causal(steps)
    p = attention_weights(dim)
    x, dy = (jnp.asarray(RANDOM.uniform(-1, 1, (batch, steps, dim)), jnp.float32) for _ in range(2))

    def forward(p, x):
        return self_attention(p, x, heads, mask)

    def backward(p, x, dy):
        y, back = jax.vjp(forward, p, x)
        return y, back(dy)

    if words.number("backward"):
        compiled, arguments = jax.jit(backward), (p, x, dy)
    else:
        compiled, arguments = jax.jit(forward), (p, x)
    return lambda: jax.block_until_ready(compiled(*arguments))


class Batch:
    """Lengths as bench/translation.c's write_pairs has them, an end symbol on both sides."""

    def __init__(self, words):
        self.sources = [n + 1 for n in serve.lengths(words)]
        targets, steps = self.sources[::-1], max(self.sources)
        shape = (len(targets), steps)
        vocabulary, ragged = words.number("vocabulary", 8000), words.number("ragged")
        self.source_ids, self.inputs = (RANDOM.integers(3, vocabulary, shape) for _ in range(2))
        self.targets = RANDOM.integers(3, vocabulary, sum(targets))
        self.places = numpy.concatenate([b * steps + numpy.arange(n) for b, n in enumerate(targets)])
        self.seen = numpy.arange(steps) < numpy.array(self.sources)[:, None] if ragged else None

    def rows(self, y):
        """The true ones of (batch, steps, width)."""
        y = y.reshape(-1, y.shape[-1])
        return y if self.seen is None else y[self.places]


def transformer(words, batch):
    width, layers = words.number("hidden", 256), words.number("layers", 3)
    heads, vocabulary = words.number("heads", 4), words.number("vocabulary", 8000)
    ffn, steps = words.number("ffn") or 4 * width, batch.inputs.shape[1]
    p = {"sources": matrix(vocabulary, width), "targets": matrix(vocabulary, width),
         "encoder": [layer_weights(width, ffn) for _ in range(layers)],
         "decoder": [layer_weights(width, ffn, True) for _ in range(layers)],
         "norms": norms(2, width), "output": linear(width, vocabulary)}
    at, seen = sines(steps, width), None if batch.seen is None else batch.seen[:, None, None]

    def loss(p):
        x = p["sources"][batch.source_ids] * width ** 0.5 + at
        y = p["targets"][batch.inputs] * width ** 0.5 + at
        for layer in p["encoder"]:
            x = post_norm_layer(layer, x, heads, seen)
        x = norm(p["norms"][0], x)
        for layer in p["decoder"]:
            y = post_norm_layer(layer, y, heads, causal(steps), x, seen)
        y = batch.rows(norm(p["norms"][1], y))
        return cross_entropy(apply(p["output"], y), batch.targets)
    return loss, p


def cell_weights(inputs, width, gates):
    return {"x": linear(inputs, gates * width), "h": linear(width, gates * width)}


def gru_weights(inputs, width):
    return cell_weights(inputs, width, 3)


def gru_cell(p, x, h):
    """x: W_x x + b, computed before."""
    xr, xz, xn = jnp.split(x, 3, -1)
    hr, hz, hn = jnp.split(apply(p["h"], h), 3, -1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    return (1 - z) * jnp.tanh(xn + r * hn) + z * h


def lstm_cell(p, x, state):
    h, c = state
    i, f, g, o = jnp.split(x + apply(p["h"], h), 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def rnn_cell(p, x, h):
    return jnp.tanh(x + apply(p["h"], h))


def gru(layers, x, states, valid=None):
    """x (steps, batch, ..); valid (steps, batch, 1): where a state changes at all."""
    last = []
    for p, h in zip(layers, states):
        gates = apply(p["x"], x)

        def step(h, of, p=p):
            new = gru_cell(p, of[0], h)
            new = new if valid is None else jnp.where(of[1], new, h)
            return new, new
        h, x = jax.lax.scan(step, h, (gates, gates if valid is None else valid), unroll=len(gates))
        last.append(h)
    return x, last


def recurrent(words, batch):
    width, layers = words.number("hidden", 32), words.number("layers", 2)
    embed, vocabulary = words.number("embed", width), words.number("vocabulary", 200)
    attends, count = words.get("model") == "bahdanau", len(batch.inputs)
    p = {"sources": matrix(vocabulary, embed), "targets": matrix(vocabulary, embed),
         "encoder": [gru_weights(width if i else embed, width) for i in range(layers)],
         "decoder": [gru_weights(width if i else embed + width, width) for i in range(layers)],
         "output": linear(width, vocabulary)}
    if attends:
        p |= {"q": matrix(width, width), "k": matrix(width, width), "v": matrix(width, 1)[:, 0]}
    valid = None if batch.seen is None else jnp.asarray(batch.seen.T[:, :, None])

    def attended(p, inputs, memory, states):
        keys, memory = memory @ p["k"], memory.transpose(1, 0, 2)
        keys = keys.transpose(1, 0, 2)

        def step(states, x):
            scores = jnp.tanh((states[-1] @ p["q"])[:, None] + keys) @ p["v"]
            if batch.seen is not None:
                scores = jnp.where(batch.seen, scores, -1e30)
            context = jnp.einsum("bk,bkd->bd", jax.nn.softmax(scores), memory)
            x, new = jnp.concatenate((context, x), -1), []
            for cell, h in zip(p["decoder"], states):
                x = gru_cell(cell, apply(cell["x"], x), h)
                new.append(x)
            return new, x
        return jax.lax.scan(step, states, inputs, unroll=len(inputs))[1]

    def loss(p):
        zeros = [jnp.zeros((count, width))] * layers
        memory, states = gru(p["encoder"], p["sources"][batch.source_ids.T], zeros, valid)
        inputs = p["targets"][batch.inputs.T]
        if attends:
            y = attended(p, inputs, memory, states)
        else:
            context = jnp.broadcast_to(states[-1], inputs.shape[:2] + (width,))
            y = gru(p["decoder"], jnp.concatenate((context, inputs), -1), states)[0]
        return cross_entropy(apply(p["output"], batch.rows(y.transpose(1, 0, 2))), batch.targets)
    return loss, p


def translation(words):
    """translation model= hidden= layers= [heads=] [ffn=] vocabulary= batch= steps= [ragged=1] [embed=]"""
    make = transformer if words.get("model", "transformer") == "transformer" else recurrent
    return adam(*make(words, Batch(words)))


def transformer_lm(words):
    """transformer_lm hidden= layers= [heads=] vocabulary= batch= steps="""
    width, layers = words.number("hidden", 256), words.number("layers", 6)
    heads, vocabulary = words.number("heads", 4), words.number("vocabulary", 8000)
    steps = words.number("steps", 64)
    ids = RANDOM.integers(0, vocabulary, (words.number("batch", 4), steps + 1))
    p = {"embed": matrix(vocabulary, width), "positions": matrix(steps, width),
         "layers": [layer_weights(width, 4 * width) for _ in range(layers)], "norm": norms(1, width)}

    def loss(p):
        x = p["embed"][ids[:, :-1]] + p["positions"]
        for layer in p["layers"]:
            x = pre_norm_layer(layer, x, heads, causal(steps))
        x = norm(p["norm"][0], x).reshape(-1, width)
        return cross_entropy(x @ p["embed"].T, ids[:, 1:].flatten())
    return adam(loss, p)


def language_model(words):
    """language_model cell= hidden= vocabulary= batch= steps=: one-hot inputs, which pick rows"""
    kind, width, vocabulary = words.get("cell", "lstm"), words.number("hidden", 256), words.number("vocabulary", 28)
    batch, steps = words.number("batch", 32), words.number("steps", 35)
    cell, gates = {"lstm": (lstm_cell, 4), "gru": (gru_cell, 3), "rnn": (rnn_cell, 1)}[kind]
    ids = RANDOM.integers(0, vocabulary, (steps + 1, batch))
    p = {"rnn": cell_weights(vocabulary, width, gates), "output": linear(width, vocabulary)}
    zeros = jnp.zeros((batch, width))

    def loss(p):
        x = p["rnn"]["x"]["w"][ids[:-1]] + p["rnn"]["x"]["b"]

        def step(state, x):
            state = cell(p["rnn"], x, state)
            return state, state[0] if kind == "lstm" else state
        y = jax.lax.scan(step, (zeros, zeros) if kind == "lstm" else zeros, x, unroll=steps)[1]
        return cross_entropy(apply(p["output"], y.reshape(-1, width)), ids[1:].flatten())
    return sgd(loss, p)


def bert_weights(width, layers, ffn, vocabulary, positions):
    return {"words": matrix(vocabulary, width), "positions": matrix(positions, width), "segments": matrix(2, width),
            "layers": [layer_weights(width, ffn) for _ in range(layers)]}


def bert(words):
    """bert hidden= layers= heads= ffn= batch= shortest= longest=; variant single: text after text"""
    width, layers, heads, ffn = texts.sizes_of(words)
    p = bert_weights(width, layers, ffn, 30522, 512) | {"norm": norms(1, width)}
    each = texts.lengths(words)

    @jax.jit
    def call(p, ids, mask):
        x = p["words"][ids] + p["positions"][:ids.shape[1]] + p["segments"][0]
        x = norm(p["norm"][0], x)
        for layer in p["layers"]:
            x = post_norm_layer(layer, x, heads, mask, act=lambda x: jax.nn.gelu(x, approximate=False))
        return x
    if words.get("variant") == "single":
        works = [(jnp.full((1, n), 7), None) for n in each]
    else:
        ids, mask = (jnp.asarray(x) for x in texts.padded(each))
        works = [(ids, mask[:, None, None] > 0 if min(each) < max(each) else None)]
    return lambda: [jax.block_until_ready(call(p, *work)) for work in works]


def bert_pretraining(words):
    """bert_pretraining hidden= layers= [heads=] [ffn=] vocabulary= batch= steps= [ragged=1]"""
    width, layers, heads = (words.number(*x) for x in (("hidden", 128), ("layers", 2), ("heads", 2)))
    vocabulary, batch = words.number("vocabulary", 20256), texts.pairs(words)
    p = bert_weights(width, layers, words.number("ffn", 256), vocabulary, words.number("steps", 64))
    p |= {"transform": linear(width, width), "norm": norms(1, width), "decoder": linear(width, vocabulary),
          "pooler": linear(width, width), "next": linear(width, 2)}
    mask = None if batch["there"].all() else batch["there"][:, None, None]

    def loss(p):
        x = p["words"][batch["ids"]] + p["segments"][batch["segments"]] + p["positions"]
        for layer in p["layers"]:
            x = post_norm_layer(layer, x, heads, mask)
        told = jax.nn.relu(apply(p["transform"], x.reshape(-1, width)[batch["rows"]]))
        return (cross_entropy(apply(p["decoder"], norm(p["norm"][0], told)), batch["targets"])
                + cross_entropy(apply(p["next"], jnp.tanh(apply(p["pooler"], x[:, 0]))), batch["follows"]))
    return adam(loss, p, clip=False)


if __name__ == "__main__":
    serve.serve(ARGUMENTS, "JAX " + jax.__version__,
                {"attention": attention, "translation": translation, "transformer_lm": transformer_lm,
                 "language_model": language_model, "bert": bert, "bert_pretraining": bert_pretraining})
